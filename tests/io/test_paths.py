"""Paths from files never leave their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfjs.errors import UnsafeFileError
from tfjs.io.paths import inside


@pytest.mark.parametrize("name", ["a.bin", "./a.bin", "sub/a.bin", "sub/./a.bin"])
def test_names_inside(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name, where="model.json").is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "name", ["", "../a", "sub/../../a", "/etc/passwd", "C:\\a", "C:a", "..\\a", "a\0b", "sub/.."]
)
def test_names_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeFileError, match="outside of its folder"):
        inside(tmp_path, name, where="model.json")


def test_a_symbolic_link_does_not_lead_out(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(UnsafeFileError):
        inside(folder, "link/secret", where="model.json")
