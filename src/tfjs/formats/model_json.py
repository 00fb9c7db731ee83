"""Where the JSON file of a TF.js model is, and how it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfjs.errors import FormatError
from tfjs.io.json import read_json

_HEAD = 1 << 16


def find_json(path: Path) -> Path | None:
    """The JSON file of a TF.js model: the path itself, `model.json` in it, or the only JSON."""
    if not path.is_dir():
        return path
    if (path / "model.json").is_file():
        return path / "model.json"
    found = sorted(path.glob("*.json"))
    return found[0] if len(found) == 1 else None


def read_model_json(path: Path) -> tuple[Path, Any]:
    """The JSON file of a TF.js model, and what it holds.

    Raises:
        FormatError: there is none, or it cannot be read.
        CorruptFileError: it is damaged.
    """
    file = find_json(path)
    if file is None:
        raise FormatError("holds no model.json", where=str(path))
    return file, read_json(file)


def json_head(path: Path) -> bytes:
    """The first bytes of the JSON file of a TF.js model; empty where there is none to read."""
    try:
        file = find_json(path)
        if file is None or not file.is_file() or file.stat().st_size == 0:
            return b""
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError:
        return b""
    return head if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else b""
