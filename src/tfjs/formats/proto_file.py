"""Files that hold one protobuf message, in binary or, where they end in `.pbtxt`, as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, FormatError
from tfjs.io.files import FileSpan, file_size
from tfjs.io.mistaken import mistaken_file
from tfjs.wire.protobuf import parse, parse_text

TEXT_SUFFIX = ".pbtxt"
_LIMIT = (2 << 30) - 1  # protobuf's own
_TEXT_LIMIT = 1 << 30


def read_message(full_name: str, path: Path) -> Any:
    """The message in a file.

    Raises:
        FormatError: the file is missing, unreadable or larger than a message can be.
        CorruptFileError: it holds no such message.
    """
    size = file_size(path)
    is_text = path.suffix.lower() == TEXT_SUFFIX
    if size > (_TEXT_LIMIT if is_text else _LIMIT):
        raise FormatError(f"has {size} bytes, more than a message may have", where=str(path))
    data = FileSpan(path, 0, size).view()
    try:
        if is_text:
            return parse_text(full_name, bytes(data), str(path))
        return parse(full_name, data, str(path))
    except CorruptFileError:
        other = mistaken_file(path)
        if other is not None:
            raise CorruptFileError(f"is {other.what}", where=str(path), hint=other.hint) from None
        raise
