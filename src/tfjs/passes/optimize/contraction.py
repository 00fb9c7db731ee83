"""Products of matrices: what is turned before them, and sums that are products."""

from __future__ import annotations

from tfjs.passes.optimize.engine import Rules

RULES = Rules()
