"""A `LayersModel` as configuration in each dialect.

* TF.js: the Keras 2 form that TF.js 4.22 loads (`runtime_contract.md` 3); the model must have
  been legalised.
* Keras 2: read by tf_keras and, as legacy HDF5, by Keras 3.
* Keras 3: read by every release from 3.4 on, and before by those where a model has several inputs
  and outputs (of one, 3.0 to 3.3 want a list); keys at a default of None are left out for older
  ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfjs.errors import UnsupportedError
from tfjs.ir.layers_model import (
    KERAS2_HARD_SIGMOID,
    Call,
    Config,
    Layer,
    LayersModel,
    Structure,
    TensorRef,
    flatten,
)
from tfjs.layers import objects
from tfjs.layers.base import LayerSpec
from tfjs.layers.dialects.plain import encode
from tfjs.layers.legalize import INERT
from tfjs.layers.registry import is_operation, spec_of
from tfjs.layers.shapes import Shapes, infer_shapes
from tfjs.layers.vocabulary import Dialect, facts, has_layer, layer_keys, says_nothing

_OBJECTS: dict[Dialect, Callable[[Any, str], Any]] = {
    "keras2": objects.for_keras2,
    "keras3": objects.for_keras3,
    "tfjs": objects.for_tfjs,
}
_TARGETS = {"keras2": "Keras 2 HDF5", "keras3": "Keras 3", "tfjs": "TF.js"}
# None has a meaning of its own under these keys, and is not the default.
_MEANINGFUL_NONE = frozenset({"merge_mode"})
# Keras 3 takes the text for the name of a function when it reads HDF5; left out at its default.
_MISREAD = {"score_mode": "dot"}
_LOOKUPS = frozenset({"IntegerLookup", "StringLookup"})
# Keys that releases of Keras 3 before 3.9 refuse; left out at their defaults.
_NEW = frozenset({"renorm", "renorm_momentum", "use_gate"})


class ConfigWriter:
    """Writes configurations in one dialect, and collects what deserves a word.

    Attributes:
        notes: what a user should know of the result, one line each.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.notes: list[str] = []
        self._problems: list[str] = []
        self._shapes: Shapes = {}

    def write(self, model: LayersModel) -> Config:
        """The configuration of a whole model, `{"class_name", "config"}` and, for Keras 3, more.

        Raises:
            UnsupportedError: the dialect cannot express some layers; all are listed.
        """
        result = self._model(model)
        if self._problems:
            raise UnsupportedError(
                f"the model cannot be written for {_TARGETS[self.dialect]}",
                problems=self._problems,
                hint="write a .keras file instead" if self.dialect == "keras2" else None,
            )
        return result

    def _model(self, model: LayersModel) -> Config:
        outer, self._shapes = self._shapes, infer_shapes(model) if self._names_shapes(model) else {}
        try:
            return self._model_config(model)
        finally:
            self._shapes = outer

    def _names_shapes(self, model: LayersModel) -> bool:
        """Whether references carry shapes: those of Keras 3 do."""
        return self.dialect == "keras3" and model.class_name != "Sequential"

    def _model_config(self, model: LayersModel) -> Config:
        nested = {layer.name for layer in model.layers if layer.model is not None}
        config: Config = {"name": model.name}
        if self.dialect != "tfjs":
            config["trainable"] = model.trainable
        if model.class_name == "Sequential":
            config["layers"] = [self._layer(layer) for layer in model.layers]
        else:
            config["layers"] = [self._functional_entry(layer, nested) for layer in model.layers]
            config["input_layers"] = self._references(model.inputs, nested)
            config["output_layers"] = self._references(model.outputs, nested)
        entry: Config = {"class_name": model.class_name, "config": config}
        if self.dialect == "keras3":
            package = "keras" if model.class_name == "Sequential" else "keras.src.models.functional"
            entry = {"module": package, **entry, "registered_name": None}
        return entry

    # Layers ----------------------------------------------------------------------------------

    def _functional_entry(self, layer: Layer, nested: set[str]) -> Config:
        entry = self._layer(layer)
        entry["name"] = layer.name
        # An InputLayer's own call has no inputs; it is not listed.
        calls = [call for call in layer.calls if call.args or call.kwargs]
        if layer.model is not None and self.dialect == "keras2":
            calls = self._nested_calls(layer, calls)
        entry["inbound_nodes"] = [self._node(layer, call, nested) for call in calls]
        return entry

    def _nested_calls(self, layer: Layer, calls: list[Call]) -> list[Call]:
        """The calls of a nested model so that both Kerases find them.

        References count from 1 in Keras 2 and from 0 in Keras 3: with its one call listed twice,
        the same call stands at index 1 for both.
        """
        if len(calls) == 1:
            return calls * 2
        self._note(
            f"{layer.name} is a model that is called {len(calls)} times: load the file with "
            "tf_keras; for Keras 3 write .keras"
        )
        return calls

    def _layer(self, layer: Layer) -> Config:
        if layer.model is not None:
            entry = self._model(layer.model)
            entry["config"]["name"] = layer.name
            return entry
        config = {"name": layer.name, **self._config(layer)}
        if self.dialect == "keras3":
            package, registered = self._package(layer), None
            if spec_of(layer) is None:
                package, registered = layer.module, layer.registered_name or layer.class_name
            return {
                "module": package,
                "class_name": layer.class_name,
                "config": config,
                "registered_name": registered,
            }
        return {"class_name": layer.class_name, "config": config}

    @staticmethod
    def _package(layer: Layer) -> str | None:
        """The module in which Keras 3 looks for a class."""
        if is_operation(layer):
            return layer.module
        found = facts("keras3")["layers"].get(layer.class_name, {}).get("module", "keras.layers")
        return str(found)

    def _config(self, layer: Layer) -> Config:
        spec = spec_of(layer)
        if spec is None:
            return {**encode_plain(layer.config), **self._children(layer)}
        if is_operation(layer):
            if self.dialect != "keras3":
                self._refuse(layer, "is an operation of keras.ops")
            return dict(encode(layer.config))
        if self.dialect == "keras2" and layer.class_name == "MultiHeadAttention":
            self._refuse(layer, "has shapes in its configuration that Keras 3 does not read")
        if not has_layer(self.dialect, layer.class_name):
            kept = self.dialect == "keras3" and has_layer("keras2", layer.class_name)
            advice = ": write an .h5 file and load it with tf_keras" if kept else ""
            self._refuse(layer, f"is a layer that {_TARGETS[self.dialect]} does not have{advice}")
            return {}
        if layer.config.get("renorm"):
            self._note(f"{layer.name} has renorm, which Keras 3 knows from 3.14 on")
        config: Config = {}
        for key, value in layer.config.items():
            own = key if self.dialect == "keras3" else spec.keras2_keys.get(key, key)
            if self._leaves_out(layer, spec, key, own, value):
                continue
            config[own] = self._value(layer, key, value)
        lookup = self.dialect == "keras2" and layer.class_name in _LOOKUPS
        if lookup and config.get("output_mode") == "int":
            config["dtype"] = "int64"  # Keras 2 takes no other, and Keras 3 tells another
        return {**config, **self._children(layer)}

    def _leaves_out(self, layer: Layer, spec: LayerSpec, key: str, own: str, value: Any) -> bool:
        known = layer_keys(self.dialect, layer.class_name)
        if layer.class_name == "InputLayer":
            return self._input_key(layer, key, value)
        if self.dialect == "tfjs":
            # What TF.js does not read was found to be inert or at its default before.
            return (
                own not in known
                or key == "dtype"
                or (value is None and key not in _MEANINGFUL_NONE)
            )
        if own not in known:
            if not says_nothing(layer.class_name, key, value) and key not in INERT | spec.inert:
                self._refuse(layer, f"has {own}={value!r}, which {_TARGETS[self.dialect]} lacks")
            return True
        if self.dialect == "keras2" and key in _MISREAD and value == _MISREAD[key]:
            return True
        shared = self.dialect == "keras2" and has_layer("keras3", layer.class_name)
        if shared and own not in layer_keys("keras3", layer.class_name):
            # Keras 3 refuses arguments that it does not know; leave out what says nothing.
            renamed = spec.keras2_keys.get(key) == own
            return not renamed and (value == known.get(own) or key in INERT | spec.inert)
        if key in _NEW and value == known.get(own):
            return True
        return value is None and known.get(own) is None and key not in _MEANINGFUL_NONE

    def _input_key(self, layer: Layer, key: str, value: Any) -> bool:
        if key == "sparse" or key == "ragged":
            return self.dialect != "keras2" and not value
        return key not in ("batch_shape", "dtype")

    def _value(self, layer: Layer, key: str, value: Any) -> Any:
        if objects.kind_of(key):
            self._check_hard_sigmoid(layer, value)
            return _OBJECTS[self.dialect](value, key)
        return encode(value) if self.dialect == "keras3" else encode_plain(value)

    def _check_hard_sigmoid(self, layer: Layer, value: Any) -> None:
        if value == KERAS2_HARD_SIGMOID and self.dialect == "keras3":
            self._refuse(
                layer,
                "has the hard_sigmoid of Keras 2 and TF.js (0.2x + 0.5), which Keras 3 computes "
                "otherwise (x/6 + 0.5): write an .h5 file and load it with tf_keras",
            )
        elif value == KERAS2_HARD_SIGMOID and self.dialect == "keras2":
            self._note(
                "hard_sigmoid is that of Keras 2 (0.2x + 0.5): load the file with tf_keras, "
                "Keras 3 would compute x/6 + 0.5"
            )
        elif value == "hard_sigmoid" and self.dialect == "keras2":
            self._refuse(layer, "has the hard_sigmoid of Keras 3 (x/6 + 0.5)")

    def _children(self, layer: Layer) -> Config:
        config: Config = {}
        for attribute, child in layer.children.items():
            if layer.class_name == "Bidirectional":
                config.update(self._bidirectional_child(attribute, child))
            elif attribute.startswith("cells/"):
                config.setdefault("cells", []).append(self._wrapped(child))
            else:
                config[attribute] = self._wrapped(child)
        return config

    def _wrapped(self, layer: Layer) -> Config:
        """A layer within another's configuration, where Keras 3 wants the module in any dialect."""
        entry = self._layer(layer)
        if self.dialect != "keras2":
            return entry
        if layer.model is None:
            return {"module": "keras.layers", **entry, "registered_name": None}
        # Both Kerases know a Functional model in this place by its public name only.
        class_name = "Sequential" if layer.model.class_name == "Sequential" else "Model"
        return {"module": "keras", **entry, "class_name": class_name, "registered_name": None}

    def _bidirectional_child(self, attribute: str, child: Layer) -> Config:
        """Keras 3 names the wrapped layer `forward_x`; the others name it `x` and mirror it."""
        entry = self._wrapped(child)
        if self.dialect == "keras3":
            return {"layer" if attribute == "forward_layer" else attribute: entry}
        if attribute == "forward_layer":
            entry["config"]["name"] = child.name.removeprefix("forward_")
            return {"layer": entry}
        return {}

    # Wiring ----------------------------------------------------------------------------------

    def _node(self, layer: Layer, call: Call, nested: set[str]) -> Any:
        if self.dialect == "keras3":
            return {
                "args": [self._keras_tensors(arg) for arg in call.args],
                "kwargs": {key: self._keras_tensors(arg) for key, arg in call.kwargs.items()},
            }
        kwargs = {k: v for k, v in call.kwargs.items() if k not in ("mask", "initial_state")}
        if flatten(kwargs):
            self._refuse(layer, f"is called with tensors by keyword ({', '.join(kwargs)})")
        states = flatten(call.kwargs.get("initial_state"))
        if states and self.dialect == "keras2":
            self._note(
                f"{layer.name} is given its initial state: load the file with tf_keras; for "
                "Keras 3 write .keras"
            )
        if _constants(call.args):
            self._refuse(layer, f"is called with {_constants(call.args)[0]!r} by position")
        given = [*flatten(call.args), *states]
        told = {k: encode_plain(v) for k, v in kwargs.items() if v is not None}
        return [[*self._triple(ref, nested), dict(told)] for ref in given]

    def _keras_tensors(self, value: Structure) -> Any:
        if isinstance(value, TensorRef):
            shape = self._shapes.get(value)
            config = {
                "shape": [None] if shape is None else list(shape),
                "dtype": "float32",
                "keras_history": list(value),
            }
            return {"class_name": "__keras_tensor__", "config": config}
        if isinstance(value, tuple):
            items = [self._keras_tensors(item) for item in value]
            return {"class_name": "__tuple__", "items": items}
        if isinstance(value, list):
            return [self._keras_tensors(item) for item in value]
        if isinstance(value, dict):
            return {key: self._keras_tensors(item) for key, item in value.items()}
        return encode(value)

    def _triple(self, ref: TensorRef, nested: set[str]) -> list[Any]:
        # Outside of Keras 3 the calls of a nested model count from 1.
        shift = 1 if self.dialect != "keras3" and ref.layer in nested else 0
        return [ref.layer, ref.node + shift, ref.tensor]

    def _references(self, value: Structure, nested: set[str]) -> Any:
        if self.dialect == "tfjs":
            return [self._triple(ref, nested) for ref in flatten(value)]
        if isinstance(value, TensorRef):
            triple = self._triple(value, nested)
            return triple if self.dialect == "keras3" else [triple]
        if isinstance(value, dict):
            return {key: self._reference(item, nested) for key, item in value.items()}
        return [self._reference(item, nested) for item in value]

    def _reference(self, value: Structure, nested: set[str]) -> Any:
        """One of several: a list around it would be one more."""
        if isinstance(value, TensorRef):
            return self._triple(value, nested)
        return self._references(value, nested)

    def _refuse(self, layer: Layer, why: str) -> None:
        self._problems.append(f"{layer.name} ({layer.class_name}): {why}")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _constants(value: Structure) -> list[Any]:
    """What is no tensor among the arguments of a call; None says nothing."""
    if isinstance(value, TensorRef) or value is None:
        return []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [constant for item in value for constant in _constants(item)]
    return [value]


def encode_plain(value: Any) -> Any:
    """Tuples as lists, for dialects without an encoding of their own."""
    if isinstance(value, list | tuple):
        return [encode_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: encode_plain(item) for key, item in value.items()}
    return value


def keras3_version() -> str:
    """The release of Keras 3 whose configuration is written."""
    return str(facts("keras3")["meta"]["version"])
