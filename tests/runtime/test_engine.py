"""What goes into a runner and what comes out: feeds, fetches, intermediate values, and errors."""

from __future__ import annotations

from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest

from tests.runtime.graphs import traced
from tests.support.live_graphs import concrete, placeholder
from tests.support.live_graphs import model_of as live_model
from tests.support.protocol import Array
from tfjs.errors import CorruptFileError, UnsupportedError, UsageError
from tfjs.ir.graph import Dims, Graph, GraphModel, Shape, Signature, Type, Value
from tfjs.ir.tensor import ArrayTensor
from tfjs.ops.build import Builder
from tfjs.runtime.engine import Runner
from tfjs.runtime.modes import Precision

X = np.arange(6, dtype=np.float32).reshape(2, 3)
_T = {"T": "float32"}


def passing(dtype: str, shape: Shape, default: Array | None = None) -> GraphModel:
    """A model that gives what it is fed."""
    graph = Graph()
    if default is None:
        node = placeholder(graph, "x", dtype, shape)
    else:
        value = graph.constant(default, name="default")
        attrs = {"dtype": dtype, "shape": Dims(shape)}
        node = graph.add("PlaceholderWithDefault", [value], attrs, [Type(dtype, shape)], name="x")
        graph.inputs.append(node)
    graph.outputs = [Builder(graph, "b", ()).op("Identity", node.output, attrs={"T": dtype})]
    graph.output_names = ["y"]
    return GraphModel(graph, Signature(["key"], ["y"]))


def arithmetic() -> GraphModel:
    """(x + 1) * (x + 1) - z, and the halves of x * 2 by themselves."""
    graph = Graph()
    x = placeholder(graph, "x", "float32", (None, 4)).output
    z = placeholder(graph, "z", "float32", (None, 4)).output
    more = graph.add("AddV2", [x, _one(graph)], _T, [x.type], name="more").output
    square = graph.add("Mul", [more, more], _T, [x.type], name="square").output
    less = graph.add("Sub", [square, z], _T, [x.type], name="less").output
    axis = graph.constant(np.array(1, np.int32), name="axis")
    half = Type("float32", (None, 2))
    attrs = {**_T, "num_split": 2}
    halves = graph.add("Split", [axis, square], attrs, [half, half], name="halves")
    graph.outputs = [less, halves.outputs[1]]
    graph.output_names = ["difference", "right"]
    return GraphModel(graph, Signature(["a", "b"], ["difference", "right"]))


def _one(graph: Graph) -> Value:
    return graph.constant(np.float32(1), name="one")


A = np.arange(8, dtype=np.float32).reshape(2, 4)
B = np.full((2, 4), 0.5, np.float32)


# Feeds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "given", "wanted"),
    [
        ("float32", [[1, 2], [3, 4]], np.float32),
        ("float32", np.ones((2, 2)), np.float32),
        ("float32", np.ones((2, 2), np.float16), np.float32),
        ("float32", np.ones((2, 2), np.uint8), np.float32),
        ("int32", np.ones((2, 2), np.int64), np.int32),
        ("int32", np.ones((2, 2), np.uint8), np.int32),
        ("bool", [[True, False], [False, True]], np.bool_),
        ("complex64", np.ones((2, 2), np.float32), np.complex64),
        ("float64", np.ones((2, 2)), np.float32),
        ("int64", np.ones((2, 2), np.int64), np.int32),
    ],
)
def test_safe_casts(dtype: str, given: Any, wanted: type) -> None:
    for name in ("key", "x", "x:0"):
        (found,) = Runner(passing(dtype, (2, None))).run({name: given})
        assert found.dtype == wanted
        assert found.tolist() == np.asarray(given).tolist()


def test_as_tensorflow_dtypes_stay() -> None:
    for dtype in ("int64", "float64", "uint8", "float16"):
        (found,) = Runner(passing(dtype, (2,)), as_tfjs=False).run({"x": np.ones(2, dtype)})
        assert found.dtype == dtype


def test_strings() -> None:
    for given in (["a", "ü"], [b"a", "ü".encode()], np.array(["a", "ü"])):
        (found,) = Runner(passing("string", (2,))).run({"x": given})
        assert found.dtype == object
        assert found.tolist() == [b"a", "ü".encode()]


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        ("int32", np.array([0.5, 1], np.float32)),
        ("int32", np.array([1 << 40, 1])),
        ("int32", np.array([1 << 63, 1], np.uint64)),
        ("float32", np.array([(1 << 24) + 1, 1])),
        ("float32", np.array([1e300, 1])),
        ("float32", np.array(["1", "2"])),
        ("string", np.array([1, 2])),
        ("bool", np.array([1, 0])),
        ("float32", np.array([1j, 1])),
    ],
)
def test_casts_that_may_lose_something_are_refused(dtype: str, given: Array) -> None:
    with pytest.raises(UsageError, match=r"the input 'key' \(.*\) cannot take") as caught:
        Runner(passing(dtype, (2,))).run({"key": given})
    assert caught.value.hint is not None
    assert "cast it" in caught.value.hint


@pytest.mark.parametrize("given", [object(), [[1, 2], [3]], ["a", 1], {"a": 1}])
def test_what_is_no_array(given: Any) -> None:
    with pytest.raises(UsageError, match="cannot take"):
        Runner(passing("float32", (2,))).run({"key": given})


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1), ()])
def test_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"float32\[\?,3\]\) cannot take shape \["):
        Runner(passing("float32", (None, 3))).run({"key": np.zeros(shape, np.float32)})


def test_a_missing_batch_is_told() -> None:
    with pytest.raises(UsageError, match="makes a batch of one"):
        Runner(passing("float32", (None, 3))).run({"key": np.zeros(3, np.float32)})


def test_missing_unknown_and_doubled_inputs() -> None:
    runner = Runner(arithmetic())
    with pytest.raises(UsageError, match=r"nothing is fed to the input 'b' \(float32\[\?,4\]\)"):
        runner.run({"a": A})
    with pytest.raises(UsageError, match=r"nothing is fed to the inputs 'a' .*, 'b' "):
        runner.run({})
    with pytest.raises(UsageError, match="no input 'c'"):
        runner.run({"a": A, "b": B, "c": B})
    with pytest.raises(UsageError, match="is fed twice"):
        runner.run({"a": A, "x": A, "b": B})
    # What a fetch does not need may be left out.
    assert runner.run({"a": A}, ["right"])[0].shape == (2, 2)


def test_defaults_may_be_left_out() -> None:
    runner = Runner(passing("float32", (2, 3), X))
    assert runner.run({})[0].tolist() == X.tolist()
    assert runner.run({"key": X + 1})[0].tolist() == (X + 1).tolist()
    assert runner.run({})[0].tolist() == X.tolist()


def test_a_scalar_of_an_old_graph_of_tensorflow_is_anything() -> None:
    model = passing("float32", ())
    assert Runner(model, as_tfjs=False).run({"x": X})[0].shape == (2, 3)
    with pytest.raises(UsageError, match="cannot take shape"):
        Runner(model).run({"x": X})


# Fetches -----------------------------------------------------------------------------------------


def test_outputs_and_values_between() -> None:
    model = arithmetic()
    runner = Runner(model)
    square = (A + 1) ** 2
    difference, right = runner.run({"a": A, "b": B})
    np.testing.assert_array_equal(difference, square - B)
    np.testing.assert_array_equal(right, square[:, 2:])
    value = model.graph.nodes["halves"].outputs[0]
    names: list[str | Value] = [
        "halves:1",
        "right",
        value,
        "square",
        "more:0",
        "x",
        "one",
        "difference",
    ]
    found = runner.run({"a": A, "b": B}, names)
    wanted = [*([square[:, 2:]] * 2), square[:, :2], square, A + 1, A, 1, square - B]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert runner.run({"a": A}, []) == []


@pytest.mark.parametrize("name", ["nothing", "halves:2", "halves:x", "halves:-1", "halves:²", ""])
def test_values_that_are_not_there(name: str) -> None:
    with pytest.raises(UsageError, match=r"has no output|and no node"):
        Runner(arithmetic()).run({"a": A, "b": B}, [name])


def test_a_value_of_another_model() -> None:
    with pytest.raises(UsageError, match="no value of the model's main graph"):
        Runner(arithmetic()).run({"a": A}, [arithmetic().graph.outputs[0]])


def test_a_value_that_is_no_array(tensorflow: ModuleType) -> None:
    raw = tensorflow.raw_ops

    def build(x: Any) -> Any:
        items = raw.TensorListFromTensor(tensor=x, element_shape=[3])
        return raw.TensorListLength(input_handle=items)

    model = traced(tensorflow, build, tensorflow.TensorSpec([2, 3]))
    (name,) = [node.name for node in model.graph.nodes.values() if "FromTensor" in node.op]
    runner = Runner(model, as_tfjs=False)
    assert runner.run({"x": X}, ["output_0"])[0] == 2
    with pytest.raises(UsageError, match="is a TensorList, which is no array"):
        runner.run({"x": X}, [name])


def test_every_value_as_it_is_computed() -> None:
    model = arithmetic()
    runner = Runner(model)
    found = list(runner.trace({"a": A, "b": B}))
    names = [value.name for value, _ in found]
    assert sorted(names[:4]) == ["axis", "one", "x", "z"]
    assert names[4:6] == ["more", "square"]
    assert sorted(names[6:]) == ["halves:1", "less"]
    for value, array in found:
        np.testing.assert_array_equal(array, runner.run({"a": A, "b": B}, [value])[0])


# Precision ---------------------------------------------------------------------------------------

PRECISIONS: tuple[Precision, ...] = ("float32", "float64")


def test_float64_computes_what_float32_rounds_away(tensorflow: ModuleType) -> None:
    tf = tensorflow

    def build(x: Any) -> Any:
        large = tf.cast(tf.fill([2, 3], 16777216.0), tf.float32)
        return (x + large) - large, tf.cast(x, tf.int32), tf.cast(tf.shape(x), tf.float32) / 7.0

    model = traced(tf, build, tf.TensorSpec([2, 3]))
    for as_tfjs in (True, False):
        single = Runner(model, as_tfjs=as_tfjs).run({"x": X + 0.5})
        double = Runner(model, as_tfjs=as_tfjs, dtype="float64").run({"x": X + 0.5})
        assert [array.dtype.name for array in single] == ["float32", "int32", "float32"]
        assert [array.dtype.name for array in double] == ["float64", "int32", "float64"]
        assert np.abs(single[0] - (X + 0.5)).max() >= 0.5
        np.testing.assert_array_equal(double[0], X + 0.5)
        np.testing.assert_array_equal(double[2], np.array([2, 3]) / 7)


def test_float64_of_what_is_single_whatever_it_is_of(tensorflow: ModuleType) -> None:
    tf = tensorflow

    def build(x: Any) -> Any:
        # A list of items, which must be of its dtype.
        return tf.map_fn(
            lambda image: tf.compat.v1.image.resize_bilinear(image[None], [3, 3])[0],
            x,
            fn_output_signature=tf.float32,
        )

    model = traced(tf, build, tf.TensorSpec([2, 4, 4, 1], tf.int32))
    x = np.arange(32, dtype=np.int32).reshape(2, 4, 4, 1)
    for as_tfjs in (True, False):
        single, double = (
            Runner(model, as_tfjs=as_tfjs, dtype=dtype).run({"x": x})[0] for dtype in PRECISIONS
        )
        assert (single.dtype.name, double.dtype.name) == PRECISIONS
        np.testing.assert_allclose(single, double, rtol=1e-6)


def test_variables_are_read_from_the_model(tensorflow: ModuleType) -> None:
    tf = tensorflow
    matrix, bias = tf.Variable(X), tf.Variable([1.0, 2.0])
    table = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))

    def build(x: Any, i: Any) -> Any:
        rows = tf.gather(table, i)
        return tf.matmul(x, matrix, transpose_b=True) + bias, rows, tf.shape(table)

    specs = (tf.float32, (None, 3)), (tf.int32, (2,))
    made = concrete(tf, build, *specs)
    model = live_model(made)
    places = np.array([3, 1], np.int32)
    feeds = dict(zip(model.signature.inputs, (X, places), strict=True))
    for dtype in get_args(Precision):
        found = Runner(model, as_tfjs=False, dtype=dtype).run(feeds)
        for ours, theirs in zip(found, made(X, places), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6)
    name = next(name for name, tensor in model.variables.items() if tensor.shape == (2,))
    model.variables[name] = ArrayTensor(np.array([10, 20], np.float32))
    changed = Runner(model, as_tfjs=False).run(feeds)[0]
    np.testing.assert_allclose(changed, X @ X.T + [10, 20])
    del model.variables[name]
    with pytest.raises(UnsupportedError, match=f"without a value in the source .*{name}"):
        Runner(model, as_tfjs=False)


# Errors ------------------------------------------------------------------------------------------


def test_operations_without_a_kernel_are_all_listed() -> None:
    model = arithmetic()
    graph = model.graph
    type_ = graph.outputs[0].type
    for index, op in enumerate(("Wonder", "Wonder", "ReadFile")):
        node = graph.add(op, [graph.outputs[0]], {}, [type_], name=f"odd{index}")
        graph.outputs[0] = node.output
    with pytest.raises(UnsupportedError) as caught:
        Runner(model)
    assert caught.value.message == "3 nodes of the graph cannot be computed here"
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "ReadFile",
        "2 × Wonder",
    ]
    assert "(odd1, odd0)" in caught.value.problems[1] or "(odd0, odd1)" in caught.value.problems[1]


def test_a_node_that_cannot_be_computed_is_named() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (None, 3)).output
    y = placeholder(graph, "y", "float32", (None, 3)).output
    graph.outputs = [graph.add("AddV2", [x, y], _T, [x.type], name="sum").output]
    graph.output_names = ["out"]
    runner = Runner(GraphModel(graph, Signature(["x", "y"], ["out"])))
    with pytest.raises(UsageError) as caught:
        runner.run({"x": X, "y": np.zeros((5, 3), np.float32)})
    assert caught.value.where == "sum (AddV2)"
    assert "its inputs are float32[2,3], float32[5,3]" in caught.value.message
    with pytest.raises(UsageError, match=r"sum \(AddV2\)"):
        list(runner.trace({"x": X, "y": np.zeros((5, 3), np.float32)}))


def test_a_model_that_needs_nothing_and_cannot_be_computed() -> None:
    graph = Graph()
    one = graph.constant(np.zeros((2, 3), np.float32), name="one")
    two = graph.constant(np.zeros((5, 3), np.float32), name="two")
    graph.outputs = [graph.add("AddV2", [one, two], _T, [Type("float32")], name="sum").output]
    graph.output_names = ["out"]
    with pytest.raises(CorruptFileError, match=r"sum \(AddV2\)"):
        Runner(GraphModel(graph, Signature([], ["out"]))).run({})


def test_a_variable_that_the_model_changes_and_reads(tensorflow: ModuleType) -> None:
    tf = tensorflow
    counter = tf.Variable(np.float32(3))

    def build(x: Any) -> Any:
        before = counter.read_value()
        counter.assign_add(1.0)
        return x + counter.read_value(), x * before

    model = live_model(concrete(tf, build, (tf.float32, ())))
    with pytest.raises(UnsupportedError, match="reads a variable after the model has changed it"):
        Runner(model, as_tfjs=False)
    # What was there before may be read.
    name = model.signature.inputs[0]
    model.graph.outputs = model.graph.outputs[1:]
    assert Runner(model, as_tfjs=False).run({name: np.float32(2)})[0] == 6.0
