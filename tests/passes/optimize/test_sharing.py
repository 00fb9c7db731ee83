"""Of two equal computations or constants one is left, and only of equal ones."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.passes.optimize.checks import assert_same, ops_of, parsed
from tests.passes.optimize.short import short
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.io.json import read_json
from tfjs.ir.graph import Graph, GraphModel, Signature
from tfjs.ir.tensor import ArrayTensor, CastTensor, Quantization, QuantizedTensor, Tensor
from tfjs.ir.text import graph_text
from tfjs.passes.inline import copied
from tfjs.passes.optimize.sharing import share

F = "{T: float32}"
X = "x: float32[?, 4]"


def shared(text: str) -> tuple[str, dict[str, int]]:
    """A graph after sharing; it answers as before, and a second time there is nothing to do."""
    before = parsed(short(text))
    after, hits = copied(before, ""), Counter[str]()
    share(after, hits)
    assert_same(before, after, relative=0)
    again = Counter[str]()
    share(after, again)
    assert not again
    return graph_text(after), dict(hits)


def stays(text: str) -> None:
    _, hits = shared(text)
    assert not hits


# Computations ------------------------------------------------------------------------------------


def test_branches_that_are_equal() -> None:
    after, hits = shared(f"""
        {X}
        a = Neg(x) {F}
        b = Neg(x) {F}
        c = Exp(a) {F}
        d = Exp(b) {F}
        y = Sub(c, d) {F}
    """)
    assert ops_of(after) == ["Neg", "Exp", "Sub"]
    assert "y = Sub(c, c)" in after
    assert hits == {"share/computation": 2}


@pytest.mark.parametrize(
    ("op", "either"),
    [(op, True) for op in ("Add", "AddV2", "Mul", "Maximum", "Minimum", "SquaredDifference")]
    + [("Sub", False), ("RealDiv", False), ("Pow", False)],
)
def test_inputs_in_either_order(op: str, either: bool) -> None:
    text = f"{X}\nz: float32[4]\na = {op}(x, z) {F}\nb = {op}(z, x) {F}\ny = Sub(a, b) {F}"
    text = text.replace("x, z", "x, e").replace("z, x", "e, x")
    text = text.replace("\na =", f"\ne = Exp(z) {F}\na =", 1)
    after, _ = shared(text)
    assert ops_of(after).count(op) == (1 if either else 2) + (op == "Sub")


def test_several_outputs_and_functions_of_attributes() -> None:
    text = f"""
        {X}
        i: int32[] = 1
        a = Split(i, x) {{T: float32, num_split: 2}} -> 2
        b = Split(i, x) {{T: float32, num_split: 2}} -> 2
        y = Sub(a:1, b) {F}
        z = Sub(a, b:1) {F}
        outputs y, z
    """
    after, hits = shared(text)
    assert ops_of(after) == ["Split", "Sub", "Sub"]
    assert hits == {"share/computation": 1}


def told(alpha: str, more: str = "") -> str:
    return f"{{T: float32, alpha: {alpha}{more}}}"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (f"LeakyRelu(x) {told('0.1')}", f"LeakyRelu(x) {told('0.1')}", True),
        (f"LeakyRelu(x) {told('0.1')}", f"LeakyRelu(x) {told('0.2')}", False),
        (f"LeakyRelu(x) {told('0.0')}", f"LeakyRelu(x) {told('-0.0')}", False),
        (f"LeakyRelu(x) {told('nan')}", f"LeakyRelu(x) {told('nan')}", True),
        # What is noted beside is nothing that is computed.
        (f"Neg(x) {F}", 'Neg(x) {T: float32, _class: [b"loc:@x"]}', True),
        (f"Neg(x) {F}", f"Exp(x) {F}", False),
        ("Sum(x, i) {T: float32, keep_dims: true}", "Sum(x, i) {T: float32, keep_dims: 1}", False),
        ("Sum(x, i) {T: float32, keep_dims: true}", "Sum(x, i) {T: float32}", False),
    ],
)
def test_attributes_must_be_equal(first: str, second: str, same: bool) -> None:
    text = f"{X}\ni: int32[1] = 1\na = {first}\nb = {second}\ny = Pack(a, b) {{T: float32, N: 2}}"
    if "keep_dims" in text:
        text = text.replace("y = Pack(a, b) {T: float32, N: 2}", "y = AddV2(a, b) {T: float32}")
    graph = parsed(short(text))
    hits = Counter[str]()
    share(graph, hits)
    assert hits["share/computation"] == same


@pytest.mark.parametrize(
    "step",
    [
        "RandomUniform(s) {T: int32, dtype: float32, seed: 0, seed2: 0}",
        "RandomStandardNormal(s) {T: int32, dtype: float32, seed: 7, seed2: 7}",
        "StatelessRandomUniform(s, s) {T: int32, Tseed: int32, dtype: float32}",
        "TensorListReserve(s, i) {element_dtype: float32, shape_type: int32}",
        "EmptyTensorList(s, i) {element_dtype: float32, shape_type: int32}",
        'Enter(x) {T: float32, frame_name: b"f", is_constant: false, parallel_iterations: 1}',
        "Merge(x, x) {T: float32, N: 2} -> 2",
        "NextIteration(x) {T: float32}",
        "StatelessIf(i, x) {Tcond: int32, Tin: [float32], Tout: [float32], then_branch: @f,"
        " else_branch: @g, output_shapes: [<*>]}",
        "UnheardOf(x) {T: float32}",
    ],
)
def test_what_is_never_shared(step: str) -> None:
    call, _, count = step.partition(" -> ")
    types = ", ".join(["float32[*]"] * int(count or 1))
    graph = parsed(f"""
        x = Placeholder() {{dtype: float32, shape: <4>}} -> float32[4]
        s = Placeholder() {{dtype: int32, shape: <2>}} -> int32[2]
        i = Placeholder() {{dtype: int32, shape: <>}} -> int32[]
        a = {call} -> {types}
        b = {call} -> {types}
        y = AddV2(a, b) {F} -> float32[*]
        inputs x, s, i
        outputs y = y
    """)
    hits = Counter[str]()
    share(graph, hits)
    assert not hits


def test_branches_of_a_switch_stay_two() -> None:
    graph = parsed(f"""
        x = Placeholder() {{dtype: float32, shape: <4>}} -> float32[4]
        p = Placeholder() {{dtype: bool, shape: <>}} -> bool[]
        s = Switch(x, p) {F} -> float32[4], float32[4]
        a = Neg(s) {F} -> float32[4]
        b = Neg(s:1) {F} -> float32[4]
        c = Neg(s:1) {F} -> float32[4]
        d = AddV2(b, c) {F} -> float32[4]
        y = Merge(a, d) {{T: float32, N: 2}} -> float32[4], int32[]
        inputs x, p
        outputs y = y
    """)
    before, hits = copied(graph, ""), Counter[str]()
    share(graph, hits)
    assert hits == {"share/computation": 1}
    assert sorted(node.op for node in graph.nodes.values() if node.op == "Neg") == ["Neg", "Neg"]
    assert_same(before, graph, relative=0)


def test_what_waits_or_is_waited_for_as_a_target_stays() -> None:
    text = """
        x = Placeholder() {dtype: float32, shape: <4>} -> float32[4]
        a = Neg(x) {T: float32} -> float32[4]
        b = Neg(x, ^a) {T: float32} -> float32[4]
        c = Neg(x) {T: float32} -> float32[4]
        inputs x
        outputs y = b, z = a
        targets c
    """
    graph, hits = parsed(text), Counter[str]()
    share(graph, hits)
    assert not hits


def test_what_is_known_of_a_shape_is_kept() -> None:
    graph = parsed("""
        x = Placeholder() {dtype: float32, shape: <4>} -> float32[4]
        a = Neg(x) {T: float32} -> float32[*]
        b = Neg(x) {T: float32} -> float32[4]
        inputs x
        outputs y = a, z = b
    """)
    share(graph, Counter())
    assert graph.outputs == [graph.nodes["a"].output] * 2
    assert graph.nodes["a"].output.shape == (4,)


def test_the_origin_is_that_of_all() -> None:
    lines = [X, *(f"n{at} = Neg(x) {F}" for at in range(4))]
    sums = "y = AddN(n0, n1, n2, n3) {T: float32, N: 4}"
    graph = parsed(short("\n".join([*lines, sums])))
    share(graph, Counter())
    assert graph.nodes["n0"].origin == ("n0", "n1", "n2", "n3")


def test_one_walk_over_many() -> None:
    steps = 5000
    lines = [X, f"a0 = Neg(x) {F}", f"b0 = Neg(x) {F}"]
    for at in range(1, steps):
        lines += [f"{name}{at} = Neg({name}{at - 1}) {F}" for name in "ab"]
    graph = parsed(short("\n".join([*lines, f"y = Sub(a{steps - 1}, b{steps - 1}) {F}"])))
    hits = Counter[str]()
    share(graph, hits)
    assert hits == {"share/computation": steps}
    assert len(graph.nodes) == steps + 2


def test_two_outputs_stay_two_for_the_user(tmp_path: Path) -> None:
    text = f"{X}\na = Neg(x) {F}\nb = Neg(x) {F}\nc = Exp(b) {F}\noutputs a, b, c"
    graph = parsed(short(text))
    model = GraphModel(graph, Signature(["x"], ["a", "b", "c"]))
    write(model, tmp_path / "plain", WriteOptions())
    report = tfjs.convert(tmp_path / "plain", tmp_path / "web", to="tfjs-graph", verify=True)
    assert report.optimizations == {"share/computation": 1}
    written = read_json(tmp_path / "web" / "model.json")
    nodes = {node["name"]: node["op"] for node in written["modelTopology"]["node"]}
    assert nodes == {"x": "Placeholder", "a": "Neg", "b": "Identity", "c": "Exp"}
    assert list(written["signature"]["outputs"]) == ["a", "b", "c"]


# Constants ---------------------------------------------------------------------------------------


def graph_of(*tensors: Tensor) -> Graph:
    graph = Graph()
    for at, tensor in enumerate(tensors):
        graph.constant(tensor, name=f"c{at}")
    graph.outputs = [node.output for node in graph.nodes.values()]
    graph.output_names = list(graph.nodes)
    return graph


def left(*arrays: Any) -> int:
    """How many constants are left of some."""
    tensors = [item if isinstance(item, Tensor) else ArrayTensor(item) for item in arrays]
    graph, hits = graph_of(*tensors), Counter[str]()
    share(graph, hits)
    assert hits["share/constant"] == len(arrays) - len(graph.nodes)
    for output, tensor in zip(graph.outputs, tensors, strict=True):
        held = output.node.attrs["value"]
        assert (held.dtype, held.shape) == (tensor.dtype, tensor.shape)
        np.testing.assert_array_equal(held.array(), tensor.array())
    return len(graph.nodes)


def test_equal_constants() -> None:
    ones = np.ones((2, 3), np.float32)
    assert left(ones, ones.copy(), np.ones((2, 3), np.float32)) == 1
    assert left(np.array([b"a", b"bc"], object), np.array([b"a", b"bc"], object)) == 1
    assert left(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)) == 1


def test_constants_that_are_not_equal() -> None:
    ones = np.ones((2, 3), np.float32)
    assert left(ones, ones.reshape(3, 2), ones.astype(np.int32), ones.astype(bool)) == 4
    assert left(np.float32(0), np.float32(-0.0), np.float32(1)) == 3
    assert left(np.array([b"ab", b"c"], object), np.array([b"a", b"bc"], object)) == 2
    late = np.zeros(100_000, np.float32)
    later = late.copy()
    later[-1] = 1
    assert left(late, later, late.copy()) == 2


def test_bits_are_compared() -> None:
    quiet, other = (
        np.frombuffer(struct.pack("<I", bits), "<f4") for bits in (0x7FC00000, 0x7FC00001)
    )
    assert left(quiet, other, quiet) == 2


def test_what_is_stored_in_fewer_bytes_stays_apart() -> None:
    stored = ArrayTensor(np.array([1, 2], np.uint8))
    one, two = Quantization("uint8", 1.0, 0.0), Quantization("uint8", 2.0, 0.0)
    plain = np.array([1, 2], np.float32)
    assert left(QuantizedTensor(stored, one), plain, QuantizedTensor(stored, one)) == 2
    assert left(QuantizedTensor(stored, one), QuantizedTensor(stored, two)) == 2


class Counted(Tensor):
    """A tensor that counts what is read of it."""

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(array.dtype.name, array.shape)
        self.numbers, self.read = array, 0

    def array(self) -> np.ndarray:
        raise AssertionError("held whole")

    def blocks(self, size: int = 1 << 20) -> Iterator[np.ndarray]:
        step = size // self.numbers.itemsize
        for at in range(0, self.numbers.size, step):
            self.read += min(step, self.numbers.size - at) * self.numbers.itemsize
            yield self.numbers[at : at + step]


def test_no_more_is_read_than_tells_two_apart() -> None:
    rng = np.random.default_rng(1)
    size = 1 << 20
    alone = Counted(np.zeros(size + 1, np.float32))
    others = [Counted(rng.normal(size=size).astype(np.float32)) for _ in range(4)]
    same = Counted(others[0].numbers.copy())
    graph = graph_of(alone, *others, same)
    share(graph, Counter())
    assert len(graph.nodes) == 5
    assert alone.read == 0
    assert max(other.read for other in others[1:]) <= 1 << 12
    assert same.read <= same.nbytes + (1 << 12)


def test_equal_constants_make_equal_computations() -> None:
    after, hits = shared(f"""
        {X}
        c: float32[] = 2
        d: float32[] = 2
        a = Mul(x, c) {F}
        b = Mul(d, x) {F}
        y = Sub(a, b) {F}
    """)
    assert ops_of(after) == ["Mul", "Sub"]
    assert hits == {"share/constant": 1, "share/computation": 1}


def test_nothing_to_share() -> None:
    stays(f"{X}\nc: float32[] = 2\nd: float32[] = 3\na = Mul(x, c) {F}\ny = Sub(a, d) {F}")


def test_constants_that_come_in_pieces_are_compared_to_the_end() -> None:
    # What is cast, or lies in several places, gives a part of its bytes at a time.
    numbers = np.arange(700, dtype=np.int64)
    other = numbers.copy()
    other[-1] = -1
    graph = Graph()
    values = [
        graph.constant(CastTensor(ArrayTensor(array), "int32"), name=name)
        for name, array in {"a": numbers, "b": other, "c": numbers}.items()
    ]
    graph.outputs, graph.output_names = values, ["a", "b", "c"]
    hits = Counter[str]()
    share(graph, hits)
    assert hits == {"share/constant": 1}
    assert [value.node.name for value in graph.outputs] == ["a", "b", "a"]
