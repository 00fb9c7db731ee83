"""Runs a TF.js model in the real TF.js, in a process of Node."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

import numpy as np

from tfjs.errors import FormatError, MissingDependencyError, UnsupportedError, UsageError
from tfjs.formats.base import Port
from tfjs.formats.model_json import find_json
from tfjs.ir.tensor import Array

Backend = Literal["cpu", "wasm"]

_SCRIPT = Path(__file__).with_name("node_runner.mjs")
_INSTALL = "npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm"
_DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "|b1", "complex64": "<c8"}
_KINDS = {"f": "float32", "c": "complex64", "b": "bool", "i": "int32", "u": "int32"}
_SECONDS = 600.0
_LAST_WORDS = 2000  # characters of standard error that an error tells
_MOST_JSON = 1 << 30


class NodeRunner:
    """Runs one TF.js model in the real TF.js; a context manager, at whose end the process ends.

    Node is found on the PATH, TF.js as Node finds packages from the current folder upwards, by
    NODE_PATH, or where npm installs globally.

    Args:
        model: the folder of a graph or layers model, or its JSON file.
        backend: which backend of TF.js computes.
        timeout: after how many seconds without an answer the process is ended.

    Attributes:
        version: the version of TF.js.
        load_seconds: how long TF.js took to load the model.
        first_seconds: how long the first run took, which prepares what others use; None before it.
        inputs: name, dtype and shape of each input, as TF.js tells them.
        outputs: the same of each output.

    Raises:
        MissingDependencyError: there is no Node, or no TF.js for it.
        FormatError: the folder holds no model.
        UnsupportedError: TF.js does not load the model.
    """

    def __init__(self, model: Path, *, backend: Backend, timeout: float = _SECONDS) -> None:
        self.first_seconds: float | None = None
        self._where = str(model)
        self._timeout = timeout
        self._expired = False
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        node = shutil.which("node")
        if node is None:
            raise MissingDependencyError(
                "Node, which runs TF.js, is not on the PATH",
                hint=f"install Node 18 or newer, then {_INSTALL}",
            )
        file = find_json(model)
        if file is None:
            raise FormatError("holds no model.json", where=self._where)
        self._process = subprocess.Popen(
            [node, str(_SCRIPT), str(file.resolve()), backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            with self._bounded():
                told = self._answer("TF.js does not load the model")
        except BaseException:
            self.close()
            raise
        self.version: str = told["version"]
        self.load_seconds: float = told["load"]
        self.inputs = _ports(told["inputs"])
        self.outputs = _ports(told["outputs"])

    def __enter__(self) -> NodeRunner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """What TF.js answers.

        Args:
            feeds: an array for each input: of a graph model by its key in the signature or the name
                of its node, of a layers model in the order of the inputs, whatever the names.

        Returns:
            An array for each output, in the order of `outputs`; strings as objects of type bytes.

        Raises:
            UsageError: TF.js has no such numbers.
            UnsupportedError: TF.js does not run the model, or not in time.
        """
        return self._run(feeds, 0)[0]

    def time(self, feeds: Mapping[str, Array], runs: int) -> list[float]:
        """How many seconds each of some runs took, after one that is not counted.

        Arguments and errors are those of `run`.
        """
        return self._run(feeds, runs)[1]

    def close(self) -> None:
        """End the process."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            # Closing flushes: what Node did not live to read has nowhere to go.
            with suppress(OSError):
                pipe.close()
        process.kill()
        process.wait()
        self._listener.join()
        assert process.stderr is not None
        process.stderr.close()

    # Parts ---------------------------------------------------------------------------------------

    def _run(self, feeds: Mapping[str, Array], runs: int) -> tuple[list[Array], list[float]]:
        if len(feeds) != len(self.inputs):
            raise UsageError(f"the model has {len(self.inputs)} inputs, {len(feeds)} are fed")
        dtypes = {port.name: port.dtype for port in self.inputs}
        sent = [
            _encoded(name, array, dtypes.get(name, port.dtype))
            for (name, array), port in zip(feeds.items(), self.inputs, strict=True)
        ]
        text = json.dumps({"feeds": [told for told, _ in sent], "runs": runs}).encode()
        with self._bounded():
            with suppress(OSError):  # its answer tells why it is gone
                for chunk in (struct.pack("<I", len(text)), text, *(data for _, data in sent)):
                    self._stdin.write(chunk)
                self._stdin.flush()
            told = self._answer("TF.js does not run the model")
            answers = [_decoded(output, self._read(output["bytes"])) for output in told["outputs"]]
        if self.first_seconds is None:
            self.first_seconds = told["first"]
        return answers, told["times"]

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """End the process when it takes too long, which ends all reading and writing."""
        timer = threading.Timer(self._timeout, self._expire)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def _answer(self, failure: str) -> dict[str, Any]:
        """The JSON object of the next frame.

        Raises:
            MissingDependencyError: it tells that a package is missing.
            UnsupportedError: it tells of an error, or there is none.
        """
        (size,) = struct.unpack("<I", self._read(4))
        told: dict[str, Any] = json.loads(self._read(min(size, _MOST_JSON)))
        if told["ok"]:
            return told
        if told["missing"]:
            raise MissingDependencyError(f"Node finds no {told['message']}", hint=_INSTALL)
        raise UnsupportedError(f"{failure}: {told['message']}", where=self._where)

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        if len(data) == size:
            return data
        code = self._process.wait()
        self._listener.join()
        if self._expired:
            cause = f"did not answer within {self._timeout:g} s"
        else:
            cause = f"ended with code {code}: {''.join(self._words).strip() or 'it said nothing'}"
        raise UnsupportedError(f"TF.js {cause}", where=self._where)

    def _listen(self) -> None:
        """Read standard error, so that Node never waits for that; keep the end."""
        assert self._process.stderr is not None
        while data := self._process.stderr.read1(1 << 16):  # type: ignore[attr-defined]
            self._words.extend(data.decode("utf-8", "replace"))


def _ports(told: Sequence[Mapping[str, Any]]) -> list[Port]:
    return [
        Port(
            entry["name"],
            entry["dtype"] or "",
            None if entry["shape"] is None else tuple(entry["shape"]),
        )
        for entry in told
    ]


def _encoded(name: str, array: Array, wanted: str) -> tuple[dict[str, Any], bytes]:
    """One array as a frame holds it, in the dtype of TF.js that keeps its numbers."""
    told: dict[str, Any] = {"name": name, "shape": list(array.shape)}
    if array.dtype.kind in "OSU":
        items = array.reshape(-1).tolist()
        texts = [item if isinstance(item, bytes) else str(item).encode() for item in items]
        lengths = [len(text) for text in texts]
        told |= {"dtype": "string", "bytes": sum(lengths), "lengths": lengths}
        return told, b"".join(texts)
    dtype = _KINDS.get(array.dtype.kind)
    if dtype is None:
        raise UsageError(f"the input {name!r} cannot take {array.dtype}")
    if wanted == "float32" and dtype in ("int32", "bool"):
        dtype = wanted
    with np.errstate(all="ignore"):
        cast = array.astype(_DTYPES[dtype])
    if dtype == "int32" and not np.array_equal(cast, array):
        raise UsageError(f"the input {name!r} holds numbers that int32 of TF.js cannot hold")
    data = np.ascontiguousarray(cast).tobytes()
    return {**told, "dtype": dtype, "bytes": len(data)}, data


def _decoded(told: Mapping[str, Any], data: bytes) -> Array:
    shape = tuple(told["shape"])
    if told["dtype"] != "string":
        return np.frombuffer(data, _DTYPES[told["dtype"]]).reshape(shape)
    items = np.empty(len(told["lengths"]), object)
    start = 0
    for index, length in enumerate(told["lengths"]):
        items[index] = data[start : start + length]
        start += length
    return items.reshape(shape)
