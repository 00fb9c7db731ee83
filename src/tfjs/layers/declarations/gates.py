"""The gates of recurrent layers: which columns of their weights are whose, and how to scale them.

Kernel, recurrent kernel and bias of an RNN lie in blocks of columns, one a gate: input, forget,
cell, output for an LSTM; update, reset, state for a GRU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.ir.layers_model import KERAS2_HARD_SIGMOID, Config, Layer, Weight
from tfjs.ir.tensor import Array, DerivedTensor, Tensor
from tfjs.layers import objects
from tfjs.layers.base import LayerSpec, find
from tfjs.layers.vocabulary import facts

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# clip(x / 6 + 1/2, 0, 1) is TF.js's clip(0.2 y + 1/2, 0, 1) of y = 5/6 x.
_TO_KERAS2 = 5.0 / 6.0


@dataclass(frozen=True, slots=True)
class Gates:
    """How the columns of a cell's weights are shared out.

    Attributes:
        count: how many blocks there are.
        recurrent: the blocks whose sums go through `recurrent_activation`.
        candidate: the blocks whose sums go through `activation`; empty where `activation` works
            on the state as well, so that scaling the sums would not do.
    """

    count: int
    recurrent: tuple[int, ...] = ()
    candidate: tuple[int, ...] = ()


SIMPLE = Gates(1, candidate=(0,))
LSTM = Gates(4, recurrent=(0, 1, 3))
GRU = Gates(3, recurrent=(0, 1), candidate=(2,))


class Gated(LayerSpec):
    """A recurrent layer or cell.

    Attributes:
        gates: how the columns of its weights are shared out.
    """

    gates: ClassVar[Gates]


def gates_of(layer: Layer) -> Gates:
    """How the weights of a recurrent layer or cell are divided (KeyError for others)."""
    spec = find(layer.class_name)
    if not isinstance(spec, Gated):
        raise KeyError(layer.class_name)
    return spec.gates


def for_tfjs(layer: Layer, build: Builder) -> tuple[Config, list[Weight]]:
    """Activations that TF.js knows, and the weights that go with them.

    Keras 3's `hard_sigmoid` becomes that of TF.js on scaled sums; activations that TF.js lacks
    are refused.

    Args:
        layer: a recurrent layer or cell that owns its weights.
        build: the builder.

    Returns:
        Changes of the configuration and the weights.
    """
    gates = gates_of(layer)
    changes: Config = {}
    scaled: list[int] = []
    for key, blocks in (("activation", gates.candidate), ("recurrent_activation", gates.recurrent)):
        value = layer.config.get(key)
        if value == "hard_sigmoid" and blocks:
            changes[key] = KERAS2_HARD_SIGMOID
            scaled += blocks
        elif value is not None and not is_known(value):
            build.refuse(build.current, _lacks(key, value))
    if not scaled:
        return {}, list(layer.weights)
    build.note(build.current, "hard_sigmoid of Keras 3 as TF.js's, with the gates' weights scaled")
    return changes, [_scale(weight, gates.count, scaled) for weight in layer.weights]


def is_known(value: Any) -> bool:
    """Whether TF.js has an activation of the same formula within a recurrent cell."""
    if not isinstance(value, str) or value == "hard_sigmoid":
        return False
    return objects.for_tfjs(value, "activation") in facts("tfjs")["activations"]


def _lacks(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"its {key} is the layer {value['class_name']}, TF.js takes functions only"
    if value == "hard_sigmoid":
        return f"its {key} is Keras 3's hard_sigmoid, which TF.js computes otherwise"
    return f"TF.js has no {key} {value}"


def _scale(weight: Weight, count: int, blocks: Sequence[int]) -> Weight:
    def compute(array: Array) -> Array:
        factors = np.ones((count, array.shape[-1] // count))
        factors[list(blocks)] = _TO_KERAS2
        return (array * factors.reshape(-1)).astype(np.float32)

    return Weight(weight.name, derived(weight.tensor, weight.tensor.shape, compute))


def derived(tensor: Tensor, shape: Sequence[int], compute: Any) -> DerivedTensor:
    """`compute(array)` of a tensor in float32, when it is asked for."""
    return DerivedTensor("float32", shape, lambda: compute(tensor.array()).astype(np.float32))
