"""Scales and shifts of channels become part of the weights before them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.passes.optimize.checks import (
    assert_few_expanded,
    assert_same,
    left_alone,
    ops_of,
    parsed,
    rewritten,
)
from tfjs.ir.tensor import ArrayTensor, Quantization, QuantizedTensor
from tfjs.passes.inline import copied
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.scales import RULES

RNG = np.random.default_rng(5)
BOTH = [*RULES.all, *FUSION.all]


def constant(name: str, *shape: int, numbers: list[float] | None = None) -> str:
    """A constant of positive numbers, so that it can be a variance too."""
    if numbers is None:
        numbers = [round(float(item), 3) for item in RNG.uniform(0.5, 2, int(np.prod(shape)))]
    sizes = f"[{', '.join(map(str, shape))}]"
    tensor = f"tensor(float32{sizes}: {', '.join(map(str, numbers))})"
    return f"{name} = Const() {{dtype: float32, value: {tensor}}} -> float32{sizes}\n"


X = "x = Placeholder() {dtype: float32, shape: <?, 4, 4, 2>} -> float32[?, 4, 4, 2]\n"
ATTRS = (
    '{T: float32, data_format: b"NHWC", dilations: [1, 1, 1, 1], explicit_paddings: [], '
    'padding: b"SAME", strides: [1, 1, 1, 1]}'
)
# Each gives c with six channels.
SOURCES = {
    "Conv2D": (
        f"{X}{constant('w', 1, 3, 2, 6)}c = Conv2D(x, w) {ATTRS} -> float32[?, 4, 4, 6]\n",
        "float32[?, 4, 4, 6]",
    ),
    "DepthwiseConv2dNative": (
        f"{X}{constant('w', 3, 3, 2, 3)}"
        f"c = DepthwiseConv2dNative(x, w) {ATTRS} -> float32[?, 4, 4, 6]\n",
        "float32[?, 4, 4, 6]",
    ),
    "MatMul": (
        "x = Placeholder() {dtype: float32, shape: <?, 2>} -> float32[?, 2]\n"
        f"{constant('w', 2, 6)}"
        "c = MatMul(x, w) {T: float32, transpose_a: false, transpose_b: false} -> float32[?, 6]\n",
        "float32[?, 6]",
    ),
    "turned": (
        "x = Placeholder() {dtype: float32, shape: <?, 2>} -> float32[?, 2]\n"
        f"{constant('w', 6, 2)}"
        "c = MatMul(x, w) {T: float32, transpose_a: false, transpose_b: true} -> float32[?, 6]\n",
        "float32[?, 6]",
    ),
}
FUSED = {
    "Conv2D": "_FusedConv2D",
    "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative",
    "MatMul": "_FusedMatMul",
    "turned": "_FusedMatMul",
}
CHANNELS = "".join(constant(name, 6) for name in ("scale", "offset", "mean", "variance", "b"))
CONVOLUTIONS = ["Conv2D", "DepthwiseConv2dNative"]


def norm(value: str, op: str = "FusedBatchNormV3", training: bool = False) -> str:
    attrs = (
        f'{{T: float32, U: float32, data_format: b"NHWC", epsilon: 0.01, '
        f"exponential_avg_factor: 1.0, is_training: {str(training).lower()}}}"
    )
    if op == "FusedBatchNorm":
        attrs = attrs.replace("U: float32, ", "")
    types = ", ".join(["float32[?, 4, 4, 6]", *["float32[6]"] * (5 if op[-1] == "3" else 4)])
    return f"y = {op}({value}, scale, offset, mean, variance) {attrs} -> {types}\n"


def ended(*lines: str, output: str = "y") -> str:
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return f"{text}inputs x\noutputs out = {output}\n"


def biased(source: str) -> str:
    text, type_ = SOURCES[source]
    return f"{text}{CHANNELS}a = AddV2(c, b) {{T: float32}} -> {type_}\n"


@pytest.mark.parametrize("source", CONVOLUTIONS)
@pytest.mark.parametrize("op", ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_batch_normalization(source: str, op: str, has_bias: bool) -> None:
    text = biased(source) if has_bias else SOURCES[source][0] + CHANNELS
    after, hits = rewritten(ended(text, norm("a" if has_bias else "c", op)), BOTH)
    assert ops_of(after) == [FUSED[source]]
    assert hits == {"fold/batch-norm": 1, **({"fuse/bias": 1} if has_bias else {})}
    assert 'fused_ops: [b"BiasAdd"]' in after
    assert "y = " in after


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("product", ["Mul(%s, scale)", "Mul(scale, %s)", "RealDiv(%s, scale)"])
def test_a_scale(source: str, has_bias: bool, product: str) -> None:
    text = biased(source) if has_bias else SOURCES[source][0] + CHANNELS
    step = product % ("a" if has_bias else "c")
    after, hits = rewritten(ended(text, f"y = {step} {{T: float32}} -> {SOURCES[source][1]}"), BOTH)
    plain = "MatMul" if source == "turned" else source
    assert ops_of(after) == [FUSED[source] if has_bias else plain]
    assert hits["fold/scale"] == 1


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "add",
    [
        "AddV2(a, offset) {T: float32}",
        "Add(offset, a) {T: float32}",
        "Sub(a, offset) {T: float32}",
        'BiasAdd(a, offset) {T: float32, data_format: b"NHWC"}',
    ],
)
def test_a_shift_behind_a_bias(source: str, add: str) -> None:
    after, hits = rewritten(ended(biased(source), f"y = {add} -> {SOURCES[source][1]}"), BOTH)
    assert ops_of(after) == [FUSED[source]]
    assert hits == {"fuse/bias": 1, "fold/shift": 1}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_normalization_in_parts(source: str, has_bias: bool) -> None:
    text = biased(source) if has_bias else SOURCES[source][0] + CHANNELS
    type_ = SOURCES[source][1]
    steps = [
        f"d = Sub({'a' if has_bias else 'c'}, mean) {{T: float32}} -> {type_}",
        f"f = RealDiv(d, variance) {{T: float32}} -> {type_}",
        f"g = Mul(f, scale) {{T: float32}} -> {type_}",
        f"h = AddV2(g, offset) {{T: float32}} -> {type_}",
        f"y = Relu(h) {{T: float32}} -> {type_}",
    ]
    after, _ = rewritten(ended(text, *steps), BOTH)
    assert ops_of(after) == [FUSED[source]]
    assert 'fused_ops: [b"BiasAdd", b"Relu"]' in after


def test_one_number_for_all_channels() -> None:
    text, type_ = SOURCES["Conv2D"]
    half = constant("k", 1, 1, numbers=[0.5])
    after, _ = rewritten(ended(text, half, f"y = Mul(c, k) {{T: float32}} -> {type_}"), BOTH)
    assert ops_of(after) == ["Conv2D"]


CONV = SOURCES["Conv2D"][0] + CHANNELS
OF_CONV = SOURCES["Conv2D"][1]


@pytest.mark.parametrize(
    "text",
    [
        ended(CONV, norm("c"), output="y, other = c"),
        ended(CONV, norm("c"), output="y, other = y:1"),
        ended(CONV, norm("c", training=True)),
        ended(CONV, norm("c")).replace("NHWC", "NCHW"),
        ended(CONV, f"e = Exp(c) {{T: float32}} -> {OF_CONV}", norm("e")),
        # A scale that others read the product of, that is no constant, or no number a channel.
        ended(CONV, f"y = Mul(c, scale) {{T: float32}} -> {OF_CONV}", output="y, other = c"),
        ended(CONV, f"y = Mul(c, c) {{T: float32}} -> {OF_CONV}"),
        ended(CONV, constant("k", 4, 1), f"y = Mul(c, k) {{T: float32}} -> {OF_CONV}"),
        ended(
            CONV,
            constant("k", 1, 1, 1, 1, 6),
            "y = Mul(c, k) {T: float32} -> float32[1, ?, 4, 4, 6]",
        ),
        # The product is the divisor, and a divisor that has no inverse.
        ended(CONV, f"y = RealDiv(scale, c) {{T: float32}} -> {OF_CONV}"),
        ended(
            CONV,
            constant("k", 6, numbers=[1, 0, 1, 1, 1, 1]),
            f"y = RealDiv(c, k) {{T: float32}} -> {OF_CONV}",
        ),
        # A variance below zero.
        ended(
            CONV,
            constant("v", 6, numbers=[-1.0] * 6),
            norm("c").replace("variance", "v"),
        ),
    ],
)
def test_no_scale(text: str) -> None:
    left_alone(text, RULES.all)


def test_weights_that_are_no_constant() -> None:
    text = (
        "x = Placeholder() {dtype: float32, shape: <2, 6>} -> float32[2, 6]\n"
        f"{CHANNELS}"
        "c = MatMul(x, x) {T: float32, transpose_a: true, transpose_b: false} -> float32[6, 6]\n"
        "y = Mul(c, scale) {T: float32} -> float32[6, 6]"
    )
    left_alone(ended(text), RULES.all)


def test_few_weights_of_fewer_bytes_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ended(CONV, f"y = Mul(c, scale) {{T: float32}} -> {OF_CONV}")
    assert_few_expanded(text, RULES.all, monkeypatch)


def test_weights_of_fewer_bytes_that_take_only_a_bias_stay() -> None:
    graph = parsed(ended(biased("Conv2D"), "y = AddV2(a, offset) {T: float32} -> " + OF_CONV))
    stored = ArrayTensor(np.arange(36, dtype=np.uint8).reshape(1, 3, 2, 6))
    graph.nodes["w"].attrs["value"] = QuantizedTensor(stored, Quantization("uint8", 0.1, 0.0))
    assert apply(graph, BOTH, Counter()) > 0
    assert isinstance(graph.nodes["w"].attrs["value"], QuantizedTensor)


def test_a_scale_behind_an_activation_stays() -> None:
    steps = [
        f"r = Relu(a) {{T: float32}} -> {OF_CONV}",
        f"y = Mul(r, scale) {{T: float32}} -> {OF_CONV}",
    ]
    after, hits = rewritten(ended(biased("Conv2D"), *steps), BOTH)
    assert ops_of(after) == ["_FusedConv2D", "Mul"]
    assert not hits["fold/scale"]


def test_weights_that_others_read_stay_as_they_are() -> None:
    # The rule makes new ones.
    steps = [f"y = Mul(c, scale) {{T: float32}} -> {OF_CONV}"]
    before = parsed(ended(CONV, *steps, output="y, other = w"))
    after = copied(before, before.name)
    assert apply(after, RULES.all, Counter()) == 1
    assert_same(before, after)


def test_large_weights_that_several_read_are_not_stored_for_each() -> None:
    text, type_ = SOURCES["MatMul"]
    lines = [
        "e = MatMul(x, w) {T: float32, transpose_a: false, transpose_b: false} -> float32[?, 6]",
        f"s = Mul(c, scale) {{T: float32}} -> {type_}",
        f"y = Add(s, e) {{T: float32}} -> {type_}",
    ]
    for rows, count in ((2, 1), (10000, 0)):
        graph = parsed(ended(text, CHANNELS, *lines))
        weights = np.ones((rows, 6), np.float32)
        graph.nodes["w"].attrs["value"] = ArrayTensor(weights)
        graph.nodes["w"].output.shape = weights.shape
        assert apply(graph, RULES.all, Counter()) == count


def test_a_shift_that_is_not_finite_stays() -> None:
    endless = constant("k", 6, numbers=[float("inf")] * 6)
    step = f"y = Mul(c, k) {{T: float32}} -> {OF_CONV}"
    left_alone(ended(CONV, endless, step), RULES.all)
