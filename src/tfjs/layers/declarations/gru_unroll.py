"""A GRU with `reset_after`, which TF.js does not have, as one layer of TF.js a step and operation.

Keras computes, for the input x and the state h of a step (gates z, r and the new state n):

    z = s(Wz x + Uz h + bz)    r = s(Wr x + Ur h + br)
    n = a(Wn x + bn + r * (Un h + cn))
    h' = z * h + (1 - z) * n

TF.js's GRU multiplies h by r before Un. So the steps are cut out of the sequence, and the layers
that compute them are shared: TF.js calls each once a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tfjs.ir.layers_model import Layer, TensorRef, Weight
from tfjs.ir.tensor import Array, DerivedTensor
from tfjs.layers.base import Apply
from tfjs.layers.declarations import gates
from tfjs.layers.declarations.compose import reshape, scale

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

LONGEST = 512

ADVICE = "train it with reset_after=False, which TF.js has, or convert to a graph model"

# The order of the gates in the columns of the weights.
_UPDATE, _RESET, _NEW = 0, 1, 2


def obstacle(*, masked: bool, stateful: bool, steps: int | None) -> str | None:
    """Why a GRU with `reset_after` cannot be unrolled, None where it can.

    Args:
        masked: whether a mask comes with the input.
        stateful: whether the layer keeps its state from one batch to the next.
        steps: length of the sequence, None where it is unknown.
    """
    problem = None
    if masked:
        problem = "the unrolled layer would not see the mask of its input"
    elif stateful:
        problem = "the unrolled layer could not keep its state"
    elif steps is None:
        problem = "it can be unrolled for a known number of steps only"
    elif steps > LONGEST:
        problem = f"it has {steps} steps, and more than {LONGEST} are not unrolled"
    elif steps == 0:
        problem = "its input has no steps"
    if problem is None:
        return None
    return f"TF.js's GRU has no reset_after, and {problem}: {ADVICE}"


class Unrolled:
    """The layers of one unrolled GRU; `run` wires them up for one call.

    Args:
        build: the builder.
        gru: the GRU: its configuration and weights.
        steps: length of the sequence.
        prefix: goes before the names of the new layers, where one layer has two of these.
    """

    def __init__(self, build: Builder, gru: Layer, steps: int, prefix: str = "") -> None:
        self._build = build
        self._prefix = prefix
        self._steps = steps
        self._backwards = bool(gru.config.get("go_backwards"))
        self._units = int(gru.config["units"])
        changes, weights = gates.for_tfjs(gru, build)
        self._config = {**gru.config, **changes}
        self._weights = {weight.name: weight for weight in weights}
        self._features = self._weights["kernel"].tensor.shape[0]
        self._layers = self._shared()
        self._crops = [self._crop(step) for step in range(steps)]

    @property
    def units(self) -> int:
        """Size of the state."""
        return self._units

    def run(
        self, sequence: TensorRef, state: TensorRef | None, last: Layer | None = None
    ) -> list[TensorRef]:
        """The state after each step, in the order in which the steps are taken.

        Args:
            sequence: the input, `[batch, steps, features]`.
            state: the initial state, None for zeros.
            last: an Add that takes the place of the shared one in the last step.
        """
        rows = self._call("rows", sequence)
        order = list(range(self._steps))
        if self._backwards:
            order.reverse()
        states: list[TensorRef] = []
        for number, step in enumerate(order):
            x = self._call("step", self._build.apply(self._crops[step], 1)([rows])[0])
            projected = self._call("new_input", x)
            if state is None:
                state = self._call("zero", projected)
            ending = last if number == self._steps - 1 else None
            state = self._step(x, projected, state, ending)
            states.append(state)
        return states

    def _step(
        self, x: TensorRef, projected: TensorRef, state: TensorRef, last: Layer | None
    ) -> TensorRef:
        both = self._call("joined", x, state)
        update, reset = self._call("update", both), self._call("reset", both)
        remembered = self._call("gated", reset, self._call("new_state", state))
        new = self._call("new", self._call("new_sum", projected, remembered))
        kept = self._call("kept", update, state)
        added = self._call("added", self._call("share", update), new)
        if last is not None:
            return self._build.apply(last, 1)([kept, added])[0]
        return self._call("state", kept, added)

    def _call(self, layer: str, *tensors: TensorRef) -> TensorRef:
        return self._build.apply(self._layers[layer], 1)(list(tensors))[0]

    # Layers ----------------------------------------------------------------------------------

    def _shared(self) -> dict[str, Layer]:
        build, new = self._build, self._new
        activation = {"activation": self._config["activation"]}
        return {
            "rows": reshape(build, [self._steps, 1, self._features], suffix=self._suffix("rows")),
            "step": new("Flatten", "step"),
            "zero": scale(build, 0.0, suffix=self._suffix("zero")),
            "joined": new("Concatenate", "joined", {"axis": -1}),
            "update": self._gate("update", _UPDATE),
            "reset": self._gate("reset", _RESET),
            "new_input": self._dense("new_input", *self._input_part(_NEW)),
            "new_state": self._dense("new_state", *self._state_part(_NEW)),
            "gated": new("Multiply", "gated"),
            "new_sum": new("Add", "new_sum"),
            "new": new("Activation", "new", activation),
            "kept": new("Multiply", "kept"),
            "share": scale(build, -1.0, 1.0, suffix=self._suffix("share")),
            "added": new("Multiply", "added"),
            "state": new("Add", "state"),
        }

    def _crop(self, step: int) -> Layer:
        after = self._steps - 1 - step
        return self._new(
            "Cropping2D",
            f"step_{step}",
            {"cropping": [[step, after], [0, 0]], "data_format": "channels_last"},
        )

    def _gate(self, name: str, gate: int) -> Layer:
        """Update or reset, of input and state side by side."""
        kernel_x, bias_x = self._input_part(gate)
        kernel_h, bias_h = self._state_part(gate)

        def bias() -> Array:
            return bias_x() + bias_h()

        return self._dense(
            name,
            lambda: np.concatenate([kernel_x(), kernel_h()]),
            bias,
            rows=self._features + self._units,
            activation=str(self._config["recurrent_activation"]),
        )

    def _input_part(self, gate: int) -> tuple[Callable[[], Array], Callable[[], Array]]:
        return self._part("kernel", 0, gate)

    def _state_part(self, gate: int) -> tuple[Callable[[], Array], Callable[[], Array]]:
        return self._part("recurrent_kernel", 1, gate)

    def _part(
        self, kernel: str, row: int, gate: int
    ) -> tuple[Callable[[], Array], Callable[[], Array]]:
        """The columns of one gate in a kernel and in one of the two rows of the bias."""
        columns = slice(gate * self._units, (gate + 1) * self._units)
        tensor = self._weights[kernel].tensor
        bias = self._weights.get("bias")

        def bias_part() -> Array:
            if bias is None:
                return np.zeros(self._units, np.float32)
            return bias.tensor.array()[row, columns]

        return (lambda: tensor.array()[:, columns]), bias_part

    def _dense(
        self,
        name: str,
        kernel: Callable[[], Array],
        bias: Callable[[], Array],
        *,
        rows: int | None = None,
        activation: str = "linear",
    ) -> Layer:
        rows = rows or (self._features if name == "new_input" else self._units)
        weights = [_weight("kernel", (rows, self._units), kernel)]
        use_bias = "bias" in self._weights
        if use_bias:
            weights.append(_weight("bias", (self._units,), bias))
        config = {"units": self._units, "activation": activation, "use_bias": use_bias}
        return self._new("Dense", name, config, weights)

    def _new(
        self,
        class_name: str,
        suffix: str,
        config: dict[str, object] | None = None,
        weights: list[Weight] | None = None,
    ) -> Layer:
        return self._build.new(
            class_name, config or {}, suffix=self._suffix(suffix), weights=weights or ()
        )

    def _suffix(self, name: str) -> str:
        return f"{self._prefix}{name}"


def _weight(name: str, shape: tuple[int, ...], compute: Callable[[], Array]) -> Weight:
    return Weight(name, DerivedTensor("float32", shape, lambda: compute().astype(np.float32)))


def express(gru: Layer, build: Builder, steps: int, *, turn: bool = False) -> Apply:
    """A GRU layer with `reset_after`; the layer that gives its output bears its name.

    Args:
        gru: its configuration and weights.
        build: the builder.
        steps: length of the sequence.
        turn: whether to put the sequence out in the opposite order.
    """
    current = build.current.name
    build.note(build.current, "GRU with reset_after unrolled, an operation a layer")
    build.warn(
        f"{current}: the GRU has reset_after, which TF.js lacks; it was unrolled, and cannot be "
        "trained as a GRU or take sequences of another length any more"
    )
    prefix = "" if gru.name == current else gru.name.removeprefix(f"{current}_") + "_"
    unrolled = Unrolled(build, gru, steps, prefix)
    whole = last = None
    if gru.config.get("return_sequences"):
        whole = _sequence(build, steps, unrolled.units, gru.name, prefix)
    else:
        last = build.new("Add", {}, name=gru.name)

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        states = unrolled.run(tensors[0], tensors[1] if len(tensors) > 1 else None, last)
        outputs = [states[-1]]
        if whole is not None:
            outputs = whole(states[::-1] if turn else states)
        return [*outputs, states[-1]] if gru.config.get("return_state") else outputs

    return call


def _sequence(build: Builder, steps: int, units: int, name: str, prefix: str) -> Apply:
    """The states of all steps put together as `[batch, steps, units]`."""
    last = reshape(build, [steps, units], name=name)
    if steps == 1:
        return build.apply(last, 1)
    return build.chain(build.new("Concatenate", {"axis": -1}, suffix=f"{prefix}states"), last)
