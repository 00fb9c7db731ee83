"""Scales and shifts of channels become part of the weights behind them."""

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
from tfjs.ir.tensor import ArrayTensor
from tfjs.passes.inline import copied
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.scales import RULES as SCALES
from tfjs.passes.optimize.scales_before import RULES

RNG = np.random.default_rng(6)
ALL = [*SCALES.all, *RULES.all, *FUSION.all]
RELU = "fused_ops: [b'BiasAdd', b'Relu'], num_args: 1".replace("'", '"')


def constant(name: str, *shape: int, numbers: list[float] | None = None) -> str:
    """A constant of positive numbers, so that it can be a variance too."""
    if numbers is None:
        numbers = [round(float(item), 3) for item in RNG.uniform(0.5, 2, int(np.prod(shape)))]
    sizes = f"[{', '.join(map(str, shape))}]"
    tensor = f"tensor(float32{sizes}: {', '.join(map(str, numbers))})"
    return f"{name} = Const() {{dtype: float32, value: {tensor}}} -> float32{sizes}\n"


CHANNELS = "".join(constant(name, 3) for name in ("scale", "offset", "mean", "variance"))
IMAGE = "float32[?, 4, 4, 3]"
X = f"x = Placeholder() {{dtype: float32, shape: <?, 4, 4, 3>}} -> {IMAGE}\n{CHANNELS}"
ROW = f"x = Placeholder() {{dtype: float32, shape: <?, 3>}} -> float32[?, 3]\n{CHANNELS}"
ATTRS = (
    '{T: float32, data_format: b"NHWC", dilations: [1, 1, 1, 1], explicit_paddings: [], '
    'padding: b"VALID", strides: [1, 1, 1, 1]}'
)
# What comes before (with a %s for the value that is read), the type of that value, and the product.
PRODUCTS = {
    "Conv2D": (
        X,
        IMAGE,
        f"{constant('w', 2, 3, 3, 2)}y = Conv2D(%s, w) {ATTRS} -> float32[?, 3, 2, 2]\n",
    ),
    "DepthwiseConv2dNative": (
        X,
        IMAGE,
        f"{constant('w', 2, 3, 3, 2)}"
        f"y = DepthwiseConv2dNative(%s, w) {ATTRS} -> float32[?, 3, 2, 6]\n",
    ),
    "MatMul": (
        ROW,
        "float32[?, 3]",
        f"{constant('w', 3, 2)}y = MatMul(%s, w) {{T: float32, transpose_a: false, "
        "transpose_b: false} -> float32[?, 2]\n",
    ),
    "turned": (
        ROW,
        "float32[?, 3]",
        f"{constant('w', 2, 3)}y = MatMul(%s, w) {{T: float32, transpose_a: false, "
        "transpose_b: true} -> float32[?, 2]\n",
    ),
    "_FusedConv2D": (
        X,
        IMAGE,
        f"{constant('w', 2, 3, 3, 2)}{constant('b', 2)}y = _FusedConv2D(%s, w, b) "
        f"{ATTRS.replace('T: ', f'{RELU}, T: ')} -> float32[?, 3, 2, 2]\n",
    ),
    "_FusedMatMul": (
        ROW,
        "float32[?, 3]",
        f"{constant('w', 2, 3)}{constant('b', 2)}y = _FusedMatMul(%s, w, b) "
        f"{{T: float32, {RELU}, transpose_b: true}} -> float32[?, 2]\n",
    ),
}
FUSED = {
    "Conv2D": "_FusedConv2D",
    "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative",
    "MatMul": "_FusedMatMul",
    "turned": "_FusedMatMul",
}


def ended(*lines: str, output: str = "y") -> str:
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return f"{text}inputs x\noutputs out = {output}\n"


def stepped(product: str, *steps: str, output: str = "y") -> str:
    """A graph of steps, the last one called `s`, before a product."""
    head, type_, tail = PRODUCTS[product]
    told = [step if "->" in step else f"{step} {{T: float32}} -> {type_}" for step in steps]
    return ended(head, *told, tail % "s", output=output)


NORM = (
    "s = FusedBatchNormV3(x, scale, offset, mean, variance) {T: float32, U: float32, data_format: "
    'b"NHWC", epsilon: 0.01, exponential_avg_factor: 1.0, is_training: false} -> '
    f"{IMAGE}, {', '.join(['float32[3]'] * 5)}"
)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("step", ["Mul(x, scale)", "Mul(scale, x)", "RealDiv(x, scale)"])
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
def test_a_scale(product: str, step: str, padding: str) -> None:
    text = stepped(product, f"s = {step}").replace("VALID", padding)
    text = text if padding == "VALID" else text.replace("[?, 3, 2, ", "[?, 4, 4, ")
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == [product.replace("turned", "MatMul")]
    assert hits == {"fold/scale-before": 1}


def test_a_scale_of_one_number() -> None:
    half = constant("k", 1, numbers=[0.5])
    after, _ = rewritten(stepped("Conv2D", half, "s = Mul(x, k)"), RULES.all)
    assert ops_of(after) == ["Conv2D"]


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    "step",
    [
        "AddV2(x, offset) {T: float32}",
        "Add(offset, x) {T: float32}",
        "Sub(x, offset) {T: float32}",
        'BiasAdd(x, offset) {T: float32, data_format: b"NHWC"}',
    ],
)
def test_a_shift(product: str, step: str) -> None:
    type_ = PRODUCTS[product][1]
    after, hits = rewritten(stepped(product, f"s = {step} -> {type_}"), ALL)
    assert ops_of(after) == [FUSED.get(product, product)]
    assert hits["fold/shift-before"] == 1
    assert ('b"Relu"' in after) is ("_" in product)


def test_a_shift_and_a_bias_are_one() -> None:
    text = stepped("Conv2D", "s = AddV2(x, offset)").replace("y = Conv2D", "c = Conv2D")
    lines = [
        constant("b", 2),
        'a = BiasAdd(c, b) {T: float32, data_format: b"NHWC"} -> float32[?, 3, 2, 2]\n',
        "y = Relu(a) {T: float32} -> float32[?, 3, 2, 2]\n",
    ]
    after, hits = rewritten(text.replace("inputs x", "".join(lines) + "inputs x"), ALL)
    assert ops_of(after) == ["_FusedConv2D"]
    assert hits["fold/shift"] == 1


@pytest.mark.parametrize("product", ["Conv2D", "DepthwiseConv2dNative", "_FusedConv2D"])
def test_a_batch_normalization(product: str) -> None:
    after, hits = rewritten(stepped(product, NORM), ALL)
    assert ops_of(after) == [FUSED.get(product, product)]
    assert hits["fold/batch-norm-before"] == 1


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_normalization_in_parts(product: str) -> None:
    steps = ["d = Sub(x, mean)", "f = RealDiv(d, variance)", "g = Mul(scale, f)"]
    after, _ = rewritten(stepped(product, *steps, "s = AddV2(g, offset)"), ALL)
    assert ops_of(after) == [FUSED.get(product, product)]


VIEWS = {
    "?, 3": ("2, 3", (3, 2)),  # channels last
    "?, 6": ("2, 3", (6, 2)),  # taken together with the axis before
    "?, 18": ("3, 2, 3", (18, 2)),
}


@pytest.mark.parametrize("flat", VIEWS)
@pytest.mark.parametrize("step", ["Mul(x, scale)", "AddV2(x, offset)", "RealDiv(x, k)"])
def test_behind_a_reshape(flat: str, step: str) -> None:
    deep, sizes = VIEWS[flat]
    shape = f"-1, {flat[3:]}"
    text = ended(
        f"x = Placeholder() {{dtype: float32, shape: <?, {deep}>}} -> float32[?, {deep}]\n",
        CHANNELS,
        constant("k", numbers=[2.0]),
        constant("w", *sizes),
        f"f = Const() {{dtype: int32, value: tensor(int32[2]: {shape})}} -> int32[2]",
        f"s = {step} {{T: float32}} -> float32[?, {deep}]",
        f"r = Reshape(s, f) {{T: float32, Tshape: int32}} -> float32[{flat}]",
        "y = MatMul(r, w) {T: float32, transpose_a: false, transpose_b: false} -> float32[?, 2]",
    )
    after, hits = rewritten(text, ALL)
    made = "_FusedMatMul" if "AddV2" in step else "MatMul"
    assert ops_of(after) == ["Reshape", made]
    assert hits["fold/shift-before" if "AddV2" in step else "fold/scale-before"] == 1


@pytest.mark.parametrize("product", ["Conv2D", "MatMul"])
@pytest.mark.parametrize(
    "inner", ["Mul(e, k)", "Mul(k, e)", "RealDiv(e, k)", "Mul(k, x)", "RealDiv(x, k)"]
)
@pytest.mark.parametrize("outer", ["Mul(x, i)", "Mul(i, x)"])
def test_an_inner_scale(product: str, inner: str, outer: str) -> None:
    # As a hard swish has it: x * (relu6(x + 3) / 6).
    steps = [constant("k", numbers=[4.0]), "e = Relu6(x)", f"i = {inner}", f"s = {outer}"]
    if "e" not in inner.split("(")[1]:
        steps[3] = f"s = {outer.replace('x', 'e')}"
    after, hits = rewritten(stepped(product, *steps), RULES.all)
    assert ops_of(after) == ["Relu6", "Mul", product]
    assert hits == {"fold/inner-scale-before": 1}
    left_alone(stepped(product, *steps, output="y, other = i"), RULES.all)
    left_alone(stepped(product, *steps, output="y, other = s"), RULES.all)


def test_an_inner_scale_of_channels_stays() -> None:
    left_alone(stepped("Conv2D", "e = Relu6(x)", "i = Mul(e, scale)", "s = Mul(x, i)"), RULES.all)


def test_several_products_of_one_value() -> None:
    # As queries, keys and values are.
    product = "{T: float32, transpose_a: false, transpose_b: false} -> float32[?, 2]"
    lines = [
        ROW,
        "".join(constant(name, 3, 2) for name in ("v", "w")),
        "s = Mul(x, scale) {T: float32} -> float32[?, 3]",
        f"p = MatMul(s, v) {product}",
        f"y = MatMul(s, w) {product}",
    ]
    after, hits = rewritten(ended(*lines, output="y, other = p"), RULES.all)
    assert ops_of(after) == ["MatMul", "MatMul"]
    assert hits == {"fold/scale-before": 2}
    left_alone(ended(*lines, "q = Exp(s) -> float32[?, 3]", output="y, a = p, b = q"), RULES.all)
    left_alone(ended(*lines).replace("MatMul(s, w)", "MatMul(x, s)"), RULES.all)


def test_large_weights_that_several_read_are_not_stored_for_each() -> None:
    lines = ["p = MatMul(x, w) -> float32[?, 2]", "s = Mul(x, scale)"]
    for columns, count in ((2, 1), (10000, 0)):
        graph = parsed(stepped("MatMul", *lines, output="y, other = p"))
        weights = np.ones((3, columns), np.float32)
        graph.nodes["w"].attrs["value"] = ArrayTensor(weights)
        graph.nodes["w"].output.shape = weights.shape
        assert apply(graph, RULES.all, Counter()) == count


def test_an_inner_scale_of_what_several_read_stays() -> None:
    text = stepped("MatMul", constant("k", numbers=[4.0]), "i = Mul(x, k)", "s = Mul(x, i)")
    other = "p = MatMul(s, w) {T: float32} -> float32[?, 2]\ninputs x"
    text = text.replace("inputs x", other).replace("out = y", "out = y, other = p")
    left_alone(text, RULES.all)


def test_a_large_matrix() -> None:
    # It is widened a part at a time.
    weights = RNG.normal(size=(600, 3)).astype(np.float32)
    text = stepped("MatMul", "s = AddV2(x, offset)").replace("<?, 3>", "<?, 600>")
    before = parsed(text.replace("[?, 3]", "[?, 600]"))
    for name, array in {"w": weights, "offset": weights[:, 0]}.items():
        before.nodes[name].attrs["value"] = ArrayTensor(array)
        before.nodes[name].output.shape = array.shape
    before.nodes["y"].output.shape = (None, 3)
    after, hits = copied(before, before.name), Counter[str]()
    apply(after, RULES.all, hits)
    assert hits == {"fold/shift-before": 1}
    assert_same(before, after)


@pytest.mark.parametrize(
    "text",
    [
        # What others read.
        stepped("Conv2D", "s = Mul(x, scale)", output="y, other = s"),
        stepped("Conv2D", "s = AddV2(x, offset)", output="y, other = s"),
        stepped("Conv2D", NORM, output="y, other = s"),
        stepped("Conv2D", NORM, output="y, other = s:1"),
        # Zeros around the image are not shifted.
        stepped("Conv2D", "s = AddV2(x, offset)").replace("VALID", "SAME"),
        stepped("Conv2D", NORM).replace("VALID", "SAME"),
        stepped("Conv2D", NORM).replace("is_training: false", "is_training: true"),
        # Channels come first.
        stepped("Conv2D", "s = Mul(x, scale)").replace("NHWC", "NCHW"),
        # No numbers of channels.
        stepped("Conv2D", "s = Mul(x, x)"),
        stepped("Conv2D", constant("k", 4, 1), "s = Mul(x, k)"),
        stepped("MatMul", "s = Sub(offset, x)"),
        stepped("MatMul", "s = RealDiv(offset, x)"),
        stepped("MatMul", constant("k", 3, numbers=[1, 0, 2]), "s = RealDiv(x, k)"),
        stepped("MatMul", constant("k", 3, numbers=[1, float("inf"), 2]), "s = AddV2(x, k)"),
        # The scale spreads its value.
        stepped("MatMul", "s = Mul(x, scale)").replace(
            "<?, 3>} -> float32[?, 3]", "<?, 1>} -> float32[?, 1]"
        ),
        # The first side is turned: its last axis is not what is summed.
        stepped("MatMul", "s = Mul(x, scale)")
        .replace("transpose_a: false", "transpose_a: true")
        .replace("?, 3", "3, 3"),
        # The bias is no constant.
        stepped(
            "_FusedMatMul", "v = Square(b) {T: float32} -> float32[2]", "s = AddV2(x, offset)"
        ).replace("w, b)", "w, v)"),
        # Groups: the filters see a part of the channels.
        stepped("Conv2D", constant("k", 1), "s = Mul(x, k)").replace("?, 4, 4, 3", "?, 4, 4, 6"),
    ],
)
def test_no_scale_or_shift(text: str) -> None:
    left_alone(text, RULES.all)


def test_few_weights_of_fewer_bytes_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_few_expanded(stepped("MatMul", "s = Mul(x, scale)"), RULES.all, monkeypatch)


def test_weights_that_others_read_stay_as_they_are() -> None:
    before = parsed(stepped("MatMul", "s = Mul(x, scale)", output="y, other = w"))
    after = copied(before, before.name)
    assert apply(after, RULES.all, Counter()) == 1
    assert_same(before, after)
