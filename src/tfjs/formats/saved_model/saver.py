"""What saves and restores the variables of a SavedModel: nodes, SaverDef and VariableDefs.

Source: tensorflow/python/training/saver.py and tensorflow/core/protobuf/saver.proto. The names are
those that TensorFlow gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Dims, Graph, Node, Type, Value
from tfjs.ir.tensor import FLOATS, Tensor
from tfjs.wire.protobuf import message_class

_SCOPE = "save"
_UNKNOWN = Type(None, None)
_STRING = Type("string", ())
_V2 = 2  # SaverDef.V2, of tensor bundles


def add_saver(graph: Graph, keys: Mapping[str, str], meta_graph: Any) -> None:
    """Add what saves and restores variables to a graph, and name it in a MetaGraphDef.

    Args:
        graph: the graph; each variable is made by a VarHandleOp.
        keys: their keys in the checkpoint by the names of these nodes.
        meta_graph: gets the SaverDef.
    """
    handles = [graph.nodes[name] for name in sorted(keys)]
    nodes = _Nodes(graph, keys)
    prefix = nodes.prefix()
    save, restore = nodes.save(prefix, handles), nodes.restore(prefix, handles)
    meta_graph.saver_def.filename_tensor_name = f"{prefix.node.name}:0"
    meta_graph.saver_def.save_tensor_name = f"{save.name}:0"
    meta_graph.saver_def.restore_op_name = restore.name
    meta_graph.saver_def.max_to_keep = 5
    meta_graph.saver_def.keep_checkpoint_every_n_hours = 10000.0
    meta_graph.saver_def.version = _V2


def add_collections(graph: Graph, variables: Mapping[str, Tensor], meta_graph: Any) -> None:
    """List variables as TensorFlow 1 does, with what gives each its first value.

    Args:
        graph: the graph; each variable is made by a VarHandleOp of its name, and is read.
        variables: their values.
        meta_graph: gets the collections.
    """
    nodes = _Nodes(graph, {})
    handles = [graph.nodes[name] for name in sorted(variables)]
    for handle in handles:
        data = nodes.variable(handle, variables[handle.name]).SerializeToString(deterministic=True)
        trainable = handle.attrs["dtype"] in FLOATS
        for name in ("variables", "trainable_variables") if trainable else ("variables",):
            meta_graph.collection_def[name].bytes_list.value.append(data)


class _Nodes:
    """Adds nodes to a graph, in a scope of their own."""

    def __init__(self, graph: Graph, keys: Mapping[str, str]) -> None:
        self._graph = graph
        self._keys = keys
        taken = {name.partition("/")[0] for name in graph.nodes}
        count = 0
        self._scope = _SCOPE
        while self._scope in taken:
            count += 1
            self._scope = f"{_SCOPE}_{count}"

    def prefix(self) -> Value:
        """Where the checkpoint is; it is fed."""
        default = self._texts([b"model"], "filename/input", ())
        attrs = {"dtype": "string", "shape": Dims(())}
        return self._add("PlaceholderWithDefault", [default], attrs, "Const", [_STRING]).output

    def save(self, prefix: Value, handles: Sequence[Node]) -> Node:
        """What writes all variables; gives the prefix again."""
        dtypes = [handle.attrs["dtype"] for handle in handles]
        values = [
            self._add("ReadVariableOp", [handle.output], {"dtype": dtype}, f"Read_{index}").output
            for index, (handle, dtype) in enumerate(zip(handles, dtypes, strict=True))
        ]
        saved = []
        if handles:
            inputs = [prefix, *self._names(handles, "SaveV2"), *values]
            saved.append(self._add("SaveV2", inputs, {"dtypes": dtypes}, "SaveV2", []))
        done = self._add("Identity", [prefix], {"T": "string"}, "control_dependency", [_STRING])
        done.controls = saved
        return done

    def restore(self, prefix: Value, handles: Sequence[Node]) -> Node:
        """What sets all variables."""
        if not handles:
            return self._add("NoOp", [], {}, "restore_all", [])
        dtypes = [handle.attrs["dtype"] for handle in handles]
        inputs = [prefix, *self._names(handles, "RestoreV2")]
        types = [Type(dtype) for dtype in dtypes]
        read = self._add("RestoreV2", inputs, {"dtypes": dtypes}, "RestoreV2", types)
        every = self._add("NoOp", [], {}, "restore_all", [])
        for index, (handle, value) in enumerate(zip(handles, read.outputs, strict=True)):
            attrs = {"dtype": value.dtype}
            copy = self._add("Identity", [value], {"T": value.dtype}, f"Identity_{index}")
            inputs = [handle.output, copy.output]
            name = f"AssignVariableOp_{index}"
            every.controls.append(self._add("AssignVariableOp", inputs, attrs, name, []))
        return every

    def variable(self, handle: Node, tensor: Tensor) -> Any:
        """A VariableDef, and what it names: that which reads the variable, and its first value."""
        dtype, name = handle.attrs["dtype"], handle.name
        readers = (reader for reader, _ in handle.output.uses)
        read = next(reader for reader in readers if reader.op == "ReadVariableOp")
        array = np.array(tensor.shape, np.int64)
        sizes = self._graph.constant(array, name=f"{name}/Initializer/shape")
        zero = self._zero(dtype, f"{name}/Initializer/Const")
        attrs = {"T": dtype, "index_type": "int64"}
        fill = f"{name}/Initializer/zeros"
        first = self._graph.add(
            "Fill", [sizes, zero], attrs, [Type(dtype, tensor.shape)], name=fill
        )
        assign = self._graph.add(
            "AssignVariableOp",
            [handle.output, first.output],
            {"dtype": dtype},
            [],
            name=f"{name}/Assign",
        )
        return message_class("tensorflow.VariableDef")(
            variable_name=f"{name}:0",
            initializer_name=assign.name,
            initial_value_name=f"{first.name}:0",
            snapshot_name=f"{read.name}:0",
            is_resource=True,
            trainable=dtype in FLOATS,
        )

    def _zero(self, dtype: str, name: str) -> Value:
        if dtype == "string":
            return self._graph.constant(np.array(b"", object), name=name)
        held = "float32" if dtype == "bfloat16" else dtype
        number = self._graph.constant(np.array(0, held), name=name)
        number.node.attrs["dtype"] = number.dtype = dtype
        return number

    def _names(self, handles: Sequence[Node], scope: str) -> tuple[Value, Value]:
        """The keys of variables, and that they are whole."""
        names = [self._keys[handle.name].encode() for handle in handles]
        shape = (len(names),)
        return (
            self._texts(names, f"{scope}/tensor_names", shape),
            self._texts([b""] * len(names), f"{scope}/shape_and_slices", shape),
        )

    def _texts(self, texts: Sequence[bytes], name: str, shape: tuple[int, ...]) -> Value:
        array = np.empty(len(texts), object)
        array[:] = texts
        return self._graph.constant(array.reshape(shape), name=f"{self._scope}/{name}")

    def _add(
        self,
        op: str,
        inputs: Sequence[Value],
        attrs: dict[str, Any],
        name: str,
        types: Sequence[Type] = (_UNKNOWN,),
    ) -> Node:
        return self._graph.add(op, inputs, attrs, types, name=f"{self._scope}/{name}")
