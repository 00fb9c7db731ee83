"""Files that are something else than their name says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfjs.errors import FormatError
from tfjs.io.mistaken import mistaken, mistaken_file


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"<!DOCTYPE html>\n<html>", "a web page"),
        (b"\xef\xbb\xbf \r\n<HTML lang=en>", "a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "a web page"),
        (b"404: Not Found", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a Git LFS pointer"),
        (b"\x1f\x8b\x08\x00\x00", "compressed with gzip"),
    ],
)
def test_tells_what_it_is(head: bytes, what: str) -> None:
    found = mistaken(head)
    assert found is not None
    assert found.what.startswith(what)


@pytest.mark.parametrize("head", [b"", b"\0\0\x80\x3f", b'[{"paths"', b"< html", b"\x1f\x8b\x00"])
def test_tells_nothing_of_other_bytes(head: bytes) -> None:
    assert mistaken(head) is None


def test_of_a_file(tmp_path: Path) -> None:
    page = tmp_path / "group1-shard1of1.bin"
    page.write_bytes(b"<html>" + b" " * 1000)
    found = mistaken_file(page)
    assert found is not None
    assert "error page" in found.hint
    with pytest.raises(FormatError, match="No such file"):
        mistaken_file(tmp_path / "absent")
