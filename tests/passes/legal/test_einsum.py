from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.support.drawing import Drawing
from tests.support.graph_roundtrip import Case, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.passes.legal import RULES
from tfjs.passes.rules import apply_rules

CLOSE: dict[str, Any] = {"rtol": 2e-6, "atol": 2e-6}
_Shapes = dict[str, list[tuple[int, ...]]]

_STATIC_AND_FREE: _Shapes = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "abc,cde->abde": [(2, 3, 4), (4, 5, 2)],
    "BTNH,BSNH->BNTS": [(2, 3, 4, 5), (2, 6, 4, 5)],
    "BNTS,BSNH->BTNH": [(2, 4, 3, 6), (2, 6, 4, 5)],
    "...x,xy->...y": [(2, 3, 4), (4, 5)],
    "...ij,...jk->...ik": [(2, 1, 3, 4), (5, 4, 2)],
    "i,j->ij": [(3,), (4,)],
    "ij->ji": [(3, 4)],
    "ij->": [(3, 4)],
    "i,i->": [(4,), (4,)],
    "bij,bj->bi": [(2, 3, 4), (2, 4)],
    "abcd,cdef->abef": [(2, 3, 4, 5), (4, 5, 2, 3)],
    "ijk,jil->kl": [(3, 4, 5), (4, 3, 2)],
    "ab,bc->ca": [(2, 3), (3, 4)],
    # TF.js takes capitals for small letters.
    "Aa,aB->AB": [(2, 3), (3, 4)],
    "...,...->...": [(2, 3), (3,)],
    "ij,kj->ik": [(3, 4), (5, 4)],
    "ji,jk->ik": [(4, 3), (4, 5)],
}
_DIAGONALS: _Shapes = {
    "ii->i": [(4, 4)],
    "ii->": [(4, 4)],
    "iij->j": [(3, 3, 2)],
    "...ii->...i": [(2, 3, 4, 4)],
    "aij,ajj->ai": [(2, 3, 4), (2, 4, 4)],
    "i->ii": [(4,)],
    "bi->ibi": [(2, 4)],
}


def _case(equation: str, shapes: list[tuple[int, ...]], *, free: bool) -> Case:
    inputs = [floats(*shape, seed=index) for index, shape in enumerate(shapes)]
    return Case(
        lambda tf, *values: tf.raw_ops.Einsum(inputs=list(values), equation=equation),
        *inputs,
        free=[[None] * len(shape) for shape in shapes] if free else None,
        rule="einsum",
        **CLOSE,
    )


CASES = {
    **{name: _case(name, shapes, free=False) for name, shapes in _STATIC_AND_FREE.items()},
    **{
        f"{name}, free": _case(name, shapes, free=True) for name, shapes in _STATIC_AND_FREE.items()
    },
    **{name: _case(name, shapes, free=False) for name, shapes in _DIAGONALS.items()},
    "of integers": Case(
        lambda tf, x, y: tf.einsum("ij,jk->ik", x, y),
        integers(-9, 9, 3, 4),
        integers(-9, 9, 4, 5),
        rule="einsum",
    ),
}


def test_several_operands_are_taken_one_after_the_other() -> None:
    drawing = Drawing()
    inputs = [
        drawing.feed(name, "float32", shape)
        for name, shape in {"x": (2, 3), "y": (3, 4), "z": (4, 5)}.items()
    ]
    attrs: dict[str, Any] = {"equation": b"ij,jk,kl->il", "T": "float32", "N": 3}
    graph = drawing.gives(out=drawing.op("Einsum", "product", *inputs, **attrs))
    apply_rules(graph, RULES)
    assert [node.op for node in graph.ordered()] == [*["Placeholder"] * 3, "MatMul", "MatMul"]
    assert graph.outputs[0].shape == (2, 5)


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
