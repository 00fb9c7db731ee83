"""Cases of `tfjs.ops.shaping`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int32, int64
from tfjs.ir.tensor import Array

_n = Numbers(5)


def _longs(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def _empty() -> Array:
    return np.zeros(0, np.int32)


CASES: list[Case] = [
    case("Reshape", _n.floats(2, 3), [3, 2], fixed=[1]),
    case("Reshape", _n.floats(2, 3, 4), [-1], fixed=[1]),
    case("Reshape", _n.floats(2, 3, 4), [4, -1, 2], fixed=[1]),
    case("Reshape", _n.floats(2, 3, 4), _longs(2, -1), fixed=[1]),
    case("Reshape", _n.floats(1, 1), _empty(), fixed=[1]),
    case("Reshape", _n.floats(0, 3), [0, 5], fixed=[1]),
    case("Reshape", _n.floats(0, 3), [-1, 5], fixed=[1]),
    case("Reshape", _n.floats(0, 3), [0, -1], fixed=[1]),
    case("Reshape", _n.floats(4, 0, 3), [-1, 0, 2], fixed=[1]),
    case("Reshape", _n.floats(0, 0, 3), [-1, 0, 2], fixed=[1]),
    case("Reshape", _n.strings(2, 2), [4], fixed=[1]),
    *(case("ExpandDims", _n.floats(2, 3), axis, fixed=[1]) for axis in (0, 1, 2, -1, -3)),
    case("ExpandDims", _n.floats(2, 3), int32([1]), fixed=[1]),
    case("ExpandDims", float32(2), int64(0), fixed=[1]),
    case("Squeeze", _n.floats(1, 2, 1, 3)),
    case("Squeeze", _n.floats(1, 2, 1, 3), squeeze_dims=[0]),
    case("Squeeze", _n.floats(1, 2, 1, 3), squeeze_dims=[-2, 0]),
    case("Squeeze", _n.floats(2, 3)),
    case("Squeeze", _n.floats(1, 1)),
    *(case("Transpose", _n.floats(2, 3, 4), order, fixed=[1]) for order in ([2, 0, 1], [0, 2, 1])),
    case("Transpose", _n.ints(2, 3), _longs(1, 0), fixed=[1]),
    case("Transpose", float32(1), _empty(), fixed=[1]),
    case("Transpose", _n.strings(2, 3), [1, 0], fixed=[1]),
    case("Transpose", _n.floats(1, 2, 3, 4, 5), [4, 2, 0, 1, 3], fixed=[1]),
    case("ConjugateTranspose", _n.complexes(2, 3), [1, 0], fixed=[1]),
    case("InvertPermutation", _n.order(6)),
    case("InvertPermutation", int64([1, 2, 0])),
    case("BroadcastTo", _n.floats(3), [2, 3], fixed=[1]),
    case("BroadcastTo", _n.ints(2, 1), _longs(4, 2, 3), fixed=[1]),
    case("BroadcastTo", float32(2), _empty(), fixed=[1]),
    case("BroadcastTo", _n.floats(1), [0], fixed=[1]),
    case("BroadcastTo", _n.bools(1), [3], fixed=[1]),
    case("BroadcastArgs", [2, 1, 3], [4, 1]),
    case("BroadcastArgs", _empty(), [4, 1]),
    case("BroadcastArgs", _longs(1), _longs(5)),
    case("BroadcastGradientArgs", [2, 1], [1, 3], dynamic=True),
    # Blocks.
    case("SpaceToBatchND", _n.floats(2, 4, 6, 3), [2, 3], [[0, 0], [0, 0]], fixed=[1, 2]),
    case("SpaceToBatchND", _n.floats(2, 3, 5), [2], [[1, 0]], fixed=[1, 2]),
    case("SpaceToBatchND", _n.floats(1, 3, 4, 2), [2, 2], [[0, 1], [2, 0]], fixed=[1, 2]),
    case("SpaceToBatchND", _n.floats(2, 4, 2, 3, 2), [2, 1], [[0, 0], [1, 1]], fixed=[1, 2]),
    case("BatchToSpaceND", _n.floats(12, 2, 2, 3), [2, 3], [[0, 0], [0, 0]], fixed=[1, 2]),
    case("BatchToSpaceND", _n.floats(4, 2, 5), [2], [[1, 1]], fixed=[1, 2]),
    case("BatchToSpaceND", _n.floats(8, 2, 3, 2), [2, 2], [[0, 1], [2, 0]], fixed=[1, 2]),
    case("SpaceToDepth", _n.floats(2, 4, 6, 3), block_size=2),
    case("SpaceToDepth", _n.floats(1, 3, 6, 1), block_size=3),
    case("DepthToSpace", _n.floats(2, 2, 3, 8), block_size=2),
    case("DepthToSpace", _n.floats(1, 1, 2, 9), block_size=3),
]
