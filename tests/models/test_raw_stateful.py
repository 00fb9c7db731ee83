"""Operations of TensorFlow that hold something between calls, or give nothing, through it all.

They are not in `test_raw_ops.py`, because they have no numbers of their own: each graph here is of
TF 1, names the operations by themselves, and answers in the real TF.js as in TensorFlow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

import tfjs
from tests.support.protocol import Array
from tests.support.saved_models import save_v1
from tests.support.tfjs_runtime import TfjsRuntime

_ROWS = np.arange(12, dtype=np.float32).reshape(3, 4) / 8
_WORDS = np.array([b"b", b"z", b"a"], object)


class Case(NamedTuple):
    """A graph, what it is fed, and which of its operations TF.js is left with.

    Attributes:
        build: gets TensorFlow and placeholders; gives tensors, and what fills the tables where
            there are any.
        fed: one array for each placeholder; what a number among them is, is not known before.
        holds: operations that the graph has.
        left: operations of these that the converted model has too.
        options: how it is converted.
    """

    build: Callable[..., tuple[list[Any], Any]]
    fed: list[Array]
    holds: str
    left: str
    options: Mapping[str, Any] = MappingProxyType({})


def _array(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    raw = tf.raw_ops
    told = {"dtype": "float32", "element_shape": [4]}
    handle, flow = raw.TensorArrayV3(size=n, clear_after_read=False, **told)
    places = raw.Range(start=0, limit=n, delta=1)
    flow = raw.TensorArrayScatterV3(handle=handle, indices=places, value=x, flow_in=flow)
    doubled = raw.TensorArrayReadV3(handle=handle, index=1, flow_in=flow, dtype="float32") * 2.0
    size = raw.TensorArraySizeV3(handle=handle, flow_in=flow)
    gathered = raw.TensorArrayGatherV3(handle=handle, indices=[2, 0, 2, 2], flow_in=flow, **told)
    other, flow = raw.TensorArrayV3(size=n, dtype="float32")
    flow = raw.TensorArrayWriteV3(handle=other, index=0, value=doubled, flow_in=flow)
    written = raw.TensorArrayReadV3(handle=other, index=0, flow_in=flow, dtype="float32")
    return [doubled, size, gathered, written], None


def _parts(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    raw = tf.raw_ops
    handle, flow = raw.TensorArrayV3(
        size=n, dtype="float32", clear_after_read=False, element_shape=[None, 4]
    )
    lengths = np.array([1, 0, 2], np.int64)
    flow = raw.TensorArraySplitV3(handle=handle, value=x, lengths=lengths, flow_in=flow)
    joined = raw.TensorArrayConcatV3(handle=handle, flow_in=flow, dtype="float32")[0]
    return [joined, raw.TensorArraySizeV3(handle=handle, flow_in=flow)], None


def _closed(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    raw = tf.raw_ops
    handle, flow = raw.TensorArrayV3(size=n, dtype="float32")
    flow = raw.TensorArrayWriteV3(handle=handle, index=0, value=x, flow_in=flow)
    item = raw.TensorArrayReadV3(handle=handle, index=0, flow_in=flow, dtype="float32")
    with tf.control_dependencies([item]):
        close = raw.TensorArrayCloseV3(handle=handle)
    with tf.control_dependencies([close, raw.NoOp()]):
        return [item + 1.0], None


def _table(tf: Any, words: Any) -> tuple[list[Any], Any]:
    raw = tf.raw_ops
    table = raw.HashTableV2(key_dtype="string", value_dtype="int64", shared_name="new")
    keys, values = np.array([b"a", b"b"], object), np.array([5, 6], np.int64)
    filled = raw.InitializeTableV2(table_handle=table, keys=keys, values=values)
    default = np.array(-1, np.int64)
    found = raw.LookupTableFindV2(table_handle=table, keys=words, default_value=default)
    return [found, raw.LookupTableSizeV2(table_handle=table)], filled


def _imported(tf: Any, words: Any) -> tuple[list[Any], Any]:
    raw = tf.raw_ops
    table = raw.HashTableV2(key_dtype="string", value_dtype="float32", shared_name="import")
    keys, values = np.array([b"a", b"z"], object), np.array([0.5, 1.5], np.float32)
    filled = raw.LookupTableImportV2(table_handle=table, keys=keys, values=values)
    default = np.array(-1, np.float32)
    return [raw.LookupTableFindV2(table_handle=table, keys=words, default_value=default)], filled


def _old_table(tf: Any, words: Any) -> tuple[list[Any], Any]:
    raw = tf.raw_ops
    """By reference, as graphs had them before there were resources."""
    table = raw.HashTable(key_dtype="string", value_dtype="int64", shared_name="old")
    keys, values = np.array([b"a", b"b"], object), np.array([5, 6], np.int64)
    filled = raw.InitializeTable(table_handle=table, keys=keys, values=values)
    default = np.array(-1, np.int64)
    found = raw.LookupTableFind(table_handle=table, keys=words, default_value=default)
    return [found, raw.LookupTableSize(table_handle=table)], filled


def _old_import(tf: Any, words: Any) -> tuple[list[Any], Any]:
    raw = tf.raw_ops
    table = raw.HashTable(key_dtype="string", value_dtype="float32", shared_name="oldimport")
    keys, values = np.array([b"a", b"z"], object), np.array([0.5, 1.5], np.float32)
    filled = raw.LookupTableImport(table_handle=table, keys=keys, values=values)
    default = np.array(-1, np.float32)
    return [raw.LookupTableFind(table_handle=table, keys=words, default_value=default)], filled


def _list(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    """Of a length that is fed, so that it stays one."""
    raw, told = tf.raw_ops, {"element_shape": [4], "element_dtype": tf.float32}
    items = raw.TensorListReserve(num_elements=n, **told)
    for index in (0, 1, 2):
        items = raw.TensorListSetItem(input_handle=items, index=index, item=x[2 - index])
    item = raw.TensorListGetItem(input_handle=items, index=n - 1, **told)
    gathered = raw.TensorListGather(input_handle=items, indices=[2, 0, 2, 2], **told)
    longer = raw.TensorListPushBack(input_handle=items, tensor=item)
    shorter, last = raw.TensorListPopBack(input_handle=longer, **told)
    cut = raw.TensorListResize(input_handle=shorter, size=n - 1)
    stacked = raw.TensorListStack(input_handle=cut, num_elements=-1, **told)
    return [item, gathered, last, stacked, raw.TensorListLength(input_handle=longer)], None


def _lists_of_tensors(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    raw, told = tf.raw_ops, {"element_shape": [4], "element_dtype": tf.float32}
    places = tf.range(n)
    rows = raw.TensorListFromTensor(tensor=x[:n], element_shape=[4])
    placed = raw.TensorListScatter(tensor=x, indices=places, element_shape=[4])
    more = raw.TensorListScatterV2(tensor=x, indices=places, element_shape=[4], num_elements=n)
    lengths = np.array([1, 2], np.int64)
    cut = raw.TensorListSplit(tensor=x, element_shape=[-1, 4], lengths=lengths)
    second = raw.TensorListGetItem(
        input_handle=cut, index=1, element_shape=[-1, 4], element_dtype=tf.float32
    )
    lines = tf.reshape(x, [3, 1, 4])[:n]
    parts = raw.TensorListFromTensor(tensor=lines, element_shape=[1, 4])
    empty = raw.EmptyTensorList(max_num_elements=n, **told)
    pushed = raw.TensorListPushBack(input_handle=empty, tensor=x[0])
    joined = raw.TensorListConcat(
        input_handle=parts, element_shape=[1, 4], element_dtype=tf.float32
    )[0]
    again = raw.TensorListConcatV2(
        input_handle=parts,
        element_shape=[-1, 4],
        leading_dims=np.zeros(0, np.int64),
        element_dtype=tf.float32,
    )[0]
    stacked = [
        raw.TensorListStack(input_handle=items, num_elements=-1, **told)
        for items in (rows, placed, more, pushed)
    ]
    return [second, joined, again, *stacked], None


def _control_flow(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    def step(i: Any, y: Any) -> Any:
        return i + 1, y * 0.5 + tf.cast(i, tf.float32)

    _, y = tf.while_loop(lambda i, y: i < n, step, [0, x])
    return [tf.cond(n > 2, lambda: y + 1.0, lambda: y * 2.0)], None


def _old_control_flow(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    enabled = tf.compat.v1.control_flow_v2_enabled()
    tf.compat.v1.disable_control_flow_v2()
    try:
        return _control_flow(tf, x, n)
    finally:
        if enabled:
            tf.compat.v1.enable_control_flow_v2()


def _stateful_control_flow(tf: Any, x: Any, n: Any) -> tuple[list[Any], Any]:
    """The editions for functions with effects, here that of printing."""

    def told(y: Any) -> Any:
        return tf.raw_ops.Print(input=y, data=[n], message="seen")

    _, y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, told(y) + 1.0), [0, x])
    return [tf.cond(n > 2, lambda: told(y) + 1.0, lambda: y * 2.0)], None


def _by_default(tf: Any, x: Any) -> tuple[list[Any], Any]:
    bias = tf.raw_ops.PlaceholderWithDefault(input=tf.constant([0.5, 1, 2, 4]), shape=[4])
    return [tf.raw_ops.Print(input=x, data=[bias], message="seen") + bias], None


_COUNT = np.array(3, np.int32)
_FED: list[Array] = [_ROWS, _COUNT]
_ARRAY = (
    "TensorArrayV3 TensorArrayScatterV3 TensorArrayReadV3 TensorArraySizeV3 TensorArrayGatherV3 "
    "TensorArrayWriteV3"
)
_LIST = (
    "TensorListSetItem TensorListGetItem TensorListGather TensorListPushBack TensorListResize "
    "TensorListStack TensorListLength"
)
_LISTS = (
    "TensorListFromTensor TensorListScatter TensorListScatterV2 TensorListConcat TensorListConcatV2"
)
_PARTS = "TensorArraySplitV3 TensorArrayConcatV3"
_FRAMES = "Switch Merge Enter Exit NextIteration"
_TABLE = "HashTableV2 LookupTableFindV2 LookupTableSizeV2"
_IMPORTED = "HashTableV2 LookupTableImportV2 LookupTableFindV2"
_OLD = "HashTable LookupTableFind LookupTableSize"
_OLD_IMPORTED = "HashTable LookupTableImport LookupTableFind"
_FUNCTIONS = "StatelessWhile StatelessIf"
CASES = {
    "array": Case(_array, _FED, _ARRAY, _ARRAY),
    "parts": Case(_parts, _FED, _PARTS, _PARTS),
    "closed": Case(
        _closed, _FED, "TensorArrayWriteV3 TensorArrayCloseV3 NoOp", "TensorArrayWriteV3"
    ),
    "list": Case(_list, _FED, f"TensorListReserve TensorListPopBack {_LIST}", _LIST),
    "lists": Case(_lists_of_tensors, _FED, f"EmptyTensorList TensorListSplit {_LISTS}", _LISTS),
    "table": Case(_table, [_WORDS], f"InitializeTableV2 {_TABLE}", _TABLE),
    "imported": Case(_imported, [_WORDS], _IMPORTED, _IMPORTED),
    "old table": Case(_old_table, [_WORDS], f"InitializeTable {_OLD}", _OLD),
    "old import": Case(_old_import, [_WORDS], _OLD_IMPORTED, _OLD_IMPORTED),
    "functions": Case(_control_flow, _FED, _FUNCTIONS, _FUNCTIONS),
    "frames": Case(_old_control_flow, _FED, _FRAMES, _FRAMES, {"control_flow": "v1"}),
    "frames as functions": Case(_old_control_flow, _FED, _FRAMES, "Switch Merge"),
    "effects": Case(_stateful_control_flow, _FED, "While If Print", ""),
    "by default": Case(
        _by_default, [_ROWS], "Placeholder PlaceholderWithDefault Const Print", "Placeholder Const"
    ),
}
# All that is run here: `test_raw_ops.py` asks for it.
RUN = frozenset(op for case in CASES.values() for op in case.holds.split())


def _held(graph: Any) -> Iterator[str]:
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    return (node.op for nodes in bodies for node in nodes)


def _operations(folder: Path) -> set[str]:
    data = json.loads((folder / "model.json").read_text())
    topologies = [data["modelTopology"], data.get("modelInitializer") or {"node": []}]
    nodes = [node for topology in topologies for node in topology["node"]]
    functions = data["modelTopology"].get("library", {}).get("function", [])
    nodes += [node for function in functions for node in function["nodeDef"]]
    return {node["op"] for node in nodes}


@pytest.mark.parametrize("name", CASES)
def test_tfjs_answers_as_tensorflow_does(
    name: str, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf, case = tensorflow, CASES[name]
    answers: list[Array] = []
    held: set[str] = set()
    filling: list[Any] = []
    fetched: list[Any] = []
    feeds: dict[Any, Array] = {}

    def build(v1: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        for array in case.fed:
            dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
            feeds[v1.placeholder(dtype, array.shape)] = array
        outputs, fill = case.build(tf, *feeds)
        fetched.extend(outputs)
        filling.append(fill)
        inputs = {f"in{index}": tensor for index, tensor in enumerate(feeds)}
        return inputs, {f"out{index}": tensor for index, tensor in enumerate(outputs)}

    def prepare(v1: Any, session: Any) -> Any:
        if filling[0] is not None:
            session.run(filling[0])
        answers.extend(session.run(fetched, feeds))
        held.update(_held(v1.get_default_graph().as_graph_def()))
        return filling[0]

    save_v1(tf, tmp_path / "source", build, prepare=prepare)
    assert {*case.holds.split()} <= held
    report = tfjs.convert(tmp_path / "source", tmp_path / "web", **case.options)
    assert _operations(tmp_path / "web") & {*case.holds.split()} == {*case.left.split()}
    assert [port.name for port in report.outputs] == [f"out{i}" for i in range(len(answers))]
    for backend in ("cpu", "wasm"):
        run = tfjs_runtime.run_graph(
            tmp_path / "web", case.fed, backend=backend, method="executeAsync"
        )
        for ours, theirs in zip(run.calls[0], answers, strict=True):
            np.testing.assert_array_equal(ours, theirs)
