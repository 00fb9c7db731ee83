"""Functions and operations of TensorFlow that stand in tf.keras models as layers, as graphs.

What Keras 3 has an operation for computes as that does; `dialects/lambdas.py` has turned those
into such operations that a layers model can hold, these are the others.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.ir.dtypes import BY_ENUM
from tfjs.ir.graph import Value
from tfjs.ir.layers_model import Call, Layer
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.operation_graph import int32, lower_operation, scalar
from tfjs.ops.base import find

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

_UNARY = {
    **{f"math.{name}": name.title() for name in ("exp", "expm1", "log", "sqrt", "rsqrt")},
    **{f"math.{name}": name.title() for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"math.{name}": name.title() for name in ("erf", "erfc", "floor", "ceil", "round", "sign")},
    "math.reciprocal": "Reciprocal",
    "math.square": "Square",
    "math.abs": "Absolute",
    "math.negative": "Negative",
    "math.acos": "Arccos",
    "math.acosh": "Arccosh",
    "math.angle": "Angle",
    "math.asin": "Arcsin",
    "math.asinh": "Arcsinh",
    "math.atan": "Arctan",
    "math.atanh": "Arctanh",
    "math.is_finite": "Isfinite",
    "math.is_inf": "Isinf",
    "math.is_nan": "Isnan",
    "math.log1p": "Log1p",
    "math.log_sigmoid": "LogSigmoid",
    "math.logical_not": "LogicalNot",
    "math.real": "Real",
    "math.imag": "Imag",
    "rank": "Ndim",
    "size": "Size",
    "image.rgb_to_grayscale": "RGBToGrayscale",
    "image.rgb_to_hsv": "RGBToHSV",
    "image.hsv_to_rgb": "HSVToRGB",
}
_BINARY = {
    **{f"math.{name}": name.title() for name in ("add", "subtract", "multiply", "maximum")},
    **{f"math.{name}": name.title() for name in ("minimum", "less", "greater", "equal")},
    "math.atan2": "Arctan2",
    "math.divide_no_nan": "DivideNoNan",
    "floor_div": "FloorDivide",
    "math.floordiv": "FloorDivide",
    "math.floormod": "Mod",
    "math.mod": "Mod",
    "math.greater_equal": "GreaterEqual",
    "math.less_equal": "LessEqual",
    "math.logical_and": "LogicalAnd",
    "math.logical_or": "LogicalOr",
    "math.logical_xor": "LogicalXor",
    "math.not_equal": "NotEqual",
    "math.pow": "Power",
    "math.truediv": "TrueDivide",
    "math.divide": "TrueDivide",
    "__operators__.eq": "Equal",
    "__operators__.ne": "NotEqual",
    "__operators__.add": "Add",
    "__operators__.sub": "Subtract",
}
_REDUCTIONS = {
    "math.reduce_all": "All",
    "math.reduce_any": "Any",
    "math.reduce_euclidean_norm": "Norm",
    "math.reduce_logsumexp": "Logsumexp",
    "math.reduce_max": "Max",
    "math.reduce_mean": "Mean",
    "math.reduce_min": "Min",
    "math.reduce_prod": "Prod",
    "math.reduce_std": "Std",
    "math.reduce_sum": "Sum",
    "math.reduce_variance": "Var",
}
# Class, and what its arguments and settings are called; a value in brackets is the default.
_OTHERS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "argsort": ("Argsort", {"axis": "axis"}, {"axis": -1, "direction": "ASCENDING"}),
    "sort": ("Sort", {"axis": "axis"}, {"axis": -1, "direction": "ASCENDING"}),
    "clip_by_value": ("Clip", {"clip_value_min": "x_min", "clip_value_max": "x_max"}, {}),
    "gather": ("Take", {"indices": "indices", "axis": "axis"}, {"axis": 0}),
    "image.resize": ("Resize", {"size": "size", "method": "interpolation"}, {}),
    "linalg.matmul": ("Matmul", {"b": "x2"}, {}),
    "math.argmax": ("Argmax", {"axis": "axis"}, {"axis": 0}),
    "math.argmin": ("Argmin", {"axis": "axis"}, {"axis": 0}),
    "math.cumprod": ("Cumprod", {"axis": "axis"}, {"axis": 0}),
    "math.cumsum": ("Cumsum", {"axis": "axis"}, {"axis": 0}),
    "math.in_top_k": ("InTopK", {"predictions": "predictions", "k": "k"}, {}),
    "math.l2_normalize": ("Normalize", {"axis": "axis", "dim": "axis"}, {"epsilon": 1e-6}),
    "math.top_k": ("TopK", {"k": "k"}, {"k": 1}),
    "nn.depth_to_space": ("DepthToSpace", {"block_size": "block_size"}, {}),
    "nn.space_to_depth": ("SpaceToDepth", {"block_size": "block_size"}, {}),
    "norm": ("Norm", {"axis": "axis", "keepdims": "keepdims"}, {}),
    "one_hot": ("OneHot", {"depth": "num_classes", "axis": "axis"}, {"axis": -1}),
    "repeat": ("Repeat", {"repeats": "repeats", "axis": "axis"}, {}),
    "reshape": ("Reshape", {"shape": "newshape"}, {}),
    "roll": ("Roll", {"shift": "shift", "axis": "axis"}, {}),
    "tensordot": ("Tensordot", {"b": "x2", "axes": "axes"}, {}),
    "where": ("Where", {"x": "x1", "y": "x2"}, {}),
}
# Arguments that say nothing, or nothing else than the default.
_SILENT: dict[str, tuple[Any, ...]] = {
    "name": (),
    "validate_indices": (),
    "half_pixel_centers": (),
    "output_type": (),
    "out_type": (),
    "num": (),
    "sorted": (True,),
    "direction": ("ASCENDING",),
    "data_format": ("NHWC", "N...C", "channels_last"),
    "batch_dims": (0,),
    "dtype": ("float32",),
    "ord": ("euclidean", 2),
    "epsilon": (1e-12,),
    "on_value": (1, 1.0),
    "off_value": (0, 0.0),
    "use_cudnn_on_gpu": (True,),
}
_SAID_ANYHOW = frozenset({"name", "validate_indices", "output_type", "out_type", "num"})


def lower_function(layer: Layer, build: Lowering) -> list[Value]:
    """A call of a function of TensorFlow.

    Raises:
        CannotLower: it is none that is known, or has an argument that is not.
    """
    function = str(layer.config.get("function")).removeprefix("compat.v1.")
    named = {key: item for key, item in build.call.kwargs.items() if item is not None}
    args = build.call.args
    if len(args) != 1:
        raise CannotLower(f"calls tf.{function} in a way that is not known here")
    if function in _UNARY:
        return _as_operation(function, _UNARY[function], build, named, {}, {})
    if function in _BINARY:
        return _as_operation(function, _BINARY[function], build, named, {"y": "x2", "x": "x2"}, {})
    if function in _REDUCTIONS:
        renames = {"axis": "axis", "keepdims": "keepdims", "keep_dims": "keepdims"}
        return _as_operation(function, _REDUCTIONS[function], build, named, renames, {})
    if function in _OTHERS:
        return _as_operation(function, _OTHERS[function][0], build, named, *_OTHERS[function][1:])
    if function == "__operators__.getitem":
        # What stands alone between brackets; lists of several are operations already.
        item = named["slice_spec"]
        if isinstance(item, dict):
            item = slice(item.get("start"), item.get("stop"), item.get("step"))
        return _as_operation(function, "GetItem", build, {}, {}, {"key": [item]})
    if function in _BUILT:
        return [_BUILT[function](build, args[0], named)]
    raise CannotLower(f"calls tf.{function}, which is not known here")


def _as_operation(
    function: str,
    class_name: str,
    build: Lowering,
    named: Mapping[str, Any],
    renames: Mapping[str, str],
    defaults: Mapping[str, Any],
) -> list[Value]:
    settings = {key: value for key, value in defaults.items() if key != "direction"}
    for key, value in named.items():
        if key in renames:
            settings[renames[key]] = value
        elif not _says_nothing(key, value):
            raise CannotLower(f"calls tf.{function} with {key}={value!r}, which is not known here")
    operation = Layer(class_name, build.layer.name)
    call = Call(build.call.args, settings)
    return lower_operation(operation, build.of(operation, call))


def _says_nothing(key: str, value: Any) -> bool:
    if key in _SAID_ANYHOW or value is False or isinstance(value, Value):
        return key in _SAID_ANYHOW or value is False
    return value in _SILENT.get(key, ())


# Functions without an operation of Keras ------------------------------------------------------


def _shape(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
    return build.op("Shape", x, attrs={"out_type": "int32"})


def _sizes(build: Lowering, items: Any) -> Value:
    if isinstance(items, Value):
        return build.cast(items, "int32")
    return build.sizes([item if isinstance(item, Value) else int(item) for item in items])


def _broadcast_to(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
    return build.op("BroadcastTo", x, _sizes(build, named["shape"]))


def _fill(build: Lowering, dims: Any, named: Mapping[str, Any]) -> Value:
    number = named["value"]
    value = number if isinstance(number, Value) else build.constant(number)
    return build.op("Fill", _sizes(build, dims), value)


def _squared_difference(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
    return build.op("SquaredDifference", x, named["y"])


def _gather_nd(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
    if named.get("batch_dims"):
        raise CannotLower("calls tf.gather_nd with batch_dims")
    places = named["indices"]
    if not isinstance(places, Value):
        places = np.asarray(places, np.int32)
    return build.op("GatherNd", x, places)


def _diag(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
    if set(named) - {"name"}:
        raise CannotLower("calls tf.linalg.diag with arguments that are not known here")
    return build.op("MatrixDiag", x)


def _band_part(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
    ends = (scalar(int(named[key])) for key in ("num_lower", "num_upper"))
    return build.op("MatrixBandPart", x, *ends)


def _window(value: Any) -> list[int]:
    items = list(value) if isinstance(value, list | tuple) else [value, value]
    items = items * 2 if len(items) == 1 else items
    return [1, *items, 1] if len(items) == 2 else items


def _channels_last(named: Mapping[str, Any], function: str) -> None:
    if named.get("data_format", "NHWC") not in ("NHWC", "NDHWC"):
        raise CannotLower(f"calls tf.{function} with channels first")


def _pool(op: str) -> Callable[[Lowering, Value, Mapping[str, Any]], Value]:
    def build_pool(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
        _channels_last(named, f"nn.{op}")
        attrs = {
            "ksize": _window(named["ksize"]),
            "strides": _window(named["strides"]),
            "padding": str(named["padding"]).upper().encode(),
        }
        return build.op(op, x, attrs=attrs)

    return build_pool


def _convolution(op: str) -> Callable[[Lowering, Value, Mapping[str, Any]], Value]:
    def build_convolution(build: Lowering, x: Value, named: Mapping[str, Any]) -> Value:
        _channels_last(named, f"nn.{op}")
        kernel = named.get("filters", named.get("filter"))
        if not isinstance(kernel, Value):
            kernel = np.asarray(kernel, np.float32)
        if not isinstance(named["padding"], str):
            raise CannotLower("pads a convolution by given numbers")
        attrs = {
            "strides": _window(named["strides"]),
            "dilations": _window(named.get("dilations") or 1),
            "padding": named["padding"].upper().encode(),
        }
        return build.op(op, x, kernel, attrs=attrs)

    return build_convolution


def _flip(axis: int) -> Callable[[Lowering, Value, Mapping[str, Any]], Value]:
    return lambda build, x, named: build.op("ReverseV2", x, int32(build.rank(x) + axis))


_BUILT: dict[str, Callable[[Lowering, Any, Mapping[str, Any]], Value]] = {
    "broadcast_to": _broadcast_to,
    "fill": _fill,
    "gather_nd": _gather_nd,
    "image.flip_left_right": _flip(-2),
    "image.flip_up_down": _flip(-3),
    "linalg.band_part": _band_part,
    "linalg.diag": _diag,
    "math.squared_difference": _squared_difference,
    "nn.avg_pool2d": _pool("AvgPool"),
    "nn.avg_pool": _pool("AvgPool"),
    "nn.conv2d": _convolution("Conv2D"),
    "nn.depthwise_conv2d": _convolution("DepthwiseConv2dNative"),
    "nn.max_pool2d": _pool("MaxPool"),
    "nn.max_pool": _pool("MaxPool"),
    "shape": _shape,
}


# Operations ----------------------------------------------------------------------------------


def lower_node(layer: Layer, build: Lowering) -> list[Value]:
    """An operation of TensorFlow, as a NodeDef tells it with the constants that go in.

    Raises:
        CannotLower: nothing here computes it.
    """
    node = layer.config.get("node_def")
    if not isinstance(node, dict):
        raise CannotLower("has no NodeDef")
    op = str(node.get("op"))
    declared = find(op)
    if declared is None or declared.kernel is None:
        raise CannotLower(f"runs the TensorFlow op {op}, which is not known here")
    inputs: list[Any] = list(build.inputs)
    constants = {int(at): value for at, value in (layer.config.get("constants") or {}).items()}
    for at in sorted(constants):
        array = np.asarray(constants[at])
        narrow = {"f": np.float32, "i": np.int32}.get(array.dtype.kind, array.dtype)
        inputs.insert(at, array.astype(narrow))
    attrs = {key: _attr(value) for key, value in dict(node.get("attr") or {}).items()}
    return build.ops(op, *inputs, attrs={key: item for key, item in attrs.items() if item != {}})


def _attr(told: Any) -> Any:
    """The value of an attribute from its JSON form; {} where it has none."""
    if not isinstance(told, dict):
        raise ValueError(f"{told!r} is no attribute")
    for key, read in _READERS.items():
        if key in told:
            return read(told[key])
    parts = told.get("list")
    if isinstance(parts, dict):
        for key, read in _READERS.items():
            if key in parts:
                return [read(item) for item in parts[key]]
        return []
    return {}


_READERS: dict[str, Callable[[Any], Any]] = {
    "b": bool,
    "i": int,
    "f": float,
    "s": base64.b64decode,
    # Where tf.keras says so, numbers are as narrow as TF.js has them.
    "type": lambda name: {"float64": "float32", "int64": "int32"}.get(BY_ENUM[name], BY_ENUM[name]),
}
