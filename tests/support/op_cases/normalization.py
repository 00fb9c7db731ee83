"""Cases of `tfjs.ops.normalization`."""

from __future__ import annotations

from typing import Any

from tests.support.op_cases.case import Case, Numbers, case, float32

_n = Numbers(15)
# What is kept for a gradient is left as it was.
_MADE = (0, 1, 2)


def _batch_norm(op: str, dtype: str = "float32", **attrs: Any) -> Case:
    shape = (2, 3, 4, 4) if attrs.get("data_format") == b"NCHW" else (2, 4, 4, 3)
    scale, offset, mean = (_n.floats(3) for _ in range(3))
    variance = _n.floats(3, low=0.1)
    x = _n.floats(*shape, dtype=dtype)
    return case(op, x, scale, offset, mean, variance, is_training=False, outputs=_MADE, **attrs)


CASES: list[Case] = [
    *(
        case(op, _n.floats(*shape, dtype=dtype))
        for op in ("Softmax", "LogSoftmax")
        for dtype in ("float32", "float64", "float16")
        for shape in [(5,), (2, 3), (2, 3, 4)]
    ),
    case("Softmax", float32([[1000, 0, -1000], [5, 5, 5]])),
    case("SoftmaxCrossEntropyWithLogits", _n.floats(2, 3), _n.floats(2, 3)),
    case("SparseSoftmaxCrossEntropyWithLogits", _n.floats(2, 3), [1, 2]),
    _batch_norm("FusedBatchNorm"),
    _batch_norm("FusedBatchNormV2", epsilon=0.01),
    _batch_norm("FusedBatchNormV3", epsilon=0.001),
    _batch_norm("FusedBatchNormV3", dtype="float16", epsilon=0.01),
    case("LRN", _n.floats(2, 3, 2, 7)),
    case("LRN", _n.floats(1, 2, 2, 6), depth_radius=2, bias=0.5, alpha=0.3, beta=0.75),
]
