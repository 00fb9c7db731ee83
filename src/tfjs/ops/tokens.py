"""Texts taken apart, joined to n-grams, hashed, and searched by regular expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Kernel, as_first, declare
from tfjs.ops.fingerprints import fingerprint64
from tfjs.ops.patterns import Pattern
from tfjs.ops.shaping import integers
from tfjs.ops.strings import of_each

# N-grams hold each text several times.
_MOST_BYTES = 1 << 28


def _scalar_text(x: Array) -> bytes:
    if x.size != 1:
        raise ValueError(f"one text was expected, and {x.size} are given")
    return bytes(x.reshape(-1)[0])


def _texts(items: Sequence[bytes]) -> Array:
    result = np.empty(len(items), object)
    result[:] = items
    return result


# Splitting ---------------------------------------------------------------------------------------


def _split_shape(node: Node) -> list[Shape]:
    return [(None, 2), (None,), (2,)]


def _taken_apart(x: Array, split: Callable[[bytes], list[bytes]]) -> tuple[Array, Array, Array]:
    """The parts of each text as a sparse matrix: indices, values and shape."""
    if x.ndim != 1:
        raise ValueError(f"rank {x.ndim} should be 1")
    parts = [split(item) for item in x]
    places = [(row, column) for row, found in enumerate(parts) for column in range(len(found))]
    values = _texts([item for found in parts for item in found])
    shape = [len(parts), max(map(len, parts), default=0)]
    return np.array(places, np.int64).reshape(-1, 2), values, np.array(shape, np.int64)


def _split(attrs: Attrs, x: Array, delimiter: Array) -> tuple[Array, ...]:
    marks = _scalar_text(delimiter)
    skip = attrs.get("skip_empty", True)

    def split(item: bytes) -> list[bytes]:
        if not marks or not item:
            return [item[at : at + 1] for at in range(len(item))]
        # Each byte of the delimiter is one.
        table = bytes(marks[0] if byte in marks else byte for byte in range(256))
        parts = item.translate(table).split(marks[:1])
        found, start = [], 0
        for part in parts:
            found.append(item[start : start + len(part)])
            start += len(part) + 1
        return [part for part in found if part or not skip]

    return _taken_apart(x, split)


def _split_by_text(attrs: Attrs, x: Array, delimiter: Array) -> tuple[Array, ...]:
    mark, most = _scalar_text(delimiter), attrs.get("maxsplit", -1)

    def split(item: bytes) -> list[bytes]:
        if mark or not most:
            return item.split(mark, most) if mark else [item]
        parts = item.split(None, most)
        # After the last split there is a rest, though it be empty.
        return [*parts, b""] if len(parts) == most else parts

    return _taken_apart(x, split)


declare("StringSplit", infer=_split_shape, kernel=_split)
declare("StringSplitV2", infer=_split_shape, kernel=_split_by_text)


# N-grams -----------------------------------------------------------------------------------------


class _Grams:
    """The n-grams of rows of texts; see the attributes of StringNGrams."""

    def __init__(self, attrs: Attrs, *, lower: bool) -> None:
        names = ("separator", "left_pad", "right_pad")
        texts = [bytes(attrs.get(name) or b"") for name in names]
        self._mark, self._left, self._right = [t.lower() for t in texts] if lower else texts
        self._widths = [int(width) for width in attrs["ngram_widths"]]
        self._pad = int(attrs.get("pad_width", 0))
        self._keep_short = bool(attrs.get("preserve_short_sequences", False))
        self._left_bytes = _MOST_BYTES
        if min(self._widths, default=1) < 1:
            raise ValueError(f"no n-grams of {self._widths}")

    def of(self, row: list[bytes]) -> list[bytes]:
        """All n-grams of a row, those of one width after those of another."""
        made = [item for width in self._widths for item in self._of_width(row, width)]
        if made or not self._keep_short or not row:
            return made
        return [self._join(row, max(0, self._pad), max(0, self._pad))]

    def _of_width(self, row: list[bytes], width: int) -> list[bytes]:
        pad = width - 1 if self._pad < 0 else min(self._pad, width - 1)
        count = max(0, len(row) + 2 * pad - width + 1)
        made: list[bytes] = []
        for index in range(count):
            left, right = max(0, pad - index), max(0, pad - (count - index - 1))
            start = max(0, index - pad)
            made.append(self._join(row[start : start + width - left - right], left, right))
        return made

    def _join(self, items: list[bytes], left: int, right: int) -> bytes:
        size = sum(map(len, items)) + left * len(self._left) + right * len(self._right)
        self._left_bytes -= size + (len(items) + left + right) * max(1, len(self._mark))
        if self._left_bytes < 0:
            raise ValueError("the n-grams are too long")
        return self._mark.join([*[self._left] * left, *items, *[self._right] * right])


def _ngrams(*, lower: bool) -> Kernel:
    def kernel(attrs: Attrs, data: Array, splits: Array) -> tuple[Array, Array]:
        bounds = integers(splits)
        first, last = (bounds[0], bounds[-1]) if bounds else (0, len(data))
        if data.ndim != 1 or first != 0 or last != len(data) or sorted(bounds) != bounds:
            raise ValueError(f"{bounds} do not split {len(data)} texts")
        grams = _Grams(attrs, lower=lower)
        rows = [grams.of(list(data[low:high])) for low, high in pairwise(bounds)]
        made = np.cumsum([0, *map(len, rows)]) if bounds else np.zeros(0)
        return _texts([item for row in rows for item in row]), made.astype(splits.dtype)

    return kernel


declare(
    "StringNGrams",
    infer=lambda node: [(None,), node.inputs[1].shape],
    kernel=_ngrams(lower=False),
    # TF.js reads attributes of text in lower case.
    tfjs_kernel=_ngrams(lower=True),
)


# Hashing -----------------------------------------------------------------------------------------


def _bucket(attrs: Attrs, x: Array) -> Array:
    count = attrs["num_buckets"]
    return of_each(lambda item: fingerprint64(item) % count, x, np.int64)


declare("StringToHashBucketFast", infer=as_first, kernel=_bucket)


# Regular expressions -----------------------------------------------------------------------------


def _replaced(text: str, pattern: Pattern, rewrite: list[str | int], *, every: bool) -> str:
    """A text with the first match, or with every match, rewritten."""
    made: list[str] = []
    at, last = 0, -1
    pattern.begin(text)
    while at <= len(text):
        found = pattern.search(text, at)
        if found is None:
            break
        begin, end = found[0] or 0, found[1] or 0
        made.append(text[at:begin])
        if begin == end == last:
            # Nothing is no match right behind a match.
            made.append(text[begin : begin + 1])
            at = begin + 1
            continue
        made += [item if isinstance(item, str) else _group(text, found, item) for item in rewrite]
        at = last = end
        if not every:
            break
    return "".join([*made, text[at:]])


def _replaced_js(text: str, pattern: Pattern, rewrite: list[str | int], *, every: bool) -> str:
    """As JavaScript does it: nothing is a match wherever it is found."""
    made: list[str] = []
    at, start = 0, 0
    pattern.begin(text)
    while start <= len(text):
        found = pattern.search(text, start)
        if found is None:
            break
        begin, end = found[0] or 0, found[1] or 0
        made.append(text[at:begin])
        made += [item if isinstance(item, str) else _group(text, found, item) for item in rewrite]
        at, start = end, end + (begin == end)
        if not every:
            break
    return "".join([*made, text[at:]])


def _group(text: str, found: list[int | None], number: int) -> str:
    begin, end = found[2 * number], found[2 * number + 1]
    return "" if begin is None or end is None else text[begin:end]


def _rewrite(text: str, groups: int) -> list[str | int]:
    """Texts, and numbers of groups, of a replacement: \\1 is a group, \\\\ a backslash."""
    parts = text.split("\\\\")
    found: list[str | int] = []
    for index, part in enumerate(parts):
        head, *rest = part.split("\\")
        found += [*(["\\"] if index else []), head]
        for item in rest:
            if not item[:1].isdigit() or int(item[0]) > groups:
                raise ValueError(f"no group \\{item[:1]}")
            found += [int(item[0]), item[1:]]
    return found


def _rewrite_js(text: str, groups: int) -> list[str | int]:
    """The same for JavaScript: $1 is a group, $& the match, $$ a dollar."""
    found: list[str | int] = []
    at = 0
    while at < len(text):
        stop = text.find("$", at)
        stop = len(text) if stop < 0 else stop
        found.append(text[at:stop])
        sign = text[stop + 1 : stop + 2]
        if sign in ("`", "'", "<") and sign:
            raise ValueError(f"no replacement ${sign}")
        if sign.isdigit() and 0 < int(sign) <= groups < 10:
            found.append(int(sign))
        elif stop < len(text):
            found.append(0 if sign == "&" else "$" if sign in ("$", "") else f"${sign}")
        at = stop + 1 + len(sign)
    return found


def _replace(attrs: Attrs, x: Array, pattern: bytes, rewrite: bytes) -> Array:
    known = Pattern(pattern.decode())
    parts = _rewrite(rewrite.decode(), known.groups)
    every = bool(attrs.get("replace_global", True))
    return of_each(lambda item: _replaced(item.decode(), known, parts, every=every).encode(), x)


def _static_replace(attrs: Attrs, x: Array) -> Array:
    return _replace(attrs, x, attrs["pattern"], attrs["rewrite"])


def _replace_tfjs(attrs: Attrs, x: Array) -> Array:
    # TF.js reads attributes of text in lower case.
    known = Pattern(attrs["pattern"].decode().lower(), javascript=True)
    parts = _rewrite_js(attrs["rewrite"].decode().lower(), known.groups)
    every = bool(attrs.get("replace_global", True))
    return of_each(lambda item: _replaced_js(item.decode(), known, parts, every=every).encode(), x)


def _full_match(pattern: bytes, x: Array) -> Array:
    known = Pattern(pattern.decode())
    found: Any = of_each(lambda item: known.covers(item.decode()), x, np.bool_)
    return np.asarray(found)


# A search may take longer than its text tells: none is made while a model is converted.
declare(
    "StaticRegexReplace",
    infer=as_first,
    kernel=_static_replace,
    tfjs_kernel=_replace_tfjs,
    folds=False,
)
declare(
    "RegexReplace",
    infer=as_first,
    kernel=lambda attrs, x, pattern, rewrite: _replace(
        attrs, x, _scalar_text(pattern), _scalar_text(rewrite)
    ),
    folds=False,
)
declare(
    "StaticRegexFullMatch",
    infer=as_first,
    kernel=lambda attrs, x: _full_match(attrs["pattern"], x),
    folds=False,
)
declare(
    "RegexFullMatch",
    infer=as_first,
    kernel=lambda attrs, x, pattern: _full_match(_scalar_text(pattern), x),
    folds=False,
)
