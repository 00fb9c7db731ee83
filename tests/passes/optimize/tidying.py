"""What the tests of the tidying rules have in common."""

from __future__ import annotations

import numpy as np

from tests.passes.optimize.checks import answers, left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tfjs.passes.optimize.tidy import RULES

F = "{T: float32}"
X = "x: float32[?, 4]"
IMAGE = "x: float32[?, 3, 2, 4]"
ONE = "c: float32[] = 1"
ZERO = "c: float32[] = 0"
RESHAPE = "{T: float32, Tshape: int32}"


def check(text: str, *ops: str, hits: dict[str, int] | str) -> str:
    """Apply all rules of the pass; a graph without numbers made is the same to the last digit."""
    text = short(text)
    after, found = rewritten(text, RULES.all)
    assert ops_of(after) == list(ops)
    assert dict(found) == ({hits: 1} if isinstance(hits, str) else hits)
    before = parsed(text)
    rng = np.random.default_rng(3)
    feeds = {}
    for node in before.inputs:
        shape = [2 if size is None else size for size in node.output.shape or ()]
        numbers = rng.normal(size=shape) * 4
        feeds[node.name] = (numbers > 0) if node.output.dtype == "bool" else numbers
        feeds[node.name] = feeds[node.name].astype(node.output.dtype)
    for one, two in zip(answers(before, feeds), answers(parsed(after), feeds), strict=True):
        np.testing.assert_array_equal(one, two)
    return after


def stays(text: str) -> None:
    left_alone(short(text), RULES.all)


def turn(name: str, value: str, order: str) -> str:
    """The lines of a transpose."""
    count = len(order.split(", "))
    told = f"{name}_p: int32[{count}] = {order}"
    return f"{told}\n{name} = Transpose({value}, {name}_p) {{T: float32, Tperm: int32}}"
