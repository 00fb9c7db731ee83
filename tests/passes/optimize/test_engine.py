"""Rules are applied to the fixpoint in linear time, and what they replace leaves nothing behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.passes.optimize.checks import assert_same, ops_of, parsed
from tests.passes.optimize.short import short
from tfjs.errors import ConversionError, CorruptFileError
from tfjs.ir.graph import Graph, GraphModel, Node, Signature, Value
from tfjs.ir.text import graph_text
from tfjs.passes.inline import copied
from tfjs.passes.optimize.engine import Match, Rules, apply
from tfjs.passes.optimize.pipeline import optimize
from tfjs.passes.optimize.tidy import RULES as TIDY

F = "{T: float32}"
X = "x: float32[?, 4]"
RULES = Rules()


@RULES.rule("test/twice", "Neg")
def twice(node: Node, match: Match) -> Sequence[Value] | None:
    inner = match.inner(node.inputs[0], "Neg")
    return None if inner is None else [inner.inputs[0]]


@RULES.rule("test/abs", "Sqrt")
def root(node: Node, match: Match) -> Sequence[Value] | None:
    inner = match.inner(node.inputs[0], "Square")
    return None if inner is None else [match.op("Abs", inner.inputs[0], attrs={"T": "float32"})]


def applied(text: str, rules: Rules = RULES) -> tuple[Graph, dict[str, int]]:
    before = parsed(short(text))
    graph, hits = copied(before, ""), Counter[str]()
    count = apply(graph, rules.all, hits)
    assert count == hits.total()
    assert_same(before, graph)
    return graph, dict(hits)


def chain(steps: Sequence[str]) -> str:
    lines = [X, *(f"n{at + 1} = {op}(n{at}) {F}" for at, op in enumerate(steps))]
    return "\n".join(lines).replace("(n0)", "(x)") + f"\noutputs n{len(steps)}"


def counting(rules: Rules, visits: list[str]) -> Rules:
    """The same rules, which note the nodes that they look at."""

    def noted(
        rewrite: Callable[[Node, Match], Sequence[Value] | None],
    ) -> Callable[[Node, Match], Sequence[Value] | None]:
        def look(node: Node, match: Match) -> Sequence[Value] | None:
            visits.append(node.name)
            return rewrite(node, match)

        return look

    result = Rules()
    for rule in rules.all:
        result.rule(rule.id, *rule.ops, numerics=rule.numerics)(noted(rule.rewrite))
    return result


# What happens to a graph -------------------------------------------------------------------------


def test_hits_are_counted_by_rule() -> None:
    graph, hits = applied(chain(["Neg", "Neg", "Square", "Sqrt", "Neg", "Neg", "Neg"]))
    assert hits == {"test/twice": 2, "test/abs": 1}
    assert ops_of(graph_text(graph)) == ["Abs", "Neg"]


def test_no_hits_are_no_hits() -> None:
    graph, hits = applied(chain(["Neg", "Exp", "Sqrt"]))
    assert hits == {}
    assert graph_text(graph) == short(chain(["Neg", "Exp", "Sqrt"]))


def test_names_and_origins_are_kept() -> None:
    graph, _ = applied(f"{chain(['Square', 'Sqrt', 'Exp'])}, n2")
    assert graph.nodes["n2"].op == "Abs"
    assert graph.nodes["n2"].origin == ("n1", "n2")
    # Of what only gives its input on, the input keeps its own name.
    graph, _ = applied(chain(["Exp", "Neg", "Neg"]))
    assert graph.outputs == [graph.nodes["n1"].output]
    assert graph.nodes["n1"].origin == ("n1",)


def test_origins_add_up() -> None:
    graph, _ = applied(chain(["Square", "Sqrt", "Square", "Sqrt"]))
    assert {node.origin for node in graph.nodes.values() if node.op == "Abs"} == {
        ("n1", "n2"),
        ("n3", "n4"),
    }


def test_what_made_a_dead_node_goes_too() -> None:
    rules = Rules()

    @rules.rule("test/first", "AddV2")
    def first(node: Node, match: Match) -> Sequence[Value] | None:
        return [node.inputs[0]]

    graph = parsed(
        short(f"""
        {X}
        c: float32[4] = 1, 2, 3, 4
        a = Exp(x) {F}
        b = Mul(a, c) {F}
        s = Split(i, b) {{T: float32, num_split: 2}} -> 2
        i: int32[] = 1
        d = ConcatV2(s, s:1, i) {{T: float32, N: 2, Tidx: int32}}
        y = AddV2(x, d) {F}
    """)
    )
    assert apply(graph, rules.all, Counter()) == 1
    assert set(graph.nodes) == {"x"}


def test_inputs_outputs_and_targets_never_go() -> None:
    rules = Rules()

    @rules.rule("test/second", "AddV2")
    def second(node: Node, match: Match) -> Sequence[Value] | None:
        return [node.inputs[1]]

    text = short(f"{X}\nz: float32[4]\na = Exp(x) {F}\nb = Neg(x) {F}\ny = AddV2(a, z) {F}")
    graph = parsed(text.replace("outputs y = y", "outputs y = y, a = a\n  targets b"))
    apply(graph, rules.all, Counter())
    assert set(graph.nodes) == {"x", "z", "a", "b"}
    assert graph.outputs == [graph.nodes["z"].output, graph.nodes["a"].output]
    assert graph.output_names == ["y", "a"]


def test_what_a_rewrite_makes_possible_is_done() -> None:
    # The inner pair goes first, then the outer one, whose nodes were looked at before.
    graph, hits = applied(chain(["Square", "Neg", "Neg", "Sqrt"]))
    assert hits == {"test/twice": 1, "test/abs": 1}
    assert ops_of(graph_text(graph)) == ["Abs"]


def test_a_reader_less_makes_a_match() -> None:
    # `n1` has two readers until one of them goes, after the others were looked at.
    rules = Rules()
    rules.all += RULES.all

    @rules.rule("test/left", "Maximum")
    def left(node: Node, match: Match) -> Sequence[Value] | None:
        return [node.inputs[0]] if node.inputs[0].node.op == "Relu" else None

    graph = parsed(
        short(f"""
        {X}
        n = Square(x) {F}
        m = Sqrt(n) {F}
        r = Relu(x) {F}
        k = Maximum(r, n) {F}
        outputs m, k
    """)
    )
    hits = Counter[str]()
    apply(graph, rules.all, hits)
    assert hits == {"test/abs": 1, "test/left": 1}
    assert ops_of(graph_text(graph)) == ["Relu", "Abs"] or ops_of(graph_text(graph)) == [
        "Abs",
        "Relu",
    ]


def test_the_first_rule_that_takes_a_node() -> None:
    rules = Rules()
    tried: list[str] = []
    for name, takes in (("a", False), ("b", True), ("c", True)):

        @rules.rule(f"test/{name}", "Neg")
        def rule(
            node: Node, match: Match, name: str = name, takes: bool = takes
        ) -> Sequence[Value] | None:
            tried.append(name)
            return [node.inputs[0]] if takes else None

    _, hits = Graph(), Counter[str]()
    graph = parsed(short(chain(["Neg"])))
    apply(graph, rules.all, hits)
    assert hits == {"test/b": 1}
    assert tried == ["a", "b"]


# What is in the way of a match -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"{chain(['Square', 'Sqrt'])}, n1",
        f"{X}\na = Square(x) {F}\nb = Sqrt(a) {F}\ny = Sub(b, a) {F}",
        f"{X}\na = Square(x) {F}\ny = Sqrt(a) {F}\nz = Sqrt(a) {F}\noutputs y, z",
    ],
)
def test_what_others_read_is_not_inside(text: str) -> None:
    _, hits = applied(text)
    assert hits == {}


@pytest.mark.parametrize("waits", ["a = Square(x, ^x)", "y = Sqrt(a, ^x)"])
def test_what_waits_is_left_alone(waits: str) -> None:
    lines = {"a": "a = Square(x)", "y": "y = Sqrt(a)"}
    lines[waits[0]] = waits
    text = "\n".join(f"{line} {F} -> float32[4]" for line in lines.values())
    source = "x = Placeholder() {dtype: float32, shape: <4>} -> float32[4]"
    graph = parsed(f"{source}\n{text}\ninputs x\noutputs y = y")
    assert apply(graph, RULES.all, Counter()) == 0


def test_an_output_of_several_is_not_inside() -> None:
    rules = Rules()

    @rules.rule("test/split", "Neg")
    def part(node: Node, match: Match) -> Sequence[Value] | None:
        inner = match.inner(node.inputs[0], "Split")
        made = match.maker(node.inputs[0], "Split")
        assert made is None or node.inputs[0].index == 0
        return None if inner is None else [inner.inputs[1]]

    split = f"{X}\ni: int32[] = 1\ns = Split(i, x) {{T: float32, num_split: 2}} -> 2"
    for rest in (
        f"y = Neg(s) {F}\nz = Exp(s:1) {F}\noutputs y, z",
        f"y = Neg(s) {F}\noutputs y, s:1",
        f"a = Neg(s:1) {F}\ny = Sub(a, s) {F}",
    ):
        assert apply(parsed(short(f"{split}\n{rest}")), rules.all, Counter()) == 0


def test_only_small_constants_are_looked_into() -> None:
    for size, known in ((1 << 16, True), ((1 << 16) + 1, False)):
        graph = Graph()
        value = graph.constant(np.zeros(size, np.float32), name="c")
        assert (Match.numbers(value) is not None) == known


# Cost --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [200, 2000])
@pytest.mark.parametrize(
    "ops", [["Neg"], ["Square", "Sqrt"], ["Square", "Neg", "Neg", "Sqrt"], ["Exp", "Neg"]]
)
def test_cost_is_linear(ops: list[str], steps: int) -> None:
    graph = parsed(short(chain(ops * (steps // len(ops)))))
    visits: list[str] = []
    apply(graph, counting(RULES, visits).all, Counter())
    assert len(visits) <= 4 * steps


def test_cost_is_linear_where_nearly_everything_goes() -> None:
    # A tree: each pair frees what it read, and its neighbours come again.
    count = 1000
    lines = [X, *(f"a{at} = Square(x) {F}\nb{at} = Sqrt(a{at}) {F}" for at in range(count))]
    names = ", ".join(f"b{at}" for at in range(count))
    graph = parsed(short("\n".join([*lines, f"y = AddN({names}) {{T: float32, N: {count}}}"])))
    visits: list[str] = []
    hits = Counter[str]()
    apply(graph, counting(RULES, visits).all, hits)
    assert hits == {"test/abs": count}
    assert len(visits) <= 4 * count


def test_rules_without_end_are_stopped() -> None:
    rules = Rules()

    @rules.rule("test/there", "Neg")
    def there(node: Node, match: Match) -> Sequence[Value] | None:
        return [match.op("Exp", node.inputs[0], attrs={"T": "float32"})]

    @rules.rule("test/back", "Exp")
    def back(node: Node, match: Match) -> Sequence[Value] | None:
        return [match.op("Neg", node.inputs[0], attrs={"T": "float32"})]

    graph = parsed(short(chain(["Neg"])))
    with pytest.raises(ConversionError, match=r"n1: the rule test/\w+ never comes to an end"):
        apply(graph, rules.all, Counter())


def test_a_node_that_cannot_be_is_named() -> None:
    rules = Rules()

    @rules.rule("test/attribute", "Neg")
    def attribute(node: Node, match: Match) -> Sequence[Value] | None:
        return [node.attrs["missing"]]

    with pytest.raises(CorruptFileError, match=r"node 'n1' \(Neg\): does not take such attributes"):
        apply(parsed(short(chain(["Neg"]))), rules.all, Counter())


# Functions ---------------------------------------------------------------------------------------


def test_rules_are_applied_in_functions() -> None:
    model = GraphModel(parsed(short(chain(["Exp"]))), Signature(["x"], ["n1"]))
    body = parsed(short(chain(["Neg", "Neg", "Exp"])))
    model.functions["f"] = copied(body, "f")
    hits = optimize(model)
    assert hits == {"tidy/twice": 1}
    changed = model.functions["f"]
    assert changed.name == "f"
    assert ops_of(graph_text(changed)[graph_text(changed).index("\n") :]) == ["Exp"]
    assert_same(body, changed)
    assert changed.inputs == [changed.nodes["x"]]


def test_a_function_that_gives_back_its_argument() -> None:
    model = GraphModel(parsed(short(chain(["Exp"]))), Signature(["x"], ["n1"]))
    model.functions["f"] = copied(parsed(short(chain(["Neg", "Neg"]))), "f")
    optimize(model)
    changed = model.functions["f"]
    assert set(changed.nodes) == {"x"}
    assert changed.outputs == [changed.nodes["x"].output]
    assert changed.output_names == ["n2"]


BRANCHES = """
x = Placeholder() {dtype: float32, shape: <?, 4>} -> float32[?, 4]
p = Placeholder() {dtype: bool, shape: <>} -> bool[]
c = Switch(x, p) {T: float32} -> float32[?, 4], float32[?, 4]
a = Const() {dtype: int32, value: tensor(int32[1]: 1)} -> int32[1]
e = Const() {dtype: int32, value: tensor(int32[1]: 2)} -> int32[1]
s = Shape(c:1) {T: float32, out_type: int32} -> int32[2]
k = StridedSlice(s, a, e, a) {Index: int32, T: int32, begin_mask: 0, ellipsis_mask: 0, end_mask: 0, new_axis_mask: 0, shrink_axis_mask: 0} -> int32[1]
n = Shape(c) {T: float32, out_type: int32} -> int32[2]
m = Merge(k, n) {N: 2, T: int32} -> int32[*], int32[]
inputs x, p
outputs y = m
"""  # noqa: E501 - a line is a node


def test_no_constant_takes_the_place_of_a_branch() -> None:
    """TF.js would have it before the branch is chosen, and let the Merge take it."""
    graph, hits = parsed(BRANCHES), Counter[str]()
    apply(graph, TIDY.all, hits)
    assert not hits
    assert len(graph.nodes) == len(parsed(BRANCHES).nodes)
    without = BRANCHES.replace("m = Merge(k, n) {N: 2, T: int32} -> int32[*], int32[]", "").replace(
        "y = m", "y = k"
    )
    apply(parsed(without), TIDY.all, hits)
    assert hits["tidy/known-sizes"] == 1
