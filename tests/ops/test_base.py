"""How kernels are chosen, and what is folded with them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.op_cases import Case, case
from tfjs.ir.graph import Graph, Value
from tfjs.ops.base import all_ops, evaluate, infer_types
from tfjs.ops.definitions import definition
from tfjs.passes.fold import fold_graph

_BOXES = np.array([[0, 0, 1, 1], [2, 2, 3, 3]], np.float32)
_TEXTS = np.array([b"abc", b"b"], object)


def test_what_has_no_kernel_is_not_computed() -> None:
    told = case("Digamma", np.ones(2, np.float32))
    with pytest.raises(ValueError, match="Digamma has no kernel"):
        evaluate(told.node(), told.inputs)


@pytest.mark.parametrize(
    "told",
    [
        case("ArgMax", np.array([1.0, 3.0], np.float32), 0, output_type="int64"),
        case("Where", np.array([True, False])),
        case("StringToHashBucketFast", _TEXTS, num_buckets=9),
    ],
    ids=lambda told: told.op,
)
def test_tfjs_has_integers_of_32_bits(told: Case) -> None:
    (plain,), (short,) = (
        evaluate(told.node(), told.inputs, as_tfjs=as_tfjs) for as_tfjs in (False, True)
    )
    assert plain.dtype == np.int64
    assert short.dtype == np.int32
    np.testing.assert_array_equal(short, plain)


def _folded(told: Case) -> Graph:
    graph = Graph()
    values = [graph.constant(item, name=f"x{at}") for at, item in enumerate(told.inputs)]
    node = graph.add(told.op, values, told.attrs, [], name="node")
    node.outputs = [Value(node, at, type_) for at, type_ in enumerate(infer_types(node))]
    graph.outputs = [node.outputs[0]]
    fold_graph(graph)
    return graph


@pytest.mark.parametrize(
    "told",
    [
        case("StaticRegexReplace", _TEXTS, pattern=b"b", rewrite=b""),
        case(
            "NonMaxSuppressionV4",
            _BOXES,
            np.ones(2, np.float32),
            2,
            0.5,
            0.0,
            pad_to_max_output_size=True,
        ),
        case("_FusedMatMul", _BOXES, _BOXES.T, [np.ones(2, np.float32)], fused_ops=[b"BiasAdd"]),
        case("RandomUniform", [2, 3], dtype="float32"),
    ],
    ids=lambda told: told.op,
)
def test_what_may_take_long_or_is_drawn_is_not_folded(told: Case) -> None:
    assert _folded(told).nodes["node"].op == told.op


def test_what_is_quick_is_folded() -> None:
    assert _folded(case("Neg", np.ones(2, np.float32))).nodes["node"].op == "Const"


def test_hardly_anything_that_does_more_than_compute_has_a_kernel() -> None:
    stateful = {
        op.name
        for op in all_ops().values()
        if op.kernel is not None and (known := definition(op.name)) and known.stateful
    }
    # They check, print or copy; random numbers are the runtime's.
    assert stateful == {
        *("CheckNumerics", "CheckNumericsV2", "DebugIdentityV2", "DebugIdentityV3", "DeepCopy"),
        *("Empty", "GuaranteeConst", "Print", "SleepIdentityOp"),
    }
