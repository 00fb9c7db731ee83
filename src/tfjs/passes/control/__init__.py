"""Loops, choices and lists of tensors."""

from tfjs.passes.control.lower import lower_to_v1
from tfjs.passes.control.resolve import resolve_control_flow
from tfjs.passes.control.settle import settle_functions
from tfjs.passes.control.switches import tie_to_branches

__all__ = ["lower_to_v1", "resolve_control_flow", "settle_functions", "tie_to_branches"]
