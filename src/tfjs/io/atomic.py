"""Output is written to the side and moved into place.

A failure or a kill leaves at the destination what was there before.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tfjs.errors import ConversionError, TfjsError, UsageError
from tfjs.io.staged import staged_files


def unchecked(path: Path) -> None:
    """A check of what was written that asks for nothing."""


@contextlib.contextmanager
def atomic_file(dest: Path, *, check: Callable[[Path], None] = unchecked) -> Iterator[Path]:
    """Give a path beside `dest` to write to; on success it replaces `dest`.

    Args:
        dest: the file.
        check: called with what was written before it replaces `dest`; may raise.

    Raises:
        UsageError: `dest` is a folder, or its parent cannot be written to.
        ConversionError: the system refused the write (a full disk, say).
    """
    dest = _real(dest)
    if dest.is_dir():
        raise UsageError("is a folder, a file is to be written there", where=str(dest))
    side = _make_side(dest)
    try:
        target = side / dest.name
        with _writing(dest):
            yield target
            check(target)
            os.replace(target, dest)
    finally:
        shutil.rmtree(side, ignore_errors=True)


@contextlib.contextmanager
def atomic_folder(
    dest: Path,
    *,
    replaces: Callable[[str], bool],
    check: Callable[[Path], None] = unchecked,
    last: str = "model.json",
) -> Iterator[Path]:
    """Give a folder beside `dest` to write to; on success it takes the place of `dest`.

    Files that `dest` already holds are kept, except those whose name `replaces` accepts
    (the shards of an earlier conversion) and those written anew. A symbolic link is followed. A
    mount point, or the folder that one is in, cannot be replaced as a whole: the files move into
    it one by one, the file called `last` behind all others.

    Args:
        dest: the folder.
        replaces: whether a file of that name goes.
        check: called with what was written before it takes the place of `dest`; may raise.
        last: name of the file that moves last where files move one by one.

    Raises:
        UsageError: `dest` is a file, or it or its parent cannot be written to.
        ConversionError: the system refused the write (a full disk, say).
    """
    dest = _real(dest)
    if dest.exists() and not dest.is_dir():
        raise UsageError(
            "is a file, a folder is to be written there",
            where=str(dest),
            hint="give the path of a folder; it is made when it does not exist",
        )
    if Path.cwd().is_relative_to(dest) or dest.is_mount():
        with staged_files(dest, last=last) as fresh:
            yield fresh
            check(fresh)
            written = {entry.name for entry in fresh.iterdir()}
        for entry in dest.iterdir():
            if replaces(entry.name) and entry.name not in written:
                _remove(entry)
        return
    side = _make_side(dest)
    try:
        fresh = side / "new"
        fresh.mkdir()
        with _writing(dest):
            yield fresh
            check(fresh)
            if dest.exists():
                _keep_others(dest, fresh, replaces)
                old = side / "old"
                os.replace(dest, old)
                try:
                    os.replace(fresh, dest)
                except OSError:
                    os.replace(old, dest)
                    raise
            else:
                os.replace(fresh, dest)
    finally:
        shutil.rmtree(side, ignore_errors=True)


def _real(dest: Path) -> Path:
    """The path without symbolic links.

    Raises:
        UsageError: it is no path that can be written to: a loop of links, a name too long.
    """
    try:
        dest.exists()  # tells of a name that is too long
        return dest.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"is no path to write to: {error}", where=str(dest)[:200]) from None


@contextlib.contextmanager
def _writing(dest: Path) -> Iterator[None]:
    try:
        yield
    except TfjsError:
        raise
    except OSError as error:
        raise ConversionError(f"cannot be written: {_cause(error)}", where=str(dest)) from error


def _cause(error: OSError) -> str:
    """The system's words; HDF5 puts some pages of its own in their place."""
    return os.strerror(error.errno) if error.errno else str(error)


def _make_side(dest: Path) -> Path:
    parent = dest.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{dest.name}.", suffix=".tmp", dir=parent))
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=str(dest), hint="check the output path"
        ) from None


def _keep_others(old: Path, fresh: Path, replaces: Callable[[str], bool]) -> None:
    for entry in old.iterdir():
        target = fresh / entry.name
        if target.exists() or replaces(entry.name):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, target, symlinks=True, copy_function=_link)
        elif entry.is_symlink():
            target.symlink_to(entry.readlink())
        else:
            _link(str(entry), str(target))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _link(source: str, target: str) -> str:
    """A hard link where the file system has them, else a copy."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)
    return target
