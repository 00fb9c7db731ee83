"""Operations with what follows them, against TensorFlow and the real TF.js."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.one_op import ask, assert_same
from tests.support.op_cases import case
from tests.support.op_cases.case import Numbers
from tests.support.op_oracle import run_tensorflow
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.ir.graph import Attrs, Graph, Node
from tfjs.ir.tensor import Array
from tfjs.ops.base import evaluate, find

_n = Numbers(41)
_X, _FILTERS = _n.floats(2, 7, 6, 4), _n.floats(3, 2, 4, 5)
_EACH = _n.floats(3, 2, 4, 2)
_A, _B = _n.floats(3, 4), _n.floats(4, 5)
_WINDOW: Attrs = {"strides": [1, 2, 2, 1], "dilations": [1, 1, 1, 1], "padding": b"SAME"}
_STEPS: Attrs = {**_WINDOW, "data_format": b"NHWC", "explicit_paddings": []}

# What follows, with the shape of its slopes where it has some; 0 stands for the channels.
_FOLLOWING: list[tuple[list[bytes], tuple[int, ...] | None]] = [
    ([b"BiasAdd"], None),
    ([b"BiasAdd", b"Relu"], None),
    ([b"BiasAdd", b"Relu6"], None),
    ([b"BiasAdd", b"Elu"], None),
    ([b"BiasAdd", b"Sigmoid"], None),
    ([b"BiasAdd", b"LeakyRelu"], None),
    ([b"BiasAdd", b"Prelu"], (0,)),
    ([b"BiasAdd", b"Prelu"], (1,)),
]
# Operation -> its inputs, attributes, and channels of what it makes.
_OPS: dict[str, tuple[list[Array], Attrs, int]] = {
    "_FusedConv2D": ([_X, _FILTERS], _STEPS, 5),
    "FusedDepthwiseConv2dNative": ([_X, _EACH], _STEPS, 8),
    "_FusedMatMul": ([_A, _B], {"transpose_a": False, "transpose_b": False}, 5),
}


def _node(op: str, attrs: Attrs, inputs: list[Array]) -> Node:
    graph = Graph()
    values = [graph.constant(item, name=f"x{index}") for index, item in enumerate(inputs)]
    return graph.add(op, values, attrs, [], name="node")


@pytest.mark.parametrize("op", _OPS)
@pytest.mark.parametrize(
    ("following", "slopes"), _FOLLOWING, ids=lambda value: str(value).replace(" ", "")
)
def test_what_follows_is_what_tfjs_computes(
    op: str,
    following: list[bytes],
    slopes: tuple[int, ...] | None,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    if op == "FusedDepthwiseConv2dNative" and b"LeakyRelu" in following:
        following = [b"BiasAdd"]  # of its slope TF.js knows nothing there
    inputs, attrs, channels = _OPS[op]
    rest = [_n.floats(channels)]
    if slopes is not None:
        rest.append(_n.floats(*(size or channels for size in slopes)))
    attrs = {**attrs, "T": "float32", "fused_ops": following, "num_args": len(rest)}
    attrs |= {"leakyrelu_alpha": 0.3, "epsilon": 1e-3}
    arrays = [*inputs, *rest]
    theirs = ask(tfjs_runtime, tmp_path / "model", op, attrs, arrays)
    node = _node(op, attrs, arrays)
    assert_same(evaluate(node, arrays, as_tfjs=True), theirs)
    assert_same(evaluate(node, arrays), theirs)


@pytest.mark.parametrize("shape", [(), (4, 3, 5), (1, 1, 1, 5)])
def test_a_bias_may_have_any_shape_that_goes_with_it(
    shape: tuple[int, ...], tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    attrs = {**_STEPS, "T": "float32", "fused_ops": [b"BiasAdd", b"Relu"], "num_args": 1}
    arrays = [_X, _FILTERS, _n.floats(*shape)]
    theirs = ask(tfjs_runtime, tmp_path / "model", "_FusedConv2D", attrs, arrays)
    assert_same(evaluate(_node("_FusedConv2D", attrs, arrays), arrays), theirs)


def test_tfjs_leaves_out_an_activation_that_stands_alone(
    tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    attrs = {**_STEPS, "T": "float32", "fused_ops": [b"Relu"], "num_args": 0}
    arrays = [_X, _FILTERS]
    theirs = ask(tfjs_runtime, tmp_path / "model", "_FusedConv2D", attrs, arrays)
    node = _node("_FusedConv2D", attrs, arrays)
    assert_same(evaluate(node, arrays, as_tfjs=True), theirs)
    assert_same(evaluate(node, arrays), [np.maximum(theirs[0], 0)])


@pytest.mark.parametrize(
    ("following", "count"),
    [
        ([b"BiasAdd"], 1),
        ([b"BiasAdd", b"Relu6"], 1),
        ([b"BiasAdd", b"LeakyRelu"], 1),
        ([b"FusedBatchNorm"], 4),
        ([b"FusedBatchNorm", b"Relu"], 4),
    ],
    ids=str,
)
def test_what_follows_a_convolution_is_what_tensorflow_computes(
    following: list[bytes], count: int, tensorflow: ModuleType
) -> None:
    told = case(
        "_FusedConv2D",
        _X,
        _FILTERS,
        [_n.floats(5, low=0.1) for _ in range(count)],
        [],
        TArgs=["float32"] * count,
        fused_ops=following,
        num_args=count,
        epsilon=1e-3,
        leakyrelu_alpha=0.3,
        **_WINDOW,
    )
    assert_same(evaluate(told.node(), told.inputs), run_tensorflow(tensorflow, told))


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid", "LeakyRelu"])
def test_what_follows_a_product_is_what_tensorflow_computes(
    activation: str, tensorflow: ModuleType
) -> None:
    told = case(
        "_FusedMatMul",
        _A,
        _B.T.copy(),
        [_n.floats(5)],
        fused_ops=[b"BiasAdd", activation.encode()],
        transpose_b=True,
    )
    assert_same(evaluate(told.node(), told.inputs), run_tensorflow(tensorflow, told))


@pytest.mark.parametrize(
    ("following", "rest"),
    [
        ([b"BiasAdd"], []),
        ([b"BiasAdd"], [_n.floats(4)]),
        ([b"BiasAdd"], [_n.floats(5), _n.floats(5)]),
        ([b"BiasAdd", b"Gelu"], [_n.floats(5)]),
        ([b"FusedBatchNorm"], [_n.floats(5)] * 3),
    ],
    ids=["none", "other channels", "too many", "unknown", "too few"],
)
def test_what_does_not_go_together_is_refused(following: list[bytes], rest: list[Array]) -> None:
    arrays = [_X, _FILTERS, *rest]
    node = _node("_FusedConv2D", {**_STEPS, "fused_ops": following}, arrays)
    with pytest.raises(ValueError, match=r"no activation|(more|fewer) inputs|broadcast"):
        evaluate(node, arrays)


def _first(array: Array) -> Array:
    return np.moveaxis(array, -1, 1)


def test_channels_may_come_first() -> None:
    attrs = {**_STEPS, "fused_ops": [b"BiasAdd", b"Relu"]}
    rest = [_n.floats(5)]
    (last,) = evaluate(_node("_FusedConv2D", attrs, []), [_X, _FILTERS, *rest])
    moved = {**attrs, "data_format": b"NCHW", "strides": [1, 1, 2, 2]}
    (first,) = evaluate(_node("_FusedConv2D", moved, []), [_first(_X), _FILTERS, *rest])
    np.testing.assert_array_equal(first, _first(last))


# TF.js's own names -------------------------------------------------------------------------------

_OWN: list[tuple[str, Attrs, list[Array]]] = [
    ("DepthwiseConv2d", _STEPS, [_X, _EACH]),
    (
        "Conv1D",
        {"stride": 2, "padding": b"SAME", "data_format": b"NWC", "dilation": 1},
        [_n.floats(2, 9, 4), _n.floats(3, 4, 5)],
    ),
    (
        "Conv1D",
        {"stride": 1, "padding": b"VALID", "data_format": b"NWC", "dilation": 2},
        [_n.floats(2, 9, 4), _n.floats(3, 4, 5)],
    ),
    ("Prelu", {}, [_n.floats(2, 3, 4), _n.floats(4)]),
    ("Ones", {"T": "int32"}, [np.array([2, 3], np.int32)]),
    ("Zeros", {"T": "float32"}, [np.array([4], np.int32)]),
]


@pytest.mark.parametrize(("op", "attrs", "arrays"), _OWN, ids=lambda value: str(value)[:20])
def test_operations_of_tfjs_alone(
    op: str, attrs: Attrs, arrays: list[Array], tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    fixed = (0,) if op in ("Ones", "Zeros") else ()
    theirs = ask(tfjs_runtime, tmp_path / "model", op, attrs, arrays, fixed=fixed)
    node = _node(op, attrs, arrays)
    assert_same(evaluate(node, arrays, as_tfjs=True), theirs)
    declared = find(op)
    assert declared is not None
    assert list(declared.infer(node)) == [theirs[0].shape]
