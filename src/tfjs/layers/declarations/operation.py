"""What the operations of `keras.ops` share when they stand in a model as layers.

The tensors and constants of such a layer are the arguments of its call, its settings are in its
configuration. Each is declared under the name `ops.<Class>`; a class that is not declared falls to
`UnknownOperation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Config, Layer, Structure, TensorRef, map_refs
from tfjs.ir.tensor import Array
from tfjs.layers.base import Apply, LayerSpec, Shape
from tfjs.layers.declarations.operation_graph import lower_operation
from tfjs.layers.declarations.space import Piece

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_LARGEST = float(np.finfo(np.float32).max)

NO_SHAPE = "the shape of its input is unknown"
# A tensor is taken apart or repeated into so many pieces at most.
MOST_PARTS = 256
OVER_BATCH = "it works on the axis of the batch"

# How an operation is expressed, or why it cannot be.
Outcome = Apply | str


class Given(NamedTuple):
    """A tensor among the arguments of a call.

    Attributes:
        at: its place among the tensors of the call.
        shape: its shape, None where unknown.
    """

    at: int
    shape: Shape | None


class Operation(LayerSpec):
    """An operation with one or more tensors.

    Attributes:
        parameters: names of the arguments of a call, in order.
    """

    parameters: ClassVar[tuple[str, ...]] = ("x",)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        with sensible(layer):
            return self.shapes(layer.config, bind(layer, self.parameters, inputs))

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        if not _same_constants(layer):
            return build.refuse(layer, "its calls have different constants")
        with sensible(layer):
            given = bind(layer, self.parameters, build.input_shapes(layer))
            outcome = self.express(layer, build, given)
        if isinstance(outcome, str):
            return build.refuse(layer, outcome)
        build.note(layer, f"operation {layer.class_name} as layers of TF.js")
        return outcome

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return lower_operation(layer, build)

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        """Shapes of the outputs; that of the first tensor by default.

        Args:
            config: the configuration.
            given: arguments by name; tensors as `Given`.
        """
        return [next((item.shape for item in given.values() if isinstance(item, Given)), None)]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        """The operation in TF.js's layers, or why it cannot be."""
        return f"TF.js has no layer for the operation {layer.class_name}"


class UnknownOperation(Operation):
    """Operations that no layer of TF.js computes."""

    name = "ops.?"
    parameters = ()

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        return [None]


@contextmanager
def sensible(layer: Layer) -> Iterator[None]:
    """Turn what senseless arguments provoke into a CorruptFileError."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptFileError(
            f"the operation {layer.class_name} has arguments that make no sense: "
            f"{type(error).__name__}: {error}",
            where=layer.name,
        ) from error


def bind(layer: Layer, parameters: Sequence[str], shapes: Sequence[Shape | None]) -> dict[str, Any]:
    """The arguments of an operation's first call by name, tensors as `Given`.

    Raises:
        ValueError: there are no tensors among them, or more of them than parameters.
    """
    if not layer.calls:
        return {}
    call = layer.calls[0]
    if not call.inputs():
        raise ValueError("no tensor")
    count = iter(range(len(call.inputs())))

    def traced(_: TensorRef) -> Given:
        at = next(count)
        return Given(at, shapes[at] if at < len(shapes) else None)

    args = [_map(item, traced) for item in call.args]
    if parameters and len(args) > len(parameters):
        raise ValueError(f"{len(args)} arguments for {', '.join(parameters)}")
    named = dict(zip(parameters, args, strict=False))
    return named | {key: _map(value, traced) for key, value in call.kwargs.items()}


def _map(value: Structure, traced: Callable[[TensorRef], Given]) -> Any:
    return map_refs(value, traced)


def _same_constants(layer: Layer) -> bool:
    forms = [
        repr(map_refs([list(call.args), call.kwargs], lambda ref: None)) for call in layer.calls
    ]
    return len(set(forms)) <= 1


def shape_of(given: dict[str, Any], name: str = "x") -> Shape | None:
    """The shape of a tensor among the arguments; None where it is unknown or no tensor."""
    item = given.get(name)
    return item.shape if isinstance(item, Given) else None


# Reading arguments ---------------------------------------------------------------------------


def constant(value: Any) -> Array | None:
    """A number or a list of numbers, all finite, as an array; None for anything else."""
    if isinstance(value, Given) or value is None or isinstance(value, str):
        return None
    if isinstance(value, list | tuple) and any(isinstance(item, Given) for item in value):
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return None
    # Neither JSON nor TF.js has what float32 cannot hold.
    return array.astype(np.float64) if np.all(np.abs(array) <= _LARGEST) else None


def plain(array: Array) -> Any:
    """A number or nested lists of numbers, as they stand in a configuration."""
    value = array.astype(np.float32)
    while value.ndim and value.shape[0] == 1:
        value = value[0]
    return float(value) if value.ndim == 0 else value.tolist()


def spreads(array: Array, shape: Shape) -> bool:
    """Whether a constant, spread over a tensor as NumPy would, leaves its shape as it is."""
    if array.ndim > len(shape):
        return False
    sizes = shape[len(shape) - array.ndim :]
    if array.ndim == len(shape) and array.shape[0] != 1:
        return False
    return all(have in (1, want) for have, want in zip(array.shape, sizes, strict=True))


# Building ------------------------------------------------------------------------------------


def of(given: Given, apply: Apply) -> Apply:
    """Apply to one of the tensors of a call."""
    return lambda tensors: apply([tensors[given.at]])


def row(build: Builder, pieces: Sequence[Piece], name: str | None) -> Apply:
    """Layers in a row, the last with a name of its own; nothing leaves the tensor as it is."""
    last = len(pieces) - 1
    return build.chain(
        *(piece.make(build, name if at == last else None) for at, piece in enumerate(pieces))
    )
