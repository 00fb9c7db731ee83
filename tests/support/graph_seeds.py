"""Small valid models of TensorFlow's formats, written without TensorFlow."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format

import tfjs
from tests.wire.table_writer import write_bundle
from tfjs.ir.dtypes import TO_NUMBER
from tfjs.wire.protobuf import message_class

# Attributes are Python values as in `ir/graph.py`: a dtype is a str, a string bytes, a shape a
# tuple, a tensor an array; a function is a str that begins with "@".
Attr = Any
FLOATS = {"T": "float32"}


def graph_def() -> Any:
    """An empty GraphDef."""
    return message_class("tensorflow.GraphDef")()


def node(nodes: Any, op: str, name: str, *inputs: str, **attrs: Attr) -> Any:
    """Add a node to the nodes of a graph or function."""
    made = nodes.add(op=op, name=name, input=inputs)
    for key, value in attrs.items():
        _put(made.attr[key], value)
    return made


def const(nodes: Any, name: str, value: Any, dtype: str) -> Any:
    """Add a constant."""
    array = np.asarray(value, object if dtype == "string" else dtype)
    return node(nodes, "Const", name, dtype=dtype, value=array)


def splat(nodes: Any, name: str, shape: Sequence[int], value: float = 0.5) -> Any:
    """Add a constant of float32 that gives one number for all its elements."""
    made = const(nodes, name, [], "float32")
    tensor = made.attr["value"].tensor
    tensor.ClearField("tensor_shape")
    _put_shape(tensor.tensor_shape, shape)
    tensor.float_val.append(value)
    return made


def placeholder(nodes: Any, name: str, dtype: str, shape: Sequence[int | None]) -> Any:
    """Add an input."""
    return node(nodes, "Placeholder", name, dtype=dtype, shape=tuple(shape))


def function(
    graph: Any, name: str, inputs: Mapping[str, str], outputs: Mapping[str, tuple[str, str]]
) -> Any:
    """Add a function; its nodes are added to what comes back.

    Args:
        graph: the GraphDef.
        name: its name.
        inputs: dtype by argument.
        outputs: dtype and value by result.
    """
    made = graph.library.function.add()
    made.signature.name = name
    for key, dtype in inputs.items():
        made.signature.input_arg.add(name=key, type=TO_NUMBER[dtype])
    for key, (dtype, value) in outputs.items():
        made.signature.output_arg.add(name=key, type=TO_NUMBER[dtype])
        made.ret[key] = value
    return made.node_def


def _put(attr: Any, value: Attr) -> None:
    if isinstance(value, bool):
        attr.b = value
    elif isinstance(value, int):
        attr.i = value
    elif isinstance(value, float):
        attr.f = value
    elif isinstance(value, bytes):
        attr.s = value
    elif isinstance(value, tuple):
        attr.shape.SetInParent()
        _put_shape(attr.shape, value)
    elif isinstance(value, np.ndarray):
        _put_tensor(attr.tensor, value)
    elif isinstance(value, list):
        _put_list(attr.list, value)
    elif value.startswith("@"):
        attr.func.name = value[1:]
    else:
        attr.type = TO_NUMBER[value]


def _put_shape(shape: Any, sizes: Sequence[int | None]) -> None:
    for size in sizes:
        shape.dim.add(size=-1 if size is None else size)


def _put_tensor(tensor: Any, array: np.ndarray[Any, Any]) -> None:
    is_string = array.dtype == object
    tensor.dtype = TO_NUMBER["string" if is_string else array.dtype.name]
    tensor.tensor_shape.SetInParent()
    _put_shape(tensor.tensor_shape, array.shape)
    if is_string:
        tensor.string_val.extend(array.reshape(-1).tolist())
    else:
        tensor.tensor_content = array.tobytes()


def _put_list(values: Any, items: Sequence[Attr]) -> None:
    for item in items:
        if isinstance(item, tuple):
            _put_shape(values.shape.add(), item)
        elif isinstance(item, int):
            values.i.append(item)
        elif isinstance(item, bytes):
            values.s.append(item)
        elif item.startswith("@"):
            values.func.add(name=item[1:])
        else:
            values.type.append(TO_NUMBER[item])
    values.SetInParent()


# The models


def small_graph() -> Any:
    """A convolution, arithmetic of shapes, a choice, a loop and a call."""
    graph = graph_def()
    nodes = graph.node
    placeholder(nodes, "x", "float32", (None, 6, 6, 2))
    weights = np.random.default_rng(0).normal(size=(3, 3, 2, 4))
    const(nodes, "kernel", weights, "float32")
    const(nodes, "bias", [0.5, -0.5, 1, 2], "float32")
    same: dict[str, Attr] = {"padding": b"SAME", "data_format": b"NHWC"}
    node(nodes, "Conv2D", "conv", "x", "kernel", strides=[1, 2, 2, 1], **same, **FLOATS)
    node(nodes, "BiasAdd", "biased", "conv", "bias", **FLOATS)
    node(nodes, "Relu6", "active", "biased", **FLOATS)
    _reshape(nodes)
    _made_of_constants(nodes)
    choices(graph)
    loops(graph)
    calls: dict[str, Attr] = {"Tin": ["float32"], "Tout": ["float32"]}
    body = function(graph, "halved", {"a": "float32"}, {"b": ("float32", "b:z:0")})
    const(body, "two", 2.0, "float32")
    node(body, "RealDiv", "b", "a", "two:output:0", **FLOATS)
    node(nodes, "StatefulPartitionedCall", "out", "loop:1", f="@halved", **calls)
    return graph


def _reshape(nodes: Any) -> None:
    """Flatten what the convolution gives, by its shape."""
    node(nodes, "Shape", "shape", "active", out_type="int32", **FLOATS)
    for name, value in (("first", [0]), ("second", [1]), ("step", [1])):
        const(nodes, name, value, "int32")
    slicing: dict[str, Attr] = {"T": "int32", "Index": "int32", "shrink_axis_mask": 1}
    node(nodes, "StridedSlice", "batch", "shape", "first", "second", "step", **slicing)
    const(nodes, "rest", 36, "int32")
    node(nodes, "Pack", "sizes", "batch", "rest", N=2, axis=0, T="int32")
    node(nodes, "Reshape", "flat", "active", "sizes", Tshape="int32", **FLOATS)


def _made_of_constants(nodes: Any) -> None:
    """What is folded: Range, Fill, Tile, Cast, Gather, ConcatV2, Transpose, BroadcastTo."""
    for name, value in (("start", 0), ("limit", 36), ("delta", 1), ("axis", 0)):
        const(nodes, name, value, "int32")
    node(nodes, "Range", "range", "start", "limit", "delta", Tidx="int32")
    node(nodes, "Cast", "numbers", "range", SrcT="int32", DstT="float32")
    const(nodes, "fours", [4, 9], "int32")
    const(nodes, "one", 1.0, "float32")
    node(nodes, "Fill", "ones", "fours", "one", index_type="int32", **FLOATS)
    const(nodes, "times", [1, 2], "int32")
    node(nodes, "Tile", "tiled", "ones", "times", Tmultiples="int32", **FLOATS)
    const(nodes, "order", [1, 0], "int32")
    node(nodes, "Transpose", "turned", "tiled", "order", Tperm="int32", **FLOATS)
    const(nodes, "which", [0, 2, 4, 6, 8, 10, 12, 14, 16], "int32")
    gather: dict[str, Attr] = {"Tparams": "float32", "Tindices": "int32", "Taxis": "int32"}
    node(nodes, "GatherV2", "picked", "turned", "which", "axis", **gather)
    const(nodes, "flatter", [36], "int32")
    node(nodes, "Reshape", "line", "picked", "flatter", Tshape="int32", **FLOATS)
    splat(nodes, "halves", (36,))
    node(nodes, "AddV2", "shifts", "line", "halves", **FLOATS)
    node(nodes, "Mul", "scales", "shifts", "numbers", **FLOATS)
    node(nodes, "AddV2", "shifted", "flat", "scales", **FLOATS)


def choices(graph: Any) -> None:
    """An If: `chosen` is `shifted`, negated where its sum is not positive."""
    nodes = graph.node
    for name, op in (("as_it_is", "Relu"), ("negated", "Neg")):
        result = "activations" if op == "Relu" else "y"
        value = ("float32", f"r:{result}:0")
        body = function(graph, name, {"a": "float32"}, {"b": value})
        node(body, op, "r", "a", **FLOATS)
    const(nodes, "both", [0, 1], "int32")
    const(nodes, "zero", 0.0, "float32")
    node(nodes, "Sum", "total", "shifted", "both", Tidx="int32", keep_dims=False, **FLOATS)
    node(nodes, "Greater", "positive", "total", "zero", **FLOATS)
    attrs: dict[str, Attr] = {"then_branch": "@as_it_is", "else_branch": "@negated"}
    attrs |= {"Tcond": "bool", "Tin": ["float32"], "Tout": ["float32"]}
    attrs["output_shapes"] = [(None, 36)]
    node(nodes, "If", "chosen", "positive", "shifted", **attrs)


def loops(graph: Any) -> None:
    """A While: `loop:1` is `chosen` doubled three times."""
    arguments = {"i": "int32", "a": "float32"}
    cond = function(graph, "more", arguments, {"go": ("bool", "less:z:0")})
    const(cond, "most", 3, "int32")
    node(cond, "Less", "less", "i", "most:output:0", T="int32")
    results = {"j": ("int32", "next:z:0"), "b": ("float32", "twice:z:0")}
    body = function(graph, "step_once", arguments, results)
    const(body, "one", 1, "int32")
    node(body, "AddV2", "next", "i", "one:output:0", T="int32")
    node(body, "AddV2", "twice", "a", "a", **FLOATS)
    functions: dict[str, Attr] = {"cond": "@more", "body": "@step_once"}
    types: dict[str, Attr] = {"T": ["int32", "float32"], "output_shapes": [(), (None, 36)]}
    node(graph.node, "While", "loop", "axis", "chosen", **functions, **types)


def frozen(folder: Path) -> Path:
    """A frozen graph."""
    folder.mkdir(parents=True)
    (folder / "frozen.pb").write_bytes(small_graph().SerializeToString())
    return folder / "frozen.pb"


def frozen_text(folder: Path) -> Path:
    """The same as text."""
    folder.mkdir(parents=True)
    (folder / "frozen.pbtxt").write_text(text_format.MessageToString(small_graph()))
    return folder / "frozen.pbtxt"


def saved(folder: Path) -> Path:
    """A SavedModel of TF 2: variables that a function restores, a wrapper, a hash table."""
    message: Any = message_class("tensorflow.SavedModel")(saved_model_schema_version=1)
    meta = message.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "2.15.0"
    graph = meta.graph_def
    nodes = graph.node
    placeholder(nodes, "serving_default_words", "string", (None,))
    node(nodes, "HashTableV2", "table", key_dtype="string", value_dtype="int64", shared_name=b"t")
    for name, shape in (("w", (5, 3)), ("b", (3,))):
        node(nodes, "VarHandleOp", name, dtype="float32", shape=shape, shared_name=name.encode())
    _looked_up(graph)
    _restoring(graph, meta)
    _initializing(graph, meta)
    signature = meta.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    _tensor_info(signature.inputs["words"], "serving_default_words:0", "string", (None,))
    _tensor_info(signature.outputs["scores"], "call:0", "float32", (None, 3))
    _variables(folder)
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder


def _looked_up(graph: Any) -> None:
    """The function that the signature calls: rows of `w` by word, plus `b`."""
    arguments = {"words": "string", "table": "resource", "w": "resource", "b": "resource"}
    body = function(graph, "scores_of", arguments, {"scores": ("float32", "sum:z:0")})
    const(body, "unknown", 0, "int64")
    types: dict[str, Attr] = {"Tin": "string", "Tout": "int64"}
    node(body, "LookupTableFindV2", "ids", "table", "words", "unknown:output:0", **types)
    gather: dict[str, Attr] = {"dtype": "float32", "Tindices": "int64", "validate_indices": True}
    node(body, "ResourceGather", "rows", "w", "ids:values:0", **gather)
    node(body, "ReadVariableOp", "bias", "b", dtype="float32")
    node(body, "AddV2", "sum", "rows:output:0", "bias:value:0", **FLOATS)
    dtypes = ["string", "resource", "resource", "resource"]
    inputs = ("serving_default_words", "table", "w", "b")
    calls: dict[str, Attr] = {"f": "@scores_of", "Tin": dtypes, "Tout": ["float32"]}
    node(graph.node, "StatefulPartitionedCall", "call", *inputs, **calls)


def _restoring(graph: Any, meta: Any) -> None:
    arguments = {"prefix": "string", "w": "resource", "b": "resource"}
    body = function(graph, "restore_all", arguments, {"done": ("string", "end:output:0")})
    const(body, "names", [b"w/.VALUE", b"b/.VALUE"], "string")
    const(body, "slices", [b"", b""], "string")
    inputs = ("prefix", "names:output:0", "slices:output:0")
    node(body, "RestoreV2", "read", *inputs, dtypes=["float32", "float32"])
    for place, name in enumerate(("w", "b")):
        node(body, "Identity", f"{name}_read", f"read:tensors:{place}", **FLOATS)
        node(
            *(body, "AssignVariableOp", f"{name}_set", name, f"{name}_read:output:0"),
            dtype="float32",
        )
    node(body, "Identity", "end", "prefix", "^w_set", "^b_set", T="string")
    placeholder(graph.node, "saver_filename", "string", ())
    dtypes = ["string", "resource", "resource"]
    calls: dict[str, Attr] = {"f": "@restore_all", "Tin": dtypes, "Tout": ["string"]}
    node(graph.node, "StatefulPartitionedCall", "restore", "saver_filename", "w", "b", **calls)
    meta.saver_def.filename_tensor_name = "saver_filename:0"
    meta.saver_def.restore_op_name = "restore"
    meta.saver_def.version = 2


def _initializing(graph: Any, meta: Any) -> None:
    nodes = graph.node
    const(nodes, "keys", [b"a", b"b", b"c"], "string")
    const(nodes, "values", [1, 2, 3], "int64")
    types: dict[str, Attr] = {"Tin": "string", "Tout": "int64"}
    node(nodes, "LookupTableImportV2", "import", "table", "keys", "values", **types)
    node(nodes, "NoOp", "init", "^import")
    info = meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"]
    info.name = "init"


def _tensor_info(info: Any, name: str, dtype: str, shape: Sequence[int | None]) -> None:
    info.name, info.dtype = name, TO_NUMBER[dtype]
    _put_shape(info.tensor_shape, shape)


def _variables(folder: Path) -> None:
    (folder / "variables").mkdir(parents=True)
    rows = np.arange(15, dtype="<f4").reshape(5, 3)
    bias = np.array([0.5, 1, 2], "<f4")
    tensors = [("b/.VALUE", 1, (3,), bias.tobytes()), ("w/.VALUE", 1, (5, 3), rows.tobytes())]
    made = write_bundle(folder / "variables", tensors)
    for suffix in (".index", ".data-00000-of-00001"):
        made.with_name(made.name + suffix).rename(folder / "variables" / f"variables{suffix}")


def saved_text(folder: Path) -> Path:
    """The SavedModel as text."""
    saved(folder)
    message: Any = message_class("tensorflow.SavedModel")()
    message.ParseFromString((folder / "saved_model.pb").read_bytes())
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    (folder / "saved_model.pb").unlink()
    return folder


def hub_module(folder: Path) -> Path:
    """A module of TF 1: no tags, no saver, the signature `default`, a variable by its name."""
    message: Any = message_class("tensorflow.SavedModel")(saved_model_schema_version=1)
    meta = message.meta_graphs.add()
    nodes = meta.graph_def.node
    placeholder(nodes, "x", "float32", (None, 5))
    node(nodes, "VariableV2", "w/.VALUE", dtype="float32", shape=(5, 3))
    node(nodes, "Identity", "w/read", "w/.VALUE", **FLOATS)
    node(nodes, "MatMul", "y", "x", "w/read", **FLOATS)
    signature = meta.signature_def["default"]
    _tensor_info(signature.inputs["images"], "x:0", "float32", (None, 5))
    _tensor_info(signature.outputs["default"], "y:0", "float32", (None, 3))
    _variables(folder)
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return folder


def hub_archive(folder: Path) -> Path:
    """The same as an archive."""
    made = hub_module(folder.with_name(f"{folder.name}-module"))
    folder.mkdir(parents=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(made, ".")
    (folder / "module.tar.gz").write_bytes(packed.getvalue())
    return folder / "module.tar.gz"


def web_graph(folder: Path) -> Path:
    """A TF.js graph model with functions."""
    source = frozen(folder.with_name(f"{folder.name}-source"))
    tfjs.convert(source, folder, to="tfjs-graph", control_flow="v2")
    return folder


def web_table(folder: Path) -> Path:
    """A TF.js graph model with a hash table that its initializer fills."""
    source = saved(folder.with_name(f"{folder.name}-source"))
    tfjs.convert(source, folder, to="tfjs-graph")
    return folder
