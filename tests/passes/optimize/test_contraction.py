"""Products of matrices in the form that is fastest, and what follows them right behind them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.passes.optimize.checks import (
    assert_same,
    left_alone,
    ops_of,
    parsed,
    rewritten,
)
from tfjs.ir.tensor import ArrayTensor, Quantization, QuantizedTensor
from tfjs.passes.inline import copied
from tfjs.passes.optimize.contraction import RULES
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.scales import RULES as SCALES

EVERYTHING = [*RULES.all, *SCALES.all, *FUSION.all]


def placeholder(shape: str, name: str = "x", dtype: str = "float32") -> str:
    return f"{name} = Placeholder() {{dtype: {dtype}, shape: <{shape}>}} -> {dtype}[{shape}]\n"


def constant(name: str, *shape: int, dtype: str = "float32") -> str:
    numbers = np.random.default_rng(3).integers(-9, 10, int(np.prod(shape)))
    told = ", ".join(map(str, numbers.tolist()))
    sizes = f"[{', '.join(map(str, shape))}]"
    tensor = f"tensor({dtype}{sizes}: {told})"
    return f"{name} = Const() {{dtype: {dtype}, value: {tensor}}} -> {dtype}{sizes}\n"


def whole(*numbers: int, name: str = "s") -> str:
    sizes = f"[{len(numbers)}]"
    tensor = f"tensor(int32{sizes}: {', '.join(map(str, numbers))})"
    return f"{name} = Const() {{dtype: int32, value: {tensor}}} -> int32{sizes}\n"


def ended(*lines: str, inputs: str = "x", output: str = "y") -> str:
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return f"{text}inputs {inputs}\noutputs out = {output}\n"


def matmul(a: str, b: str, turned: tuple[bool, bool] = (False, False), op: str = "MatMul") -> str:
    first, second = ("transpose_a", "transpose_b") if op == "MatMul" else ("adj_x", "adj_y")
    flags = [str(flag).lower() for flag in turned]
    return f"{op}({a}, {b}) {{T: float32, {first}: {flags[0]}, {second}: {flags[1]}}}"


BATCHED = ["BatchMatMul", "BatchMatMulV2"]


# Transpositions


@pytest.mark.parametrize(
    ("lines", "type_"),
    [
        ([placeholder("?, 2"), constant("w", 3, 2), matmul("x", "w", (False, True))], "[?, 3]"),
        ([placeholder("4, 2"), constant("w", 2, 3), matmul("w", "x", (True, True))], "[3, 4]"),
        (
            [
                placeholder("5, ?, 2"),
                constant("w", 5, 3, 2),
                matmul("x", "w", (False, True), "BatchMatMulV2"),
            ],
            "[5, ?, 3]",
        ),
    ],
)
def test_a_turned_constant(lines: list[str], type_: str) -> None:
    text = ended(*lines[:-1], f"y = {lines[-1]} -> float32{type_}")
    after, hits = rewritten(text, RULES.all)
    assert hits == {"contract/turned-constant": 1}
    assert ops_of(after) == ops_of(text)
    turned = (after.count("transpose_b: true"), after.count("adj_y: true"))
    assert turned == ((1, 0) if "MatMul(w, x)" in text else (0, 0))
    assert "transpose_a: true" not in after


def test_a_turned_constant_of_a_fused_product() -> None:
    attrs = '{T: float32, fused_ops: [b"BiasAdd"], num_args: 1, transpose_b: true}'
    product = f"y = _FusedMatMul(x, w, b) {attrs} -> float32[?, 3]"
    text = ended(placeholder("?, 2"), constant("w", 3, 2), constant("b", 3), product)
    after, hits = rewritten(text, RULES.all)
    assert hits == {"contract/turned-constant": 1}
    assert "transpose_b: false" in after
    assert 'fused_ops: [b"BiasAdd"]' in after


def test_a_quantized_constant_stays_one() -> None:
    product = f"y = {matmul('x', 'w', (False, True))} -> float32[?, 3]"
    before = parsed(ended(placeholder("?, 2"), constant("w", 3, 2), product))
    stored = ArrayTensor(np.arange(6, dtype=np.uint8).reshape(3, 2))
    tensor = QuantizedTensor(stored, Quantization("uint8", 0.5, -1.0))
    before.nodes["w"].attrs["value"] = tensor
    after = copied(before, before.name)
    hits = Counter[str]()
    apply(after, RULES.all, hits)
    made = after.nodes["y"].inputs[1].node.attrs["value"]
    assert hits == {"contract/turned-constant": 1}
    assert isinstance(made, QuantizedTensor)
    np.testing.assert_array_equal(made.stored.array(), stored.array().T)
    assert_same(before, after)


@pytest.mark.parametrize(
    "text",
    [
        # An embedding that is looked up too is not stored twice.
        ended(
            placeholder("?, 2"),
            constant("w", 3, 2),
            "e = Square(w) {T: float32} -> float32[3, 2]",
            f"y = {matmul('x', 'w', (False, True))} -> float32[?, 3]",
            output="y, other = e",
        ),
        ended(
            placeholder("?, 2"),
            placeholder("3, 2", "w"),
            f"y = {matmul('x', 'w', (False, True))} -> float32[?, 3]",
            inputs="x, w",
        ),
        ended(
            placeholder("?, 2"),
            constant("w", 2, 3),
            f"y = {matmul('x', 'w')} -> float32[?, 3]",
        ),
        ended(
            placeholder("?, 2", dtype="int32"),
            constant("w", 3, 2, dtype="int32"),
            f"y = {matmul('x', 'w', (False, True))} -> int32[?, 3]".replace("float32", "int32"),
        ),
    ],
)
def test_no_turned_constant(text: str) -> None:
    left_alone(text, RULES.all)


def attention(
    shape: str = "?, 2, 3, 4",
    turned: str = "?, 2, 4, 3",
    order: tuple[int, ...] = (0, 1, 3, 2),
    flag: bool = False,
    made: str = "?, 2, 3, 3",
    output: str = "y",
) -> str:
    return ended(
        placeholder(shape),
        placeholder(shape, "z"),
        whole(*order),
        f"t = Transpose(z, s) {{T: float32, Tperm: int32}} -> float32[{turned}]",
        f"y = {matmul('x', 't', (False, flag), 'BatchMatMulV2')} -> float32[{made}]",
        inputs="x, z",
        output=output,
    )


def test_a_transposition() -> None:
    after, hits = rewritten(attention(), RULES.all)
    assert ops_of(after) == ["BatchMatMulV2"]
    assert "adj_x: false, adj_y: true" in after
    assert hits == {"contract/transpose": 1}


def test_two_transpositions_are_none() -> None:
    text = attention("?, 2, 3, 3", "?, 2, 3, 3", flag=True)
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == ["BatchMatMulV2"]
    assert "adj_x: false, adj_y: false" in after
    assert hits == {"contract/transpose": 1}


def test_transpositions_on_both_sides() -> None:
    text = ended(
        placeholder("2, 3, 4"),
        placeholder("2, 5, 3", "z"),
        whole(0, 2, 1),
        "t = Transpose(x, s) {T: float32, Tperm: int32} -> float32[2, 4, 3]",
        "u = Transpose(z, s) {T: float32, Tperm: int32} -> float32[2, 3, 5]",
        f"y = {matmul('t', 'u', op='BatchMatMul')} -> float32[2, 4, 5]",
        inputs="x, z",
    )
    after, _ = rewritten(text, RULES.all)
    assert ops_of(after) == ["BatchMatMul"]
    assert "adj_x: true, adj_y: true" in after


@pytest.mark.parametrize(
    "text",
    [
        attention(output="y, other = t"),
        # Other axes than the last two.
        attention("?, 2, 2, 2", "?, 2, 2, 2", (0, 2, 1, 3), made="?, 2, 2, 2"),
        # One matrix only, or perhaps: wasm has a fast product where nothing is turned.
        attention("?, 3, 4", "?, 4, 3", (0, 2, 1), made="?, 3, 3"),
        attention("1, 3, 4", "1, 4, 3", (0, 2, 1), made="1, 3, 3"),
    ],
)
def test_no_transposition(text: str) -> None:
    left_alone(text, RULES.all)


# Batches


@pytest.mark.parametrize("op", BATCHED)
@pytest.mark.parametrize("flag", [True, False])
def test_one_matrix(op: str, flag: bool) -> None:
    sizes = "3, 2" if flag else "2, 3"
    text = ended(
        placeholder("?, 2"),
        placeholder(sizes, "w"),
        f"y = {matmul('x', 'w', (False, flag), op)} -> float32[?, 3]",
        inputs="x, w",
    )
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == ["MatMul"]
    assert f"transpose_a: false, transpose_b: {str(flag).lower()}" in after
    assert hits == {"contract/one-matrix": 1}


@pytest.mark.parametrize(
    ("shape", "weights", "flag", "made"),
    [
        ("?, 4, 2", (2, 3), False, "?, 4, 3"),
        ("4, ?, 2", (2, 3), False, "4, ?, 3"),
        ("?, 4, 2", (3, 2), True, "?, 4, 3"),
        ("?, 5, 4, 2", (1, 2, 3), False, "?, 5, 4, 3"),
        ("?, 5, 4, 2", (1, 1, 3, 2), True, "?, 5, 4, 3"),
        ("5, 0, 2", (2, 3), False, "5, 0, 3"),
    ],
)
def test_a_tall_matrix(shape: str, weights: tuple[int, ...], flag: bool, made: str) -> None:
    product = matmul("x", "w", (False, flag), "BatchMatMulV2")
    text = ended(placeholder(shape), constant("w", *weights), f"y = {product} -> float32[{made}]")
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == ["Reshape", "MatMul", "Reshape"]
    assert hits["contract/tall-matrix"] == 1
    assert hits["contract/turned-constant"] == int(flag)
    assert f"-> float32[{made}]" in after


@pytest.mark.parametrize(
    "text",
    [
        # Two sizes are free, or the rank is; as many matrices on both sides; a turned first side.
        ended(
            placeholder("?, ?, 2"),
            constant("w", 2, 3),
            f"y = {matmul('x', 'w', op='BatchMatMulV2')} -> float32[?, ?, 3]",
        ),
        ended(
            placeholder("5, 4, 2"),
            constant("w", 5, 2, 3),
            f"y = {matmul('x', 'w', op='BatchMatMulV2')} -> float32[5, 4, 3]",
        ),
        ended(
            placeholder("5, 2, 4"),
            constant("w", 2, 3),
            f"y = {matmul('x', 'w', (True, False), op='BatchMatMulV2')} -> float32[5, 4, 3]",
        ),
        ended(
            placeholder("4, 2"),
            constant("w", 5, 2, 3),
            f"y = {matmul('x', 'w', op='BatchMatMulV2')} -> float32[5, 4, 3]",
        ),
        # A reshape at run time for nothing.
        ended(
            placeholder("1, 4, 2"),
            placeholder("1, 2, 3", "w"),
            f"y = {matmul('x', 'w', op='BatchMatMulV2')} -> float32[1, 4, 3]",
            inputs="x, w",
        ),
    ],
)
def test_no_tall_matrix(text: str) -> None:
    left_alone(text, RULES.all)


# What stands between a product and its bias

DENSE = [
    placeholder("?, 4, 2"),
    constant("w", 2, 6),
    constant("b", 6),
    whole(-1, 2, name="flat"),
    whole(-1, 4, 6, name="deep"),
    "r = Reshape(x, flat) {T: float32, Tshape: int32} -> float32[?, 2]",
    f"m = {matmul('r', 'w')} -> float32[?, 6]",
    "d = Reshape(m, deep) {T: float32, Tshape: int32} -> float32[?, 4, 6]",
]
BIAS = 'a = BiasAdd(d, b) {T: float32, data_format: b"NHWC"} -> float32[?, 4, 6]'


@pytest.mark.parametrize(
    "add",
    [
        BIAS,
        "a = AddV2(d, b) {T: float32} -> float32[?, 4, 6]",
        "a = Add(b, d) {T: float32} -> float32[?, 4, 6]",
        "a = Sub(d, b) {T: float32} -> float32[?, 4, 6]",
    ],
)
@pytest.mark.parametrize("last", ["Relu", "Elu", "Sigmoid"])
def test_a_dense_layer_of_a_sequence(add: str, last: str) -> None:
    text = ended(*DENSE, add, f"y = {last}(a) {{T: float32}} -> float32[?, 4, 6]")
    after, hits = rewritten(text, EVERYTHING)
    assert ops_of(after) == ["Reshape", "_FusedMatMul", "Reshape"]
    assert f'fused_ops: [b"BiasAdd", b"{last}"]' in after
    assert hits["contract/bias-before-reshape"] == 1
    assert hits["contract/step-before-reshape"] == 1


def test_a_normalization_of_a_sequence() -> None:
    text = ended(
        *DENSE,
        BIAS,
        constant("k", 6),
        constant("o", 1, 1, 6),
        "n = Mul(a, k) {T: float32} -> float32[?, 4, 6]",
        "p = AddV2(n, o) {T: float32} -> float32[?, 4, 6]",
        "y = LeakyRelu(p) {T: float32, alpha: 0.3} -> float32[?, 4, 6]",
    )
    after, _ = rewritten(text, EVERYTHING)
    assert ops_of(after) == ["Reshape", "_FusedMatMul", "Reshape"]


def test_slopes_of_a_sequence() -> None:
    text = ended(*DENSE, BIAS, constant("k", 1, 6), "y = Prelu(a, k) -> float32[?, 4, 6]")
    after, _ = rewritten(text, EVERYTHING)
    assert ops_of(after) == ["Reshape", "_FusedMatMul", "Reshape"]


@pytest.mark.parametrize("sizes", [(2, 3), (1, 3), (3,), (1, 1, 2, 1), ()])
def test_a_bias_of_heads(sizes: tuple[int, ...]) -> None:
    type_ = "float32[?, 4, 2, 3]"
    text = ended(
        *DENSE[:4],
        *DENSE[5:7],
        constant("k", *sizes),
        whole(-1, 4, 2, 3, name="deep"),
        f"d = Reshape(m, deep) {{T: float32, Tshape: int32}} -> {type_}",
        f"y = AddV2(d, k) {{T: float32}} -> {type_}",
    )
    after, hits = rewritten(text, EVERYTHING)
    assert ops_of(after) == ["Reshape", "_FusedMatMul", "Reshape"]
    assert hits["contract/bias-before-reshape"] == 1


@pytest.mark.parametrize(
    "lines",
    [
        # What else reads the product or its reshape.
        [BIAS.replace("a =", "y ="), "outputs-m"],
        [BIAS.replace("a =", "y ="), "outputs-d"],
        # No numbers of channels.
        [constant("k", 4, 1), "y = AddV2(d, k) {T: float32} -> float32[?, 4, 6]"],
        [constant("k", 4, 6), "y = AddV2(d, k) {T: float32} -> float32[?, 4, 6]"],
        [constant("k", 1, 1, 1, 6), "y = AddV2(d, k) {T: float32} -> float32[1, ?, 4, 6]"],
        ["y = Tanh(d) {T: float32} -> float32[?, 4, 6]"],
        ["y = Sub(b, d) {T: float32} -> float32[?, 4, 6]"],
        # Two activations do not both become part of the product.
        [
            "s = Exp(m) {T: float32} -> float32[?, 6]",
            "t = Reshape(s, deep) {T: float32, Tshape: int32} -> float32[?, 4, 6]",
            "y = Relu(t) {T: float32} -> float32[?, 4, 6]",
        ],
    ],
)
def test_a_reshape_stays(lines: list[str]) -> None:
    output = "y"
    if lines[-1].startswith("outputs-"):
        output = f"y, other = {lines[-1][-1]}"
        lines = lines[:-1]
    left_alone(ended(*DENSE, *lines, output=output), RULES.all)


def test_a_reshape_that_mixes_channels_stays() -> None:
    dense = [line.replace("4, 6", "6, 4") for line in DENSE]
    text = ended(*dense, constant("k", 4), "y = AddV2(d, k) {T: float32} -> float32[?, 6, 4]")
    left_alone(text, RULES.all)


def test_a_scale_stays_behind_a_product_of_two_values() -> None:
    lines = ["k = Const() {dtype: float32, value: tensor(float32[]: 2)} -> float32[]"]
    lines += ["y = Mul(d, k) {T: float32} -> float32[?, 4, 6]"]
    dense = [placeholder("2, 6", "w") if line.startswith("w =") else line for line in DENSE]
    left_alone(ended(*dense, *lines, inputs="x, w"), RULES.all)


CONV1D = [
    placeholder("?, 5, 2"),
    constant("w", 1, 3, 2, 4),
    constant("b", 4),
    "i = Const() {dtype: int32, value: tensor(int32[]: 1)} -> int32[]\n",
    "e = ExpandDims(x, i) {T: float32, Tdim: int32} -> float32[?, 1, 5, 2]",
    'c = Conv2D(e, w) {T: float32, data_format: b"NHWC", dilations: [1, 1, 1, 1], '
    'explicit_paddings: [], padding: b"SAME", strides: [1, 1, 1, 1]} -> float32[?, 1, 5, 4]',
    "q = Squeeze(c) {T: float32, squeeze_dims: [-3]} -> float32[?, 5, 4]",
    'a = BiasAdd(q, b) {T: float32, data_format: b"NHWC"} -> float32[?, 5, 4]',
    "y = Relu(a) {T: float32} -> float32[?, 5, 4]",
]


def test_a_convolution_of_a_sequence() -> None:
    after, hits = rewritten(ended(*CONV1D), EVERYTHING)
    assert ops_of(after) == ["ExpandDims", "_FusedConv2D", "Squeeze"]
    assert 'fused_ops: [b"BiasAdd", b"Relu"]' in after
    assert hits["contract/bias-before-reshape"] == 1


def test_a_convolution_with_channels_first_stays() -> None:
    left_alone(
        ended(*CONV1D[:-2], CONV1D[-1].replace("(a)", "(q)")).replace("NHWC", "NCHW"), RULES.all
    )


def test_a_bias_behind_two_reshapes() -> None:
    text = ended(
        *DENSE,
        whole(-1, 4, 2, 3, name="heads"),
        constant("k", 2, 3),
        "e = Reshape(d, heads) {T: float32, Tshape: int32} -> float32[?, 4, 2, 3]",
        "y = AddV2(e, k) {T: float32} -> float32[?, 4, 2, 3]",
    )
    after, hits = rewritten(text, EVERYTHING)
    assert ops_of(after) == ["Reshape", "_FusedMatMul", "Reshape", "Reshape"]
    assert hits["contract/bias-before-reshape"] == 2


QUERY = "float32[?, 2, 4, 3]"
SCORES = "float32[?, 2, 4, 4]"
# Queries of two heads, biased, and as many keys.
ATTENTION = [
    *DENSE,
    "z = Placeholder() {dtype: float32, shape: <?, 2, 4, 3>} -> float32[?, 2, 4, 3]",
    whole(-1, 4, 2, 3, name="heads"),
    whole(0, 2, 1, 3, name="order"),
    "half = Const() {dtype: float32, value: tensor(float32[1]: 0.5)} -> float32[1]",
    "a = AddV2(d, b) {T: float32} -> float32[?, 4, 6]",
    "h = Reshape(a, heads) {T: float32, Tshape: int32} -> float32[?, 4, 2, 3]",
    f"t = Transpose(h, order) {{T: float32, Tperm: int32}} -> {QUERY}",
]


@pytest.mark.parametrize("scale", ["Mul(%s, half)", "Mul(half, %s)", "RealDiv(%s, half)"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_scale_of_an_attention(scale: str, turned: bool) -> None:
    pair = ("z", "t") if turned else ("t", "z")
    product = matmul(*pair, (False, True), "BatchMatMulV2")
    lines = [f"s = {product} -> {SCORES}", f"y = {scale % 's'} {{T: float32}} -> {SCORES}"]
    after, hits = rewritten(ended(*ATTENTION, *lines, inputs="x, z"), EVERYTHING)
    views = ["Reshape", "Reshape", "Transpose"]
    assert ops_of(after) == ["Reshape", "_FusedMatMul", *views, "BatchMatMulV2"]
    assert hits["contract/scale-before-product"] == 1
    assert hits["contract/scale-before-turn"] >= 1
    assert hits["fold/scale"] == 1


@pytest.mark.parametrize(
    ("scale", "output"),
    [
        ("Mul(s, half)", "y, other = s"),
        ("Mul(s, half)", "y, other = t"),
        ("Mul(s, half)", "y, other = a"),
        ("Mul(s, s)", "y"),
        ("RealDiv(half, s)", "y"),
        ("Mul(s, b)", "y"),
    ],
)
def test_a_scale_of_an_attention_stays(scale: str, output: str) -> None:
    product = matmul("t", "z", (False, True), "BatchMatMulV2")
    lines = [f"s = {product} -> {SCORES}", f"y = {scale} {{T: float32}} -> {SCORES}"]
    text = ended(*ATTENTION, *lines, inputs="x, z", output=output)
    hits = Counter[str]()
    apply(parsed(text), RULES.all, hits)
    assert not any("scale" in ident for ident in hits)


def test_a_scale_of_two_values_stays() -> None:
    text = ended(
        placeholder("2, 3, 4"),
        placeholder("2, 4, 3", "z"),
        "half = Const() {dtype: float32, value: tensor(float32[]: 0.5)} -> float32[]",
        f"s = {matmul('x', 'z', op='BatchMatMulV2')} -> float32[2, 3, 3]",
        "y = Mul(s, half) {T: float32} -> float32[2, 3, 3]",
        inputs="x, z",
    )
    left_alone(text, RULES.all)
