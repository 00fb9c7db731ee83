"""Cases of `tfjs.ops.passing`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case
from tfjs.ir.graph import Dims

_n = Numbers(3)
_SHAPES: list[tuple[int, ...]] = [(2, 3), (), (0, 4), (1, 2, 3, 1)]

CASES: list[Case] = [
    *(
        case(op, _n.floats(2, 3))
        for op in ("Identity", "StopGradient", "PreventGradient", "Snapshot", "DeepCopy")
    ),
    case("Identity", _n.strings(3)),
    case("GuaranteeConst", _n.ints(3)),
    case("LoopCond", np.array(True)),
    case("CheckNumerics", _n.floats(2, 3), message=b""),
    case("CheckNumericsV2", _n.floats(2, 3), message=b""),
    case("EnsureShape", _n.floats(2, 3), shape=Dims((None, 3))),
    case("EnsureShape", _n.floats(2, 3), shape=Dims(None)),
    case("IdentityN", [_n.floats(2, 3), _n.ints(4), _n.strings(2)]),
    *(case("Shape", _n.floats(*shape)) for shape in _SHAPES),
    case("Shape", _n.floats(2, 3), out_type="int64"),
    *(case("Size", _n.floats(*shape)) for shape in _SHAPES),
    case("Size", _n.floats(2, 3), out_type="int64"),
    *(case("Rank", _n.floats(*shape)) for shape in _SHAPES),
    case("ShapeN", [_n.floats(2, 3), _n.floats(4), _n.floats(1, 1, 1)]),
    case("ShapeN", [_n.floats(2, 3)], out_type="int64"),
]
