"""The engine onnxruntime: each operation beside NumPy, real models, and what is left to NumPy."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.models.raw_op_tables import RANDOM
from tests.models.test_raw_ops import CASES
from tests.runtime.graphs import fed, traced, traced_v1
from tests.support.golden import tfjs_golden
from tests.support.op_cases import Case
from tests.support.protocol import Array
from tests.support.raw_ops import fed as fed_case
from tests.support.raw_ops import model_of, narrow
from tests.support.real_graphs import RUNS, golden_of, source_of
from tfjs.errors import MissingDependencyError, TfjsError, UsageError
from tfjs.formats.base import ReadOptions
from tfjs.formats.registry import named
from tfjs.ir.graph import Graph, GraphModel, Signature, Type, Value
from tfjs.ops.build import Builder
from tfjs.passes.pipeline import legalize
from tfjs.runtime import onnx_islands
from tfjs.runtime.engine import Runner
from tfjs.runtime.onnx import OnnxRunner
from tfjs.runtime.onnx_islands import IslandStep
from tfjs.runtime.onnx_model import OnnxGraph
from tfjs.runtime.onnx_ops import MAPS
from tfjs.runtime.steps import Step

MAPPED = [case for case in CASES if case.op in MAPS and case.op not in RANDOM]


def islands(runner: OnnxRunner) -> list[list[str]]:
    """The operations of each island."""
    steps = runner._outputs.steps
    return [
        [inner.node.op for inner in step.steps] for step in steps if isinstance(step, IslandStep)
    ]


def left(runner: OnnxRunner) -> set[str]:
    """The operations that NumPy computes."""
    steps = runner._outputs.steps
    return {step.node.op for step in steps if not isinstance(step, IslandStep)}


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Islands of a single step."""
    monkeypatch.setattr(onnx_islands, "LEAST_STEPS", 1)


@pytest.fixture
def no_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime must take what it is given."""
    monkeypatch.setattr(onnx_islands, "refusals", tuple)


def close(ours: Array, wanted: Array, rtol: float = 2e-5) -> None:
    assert ours.shape == wanted.shape
    assert ours.dtype == wanted.dtype
    if wanted.dtype.kind not in "fc":
        assert ours.tolist() == wanted.tolist()
        return
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = float(finite.max(initial=0))
    np.testing.assert_allclose(ours, wanted, rtol=rtol, atol=1e-6 * max(1.0, scale))


# Each operation ----------------------------------------------------------------------------------


def answer(runner: Runner, feeds: dict[str, Array]) -> list[Array] | str:
    try:
        return runner.run(feeds)
    except UsageError as error:
        return str(error)


def with_constants(case: Case) -> Case:
    """A case of which one input alone is fed: the first that has been fed so far."""
    given = [index for index in range(len(case.inputs)) if index not in case.fixed]
    return replace(case, fixed=frozenset(range(len(case.inputs))) - set(given[:1]))


@pytest.mark.parametrize("how", ["told", "free", "constant", "tfjs"])
@pytest.mark.parametrize("case", MAPPED, ids=lambda case: case.id)
def test_an_operation_answers_as_numpy(case: Case, how: str, any_size: None) -> None:
    if how == "constant":
        case = with_constants(case)
    try:
        model, _ = model_of(case, free=how == "free")
        if how == "tfjs":
            legalize(model)
        numpy = Runner(model, as_tfjs=how == "tfjs")
    except (TfjsError, ValueError):  # of a dtype that no kernel takes, or refused as a constant
        assert how != "told" or case.op == "Cast"
        return
    arrays = [narrow(array) if how == "tfjs" else array for array in fed_case(case)]
    feeds = dict(zip(model.signature.inputs, arrays, strict=True))
    wanted = answer(numpy, feeds)
    found = answer(OnnxRunner(model, as_tfjs=how == "tfjs"), feeds)
    if isinstance(wanted, str) or isinstance(found, str):
        assert found == wanted
        return
    for ours, theirs in zip(found, wanted, strict=True):
        close(ours, theirs)


def test_every_operation_is_run(any_size: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By ONNX Runtime, in one of the cases above at least."""
    mapped: set[str] = set()
    maps = onnx_islands._maps

    def recorded(step: Step, probe: OnnxGraph) -> bool:
        found = maps(step, probe)
        mapped.update([step.node.op] if found else [])
        return found

    monkeypatch.setattr(onnx_islands, "_maps", recorded)
    monkeypatch.setattr(onnx_islands, "_session", lambda built: None)
    for case in MAPPED:
        for given in (case, with_constants(case)):
            with suppress(TfjsError, ValueError):  # see above
                OnnxRunner(model_of(given)[0], as_tfjs=False)
    # Of these the cases read too much, or feed scalars, which TensorFlow may take for any shape.
    in_networks = {"Fill", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
    fused = {"FusedDepthwiseConv2dNative"}
    assert set(MAPS) - mapped == set(OWN) | fused | in_networks


# Operations without a case, with the shapes of their other inputs.
OWN: dict[str, tuple[Array, ...]] = {
    "DepthwiseConv2d": (np.ones((2, 3, 4, 2), np.float32),),
    "Prelu": (np.array([[[0.5, -1, 2, 0]]], np.float32),),
}


@pytest.mark.parametrize("op", sorted(OWN))
def test_operations_of_tfjs(op: str, any_size: None, no_refusals: None) -> None:
    model = own_model(op, OWN[op], CONV, (2, 5, 6, 4))
    runner = OnnxRunner(model)
    assert islands(runner) == [[op]]
    feeds = {"x": weights(2, 5, 6, 4)}
    close(runner.run(feeds)[0], Runner(model).run(feeds)[0])


def own_model(
    op: str, rest: Sequence[Array], attrs: dict[str, Any], shape: tuple[int, ...]
) -> GraphModel:
    """A graph of one node, which TensorFlow need not know."""
    graph = Graph()
    x = graph.add("Placeholder", [], {"dtype": "float32"}, [Type("float32", shape)], name="x")
    graph.inputs.append(x)
    numbers = [graph.constant(item, name="w") for item in rest]
    node = graph.add(op, [x.output, *numbers], attrs, [Type("float32")], name="node")
    graph.outputs.append(node.output)
    return GraphModel(graph, Signature(["x"], ["y"]))


# Networks ----------------------------------------------------------------------------------------

Build = Callable[[Builder, Value], Value]
F32 = {"T": "float32"}
CONV = {"T": "float32", "padding": b"SAME", "strides": [1, 1, 1, 1], "dilations": [1, 1, 1, 1]}


def network(build: Build, shape: tuple[int | None, ...], dtype: str = "float32") -> GraphModel:
    """A graph of one input and one output."""
    graph = Graph()
    node = graph.add("Placeholder", [], {"dtype": dtype}, [Type(dtype, shape)], name="x")
    graph.inputs.append(node)
    graph.outputs.append(build(Builder(graph, "net", ()), node.output))
    return GraphModel(graph, Signature(["x"], ["y"]))


def weights(*shape: int, seed: int = 0) -> Array:
    drawn: Array = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return drawn


def conv(b: Builder, x: Value, *filters: int, op: str = "Conv2D", **attrs: Any) -> Value:
    return b.op(op, x, weights(*filters) / 3, attrs={**CONV, **attrs})


def pooled(b: Builder, x: Value, op: str, **attrs: Any) -> Value:
    told = {"ksize": [1, 3, 3, 1], "strides": [1, 2, 2, 1], "padding": b"SAME", **F32, **attrs}
    return b.op(op, x, attrs=told)


def ints(*items: int) -> Array:
    return np.array(items, np.int32)


def _inverted_residual(b: Builder, x: Value) -> Value:
    y = conv(b, x, 1, 1, 3, 12)
    numbers = [np.abs(weights(12, seed=seed)) + 0.5 for seed in range(4)]
    attrs = {"epsilon": 1e-3, "is_training": False, "T": "float32", "U": "float32"}
    y = b.op("Relu6", b.op("FusedBatchNormV3", y, *numbers, attrs=attrs), attrs=F32)
    y = b.op("Pad", y, np.array([[0, 0], [0, 1], [1, 0], [0, 0]], np.int32), attrs=F32)
    y = conv(b, y, 3, 3, 12, 1, op="DepthwiseConv2dNative", padding=b"VALID", strides=[1, 1, 1, 1])
    y = b.op("BiasAdd", y, weights(12), attrs=F32)
    return conv(b, y, 1, 1, 12, 3)


def _squeeze_and_excite(b: Builder, x: Value) -> Value:
    y = conv(b, x, 3, 3, 3, 8)
    mean = b.op("Mean", y, ints(1, 2), attrs={**F32, "keep_dims": True})
    gate = b.op("Sigmoid", conv(b, mean, 1, 1, 8, 8), attrs=F32)
    y = b.op("Mul", y, gate, attrs=F32)
    y = b.op("ConcatV2", y, b.op("Neg", y, attrs=F32), ints(-1), attrs={**F32, "N": 2})
    first, second = b.ops("Split", ints(3), y, attrs={**F32, "num_split": 2})
    y = b.op("Maximum", first, b.op("LeakyRelu", second, attrs=F32), attrs=F32)
    return b.op("Max", y, ints(1, 2), attrs=F32)


def _upsampling(b: Builder, x: Value) -> Value:
    y = pooled(b, conv(b, x, 3, 3, 3, 8), "MaxPool")
    y = b.op("ResizeBilinear", y, ints(9, 7), attrs={**F32, "half_pixel_centers": True})
    y = b.op("ResizeNearestNeighbor", y, ints(18, 10), attrs=F32)
    y = b.op("DepthToSpace", y, attrs={**F32, "block_size": 2})
    y = b.op("SpaceToDepth", y, attrs={**F32, "block_size": 4})
    return pooled(b, y, "AvgPool")


def _flat(b: Builder, x: Value) -> Value:
    y = conv(b, x, 3, 3, 3, 4, strides=[1, 2, 1, 1])
    y = b.reshape(y, (-1, 5 * 8 * 4))
    y = b.op("MatMul", y, weights(6, 160), attrs={**F32, "transpose_b": True})
    return b.op("Softmax", b.op("BiasAdd", y, weights(6), attrs=F32), attrs=F32)


def _norm_of_layers(b: Builder, x: Value) -> Value:
    y = conv(b, x, 1, 1, 3, 16)
    kept = {**F32, "keep_dims": True}
    mean = b.op("Mean", y, ints(-1), attrs=kept)
    spread = b.op("Mean", b.op("SquaredDifference", y, mean, attrs=F32), ints(-1), attrs=kept)
    factor = b.op("Rsqrt", b.op("AddV2", spread, np.float32(1e-3), attrs=F32), attrs=F32)
    y = b.op("Mul", b.op("Sub", y, mean, attrs=F32), factor, attrs=F32)
    gelu = b.op("Erf", b.op("Mul", y, np.float32(0.7071), attrs=F32), attrs=F32)
    return b.op("Mul", y, b.op("AddV2", gelu, np.float32(1), attrs=F32), attrs=F32)


def _attention(b: Builder, x: Value) -> Value:
    y = b.reshape(x, (-1, 9 * 8, 3))
    queries = b.op("BatchMatMulV2", y, weights(3, 8), attrs={**F32, "adj_x": False})
    heads = b.transpose(b.reshape(queries, (-1, 72, 2, 4)), (0, 2, 1, 3))
    scores = b.op("BatchMatMulV2", heads, heads, attrs={**F32, "adj_y": True})
    mixed = b.op("BatchMatMulV2", b.op("Softmax", scores, attrs=F32), heads, attrs=F32)
    back = b.reshape(b.transpose(mixed, (0, 2, 1, 3)), (-1, 72, 8))
    equation = {**F32, "equation": b"bsd,dk->bsk", "N": 2}
    return b.op("Einsum", back, weights(8, 5), attrs=equation)


def _upwards(b: Builder, x: Value) -> Value:
    sizes = ints(2, 18, 15, 4)
    y = b.op("Conv2DBackpropInput", sizes, weights(3, 3, 4, 3), x, attrs=CONV | {
        "strides": [1, 2, 2, 1]
    })  # fmt: skip
    return b.op("LeakyRelu", y, attrs={**F32, "alpha": 0.3})


def _shapes(b: Builder, x: Value) -> Value:
    y = conv(b, x, 1, 1, 3, 6)
    size = b.op("Shape", y, attrs={**F32, "out_type": "int32"})
    masks = {"Index": "int32", "T": "int32", "shrink_axis_mask": 1}
    batch = b.op("StridedSlice", size, ints(0), ints(1), ints(1), attrs=masks)
    wanted = b.op("Pack", batch, ints(72)[0], ints(6)[0], attrs={"T": "int32", "N": 3, "axis": 0})
    y = b.reshape(y, wanted)
    masks = {**F32, "Index": "int32", "ellipsis_mask": 1, "end_mask": 2, "begin_mask": 2}
    y = b.op("StridedSlice", y, ints(0, 0), ints(0, 0), ints(1, -2), attrs=masks)
    size = b.op("Shape", y, attrs={**F32, "out_type": "int32"})
    ones = b.op("Fill", size, np.float32(1), attrs={**F32, "index_type": "int32"})
    y = b.op("AddV2", y, ones, attrs=F32)
    y = b.op("ExpandDims", y, ints(1), attrs={**F32, "Tdim": "int32"})
    return b.op("Tile", y, ints(1, 2, 1, 1), attrs={**F32, "Tmultiples": "int32"})


NETWORKS: list[Build] = [
    *(_inverted_residual, _squeeze_and_excite, _upsampling, _flat, _norm_of_layers, _attention),
    *(_upwards, _shapes),
]


@pytest.mark.parametrize("batch", [2, None], ids=["told", "free"])
@pytest.mark.parametrize("as_tfjs", [True, False], ids=["tfjs", "tensorflow"])
@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__.strip("_"))
def test_a_network_is_one_island(
    build: Build, as_tfjs: bool, batch: int | None, no_refusals: None
) -> None:
    model = network(build, (batch, 9, 8, 3))
    runner = OnnxRunner(model, as_tfjs=as_tfjs)
    assert left(runner) == set()
    assert len(islands(runner)) == 1
    for size in (2,) if batch or build is _upwards else (2, 1, 5):
        feeds = {"x": weights(size, 9, 8, 3, seed=size)}
        for ours, theirs in zip(
            runner.run(feeds), Runner(model, as_tfjs=as_tfjs).run(feeds), strict=True
        ):
            close(ours, theirs)


@pytest.mark.parametrize("padding", [b"SAME", b"VALID", b"EXPLICIT"])
@pytest.mark.parametrize(
    ("strides", "apart"), [((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 3))]
)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("free", [False, True], ids=["told", "free"])
def test_windows_of_convolutions(
    padding: bytes, strides: tuple[int, int], apart: tuple[int, int], groups: int, free: bool,
    no_refusals: None,
) -> None:  # fmt: skip
    attrs: dict[str, Any] = {
        "padding": padding, "strides": [1, *strides, 1], "dilations": [1, *apart, 1],
        "explicit_paddings": [0, 0, 1, 2, 0, 3, 0, 0] if padding == b"EXPLICIT" else [],
    }  # fmt: skip
    size = None if free else 11
    model = network(lambda b, x: conv(b, x, 4, 3, 6 // groups, 8, **attrs), (None, size, size, 6))
    runner = OnnxRunner(model, as_tfjs=False)
    assert islands(runner) == [["Conv2D"]]
    for height, width in ((11, 11),) if not free else ((11, 11), (9, 14)):
        feeds = {"x": weights(2, height, width, 6)}
        close(runner.run(feeds)[0], Runner(model, as_tfjs=False).run(feeds)[0])


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("padding", [b"SAME", b"VALID"])
def test_windows_of_transposed_convolutions(
    strides: tuple[int, int], padding: bytes, no_refusals: None
) -> None:
    attrs = {"padding": padding, "strides": [1, *strides, 1]}

    for more in range(min(strides)):
        reach = (2, 3) if padding == b"VALID" else (0, 0)
        sizes = [
            size * step - more if padding == b"SAME" else (size - 1) * step + taps + 1 + more
            for size, step, taps in zip((5, 4), strides, reach, strict=True)
        ]

        def build(b: Builder, x: Value, sizes: Sequence[int] = sizes) -> Value:
            filters = weights(3, 4, 2, 3)
            return b.op(
                "Conv2DBackpropInput", ints(2, *sizes, 2), filters, x, attrs={**CONV, **attrs}
            )

        model = network(build, (2, 5, 4, 3))
        runner = OnnxRunner(model, as_tfjs=False)
        assert islands(runner) == [["Conv2DBackpropInput"]]
        feeds = {"x": weights(2, 5, 4, 3)}
        close(runner.run(feeds)[0], Runner(model, as_tfjs=False).run(feeds)[0])


FUSED = [
    ([b"BiasAdd"], 1),
    ([b"BiasAdd", b"Relu6"], 1),
    ([b"BiasAdd", b"Elu"], 1),
    ([b"BiasAdd", b"Prelu"], 2),
    ([b"BiasAdd", b"LeakyRelu"], 1),
    ([b"BiasAdd", b"Sigmoid"], 1),
    ([b"Relu"], 0),
]


@pytest.mark.parametrize("as_tfjs", [True, False], ids=["tfjs", "tensorflow"])
@pytest.mark.parametrize(("parts", "more"), FUSED, ids=lambda item: str(item))
@pytest.mark.parametrize("op", ["_FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedMatMul"])
def test_what_follows_in_one_operation(
    op: str, parts: list[bytes], more: int, as_tfjs: bool, no_refusals: None
) -> None:
    attrs = {**CONV, "fused_ops": parts, "num_args": more, "leakyrelu_alpha": 0.1}
    filters = {"_FusedMatMul": (3, 6), "_FusedConv2D": (3, 3, 3, 6)}.get(op, (3, 3, 3, 2))
    rest = [weights(6, seed=seed + 1) for seed in range(more)]
    shape = (4, 3) if op == "_FusedMatMul" else (2, 7, 6, 3)
    model = own_model(op, [weights(*filters), *rest], attrs, shape)
    runner = OnnxRunner(model, as_tfjs=as_tfjs)
    assert islands(runner) == [[op]]
    feeds = {"x": weights(*shape)}
    close(runner.run(feeds)[0], Runner(model, as_tfjs=as_tfjs).run(feeds)[0])


# What is left to NumPy ---------------------------------------------------------------------------


def test_islands_do_not_wait_for_each_other(no_refusals: None) -> None:
    """Of two paths one goes through what ONNX has not, and they meet again."""

    def build(b: Builder, x: Value) -> Value:
        y = conv(b, x, 3, 3, 3, 3)
        other = b.op("Roll", y, ints(1), ints(1), attrs={**F32, "Tshift": "int32"})
        y = b.op("AddV2", conv(b, y, 3, 3, 3, 3), conv(b, other, 1, 1, 3, 3), attrs=F32)
        other = b.op("Roll", y, ints(1), ints(2), attrs={**F32, "Tshift": "int32"})
        return b.op("AddV2", conv(b, other, 1, 1, 3, 3), y, attrs=F32)

    model = network(build, (None, 6, 5, 3))
    runner = OnnxRunner(model)
    assert left(runner) == {"Roll"}
    assert [len(island) for island in islands(runner)] == [2, 2, 2]
    feeds = {"x": weights(2, 6, 5, 3)}
    close(runner.run(feeds)[0], Runner(model).run(feeds)[0])
    close(runner.run(feeds, ["net/Conv2D"])[0], Runner(model).run(feeds, ["net/Conv2D"])[0])
    ours = {value.name: array for value, array in runner.trace(feeds)}
    wanted = {value.name: array for value, array in Runner(model).trace(feeds)}
    assert ours.keys() == wanted.keys()
    assert "net/Roll_1" in ours


def test_control_flow_of_functions(tensorflow: ModuleType) -> None:
    tf = tensorflow
    kernel = tf.constant(weights(3, 3, 3, 3))

    def function(x: Any) -> Any:
        def step(count: Any, y: Any) -> tuple[Any, Any]:
            return count + 1, tf.nn.relu(tf.nn.conv2d(y, kernel, 1, "SAME")) / 3

        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        _, y = tf.while_loop(lambda count, y: count < 3, step, (0, y))
        more = tf.cond(tf.reduce_sum(y) > 0, lambda: y + 1, lambda: y - 1)
        return tf.nn.max_pool2d(more, 2, 2, "VALID")

    model = traced(tf, function, tf.TensorSpec((None, 6, 6, 3)))
    runner = OnnxRunner(model, as_tfjs=False)
    assert islands(runner)[0] == ["Conv2D"]
    assert {"MaxPool", "StatelessIf", "StatelessWhile"} & left(runner)
    for x in (weights(2, 6, 6, 3), -weights(2, 6, 6, 3)):
        close(runner.run(fed(model, [x]))[0], function(tf.constant(x)).numpy())


def test_what_lies_in_a_branch_of_tf1(tensorflow: ModuleType) -> None:
    """An island behind a Switch is dead where its branch is not taken."""
    tf = tensorflow
    kernel = weights(1, 1, 3, 3)

    def build(x: Any) -> Any:
        positive = tf.reduce_sum(x) > 0
        one = lambda: tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))  # noqa: E731
        other = lambda: tf.nn.conv2d(x * 2, kernel, 1, "SAME") + 1  # noqa: E731
        return [tf.compat.v1.cond(positive, one, other)]

    model, in_tensorflow = traced_v1(tf, build, tf.TensorSpec((None, 4, 4, 3)))
    runner = OnnxRunner(model, as_tfjs=False)
    assert sorted(islands(runner)) == [["Conv2D", "Relu"], ["Mul", "Conv2D", "AddV2"]]
    for x in (np.abs(weights(1, 4, 4, 3)), -np.abs(weights(1, 4, 4, 3))):
        close(runner.run(fed(model, [x]))[0], in_tensorflow(x)[0])


def test_what_onnx_runtime_refuses_numpy_says_why(any_size: None) -> None:
    model = network(lambda b, x: b.op("MatMul", x, weights(3, 2), attrs=F32), (None, None))
    runner = OnnxRunner(model)
    assert islands(runner) == [["MatMul"]]
    with pytest.raises(UsageError, match=r"net/MatMul \(MatMul\)"):
        runner.run({"x": weights(2, 4)})
    close(runner.run({"x": weights(2, 3)})[0], weights(2, 3) @ weights(3, 2))


def test_double_precision_is_all_of_numpy() -> None:
    model = network(_flat, (None, 9, 8, 3))
    runner = OnnxRunner(model, dtype="float64")
    assert islands(runner) == []
    assert runner.run({"x": weights(1, 9, 8, 3)})[0].dtype == np.float64


def test_large_weights_are_not_copied() -> None:
    kernel = weights(64, 512)
    model = network(lambda b, x: b.op("MatMul", x, kernel, attrs=F32), (None, 64))
    runner = OnnxRunner(model)
    (step,) = runner._outputs.steps
    assert isinstance(step, IslandStep)
    assert len(step.built.data) < 1000
    assert [np.shares_memory(array, kernel) for array in step.built.weights.values()] == [True]


# Models ------------------------------------------------------------------------------------------

TFJS = [
    *("human_blazeface", "human_handtrack", "human_iris", "style_transformer_separable"),
    "tfjs_move_lstm",
]


def _same(ours: Array, wanted: Array) -> None:
    if ours.dtype == object:
        given = [item.encode() if isinstance(item, str) else item for item in wanted.flat]
        assert ours.reshape(-1).tolist() == given
        return
    scale = max(1e-6, float(np.abs(wanted).max()))
    assert float(np.abs(ours.astype(np.float64) - wanted).max()) / scale < 1e-4


def _all_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ONNX Runtime refuses when a model is made would go unnoticed."""
    made = onnx_islands._session

    def session(built: Any) -> Any:
        found = made(built)
        assert found is not None
        return found

    monkeypatch.setattr(onnx_islands, "_session", session)


@pytest.mark.parametrize("name", TFJS)
def test_golden_answers_of_tfjs(
    name: str, shared_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _all_sessions(monkeypatch)
    model = tfjs.load(shared_models / "tfjs_graph" / name, engine="onnxruntime")
    inputs, outputs = tfjs_golden(name)
    found = model.execute(inputs, [output.name for output in outputs])
    for array, output in zip(found, outputs, strict=True):
        assert array.shape == output.shape
        assert array.dtype == output.values.dtype
        _same(array.reshape(-1)[: output.values.size], output.values)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_golden_answers_of_tensorflow(
    name: str, shared_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _all_sessions(monkeypatch)
    source, signature = source_of(shared_models, name)
    inputs, outputs = golden_of(shared_models, name)
    kind = "frozen-graph" if signature is None else "saved-model"
    content = named(kind).read(source, ReadOptions(signature=signature))
    assert isinstance(content, GraphModel)
    options: dict[str, Any] = {} if signature is None else {"signature": signature}
    model = tfjs.load(source, from_=kind, engine="onnxruntime", **options)
    keys = content.signature.outputs
    found = model.execute({key: inputs[key] for key in content.signature.inputs}, keys)
    for key, array in zip(keys, found, strict=True):
        assert array.shape == outputs[key].shape
        _same(array, outputs[key])


KERAS = [
    "keras_h5__face_mini_xception_fer2013",
    "keras_h5__mlperf_tiny_resnet",
    "keras_h5__mlperf_tiny_str_ww",
    "keras_v3__autocdascorer_model_39_0",
]


@pytest.mark.parametrize("name", KERAS)
def test_golden_answers_of_keras(
    name: str, shared_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _all_sessions(monkeypatch)
    kind, folder = name.split("__")
    source = next(
        path for path in (shared_models / kind / folder).iterdir() if path.suffix != ".json"
    )
    inputs, outputs = golden_of(shared_models, name)
    model = tfjs.load(source, engine="onnxruntime")
    found = model(list(inputs.values()))
    arrays = found if isinstance(found, list) else [found]
    for array, wanted in zip(arrays, outputs.values(), strict=True):
        assert isinstance(array, np.ndarray)
        assert array.shape == wanted.shape
        _same(array, wanted)


# Without the package -----------------------------------------------------------------------------


def test_the_package_is_missing(shared_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "tfjs.runtime.onnx.find_spec",
        lambda name: None if name == "onnxruntime" else found(name),
    )
    with pytest.raises(MissingDependencyError) as caught:
        tfjs.load(shared_models / "tfjs_graph" / "human_iris", engine="onnxruntime")
    assert caught.value.hint == "pip install 'tfjs[run]'"
    with pytest.raises(MissingDependencyError):
        OnnxRunner(network(_flat, (None, 9, 8, 3)))
