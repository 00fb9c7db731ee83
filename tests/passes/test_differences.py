"""What is told of TF.js's own differences from TensorFlow, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.drawing import Drawing
from tfjs.ir.graph import Shape, Type
from tfjs.passes.differences import difference_notes, rounding_notes

Input = tuple[str, Shape] | npt.NDArray[np.generic]
FREE = (None, None)
ROWS = np.array([0], np.int32)
SECOND = np.array([-1], np.int32)


def float32(*shape: int | None) -> tuple[str, Shape]:
    return ("float32", shape)


def int32(*shape: int | None) -> tuple[str, Shape]:
    return ("int32", shape)


def notes_of(op: str, inputs: list[Input], attrs: dict[str, Any]) -> list[str]:
    """What is told of one node, with inputs that are fed or constant."""
    draw = Drawing()
    values = [
        draw.constant(f"c{index}", item)
        if isinstance(item, np.ndarray)
        else draw.feed(f"x{index}", *item)
        for index, item in enumerate(inputs)
    ]
    node = draw.graph.add(op, values, attrs, [Type(values[0].dtype)], name="y")
    return difference_notes([draw.gives(out=node.output)])


EMPTY = "goes along an axis that turns out empty"
OVER = "wasm gives zeros for some sizes"
GROUPS = "taken for one of a single group"
APART = "TF.js throws where shapes do not go together"
SAME = {"padding": b"SAME", "strides": [1, 3, 1, 1]}
LAX = {"incompatible_shape_error": False}


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "told"),
    [
        ("Max", [float32(None, 3), ROWS], {}, EMPTY),
        ("Max", [float32(None, 3), SECOND], {}, ""),
        ("Sum", [float32(2, None), SECOND], {}, EMPTY),
        ("Any", [("bool", None), SECOND], {}, EMPTY),
        ("Mean", [float32(None, 3), int32(1)], {}, EMPTY),
        ("Mean", [float32(2, 3), int32(1)], {}, ""),
        ("MatMul", [float32(2, None), float32(None, 2)], {}, EMPTY),
        ("MatMul", [float32(None, 2), float32(2, None)], {}, ""),
        ("MatMul", [float32(2, None), float32(3, 2)], {}, ""),
        ("MatMul", [float32(None, 2), float32(None, 2)], {"transpose_a": True}, EMPTY),
        ("BatchMatMulV2", [float32(3, 2, None), float32(3, 4, None)], {"adj_y": True}, EMPTY),
        ("BatchMatMulV2", [("float32", None), float32(3, 2, 4)], {}, "batches of unknown rank"),
        ("BatchMatMulV2", [float32(None, 3, 2), float32(None, 2, 4)], {}, ""),
        ("Conv2D", [float32(1, 9, 9, None), float32(3, 3, 2, 4)], SAME, GROUPS),
        ("Conv2D", [float32(1, 9, 9, 2), float32(3, 3, 2, 4)], SAME, ""),
        ("Conv2D", [float32(1, None, None, 2), float32(2, 2, 2, 4)], SAME, OVER),
        ("Conv2D", [float32(1, None, None, 2), float32(1, 1, 2, 4)], SAME, ""),
        ("Conv2D", [float32(1, None, None, 2), float32(3, 1, 2, 4)], SAME, ""),
        ("Conv2D", [float32(1, None, None, 2), float32(2, 2, 2, 4)], {"padding": b"VALID"}, ""),
        ("DepthwiseConv2dNative", [float32(1, None, 6, 2), float32(2, 2, 2, 1)], SAME, OVER),
        ("DepthwiseConv2dNative", [float32(1, 6, 6, 2), float32(2, 2, 2, 1)], SAME, ""),
        ("Equal", [float32(None), float32(None)], LAX, APART),
        ("NotEqual", [float32(2), float32(3, None)], LAX, APART),
        ("Equal", [float32(None), float32(None)], {}, ""),
        ("Equal", [float32(None), float32()], LAX, ""),
        ("Equal", [("float32", None), float32()], LAX, ""),
        ("Equal", [("float32", None), float32(2)], LAX, APART),
        ("Equal", [float32(None, 3), float32(1, 3)], LAX, ""),
        ("Dilation2D", [float32(*FREE, *FREE), float32(2, 2, 1)], {}, "below 0 for 0"),
        ("MaxPoolWithArgmax", [float32(*FREE, *FREE)], {}, "and the last of equal ones"),
        ("FloorDiv", [int32(2), int32(2)], {}, "wasm divides integers in float32"),
        ("FloorDiv", [int32(2), np.array([3], np.int32)], {}, "wasm divides integers in float32"),
        ("FloorDiv", [np.array([1 << 24], np.int32), np.array([3], np.int32)], {}, ""),
        ("Mul", [int32(2), int32(2)], {}, "products of integers beyond 2^53"),
        ("Mul", [int32(2), np.array([1 << 22], np.int32)], {}, ""),
        ("Mul", [float32(2), float32(2)], {}, ""),
        ("Pow", [int32(2), int32(2)], {}, "powers of integers beyond 2^31"),
        ("Pow", [int32(2), np.array([2], np.int32)], {}, "powers of integers beyond 2^31"),
        ("Pow", [np.array([10], np.int32), np.array([9], np.int32)], {}, ""),
        ("Pow", [float32(2), float32(2)], {}, ""),
        ("CropAndResize", [float32(1, 4, 4, 1)], {"method": b"nearest"}, "the other pixel"),
        ("CropAndResize", [float32(1, 4, 4, 1)], {"method": b"bilinear"}, ""),
        ("TopKV2", [float32(9), np.array(2, np.int32)], {}, ""),
        ("FloorMod", [float32(9), np.array(-np.inf, np.float32)], {}, "order infinities wrongly"),
        ("FloorMod", [float32(9), np.array(np.nan, np.float32)], {}, ""),
        ("FloorMod", [float32(9), np.array(1e30, np.float32)], {}, ""),
    ],
)
def test_what_is_told(op: str, inputs: list[Input], attrs: dict[str, Any], told: str) -> None:
    notes = notes_of(op, inputs, {"strides": [1] * 4, **attrs})
    assert len(notes) == (1 if told else 0), notes
    assert told in "".join(notes)


@pytest.mark.parametrize(
    ("user", "most", "reader", "told"),
    [
        ("AddV2", -np.inf, "TopKV2", ["order infinities wrongly"]),
        ("AddV2", -np.inf, "Max", ["-1e20 and no smallest above 1e20; the graph has inf"]),
        ("SelectV2", -3e38, "Softmax", ["the graph has 3e+38"]),
        ("SelectV2", -3e38, "TopKV2", []),
        ("SelectV2", -1e9, "Softmax", []),
        ("Minimum", np.inf, "Softmax", []),
        ("PadV2", -3e38, "Max", []),
    ],
)
def test_what_constants_tell(user: str, most: float, reader: str, told: list[str]) -> None:
    draw = Drawing()
    x = draw.feed("x", "float32", (2, 3))
    y = draw.op(user, "y", x, draw.constant("c", np.array(most, np.float32)))
    y.shape = (2, 3)
    z = draw.op(reader, "z", y, draw.constant("axis", [1]))
    notes = difference_notes([draw.gives(out=z)])
    assert len(notes) == len(told), notes
    assert all(text in note for text, note in zip(told, notes, strict=True))


def test_something_beside_it_fills_an_axis() -> None:
    draw = Drawing()
    x = draw.feed("x", "int32", (None,))
    first, any_axis = draw.constant("zero", 0), draw.feed("axis", "int32", ())
    for name, along in (("filled", first), ("other", any_axis)):
        both = draw.op("ConcatV2", name, x, draw.constant(f"one_{name}", [-1]), along)
        both.dtype, both.shape = "int32", (None,)
        draw.op("Max", f"max_{name}", both, draw.constant(f"axes_{name}", [0]), dtype="int32")
    (note,) = difference_notes([draw.gives()])
    assert note.endswith(": Max (max_other)")


def test_nodes_are_named_by_what_they_were() -> None:
    main, body = Drawing(), Drawing("body")
    for draw, count in ((main, 6), (body, 1)):
        x = draw.feed("x", "int32", (2,))
        for index in range(count):
            node = draw.op("Mul", f"m{index}", x, x, dtype="int32").node
            node.origin = (f"source{index}",)
    (note,) = difference_notes([body.gives(), main.gives()])
    names = [f"Mul (source{index})" for index in range(4)]
    assert note.endswith(": " + ", ".join(["Mul (body/source0)", *names, "..."]))


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("float32", "float16", True),
        ("float64", "bfloat16", True),
        ("int32", "float16", False),
        ("float16", "float32", False),
    ],
)
def test_rounding(source: str, target: str, told: bool) -> None:
    draw = Drawing()
    x = draw.feed("x", source, (2,))
    y = draw.op("Cast", "y", x, dtype=target, SrcT=source, DstT=target)
    notes = rounding_notes([draw.gives(y=y)])
    assert notes == ([f"computed in float32, without being rounded: {target}"] if told else [])
