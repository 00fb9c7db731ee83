"""What h5py raises at a damaged file becomes a CorruptFileError."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from tfjs.errors import CorruptFileError, TfjsError

# h5py turns HDF5's errors into all of these (h5py/_errors.pyx), and its own conversions of types,
# names and shapes add the rest.
_RAISED = (
    OSError,
    LookupError,
    RuntimeError,
    ValueError,
    TypeError,
    ArithmeticError,
    MemoryError,
    SystemError,
    zlib.error,
)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Run h5py calls whose failures are the fault of the file `where`."""
    try:
        yield
    except TfjsError:
        raise
    except _RAISED as error:
        text = str(error.args[-1]) if error.args else type(error).__name__
        raise CorruptFileError(f"is no HDF5 file, or a damaged one: {text}", where=where) from error
