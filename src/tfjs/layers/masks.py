"""Masks as TF.js 4.22 hands them on, held against Keras's.

Observed with the real TF.js: within one predict() a mask, once there, reaches every layer that
runs later and reads masks, whatever its own inputs: a mask leaks. A layer whose first input has
a mask gets that one. So in a model with masks every reader must have a mask on its first input:
Keras's, or one that is true everywhere, which a `Masking` layer with a value that never occurs
makes ("guard"). Which masks Keras has is `masked.py`'s matter.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from tfjs.ir.layers_model import Layer, TensorRef, flatten
from tfjs.layers.vocabulary import facts

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# A value that no activation has, within the range of half precision's exponent on a GPU's float.
_NEVER = -1.5e38
_RNNS = frozenset({"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "ConvLSTM2D"})
_MERGES = frozenset(
    {"Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Subtract"}
)


class State(Enum):
    """The mask of a tensor in TF.js."""

    NONE = "none"
    MASK = "mask"
    MERGED = "merged"  # made of several; Keras 2, Keras 3 and TF.js each merge otherwise


class MaskFlow:
    """The masks of the tensors that are built, in a model that has masks at all."""

    def __init__(self, *, active: bool, arriving: list[State]) -> None:
        self.active = active
        self.arriving = arriving
        self._states: dict[TensorRef, State] = {}
        self._guards: dict[TensorRef, TensorRef] = {}

    def state(self, ref: TensorRef) -> State:
        """The mask of a tensor."""
        return self._states.get(ref, State.NONE)

    def prepare(self, layer: Layer, tensors: list[TensorRef], build: Builder) -> list[TensorRef]:
        """What to feed a layer so that it reads the mask that Keras gives it; may refuse it."""
        if not self.active or not tensors:
            return tensors
        source = build.current
        masked, state = build.is_masked(source), self.state(tensors[0])
        if layer.class_name in _RNNS:
            return self._rnn(layer, tensors, build)
        if layer.class_name == "Softmax" and masked:
            build.refuse(source, "uses a mask, which TF.js would use otherwise")
        elif layer.class_name == "Softmax":
            layer.class_name, layer.config = "Activation", {"activation": "softmax"}
            build.note(source, "Softmax as Activation, which no mask of another branch reaches")
        elif layer.class_name == "GlobalAveragePooling1D" and masked:
            build.refuse(source, "averages over unmasked steps, TF.js would average over all")
        elif layer.class_name == "TimeDistributed" and _has_rnn(layer):
            build.refuse(source, "wraps an RNN in a model with masks, which TF.js gets wrong")
        elif layer.model is not None and _has_rnn(layer) and masked and state is not State.MASK:
            build.refuse(source, "holds an RNN that TF.js would run without its mask")
        return tensors

    def _rnn(self, layer: Layer, tensors: list[TensorRef], build: Builder) -> list[TensorRef]:
        source, state = build.current, self.state(tensors[0])
        if not build.is_masked(source):
            return [self._guarded(tensors[0], build), *tensors[1:]]
        if layer.class_name == "ConvLSTM2D":
            build.refuse(source, "has a mask, with which TF.js computes otherwise")
        elif state is State.MERGED:
            build.refuse(source, "has a mask merged of several, which TF.js merges otherwise")
        elif state is State.NONE:
            build.refuse(source, "would lose its mask: a layer before it does not hand masks on")
        elif _is_zeroing(layer) and not build.feeds_only(source, _RNNS):
            build.refuse(
                source,
                "gives zeros at masked steps, where TF.js repeats the last output "
                "(return_sequences with a mask)",
            )
        return tensors

    def _guarded(self, tensor: TensorRef, build: Builder) -> TensorRef:
        if tensor not in self._guards:
            guard = build.new("Masking", {"mask_value": _NEVER}, suffix="guard")
            self._guards[tensor] = build.apply(guard, 1)([tensor])[0]
            build.note(build.current, "guarded by a Masking layer from the masks of others")
        return self._guards[tensor]

    def record(self, layer: Layer, tensors: list[TensorRef], results: list[TensorRef]) -> None:
        """Note the masks of what a layer gives."""
        if not self.active:
            return
        if layer.class_name == "InputLayer":
            leaving = self.arriving.pop(0) if self.arriving else State.NONE
        else:
            leaving = _leaving(layer, [self.state(ref) for ref in tensors])
        for index, ref in enumerate(results):
            self._states[ref] = leaving if index == 0 else State.NONE


def _leaving(layer: Layer, arriving: list[State]) -> State:
    if layer.class_name == "Masking" or layer.config.get("mask_zero"):
        return State.MASK
    if layer.model is not None or all(state is State.NONE for state in arriving):
        return State.NONE
    if layer.class_name in _MERGES:
        return State.MERGED
    if layer.class_name in _RNNS:
        inner = layer.children.get("forward_layer", layer)
        return arriving[0] if inner.config.get("return_sequences") else State.NONE
    known = facts("tfjs")["layers"].get(layer.class_name, {})
    return arriving[0] if known.get("supports_masking") else State.NONE


def _is_zeroing(layer: Layer) -> bool:
    """Keras's Bidirectional sets `zero_output_for_mask` on what it wraps."""
    inner = layer.children.get("forward_layer")
    return inner is not None and bool(inner.config.get("return_sequences"))


def _has_rnn(layer: Layer) -> bool:
    if layer.class_name in _RNNS:
        return True
    below = list(layer.children.values()) + (layer.model.layers if layer.model else [])
    return any(_has_rnn(inner) for inner in below)


def feeds_only(layers: list[Layer], outputs: set[str], name: str, classes: frozenset[str]) -> bool:
    """Whether a layer is no output and all that use it are of some classes."""
    users = [
        layer
        for layer in layers
        for call in layer.calls
        if any(ref.layer == name for ref in [*flatten(call.args), *flatten(call.kwargs)])
    ]
    return name not in outputs and all(layer.class_name in classes for layer in users)
