"""Files that are something else than their name says, told from their first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tfjs.errors import FormatError

HEAD = 64  # bytes that are enough to tell


class Mistaken(NamedTuple):
    """What a file is instead of what it should be, and what to do about it."""

    what: str
    hint: str


_WEB_PAGE = Mistaken(
    "a web page, not the file itself",
    "a server answered with its error page: check the address and download the file again",
)
_LFS = Mistaken(
    "a Git LFS pointer, not the file itself", "run `git lfs pull`, or download the file itself"
)
_GZIP = Mistaken("compressed with gzip", "expand it with `gunzip` (rename it to end in .gz first)")

_MARKS = (
    (b"<!doctype", _WEB_PAGE),
    (b"<html", _WEB_PAGE),
    (b"<?xml", _WEB_PAGE),
    (b"404: not found", _WEB_PAGE),
    (b"version https://git-lfs", _LFS),
    (b"\x1f\x8b\x08", _GZIP),
)


def mistaken(head: bytes) -> Mistaken | None:
    """What the first bytes of a file tell of it, None where they tell nothing.

    Chance bytes of weights may look like this too: ask only about a file that does not fit.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, found in _MARKS:
        if start.startswith(mark):
            return found
    return None


def mistaken_file(path: Path) -> Mistaken | None:
    """The same of a file.

    Raises:
        FormatError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return mistaken(file.read(HEAD))
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", where=str(path)) from None
