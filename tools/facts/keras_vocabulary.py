"""Writes the vocabulary of a Keras release as data: keras3.json or keras2.json.

    KERAS_BACKEND=tensorflow python tools/facts/keras_vocabulary.py --dialect keras3
    python tools/facts/keras_vocabulary.py --dialect keras2

Run it where Keras 3 (with TensorFlow: the lookup layers need it) or tf_keras is installed. The
output is sorted and holds no date: the same releases give the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from layer_samples import sample_arguments

DATA = Path(__file__).resolve().parents[2] / "src" / "tfjs" / "layers" / "data"
REQUIRED = {"required": True}
# get_config() makes these from other arguments when they are left out: (part of class name, key).
DERIVED = (
    ("Pooling", "strides"),
    ("MultiHeadAttention", "value_dim"),
    ("TextVectorization", "vocabulary_size"),
    ("Bidirectional", "backward_layer"),
    ("", "seed"),  # some classes draw one and write it
    ("InputLayer", "batch_shape"),
    ("InputLayer", "batch_input_shape"),
)
ABSTRACT = {"constraint", "initializer", "loss", "metric", "optimizer", "regularizer"}
NAMED = {
    "constraints": "constraint_names",
    "initializers": "initializer_names",
    "losses": "loss_names",
    "metrics": "metric_names",
    "regularizers": "regularizer_names",
}
OP_MODULES = ("core", "einops", "image", "linalg", "math", "nn", "numpy")
# Classes that Keras does not publish, and yet writes into files.
KERAS3_EXTRA = (
    "keras.src.applications.convnext:LayerScale",
    "keras.src.applications.convnext:StochasticDepth",
)
KERAS2_EXTRA = (
    "tf_keras.src.applications.convnext:LayerScale",
    "tf_keras.src.applications.convnext:StochasticDepth",
    "tf_keras.src.layers.core.tf_op_layer:TFOpLambda",
    "tf_keras.src.layers.core.tf_op_layer:SlicingOpLambda",
    "tf_keras.src.layers.core.tf_op_layer:ClassMethod",
    "tf_keras.src.layers.core.tf_op_layer:InstanceMethod",
    "tf_keras.src.layers.core.tf_op_layer:InstanceProperty",
    "tf_keras.src.engine.base_layer:AddLoss",
    "tf_keras.src.engine.base_layer:AddMetric",
    "tf_keras.src.engine.base_layer:TensorFlowOpLayer",
    "tf_keras.src.layers.rnn.cudnn_gru:CuDNNGRU",
    "tf_keras.src.layers.rnn.cudnn_lstm:CuDNNLSTM",
    "tf_keras.src.layers.kernelized:RandomFourierFeatures",
    "tf_keras.src.layers.normalization.batch_normalization:SyncBatchNormalization",
)


def reduced(value: Any) -> Any:
    """A config value as JSON: objects keep class_name and config, policies their name."""
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            name, config = value["class_name"], value["config"]
            if name in ("DTypePolicy", "Policy"):
                return config["name"]
            if name == "__tuple__":
                return reduced(config)
            return {"class_name": name, "config": reduced(config)}
        if value.get("class_name") == "__tuple__":
            return reduced(value["items"])
        return {str(key): reduced(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [reduced(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "as_list"):
        return value.as_list()
    if hasattr(value, "get_config"):
        return reduced({"class_name": type(value).__name__, "config": value.get_config()})
    name = getattr(value, "__name__", None) or getattr(value, "name", None)
    if isinstance(name, str):
        return name
    raise TypeError(f"no JSON form for {value!r}")


def literal(node: ast.AST | None) -> Any:
    """The value of a literal in the source, None for anything that is not one."""
    try:
        return None if node is None else reduced(ast.literal_eval(node))
    except ValueError:
        return None


def keyword_accesses(function: Any) -> dict[str, Any]:
    """Keys that a constructor takes out of **kwargs by hand, with the default it names."""
    found: dict[str, Any] = {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="kwargs"), attr="pop" | "get"),
                args=[ast.Constant(value=str(key)), *rest],
            ):
                found[key] = literal(rest[0] if rest else None)
            case ast.Compare(
                left=ast.Constant(value=str(key)), comparators=[ast.Name(id="kwargs")]
            ):
                found.setdefault(key, None)
            case ast.Assign(targets=[ast.Name(id="allowed_kwargs")], value=ast.Set(elts=names)):
                for name in names:
                    found.setdefault(literal(name), None)
    return {key: value for key, value in found.items() if not key.startswith("_")}


def passed_upwards(function: Any) -> tuple[list[str], int, str]:
    """What a constructor gives to its base's: keyword names, number of positional ones.

    The third value is N of `super(N, self)`, which leaves out the classes up to N.
    """
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="__init__"), args=args):
                unbound = isinstance(owner, ast.Name | ast.Attribute)
                names = [keyword.arg for keyword in node.keywords if keyword.arg]
                after = ""
                if isinstance(owner, ast.Call) and owner.args:
                    after = ast.unparse(owner.args[0])
                return names, len(args) - int(unbound), after
    return [], 0, ""


def constructor_parameters(cls: type) -> dict[str, Any]:
    """Every argument that making `cls` accepts, down the classes as long as **kwargs is passed.

    What a class sets for its base (LSTM its `cell`) is not an argument any more.
    """
    keys: dict[str, Any] = {}
    settled: set[str] = set()
    positional, after = 0, ""
    for base in cls.__mro__:
        if after and base.__name__ != after:
            continue
        if after:
            after = ""
            continue
        function = base.__dict__.get("__init__")
        if not inspect.isfunction(function):
            continue
        function = inspect.unwrap(function)
        given = list(inspect.signature(function).parameters.values())[1:]
        settled |= {parameter.name for parameter in given[:positional]} - set(keys)
        for parameter in given:
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if parameter.name not in settled:
                empty = parameter.default is parameter.empty
                keys.setdefault(parameter.name, REQUIRED if empty else reduced(parameter.default))
        for key, value in keyword_accesses(function).items():
            if key not in settled:
                keys.setdefault(key, value)
        names, positional, after = passed_upwards(function)
        after = "" if after == base.__name__ else after
        settled |= set(names) - set(keys)
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in given)
        if not open_ended or base.__name__ in ("Layer", "Operation"):
            break
    return keys


def same_float(one: Any, other: Any) -> bool:
    """Whether two numbers are one number before and after a stay in float32."""
    floats = isinstance(one, float) and isinstance(other, float)
    return floats and abs(one - other) <= 1e-7 * abs(one)


def serialised(instance: Any, library: Any) -> dict[str, Any]:
    """get_config() of `instance`, its values in the form in which they go to a file."""
    saver = getattr(library, "saving", None)
    config = instance.get_config()
    return {
        key: reduced(saver.serialize_keras_object(value) if saver else value)
        for key, value in config.items()
    }


def object_keys(cls: type, arguments: dict[str, Any], library: Any) -> dict[str, Any]:
    """The config keys of `cls` with their defaults, and which of them it writes to a file."""
    accepted = constructor_parameters(cls)
    keys = dict(accepted)
    try:
        written = serialised(cls(**arguments), library)
    except (TypeError, ValueError, NotImplementedError, ImportError, AttributeError) as error:
        print(f"{cls.__name__}: only the signature is known: {error}"[:160], file=sys.stderr)
        written = {}
    for key, value in written.items():
        known = key in accepted
        derived = any(part in cls.__name__ and key == named for part, named in DERIVED)
        if key == "name":
            keys[key] = None
        elif known and (accepted[key] == REQUIRED or key in arguments):
            continue
        elif derived:
            keys[key] = None
        elif known and same_float(accepted[key], value):
            continue
        else:
            keys[key] = value
    keys.pop("self", None)
    return {"keys": keys, "written": sorted(written)}


def public_classes(module: Any, base: type) -> tuple[dict[str, type], dict[str, str]]:
    """The classes of a public module by their own name, and the other names they go by."""
    classes: dict[str, type] = {}
    aliases: dict[str, str] = {}
    for name in sorted(dir(module)):
        cls = getattr(module, name)
        if inspect.isclass(cls) and issubclass(cls, base):
            classes[cls.__name__] = cls
            if name != cls.__name__:
                aliases[name] = cls.__name__
    return classes, aliases


def layer_table(library: Any, dialect: str) -> tuple[dict[str, Any], dict[str, str]]:
    classes, aliases = public_classes(library.layers, library.layers.Layer)
    modules = dict.fromkeys(classes, "keras.layers")
    for entry in KERAS2_EXTRA if dialect == "keras2" else KERAS3_EXTRA:
        module, name = entry.split(":")
        classes[name] = getattr(importlib.import_module(module), name)
        modules[name] = module
    table = {}
    for name, cls in classes.items():
        arguments = sample_arguments(name, library.layers, dialect)
        table[name] = {"module": modules[name], **object_keys(cls, arguments, library)}
    return table, aliases


def class_table(module: Any, library: Any) -> dict[str, Any]:
    """class name -> config keys of the public classes of a small module."""
    table: dict[str, Any] = {}
    for name in sorted(dir(module)):
        cls = getattr(module, name)
        abstract = name.lower() in ABSTRACT
        if inspect.isclass(cls) and hasattr(cls, "get_config") and not abstract:
            table[cls.__name__] = object_keys(cls, {}, library)
    return table


def public_module(library: Any, name: str) -> Any:
    return importlib.import_module(f"{library.__name__}.{name}")


def spellings(library: Any, kind: str) -> dict[str, str]:
    """Every string that `get` of a module understands -> the name of what it gives."""
    module = public_module(library, kind)
    source = importlib.import_module(f"{library.__name__}.src.{kind}")
    names = set(dir(module)) | set(getattr(source, "ALL_OBJECTS_DICT", ()))
    if hasattr(source, "populate_deserializable_objects"):
        source.populate_deserializable_objects()
        names |= set(source.LOCAL.ALL_OBJECTS)
    found: dict[str, str] = {}
    for name in sorted(names - {"get", "serialize", "deserialize"}):
        if name.startswith("_") or name.lower() in ABSTRACT:
            continue
        thing = getattr(source, "ALL_OBJECTS_DICT", {}).get(name)
        try:
            thing = thing or module.get(name)
        except (TypeError, ValueError, AttributeError) as error:
            print(f"{kind} {name!r} is not understood: {error}"[:120], file=sys.stderr)
            continue
        if callable(thing):
            found[name] = getattr(thing, "__name__", None) or type(thing).__name__
    return found


def activation_table(library: Any) -> dict[str, Any]:
    """Every activation string -> how Keras writes it back."""
    module = public_module(library, "activations")
    source = importlib.import_module(f"{library.__name__}.src.activations")
    names = set(dir(module)) | set(getattr(source, "ALL_OBJECTS_DICT", ())) | {"swish", "silu"}
    names |= {"relu6", "leaky_relu", "log_softmax", "hard_silu", "hard_swish"}
    table: dict[str, Any] = {}
    for name in sorted(names - {"get", "serialize", "deserialize"}):
        if name.startswith("_"):
            continue
        try:
            table[name] = reduced(module.serialize(module.get(name)))
        except ValueError:
            continue
    return table


def parameters(function: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        star = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        empty = parameter.default is parameter.empty
        found[star + parameter.name] = REQUIRED if empty else reduced(parameter.default)
    return found


def operation_table(library: Any) -> dict[str, Any]:
    """class name -> module -> parameters of __init__ and of call, for Keras 3's ops."""
    table: dict[str, Any] = {}
    for short in OP_MODULES:
        name = f"keras.src.ops.{short}"
        module = importlib.import_module(name)
        for cls in vars(module).values():
            own = inspect.isclass(cls) and cls.__module__ == name
            if own and issubclass(cls, library.Operation):
                entry = {
                    "init": parameters(inspect.unwrap(cls.__init__)),
                    "call": parameters(inspect.unwrap(cls.call)),
                }
                table.setdefault(cls.__name__, {})[name] = entry
    return table


def vocabulary(library: Any, dialect: str) -> dict[str, Any]:
    layers, aliases = layer_table(library, dialect)
    result: dict[str, Any] = {
        "meta": {
            "library": library.__name__,
            "version": library.__version__,
            "made_by": f"tools/facts/keras_vocabulary.py --dialect {dialect}",
        },
        "layers": layers,
        "layer_aliases": aliases,
        "activations": activation_table(library),
        "initializers": class_table(public_module(library, "initializers"), library),
        "regularizers": class_table(public_module(library, "regularizers"), library),
        "constraints": class_table(public_module(library, "constraints"), library),
        "optimizers": class_table(public_module(library, "optimizers"), library),
    }
    for kind, name in NAMED.items():
        result[name] = spellings(library, kind)
    if dialect == "keras2":
        result["legacy_optimizers"] = class_table(library.optimizers.legacy, library)
    else:
        result["operations"] = operation_table(library)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialect", choices=("keras2", "keras3"), default="keras3")
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    library = importlib.import_module("keras" if options.dialect == "keras3" else "tf_keras")
    text = json.dumps(vocabulary(library, options.dialect), indent=1, sort_keys=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.dialect}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
