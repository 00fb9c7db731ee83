from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfjs.formats.node_checks import check_attrs, check_functions, check_inputs
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Type
from tfjs.ir.tensor import ArrayTensor
from tfjs.ops.definitions import Definition, definition


def signature(op: str) -> Definition:
    found = definition(op)
    assert found is not None
    return found


def one(op: str, dtypes: list[str], **attrs: Any) -> Node:
    """A node that reads a value of each dtype and gives one of float32."""
    graph = Graph()
    values = [graph.add("Placeholder", [], {}, [Type(d)], name="x").output for d in dtypes]
    return graph.add(op, values, attrs, [Type("float32")], name="n")


def body(*dtypes: str) -> Graph:
    """A function that gives its first argument back."""
    graph = Graph("f")
    graph.inputs = [graph.add("Placeholder", [], {}, [Type(d)], name=f"a{d}") for d in dtypes]
    graph.outputs, graph.output_names = [graph.inputs[0].output], ["y"]
    return graph


class TestAttributes:
    def test_whole_ones(self) -> None:
        known = signature("Conv2D")
        attrs = {**known.defaults, "T": "float32", "strides": [1, 1, 1, 1], "padding": b"SAME"}
        check_attrs("Conv2D", known, attrs, complete=True)

    @pytest.mark.parametrize(
        "change",
        [
            *({"T": None}, {"T": 1}, {"strides": 1}, {"strides": [1, b"x"]}, {"padding": "SAME"}),
            *({"use_cudnn_on_gpu": 1}, {"strides": [True]}, {"padding": Dims(())}),
        ],
    )
    def test_one_of_another_type(self, change: dict[str, Any]) -> None:
        known = signature("Conv2D")
        attrs = {**known.defaults, "T": "float32", "strides": [1, 1, 1, 1], "padding": b"SAME"}
        (name,) = change
        with pytest.raises(ValueError, match=f"as its attribute '{name}'"):
            check_attrs("Conv2D", known, attrs | change, complete=True)

    def test_one_is_missing(self) -> None:
        check_attrs("Relu", signature("Relu"), {}, complete=False)
        with pytest.raises(ValueError, match="has no attribute 'T', which Relu needs"):
            check_attrs("Relu", signature("Relu"), {}, complete=True)

    def test_a_constant_of_another_dtype(self) -> None:
        attrs = {"value": ArrayTensor([1.5]), "dtype": "int32"}
        with pytest.raises(ValueError, match="of dtype int32 and holds float64"):
            check_attrs("Const", signature("Const"), attrs, complete=True)

    def test_numbers_of_bfloat16_are_held_as_float32(self) -> None:
        numbers = np.array([1.5], np.float32)
        attrs = {"value": ArrayTensor(numbers), "dtype": "bfloat16"}
        check_attrs("Const", signature("Const"), attrs, complete=True)


def test_dtypes_of_inputs() -> None:
    check_inputs(one("AddN", ["float32", "int32"]), ["float32", None])
    with pytest.raises(ValueError, match="takes int32, but 'x' gives float32"):
        check_inputs(one("AddN", ["float32"]), ["int32"])


class TestFunctions:
    def test_a_call_that_fits(self) -> None:
        node = one("PartitionedCall", ["float32", "int32"], f=FuncRef("f"))
        check_functions(node, {"f": body("float32", "int32")}, dtypes=True)

    @pytest.mark.parametrize("dtypes", [("float32",), ("int32", "int32"), ("float32",) * 3])
    def test_a_call_that_does_not(self, dtypes: tuple[str, ...]) -> None:
        node = one("PartitionedCall", ["float32", "int32"], f=FuncRef("f"))
        with pytest.raises(ValueError, match="does not fit the function 'f' that it runs"):
            check_functions(node, {"f": body(*dtypes)}, dtypes=True)

    def test_dtypes_may_differ_where_they_are_not_told(self) -> None:
        node = one("PartitionedCall", ["float32"], f=FuncRef("f"))
        check_functions(node, {"f": body("int32")}, dtypes=False)

    def test_an_if_hands_all_but_its_predicate_over(self) -> None:
        attrs = {"then_branch": FuncRef("f"), "else_branch": FuncRef("f")}
        check_functions(
            one("If", ["bool", "float32"], **attrs), {"f": body("float32")}, dtypes=True
        )
        with pytest.raises(ValueError, match="does not fit"):
            check_functions(one("If", ["float32"], **attrs), {"f": body("float32")}, dtypes=True)

    @pytest.mark.parametrize("branches", [None, [], [b"f"], 3])
    def test_no_functions(self, branches: Any) -> None:
        node = one("Case", ["int32"], branches=branches)
        with pytest.raises(ValueError, match="has no function as its attribute 'branches'"):
            check_functions(node, {}, dtypes=True)
