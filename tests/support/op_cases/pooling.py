"""Cases of `tfjs.ops.pooling`."""

from __future__ import annotations

from tests.support.op_cases.case import Case, Numbers, case

_n = Numbers(14)
_PADDINGS = (b"VALID", b"SAME")
_WINDOWS = [
    ([1, 2, 2, 1], [1, 2, 2, 1]),
    ([1, 3, 2, 1], [1, 1, 1, 1]),
    ([1, 2, 3, 1], [1, 3, 2, 1]),
]

CASES: list[Case] = [
    *(
        case(
            op,
            _n.floats(2, 7, 6, 3),
            ksize=ksize,
            strides=strides,
            padding=padding,
            label=f"{padding.decode()}{ksize}{strides}",
        )
        for op in ("MaxPool", "AvgPool")
        for padding in _PADDINGS
        for ksize, strides in _WINDOWS
    ),
    case(
        "MaxPool", _n.floats(1, 3, 3, 1), ksize=[1, 9, 9, 1], strides=[1, 1, 1, 1], padding=b"SAME"
    ),
    case(
        "AvgPool", _n.floats(1, 3, 3, 1), ksize=[1, 9, 9, 1], strides=[1, 2, 2, 1], padding=b"SAME"
    ),
    case(
        "MaxPool", _n.floats(2, 3, 3, 4), ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding=b"VALID"
    ),
    case(
        "MaxPool", _n.ints(1, 4, 4, 2), ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding=b"VALID"
    ),
    case(
        "MaxPool",
        _n.floats(1, 5, 5, 2),
        ksize=[1, 3, 3, 1],
        strides=[1, 2, 2, 1],
        padding=b"EXPLICIT",
        explicit_paddings=[0, 0, 1, 1, 0, 2, 0, 0],
    ),
    case(
        "AvgPool",
        _n.floats(2, 7, 6, 3),
        ksize=[1, 2, 3, 1],
        strides=[1, 3, 2, 3],
        padding=b"VALID",
        label="strides of channels",
    ),
    *(
        case(
            op,
            _n.floats(1, 5, 4, 6, 2),
            ksize=[1, 2, 3, 2, 1],
            strides=[1, 2, 1, 2, 1],
            padding=padding,
            label=padding.decode(),
        )
        for op in ("MaxPool3D", "AvgPool3D")
        for padding in _PADDINGS
    ),
    *(
        case(
            "MaxPoolWithArgmax",
            _n.floats(2, 5, 4, 3),
            ksize=[1, 2, 2, 1],
            strides=[1, 2, 1, 1],
            padding=padding,
            include_batch_in_index=batch,
            label=f"{padding.decode()}{batch}",
        )
        for padding in _PADDINGS
        for batch in (False, True)
    ),
    case(
        "MaxPoolV2",
        _n.floats(1, 5, 4, 2),
        [1, 2, 2, 1],
        [1, 2, 1, 1],
        padding=b"SAME",
        fixed=[1, 2],
    ),
    *(
        case(
            "ExtractImagePatches",
            _n.floats(batch, 6, 5, 3),
            ksizes=[1, 3, 2, 1],
            strides=[1, stride, 1, 1],
            rates=[1, 1, rate, 1],
            padding=padding,
            label=f"{padding.decode()}{stride}{rate}",
        )
        for padding in _PADDINGS
        for stride, rate, batch in [(1, 1, 2), (2, 2, 2), (1, 1, 0)]
    ),
    case(
        "ExtractVolumePatches",
        _n.floats(1, 4, 5, 4, 2),
        ksizes=[1, 2, 2, 3, 1],
        strides=[1, 2, 1, 1, 1],
        padding=b"SAME",
    ),
]
