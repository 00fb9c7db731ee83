"""What the writers of Keras's formats share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import DEFAULT_SHARD_SIZE, Content, Port, WriteOptions, Written
from tfjs.ir.layers_model import Layer, LayersModel
from tfjs.ir.tensor import QuantizedTensor, Tensor
from tfjs.layers.keras_order import in_keras_order
from tfjs.layers.ports import inputs_of, outputs_of
from tfjs.layers.registry import is_operation, spec_of
from tfjs.layers.successors import with_successors

# The last release whose files both tf_keras and Keras 3 have been reading ever since.
KERAS_VERSION = "2.15.0"


class Progress:
    """Tells a callback how many bytes of weights are written, and how many there are.

    Args:
        tensors: all tensors that will be written.
        callback: told the bytes written so far, and of all.
    """

    def __init__(self, tensors: Iterable[Tensor], callback: Callable[[int, int], None]) -> None:
        # Strings cannot be written, and are refused when their turn comes.
        self._total = sum(tensor.nbytes for tensor in tensors if tensor.dtype != "string")
        self._done = 0
        self._callback = callback

    def add(self, count: int) -> None:
        """Some bytes more are written."""
        self._done += count
        self._callback(self._done, self._total)


def refuse_options(options: WriteOptions, target: str) -> None:
    """Refuse the options that only files of TF.js can have.

    Raises:
        UsageError: one of them is given.
    """
    given = {
        "--quantize": bool(options.quantize),
        "--shard-size": options.shard_size != DEFAULT_SHARD_SIZE,
        "--split-weights-by-layer": options.split_weights_by_layer,
        "--metadata": bool(options.metadata),
    }
    found = [option for option, present in given.items() if present]
    if found:
        raise UsageError(
            f"{', '.join(found)} cannot be used for {target}",
            hint="these options are for TF.js models, whose output is a folder",
        )


def keras_model(content: Content) -> tuple[LayersModel, list[str]]:
    """The model to write, its layers in Keras's order, and what deserves a word about it.

    Raises:
        UnsupportedError: there are weights only.
    """
    if not isinstance(content, LayersModel):
        raise UnsupportedError(
            "the source holds weights without a model",
            hint="name the architecture JSON as the source, or write an .h5 file of weights",
        )
    notes = []
    custom = sorted({layer.class_name for _, layer in content.walk() if is_custom(layer)})
    if custom:
        notes.append(f"whoever loads the file must give Keras the classes {', '.join(custom)}")
    if any(isinstance(weight.tensor, QuantizedTensor) for _, weight in content.weights()):
        notes.append("weights stored in fewer bytes were expanded")
    if content.metadata:
        notes.append("user-defined metadata left out: Keras files have no place for it")
    model, renewed = with_successors(content)
    return in_keras_order(model), [*notes, *renewed]


def report(model: LayersModel, path: Path, size: int, notes: list[str]) -> Written:
    """What was written, for the one file of a Keras model."""
    return Written(
        files=[(path.name, size)],
        notes=notes,
        inputs=[Port(*port) for port in inputs_of(model)],
        outputs=[Port(*port) for port in outputs_of(model)],
    )


def is_custom(layer: Layer) -> bool:
    """Whether the layer is of a class that is not Keras's."""
    return layer.model is None and spec_of(layer) is None and not is_operation(layer)
