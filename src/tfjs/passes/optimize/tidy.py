"""Steps that do nothing, and chains of steps that are one."""

from __future__ import annotations

from tfjs.passes.optimize.engine import Rules

RULES = Rules()
