"""Cases of `tfjs.ops.resize`."""

from __future__ import annotations

import itertools

from tests.support.op_cases.case import Case, Numbers, case

_n = Numbers(16)
_SIZES = [(8, 10), (2, 3), (5, 4), (1, 1), (7, 2)]

CASES: list[Case] = [
    *(
        case(
            op,
            _n.floats(2, 4, 5, 3),
            list(size),
            align_corners=align,
            half_pixel_centers=half,
            fixed=[1],
            label=f"{size[0]},{size[1]}{'align' * align}{'half' * half}",
        )
        for op in ("ResizeNearestNeighbor", "ResizeBilinear", "ResizeBicubic")
        for size in _SIZES
        for align, half in itertools.product((False, True), repeat=2)
        if not (align and half)
    ),
    *(
        case(op, _n.any(dtype, 1, 3, 4, 2), [5, 7], fixed=[1])
        for op in ("ResizeNearestNeighbor", "ResizeBilinear", "ResizeBicubic")
        for dtype in ("uint8", "int32", "float64")
    ),
    case("ResizeArea", _n.floats(2, 4, 5, 3), [2, 3], fixed=[1]),
    case("ResizeNearestNeighborGrad", _n.floats(2, 4, 6, 3), [2, 3], fixed=[1]),
    case("RGBToHSV", _n.floats(2, 2, 3, low=0)),
    case("AdjustContrastv2", _n.floats(2, 2, 3, low=0), 0.5),
    case("AdjustHue", _n.floats(2, 2, 3, low=0), 0.5),
    case("AdjustSaturation", _n.floats(2, 2, 3, low=0), 0.5),
]
