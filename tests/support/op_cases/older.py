"""Cases of operations that newer ones have taken the place of.

`op_oracle.py` tells how TensorFlow still answers for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, float64, int32, int64, uint8
from tests.support.op_cases.linalg import positive, regular
from tfjs.ir.graph import Dims

_n = Numbers(31)
_REDUCED = ("Sum", "Prod", "Max", "Min")
_PADDINGS = (b"VALID", b"SAME")
# What is rounded how: labels and attributes.
_SIGNS: list[tuple[str, dict[str, Any]]] = [("", {}), ("unsigned", {"signed_input": False})]
_FEW_BITS: list[tuple[str, dict[str, Any]]] = [("bits", {"num_bits": 4})]
_NARROW: list[tuple[str, dict[str, Any]]] = [("narrow", {"narrow_range": True})]
_UP: list[tuple[str, dict[str, Any]]] = [("up", {"round_mode": b"HALF_UP"})]
_EDGES = float32([[-2.5, -0.004, 0, 0.5], [1.5, 1.996, 2.5, np.inf]])


def _quantized(op: str, *more: int, label: str = "", **attrs: Any) -> Case:
    """With a given range, of numbers beyond it and on its edges."""
    fixed = range(1, 3 + len(more))
    return case(op, _EDGES, -1.0, 2.0, *more, fixed=fixed, label=label, **attrs)


CASES: list[Case] = [
    case("AccumulateNV2", [_n.floats(2, 3), _n.floats(2, 3), _n.floats(2, 3)], shape=Dims((2, 3))),
    case("AccumulateNV2", [_n.ints(4)], shape=Dims((4,))),
    case("AccumulateNV2", [uint8([200, 3]), uint8([100, 4])], shape=Dims((2,)), label="wraps"),
    *(case("TopK", _n.any(dtype, 2, 3, 5), k=3) for dtype in ("float32", "int32", "uint8")),
    case("TopK", int32([[3, 1, 3, 2], [0, 0, 0, 0]]), k=3, label="ties"),
    case("TopK", _n.floats(2, 4), k=0),
    case("TopK", _n.floats(4), k=4),
    # Blocks.
    case("SpaceToBatch", _n.floats(2, 4, 6, 3), [[0, 0], [0, 0]], block_size=2, fixed=[1]),
    case("SpaceToBatch", _n.floats(1, 3, 4, 2), int64([[1, 2], [2, 0]]), block_size=3, fixed=[1]),
    case("SpaceToBatch", _n.ints(1, 2, 2, 1), [[0, 0], [0, 0]], block_size=2, fixed=[1]),
    case("BatchToSpace", _n.floats(8, 2, 3, 3), [[0, 0], [0, 0]], block_size=2, fixed=[1]),
    case("BatchToSpace", _n.floats(9, 2, 2, 2), int64([[1, 2], [2, 0]]), block_size=3, fixed=[1]),
    # Segments of which the number is told; some have no rows.
    *(case(f"Segment{how}V2", _n.floats(5, 2), [0, 0, 1, 3, 3], 5, fixed=[2]) for how in _REDUCED),
    *(
        case(f"Segment{how}V2", _n.ints(4), int64([0, 1, 1, 1]), int64(3), fixed=[1, 2])
        for how in _REDUCED
    ),
    # Matrices.
    *(
        case("BatchMatrixBandPart", _n.floats(2, 4, 5), int64(low), int64(high), label=f"{low}")
        for low, high in [(0, 0), (1, -1), (-1, 0)]
    ),
    case("BatchMatrixBandPart", _n.ints(3, 2), int64(1), int64(0), fixed=[1, 2]),
    case("BatchMatrixDiag", _n.floats(2, 3)),
    case("BatchMatrixDiag", _n.ints(3)),
    case("BatchMatrixDiagPart", _n.floats(2, 3, 4)),
    case("BatchMatrixDiagPart", _n.floats(4, 3)),
    case("BatchMatrixSetDiag", _n.floats(2, 3, 4), _n.floats(2, 3)),
    *(
        case("BatchMatrixInverse", regular(2, 3, 3), adjoint=adjoint, label=f"{adjoint}")
        for adjoint in (False, True)
    ),
    *(
        case("BatchMatrixSolve", regular(2, 3, 3), _n.floats(2, 3, 2), adjoint=adjoint)
        for adjoint in (False, True)
    ),
    *(
        case(
            "BatchMatrixTriangularSolve",
            regular(2, 3, 3),
            _n.floats(2, 3, 2),
            lower=lower,
            adjoint=adjoint,
            label=f"{lower}{adjoint}",
        )
        for lower in (False, True)
        for adjoint in (False, True)
    ),
    case("BatchMatrixSolveLs", _n.floats(2, 4, 3), _n.floats(2, 4, 2), float64(0.1)),
    case("BatchMatrixDeterminant", regular(2, 3, 3)),
    case("BatchCholesky", positive(2, 3, 3), rtol=1e-4),
    case("BatchSelfAdjointEigV2", positive(2, 3, 3)),
    case("BatchSvd", _n.floats(2, 4, 3)),
    # Transforms.
    *(
        case(f"Batch{kind}{suffix}", _n.complexes(2, 3, 4, 4), rtol=1e-4)
        for kind in ("FFT", "IFFT")
        for suffix in ("", "2D", "3D")
    ),
    # Convolutions of which the first input is only looked at for its shape.
    *(
        case(
            "Conv3DBackpropInput",
            _n.floats(1, 4, 5, 4, 2),
            _n.floats(2, 3, 2, 2, 3),
            _n.floats(1, *steps, 3),
            strides=[1, stride, stride, stride, 1],
            padding=padding,
            label=f"{padding.decode()}{stride}",
        )
        for padding, stride, steps in [
            (b"VALID", 1, (3, 3, 3)),
            (b"SAME", 1, (4, 5, 4)),
            (b"VALID", 2, (2, 2, 2)),
            (b"SAME", 2, (2, 3, 2)),
        ]
    ),
    case(
        "Conv3DBackpropInput",
        *(_n.floats(1, 3, 4, 4, 2), _n.floats(2, 2, 2, 2, 3), _n.floats(1, 2, 3, 3, 3)),
        strides=[1] * 5,
        padding=b"VALID",
        fixed=[0],
    ),
    *(
        case(
            "Conv2DBackpropInputV2",
            _n.floats(2, 6, 7, 4),
            _n.floats(3, 2, 4, 6),
            _n.floats(2, *((6, 7) if padding == b"SAME" else (4, 6)), 6),
            strides=[1, 1, 1, 1],
            padding=padding,
            label=padding.decode(),
        )
        for padding in _PADDINGS
    ),
    case(
        "Conv3DBackpropFilter",
        _n.floats(1, 3, 4, 4, 2),
        _n.floats(2, 2, 2, 2, 3),
        _n.floats(1, 2, 3, 3, 3),
        strides=[1] * 5,
        padding=b"VALID",
    ),
    # Batch normalization.
    *(
        case(
            "BatchNormWithGlobalNormalization",
            _n.floats(2, 3, 4, 3),
            *(_n.floats(3), _n.floats(3, low=0.1), _n.floats(3), _n.floats(3)),
            variance_epsilon=0.01,
            scale_after_normalization=scaled,
            label=f"{scaled}",
        )
        for scaled in (False, True)
    ),
    # Quantization and back.
    *(
        case(
            *("QuantizeAndDequantize", _EDGES),
            input_min=-1.0,
            input_max=2.0,
            range_given=True,
            label=label,
            **attrs,
        )
        for label, attrs in [*_SIGNS, *_FEW_BITS]
    ),
    *(
        _quantized(op, *more, range_given=True, label=label, **attrs)
        for op, more in [
            ("QuantizeAndDequantizeV2", ()),
            ("QuantizeAndDequantizeV3", (5,)),
            ("QuantizeAndDequantizeV4", ()),
        ]
        for label, attrs in [*_SIGNS, *_NARROW]
    ),
    *(
        _quantized(f"QuantizeAndDequantizeV{edition}", range_given=True, label=label, **attrs)
        for edition in (2, 4)
        for label, attrs in [*_UP, *_FEW_BITS]
    ),
    case(
        "QuantizeAndDequantizeV3",
        *(_n.floats(3, 2), [-1.0, -2.0], [2.0, 0.5], 8),
        axis=1,
        fixed=[1, 2, 3],
        label="axis",
    ),
]
