"""Convert a model from one format to another."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import (
    DEFAULT_SHARD_SIZE,
    Content,
    Format,
    Port,
    QuantizationMap,
    ReadOptions,
    WriteOptions,
    Written,
)
from tfjs.formats.registry import for_output, named, reader_of
from tfjs.ir.layers_model import LayersModel
from tfjs.live import is_live_model, saved


@dataclass(frozen=True, slots=True)
class Report:
    """What a conversion read, changed and wrote.

    Attributes:
        source: path of the source, or the class of a live model.
        source_format: its format.
        producer: what wrote the source, where it tells.
        dest: path of the result.
        dest_format: its format.
        inputs: name, dtype and shape of each input, in order.
        outputs: the same of each output.
        layers: number of layers, nested ones included; 0 for weights alone.
        parameters: number of weights' elements.
        files: name and size in bytes of each file written.
        rewrites: what was expressed otherwise, with the layers that it concerns.
        notes: what was left out or deserves a word.
    """

    source: str
    source_format: str
    producer: str | None
    dest: str
    dest_format: str
    inputs: list[Port]
    outputs: list[Port]
    layers: int
    parameters: int
    files: list[tuple[str, int]]
    rewrites: dict[str, list[str]]
    notes: list[str]

    @property
    def nbytes(self) -> int:
        """Bytes of all files written."""
        return sum(size for _, size in self.files)

    def to_json(self) -> str:
        """The report as one JSON object, in ASCII: paths may hold what UTF-8 cannot."""
        return json.dumps(asdict(self))


def convert(
    source: str | os.PathLike[str] | Any,
    dest: str | os.PathLike[str],
    *,
    from_: str | None = None,
    to: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    quantize: QuantizationMap | None = None,
    dequantize: bool = False,
    shard_size: int = DEFAULT_SHARD_SIZE,
    split_weights_by_layer: bool = False,
    metadata: Mapping[str, Any] | None = None,
    custom_layers: Literal["refuse", "keep"] = "refuse",
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Convert a model.

    Args:
        source: path of a model, or a live model of Keras 3 or tf_keras.
        dest: path of the result; a folder for TF.js, `.keras` or `.h5` for Keras.
        from_: format of the source; recognised when None.
        to: format of the result; taken from `dest` when None.
        weights: the weights file of an architecture JSON; found beside it when None.
        quantize: weights to store in fewer bytes, as `{"uint8": ["dense*"], "float16": True}`;
            patterns are matched against weight names, True means all others.
        dequantize: expand weights that the source stores in fewer bytes.
        shard_size: largest size of a weight file in bytes.
        split_weights_by_layer: one group of weight files for each layer.
        metadata: user-defined metadata for the result.
        custom_layers: "keep" passes layers of unknown classes on by name, "refuse" refuses.
        progress: told the bytes of weights written so far, and of all.

    Returns:
        What was read, rewritten and written.

    Raises:
        FormatError: the source is missing, damaged or unsafe.
        UnsupportedError: the target cannot express the model; every layer is listed.
        UsageError: options or paths make no sense.
        ConversionError: the result cannot be written.
    """
    if shard_size < 1:
        raise UsageError(f"the shard size must be at least 1 byte, not {shard_size}")
    target = output_path(dest)
    with _opened(source) as (path, label):
        reader = reader_of(path, from_)
        content = reader.read(path, ReadOptions(weights=Path(weights) if weights else None))
        writer = writer_for(target, to, content)
        options = WriteOptions(
            shard_size=shard_size,
            split_weights_by_layer=split_weights_by_layer,
            quantize=quantize or {},
            dequantize=dequantize,
            metadata=metadata or {},
            custom_layers=custom_layers,
        )
        if progress is not None:
            options = replace(options, progress=progress)
        written = write(content, target, writer, options)
    return report_of(label, reader, content, target, writer, written)


def output_path(dest: str | os.PathLike[str]) -> Path:
    """Where to write to.

    Raises:
        UsageError: the path is empty, which would mean the current folder.
    """
    if not os.fspath(dest):
        raise UsageError("the output path is empty")
    return Path(dest)


def write(content: Content, path: Path, writer: Format, options: WriteOptions) -> Written:
    """Write content in a format.

    Raises:
        UnsupportedError: the format is only read.
    """
    if writer.write is None:
        raise UnsupportedError(f"tfjs reads {writer.title}s but does not write them")
    return writer.write(content, path, options)


@contextmanager
def _opened(source: Any) -> Iterator[tuple[Path, str]]:
    """A path to read the source from, and what the report calls it."""
    if isinstance(source, str | os.PathLike):
        if not os.fspath(source):
            raise UsageError("the source path is empty")
        yield Path(source), os.fspath(source)
    elif is_live_model(source):
        with tempfile.TemporaryDirectory(prefix="tfjs-") as folder:
            yield saved(source, Path(folder)), type(source).__name__
    else:
        raise UsageError(
            f"cannot convert an object of type {type(source).__name__}",
            hint="give the path of a model, or a model of Keras 3 or tf_keras",
        )


def writer_for(dest: Path, to: str | None, content: Content) -> Format:
    """The format that `to` names, or the ending of the output path.

    Raises:
        UsageError: there is no such format, or the ending means none.
    """
    if to is not None:
        return named(to)
    return for_output(dest, weights_only=not isinstance(content, LayersModel))


def report_of(
    label: str, reader: Format, content: Content, dest: Path, writer: Format, written: Written
) -> Report:
    """The report of a conversion."""
    if isinstance(content, LayersModel):
        layers = sum(layer.class_name != "InputLayer" for _, layer in content.walk())
        parameters = sum(weight.tensor.size for _, weight in content.weights())
    else:
        layers, parameters = 0, sum(entry.tensor.size for entry in content.tensors())
    return Report(
        source=label,
        source_format=reader.name,
        producer=content.producer,
        dest=str(dest),
        dest_format=writer.name,
        inputs=written.inputs,
        outputs=written.outputs,
        layers=layers,
        parameters=parameters,
        files=written.files,
        rewrites=written.rewrites,
        notes=written.notes,
    )
