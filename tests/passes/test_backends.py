"""What is told of TF.js's backends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.drawing import Drawing
from tfjs.ir.graph import Shape, Type
from tfjs.passes.backends import backend_notes


def notes_of(op: str, *inputs: tuple[str, Shape] | npt.NDArray[np.generic]) -> list[str]:
    """What is told of one node, with inputs that are fed or constant."""
    draw = Drawing()
    values = [
        draw.constant(f"c{index}", item)
        if isinstance(item, np.ndarray)
        else draw.feed(f"x{index}", *item)
        for index, item in enumerate(inputs)
    ]
    node = draw.graph.add(op, values, {}, [Type(values[0].dtype)], name="y")
    return backend_notes([draw.gives(out=node.output)])


HIGH: Shape = (2, 2, 2, 2, None)
WIDTHS = np.zeros((5, 2), np.int32)
ENDS = np.zeros(5, np.int32)


@pytest.mark.parametrize(
    ("op", "inputs", "told"),
    [
        ("Pad", [("float32", HIGH), WIDTHS], "more than 4 dimensions: Pad"),
        ("Pad", [("float32", (2, 2, 2, None)), WIDTHS[1:]], ""),
        ("Pad", [("float32", None), WIDTHS], ""),
        ("SelectV2", [("bool", (2,)), ("float32", HIGH), ("float32", HIGH)], ": SelectV2"),
        ("StridedSlice", [("float32", HIGH), ENDS, ENDS, ENDS + 1], ""),
        ("StridedSlice", [("float32", HIGH), ENDS, ENDS, ENDS + 2], ": StridedSlice"),
        ("Transpose", [("int32", (2, 3, 4)), np.array([0, 2, 1], np.int32)], "WebGPU answers"),
        ("Transpose", [("float32", (2, 3, 4)), np.array([0, 2, 1], np.int32)], ""),
        ("Transpose", [("int32", (2, 3)), np.array([1, 0], np.int32)], ""),
        ("Sum", [("int32", (2, 3, 4)), np.array([2], np.int32)], ""),
        ("Sum", [("int32", (2, 3, 4)), np.array([-1, 1], np.int32)], ""),
        ("Sum", [("int32", (2, 3, 4)), np.array([0, 2], np.int32)], "3 dimensions and more: Sum"),
        ("Any", [("bool", (2, 3, 4)), ("int32", (1,))], "3 dimensions and more: Any"),
        ("Mul", [("int32", (2,)), np.array([3, -(1 << 24)], np.int32)], ""),
        ("Mul", [("int32", (2,)), np.array([3, -(1 << 24) - 1], np.int32)], "has 16777217"),
        ("Mul", [("int32", (2,)), np.full(257, 1 << 25, np.int32)], ""),
        ("Slice", [("int32", (9,)), np.array([0]), np.array([1 << 30], np.int32)], ""),
        ("AddV2", [("float32", (2,)), np.array(-65504, np.float32)], ""),
        ("AddV2", [("float32", (2,)), np.array([-1e9, np.inf], np.float32)], "graph has 1e+09"),
        ("AddV2", [("float32", (2,)), np.array([-np.inf, np.nan], np.float32)], ""),
        ("AddV2", [("float32", (2,)), np.array([0x7FA00000], np.uint32).view(np.float32)], ""),
        ("Unique", [("float32", (2,))], "webgpu backend, which lacks Unique"),
        ("Tile", [("string", (2,)), np.array([2], np.int32)], "wasm backend, which lacks Tile of"),
        ("Neg", [("complex64", (2,))], "wasm backend, which lacks complex numbers"),
    ],
)
def test_what_is_told(
    op: str, inputs: list[tuple[str, Shape] | npt.NDArray[np.generic]], told: str
) -> None:
    notes = notes_of(op, *inputs)
    assert len(notes) == (1 if told else 0), notes
    assert told in "".join(notes)
