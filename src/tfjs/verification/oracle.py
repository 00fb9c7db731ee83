"""A source that its own framework runs: Keras 3, tf_keras or TensorFlow, where they are installed.

They are imported by name when they are asked for; the package itself needs none of them. Code in a
model is never executed: Keras loads in its safe mode, and before that, what names code is refused.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tfjs.errors import MissingDependencyError, UnsupportedError, UsageError
from tfjs.formats.base import Content
from tfjs.ir.graph import GraphModel
from tfjs.ir.tensor import Array
from tfjs.verification.check import Run
from tfjs.wire.hdf5 import Hdf5File

T = TypeVar("T")

# Modules that the classes of a model may come from.
_KERAS = re.compile(r"(keras|tf_keras|builtins)(\.|$)")
_CODE = frozenset({"Lambda", "__lambda__"})


def own_framework(
    path: Path, format_: str, content: Content, source: GraphModel, signature: str | None
) -> Run:
    """What the framework of a model makes of inputs, which are fed by the name of their node.

    Args:
        path: the model.
        format_: the name of its format.
        content: what our reader has made of it.
        source: the same as a graph that runs, whose inputs and outputs tell names and order.
        signature: the signature of a SavedModel; the usual one when None.

    Raises:
        MissingDependencyError: the framework is not installed.
        UnsupportedError: it does not load the model, or later, does not run it.
        UsageError: no framework of Python has such models.
    """
    if format_ in ("keras", "keras-h5"):
        module = _keras_of(content.producer)
        run = _refused(path, module, lambda: _of_keras(path, format_, module, source))
    elif format_ in ("saved-model", "keras-saved-model", "tf-hub"):
        run = _refused(path, "tensorflow", lambda: _of_saved_model(path, source, signature))
    elif format_ == "frozen-graph" and isinstance(content, GraphModel):
        run = _refused(path, "tensorflow", lambda: _of_frozen_graph(path, source))
    else:
        raise UsageError(
            f"no framework of Python runs a model of the format {format_}",
            where=str(path),
            hint="leave --oracle out",
        )
    return lambda feeds: _refused(path, "the framework", lambda: run(feeds))


def _refused(path: Path, name: str, made: Callable[[], T]) -> T:
    """What a framework makes, its errors as one of ours: it raises of every kind."""
    try:
        return made()
    except (MissingDependencyError, UnsupportedError, UsageError):
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise UnsupportedError(
            f"{name} refuses it: {type(error).__name__}: {first}", where=str(path)
        ) from error


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"the model's own framework, {name}, cannot be imported: {error}",
            hint=f"pip install {name}, or leave --oracle out",
        ) from error


# Keras -------------------------------------------------------------------------------------------


def _keras_of(producer: str | None) -> str:
    """Keras 3, or for what older ones wrote, tf_keras."""
    found = re.match(r"keras (\d+)\.", producer or "")
    return "keras" if found is None or int(found[1]) >= 3 else "tf_keras"


def _of_keras(path: Path, format_: str, module: str, source: GraphModel) -> Run:
    _refuse_code(path, format_)
    keras = _imported(module)
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    names = [node.name for node in source.graph.inputs]
    keys = source.signature.outputs

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        given = [feeds[name] for name in names]
        answer = model(given[0] if len(given) == 1 else given, training=False)
        if isinstance(answer, Mapping):
            answer = [answer[key] for key in keys]
        return [np.asarray(item) for item in _flat(answer)]

    return run


def _refuse_code(path: Path, format_: str) -> None:
    """Refuse a model whose configuration names code: some Keras execute it in spite of safe mode.

    Raises:
        UnsupportedError: it does.
    """
    if format_ == "keras":
        with zipfile.ZipFile(path) as archive:
            text = archive.read("config.json").decode()
    else:
        with Hdf5File.open(path) as file:
            text = file.attrs("")["model_config"]
    left = [json.loads(text)]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            module = item.get("module")
            foreign = isinstance(module, str) and not _KERAS.match(module)
            if foreign or item.get("class_name") in _CODE or "py_function" in item:
                what = f"a {item.get('class_name')} of {module}" if foreign else "a Lambda layer"
                raise UnsupportedError(
                    f"holds {what}, whose code is not executed",
                    where=str(path),
                    hint="leave --oracle out",
                )
            left += item.values()
        elif isinstance(item, list):
            left += item


def _flat(answer: Any) -> Sequence[Any]:
    return list(answer) if isinstance(answer, list | tuple) else [answer]


# TensorFlow --------------------------------------------------------------------------------------


def _of_saved_model(path: Path, source: GraphModel, signature: str | None) -> Run:
    tensorflow = _imported("tensorflow")
    loaded = tensorflow.saved_model.load(str(path))
    signatures = loaded.signatures
    key = signature or "serving_default"
    if signature is None and key not in signatures and len(signatures) == 1:
        (key,) = signatures
    if key not in signatures:
        raise UsageError(f"TensorFlow finds no signature {key!r} in it", where=str(path))
    function = signatures[key]
    taken = list(function.structured_input_signature[1])
    names = _matched(source.signature.inputs, taken)
    nodes = [node.name for node in source.graph.inputs]

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        given = {
            name: tensorflow.constant(feeds[node]) for name, node in zip(names, nodes, strict=True)
        }
        answers = function(**given)
        return [answers[name].numpy() for name in _matched(source.signature.outputs, list(answers))]

    # Its variables live as long as what was loaded.
    run.loaded = loaded  # type: ignore[attr-defined]
    return run


def _matched(keys: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    """The names that a signature of TensorFlow has for our keys."""
    if set(keys) == set(names):
        return keys
    if len(keys) == len(names) == 1:
        return names
    raise UnsupportedError(
        f"the signature has {', '.join(names)}, where the model has {', '.join(keys)}"
    )


def _of_frozen_graph(path: Path, source: GraphModel) -> Run:
    tensorflow = _imported("tensorflow")
    v1 = tensorflow.compat.v1
    definition = v1.GraphDef()
    definition.ParseFromString(path.read_bytes())
    graph = tensorflow.Graph()
    with graph.as_default():
        tensorflow.graph_util.import_graph_def(definition, name="")
    outputs = [name if ":" in name else f"{name}:0" for name in source.signature.outputs]

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        with v1.Session(graph=graph) as session:
            answers = session.run(outputs, {f"{name}:0": item for name, item in feeds.items()})
        return [np.asarray(item) for item in answers]

    return run
