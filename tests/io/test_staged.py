"""Files that move together into a folder that others share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tfjs.errors import ConversionError, UsageError
from tfjs.io.staged import staged_files


def _tree(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in sorted(folder.iterdir())}


def test_moves_files_and_leaves_others(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"kept")
    (tmp_path / "a").write_bytes(b"old")
    with staged_files(tmp_path, last="index") as folder:
        (folder / "index").write_bytes(b"i")
        (folder / "a").write_bytes(b"new")
        assert _tree(tmp_path / folder.name) == {"a": b"new", "index": b"i"}
        assert (tmp_path / "a").read_bytes() == b"old"
    assert _tree(tmp_path) == {"a": b"new", "index": b"i", "other": b"kept"}


def test_the_index_moves_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = os.replace

    def watch(source: Any, dest: Any) -> None:
        moved.append(Path(dest).name)
        replace(source, dest)

    monkeypatch.setattr(os, "replace", watch)
    with staged_files(tmp_path, last="a") as folder:
        for name in ("a", "b", "c"):
            (folder / name).touch()
    assert sorted(moved[:2]) == ["b", "c"]
    assert moved[2] == "a"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    dest = tmp_path / "made" / "below"

    def fail() -> None:
        with staged_files(dest, last="x") as folder:
            (folder / "x").write_bytes(b"half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert _tree(dest) == {}


def test_errors(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match="cannot be written to: File exists"),
        staged_files(tmp_path / "file", last="x"),
    ):
        pass
    (tmp_path / "taken").mkdir()
    with (
        pytest.raises(ConversionError, match="cannot be written: Is a directory"),
        staged_files(tmp_path, last="x") as folder,
    ):
        (folder / "taken").touch()
