"""Model configuration, in any dialect, into a `LayersModel` without weights.

Keras 2 and Keras 3 differ in the shape of a few parts, and files of tf.keras 2.12 to 2.15 mix
both, so each part is recognised by its form; the dialect settles only what the form does not
tell: defaults, the meaning of `hard_sigmoid`, and from where the calls of nested models count.

Forms: `formats_and_peers.md` B.5 and `runtime_contract.md` 3.1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.ir.layers_model import (
    Call,
    Config,
    Layer,
    LayersModel,
    Structure,
    TensorRef,
    flatten,
    map_refs,
)
from tfjs.layers import objects
from tfjs.layers.base import find
from tfjs.layers.dialects.lambdas import to_operations
from tfjs.layers.dialects.plain import plain
from tfjs.layers.registry import spec_of
from tfjs.layers.structure import MAX_DEPTH, check
from tfjs.layers.vocabulary import Dialect, defaults, facts, layer_keys

MODEL_CLASSES = {"Sequential": "Sequential", "Functional": "Functional", "Model": "Functional"}
_LARGEST_SIZE = 2**63 - 1  # sizes are int64 in TensorFlow
_WRAPPERS = ("layer", "backward_layer", "forward_layer", "cell", "cells")


@contextlib.contextmanager
def damaged(where: str) -> Iterator[None]:
    """Turn what a malformed configuration provokes into a CorruptFileError."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptFileError(
            f"the model's configuration is damaged: {type(error).__name__}: {error}", where=where
        ) from error
    except RecursionError:
        raise CorruptFileError(
            "the model's configuration is nested beyond reason", where=where
        ) from None


def read_model(config: Any, dialect: Dialect, where: str) -> LayersModel:
    """Read the configuration of a whole model.

    Args:
        config: `{"class_name": "Sequential" | "Functional" | "Model", "config": ...}`.
        dialect: who wrote it; TF.js's camelCase must already be snake_case.
        where: the file, for messages.

    Raises:
        CorruptFileError: the configuration is not one, or its wiring does not hold together.
        UnsupportedError: the model is a class of the user's own, whose code no file holds.
    """
    with damaged(where):
        if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
            raise CorruptFileError("has no model configuration", where=where)
        if config["class_name"] not in MODEL_CLASSES:
            raise UnsupportedError(
                f"the model is of the class {config['class_name']}, which is Python code that "
                "the file does not hold",
                where=where,
                hint="build it as a Functional or Sequential model, or export it with "
                "model.export(...) and convert that SavedModel to a graph model",
            )
        model = _Reader(dialect, where).model(config, 0)
        check(model, where)
    return model


class _Reader:
    def __init__(self, dialect: Dialect, where: str) -> None:
        self.dialect = dialect
        self.where = where

    def model(self, data: Config, depth: int) -> LayersModel:
        if depth > MAX_DEPTH:
            raise CorruptFileError("models are nested beyond reason", where=self.where)
        class_name = MODEL_CLASSES[data["class_name"]]
        config = data["config"]
        if class_name == "Sequential" or isinstance(config, list):
            return self._sequential(data, depth)
        return self._functional(config, depth)

    def _functional(self, config: Config, depth: int) -> LayersModel:
        layers = [self.layer(entry, depth) for entry in config["layers"]]
        names = {layer.name for layer in layers}
        for layer, entry in zip(layers, config["layers"], strict=True):
            layer.calls = [_call(node, names) for node in entry.get("inbound_nodes") or []]
            _states_by_name(layer, self.dialect)
            if layer.class_name == "InputLayer" and not layer.calls:
                layer.calls = [Call()]
        outputs = self._ends(config["output_layers"])
        model = LayersModel(
            name=str(config.get("name") or "model"),
            class_name="Functional",
            layers=to_operations(layers, outputs),
            inputs=self._ends(config["input_layers"]),
            outputs=outputs,
            trainable=bool(config.get("trainable", True)),
        )
        for entry in config["layers"]:
            _collect_shapes(entry.get("inbound_nodes"), model.told_shapes)
        self._count_nested_calls_from_zero(model)
        return model

    def _ends(self, value: Any) -> Structure:
        """The inputs or outputs; outside of Keras 3 a list of one stands for the one."""
        found = _references(value)
        single = isinstance(found, list) and len(found) == 1 and self.dialect != "keras3"
        return found[0] if single else found

    def _count_nested_calls_from_zero(self, model: LayersModel) -> None:
        """Keras 2 and TF.js count the calls of a nested model from 1 (0 is its own inside).

        Keras 3 does so for a Functional one in `output_layers`, but not in `inbound_nodes`.
        """
        calls = [] if self.dialect == "keras3" else [c for item in model.layers for c in item.calls]
        nested = {
            layer.name
            for layer in model.layers
            if layer.model and (calls or layer.class_name == "Functional")
        }
        used: dict[str, set[int]] = {name: set() for name in nested}
        inbound = [ref for call in calls for ref in call.inputs()]
        for ref in [*inbound, *flatten(model.outputs)]:
            if ref.layer in used:
                used[ref.layer].add(ref.node)
        # A file that refers to call 0 counts from 0 already (some early releases).
        shifted = {name for name, nodes in used.items() if 0 not in nodes}

        def change(ref: TensorRef) -> TensorRef:
            return ref._replace(node=ref.node - 1) if ref.layer in shifted else ref

        for call in calls:
            call.args = map_refs(call.args, change)
            call.kwargs = map_refs(call.kwargs, change)
        model.outputs = map_refs(model.outputs, change)

    def _sequential(self, data: Config, depth: int) -> LayersModel:
        config = data["config"]
        entries = config if isinstance(config, list) else config["layers"]
        name = "sequential" if isinstance(config, list) else config.get("name")
        layers = [self.layer(entry, depth) for entry in entries]
        if not layers:
            raise CorruptFileError("is a Sequential model without layers", where=self.where)
        if layers[0].class_name != "InputLayer":
            layers.insert(0, self._input_for(data, entries[0], layers[0]))
        layers[0].calls = [Call()]
        for before, layer in pairwise(layers):
            layer.calls = [Call(args=(TensorRef(before.name),))]
        return LayersModel(
            name=str(name or "sequential"),
            class_name="Sequential",
            layers=layers,
            inputs=TensorRef(layers[0].name),
            outputs=TensorRef(layers[-1].name),
            trainable=bool(config.get("trainable", True)) if isinstance(config, dict) else True,
        )

    def _input_for(self, data: Config, first: Config, layer: Layer) -> Layer:
        """The InputLayer that a Sequential model implies by the shape of its first layer."""
        config = data["config"] if isinstance(data["config"], dict) else {}
        shape = _batch_shape(first["config"] if isinstance(first.get("config"), dict) else {})
        if shape is None and layer.model is not None:
            inner = layer.model.layers[0]
            shape = inner.config.get("batch_shape")
        built = (data.get("build_config") or {}).get("input_shape")
        shape = shape or config.get("build_input_shape") or built
        dtype = "int32" if layer.class_name == "Embedding" else "float32"
        return Layer(
            class_name="InputLayer",
            name=f"{layer.name}_input",
            config={"batch_shape": _shape(shape), "dtype": dtype, "sparse": False},
        )

    def layer(self, entry: Config, depth: int) -> Layer:
        if depth > MAX_DEPTH:
            raise CorruptFileError("layers are nested beyond reason", where=self.where)
        class_name, config = entry["class_name"], entry["config"]
        if class_name in MODEL_CLASSES and _is_model(config):
            model = self.model(entry, depth + 1)
            name = str(entry.get("name") or model.name)
            return Layer(class_name=model.class_name, name=name, model=model)
        if not isinstance(config, dict):
            raise CorruptFileError(f"layer {class_name!r} has no configuration", where=self.where)
        config = plain(config)
        name = str(entry.get("name") or config.get("name") or "")
        layer = Layer(
            class_name=str(class_name).rsplit(">", 1)[-1],
            name=name,
            module=_text(entry, "module") or self._operation_module(class_name, config),
            registered_name=_text(entry, "registered_name") or _registered(class_name),
        )
        spec = find(layer.class_name)
        if spec is not None and not _is_operation(layer.module):
            layer.class_name = spec.name
            renames = {old: new for new, old in spec.keras2_keys.items()}
            config = {renames.get(key, key): value for key, value in config.items()}
        layer.config = self._config(layer, config, name)
        self._children(layer, depth)
        spec = spec_of(layer)
        if spec is not None and not _is_operation(layer.module):
            spec.normalize_children(layer, self.dialect)
            spec.normalize(layer.config, self.dialect)
        return layer

    def _operation_module(self, class_name: str, config: Config) -> str | None:
        """HDF5 files of Keras 3 leave the module out, by which `Add` the operation is told from
        `Add` the layer; only layers have a flag `trainable`."""
        if self.dialect != "keras3" or "trainable" in config or "batch_shape" in config:
            return None
        modules = facts("keras3")["operations"].get(class_name)
        return next(iter(modules)) if modules else None

    def _config(self, layer: Layer, config: Config, name: str) -> Config:
        where = f"{self.where}, layer {name!r}"
        filled = {**self._defaults(layer), **config}
        shape = _batch_shape(config)
        for key in ("name", "batch_input_shape", "input_dtype"):
            filled.pop(key, None)
        if layer.class_name == "InputLayer":
            filled["batch_shape"] = shape
        else:
            filled.pop("batch_shape", None)
        for key, value in filled.items():
            if objects.kind_of(key) and not (layer.module or "").startswith("keras.src.ops"):
                filled[key] = objects.normalize(value, key, self.dialect, where)
        if not isinstance(filled.get("trainable"), bool | int | None):
            raise ValueError(f"trainable of {name!r} is {filled['trainable']!r}")
        if "dtype" in filled:
            filled["dtype"] = _policy(filled["dtype"])
        if self.dialect == "tfjs":
            _fill_nulls(filled, self._defaults(layer))
        return filled

    def _defaults(self, layer: Layer) -> Config:
        if _is_operation(layer.module):
            return {}
        spec = find(layer.class_name)
        renames = {old: new for new, old in spec.keras2_keys.items()} if spec else {}
        own: Dialect = "keras3" if self.dialect == "keras3" else "keras2"
        source = defaults(own, layer.class_name)
        if not layer_keys(own, layer.class_name):
            source = defaults("keras3" if own == "keras2" else "keras2", layer.class_name)
        filled = {renames.get(key, key): value for key, value in source.items()}
        return {**filled, **(spec.defaults(self.dialect) if spec else {})}

    def _children(self, layer: Layer, depth: int) -> None:
        for key in _WRAPPERS:
            value = layer.config.get(key)
            if isinstance(value, dict) and "class_name" in value:
                layer.children[key] = self.layer(value, depth + 1)
            elif key == "cells" and isinstance(value, list):
                for index, cell in enumerate(value):
                    layer.children[f"cells/{index}"] = self.layer(cell, depth + 1)
            else:
                continue
            del layer.config[key]


def _fill_nulls(config: Config, known: Config) -> None:
    """TF.js saves an unset flag or number as null; in place."""
    for key, value in known.items():
        if config.get(key) is None and isinstance(value, bool | int | float):
            config[key] = value


def _text(entry: Config, key: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}, a text was expected")
    return value


def _registered(class_name: Any) -> str | None:
    """The name `package>class`, which HDF5 files have in place of the class."""
    return class_name if ">" in str(class_name) else None


def _is_model(config: Any) -> bool:
    return isinstance(config, list) or (isinstance(config, dict) and "layers" in config)


def _is_operation(module: str | None) -> bool:
    return bool(module) and ".ops." in str(module)


def _policy(dtype: Any) -> Any:
    """`float32`, from a name or from a serialised DTypePolicy."""
    if isinstance(dtype, dict):
        config = dtype.get("config") or {}
        return config.get("name") or config.get("source_name") or "float32"
    return dtype


def _batch_shape(config: Config) -> list[int | None] | None:
    for key in ("batch_shape", "batch_input_shape"):
        if config.get(key) is not None:
            return _shape(plain(config[key]))
    if isinstance(config.get("input_shape"), list | tuple):
        return [config.get("batch_size"), *(_shape(config["input_shape"]) or ())]
    if isinstance(config.get("input_dim"), int) and config.get("input_length") is not None:
        return [None, config["input_length"]]
    return None


def _shape(value: Any) -> list[int | None] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(
        size is None or (type(size) is int and 0 <= size <= _LARGEST_SIZE) for size in value
    ):
        raise ValueError(f"{value!r} is not a shape")
    return list(value)


def _collect_shapes(value: Any, found: dict[TensorRef, tuple[int | None, ...]]) -> None:
    """The shapes that Keras 3 writes beside its references to tensors."""
    if isinstance(value, list):
        for item in value:
            _collect_shapes(item, found)
    elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        shape = _shape(plain(value["config"].get("shape")))
        if shape is not None:
            found[plain(value)] = tuple(shape)
    elif isinstance(value, dict):
        for item in value.values():
            _collect_shapes(item, found)


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and 3 <= len(value) <= 4
        and isinstance(value[0], str)
        and type(value[1]) is int
        and type(value[2]) is int
    )


def _references(value: Any) -> Structure:
    """`input_layers`, `output_layers`: triples, alone or in lists and dicts."""
    if _is_reference(value):
        return TensorRef(value[0], value[1], value[2])
    if isinstance(value, dict):
        return {key: _references(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_references(item) for item in value]
    raise ValueError(f"{value!r} is not a reference to a tensor")


def _call(node: Any, names: set[str]) -> Call:
    """One entry of `inbound_nodes`, in Keras 3's form or in Keras 2's."""
    if isinstance(node, dict) and "args" in node:
        args = plain(node["args"])
        return Call(args=tuple(args), kwargs=dict(plain(node.get("kwargs") or {})))
    if isinstance(node, dict):
        return Call(args=({key: _reference2(item) for key, item in node.items()},))
    items = [node] if node and isinstance(node[0], str) else list(node)
    kwargs = items[0][3] if items and len(items[0]) > 3 else {}
    refs = [_reference2(item) for item in items]
    first = refs[0] if len(refs) == 1 else refs
    return Call(args=(first,), kwargs={k: _argument2(v, names) for k, v in kwargs.items()})


def _reference2(item: Any) -> Structure:
    if item[0] == "_CONSTANT_VALUE" and item[1] == -1:
        return plain(item[2])
    if not _is_reference(item):
        raise ValueError(f"{item!r} is not a reference to a tensor")
    return TensorRef(item[0], item[1], item[2])


def _argument2(value: Any, names: set[str]) -> Structure:
    """A keyword argument of Keras 2, in which a tensor is a bare triple."""
    if _is_reference(value) and value[0] in names:
        return TensorRef(value[0], value[1], value[2])
    if isinstance(value, list):
        return [_argument2(item, names) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _argument2(item, names) for key, item in value.items()}
    return plain(value)


def _states_by_name(layer: Layer, dialect: Dialect) -> None:
    """Keras 2 hands the initial states of an RNN over in the list of inputs.

    With initial states, Keras 3 gives an RNN the mask that is written down and no other: where
    none is, a `mask` of None says so.
    """
    spec = find(layer.class_name)
    if spec is None or not spec.takes_initial_state:
        return
    for call in layer.calls:
        if len(call.args) == 1 and isinstance(call.args[0], list) and len(call.args[0]) > 1:
            call.kwargs["initial_state"] = call.args[0][1:]
            call.args = (call.args[0][0],)
        if len(call.args) > 1:
            names = ("initial_state", "mask", "training")
            call.kwargs |= dict(zip(names, call.args[1:], strict=False))
            call.args = call.args[:1]
        if dialect == "keras3" and flatten(call.kwargs.get("initial_state")):
            call.kwargs.setdefault("mask", None)
