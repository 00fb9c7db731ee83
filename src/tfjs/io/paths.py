"""Paths named by a file are data: they stay inside their folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from tfjs.errors import UnsafeFileError


def inside(folder: Path, name: str, *, where: str) -> Path:
    """The file that `name`, found in an untrusted file, means below `folder`.

    Args:
        folder: the folder that must not be left.
        name: relative path with forward slashes.
        where: the file that names it, for the message.

    Raises:
        UnsafeFileError: the name is empty, absolute, has a drive, a backslash, a NUL or `..`, or
            leads outside through a symbolic link.
    """
    path = PurePosixPath(name)
    bad = (
        not name
        or path.is_absolute()
        or PureWindowsPath(name).drive
        or "\\" in name
        or "\0" in name
        or ".." in path.parts
    )
    if not bad:
        target = folder.joinpath(*path.parts)
        try:
            if target.resolve().is_relative_to(folder.resolve()):
                return target
        except (OSError, RuntimeError, ValueError):
            pass
    raise UnsafeFileError(
        f"names the file {name!r}, which is outside of its folder",
        where=where,
        hint="weight files must lie in the folder of the model file or below it",
    )
