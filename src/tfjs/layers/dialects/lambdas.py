"""TensorFlow functions in tf.keras models, as the operations of Keras 3 that they are.

tf.keras writes `x * 2` or `tf.concat([a, b], -1)` in a functional model as a layer: TFOpLambda and
SlicingOpLambda with the name of the function (TensorFlow 2.4 on), TensorFlowOpLayer with a NodeDef
(2.0 to 2.3). What is not known here keeps its class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from tfjs.ir.layers_model import Call, Config, Layer, Structure, TensorRef, flatten, map_refs
from tfjs.layers.vocabulary import facts

# Class, configuration and arguments of an operation; None where it is none that is known.
_Operation = tuple[str, Config, tuple[Any, ...]] | None
_Reader = Callable[["_Arguments"], _Operation]

# A sum of many tensors is a layer of Keras, all others are operations.
_SUM = "sum of many"


class _Arguments:
    """The arguments of a function call; each is taken once."""

    def __init__(self, first: Any, named: dict[str, Any]) -> None:
        self.first = first
        self._named = {key: value for key, value in named.items() if key != "name"}

    def take(self, *names: str, default: Any = None) -> Any:
        """An argument by one of its names; the default where none is there or all are None."""
        found = [self._named.pop(name, None) for name in names]
        return next((value for value in found if value is not None), default)

    def finished(self) -> bool:
        """Whether all that says something was taken."""
        return not any(self._named.values())


def to_operations(layers: Sequence[Layer], outputs: Structure) -> list[Layer]:
    """Turn layers that call TensorFlow functions into operations, in place, where known.

    Args:
        layers: the layers of a model.
        outputs: its outputs.

    Returns:
        The layers without those that only asked for the size of the batch.
    """
    kept = _without_batch_sizes(layers, outputs)
    for layer in kept:
        _to_operation(layer)
    return kept


def _to_operation(layer: Layer) -> None:
    if layer.class_name == "TFOpLambda":
        found = [_read(_function(layer), call) for call in layer.calls]
    elif layer.class_name == "TensorFlowOpLayer":
        found = [_read_node(layer.config, call) for call in layer.calls]
    else:
        return
    known = [item for item in found if item is not None]
    if not known or len(known) != len(found):
        return
    class_name, config, _ = known[0]
    if any((item[0], item[1]) != (class_name, config) for item in known):
        return
    layer.config = dict(config)
    layer.calls = [Call(args=args) for _, _, args in known]
    if class_name == _SUM:
        layer.class_name, layer.module, layer.registered_name = "Add", None, None
    else:
        layer.class_name = layer.registered_name = class_name
        layer.module = _module(class_name)


def _function(layer: Layer) -> str:
    known = layer.class_name == "TFOpLambda"
    return str(layer.config.get("function")).removeprefix("compat.v1.") if known else ""


def _without_batch_sizes(layers: Sequence[Layer], outputs: Structure) -> list[Layer]:
    """`tf.shape(x)[0]` in the shape of a Reshape as the -1 that it is; what is not used goes."""
    shapes = {layer.name for layer in layers if _function(layer) == "shape"}
    sizes = {layer.name for layer in layers if _is_batch_size(layer, shapes)}

    def change(ref: TensorRef) -> Structure:
        return -1 if ref.layer in sizes else ref

    for layer in layers:
        for call in layer.calls:
            shape = call.kwargs.get("shape")
            if _function(layer) == "reshape" and isinstance(shape, list) and -1 not in shape:
                call.kwargs["shape"] = map_refs(shape, change)
    kept = list(layers)
    for unused in (sizes, shapes):
        used = {ref.layer for item in kept for call in item.calls for ref in call.inputs()}
        used |= {ref.layer for ref in flatten(outputs)}
        kept = [item for item in kept if item.name not in unused or item.name in used]
    return kept


def _is_batch_size(layer: Layer, shapes: set[str]) -> bool:
    return _function(layer) == "__operators__.getitem" and all(
        {ref.layer for ref in call.inputs()} <= shapes and call.kwargs.get("slice_spec") in (0, [0])
        for call in layer.calls
    )


def _module(class_name: str) -> str:
    return str(next(iter(facts("keras3")["operations"][class_name])))


def _read(function: str, call: Call) -> _Operation:
    reader = _FUNCTIONS.get(function)
    if reader is None or len(call.args) != 1:
        return None
    arguments = _Arguments(call.args[0], call.kwargs)
    operation = reader(arguments)
    return operation if arguments.finished() else None


# Functions by name ---------------------------------------------------------------------------


def _unary(class_name: str) -> _Reader:
    return lambda given: (class_name, {}, (given.first,))


def _binary(class_name: str, second: str = "y") -> _Reader:
    def read(given: _Arguments) -> _Operation:
        other = given.take(second, "x")
        return None if other is None else (class_name, {}, (given.first, other))

    return read


def _reduction(class_name: str) -> _Reader:
    def read(given: _Arguments) -> _Operation:
        axis = given.take("axis", "reduction_indices")
        keepdims = bool(given.take("keepdims", "keep_dims", default=False))
        return class_name, {"axis": axis, "keepdims": keepdims}, (given.first,)

    return read


def _setting(class_name: str, key: str, *names: str, default: Any = None) -> _Reader:
    """A function of one tensor with one argument that becomes a setting."""

    def read(given: _Arguments) -> _Operation:
        value = given.take(*names, default=default)
        return None if flatten(value) else (class_name, {key: value}, (given.first,))

    return read


def _sum_of_many(given: _Arguments) -> _Operation:
    tensors = given.first
    if not isinstance(tensors, list) or len(tensors) < 2 or len(flatten(tensors)) != len(tensors):
        return None
    return _SUM, {}, (tensors,)


def _silu(given: _Arguments) -> _Operation:
    return ("Silu", {}, (given.first,)) if given.take("beta", default=1.0) == 1.0 else None


def _clip(given: _Arguments) -> _Operation:
    low, high = given.take("clip_value_min", "min"), given.take("clip_value_max", "max")
    if flatten([low, high]) or low is None or high is None:
        return None
    return "Clip", {"x_min": low, "x_max": high}, (given.first,)


def _matmul(given: _Arguments) -> _Operation:
    other = given.take("b")
    first, second = ("transpose_a", "adjoint_a"), ("transpose_b", "adjoint_b")
    turned = [bool(given.take(*names, default=False)) for names in (first, second)]
    return None if other is None else _product(given.first, other, turned)


def _product(first: Any, second: Any, turned: Sequence[bool]) -> _Operation:
    if not any(turned):
        return "Matmul", {}, (first, second)
    left, right = ("ji" if turned[0] else "ij"), ("kj" if turned[1] else "jk")
    return "Einsum", {"subscripts": f"...{left},...{right}->...ik"}, (first, second)


def _split(given: _Arguments) -> _Operation:
    parts, axis = given.take("num_or_size_splits"), given.take("axis", default=0)
    given.take("num")
    if isinstance(parts, list | tuple):
        if any(type(size) is not int or size < 0 for size in parts):
            return None
        parts = list(accumulate(parts))[:-1]
    return "Split", {"indices_or_sections": parts, "axis": axis}, (given.first,)


def _unstack(given: _Arguments) -> _Operation:
    config = {"num": given.take("num"), "axis": given.take("axis", default=0)}
    return "Unstack", config, (given.first,)


def _pad(given: _Arguments) -> _Operation:
    widths, mode = given.take("paddings"), given.take("mode", default="CONSTANT")
    if flatten(widths):
        return None
    config = {"pad_width": widths, "mode": str(mode).lower()}
    value = given.take("constant_values", default=0)
    return "Pad", {**config, "constant_values": value or None}, (given.first,)


def _getitem(given: _Arguments) -> _Operation:
    spec = given.take("slice_spec")
    if not isinstance(spec, list | tuple):
        return None
    given.take("var")
    return "GetItem", {}, (given.first, [_slice(item) for item in spec])


def _slice(item: Any) -> Any:
    if isinstance(item, dict) and set(item) == {"start", "stop", "step"}:
        return slice(item["start"], item["stop"], item["step"])
    return item


def _begin_and_size(given: _Arguments) -> _Operation:
    begin, size = given.take("begin"), given.take("size")
    if not _whole(begin) or not _whole(size):
        return None
    key = [
        slice(start, None if count == -1 else start + count)
        for start, count in zip(begin, size, strict=True)
    ]
    return "GetItem", {}, (given.first, key)


def _strided_slice(given: _Arguments) -> _Operation:
    begin, end = given.take("begin"), given.take("end")
    strides = given.take("strides", default=[1] * len(begin or ()))
    masks = [int(given.take(f"{name}_mask", default=0)) for name in _MASKS]
    key = _strided_key(begin, end, strides, masks)
    given.take("var")
    return None if key is None else ("GetItem", {}, (given.first, key))


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def _strided_key(begin: Any, end: Any, strides: Any, masks: Sequence[int]) -> list[Any] | None:
    """What stands between brackets in Python for the arguments of `tf.strided_slice`."""
    if not (_whole(begin) and _whole(end) and _whole(strides)):
        return None
    key: list[Any] = []
    for place, (start, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
        open_start, open_stop, ellipsis, new_axis, single = (
            bool(mask >> place & 1) for mask in masks
        )
        if ellipsis:
            key.append(...)
        elif new_axis:
            key.append(None)
        elif single:
            key.append(start)
        else:
            key.append(slice(None if open_start else start, None if open_stop else stop, step))
    return key


def _whole(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(type(item) is int for item in value)


def _gather(given: _Arguments) -> _Operation:
    indices, axis = given.take("indices"), given.take("axis", default=0)
    given.take("validate_indices")
    return None if flatten(indices) else ("Take", {"axis": axis}, (given.first, indices))


_FUNCTIONS: dict[str, _Reader] = {
    **{f"math.{name}": _unary(name.title()) for name in ("sigmoid", "tanh", "softplus", "square")},
    **{f"nn.{name}": _unary(name.title()) for name in ("sigmoid", "tanh", "softplus", "softsign")},
    **{f"nn.{name}": _unary(name.title()) for name in ("relu", "relu6", "selu", "elu")},
    "math.softsign": _unary("Softsign"),
    "math.negative": _unary("Negative"),
    "math.abs": _unary("Absolute"),
    "nn.silu": _silu,
    "nn.swish": _silu,
    "nn.leaky_relu": _setting("LeakyRelu", "negative_slope", "alpha", default=0.2),
    "nn.gelu": _setting("Gelu", "approximate", "approximate", default=False),
    "nn.softmax": _setting("Softmax", "axis", "axis", "dim", default=-1),
    "nn.log_softmax": _setting("LogSoftmax", "axis", "axis", "dim", default=-1),
    "identity": _unary("StopGradient"),
    "stop_gradient": _unary("StopGradient"),
    "zeros_like": _unary("ZerosLike"),
    "ones_like": _unary("OnesLike"),
    "cast": _setting("Cast", "dtype", "dtype"),
    **{name: _binary("Add") for name in ("math.add", "__operators__.add")},
    **{name: _binary("Subtract") for name in ("math.subtract", "__operators__.sub")},
    **{name: _binary("Multiply") for name in ("math.multiply", "math.scalar_mul")},
    **{name: _binary("TrueDivide") for name in ("math.truediv", "math.divide", "divide")},
    "math.maximum": _binary("Maximum"),
    "math.minimum": _binary("Minimum"),
    "math.pow": _binary("Power"),
    "nn.bias_add": _binary("Add", "bias"),
    "math.add_n": _sum_of_many,
    "linalg.matmul": _matmul,
    "math.reduce_mean": _reduction("Mean"),
    "math.reduce_sum": _reduction("Sum"),
    "math.reduce_max": _reduction("Max"),
    "math.reduce_min": _reduction("Min"),
    "concat": _setting("Concatenate", "axis", "axis"),
    "stack": _setting("Stack", "axis", "axis", default=0),
    "unstack": _unstack,
    "split": _split,
    "reshape": _setting("Reshape", "newshape", "shape"),
    "transpose": _setting("Transpose", "axes", "perm"),
    "expand_dims": _setting("ExpandDims", "axis", "axis"),
    "squeeze": _setting("Squeeze", "axis", "axis", "squeeze_dims"),
    "tile": _setting("Tile", "repeats", "multiples"),
    "reverse": _setting("Flip", "axis", "axis"),
    "clip_by_value": _clip,
    "pad": _pad,
    "gather": _gather,
    "slice": _begin_and_size,
    "strided_slice": _strided_slice,
    "__operators__.getitem": _getitem,
}


# Nodes of a graph ----------------------------------------------------------------------------

_NODES = {
    **{name: name for name in ("Relu", "Relu6", "Sigmoid", "Tanh", "Softplus", "Softsign")},
    **{name: name for name in ("Elu", "Selu", "Square", "Maximum", "Minimum")},
    **dict.fromkeys(("Add", "AddV2", "BiasAdd"), "Add"),
    **dict.fromkeys(("RealDiv", "Div"), "TrueDivide"),
    **dict.fromkeys(("Identity", "StopGradient"), "StopGradient"),
    "Neg": "Negative",
    "Abs": "Absolute",
    "Sub": "Subtract",
    "Mul": "Multiply",
    "Pow": "Power",
}
# The second input, a constant, becomes a setting.
_NODE_SETTINGS = {
    "Reshape": ("Reshape", "newshape"),
    "Transpose": ("Transpose", "axes"),
    "ExpandDims": ("ExpandDims", "axis"),
    "Tile": ("Tile", "repeats"),
    "ReverseV2": ("Flip", "axis"),
    "Pad": ("Pad", "pad_width"),
}
_NODE_REDUCTIONS = frozenset({"Mean", "Sum", "Max", "Min"})


def _read_node(config: Config, call: Call) -> _Operation:
    node = config["node_def"]
    if not isinstance(node, dict):
        return None
    inputs: list[Any] = list(flatten(call.args))
    constants = {int(at): value for at, value in (config.get("constants") or {}).items()}
    for at in sorted(constants):
        inputs.insert(at, constants[at])
    op, attributes = str(node["op"]), dict(node.get("attr") or {})
    if op in _NODES:
        return _NODES[op], {}, tuple(inputs)
    if op in _NODE_REDUCTIONS and _is_constant(inputs[1]):
        keepdims = bool(attributes.get("keep_dims", {}).get("b"))
        return op, {"axis": inputs[1], "keepdims": keepdims}, tuple(inputs[:1])
    if op in _NODE_SETTINGS and _is_constant(inputs[1]):
        class_name, key = _NODE_SETTINGS[op]
        return class_name, {key: inputs[1]}, tuple(inputs[:1])
    return _read_other_node(op, inputs, attributes)


def _read_other_node(op: str, inputs: list[Any], attributes: Config) -> _Operation:
    if op == "ConcatV2" and _is_constant(inputs[-1]):
        return "Concatenate", {"axis": inputs[-1]}, (inputs[:-1],)
    if op == "Pack":
        return "Stack", {"axis": _number(attributes, "axis")}, (inputs,)
    if op == "AddN":
        return _SUM, {}, (inputs,)
    if op in ("Softmax", "LogSoftmax"):
        return op, {"axis": -1}, tuple(inputs)
    if op == "LeakyRelu":
        slope = attributes.get("alpha", {}).get("f", 0.2)
        return "LeakyRelu", {"negative_slope": float(slope)}, tuple(inputs)
    if op == "Squeeze":
        axes = attributes.get("squeeze_dims", {}).get("list", {}).get("i", ())
        return "Squeeze", {"axis": [int(axis) for axis in axes] or None}, tuple(inputs)
    if op in ("MatMul", "BatchMatMul", "BatchMatMulV2"):
        kind = "transpose" if op == "MatMul" else "adj"
        ends = ("a", "b") if op == "MatMul" else ("x", "y")
        turned = [bool(attributes.get(f"{kind}_{end}", {}).get("b")) for end in ends]
        return _product(inputs[0], inputs[1], turned)
    if op == "StridedSlice":
        masks = [_number(attributes, f"{name}_mask") for name in _MASKS]
        key = _strided_key(inputs[1], inputs[2], inputs[3], masks)
        return None if key is None else ("GetItem", {}, (inputs[0], key))
    return None


def _number(attributes: Config, key: str) -> int:
    return int(attributes.get(key, {}).get("i", 0))


def _is_constant(value: Any) -> bool:
    return not isinstance(value, TensorRef) and not flatten(value)
