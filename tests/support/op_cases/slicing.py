"""Cases of `tfjs.ops.slicing`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int64
from tfjs.ir.tensor import Array

_n = Numbers(6)
_BOUNDS = (1, 2, 3)


def _strided(shape: tuple[int, ...], specification: str, dtype: str = "int32") -> Case:
    """A case written as Python writes an index, such as "1:, ..., None, 2, ::-1".

    "2!" is one element with the masks of begin and end set, which must not matter.
    """
    masks: dict[str, Any] = dict.fromkeys(
        ("begin", "end", "ellipsis", "new_axis", "shrink_axis"), 0
    )
    bounds: tuple[list[int], list[int], list[int]] = ([], [], [])
    for place, part in enumerate(item.strip() for item in specification.split(",")):
        bit = 1 << place
        numbers = [0, 0, 1]
        if part == "...":
            masks["ellipsis"] |= bit
        elif part == "None":
            masks["new_axis"] |= bit
        elif ":" in part:
            first, last, step = [*part.split(":"), ""][:3]
            masks["begin"] |= 0 if first else bit
            masks["end"] |= 0 if last else bit
            numbers = [int(first or 0), int(last or 0), int(step or 1)]
        else:
            masks["shrink_axis"] |= bit
            if part.endswith("!"):
                masks["begin"] |= bit
                masks["end"] |= bit
            at = int(part.rstrip("!"))
            numbers = [at, at + 1, 1]
        for found, number in zip(bounds, numbers, strict=True):
            found.append(number)
    return case(
        "StridedSlice",
        _n.any("float32", *shape),
        *(np.array(numbers, dtype) for numbers in bounds),
        fixed=_BOUNDS,
        label=specification.replace(" ", ""),
        **{f"{name}_mask": mask for name, mask in masks.items()},
    )


_CUBE = (4, 5, 6)
_SPECIFICATIONS = [
    "1:3, 0:4, 2:6",
    "1:3",
    ":, 1:",
    ":2, ::2, ::-1",
    "::-2",
    "-3:-1, -1:0:-1",
    "3:1:-1, 4::-3",
    "3:1",
    "-9:9, 9:",
    "2",
    "-1, 1:3",
    "1, 2, 3",
    "..., 2",
    "..., 1:3, None",
    "1:, ...",
    "0, ..., None, -1",
    "None, 1, None, ..., None",
    "None",
    "...",
    "2!, :",
    "None, None, ::2",
    "..., -1:",
    ":, :, -4:-1:2",
    "9::-1",
    "5:2",
]


def _longs(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


CASES: list[Case] = [
    *(_strided(_CUBE, text) for text in _SPECIFICATIONS),
    _strided(_CUBE, "1:3, 2", dtype="int64"),
    _strided((7,), "1:6:2"),
    _strided((7,), "3"),
    _strided((3, 0), ":, :"),
    case("StridedSlice", _n.strings(4), [1], [3], [1], fixed=_BOUNDS),
    case("StridedSlice", float32(1), *([np.zeros(0, np.int32)] * 3), fixed=_BOUNDS),
    # A mask beyond all entries says nothing.
    case("StridedSlice", _n.floats(4, 5), [1], [3], [1], fixed=_BOUNDS, end_mask=2, label="mask"),
    # An ellipsis counts before a new axis, a new axis before one element.
    case(
        "StridedSlice",
        _n.floats(4, 5),
        [1, 0],
        [2, 0],
        [1, 1],
        fixed=_BOUNDS,
        shrink_axis_mask=3,
        new_axis_mask=2,
        label="new",
    ),
    case(
        "StridedSlice",
        _n.floats(4, 5),
        [0, 1],
        [0, 2],
        [1, 1],
        fixed=_BOUNDS,
        ellipsis_mask=1,
        new_axis_mask=1,
        label="ellipsis",
    ),
    case("Slice", _n.floats(4, 5), [1, 2], [2, 3], fixed=[1, 2]),
    case("Slice", _n.floats(4, 5), [1, 2], [-1, 0], fixed=[1, 2]),
    case("Slice", _n.floats(4, 5), _longs(0, 5), _longs(-1, -1), fixed=[1, 2]),
    case("Slice", float32(3), *([np.zeros(0, np.int32)] * 2), fixed=[1, 2]),
    case("Slice", _n.strings(4), [1], [2], fixed=[1, 2]),
    case(
        "TensorStridedSliceUpdate",
        _n.floats(4, 5),
        [1, 0],
        [3, 5],
        [1, 2],
        _n.floats(2, 3),
        fixed=_BOUNDS,
    ),
    case("UnravelIndex", [5, 0, 11], [3, 4], fixed=[1]),
    case("UnravelIndex", int64(7), _longs(2, 2, 3), fixed=[1]),
]
