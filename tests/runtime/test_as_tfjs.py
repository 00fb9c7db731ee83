"""Where TF.js differs from TensorFlow, and where it throws: the same graph in both.

These graphs go to TF.js as they are; what the converter writes avoids most of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.tfjs_graph.test_read import by_resource, edit
from tests.formats.tfjs_graph.test_write import TEXTS, lookup
from tests.runtime.graphs import assert_answers, fed
from tests.support.live_graphs import placeholder
from tests.support.protocol import Array, JsError
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import TfjsError
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.tfjs_graph.read import read
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, FuncRef, Graph, GraphModel, Signature, Value
from tfjs.ops.build import Builder
from tfjs.runtime.engine import Runner

Build = Callable[[Builder, Value, Value], Sequence[Value]]

X = np.arange(12, dtype=np.float32).reshape(3, 4) / 8
COUNT = np.array(2, np.int32)
_FLOATS = {"element_dtype": "float32", "shape_type": "int32"}
_ROW = np.array([4], np.int32)
_ANY = np.array(-1, np.int32)


def _row(build: Builder, x: Value, index: int) -> Value:
    attrs = {"Tparams": "float32", "Tindices": "int32", "Taxis": "int32", "batch_dims": 0}
    return build.op("GatherV2", x, np.array(index, np.int32), np.array(0, np.int32), attrs=attrs)


def _reserved(build: Builder, count: Value) -> Value:
    return build.op("TensorListReserve", _ROW, count, attrs=_FLOATS)


def _set(build: Builder, items: Value, index: int, item: Value) -> Value:
    return build.op("TensorListSetItem", items, np.array(index, np.int32), item, attrs=_FLOATS)


def _stack(build: Builder, items: Value, shape: Array = _ROW) -> Value:
    attrs = {**_FLOATS, "num_elements": -1}
    return build.op("TensorListStack", items, shape, attrs=attrs)


def _get(build: Builder, items: Value, index: int, shape: Array = _ROW) -> Value:
    at = np.array(index, np.int32)
    return build.op("TensorListGetItem", items, at, shape, attrs=_FLOATS)


def _length(build: Builder, items: Value) -> Value:
    return build.op("TensorListLength", items)


def reserved_has_no_length(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = _reserved(build, count)
    return [_length(build, items)]


def written_behind_the_end(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = _set(build, _reserved(build, count), 3, _row(build, x, 1))
    return [_length(build, items), _get(build, items, 3)]


def changes_in_place(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    first = _set(build, _reserved(build, count), 0, _row(build, x, 1))
    # The second list is the first: what is written through one is read through the other.
    second = _set(build, first, 0, _row(build, x, 2))
    after = build.op("AddV2", _stack(build, second), 0.0, attrs={"T": "float32"})
    return [after]


def pushed(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = build.op("EmptyTensorList", _ROW, _ANY, attrs=_FLOATS)
    for index in (2, 0):
        items = build.op("TensorListPushBack", items, _row(build, x, index), attrs=_FLOATS)
    return [_stack(build, items), _length(build, items)]


def popped(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    """The item is the first output."""
    items = build.op("TensorListFromTensor", x, _ROW, attrs=_FLOATS)
    taken = build.op("TensorListPopBack", items, _ROW, attrs=_FLOATS)
    taken.dtype, taken.shape = "float32", (4,)
    return [taken]


def gathered_too_often(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = build.op("TensorListFromTensor", x, _ROW, attrs=_FLOATS)
    places = np.array([2, 0, 1, 1, 2], np.int32)
    return [build.op("TensorListGather", items, places, _ROW, attrs=_FLOATS)]


def gathered_of_none(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    attrs = {"element_dtype": "int32", "shape_type": "int32"}
    items = build.op("TensorListReserve", _ROW, count, attrs=attrs)
    places = np.array([0], np.int32)
    found = build.op("TensorListGather", items, places, _ROW, attrs=attrs)
    found.dtype = "float32"
    return [found]


def joined(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = build.op("TensorListFromTensor", x, _ROW, attrs=_FLOATS)
    attrs = {**_FLOATS, "element_shape": Dims((4,))}
    none = np.zeros(0, np.int32)
    return [build.op("TensorListConcatV2", items, _ROW, none, attrs=attrs)]


def joined_without_a_shape(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = build.op("TensorListFromTensor", x, _ROW, attrs=_FLOATS)
    return [build.op("TensorListConcatV2", items, _ROW, np.zeros(0, np.int32), attrs=_FLOATS)]


def cut(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    """Each piece loses its first size, which works for pieces of one row."""
    lengths = np.array([1, 1, 1], np.int32)
    items = build.op("TensorListSplit", x, _ROW, lengths, attrs=_FLOATS)
    return [_stack(build, items)]


def cut_into_rows(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    lengths = np.array([1, 2], np.int32)
    items = build.op("TensorListSplit", x, _ROW, lengths, attrs=_FLOATS)
    return [_length(build, items)]


def scattered(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    places = np.array([3, 0, 1], np.int32)
    items = build.op("TensorListScatter", x, places, _ROW, attrs=_FLOATS)
    return [_length(build, items), _get(build, items, 0), _get(build, items, 3)]


def copied(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    """A resized list is another list."""
    items = build.op("TensorListFromTensor", x, _ROW, attrs=_FLOATS)
    longer = build.op("TensorListResize", items, np.array(5, np.int32), attrs=_FLOATS)
    changed = _set(build, longer, 0, _row(build, x, 2))
    return [_stack(build, items), _length(build, changed), _get(build, changed, 0)]


def a_hole(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    return [_stack(build, _set(build, _reserved(build, count), 1, _row(build, x, 1)))]


def nothing_to_stack(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    return [_stack(build, _reserved(build, count))]


def never_written(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    return [_get(build, _reserved(build, count), 1)]


def another_dtype(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = build.op("TensorListFromTensor", x, _ROW, attrs=_FLOATS)
    told = {"element_dtype": "int32"}
    found = build.op("TensorListGetItem", items, np.array(0, np.int32), _ROW, attrs=told)
    return [found]


def another_shape(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    items = build.op("TensorListFromTensor", x, _ROW, attrs=_FLOATS)
    return [_get(build, items, 0, np.array([5], np.int32))]


# Arrays ------------------------------------------------------------------------------------------


def _array(build: Builder, count: Value, **told: Any) -> list[Value]:
    attrs = {
        "dtype": "float32",
        "element_shape": Dims((4,)),
        "dynamic_size": False,
        "clear_after_read": True,
        "identical_element_shapes": True,
        "tensor_array_name": b"a",
        **told,
    }
    return list(build.ops("TensorArrayV3", count, attrs=attrs))


def _write(build: Builder, array: Value, flow: Value, index: int, item: Value) -> Value:
    at = np.array(index, np.int32)
    return build.op("TensorArrayWriteV3", array, at, item, flow, attrs={"T": "float32"})


def _read(build: Builder, array: Value, flow: Value, index: int) -> Value:
    at = np.array(index, np.int32)
    return build.op("TensorArrayReadV3", array, at, flow, attrs={"dtype": "float32"})


def as_long_as_written(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    array, flow = _array(build, count)
    flow = _write(build, array, flow, 0, _row(build, x, 1))
    return [build.op("TensorArraySizeV3", array, flow), _read(build, array, flow, 0)]


def array_gathered(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    """No more items than the array has."""
    array, flow = _array(build, count, clear_after_read=False)
    for index in (0, 1):
        flow = _write(build, array, flow, index, _row(build, x, index + 1))
    places = np.array([1, 0, 1, 1], np.int32)
    attrs = {"dtype": "float32", "element_shape": Dims((4,))}
    return [build.op("TensorArrayGatherV3", array, places, flow, attrs=attrs)]


def array_joined(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    array, flow = _array(build, count)
    places = np.array([1, 0], np.int32)
    rows = build.op(
        "Slice", x, np.array([1, 0], np.int32), np.array([2, 4], np.int32),
        attrs={"T": "float32", "Index": "int32"},
    )  # fmt: skip
    flow = build.op("TensorArrayScatterV3", array, places, rows, flow, attrs={"T": "float32"})
    attrs = {"dtype": "float32", "element_shape_except0": Dims(())}
    return [build.op("TensorArrayConcatV3", array, flow, attrs=attrs)]


def array_grows(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    array, flow = _array(build, count, dynamic_size=True)
    flow = _write(build, array, flow, 4, _row(build, x, 1))
    return [build.op("TensorArraySizeV3", array, flow)]


def read_twice(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    array, flow = _array(build, count)
    flow = _write(build, array, flow, 0, _row(build, x, 1))
    return [_read(build, array, flow, 0), _read(build, array, flow, 0)]


def written_twice(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    array, flow = _array(build, count)
    for _ in range(2):
        flow = _write(build, array, flow, 0, _row(build, x, 1))
    return [_read(build, array, flow, 0)]


def array_too_short(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    array, flow = _array(build, count)
    flow = _write(build, array, flow, 2, _row(build, x, 1))
    return [_read(build, array, flow, 2)]


def array_of_another_dtype(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    array, flow = _array(build, count, dtype="int32")
    return [_read(build, array, _write(build, array, flow, 0, _row(build, x, 1)), 0)]


# Choices -----------------------------------------------------------------------------------------


def _branch(build: Builder, name: str, factor: float) -> FuncRef:
    body = Graph(name)
    argument = placeholder(body, f"{name}_x", "float32", (3, 4))
    inner = Builder(body, f"{name}_b", ())
    body.outputs = [inner.op("Mul", argument.output, factor, attrs={"T": "float32"})]
    body.output_names = ["out"]
    BODIES[name] = body
    return FuncRef(name)


BODIES: dict[str, Graph] = {}


def first_of_many(build: Builder, x: Value, count: Value) -> Sequence[Value]:
    """A condition that is no scalar: TF.js looks at its first element, here 0."""
    condition = build.op("NotEqual", x, 0.0, attrs={"T": "float32"})
    attrs = {
        "Tcond": "bool",
        "Tin": ["float32"],
        "Tout": ["float32"],
        "output_shapes": [],
        "then_branch": _branch(build, "then", 2.0),
        "else_branch": _branch(build, "other", 3.0),
    }
    return [build.op("StatelessIf", condition, x, attrs=attrs)]


ANSWERS: list[Build] = [
    *(reserved_has_no_length, written_behind_the_end, changes_in_place, pushed, popped, joined),
    *(gathered_too_often, gathered_of_none, cut, scattered, copied, as_long_as_written),
    *(array_gathered, array_joined, array_grows, first_of_many),
]
THROWS: list[Build] = [
    *(joined_without_a_shape, cut_into_rows, a_hole, nothing_to_stack, never_written),
    *(another_dtype, another_shape, read_twice, written_twice, array_too_short),
    array_of_another_dtype,
]


def _model(make: Build, folder: Path) -> GraphModel:
    BODIES.clear()
    graph = Graph()
    x = placeholder(graph, "x", "float32", (3, 4)).output
    count = placeholder(graph, "count", "int32", ()).output
    build = Builder(graph, "b", ())
    outputs = make(build, x, count)
    for index, value in enumerate(outputs):
        attrs = {"T": value.dtype}
        node = graph.add("Identity", [value], attrs, [value.type], name=f"out{index}")
        graph.outputs.append(node.output)
        graph.output_names.append(node.name)
    for node in graph.nodes.values():
        for value in node.outputs:
            value.dtype = "int32" if value.dtype == "int64" else value.dtype
    signature = Signature(["x", "count"], list(graph.output_names))
    write(GraphModel(graph, signature, dict(BODIES)), folder, WriteOptions())
    return read(folder, ReadOptions())


@pytest.mark.parametrize("make", ANSWERS, ids=lambda make: make.__name__)
def test_it_answers_as_tfjs(make: Build, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    model = _model(make, tmp_path)
    feeds: dict[str, Array] = {"x": X, "count": COUNT}
    found = tfjs_runtime.run_graph(tmp_path, feeds, method="executeAsync")
    ours = Runner(model).run(feeds)
    assert [array.dtype for array in ours] == [array.dtype for array in found.answers]
    assert_answers(Runner(model), feeds, found.answers)
    assert_answers(Runner(model, dtype="float64"), feeds, found.answers)


@pytest.mark.parametrize("make", THROWS, ids=lambda make: make.__name__)
def test_it_refuses_where_tfjs_throws(
    make: Build, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = _model(make, tmp_path)
    with pytest.raises(JsError):
        tfjs_runtime.run_graph(tmp_path, {"x": X, "count": COUNT}, method="executeAsync")
    with pytest.raises(TfjsError, match="cannot be computed from what is fed"):
        Runner(model).run({"x": X, "count": COUNT})


# Tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["by name", "by resource"])
def test_tables_of_both_forms(form: str, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    write(lookup({b"a": 10, b"b": 20}), tmp_path, WriteOptions())
    if form == "by resource":
        edit(tmp_path, by_resource)
    wanted = tfjs_runtime.predict_graph(tmp_path, [TEXTS], method="predictAsync")
    model = read(tmp_path, ReadOptions())
    assert_answers(Runner(model), fed(model, [TEXTS]), wanted)


def test_what_is_found_has_one_axis(tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    model = lookup({b"a": 10, b"b": 20})
    for node in model.graph.inputs:
        node.attrs["shape"], node.output.shape = Dims(None), None
    write(model, tmp_path, WriteOptions())
    model = read(tmp_path, ReadOptions())
    texts = np.array([[b"a", b"?"], [b"b", b"a"]], object)
    wanted = tfjs_runtime.predict_graph(tmp_path, [texts], method="executeAsync")
    assert wanted[0].tolist() == [10, -1, 20, 10]
    assert_answers(Runner(model), fed(model, [texts]), wanted)
    none = np.empty(0, object)
    with pytest.raises(JsError):
        tfjs_runtime.predict_graph(tmp_path, [none], method="executeAsync")
    with pytest.raises(TfjsError, match="no keys at all"):
        Runner(model).run(fed(model, [none]))
