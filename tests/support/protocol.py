"""What a test asks of the real TF.js, and what it gets back.

The JavaScript side is `tests/js/jobs.mjs`. It runs in Node (`tfjs_runtime.py`) and in headless
Chromium (`browser.py`), which differ only in how a job reaches it.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Call: TypeAlias = Sequence[Array] | Mapping[str, Array]
JsonObject: TypeAlias = dict[str, Any]

_WIRE_DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "|b1", "complex64": "<c8"}


class JsError(Exception):
    """TF.js threw, hung or died.

    Attributes:
        message: the text of the JavaScript error.
        name: its class; `Timeout` where the job was ended because it hung.
        log: what TF.js printed during the job.
    """

    def __init__(self, name: str, message: str, stack: str = "", log: Sequence[str] = ()) -> None:
        super().__init__("\n".join([f"{name}: {message}", *stack.splitlines()[1:], *log]))
        self.name = name
        self.message = message
        self.log = list(log)

    @property
    def timed_out(self) -> bool:
        """Whether the job was ended because it did not answer in time."""
        return self.name == "Timeout"


@dataclass(frozen=True)
class TensorInfo:
    """An input, output or weight as the loaded model describes it; unknown dims are None."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str | None


@dataclass(frozen=True)
class Run:
    """A loaded model and its answers.

    Attributes:
        calls: the outputs of each call, in the model's order.
        output_names: the names beside them.
        inputs: the model's inputs.
        outputs: the model's outputs.
        weights: its weights (layers models only), names as TF.js matches them.
        backend: the backend that ran.
        leaked: the tensors that were left when model, inputs and outputs had been disposed.
        log: what TF.js printed.
    """

    calls: list[list[Array]]
    output_names: list[str]
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    weights: list[TensorInfo]
    backend: str
    leaked: int
    log: list[str]

    @property
    def answers(self) -> list[Array]:
        """The outputs of the first call."""
        return self.calls[0]

    @property
    def by_name(self) -> dict[str, Array]:
        """The outputs of the first call by name."""
        return dict(zip(self.output_names, self.answers, strict=True))


def encode(array: Array) -> JsonObject:
    """One array as `jobs.mjs` reads it; float64 and int64 become the 32-bit types of TF.js."""
    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        items = [item if isinstance(item, bytes) else str(item).encode() for item in array.flat]
        return {
            "shape": array.shape,
            "dtype": "string",
            "data": [base64.b64encode(item).decode() for item in items],
        }
    narrower = {"float64": "float32", "float16": "float32", "int64": "int32", "uint8": "int32"}
    dtype = narrower.get(str(array.dtype), str(array.dtype))
    data = array.astype(_WIRE_DTYPES[dtype]).tobytes()
    return {"shape": array.shape, "dtype": dtype, "data": base64.b64encode(data).decode()}


def decode(tensor: JsonObject) -> Array:
    """The array of a tensor that `jobs.mjs` wrote; strings come as objects of type bytes."""
    shape, dtype = tuple(tensor["shape"]), tensor["dtype"]
    if dtype == "string":
        items = np.empty(len(tensor["data"]), dtype=object)
        items[:] = [base64.b64decode(item) for item in tensor["data"]]
        return items.reshape(shape)
    data = base64.b64decode(tensor["data"])
    return np.frombuffer(data, _WIRE_DTYPES[dtype]).reshape(shape)


def _encode_call(call: Call) -> list[JsonObject] | dict[str, JsonObject]:
    if isinstance(call, Mapping):
        return {name: encode(array) for name, array in call.items()}
    return [encode(array) for array in call]


def _infos(described: list[JsonObject]) -> list[TensorInfo]:
    return [
        TensorInfo(
            name=item["name"],
            shape=None if item["shape"] is None else tuple(item["shape"]),
            dtype=item["dtype"],
        )
        for item in described
    ]


def _run(answer: JsonObject) -> Run:
    calls: list[list[JsonObject]] = answer["calls"]
    return Run(
        calls=[[decode(tensor) for tensor in call] for call in calls],
        output_names=[tensor["name"] for tensor in calls[0]] if calls else [],
        inputs=_infos(answer["inputs"]),
        outputs=_infos(answer["outputs"]),
        weights=_infos(answer.get("weights", [])),
        backend=answer["backend"],
        leaked=answer["leaked"],
        log=answer["log"],
    )


def model_json(model: Path) -> Path:
    """The JSON file of a model that is given by its folder or by the file."""
    return model / "model.json" if model.is_dir() else model


class TfjsHost(ABC):
    """Something that runs jobs in the real TF.js.

    Models are given by the folder with `model.json` or by the JSON file. Every method raises
    `JsError` where TF.js throws, or does not answer within `timeout` seconds: of processor time in
    Node (20 by default), by the clock in the browser (60).
    """

    @abstractmethod
    def run_job(self, model: Path, job: JsonObject) -> JsonObject:
        """Runs a job of `jobs.mjs` on the model of a JSON file and returns its answer."""

    def run_layers(
        self,
        model: Path,
        *calls: Call,
        backend: str = "cpu",
        strict: bool = True,
        batch_size: int | None = None,
        custom: Path | None = None,
        timeout: float | None = None,
    ) -> Run:
        """Loads a layers model and predicts once for each call, all by one loaded model.

        Args:
            model: its folder or JSON file.
            calls: the inputs of each call, in order. Without any the model is only loaded.
            backend: `cpu`, `wasm` or, in the browser, `webgl`.
            strict: as `tf.loadLayersModel` takes it.
            batch_size: as `model.predict` takes it; a stateful model needs its own.
            custom: a JavaScript module whose default export `(tf) => void` registers classes.
            timeout: seconds until the job is ended as hanging.
        """
        job: JsonObject = {"op": "layers", "backend": backend, "strict": strict}
        if batch_size is not None:
            job["batch_size"] = batch_size
        if custom is not None:
            job["custom"] = str(custom.resolve())
        return _run(self._ask(model, job, calls, timeout))

    def predict_layers(self, model: Path, inputs: Call, backend: str = "cpu") -> list[Array]:
        """The outputs of a layers model for one call, in the model's order."""
        return self.run_layers(model, inputs, backend=backend).answers

    def run_graph(
        self,
        model: Path,
        *calls: Call,
        backend: str = "cpu",
        method: str = "predict",
        outputs: Sequence[str] | None = None,
        custom: Path | None = None,
        timeout: float | None = None,
    ) -> Run:
        """Loads a graph model and runs it once for each call.

        Args:
            model: its folder or JSON file.
            calls: the inputs of each call, in order or by name.
            backend: `cpu`, `wasm` or, in the browser, `webgl`.
            method: `predict`, `predictAsync`, `execute` or `executeAsync`.
            outputs: the names that `execute` and `executeAsync` ask for.
            custom: a JavaScript module whose default export `(tf) => void` registers operations.
            timeout: seconds until the job is ended as hanging.
        """
        job: JsonObject = {"op": "graph", "backend": backend, "method": method}
        if outputs is not None:
            job["outputs"] = list(outputs)
        if custom is not None:
            job["custom"] = str(custom.resolve())
        return _run(self._ask(model, job, calls, timeout))

    def predict_graph(
        self, model: Path, inputs: Call, backend: str = "cpu", method: str = "predict"
    ) -> list[Array]:
        """The outputs of a graph model for one call, in the model's order."""
        return self.run_graph(model, inputs, backend=backend, method=method).answers

    def decode_weights(self, model: Path) -> dict[str, Array]:
        """The weights of any TF.js model by name, as `tf.io.decodeWeights` makes them."""
        answer = self._ask(model, {"op": "weights"}, (), None)
        return {tensor["name"]: decode(tensor) for tensor in answer["weights"]}

    def _ask(
        self, model: Path, job: JsonObject, calls: Sequence[Call], timeout: float | None
    ) -> JsonObject:
        job["calls"] = [_encode_call(call) for call in calls]
        if timeout is not None:
            job["timeout"] = timeout
        answer = self.run_job(model_json(model).resolve(), job)
        if not answer["ok"]:
            error = answer["error"]
            raise JsError(error["name"], error["message"], error["stack"], answer.get("log", []))
        return answer
