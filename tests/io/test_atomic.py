"""Output is moved into place whole; what was there stays when a write fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfjs.errors import ConversionError, UsageError
from tfjs.io.atomic import atomic_file, atomic_folder


def _fail_in_folder(out: Path) -> None:
    with atomic_folder(out, replaces=lambda name: True) as folder:
        (folder / "a").write_text("new")
        raise ZeroDivisionError


def _fail_in_file(dest: Path) -> None:
    with atomic_file(dest) as path:
        path.write_text("half")
        raise ZeroDivisionError


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out", replaces=lambda name: False) as folder:
        (folder / "a").write_text("new")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a").read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_other_files_stay_and_replaced_ones_go(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "page.html").write_text("page")
    (out / "mine.txt").write_text("mine")
    (out / "group1-shard2of2.bin").write_text("stale")
    (out / "a").write_text("old")
    with atomic_folder(out, replaces=lambda name: name.startswith("group")) as folder:
        (folder / "a").write_text("new")
    found = {str(path.relative_to(out)) for path in out.rglob("*")}
    assert found == {"a", "mine.txt", "sub", "sub/page.html"}
    assert (out / "a").read_text() == "new"


def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("old")
    with pytest.raises(ZeroDivisionError):
        _fail_in_folder(out)
    assert (out / "a").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with (
        pytest.raises(UsageError, match="is a file, a folder is to be written"),
        atomic_folder(tmp_path / "out", replaces=lambda name: True),
    ):
        pass
    assert (tmp_path / "out").read_text() == "mine"


def test_an_output_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"), atomic_file(tmp_path):
        pass


def test_a_file_replaces_the_old_one_only_when_done(tmp_path: Path) -> None:
    dest = tmp_path / "model.h5"
    dest.write_text("old")
    with pytest.raises(ZeroDivisionError):
        _fail_in_file(dest)
    assert dest.read_text() == "old"
    with atomic_file(dest) as path:
        path.write_text("new")
    assert dest.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.h5"]


def test_a_full_disk_is_a_conversion_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ConversionError, match="No space left"),
        atomic_file(tmp_path / "model.h5"),
    ):
        raise OSError(28, "No space left on device")


def test_a_parent_that_is_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError), atomic_file(tmp_path / "file" / "model.h5"):
        pass


def test_the_working_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "stale.bin").write_text("stale")
    monkeypatch.chdir(tmp_path)
    inode = tmp_path.stat().st_ino
    with atomic_folder(Path("."), replaces=lambda name: name.endswith(".bin")) as folder:
        (folder / "model.json").write_text("new")
        (folder / "a.bin").write_text("new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.bin", "mine.txt", "model.json"]
    assert tmp_path.stat().st_ino == inode


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_folder(tmp_path / "link", replaces=lambda name: False) as folder:
        (folder / "a").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_text() == "new"


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    for manager in (
        atomic_folder(tmp_path / ("a" * 300), replaces=bool),
        atomic_file(tmp_path / ("a" * 300)),
    ):
        with pytest.raises(UsageError), manager:
            pass
