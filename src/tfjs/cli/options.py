"""Values of options: sizes, quantisation rules, metadata files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from tfjs.errors import UsageError

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}
_DTYPES = ("float16", "uint8", "uint16")

Rules = dict[Literal["float16", "uint8", "uint16"], list[str] | Literal[True]]


def parse_size(text: str) -> int:
    """A number of bytes from `4194304`, `4MiB` or `500 KB`.

    Raises:
        UsageError: it is no size, or not positive.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    unit = _UNITS.get(found[2].lower()) if found else None
    size = int(float(found[1]) * unit) if found and unit else 0
    if size < 1:
        raise UsageError(f"{text!r} is no size in bytes", hint="such as 4MiB, 500KB or 4194304")
    return size


def parse_quantize(values: Sequence[str]) -> Rules:
    """Quantisation rules from `uint8=conv*,dense/kernel` and `float16`.

    Raises:
        UsageError: a dtype is unknown, or there is a `=` with nothing behind it.
    """
    rules: Rules = {}
    for value in values:
        dtype, given, patterns = value.partition("=")
        if given and not patterns.strip():
            raise UsageError(
                f"--quantize {value} names no weights",
                hint=f"{dtype} alone stores all weights so, {dtype}=PATTERNS some of them",
            )
        if dtype not in _DTYPES:
            raise UsageError(
                f"weights cannot be stored as {dtype!r}", hint=f"choose from {', '.join(_DTYPES)}"
            )
        add_rule(rules, dtype, patterns if given else "")
    return rules


def add_rule(rules: Rules, dtype: str, patterns: str) -> None:
    """Add comma-separated patterns for a dtype; none, or a bare `*`, stands for all others."""
    key = cast("Literal['float16', 'uint8', 'uint16']", dtype)
    names = [name.strip() for name in patterns.split(",") if name.strip()]
    before = rules.get(key)
    if not names or names == ["*"] or before is True:
        rules[key] = True
    else:
        rules[key] = [*(before or []), *names]


def parse_metadata(values: Sequence[str]) -> dict[str, Any]:
    """User-defined metadata from `key:file` pairs, each file a JSON document.

    Raises:
        UsageError: a value is no such pair.
        FormatError: a file is missing or no JSON.
    """
    from tfjs.io.json import read_json  # noqa: PLC0415 - keeps `tfjs --help` fast

    metadata: dict[str, Any] = {}
    for value in values:
        key, given, file = value.partition(":")
        if not key or not given or not file:
            raise UsageError(f"--metadata takes KEY:FILE, not {value!r}")
        metadata[key] = read_json(Path(file))
    return metadata


def parse_names(text: str | None) -> list[str] | None:
    """Names from a comma-separated list; None where there is no such list."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
