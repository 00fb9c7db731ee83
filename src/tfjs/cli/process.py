"""How the process of a command is set up."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Let Python look for garbage in circles a hundred times less often than it does by default.

    A graph is some dozen objects a node that live to the end, and each look visits many of them
    again: a fifth of the time of a large graph.
    """
    gc.set_threshold(100_000, 50, 50)
