"""A user's own TensorFlow functions and modules, as graphs.

TensorFlow is never imported here: the objects bring their own. What is used of a ConcreteFunction:
`graph.as_graph_def()`, `inputs` (the captured ones last), `outputs`, `captured_inputs`,
`structured_outputs`, `variables`; of a variable: `handle`, `name`, `numpy()`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.initialization import fill
from tfjs.formats.restored import run
from tfjs.ir.graph import Dims, GraphModel, Node, Signature
from tfjs.ir.tensor import ITEM_SIZES, Array, ArrayTensor, DerivedTensor, Tensor
from tfjs.wire.protobuf import parse

_USUAL = "serving_default"
_FINDS = frozenset({"LookupTableFind", "LookupTableFindV2"})


def is_live_function(value: Any) -> bool:
    """Whether the object is a ConcreteFunction, a tf.function, or a module with functions."""
    if not _is_of_tensorflow(value):
        return False
    return _is_concrete(value) or _is_function(value) or _is_module(value)


def live_signatures(value: Any) -> list[str]:
    """The signatures of a module, sorted; none of a function."""
    found = getattr(value, "signatures", None) if _is_module(value) else None
    return sorted(map(str, found)) if isinstance(found, Mapping) else []


def live_graph(value: Any, signature: str | None = None) -> GraphModel:
    """The graph of a live function, with the values that its variables have when they are read.

    Args:
        value: what `is_live_function` is true of.
        signature: which signature of a module; `serving_default`, else the only one, else
            `__call__`, when None.

    Raises:
        UsageError: it has no such signature, or a function was not told what it takes.
        UnsupportedError: it captures something that no TF.js model can hold.
        ConversionError: TensorFlow refuses to give the graph or a value.
    """
    concrete = _concrete(value, signature)
    label = _label(concrete)
    message = parse("tensorflow.GraphDef", _graph_def(concrete, label), label)
    reader = GraphReader(message, (), label)
    outputs = [tensor.name for tensor in concrete.outputs]
    if not outputs:
        raise UnsupportedError("the function gives no tensors", where=label)
    places = [tensor.name.partition(":")[0] for tensor in concrete.inputs]
    graph = reader.graph(outputs, places)
    graph.targets = []
    functions = reader.functions([graph])
    captured = list(concrete.captured_inputs)
    own = len(places) - len(captured)
    graph.inputs = [graph.nodes[name] for name in places[:own]]
    model = GraphModel(
        graph=graph,
        signature=Signature(places[:own], _output_keys(concrete)),
        functions=functions,
        producer=_version(),
    )
    captures = {graph.nodes[name]: held for name, held in zip(places[own:], captured, strict=True)}
    _Captures(model, concrete, label).put(captures)
    graph.prune()
    return model


# Which function ----------------------------------------------------------------------------------


def _is_of_tensorflow(value: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "tensorflow" for base in type(value).__mro__)


def _is_concrete(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("captured_inputs", "structured_outputs", "graph"))


def _is_function(value: Any) -> bool:
    return callable(getattr(value, "get_concrete_function", None)) and not _is_concrete(value)


def _is_module(value: Any) -> bool:
    signatures = getattr(value, "signatures", None)
    if isinstance(signatures, Mapping):
        return True
    return any(_is_function(entry) for base in type(value).__mro__ for entry in vars(base).values())


def _concrete(value: Any, signature: str | None) -> Any:
    if not _is_concrete(value) and not _is_function(value):
        return _of_module(value, signature)
    if signature is not None:
        raise UsageError("a function has no signatures to choose from", where=_label(value))
    return value if _is_concrete(value) else _traced(value)


def _of_module(module: Any, signature: str | None) -> Any:
    there = live_signatures(module)
    call = getattr(module, "__call__", None)  # noqa: B004 - what it is, not whether
    if signature is None:
        if _USUAL in there or len(there) == 1:
            return module.signatures[_USUAL if _USUAL in there else there[0]]
        if _is_function(call):
            return _traced(call)
    elif signature in there:
        return module.signatures[signature]
    elif _is_function(found := getattr(module, signature, None)):
        return _traced(found)
    raise UsageError(
        "has no such signature" if signature else "has no signature that is the usual one",
        where=type(module).__name__,
        hint=f"signatures: {', '.join(there) or 'none'}; or give one of its functions",
    )


def _traced(function: Any) -> Any:
    try:
        return function.get_concrete_function()
    except Exception as error:
        raise UsageError(
            f"nothing tells what the function takes: {_first_line(error)}",
            where=_label(function),
            hint="give f.get_concrete_function(tf.TensorSpec([None, 4])), or an input_signature",
        ) from error


def _label(function: Any) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", None)
    return name.decode() if isinstance(name, bytes) else str(name or type(function).__name__)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _version() -> str | None:
    version = getattr(sys.modules.get("tensorflow"), "__version__", None)
    return f"tensorflow {version}" if isinstance(version, str) else None


def _graph_def(concrete: Any, label: str) -> bytes:
    try:
        data: bytes = concrete.graph.as_graph_def().SerializeToString()
    except Exception as error:
        raise ConversionError(
            f"TensorFlow does not give the graph: {_first_line(error)}",
            where=label,
            hint="constants of over 2 GB must be variables",
        ) from error
    return data


def _output_keys(concrete: Any) -> list[str]:
    """The keys of a flat dict, whose tensors come sorted by key; else `output_0` and so on."""
    structure, count = concrete.structured_outputs, len(concrete.outputs)
    if isinstance(structure, Mapping) and len(structure) == count:
        return sorted(map(str, structure))
    return [f"output_{index}" for index in range(count)]


# What the function captures ----------------------------------------------------------------------


class _Captures:
    """Puts what a function has captured in place of the arguments that stand for it."""

    def __init__(self, model: GraphModel, concrete: Any, label: str) -> None:
        self._model = model
        self._label = label
        self._variables = {id(entry.handle): entry for entry in concrete.variables}

    def put(self, captures: Mapping[Node, Any]) -> None:
        """Replace each argument by a variable, a table or a constant."""
        graph = self._model.graph
        tables: dict[Node, Any] = {}
        for node, held in captures.items():
            variable = self._variables.get(id(held))
            if variable is not None:
                self._put_variable(node, variable)
            elif node.output.dtype == "resource":
                tables[node] = held
            else:
                tensor = _constant(held, self._label)
                node.op, node.attrs = "Const", {"value": tensor, "dtype": tensor.dtype}
                node.output.dtype, node.output.shape = tensor.dtype, tensor.shape
        graph.prune()
        used = {node: held for node, held in tables.items() if node in graph.nodes.values()}
        if used:
            self._put_tables(used)

    def _put_variable(self, node: Node, variable: Any) -> None:
        tensor = _variable(variable, self._label)
        shape = tuple(None if size is None else int(size) for size in variable.shape)
        node.op = "VarHandleOp"
        node.attrs = {"dtype": variable.dtype.name, "shape": Dims(shape)}
        name = variable.name.partition(":")[0]
        if name != node.name:
            self._model.graph.rename(node, name)
        self._model.variables[node.name] = tensor

    def _put_tables(self, tables: Mapping[Node, Any]) -> None:
        graph = self._model.graph
        dtypes: dict[Node, tuple[str, str]] = {}
        for node, source_of in run(graph, self._model.functions, self._label):
            if node.op in _FINDS and node.inputs:
                attrs = node.attrs
                dtypes[source_of(node.inputs[0])] = str(attrs.get("Tin")), str(attrs.get("Tout"))
        contents: dict[str, tuple[Tensor, Tensor]] = {}
        for node, held in tables.items():
            if node not in dtypes:
                raise UnsupportedError(
                    f"captures {node.name!r}, which is neither a variable nor a table",
                    where=self._label,
                    hint="save its module with tf.saved_model.save, and convert that",
                )
            key, value = dtypes[node]
            node.op = "HashTableV2"
            node.attrs = {"key_dtype": key, "value_dtype": value}
            node.output.dtype, node.output.shape = "resource", ()
            contents[node.name] = self._contents(held, key, value)
        self._model.initializer = fill(self._model.initializer, graph, contents)

    def _contents(self, handle: Any, key: str, value: str) -> tuple[Tensor, Tensor]:
        export = sys.modules["tensorflow"].raw_ops.LookupTableExportV2
        try:
            found = export(table_handle=handle, Tkeys=key, Tvalues=value)
            keys, values = (np.asarray(part.numpy()) for part in found)
        except Exception as error:
            raise ConversionError(
                f"TensorFlow does not give a table: {_first_line(error)}", where=self._label
            ) from error
        # The order of a hash table differs between runs; what is written must not.
        order = np.argsort(keys.astype(bytes) if keys.dtype == object else keys, kind="stable")
        return ArrayTensor(keys[order]), ArrayTensor(values[order])


def _variable(variable: Any, label: str) -> Tensor:
    dtype = variable.dtype.name
    shape = tuple(int(size) for size in variable.shape)
    if dtype == "string":
        return ArrayTensor(_numpy(variable, label))
    if dtype not in ITEM_SIZES:
        raise UnsupportedError(f"the variable {variable.name!r} has dtype {dtype}", where=label)
    own = "float32" if dtype == "bfloat16" else dtype
    return DerivedTensor(own, shape, lambda: _numpy(variable, label).astype(own, copy=False))


def _constant(held: Any, label: str) -> Tensor:
    value = _numpy(held, label)
    name = value.dtype.name
    return ArrayTensor(value.astype(np.float32) if name == "bfloat16" else value)


def _numpy(held: Any, label: str) -> Array:
    try:
        return np.asarray(held.numpy())
    except Exception as error:
        raise ConversionError(
            f"TensorFlow does not give a value: {_first_line(error)}", where=label
        ) from error
