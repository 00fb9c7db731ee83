"""A model of layers as the objects that Keras 2 has behind a SavedModel.

Keras makes each layer anew from its metadata, finds what it owns by the names of attributes, and
restores variables by the same names from the checkpoint (tf_keras/src/saving/legacy/saved_model/
load.py, tensorflow/python/saved_model/load.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tfjs.errors import UnsupportedError
from tfjs.formats.keras_target import KERAS_VERSION, is_custom
from tfjs.formats.keras_training import training_config
from tfjs.ir.layers_model import Config, Layer, LayersModel, TensorRef, flatten
from tfjs.ir.tensor import FLOATS, DerivedTensor, QuantizedTensor, Tensor
from tfjs.layers.base import Shape
from tfjs.layers.dialects.write import ConfigWriter
from tfjs.layers.keras_order import in_keras_order
from tfjs.layers.registry import spec_of
from tfjs.layers.shapes import infer_shapes
from tfjs.layers.slots import snake_case
from tfjs.layers.successors import with_successors
from tfjs.layers.vocabulary import facts
from tfjs.passes.to_tensorflow.names import accepted

LIST, PLAIN = "trackable_list_wrapper", "_generic_user_object"
_LAYER, _INPUT, _RNN = "_tf_keras_layer", "_tf_keras_input_layer", "_tf_keras_rnn_layer"
_MODELS = {"Sequential": "_tf_keras_sequential", "Functional": "_tf_keras_network"}
_RNNS = frozenset({"RNN", "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
# The dtypes of layers, by their policy, whose variables are float32.
_POLICIES = frozenset({None, "float32", "mixed_float16", "mixed_bfloat16"})
# Variables of whole numbers that Keras 2 has in another dtype than Keras 3.
_DTYPES = {("Normalization", "count"): "int64"}
_PROBLEMS_TOLD = 3


class CannotCarry(Exception):  # noqa: N818 - an answer, not a user's error
    """Why Keras cannot have a model back from a SavedModel."""


@dataclass(slots=True, eq=False)
class Variable:
    """A variable of a layer.

    Attributes:
        name: its name in TensorFlow.
        tensor: its values, in the dtype that Keras has for it.
        source: the tensor of the layer's weight.
        trainable: whether training changes it in a layer that is trained.
        trained: whether training changes it, with all flags above it.
    """

    name: str
    tensor: Tensor
    source: Tensor
    trainable: bool
    trained: bool


@dataclass(slots=True, eq=False)
class Object:
    """An object that Keras has.

    Attributes:
        identifier: what Keras calls its kind.
        children: what its attributes refer to; one object may have two names.
        metadata: what Keras makes it anew from; None where its owner makes it.
        variable: what it is where it is a variable.
    """

    identifier: str
    children: dict[str, Object] = field(default_factory=dict)
    metadata: Config | None = None
    variable: Variable | None = None

    def walk(self) -> Iterator[tuple[str, Object]]:
        """This object and all below it, each once, with the path that first leads to it.

        Owners come before what they own, and the path begins with `root`.
        """
        found: dict[Object, str] = {self: "root"}
        for each in (queue := [self]):
            for name, child in each.children.items():
                if child not in found:
                    found[child] = f"{found[each]}.{name}"
                    queue.append(child)
        for each, path in found.items():
            yield path, each

    def variables(self) -> list[Object]:
        """All variables below it."""
        return [each for _, each in self.walk() if each.variable is not None]


def keras_objects(model: LayersModel, notes: list[str]) -> Object:
    """The object of a model, with all that it owns.

    Args:
        model: as it was read; its weights are lazy.
        notes: gets what is left out.

    Raises:
        CannotCarry: Keras 2 cannot have the model, or not from a SavedModel.
    """
    custom = sorted({layer.class_name for _, layer in model.walk() if is_custom(layer)})
    if custom:
        raise CannotCarry(f"the file does not hold the code of {', '.join(custom)}")
    renewed, told = with_successors(model)
    ordered = in_keras_order(renewed)
    try:
        entry = ConfigWriter("keras2").write(ordered)
    except UnsupportedError as refusal:
        more = len(refusal.problems) - _PROBLEMS_TOLD
        problems = "; ".join(refusal.problems[:_PROBLEMS_TOLD])
        raise CannotCarry(problems + (f" (and {more} more)" if more > 0 else "")) from None
    root = _model(ordered, entry, "", True)
    assert root.metadata is not None
    root.metadata |= {"keras_version": KERAS_VERSION, "backend": "tensorflow"}
    asked = sorted({layer.class_name for _, layer in ordered.walk() if _is_asked_for(layer)})
    if asked:
        notes.append(f"whoever loads it with Keras must give it the classes {', '.join(asked)}")
    if any(isinstance(weight.tensor, QuantizedTensor) for _, weight in ordered.weights()):
        notes.append("weights stored in fewer bytes were expanded")
    notes += told
    training = training_config(ordered.training, notes)
    if training is not None:
        root.metadata["training_config"] = training
        if ordered.training is not None and ordered.training.optimizer_weights:
            notes.append("optimizer state left out: Keras takes none from a SavedModel")
    return root


def _is_asked_for(layer: Layer) -> bool:
    """Whether Keras finds a class of its own only where it is given."""
    module = facts("keras2")["layers"].get(layer.class_name, {}).get("module", "")
    return layer.model is None and ".applications." in module


def _model(model: LayersModel, entry: Config, path: str, trained: bool) -> Object:
    config = entry["config"]
    metadata = {
        "name": config["name"],
        "trainable": model.trainable,
        "expects_training_arg": True,
        "class_name": model.class_name,
        "config": config,
        "is_graph_network": True,
    }
    found = Object(_MODELS[model.class_name], metadata=metadata)
    shapes = infer_shapes(model)
    count = weighed = 0
    for layer, own in zip(model.layers, config["layers"], strict=True):
        if layer.class_name == "InputLayer" and model.class_name == "Sequential":
            continue  # the configuration of the model has it
        child = _layer(layer, own, f"{path}{layer.name}", trained and model.trainable)
        if layer.model is None:
            child.metadata = _metadata(layer, own, _arriving(layer, shapes))
        if child.variables():
            found.children[f"layer_with_weights-{weighed}"] = child
            weighed += 1
        found.children[f"layer-{count}"] = child
        count += 1
    return found


def _arriving(layer: Layer, shapes: dict[TensorRef, Shape | None]) -> Sequence[Shape]:
    """The shapes that a layer is built with: those of its first call, states not among them."""
    found = []
    for ref in flatten(layer.calls[0].args) if layer.calls else []:
        shape = shapes.get(ref)
        if shape is None:
            raise CannotCarry(f"{layer.name}: the shape of its input is unknown")
        found.append(shape)
    return found


def _metadata(layer: Layer, entry: Config, arriving: Sequence[Shape]) -> Config:
    config = entry["config"]
    # Flags of wrapped layers are their own, and Keras lets those of the wrapper fall on them.
    trainable = None if layer.children else config.get("trainable", True)
    found = {
        "name": layer.name,
        "trainable": trainable,
        "must_restore_from_config": True,
        "class_name": layer.class_name,
        "config": config,
    }
    shapes = [{"class_name": "TensorShape", "items": list(shape)} for shape in arriving]
    if shapes:
        found["build_input_shape"] = shapes[0] if len(shapes) == 1 else shapes
    return found


def _layer(layer: Layer, entry: Config, path: str, trained: bool) -> Object:
    trained = trained and layer.config.get("trainable", True) is not False
    if layer.model is not None:
        return _model(layer.model, entry, f"{path}/", trained)
    identifier = _INPUT if layer.class_name == "InputLayer" else _LAYER
    found = Object(_RNN if layer.class_name in _RNNS else identifier)
    for attribute, child in layer.children.items():
        # What wraps a model has it in its configuration under the same name.
        own = entry["config"].get(attribute) or entry
        *holders, name = attribute.split("/")
        inner = _layer(child, own, f"{path}/{child.name}", trained)
        _holder(found, holders, LIST).children[name] = inner
    _add_weights(found, layer, entry, path, trained)
    return found


def _holder(owner: Object, steps: Sequence[str], kind: str) -> Object:
    for step in steps:
        owner = owner.children.setdefault(step, Object(kind))
    return owner


def _add_weights(found: Object, layer: Layer, entry: Config, path: str, trained: bool) -> None:
    spec = spec_of(layer)
    slots = {} if spec is None else {slot.name: slot for slot in spec.slots(layer, [])}
    if layer.weights and not layer.children:
        _check_policy(layer, entry["config"].get("dtype"))
    wrapped = found.children.get("layer")
    for weight in layer.weights:
        slot = slots.get(weight.name)
        if slot is None:
            raise CannotCarry(f"{layer.name}: has a weight {weight.name!r} that Keras 2 lacks")
        name = slot.legacy_name.rpartition("/")[2]
        if wrapped is not None and name in wrapped.children:
            found.children[name] = wrapped.children[name]  # the wrapper uses it as its own
            continue
        if weight.tensor.dtype in FLOATS and weight.tensor.dtype != "float32":
            raise CannotCarry(f"{layer.name}: has weights of {weight.tensor.dtype}")
        cell = f"{snake_case(layer.class_name)}_cell/" if slot.holder.endswith("cell") else ""
        variable = Variable(
            accepted(f"{path}/{cell}{slot.legacy_name}"),
            _cast(weight.tensor, _DTYPES.get((layer.class_name, weight.name))),
            weight.tensor,
            weight.trainable,
            trained and weight.trainable,
        )
        holder = _holder(found, [part for part in slot.holder.split("/") if part], PLAIN)
        holder.children[name] = Object("", variable=variable)


def _check_policy(layer: Layer, dtype: object) -> None:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if dtype not in _POLICIES:
        raise CannotCarry(f"{layer.name}: has the dtype {dtype}")


def _cast(tensor: Tensor, dtype: str | None) -> Tensor:
    if dtype is None or tensor.dtype == dtype:
        return tensor
    return DerivedTensor(dtype, tensor.shape, lambda: tensor.array().astype(dtype))
