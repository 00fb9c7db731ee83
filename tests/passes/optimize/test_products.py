"""What steps of a loop that is laid out do to what they are fed, done at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from tests.passes.optimize.checks import assert_same, left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tfjs.ir.graph import Graph, Node, constant_of
from tfjs.ir.tensor import ArrayTensor, Quantization, QuantizedTensor
from tfjs.ir.text import graph_text
from tfjs.passes.inline import copied
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.products import RULES, join_steps, part_steps

F = "{T: float32}"
PLAIN = "{T: float32, transpose_a: false, transpose_b: false}"
BIASED = (
    '{T: float32, fused_ops: [b"BiasAdd"], num_args: 1, transpose_a: false, transpose_b: false}'
)
STEPS = 6
X = f"x: float32[{STEPS}, ?, 3]"
LAST = "axis: int32[] = 1"

Walk = Callable[[Graph, Counter[str]], None]


def numbers(name: str, *shape: int) -> str:
    found = np.random.default_rng(len(name) + sum(shape)).normal(size=int(np.prod(shape)))
    told = ", ".join(f"{number:.3f}" for number in found)
    return f"{name}: float32[{', '.join(map(str, shape))}] = {told}"


def unpack(value: str = "x", axis: int = 0, count: int = STEPS) -> str:
    return f"u = Unpack({value}) {{T: float32, axis: {axis}, num: {count}}} -> {count}"


def part(index: int) -> str:
    return f"u:{index}" if index else "u"


def each(line: str, count: int = STEPS) -> str:
    """A line for each step, with `@` for its number, and `$` for its row."""
    return "\n".join(line.replace("@", str(at)).replace("$", part(at)) for at in range(count))


def all_of(name: str, count: int = STEPS) -> str:
    return "outputs " + ", ".join(f"{name}{at}" for at in range(count))


def walked(text: str, walk: Walk, relative: float = 1e-6) -> tuple[Graph, dict[str, int]]:
    """A graph after a walk; it answers as before, and a second time there is nothing to do."""
    before = parsed(short(text))
    return walked_graph(before, walk, relative)


def walked_graph(before: Graph, walk: Walk, relative: float) -> tuple[Graph, dict[str, int]]:
    after, hits = copied(before, ""), Counter[str]()
    walk(after, hits)
    assert_same(before, after, relative=relative)
    again = Counter[str]()
    walk(after, again)
    assert not again
    return after, dict(hits)


def stays(text: str, walk: Walk) -> None:
    before = parsed(short(text))
    after, hits = walked(text, walk)
    assert not hits
    assert graph_text(after) == graph_text(before)


def ops(graph: Graph) -> Counter[str]:
    return Counter(ops_of(graph_text(graph)))


# Products at once --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axis"), [(f"{STEPS}, ?, 3", 0), (f"?, {STEPS}, 3", 1), (f"4, {STEPS}, 3", -2)]
)
def test_products_of_all_steps(shape: str, axis: int) -> None:
    text = f"""
        x: float32[{shape}]
        {numbers("w", 3, 4)}
        {unpack(axis=axis)}
        {each(f"m_@ = MatMul($, w) {PLAIN}")}
        {all_of("m_")}
    """
    after, hits = walked(text, join_steps)
    assert hits == {"steps/product": STEPS}
    assert ops(after) == {"MatMul": 1, "Reshape": 2, "Unpack": 1}
    batch = 4 if "?" not in shape else None
    assert {value.shape for value in after.outputs} == {(batch, 4)}
    assert {name for value in after.outputs for name in value.node.origin} >= {"m_0", "m_5", "u"}


def test_biases_and_activations_go_along() -> None:
    relu = BIASED.replace('[b"BiasAdd"]', '[b"BiasAdd", b"Relu"]')
    text = f"""
        {X}
        {numbers("w", 3, 4)}
        {numbers("b", 4)}
        {numbers("c", 4)}
        {unpack()}
        {each(f"m_@ = _FusedMatMul($, w, b) {relu}")}
        {each(f"n_@ = _FusedMatMul($, w, c) {BIASED}")}
        {each(f"y_@ = Add(m_@, n_@) {F}")}
        {all_of("y_")}
    """
    after, hits = walked(text, join_steps)
    assert hits == {"steps/product": 2 * STEPS}
    assert ops(after) == {"_FusedMatMul": 2, "Reshape": 4, "Unpack": 2, "Add": STEPS}
    made = [node for node in after.ordered() if node.op == "_FusedMatMul"]
    told = {tuple(node.attrs["fused_ops"]): node.inputs[2].name for node in made}
    assert told == {(b"BiasAdd", b"Relu"): "b", (b"BiasAdd",): "c"}


def test_rows_that_something_else_reads_stay() -> None:
    text = f"""
        {X}
        {numbers("w", 3, 3)}
        {unpack()}
        {each(f"m_@ = MatMul($, w) {PLAIN}")}
        {each(f"y_@ = Add(m_@, $) {F}")}
        {all_of("y_")}, u:2
    """
    after, hits = walked(text, join_steps)
    assert hits == {"steps/product": STEPS}
    assert ops(after) == {"MatMul": 1, "Reshape": 2, "Unpack": 2, "Add": STEPS}


def test_steps_that_wait_for_each_other() -> None:
    text = f"""
        {X}
        h_0: float32[?, 4]
        {numbers("w", 3, 4)}
        {numbers("r", 4, 4)}
        {unpack()}
        {each(f"m_@ = MatMul($, w) {PLAIN}")}
        {each(f"s_@ = MatMul(h_@, r) {PLAIN}")}
        {each(f"t_@ = Add(m_@, s_@) {F}")}
        {each(f"z_@ = Tanh(t_@) {F}")}
    """
    lines = text.replace("z_", "h_").splitlines()
    for at in reversed(range(STEPS)):
        lines = [line.replace(f"h_{at} = Tanh", f"h_{at + 1} = Tanh") for line in lines]
    after, hits = walked("\n".join([*lines, f"outputs h_{STEPS}"]), join_steps)
    assert hits == {"steps/product": STEPS}
    assert ops(after)["MatMul"] == STEPS + 1


def test_most_steps_are_enough() -> None:
    text = f"""
        x: float32[9, ?, 3]
        {numbers("w", 3, 4)}
        {unpack(count=9)}
        {each(f"m_@ = MatMul($, w) {PLAIN}")}
        {all_of("m_")}
    """
    _, hits = walked(text, join_steps)
    assert hits == {"steps/product": STEPS}
    stays(
        text.replace("[9,", "[13,").replace("num: 9", "num: 13").replace("-> 9", "-> 13"),
        join_steps,
    )


@pytest.mark.parametrize(
    ("weights", "width", "given"), [("w, b", (3, 8), "_FusedMatMul"), ("w", (3, 8), "MatMul")]
)
def test_splits_of_products_are_products(weights: str, width: tuple[int, int], given: str) -> None:
    attrs = BIASED if "b" in weights else PLAIN
    text = f"""
        {X}
        {LAST}
        {numbers("w", *width)}
        {numbers("b", 8)}
        {unpack()}
        {each(f"m_@ = {given}($, {weights}) {attrs}")}
        {each("s_@ = Split(axis, m_@) {T: float32, num_split: 2} -> 2")}
        {each(f"y_@ = Sub(s_@, s_@:1) {F}")}
        {all_of("y_")}
    """
    after, hits = walked(text, join_steps)
    assert hits == {"steps/product": STEPS, "steps/split": STEPS}
    assert ops(after) == {given: 2, "Reshape": 3, "Unpack": 2, "Sub": STEPS}
    shapes = {node.inputs[1].shape for node in after.nodes.values() if node.op == given}
    assert shapes == {(3, 4)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("outputs y_0", "outputs m_1, y_0"),
        ("s_3 = Split(axis, m_3)", "s_3 = Split(first, m_3)"),
        (
            "s_3 = Split(axis, m_3) {T: float32, num_split: 2} -> 2",
            "s_3 = IdentityN(m_3, m_3) {T: [float32, float32]} -> 2",
        ),
    ],
)
def test_splits_of_some_products_stay(old: str, new: str) -> None:
    text = f"""
        x: float32[{STEPS}, 8, 3]
        {LAST}
        first: int32[] = 0
        {numbers("w", 3, 8)}
        {unpack()}
        {each(f"m_@ = MatMul($, w) {PLAIN}")}
        {each("s_@ = Split(axis, m_@) {T: float32, num_split: 2} -> 2")}
        {each(f"y_@ = Exp(s_@:1) {F}")}
        {all_of("y_")}
    """
    assert old in text
    after, hits = walked(text.replace(old, new), join_steps)
    assert hits == {"steps/product": STEPS}
    assert ops(after)["MatMul"] == 1


STAYING = f"""
    {X}
    v: float32[3, 4]
    {numbers("w", 3, 4)}
    {unpack()}
    {each(f"m_@ = MatMul($, w) {PLAIN}")}
    {all_of("m_")}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Weights that are no constant.
        ("(u:1, w)", "(u:1, v)"),
        # A step of them that does something else: they are too few.
        (
            "MatMul(u:2, w) {T: float32, transpose_a: false, transpose_b: false}",
            "Relu(u:2) {T: float32}",
        ),
        # Turned weights, integers, and products of batches.
        ("transpose_b: false", "transpose_b: true"),
        ("float32", "int32"),
        (f"[{STEPS}, ?, 3]", f"[{STEPS}, ?, 3, 3]"),
    ],
)
def test_other_steps_stay(old: str, new: str) -> None:
    assert old in STAYING
    text = STAYING.replace(old, new)
    if "true" in new:
        text = text.replace(numbers("w", 3, 4), numbers("w", 4, 3)).replace("v: float32[3, 4]", "")
    if new == "int32":
        text = text.replace(
            numbers("w", 3, 4).replace("float32", "int32"),
            "w: int32[3, 4] = " + ", ".join("123456789123"),
        )
    if "3, 3" in new:
        text = (
            text.replace("MatMul", "BatchMatMulV2")
            .replace("transpose_a", "adj_x")
            .replace("transpose_b", "adj_y")
        )
    stays(text, join_steps)


def test_what_is_too_much_to_take_apart_stays() -> None:
    graph = parsed(short(STAYING))
    for columns, expected in ((10922, {"steps/product": STEPS}), (10923, {})):
        found = copied(graph, "")
        weights = ArrayTensor(np.ones((3, columns), np.float32))
        made = found.constant(weights, name="large")
        for node in [node for node in found.nodes.values() if node.op == "MatMul"]:
            found.set_input(node, 1, made)
        for node in found.nodes.values():
            if node.op == "MatMul":
                node.output.shape = (None, columns)
        hits = Counter[str]()
        join_steps(found, hits)
        assert hits == expected


# Before that -------------------------------------------------------------------------------------


def lstm(first: str, second: str, attrs: str = BIASED, weights: str = "w, b") -> str:
    return f"""
        {X}
        h: float32[?, 2]
        {LAST}
        {numbers("w", 5, 4)}
        {numbers("b", 4)}
        {unpack()}
        {each(f"c_@ = ConcatV2({first}, {second}, axis) {{N: 2, T: float32, Tidx: int32}}")}
        {each(f"m_@ = {'_FusedMatMul' if 'b' in weights else 'MatMul'}(c_@, {weights}) {attrs}")}
        {all_of("m_")}
    """


@pytest.mark.parametrize("order", [("$", "h"), ("h", "$")])
@pytest.mark.parametrize(("attrs", "weights"), [(BIASED, "w, b"), (PLAIN, "w")])
def test_rows_and_a_state_are_multiplied_apart(
    order: tuple[str, str], attrs: str, weights: str
) -> None:
    after, hits = walked(lstm(*order, attrs, weights), part_steps, 2e-6)
    assert hits == {"steps/parted-product": STEPS}
    plain = STEPS * (1 if "b" in weights else 2)
    expected = {"Unpack": 1, "MatMul": plain, "AddV2": STEPS}
    assert ops(after) == expected | ({"_FusedMatMul": STEPS} if "b" in weights else {})
    assert "w" not in after.nodes
    assert {node.name for node in after.nodes.values() if node.op == "AddV2"} == {
        f"m_{at}" for at in range(STEPS)
    }
    after, hits = walked_graph(after, join_steps, 1e-6)
    assert hits == {"steps/product": STEPS}
    assert ops(after)["ConcatV2"] == 0


@pytest.mark.parametrize(
    "text",
    [
        lstm("$", "$").replace(numbers("w", 5, 4), numbers("w", 6, 4)),
        lstm("$", "h").replace("outputs m_0", "outputs c_2, m_0"),
        lstm("$", "h", BIASED.replace('b"BiasAdd"', 'b"BiasAdd", b"Sigmoid"')),
        lstm("$", "h")
        .replace("axis: int32[] = 1", "axis: int32[] = 1\nq: float32[?, 2]")
        .replace("c_2 = ConcatV2(u:2, h, axis) {N: 2", "c_2 = ConcatV2(u:2, h, q, axis) {N: 3")
        .replace("m_2 = _FusedMatMul(c_2, w, b) " + BIASED, f"m_2 = Exp(c_2) {F}"),
    ],
)
def test_other_joins_stay(text: str) -> None:
    stays(text, part_steps)


def test_weights_are_not_stored_twice() -> None:
    text = (
        lstm("$", "h")
        .replace("outputs m_0", "outputs e, m_0")
        .replace(LAST, f"{LAST}\n        v: float32[5, 4]")
    )
    text = text.replace("outputs e", f"e = Mul(v, w) {F}\noutputs e")
    before = parsed(short(text))
    assert walked_graph(before, part_steps, 2e-6)[1] == {"steps/parted-product": STEPS}
    stored = ArrayTensor(np.arange(20, dtype=np.uint8).reshape(5, 4))
    tensor = QuantizedTensor(stored, Quantization("uint8", 0.5, -1.0))
    before.nodes["w"].attrs["value"] = tensor
    assert not walked_graph(before, part_steps, 0)[1]


FORGET = f"""
    x: float32[?, 3]
    {LAST}
    one: float32[] = 1
    {numbers("three", 2)}
    {numbers("w", 3, 8)}
    {numbers("b", 8)}
    m = _FusedMatMul(x, w, b) {BIASED}
    s = Split(axis, m) {{T: float32, num_split: 4}} -> 4
    a = Add(one, s:1) {F}
    c = Sub(s:3, three) {F}
    y = Mul(a, c) {F}
    z = Mul(s, s:2) {F}
    outputs y, z
"""


def test_constants_behind_parts() -> None:
    after, hits = walked(FORGET, part_steps, 2e-6)
    assert hits == {"steps/shift-of-part": 2}
    assert ops(after) == {"_FusedMatMul": 1, "Split": 1, "Mul": 2}
    before = parsed(short(FORGET))
    b, three = (constant_of(before.nodes[name].output) for name in ("b", "three"))
    made = constant_of(after.nodes["m"].inputs[2])
    assert b is not None
    assert three is not None
    assert made is not None
    wanted = b.array() + np.array([0, 0, 1, 1, 0, 0, 0, 0], np.float32)
    wanted[6:] -= three.array()
    np.testing.assert_allclose(made.array(), wanted, atol=1e-6)


def test_steps_have_one_bias_after_as_before() -> None:
    text = f"""
        x: float32[?, 3]
        v: float32[?, 3]
        {LAST}
        one: float32[] = 1
        {numbers("w", 3, 4)}
        {numbers("b", 4)}
        m = _FusedMatMul(x, w, b) {BIASED}
        n = _FusedMatMul(v, w, b) {BIASED}
        s = Split(axis, m) {{T: float32, num_split: 2}} -> 2
        t = Split(axis, n) {{T: float32, num_split: 2}} -> 2
        a = Add(s:1, one) {F}
        c = Add(t:1, one) {F}
        y = Mul(a, c) {F}
        z = Mul(s, t) {F}
        outputs y, z
    """
    after, hits = walked(text, part_steps, 2e-6)
    assert hits == {"steps/shift-of-part": 2}
    assert after.nodes["m"].inputs[2] is after.nodes["n"].inputs[2]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("outputs y, z", "outputs y, z, s:1, s:3"),
        ("outputs y, z", "outputs y, z, m"),
        ("Add(one, s:1)", "Sub(one, s:1)"),
        (LAST, "axis: int32[] = 0"),
        ("one: float32[] = 1", "one: float32[]"),
        ('b"BiasAdd"]', 'b"BiasAdd", b"Relu"]'),
    ],
)
def test_other_constants_behind_parts_stay(old: str, new: str) -> None:
    text = FORGET.replace("Sub(s:3, three)", "Mul(s:3, three)").replace(old, new)
    assert old in FORGET
    if "= 0" in new:
        text = text.replace("[?, 3]", "[4, 3]").replace(numbers("three", 2), numbers("three", 8))
    stays(text, part_steps)


# A bias behind a sum -----------------------------------------------------------------------------


def summed(line: str, product: str = "MatMul(u:1, w)") -> str:
    return f"""
        {X}
        h: float32[?, 2]
        {numbers("w", 3, 4)}
        {numbers("r", 2, 4)}
        {numbers("b", 4)}
        {unpack()}
        m = {product} {PLAIN}
        n = MatMul(h, r) {PLAIN}
        s = AddV2(n, m) {F}
        y = {line} {F}
    """


@pytest.mark.parametrize("line", ["BiasAdd(s, b)", "Add(b, s)", "Sub(s, b)"])
def test_a_bias_goes_to_what_a_step_is_fed(line: str) -> None:
    after, hits = rewritten(short(summed(line)), RULES.all)
    assert hits == {"steps/bias": 1}
    assert ops_of(after).count("MatMul") == 2
    after, hits = rewritten(after, FUSION.all)
    assert hits == {"fuse/bias": 1}
    fused: Node = next(node for node in parsed(after).ordered() if node.op == "_FusedMatMul")
    assert fused.inputs[0].name == "u:1"


@pytest.mark.parametrize(
    "text",
    [
        summed("BiasAdd(s, b)", "MatMul(h, r)")
        .replace("(h, r)", "(h, r2)", 1)
        .replace(numbers("b", 4), numbers("b", 4) + "\n" + numbers("r2", 2, 4)),
        summed("Sub(b, s)"),
        summed("BiasAdd(s, b)") + "\noutputs y, s",
        summed("BiasAdd(s, b)") + "\noutputs y, m",
        summed("Mul(s, b)"),
    ],
)
def test_other_biases_stay(text: str) -> None:
    left_alone(short(text), RULES.all)
