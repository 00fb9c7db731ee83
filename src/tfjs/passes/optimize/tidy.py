"""Steps that do nothing, and chains of steps that are one.

The rules stand in modules by what they look at; what gives its input on is tried first.
"""

from __future__ import annotations

from tfjs.passes.optimize import (
    tidy_moves,
    tidy_noops,
    tidy_pieces,
    tidy_shapes,
    tidy_views,
    uniform,
)
from tfjs.passes.optimize.engine import Rules

RULES = Rules()
for _module in (tidy_noops, tidy_shapes, tidy_pieces, tidy_moves, tidy_views, uniform):
    RULES.all += _module.RULES.all
