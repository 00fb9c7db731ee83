"""A normalised Keras model: layers, how they are called, and their weights.

It is neither Keras 2 nor Keras 3 JSON. The conventions of this form:

* `class_name` and the keys of `config` are those of Keras 3 (`negative_slope`, `batch_shape`);
  `name` is not in `config`. Keys are complete: a reader fills in its own dialect's defaults.
* activations are a string or `{"class_name", "config"}`; initializers, regularizers and
  constraints are `{"class_name", "config"}` or None.
* a layer that wraps others (`Bidirectional`, `TimeDistributed`, `RNN`) has them in `children`,
  under the attribute that Keras gives them, and not in `config`.
* a model used as a layer is a `Layer` with a `model`.
* `TensorRef.node` counts the calls of a layer inside its model from 0, for nested models too.
* numbers that a dialect computes otherwise have names of their own: the activation that Keras 2
  and TF.js call `hard_sigmoid` (0.2x + 0.5) is `KERAS2_HARD_SIGMOID` here, and `hard_sigmoid`
  is that of Keras 3 (x/6 + 0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tfjs.ir.tensor import Tensor

Config = dict[str, Any]

KERAS2_HARD_SIGMOID = "keras2_hard_sigmoid"


class TensorRef(NamedTuple):
    """One output of one call of a layer: layer name, index of the call, index of the output."""

    layer: str
    node: int = 0
    tensor: int = 0


# A TensorRef, a constant, or lists, tuples and dicts of them.
Structure = Any


@dataclass(slots=True)
class Call:
    """One application of a layer.

    Attributes:
        args: positional arguments; each a `Structure` with `TensorRef`s and constants in it.
        kwargs: arguments by name, likewise.
    """

    args: tuple[Structure, ...] = ()
    kwargs: dict[str, Structure] = field(default_factory=dict)

    def inputs(self) -> list[TensorRef]:
        """All tensors that go in, in order, those in `kwargs` last."""
        return [*flatten(self.args), *flatten(self.kwargs)]


@dataclass(slots=True)
class Weight:
    """One variable of a layer.

    Attributes:
        name: Keras's name of it, without the layer's ("kernel"); unique in the layer.
        tensor: its values.
        trainable: whether training changes it (when the layer is trainable at all).
    """

    name: str
    tensor: Tensor
    trainable: bool = True


@dataclass(slots=True)
class Layer:
    """A layer with its configuration, calls and weights.

    Attributes:
        class_name: Keras's class ("Conv2D"), or the custom class's own name.
        name: unique in the model.
        config: the normalised configuration (see the module's text).
        weights: variables of its own, in Keras's order.
        calls: its applications, in order.
        children: wrapped layers and cells, by attribute.
        model: the nested model, where the layer is one.
        module: the Python module of the class where the file tells it ("keras.src.ops.numpy").
        registered_name: the name under which a custom class is registered, where told.
    """

    class_name: str
    name: str
    config: Config = field(default_factory=dict)
    weights: list[Weight] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    children: dict[str, Layer] = field(default_factory=dict)
    model: LayersModel | None = None
    module: str | None = None
    registered_name: str | None = None

    def walk(self, path: str = "") -> Iterator[tuple[str, Layer]]:
        """This layer and all below it, with paths such as `bi/forward_layer`."""
        here = f"{path}/{self.name}" if path else self.name
        yield here, self
        for attribute, child in self.children.items():
            for below, layer in child.walk(""):
                rest = below.partition("/")[2]
                yield f"{here}/{attribute}" + (f"/{rest}" if rest else ""), layer
        if self.model is not None:
            for layer in self.model.layers:
                yield from layer.walk(here)


@dataclass(slots=True)
class OptimizerWeight:
    """One variable of the optimizer, under the name that the source gives it."""

    name: str
    tensor: Tensor


@dataclass(slots=True)
class Training:
    """What `compile()` was told, and the optimizer's state.

    Attributes:
        config: compile configuration in Keras 3's form (`optimizer`, `loss`, `metrics`,
            `loss_weights`, `weighted_metrics`); objects are strings or `{class_name, config}`.
        optimizer_weights: state in the source's order; empty where there is none.
        state_format: the format whose names and order the state has ("keras-h5", "keras",
            "tfjs-layers"); only writers of the same format can keep it.
    """

    config: Config
    optimizer_weights: list[OptimizerWeight] = field(default_factory=list)
    state_format: str = ""


@dataclass(slots=True)
class LayersModel:
    """A model of layers, the root or a nested one.

    Attributes:
        name: the model's name.
        class_name: "Sequential" or "Functional".
        layers: the layers in the source's order; InputLayers are among them.
        inputs: structure (list, dict or single) of the tensors that are fed.
        outputs: structure of the tensors that come out.
        trainable: Keras's flag.
        training: compile configuration and optimizer state; root only.
        metadata: user-defined metadata; root only.
        producer: what wrote the source ("keras 3.15.1"), where told; root only.
        told_shapes: shapes of tensors that the source tells, for layers whose code is not known.
    """

    name: str
    class_name: str
    layers: list[Layer]
    inputs: Structure
    outputs: Structure
    trainable: bool = True
    training: Training | None = None
    metadata: Config | None = None
    producer: str | None = None
    told_shapes: dict[TensorRef, tuple[int | None, ...]] = field(default_factory=dict)

    def layer(self, name: str) -> Layer:
        """The layer of that name (KeyError when there is none)."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """All layers, nested ones too, with their paths."""
        for layer in self.layers:
            yield from layer.walk()

    def weights(self) -> Iterator[tuple[str, Weight]]:
        """All variables with the path of their layer."""
        for path, layer in self.walk():
            for weight in layer.weights:
                yield path, weight


def flatten(structure: Structure) -> list[TensorRef]:
    """The tensors of a structure in order; constants are left out."""
    found: list[TensorRef] = []
    _collect(structure, found)
    return found


def _collect(structure: Structure, found: list[TensorRef]) -> None:
    if isinstance(structure, TensorRef):
        found.append(structure)
    elif isinstance(structure, list | tuple):
        for item in structure:
            _collect(item, found)
    elif isinstance(structure, dict):
        for item in structure.values():
            _collect(item, found)


def map_refs(structure: Structure, change: Callable[[TensorRef], Structure]) -> Structure:
    """The structure with every tensor replaced by what `change` gives for it."""
    if isinstance(structure, TensorRef):
        return change(structure)
    if isinstance(structure, list):
        return [map_refs(item, change) for item in structure]
    if isinstance(structure, tuple):
        return tuple(map_refs(item, change) for item in structure)
    if isinstance(structure, dict):
        return {key: map_refs(item, change) for key, item in structure.items()}
    return structure
