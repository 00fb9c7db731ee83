"""Several files are written to the side and moved into a folder that others share."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfjs.errors import ConversionError, UsageError


@contextlib.contextmanager
def staged_files(folder: Path, *, last: str) -> Iterator[Path]:
    """Give an empty folder to write files to; on success each moves into `folder`.

    What `folder` holds besides stays as it is; it is made when it does not exist. Where `folder`
    is the result and nothing else, `atomic_folder` is the better choice.

    Files in folders move into the folders of the same names.

    Args:
        folder: where the files are to be.
        last: name of the file that moves last, because it names the others.

    Raises:
        UsageError: `folder` is a file or cannot be written to.
        ConversionError: the system refused a write (a full disk, say).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        side = tempfile.TemporaryDirectory(prefix=".tfjs.", suffix=".tmp", dir=folder)
    except OSError as error:
        raise UsageError(
            f"cannot be written to: {error.strerror}",
            where=str(folder),
            hint="check the output path",
        ) from None
    with side as name:
        try:
            yield Path(name)
            files = [path for path in Path(name).rglob("*") if not path.is_dir()]
            for file in sorted(files, key=lambda file: (file.name == last, file)):
                target = folder / file.relative_to(name)
                target.parent.mkdir(exist_ok=True, parents=True)
                os.replace(file, target)
        except OSError as error:
            raise ConversionError(
                f"cannot be written: {error.strerror or error}", where=str(folder)
            ) from error
