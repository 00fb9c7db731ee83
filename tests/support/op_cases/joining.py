"""Cases of `tfjs.ops.joining`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int32, int64

_n = Numbers(7)

CASES: list[Case] = [
    case("ConcatV2", [_n.floats(2, 3), _n.floats(1, 3)], 0, fixed=[2]),
    case("ConcatV2", [_n.floats(2, 3), _n.floats(2, 1), _n.floats(2, 2)], -1, fixed=[3]),
    case("ConcatV2", [_n.strings(2), _n.strings(3)], int64(0), fixed=[2]),
    case("ConcatV2", [_n.ints(2, 0), _n.ints(2, 4)], 1, fixed=[2]),
    case("ConcatV2", [_n.bools(3, 2, 2), _n.bools(3, 1, 2)], 1, fixed=[2]),
    case("Concat", 1, [_n.floats(2, 3), _n.floats(2, 2)], fixed=[0]),
    case("ConcatOffset", 1, [[2, 3, 4], [2, 5, 4], [2, 1, 4]], fixed=[0]),
    *(case("Pack", [_n.floats(2, 3), _n.floats(2, 3)], axis=axis) for axis in (0, 1, 2, -1, -3)),
    case("Pack", [int32(1), int32(5)]),
    case("Pack", [_n.strings(2)]),
    *(case("Unpack", _n.floats(2, 3, 2), axis=axis, num=num) for axis, num in [(0, 2), (-2, 3)]),
    case("Unpack", _n.ints(4), num=4),
    case("Unpack", _n.floats(0, 2), num=0),
    case("Split", 1, _n.floats(2, 6), num_split=3, fixed=[0]),
    case("Split", -1, _n.strings(2, 6), num_split=2, fixed=[0]),
    case("Split", 0, _n.floats(4, 1), num_split=1, fixed=[0]),
    case("SplitV", _n.floats(2, 6), [1, 2, 3], 1, num_split=3, fixed=[1, 2]),
    case("SplitV", _n.floats(2, 6), int64([1, -1, 3]), -1, num_split=3, fixed=[1, 2]),
    case("SplitV", _n.ints(5), [0, 5], 0, num_split=2, fixed=[1, 2]),
    case("Tile", _n.floats(2, 3), [2, 1], fixed=[1]),
    case("Tile", _n.ints(2, 3), int64([3, 2]), fixed=[1]),
    case("Tile", _n.floats(2, 3), [0, 2], fixed=[1]),
    case("Tile", _n.strings(2), [3], fixed=[1]),
    case("Tile", float32(2), np.zeros(0, np.int32), fixed=[1]),
    case("Pad", _n.floats(2, 3), [[1, 0], [2, 3]], fixed=[1]),
    case("Pad", _n.ints(3), int64([[0, 2]]), fixed=[1]),
    case("Pad", _n.bools(2, 2), [[1, 1], [0, 1]], fixed=[1]),
    case("PadV2", _n.floats(2, 3), [[1, 0], [2, 3]], -1.5, fixed=[1]),
    case("PadV2", _n.floats(1, 2, 3, 2), [[0, 0], [1, 1], [2, 0], [0, 0]], 2.0, fixed=[1]),
    case("MirrorPad", _n.floats(3, 4), [[1, 2], [3, 0]], mode=b"REFLECT", fixed=[1]),
    case("MirrorPad", _n.floats(3, 4), [[3, 2], [4, 1]], mode=b"SYMMETRIC", fixed=[1]),
    case("MirrorPad", _n.ints(3, 2), int64([[0, 0], [0, 1]]), mode=b"REFLECT", fixed=[1]),
    case("Reverse", _n.floats(2, 3), [True, False], fixed=[1]),
    case("ReverseV2", _n.floats(2, 3, 4), [0, -1], fixed=[1]),
    case("ReverseV2", _n.floats(2, 3), np.zeros(0, np.int32), fixed=[1]),
    case("ReverseV2", float32(3), [0], fixed=[1]),
    case("ReverseV2", _n.strings(3), int64([0]), fixed=[1]),
    case("Roll", _n.floats(2, 5), 2, 1),
    case("Roll", _n.floats(2, 5), -7, -1),
    case("Roll", _n.ints(3, 4), [1, -1], [0, 1]),
    case("Roll", _n.floats(5), [1, 2], [0, 0]),
    case("ReverseSequence", _n.floats(3, 4, 2), [4, 0, 2], seq_dim=1, batch_dim=0),
    case("ReverseSequence", _n.floats(4, 3), int64([1, 3, 4]), seq_dim=0, batch_dim=1),
    case("ReverseSequence", _n.ints(2, 3, 4), [3, 2], seq_dim=2),
]
