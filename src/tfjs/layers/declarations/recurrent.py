"""Recurrent layers and cells: SimpleRNN, LSTM, GRU, RNN of cells, and the CuDNN ones of old Keras.

What TF.js does otherwise (`runtime_contract.md` 3.5, and its 4.22 sources): a GRU has no
`reset_after`; `hard_sigmoid` is that of Keras 2; a cell within RNN keeps its dropout mask from one
batch to the next; stacked cells return their states in the opposite order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Call, Config, Layer, TensorRef, Weight, flatten
from tfjs.ir.tensor import Array, ArrayTensor, DerivedTensor
from tfjs.layers.base import Apply, CannotLower, LayerSpec, Shape, Slot, dim, find
from tfjs.layers.declarations import gates, gru_unroll, kernels, recurrent_graph
from tfjs.layers.declarations.space import HIGHEST

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# Keys that TF.js does not read; `obstacle` refuses the values that would matter.
UNREAD: Config = {"zero_output_for_mask": ..., "time_major": ...}
_DROPOUTS = ("dropout", "recurrent_dropout")
_SEQUENCE_KEYS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")


class _Cell(gates.Gated):
    """A cell: one step of an RNN.

    Attributes:
        states: how many states it has, each of `units`.
        layer: the layer that is an RNN of it.
    """

    states: ClassVar[int] = 1
    layer: ClassVar[str] = ""
    holder: ClassVar[str] = ""

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        units = units_of(layer)
        columns = units * self.gates.count
        kernel = (dim(inputs[0] if inputs else None, -1), columns)
        slots = [
            Slot("kernel", kernel, holder=self.holder),
            Slot("recurrent_kernel", (units, columns), holder=self.holder),
        ]
        if layer.config.get("use_bias", True):
            bias = (2, columns) if layer.config.get("reset_after") else (columns,)
            slots.append(Slot("bias", bias, holder=self.holder))
        return slots

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        state = (dim(inputs[0] if inputs else None, 0), units_of(layer))
        return [state] * (1 + self.states)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return recurrent_graph.one_step(build, [build])


class _Recurrent(_Cell):
    """A layer that runs a cell over the steps of its input."""

    supports_masking = True
    uses_mask = True
    takes_initial_state = True
    holder = "cell"

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        return _leaving(layer.config, shape, [units_of(layer)] * self.states)

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        why = obstacle(layer, build)
        return build.refuse(layer, why) if why else express(layer, build)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return recurrent_graph.sequence(build, [build])


def units_of(layer: Layer) -> int:
    """The size of a layer's state.

    Raises:
        CorruptFileError: the configuration does not tell it.
    """
    units = layer.config.get("units")
    if type(units) is not int or not 1 <= units <= HIGHEST:
        raise CorruptFileError(f"units is {units!r}, a size was expected", where=layer.name)
    return units


def _leaving(config: Config, shape: Shape | None, states: Sequence[int]) -> list[Shape | None]:
    """Shapes that an RNN answers; the first of its states is what it puts out."""
    batch = dim(shape, 0)
    steps = (dim(shape, 1),) if config.get("return_sequences") else ()
    returned = [(batch, size) for size in states] if config.get("return_state") else []
    return [(batch, *steps, states[0]), *returned]


class SimpleRNNCell(_Cell):
    name = "SimpleRNNCell"
    gates = gates.SIMPLE
    layer = "SimpleRNN"


class SimpleRNN(_Recurrent):
    name = "SimpleRNN"
    gates = gates.SIMPLE


class LSTMCell(_Cell):
    name = "LSTMCell"
    gates = gates.LSTM
    states = 2
    layer = "LSTM"

    def defaults(self, dialect: str) -> Config:
        return {"recurrent_activation": "hard_sigmoid"} if dialect == "tfjs" else {}


class LSTM(_Recurrent):
    name = "LSTM"
    gates = gates.LSTM
    states = 2

    def defaults(self, dialect: str) -> Config:
        return {"recurrent_activation": "hard_sigmoid"} if dialect == "tfjs" else {}


def _gru_defaults(dialect: str) -> Config:
    """Keras before 2.1.3 and TF.js have no `reset_after`; later files always tell it."""
    if dialect == "keras3":
        return {}
    older = {"recurrent_activation": "hard_sigmoid"} if dialect == "tfjs" else {}
    return {"reset_after": False, **older}


class GRUCell(_Cell):
    name = "GRUCell"
    gates = gates.GRU
    layer = "GRU"

    def defaults(self, dialect: str) -> Config:
        return _gru_defaults(dialect)


class GRU(_Recurrent):
    name = "GRU"
    gates = gates.GRU

    def defaults(self, dialect: str) -> Config:
        return _gru_defaults(dialect)


# What all of them share ----------------------------------------------------------------------


def obstacle(layer: Layer, build: Builder) -> str | None:
    """Why TF.js cannot run a recurrent layer as Keras would, None where it can.

    Args:
        layer: the layer as it is called; a wrapper asks for what it wraps with
            `inner_obstacle`.
        build: the builder.
    """
    for call in layer.calls:
        if flatten(call.kwargs.get("constants")):
            return "it is called with constants, which TF.js does not take"
    if build.spills_state(layer):
        return (
            "it is called with an initial state, and TF.js 4.22 would hand that state on to "
            "another RNN, since the model has masks or is part of another model"
        )
    if build.is_masked(layer) and has_initial_state(layer, build):
        build.warn(
            f"{layer.name}: at masked steps before the first other one Keras answers zeros, "
            "TF.js the initial state"
        )
    return inner_obstacle(layer, build)


def inner_obstacle(layer: Layer, build: Builder) -> str | None:
    """As `obstacle`, of the configuration of a layer that the current one is or wraps."""
    config = layer.config
    if config.get("time_major"):
        return "its input has the steps before the batch (time_major)"
    if config.get("stateful") and dim(build.input_shape(build.current), 0) is None:
        return (
            "it is stateful, for which TF.js needs a fixed batch size: build the model with "
            "Input(batch_shape=(size, ...)) and the same weights"
        )
    if config.get("stateful") and build.is_repeated(build.current):
        return (
            "it is stateful and several of its outputs are used, for each of which TF.js would "
            "move its state on"
        )
    own_zeros = config.get("zero_output_for_mask") and build.current is layer
    if own_zeros and build.is_masked(layer):
        return "TF.js cannot answer zeros for masked steps (zero_output_for_mask)"
    return None


def has_initial_state(layer: Layer, build: Builder) -> bool:
    """Whether some call of a recurrent layer comes with states."""
    return any(len(build.tensors_in(layer, index)) > 1 for index in range(len(layer.calls)))


def express(rnn: Layer, build: Builder, name: str | None = None) -> Apply:
    """A SimpleRNN, LSTM or GRU in TF.js's terms, for the current layer.

    Args:
        rnn: the layer: its own or what the current layer amounts to; never a cell.
        build: the builder.
        name: name of the layer in TF.js, where it is not that of `rnn`.
    """
    if name is not None:
        rnn = Layer(rnn.class_name, name, rnn.config, rnn.weights)
    if rnn.config.get("reset_after"):
        steps = dim(build.input_shape(build.current), 1)
        why = gru_unroll.obstacle(
            masked=build.is_masked(build.current),
            stateful=bool(rnn.config.get("stateful")),
            steps=steps,
        )
        if why is not None or steps is None:
            return build.refuse(build.current, why or "")
        check_weights(rnn)
        return gru_unroll.express(rnn, build, steps)
    changes, weights = gates.for_tfjs(rnn, build)
    return build.keep(rnn, {**UNREAD, **changes}, weights=weights)


def wrapped(rnn: Layer, build: Builder) -> Layer:
    """A SimpleRNN, LSTM, GRU or ConvLSTM2D as another layer of TF.js wraps it."""
    changes, weights = gates.for_tfjs(rnn, build)
    # TF.js refuses to unroll a ConvLSTM2D, and only warns of it for the others.
    return build.rewritten(rnn, {**UNREAD, "unroll": False, **changes}, weights=weights)


def passing(
    build: Builder,
    size: int,
    *,
    sequences: bool = True,
    backwards: bool = True,
    suffix: str = "reversed",
    name: str | None = None,
) -> Layer:
    """A SimpleRNN that passes each step on and keeps nothing, to turn sequences round.

    Args:
        build: the builder.
        size: of a step.
        sequences: whether all steps come out, or the one that is taken last.
        backwards: whether the last step is taken first.
        suffix: what it is called.
        name: its whole name.
    """
    weights = [
        Weight("kernel", DerivedTensor("float32", (size, size), lambda: np.eye(size, dtype="f4"))),
        Weight("recurrent_kernel", ArrayTensor(np.zeros((size, size), np.float32))),
    ]
    config: Config = {"units": size, "activation": "linear", "use_bias": False}
    config |= {"return_sequences": sequences, "go_backwards": backwards}
    return build.new("SimpleRNN", config, suffix=suffix, name=name, weights=weights)


def check_weights(rnn: Layer) -> None:
    """Hold the weights of a SimpleRNN, LSTM or GRU against its configuration.

    Raises:
        CorruptFileError: one is missing or has another shape.
    """
    weights = {weight.name: weight for weight in rnn.weights}
    spec = find(rnn.class_name)
    for slot in spec.slots(rnn, []) if spec else ():
        if slot.name not in weights:
            raise CorruptFileError(f"has no weight {slot.name}", where=rnn.name)
        kernels.check(weights[slot.name], slot.shape, rnn.name)


# RNNs of cells -------------------------------------------------------------------------------


class StackedRNNCells(LayerSpec):
    name = "StackedRNNCells"
    children = ("cells",)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        batch = dim(inputs[0] if inputs else None, 0)
        sizes = state_sizes(layer)
        if not sizes:
            return [None]
        own = list(layer.children.values())[-1]
        return [(batch, units_of(own)), *((batch, size) for size in sizes)]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return recurrent_graph.one_step(build, _owners(build))


class RNN(LayerSpec):
    name = "RNN"
    children = ("cell",)
    supports_masking = True
    uses_mask = True
    takes_initial_state = True

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        cells = cells_of(layer)
        sizes = state_sizes(layer.children["cell"]) if cells else None
        if not cells or sizes is None:
            return [None]
        shape = inputs[0] if inputs else None
        first, *_ = _leaving(layer.config, shape, [units_of(cells[-1])])
        returned = sizes if layer.config.get("return_state") else []
        return [first, *((dim(shape, 0), size) for size in returned)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        cells = cells_of(layer)
        if not cells:
            cell = layer.children.get("cell")
            what = f"a cell of the class {cell.class_name}" if cell else "no cell"
            return build.refuse(layer, f"it runs {what}, whose code is not in the file")
        why = obstacle(layer, build)
        if why:
            return build.refuse(layer, why)
        if _keeps_cells(layer, cells, build):
            child = _wrapped_cell(layer.children["cell"], build)
            return build.keep(layer, UNREAD, children={"cell": child})
        return _as_layers(layer, cells, build)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        cell = layer.children.get("cell")
        if cell is None:
            raise CannotLower("runs no cell")
        inner = build.of(cell, Call())
        if cell.class_name != "StackedRNNCells":
            return recurrent_graph.sequence(build, [inner])
        told = layer.config.get("return_state") or len(build.inputs) > 1
        if told and cell.config.get("reverse_state_order"):
            # Releases of Keras differ in what that does to the states of a call.
            raise CannotLower("its cells put their states in reverse order")
        return recurrent_graph.sequence(build, _owners(inner))


def _owners(stacked: Lowering) -> list[Lowering]:
    """What gives the weights of each cell of several."""
    cells = stacked.layer.children.values()
    if not cells:
        raise CannotLower("runs no cell")
    return [stacked.of(cell, Call()) for cell in cells]


def cells_of(rnn: Layer) -> list[Layer]:
    """The cells of an RNN in the order in which they run; none where one is not Keras's."""
    cell = rnn.children.get("cell")
    if cell is None:
        return []
    cells = list(cell.children.values()) if cell.class_name == "StackedRNNCells" else [cell]
    return cells if all(_layer_of(item) for item in cells) else []


def _layer_of(cell: Layer) -> str:
    spec = find(cell.class_name)
    return spec.layer if isinstance(spec, _Cell) else ""


def state_sizes(cell: Layer) -> list[int] | None:
    """Sizes of the states of a cell, or of stacked ones in Keras's order; None where unknown."""
    if cell.class_name == "StackedRNNCells":
        parts = [state_sizes(item) for item in cell.children.values()]
        known = [part for part in parts if part is not None]
        return [size for part in known for size in part] if len(known) == len(parts) else None
    spec = find(cell.class_name)
    return [units_of(cell)] * spec.states if isinstance(spec, _Cell) else None


def _keeps_cells(layer: Layer, cells: Sequence[Layer], build: Builder) -> bool:
    """Whether TF.js runs the RNN of these cells as Keras does."""
    if any(cell.config.get("reset_after") for cell in cells):
        return False
    if any(cell.config.get(key) for cell in cells for key in _DROPOUTS):
        return False
    ordered = layer.config.get("return_state") or has_initial_state(layer, build)
    return len(cells) == 1 or not ordered


def _wrapped_cell(cell: Layer, build: Builder) -> Layer:
    if cell.class_name == "StackedRNNCells":
        cells = {key: _wrapped_cell(item, build) for key, item in cell.children.items()}
        return build.rewritten(cell, {"reverse_state_order": ...}, children=cells)
    changes, weights = gates.for_tfjs(cell, build)
    return build.rewritten(cell, changes, weights=weights)


def as_layer(rnn: Layer, cell: Layer, name: str, *, sequences: bool | None = None) -> Layer:
    """The SimpleRNN, LSTM or GRU that an RNN of one cell is."""
    keys = {key: rnn.config[key] for key in _SEQUENCE_KEYS if key in rnn.config}
    if sequences is not None:
        keys["return_sequences"] = sequences
    config = {**cell.config, **keys, "trainable": rnn.config.get("trainable", True)}
    return Layer(_layer_of(cell), name, config, cell.weights)


def _as_layers(layer: Layer, cells: Sequence[Layer], build: Builder) -> Apply:
    """Layers that run one after the other on whole sequences instead of stacked cells."""
    if layer.children["cell"].config.get("reverse_state_order"):
        return build.refuse(layer, "its cells put their states in reverse order")
    if len(cells) > 1 and layer.config.get("go_backwards") and build.is_masked(layer):
        return build.refuse(layer, "TF.js would not reverse the mask for the second cell")
    parts: list[Apply] = []
    counts = []
    for number, cell in enumerate(cells):
        final = number == len(cells) - 1
        name = layer.name if final else f"{layer.name}_{number}"
        rnn = as_layer(layer, cell, name, sequences=None if final else True)
        if number:
            rnn.config["go_backwards"] = False  # the first one has turned the sequence round
        build.note(layer, f"RNN of a {cell.class_name} as {rnn.class_name}")
        parts.append(express(rnn, build))
        counts.append(len(state_sizes(cell) or ()))

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        current, given = tensors[0], tensors[1:]
        returned: list[TensorRef] = []
        for part, count in zip(parts, counts, strict=True):
            own, given = given[:count], given[count:]
            current, *states = part([current, *own])[: 1 + count]
            returned += states
        return [current, *returned] if layer.config.get("return_state") else [current]

    return call


# CuDNN layers of Keras 2.1 to 2.3 ------------------------------------------------------------


class _CuDNN(_Recurrent):
    """A layer that only a GPU runs; its weights lie in the order that the GPU wants.

    Each gate's input kernel is stored transposed, then reshaped; recurrent kernels transposed;
    input and recurrent biases one after the other.
    """

    holder = ""

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        kernel, recurrent, *_ = super().slots(layer, inputs)
        return [kernel, recurrent, Slot("bias", (2 * int(recurrent.shape[1] or 0),))]

    def successor(self, layer: Layer) -> Layer:
        return plain_rnn(layer)

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        why = obstacle(layer, build)
        if why:
            return build.refuse(layer, why)
        build.note(layer, f"{layer.class_name} as {self.layer}, its weights put in order")
        return express(plain_rnn(layer), build)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        plain = build.in_place(plain_rnn(layer))
        return recurrent_graph.sequence(plain, [plain])


class CuDNNLSTM(_CuDNN):
    name = "CuDNNLSTM"
    gates = gates.LSTM
    states = 2
    layer = "LSTM"


class CuDNNGRU(_CuDNN):
    name = "CuDNNGRU"
    gates = gates.GRU
    layer = "GRU"


def plain_rnn(layer: Layer) -> Layer:
    """The LSTM or GRU that a CuDNN layer stands for, with its weights in the usual order."""
    spec = find(layer.class_name)
    if not isinstance(spec, _CuDNN):
        return layer
    config = {**layer.config, "activation": "tanh", "recurrent_activation": "sigmoid"}
    config["use_bias"] = True
    if spec.layer == "GRU":
        config["reset_after"] = True
    weights = [_usual(weight, spec.gates.count, spec.layer) for weight in layer.weights]
    return Layer(spec.layer, layer.name, config, weights, layer.calls)


def _usual(weight: Weight, count: int, kind: str) -> Weight:
    shape = weight.tensor.shape
    change = _gatewise(count, kernel=weight.name == "kernel")
    if weight.name == "bias":
        shape = (2, shape[0] // 2) if kind == "GRU" else (shape[0] // 2,)
        change = _two_rows if kind == "GRU" else _summed_rows
    return Weight(weight.name, gates.derived(weight.tensor, shape, change))


def _two_rows(array: Array) -> Array:
    return array.reshape(2, -1)


def _summed_rows(array: Array) -> Array:
    total: Array = array.reshape(2, -1).sum(axis=0)
    return total


def _gatewise(count: int, *, kernel: bool) -> Callable[[Array], Array]:
    def change(array: Array) -> Array:
        parts = np.split(array, count, axis=1)
        if kernel:
            return np.concatenate([p.T.reshape(p.shape, order="F") for p in parts], axis=1)
        return np.concatenate([p.T for p in parts], axis=1)

    return change
