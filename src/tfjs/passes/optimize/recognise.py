"""Activations and normalizations that are spelled out, as the operations that TF.js has for them."""

from __future__ import annotations

from tfjs.passes.optimize.engine import Rules

RULES = Rules()
