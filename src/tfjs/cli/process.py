"""How the process of a command is set up."""

from __future__ import annotations

import atexit
import gc

_SELDOM = 10_000_000


def collect_seldom() -> None:
    """Let Python hardly ever look for garbage in circles, and not at the end.

    A graph is a dozen objects a node that live to the end, and each look visits many of them
    again. What a command reads and writes of weights is freed without such a look.
    """
    gc.set_threshold(_SELDOM)
    atexit.register(gc.freeze)
