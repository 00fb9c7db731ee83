"""Cases of `tfjs.ops.image`."""

from __future__ import annotations

from tests.support.op_cases.case import Case, Numbers, case, float32

_n = Numbers(17)
_BOXES = float32([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 5, 1, 6], [0.2, 0, 0.9, 1]])
_SCORES = float32([0.9, 0.75, 0.6, 0.2])

CASES: list[Case] = [
    *(
        case(
            "CropAndResize",
            _n.floats(2, 6, 5, 3),
            _BOXES,
            [0, 1, 0, 1],
            [3, 4],
            method=method,
            fixed=[3],
            label=method.decode(),
        )
        for method in (b"bilinear", b"nearest")
    ),
    case(
        "ImageProjectiveTransformV2",
        _n.floats(2, 6, 5, 3),
        _n.floats(1, 8),
        [4, 4],
        interpolation=b"BILINEAR",
        fixed=[2],
    ),
    case(
        "ImageProjectiveTransformV3",
        _n.floats(2, 6, 5, 3),
        _n.floats(1, 8),
        [4, 4],
        1.0,
        interpolation=b"NEAREST",
        fixed=[2],
    ),
    case("ExtractGlimpse", _n.floats(2, 6, 5, 3), [3, 2], _n.floats(2, 2), fixed=[1]),
    case("NonMaxSuppression", _BOXES, _SCORES, 3, dynamic=True),
    case("NonMaxSuppressionV2", _BOXES, _SCORES, 3, 0.5, dynamic=True),
    case("NonMaxSuppressionV3", _BOXES, _SCORES, 3, 0.5, 0.3, dynamic=True),
    *(
        case(
            "NonMaxSuppressionV4",
            _BOXES,
            _SCORES,
            6,
            0.5,
            0.3,
            pad_to_max_output_size=pad,
            dynamic=not pad,
            fixed=[2],
            label=f"{pad}",
        )
        for pad in (False, True)
    ),
    case("NonMaxSuppressionV5", _BOXES, _SCORES, 3, 0.5, 0.3, 0.1, dynamic=True),
    case(
        "NonMaxSuppressionV5",
        _BOXES,
        _SCORES,
        6,
        0.5,
        0.3,
        0.0,
        pad_to_max_output_size=True,
        fixed=[2],
    ),
    *(
        case(
            "CombinedNonMaxSuppression",
            _n.floats(2, 4, classes, 4),
            _n.floats(2, 4, 2, low=0),
            each,
            total,
            0.5,
            0.3,
            pad_per_class=pad,
            fixed=[2, 3],
            label=f"{each},{total},{pad}",
        )
        for classes, each, total, pad in [(1, 3, 5, False), (2, 2, 5, True), (2, 2, 3, True)]
    ),
]
