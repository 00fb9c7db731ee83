"""Cases of `tfjs.ops.spectral`."""

from __future__ import annotations

from tests.support.op_cases.case import Case, Numbers, case, int64

_n = Numbers(20)

CASES: list[Case] = [
    *(
        case(f"{kind}{suffix}", _n.complexes(2, 3, 4, 4, dtype=dtype), rtol=1e-4)
        for kind in ("FFT", "IFFT")
        for suffix in ("", "2D", "3D")
        for dtype in ("complex64", "complex128")
    ),
    *(
        case(f"RFFT{suffix}", _n.floats(2, 3, 4, 6), length, fixed=[1], rtol=1e-4)
        for suffix, length in [
            ("", [6]),
            ("", [5]),
            ("2D", [4, 6]),
            ("2D", [3, 4]),
            ("3D", [3, 4, 6]),
        ]
    ),
    case("RFFT", _n.floats(2, 6, dtype="float64"), [6], Tcomplex="complex128", fixed=[1]),
    *(
        case(f"IRFFT{suffix}", _n.complexes(2, 3, 4, 4), length, fixed=[1], rtol=1e-4)
        for suffix, length in [("", [6]), ("", [5]), ("", [7]), ("2D", [4, 6]), ("3D", [3, 4, 6])]
    ),
    *(
        case("AudioSpectrogram", _n.floats(50, 2), window_size=size, stride=stride)
        for size, stride in [(16, 8), (20, 7), (9, 3)]
    ),
    case("Mfcc", _n.floats(1, 4, 257, low=0), 16000, dct_coefficient_count=5),
    case("DataFormatDimMap", [0, 1, -1, 3]),
    case("DataFormatDimMap", [0, 1, 2, 3], src_format=b"NCHW", dst_format=b"NHWC"),
    case("DataFormatVecPermute", [7, 4, 9, 3]),
    case("DataFormatVecPermute", [4, 9], src_format=b"NCHW", dst_format=b"NHWC"),
    case("DataFormatVecPermute", int64([7, 4, 9, 3]), src_format=b"NCHW", dst_format=b"NHWC"),
]
