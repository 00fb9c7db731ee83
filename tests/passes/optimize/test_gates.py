"""Gates in a kernel less."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.optimize.checks import answers, left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import F
from tfjs.passes.optimize.gates import RULES

HEAD = f"""
    u: float32[?, 4]
    h: float32[?, 4]
    v: float32[?, 4]
    z = Sigmoid(u) {F}
    c = Tanh(v) {F}
    one: float32[] = 1
    less: float32[] = -1
    rest = Sub(one, z) {F}
"""
GRU = f"{HEAD}\na = Mul(z, h) {F}\nb = Mul(rest, c) {F}\ny = AddV2(a, b) {F}"


def check(text: str) -> str:
    after, hits = rewritten(short(text), RULES.all)
    assert ops_of(after) == ["Sigmoid", "Tanh", "Sub", "Mul", "AddV2"]
    assert hits == {"recognise/gate": 1}
    return after


def stays(text: str) -> None:
    left_alone(short(text), RULES.all)


@pytest.mark.parametrize("first", ["Mul(z, h)", "Mul(h, z)"])
@pytest.mark.parametrize("second", ["Mul(rest, c)", "Mul(c, rest)"])
@pytest.mark.parametrize("total", ["AddV2(a, b)", "Add(b, a)"])
def test_gates(first: str, second: str, total: str) -> None:
    check(f"{HEAD}\na = {first} {F}\nb = {second} {F}\ny = {total} {F}")


@pytest.mark.parametrize("rest", ["Sub(z, one)", "AddV2(z, less)", "Add(less, z)"])
def test_what_is_taken_away(rest: str) -> None:
    text = GRU.replace("Sub(one, z)", rest)
    check(text.replace("AddV2(a, b)", "Sub(a, b)"))
    stays(text)
    stays(text.replace("AddV2(a, b)", "Sub(b, a)"))
    stays(GRU.replace("AddV2(a, b)", "Sub(a, b)"))


def test_what_stands_in_place_of_the_inputs() -> None:
    after = check(GRU)
    (total,) = parsed(after).outputs
    c, product = total.node.inputs
    z, difference = product.node.inputs
    assert [c.name, z.name] == ["c", "z"]
    assert [value.name for value in difference.node.inputs] == ["h", "c"]


def test_ones_of_a_shape() -> None:
    check(GRU.replace("one: float32[] = 1", "one: float32[4] = 1, 1, 1, 1"))
    stays(GRU.replace("one: float32[] = 1", "one: float32[4] = 1, 1, 1, 2"))
    stays(GRU.replace("one: float32[] = 1", "one: float32[1, 1, 1] = 1"))
    stays(GRU.replace("one: float32[] = 1", "one: float32[] = 2"))


@pytest.mark.parametrize("name", ["a", "b", "rest"])
def test_values_that_others_read(name: str) -> None:
    stays(f"{GRU}\nw = Neg({name}) {F}\noutputs y, w")
    stays(f"{GRU}\noutputs y, {name}")


@pytest.mark.parametrize("name", ["z", "c"])
def test_values_that_stay(name: str) -> None:
    after, hits = rewritten(short(f"{GRU}\noutputs y, {name}"), RULES.all)
    assert hits == {"recognise/gate": 1}
    assert ops_of(after) == ["Sigmoid", "Tanh", "Sub", "Mul", "AddV2"]


def test_parts_of_one_product() -> None:
    text = f"""
        x: float32[?, 8]
        h: float32[?, 4]
        i: int32[] = 1
        one: float32[] = 1
        g = Sigmoid(x) {F}
        s = Split(i, g) {{T: float32, num_split: 2}} -> 2
        c = Tanh(h) {F}
        a = Mul(s:1, h) {F}
        rest = Sub(one, s:1) {F}
        b = Mul(rest, c) {F}
        y = AddV2(a, b) {F}
    """
    after, hits = rewritten(short(text), RULES.all)
    assert hits == {"recognise/gate": 1}
    assert ops_of(after).count("Mul") == 1
    # The rest is not of the gate that h is multiplied with.
    stays(text.replace("Sub(one, s:1)", "Sub(one, s)"))


def test_what_may_be_large() -> None:
    stays(GRU.replace("c = Tanh", "c = Neg"))
    stays(GRU.replace("z = Sigmoid", "z = Relu6"))
    stays(GRU.replace("Mul(rest, c)", "Mul(rest, h)"))
    # The state stands with the rest: it is bounded by what made it alone.
    stays(GRU.replace("Mul(z, h)", "Mul(z, c)").replace("Mul(rest, c)", "Mul(rest, h)"))


def test_other_shapes_and_types() -> None:
    stays(GRU.replace("h: float32[?, 4]", "h: float32[4]"))
    stays(GRU.replace("h: float32[?, 4]", "h: float32[?, 1]"))
    stays(GRU.replace("v: float32[?, 4]", "v: float32[1, 4]"))
    stays(GRU.replace("[?, 4]", "[*]"))


def test_infinities() -> None:
    text = short(GRU)
    after, _ = rewritten(text, RULES.all)
    special = [np.nan, np.inf, -np.inf, 0.0, 1e30, -200.0, 200.0, 0.5]
    grid = np.meshgrid(special, special, special)
    feeds = {
        name: numbers.reshape(-1, 4).astype(np.float32)
        for name, numbers in zip("uhv", grid, strict=True)
    }
    (wanted,), (given,) = answers(parsed(text), feeds), answers(parsed(after), feeds)
    np.testing.assert_allclose(given, wanted, rtol=1e-6, atol=1e-6)
