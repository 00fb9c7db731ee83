"""Cases of `tfjs.ops.convolution`."""

from __future__ import annotations

import itertools

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case

_n = Numbers(13)
_PADDINGS = (b"VALID", b"SAME")
_EXPLICIT = [0, 0, 1, 2, 0, 1, 0, 0]


def _steps(stride: int, rank: int = 4) -> list[int]:
    return [1, *[stride] * (rank - 2), 1]


CASES: list[Case] = [
    *(
        case(
            "Conv2D",
            _n.floats(2, 7, 6, 4),
            _n.floats(3, 2, depth, 6),
            strides=_steps(stride),
            dilations=_steps(dilation),
            padding=padding,
            label=f"{padding.decode()}{stride}{dilation}",
        )
        for padding in _PADDINGS
        for stride, dilation in [(1, 1), (2, 1), (1, 2), (3, 1)]
        for depth in (4, 2)
    ),
    case(
        "Conv2D",
        _n.floats(1, 5, 5, 2),
        _n.floats(3, 3, 2, 3),
        strides=_steps(2),
        padding=b"EXPLICIT",
        explicit_paddings=_EXPLICIT,
        label="explicit",
    ),
    case(
        "Conv2D",
        _n.floats(1, 4, 4, 2, dtype="float64"),
        _n.floats(1, 1, 2, 3, dtype="float64"),
        strides=_steps(1),
        padding=b"VALID",
    ),
    case(
        "Conv2D", _n.floats(1, 3, 3, 1), _n.floats(5, 5, 1, 1), strides=_steps(1), padding=b"SAME"
    ),
    case(
        "Conv2D", _n.floats(0, 3, 3, 1), _n.floats(2, 2, 1, 1), strides=_steps(1), padding=b"SAME"
    ),
    *(
        case(
            "Conv3D",
            _n.floats(1, 4, 5, 4, 2),
            _n.floats(2, 3, 2, 2, 3),
            strides=_steps(stride, 5),
            padding=padding,
            label=f"{padding.decode()}{stride}",
        )
        for padding, stride in itertools.product(_PADDINGS, (1, 2))
    ),
    *(
        case(
            "DepthwiseConv2dNative",
            _n.floats(2, 6, 7, 3),
            _n.floats(3, 2, 3, 2),
            strides=_steps(stride),
            dilations=_steps(dilation),
            padding=padding,
            label=f"{padding.decode()}{stride}{dilation}",
        )
        for padding in _PADDINGS
        for stride, dilation in [(1, 1), (2, 1)]
    ),
    case(
        "DepthwiseConv2dNative",
        _n.floats(1, 5, 5, 2),
        _n.floats(3, 3, 2, 1),
        strides=_steps(1),
        padding=b"EXPLICIT",
        explicit_paddings=_EXPLICIT,
    ),
    # Back: what came out of a convolution of 7 x 6.
    *(
        case(
            "Conv2DBackpropInput",
            [2, 7, 6, 4],
            _n.floats(3, 2, depth, 6),
            _n.floats(2, *made, 6),
            strides=_steps(stride),
            padding=padding,
            fixed=[0],
            label=f"{padding.decode()}{stride}",
        )
        for padding, stride, made, depth in [
            (b"VALID", 1, (5, 5), 4),
            (b"VALID", 2, (3, 3), 4),
            (b"SAME", 1, (7, 6), 4),
            (b"SAME", 2, (4, 3), 4),
            (b"SAME", 3, (3, 2), 4),
        ]
    ),
    case(
        "Conv2DBackpropInput",
        [7, 6],
        _n.floats(3, 2, 4, 6),
        _n.floats(2, 4, 3, 6),
        strides=_steps(2),
        padding=b"SAME",
        fixed=[0],
        label="spatial",
    ),
    case(
        "Conv2DBackpropInput",
        [1, 5, 5, 2],
        _n.floats(3, 3, 2, 3),
        _n.floats(1, 3, 2, 3),
        strides=_steps(2),
        padding=b"EXPLICIT",
        explicit_paddings=_EXPLICIT,
        fixed=[0],
        label="explicit",
    ),
    case(
        "Conv3DBackpropInputV2",
        [1, 4, 5, 4, 2],
        _n.floats(2, 3, 2, 2, 3),
        _n.floats(1, 2, 3, 2, 3),
        strides=_steps(2, 5),
        padding=b"SAME",
        fixed=[0],
    ),
    case(
        "DepthwiseConv2dNativeBackpropInput",
        [2, 6, 7, 3],
        _n.floats(3, 2, 3, 2),
        _n.floats(2, 3, 4, 6),
        strides=_steps(2),
        padding=b"SAME",
        fixed=[0],
    ),
    case(
        "Conv2DBackpropFilter",
        _n.floats(2, 7, 6, 4),
        [3, 2, 4, 6],
        _n.floats(2, 7, 6, 6),
        strides=_steps(1),
        padding=b"SAME",
        fixed=[1],
    ),
    *(
        case(
            "Dilation2D",
            _n.floats(2, 6, 7, 3),
            _n.floats(3, 2, 3),
            strides=_steps(stride),
            rates=_steps(rate),
            padding=padding,
            label=f"{padding.decode()}{stride}{rate}",
        )
        for padding in _PADDINGS
        for stride, rate in [(1, 1), (2, 1), (1, 2)]
    ),
    case(
        "_FusedConv2D",
        _n.floats(1, 5, 5, 2),
        _n.floats(3, 3, 2, 3),
        [_n.floats(3)],
        [],
        TArgs=["float32"],
        strides=_steps(2),
        padding=b"SAME",
        fused_ops=[b"BiasAdd", b"Relu"],
        num_args=1,
    ),
    case("Conv2D", _n.ints(1, 4, 4, 2), _n.ints(2, 2, 2, 3), strides=_steps(1), padding=b"VALID"),
    case(
        "Conv2D",
        _n.floats(1, 4, 4, 2, dtype="float16"),
        np.ones((2, 2, 2, 3), np.float16),
        strides=_steps(1),
        padding=b"SAME",
    ),
]
