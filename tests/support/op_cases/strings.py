"""Cases of `tfjs.ops.strings`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, int64

_n = Numbers(19)
_WORDS = np.array([[b"Hello", b" wORLD\n"], [b"", "Straße Ä".encode()]], object)

CASES: list[Case] = [
    *(
        case(op, _WORDS, encoding=encoding, label=encoding.decode())
        for op in ("StringLower", "StringUpper")
        for encoding in (b"", b"utf-8")
        if (op, encoding) != ("StringUpper", b"utf-8")
    ),
    case("StringUpper", ["abc", "Ä"], encoding=b"utf-8", label="utf-8"),
    case("StringStrip", _WORDS),
    *(
        case("StringLength", _WORDS, unit=unit, label=unit.decode())
        for unit in (b"BYTE", b"UTF8_CHAR")
    ),
    case("StringJoin", [_n.strings(2, 2), _n.strings(2, 2)], separator=b", "),
    case("StringJoin", [np.array(b"a", object), _n.strings(3), np.array(b"z", object)]),
    case("StringJoin", [np.array(b"a", object)]),
    case("Substr", ["hello", "world!"], 1, 3),
    case("Substr", ["hello", "world!"], [0, -2], [9, 2]),
    case("Substr", "abc", [0, 3], [1, 1]),
    case("Substr", "hello", 1, -1),
    case("StringToNumber", ["1.5", " -3", "2e3"]),
    case("StringToNumber", ["1", "-30"], out_type="int32"),
    case("StringToNumber", ["1", "-30"], out_type="int64"),
    case("StringToNumber", ["1.25"], out_type="float64"),
    # Only shapes.
    case("AsString", _n.floats(2, 3)),
    case("RegexReplace", _n.strings(2), "a", "b"),
    case("StaticRegexReplace", _n.strings(2), pattern=b"a", rewrite=b"b"),
    case("StaticRegexFullMatch", _n.strings(2), pattern=b"a.*"),
    case("StringToHashBucketFast", _n.strings(2, 2), num_buckets=9),
    case("StringFormat", [_n.floats(2)], template=b"%s", placeholder=b"%s"),
    case("ReduceJoin", _n.strings(2, 3), [1], fixed=[1]),
    case("ReduceJoin", _n.strings(2, 3), [0], keep_dims=True, fixed=[1]),
    case("StringSplit", ["a b", "c"], " ", dynamic=True),
    case("StringSplitV2", ["a b", "c"], " ", dynamic=True),
    case(
        "StringNGrams",
        ["a", "b", "c"],
        int64([0, 2, 3]),
        separator=b" ",
        ngram_widths=[2],
        left_pad=b"",
        right_pad=b"",
        pad_width=0,
        preserve_short_sequences=False,
        dynamic=True,
    ),
    case("UnsortedSegmentJoin", _n.strings(3), [0, 2, 0], 3, fixed=[2]),
    case("DecodeRaw", ["abcd", "efgh"], out_type="uint8", dynamic=True),
    case("EncodeBase64", _n.strings(2)),
    case("UnicodeTranscode", _n.strings(2), input_encoding=b"UTF-8", output_encoding=b"UTF-8"),
    case("UnicodeDecode", ["ab", "c"], input_encoding=b"UTF-8", dynamic=True),
]
