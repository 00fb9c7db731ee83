"""How long loops may run: with inputs that nobody chose, one may never come to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tfjs.errors import UnsupportedError

# In seconds of this thread's processor time, which a loaded machine does not stretch.
_END: ContextVar[tuple[float, float] | None] = ContextVar("_END", default=None)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Let loops run no longer than some seconds of processor time; for ever when None."""
    token = _END.set(None if seconds is None else (time.thread_time() + seconds, seconds))
    try:
        yield
    finally:
        _END.reset(token)


def check_time() -> None:
    """Called in each step of a loop.

    Raises:
        UnsupportedError: the time is over.
    """
    end = _END.get()
    if end is not None and time.thread_time() > end[0]:
        raise UnsupportedError(f"a loop does not come to its end within {end[1]:g} s")
