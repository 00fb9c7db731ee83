"""Biases, activations and padding become part of the convolution or product before them."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
from tfjs.passes.optimize.fusion import RULES

X = "x = Placeholder() {dtype: float32, shape: <?, 4, 4, 2>} -> float32[?, 4, 4, 2]\n"
CONV_ATTRS = (
    "{T: float32, data_format: b'NHWC', dilations: [1, 1, 1, 1], explicit_paddings: [], "
    "padding: b'SAME', strides: [1, 1, 1, 1]}"
).replace("'", '"')
WEIGHTS = (
    "w = Const() {dtype: float32, value: tensor(float32[1, 1, 2, 3]: 1, -2, 3, -4, 5, 0.5)}"
    " -> float32[1, 1, 2, 3]\n"
    "b = Const() {dtype: float32, value: tensor(float32[3]: 0.5, -1, 2)} -> float32[3]\n"
)
CONV = f"{X}{WEIGHTS}c = Conv2D(x, w) {CONV_ATTRS} -> float32[?, 4, 4, 3]\n"
DEPTHWISE = (
    f"{X}"
    "w = Const() {dtype: float32, value: tensor(float32[1, 1, 2, 1]: 2, -3)} -> float32[1, 1, 2, 1]"
    "\nb = Const() {dtype: float32, value: tensor(float32[2]: 0.5, -1)} -> float32[2]\n"
    f"c = DepthwiseConv2dNative(x, w) {CONV_ATTRS} -> float32[?, 4, 4, 2]\n"
)
PRODUCT = (
    "x = Placeholder() {dtype: float32, shape: <?, 2>} -> float32[?, 2]\n"
    "w = Const() {dtype: float32, value: tensor(float32[2, 3]: 1, -2, 3, -4, 5, 0.5)}"
    " -> float32[2, 3]\n"
    "b = Const() {dtype: float32, value: tensor(float32[3]: 0.5, -1, 2)} -> float32[3]\n"
    "c = MatMul(x, w) {T: float32, transpose_a: false, transpose_b: false} -> float32[?, 3]\n"
)
OF_CONV, OF_DEPTHWISE, OF_PRODUCT = "float32[?, 4, 4, 3]", "float32[?, 4, 4, 2]", "float32[?, 3]"
SOURCES = {
    "_FusedConv2D": (CONV, OF_CONV),
    "FusedDepthwiseConv2dNative": (DEPTHWISE, OF_DEPTHWISE),
    "_FusedMatMul": (PRODUCT, OF_PRODUCT),
}


def ended(text: str, *lines: str, output: str = "y") -> str:
    return text + "\n".join(lines) + f"\ninputs x\noutputs out = {output}\n"


@pytest.mark.parametrize("fused", SOURCES)
@pytest.mark.parametrize(
    "add",
    [
        'BiasAdd(c, b) {T: float32, data_format: b"NHWC"}',
        "AddV2(c, b) {T: float32}",
        "AddV2(b, c) {T: float32}",
        "Sub(c, b) {T: float32}",
    ],
)
def test_a_bias(fused: str, add: str) -> None:
    text, type_ = SOURCES[fused]
    after, hits = rewritten(ended(text, f"y = {add} -> {type_}"), RULES.all)
    assert ops_of(after) == [fused]
    assert hits == {"fuse/bias": 1}
    assert 'fused_ops: [b"BiasAdd"]' in after
    assert "num_args: 1" in after


@pytest.mark.parametrize("fused", SOURCES)
@pytest.mark.parametrize(
    "step",
    [
        "Relu(a) {T: float32}",
        "Relu6(a) {T: float32}",
        "Elu(a) {T: float32}",
        "Sigmoid(a) {T: float32}",
        "LeakyRelu(a) {T: float32, alpha: 0.3}",
        "Prelu(a, s)",
    ],
)
@pytest.mark.parametrize("biased", [True, False])
def test_an_activation(fused: str, step: str, biased: bool) -> None:
    text, type_ = SOURCES[fused]
    slope = "s = Const() {dtype: float32, value: tensor(float32[1]: 0.25)} -> float32[1]"
    bias = f"a = AddV2(c, b) {{T: float32}} -> {type_}" if biased else ""
    step = step if biased else step.replace("(a", "(c")
    after, hits = rewritten(ended(text, slope, bias, f"y = {step} -> {type_}"), RULES.all)
    op = step.partition("(")[0]
    if op == "LeakyRelu" and "Depthwise" in fused:
        op = "Prelu"  # TF.js reads no `leakyrelu_alpha` there
    assert ops_of(after) == [fused]
    assert hits["fuse/activation"] == 1
    assert f'fused_ops: [b"BiasAdd", b"{op}"]' in after
    assert f"num_args: {2 if op == 'Prelu' else 1}" in after


@pytest.mark.parametrize(
    "text",
    [
        # A convolution that others read, or that is an output.
        ended(CONV, f"y = AddV2(c, b) {{T: float32}} -> {OF_CONV}", output="y, other = c"),
        ended(
            CONV, f"d = AddV2(c, b) {{T: float32}} -> {OF_CONV}", f"y = AddV2(c, d) -> {OF_CONV}"
        ),
        # What is added is no number a channel: a residual, a plane, a value of higher rank.
        ended(CONV, f"y = AddV2(c, c) {{T: float32}} -> {OF_CONV}"),
        ended(
            CONV,
            "p = Const() {dtype: float32, value: tensor(float32[4, 1]: 1, 2, 3, 4)}"
            " -> float32[4, 1]",
            f"y = AddV2(c, p) {{T: float32}} -> {OF_CONV}",
        ),
        ended(
            PRODUCT,
            "p = Const() {dtype: float32, value: tensor(float32[1, 1, 3]: 1, 2, 3)}"
            " -> float32[1, 1, 3]",
            "y = AddV2(c, p) {T: float32} -> float32[1, ?, 3]",
        ),
        # What is taken from the bias is not the bias.
        ended(CONV, f"y = Sub(b, c) {{T: float32}} -> {OF_CONV}"),
        # Whole numbers, which wasm does not multiply.
        ended(
            PRODUCT.replace("float32", "int32").replace("0.5", "7"),
            "y = AddV2(c, b) {T: int32} -> int32[?, 3]",
        ),
    ],
)
def test_no_bias(text: str) -> None:
    left_alone(text, RULES.all)


def test_a_second_activation_stays() -> None:
    lines = [
        f"a = AddV2(c, b) {{T: float32}} -> {OF_CONV}",
        f"r = Relu(a) {{T: float32}} -> {OF_CONV}",
        f"y = Sigmoid(r) {{T: float32}} -> {OF_CONV}",
    ]
    after, _ = rewritten(ended(CONV, *lines), RULES.all)
    assert ops_of(after) == ["_FusedConv2D", "Sigmoid"]


def test_the_name_and_the_origin_are_those_of_the_last() -> None:
    after, _ = rewritten(ended(CONV, f"y = AddV2(c, b) {{T: float32}} -> {OF_CONV}"), RULES.all)
    assert "y = _FusedConv2D(x, w, " in after


PADDED = (
    f"{X}{WEIGHTS}"
    "p = Const() {dtype: int32, value: tensor(int32[4, 2]: 0, 0, 1, 0, 2, 1, 0, 0)}"
    " -> int32[4, 2]\n"
    "z = Const() {dtype: float32, value: tensor(float32[]: 0)} -> float32[]\n"
)
VALID = CONV_ATTRS.replace("SAME", "VALID")


@pytest.mark.parametrize("pad", ["Pad(x, p)", "PadV2(x, p, z)"])
def test_padding(pad: str) -> None:
    lines = [
        f"q = {pad} {{T: float32, Tpaddings: int32}} -> float32[?, 5, 7, 2]",
        f"y = Conv2D(q, w) {VALID} -> float32[?, 5, 7, 3]",
    ]
    after, hits = rewritten(ended(PADDED, *lines), RULES.all)
    assert ops_of(after) == ["Conv2D"]
    assert hits == {"fuse/padding": 1}
    assert 'explicit_paddings: [0, 0, 1, 0, 2, 1, 0, 0], padding: b"EXPLICIT"' in after


def test_padding_of_branches() -> None:
    lines = [
        "q = Pad(x, p) {T: float32, Tpaddings: int32} -> float32[?, 5, 7, 2]",
        f"c = Conv2D(q, w) {VALID} -> float32[?, 5, 7, 3]",
        f"d = Conv2D(q, w) {VALID.replace('[1, 1, 1, 1]}', '[1, 2, 2, 1]}')}"
        " -> float32[?, 3, 4, 3]",
    ]
    after, hits = rewritten(ended(PADDED, *lines, output="c, other = d"), RULES.all)
    assert ops_of(after) == ["Conv2D", "Conv2D"]
    assert hits == {"fuse/padding": 2}


@pytest.mark.parametrize(
    "reader", ["Relu(q) {T: float32}", f"Conv2D(q, w) {VALID.replace('VALID', 'SAME')}"]
)
def test_padding_that_something_else_reads(reader: str) -> None:
    lines = [
        "q = Pad(x, p) {T: float32, Tpaddings: int32} -> float32[*]",
        f"c = Conv2D(q, w) {VALID} -> float32[*]",
        f"d = {reader} -> float32[*]",
    ]
    left_alone(ended(PADDED, *lines, output="c, other = d"), RULES.all)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1, 0, 2, 1, 0, 0)", "1, 0, 2, 1, 0, 1)"),  # channels are padded too
        ("tensor(int32[4, 2]: 0, 0, 1", "tensor(int32[4, 2]: 1, 0, 1"),  # and so is the batch
        ("tensor(float32[]: 0)", "tensor(float32[]: 1)"),  # not with zeros
        ("VALID", "SAME"),
    ],
)
def test_no_padding(old: str, new: str) -> None:
    lines = [
        "q = PadV2(x, p, z) {T: float32, Tpaddings: int32} -> float32[*]",
        f"y = Conv2D(q, w) {VALID} -> float32[*]",
    ]
    text = ended(PADDED, *lines)
    assert old in text
    left_alone(text.replace(old, new), RULES.all)
