"""Constants beside a value become smaller, where that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.passes.optimize.checks import left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import F
from tfjs.ir.tensor import Array, ArrayTensor, DerivedTensor, Quantization, QuantizedTensor, Tensor
from tfjs.passes.optimize.engine import Match
from tfjs.passes.optimize.uniform import RULES, leading_axes, uniform

SIZES = "{T: float32, out_type: int32}"
X = "x: float32[?, 2, 3]"
FULL = f"{X}\nk: float32[2, 3] = 5, 5, 5, 5, 5, 5"


def check(text: str, *, rule: str = "tidy/uniform") -> Array:
    """Apply the rules, and give the constant that is there then."""
    before = short(text)
    after, hits = rewritten(before, RULES.all)
    assert hits == {rule: 1}
    assert ops_of(after) == ops_of(before)
    assert [str(value.type) for value in parsed(after).outputs] == [
        str(value.type) for value in parsed(before).outputs
    ]
    (found,) = [node for node in parsed(after).ordered() if node.op == "Const"]
    array = found.attrs["value"].array()
    assert isinstance(array, np.ndarray)
    return array


def stays(text: str) -> None:
    left_alone(short(text), RULES.all)


@pytest.mark.parametrize("op", ["AddV2", "Mul", "Sub", "RealDiv", "Maximum", "Pow", "Greater"])
@pytest.mark.parametrize("inputs", ["x, k", "k, x"])
def test_one_number(op: str, inputs: str) -> None:
    number = check(f"{FULL}\ny = {op}({inputs}) {F}")
    assert (number.shape, number.item()) == ((), 5)


def test_axes_of_one_element() -> None:
    for shape in ("1", "1, 1", "1, 1, 1"):
        assert check(f"{X}\nk: float32[{shape}] = 5\ny = Mul(x, k) {F}").shape == ()
    # With more axes than the value it gives the result one.
    stays(f"{X}\nk: float32[1, 1, 1, 1] = 5\ny = Mul(x, k) {F}")
    stays(f"x: float32[*]\nk: float32[1] = 5\ny = Mul(x, k) {F}")
    stays(f"{X}\nk: float32[] = 5\ny = Mul(x, k) {F}")


def test_other_numbers() -> None:
    stays(FULL.replace("= 5, 5", "= 5, 4") + f"\ny = Mul(x, k) {F}")
    stays(FULL.replace("5, 5, 5, 5", "nan, nan, nan, nan") + f"\ny = Mul(x, k) {F}")
    zeros = FULL.replace("5, 5, 5, 5, 5, 5", "0, 0, 0, 0, 0, -0.0")
    stays(f"{zeros}\ny = RealDiv(x, k) {F}")
    minus = FULL.replace("5, 5, 5, 5, 5, 5", ", ".join(["-0.0"] * 6))
    assert np.signbit(check(f"{minus}\ny = AddV2(x, k) {F}"))


def test_other_types() -> None:
    text = f"{FULL}\ny = Mul(x, k) {F}".replace("float32", "int32")
    assert check(text).dtype == np.int32
    text = """
        x: bool[?, 2]
        k: bool[1, 2] = true, true
        y = LogicalAnd(x, k) {}
    """
    assert check(text).dtype == np.bool_


def test_where_the_shape_matters() -> None:
    # What is computed is as large as the constant.
    stays(FULL.replace("?, 2, 3", "?, 1, 3") + f"\ny = Mul(x, k) {F}")
    stays(FULL.replace("?, 2, 3", "?, ?, 3") + f"\ny = Mul(x, k) {F}")
    stays(FULL.replace("?, 2, 3", "3") + f"\ny = Mul(x, k) {F}")
    stays(f"{FULL}\ny = MatMul(k, k) {{T: float32, transpose_b: true}}")
    join = "{T: float32, N: 2, Tidx: int32}"
    text = FULL.replace("?, 2, 3", "2, 3")
    stays(f"{text}\ni: int32[] = 0\ny = ConcatV2(x, k, i) {join}")
    # Something else that reads it needs it as it is.
    stays(f"{text}\ni: int32[] = 0\nz = Mul(x, k) {F}\ny = ConcatV2(z, k, i) {join}")
    stays(f"{text}\ny = Mul(x, k) {F}\noutputs y, k")
    stays(f"{FULL}\ny = Mul(k, k) {F}")


def test_several_readers() -> None:
    text = f"{FULL}\na = Mul(x, k) {F}\nb = AddV2(k, x) {F}\ny = Sub(a, b) {F}"
    after, hits = rewritten(short(text), RULES.all)
    assert hits == {"tidy/uniform": 2}
    assert "[2, 3]: " not in after


def test_leading_axes() -> None:
    text = f"{X}\nk: float32[1, 1, 3] = 1, 2, 3\ny = Mul(x, k) {F}"
    assert check(text, rule="tidy/leading-axes").tolist() == [1, 2, 3]
    text = f"{X}\nk: float32[1, 2, 1] = 1, 2\ny = Mul(k, x) {F}"
    assert check(text, rule="tidy/leading-axes").tolist() == [[1], [2]]
    # It is spread along an axis that the value has not.
    stays(f"x: float32[3]\nk: float32[1, 3] = 1, 2, 3\ny = Mul(x, k) {F}")
    stays(f"x: float32[*]\nk: float32[1, 3] = 1, 2, 3\ny = Mul(x, k) {F}")
    stays(f"{X}\nk: float32[2, 1] = 1, 2\ny = Mul(x, k) {F}")
    text = f"{X}\nk: float32[1, 2, 3] = 1, 2, 3, 4, 5, 6\ny = Mul(x, k) {F}"
    stays(f"{text}\noutputs y, k")
    assert check(text, rule="tidy/leading-axes").shape == (2, 3)
    # A value may be spread along the constant.
    text = f"x: float32[?, ?, 1]\nk: float32[1, 1, 3] = 1, 2, 3\ny = Mul(x, k) {F}"
    assert check(text, rule="tidy/leading-axes").tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("fill", "number"),
    [
        ("k = ZerosLike(x) {T: float32}", 0),
        ("k = OnesLike(x) {T: float32}", 1),
        (f"s = Shape(x) {SIZES}\nn: float32[] = 5\nk = Fill(s, n) {F}", 5),
    ],
)
def test_what_is_filled(fill: str, number: float) -> None:
    text = f"x: float32[?, ?]\n{fill}\ny = Maximum(x, k) {F}"
    after, hits = rewritten(short(text), RULES.all)
    assert (ops_of(after), hits) == (["Maximum"], {"tidy/filled": 1})
    (found,) = [node for node in parsed(after).ordered() if node.op == "Const"]
    assert found.attrs["value"].array() == number
    after, hits = rewritten(short(f"{text}\noutputs y, k"), RULES.all)
    assert hits == {"tidy/filled": 1}
    # Of the size of something else.
    text = text.replace("(x)", "(z)").replace(
        "x: float32[?, ?]", "x: float32[?, ?]\nz: float32[%s]"
    )
    stays(text % "?, ?")
    stays(text % "2, 3")
    after, hits = rewritten(short(text.replace("x: float32[?, ?]", X) % "2, 3"), RULES.all)
    assert hits == {"tidy/filled": 1}
    stays(text.replace("x: float32[?, ?]", X) % "2, 2, 3")


def test_what_is_filled_with_what_is_fed() -> None:
    told = f"s = Shape(x) {SIZES}"
    stays(f"{X}\n{told}\nn: float32[]\nk = Fill(s, n) {F}\ny = Mul(x, k) {F}")
    stays(f"{X}\nk = ZerosLike(x) {F}\ny = Equal(k, k) {F}")


class _Counted(Tensor):
    """A tensor of a million numbers that tells how much of it is read."""

    __slots__ = ("read",)

    def __init__(self, *shape: int) -> None:
        super().__init__("float32", shape)
        self.read = 0

    def blocks(self, size: int = 1 << 22) -> Iterator[Array]:
        for start in range(0, self.size, size // 4):
            self.read += size // 4
            yield np.arange(start, start + size // 4, dtype=np.float32)


def _matched(tensor: Tensor) -> tuple[Match, str]:
    shape = ", ".join(map(str, tensor.shape))
    graph = parsed(short(f"x: float32[{shape}]\nk: float32[1] = 1\ny = Mul(x, k) {F}"))
    node = graph.nodes["y"]
    graph.set_input(node, 1, graph.constant(tensor, name="large"))
    return Match(graph, node), "y"


def test_little_is_read_of_large_constants() -> None:
    tensor = _Counted(1 << 10, 1 << 10)
    match, name = _matched(tensor)
    assert uniform(match.graph.nodes[name], match) is None
    assert 0 < tensor.read <= 1 << 14
    # Beyond a bound nothing is, and nothing computed.
    tensor = _Counted(1 << 11, 1 << 10)
    match, name = _matched(tensor)
    assert uniform(match.graph.nodes[name], match) is None
    assert tensor.read == 0

    def compute() -> Array:
        raise AssertionError("computed")

    for shape in ((1, 1 << 17), (1, 3)):
        match, name = _matched(DerivedTensor("float32", shape, compute))
        if shape[1] > 3:
            assert uniform(match.graph.nodes[name], match) is None
        made = leading_axes(match.graph.nodes[name], match)
        assert made is not None


def test_quantized_constants_stay_quantized() -> None:
    stored = ArrayTensor(np.array([[1, 2, 3]], np.uint8))
    match, name = _matched(QuantizedTensor(stored, Quantization("uint8", 0.5, 1.0)))
    made = leading_axes(match.graph.nodes[name], match)
    assert made is not None
    tensor = made[0].node.inputs[1].node.attrs["value"]
    assert isinstance(tensor, QuantizedTensor)
    assert (tensor.shape, tensor.array().tolist()) == ((3,), [1.5, 2.0, 2.5])
