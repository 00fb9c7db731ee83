"""Lists whose contents are known become tensors."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.control.graphs import assert_same, ops, resolved, run, traced
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError
from tfjs.passes.control.lists import dissolve_lists

_X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
_ROW = {"element_shape": [4]}


def _lists(tf: Any, x: Any) -> Any:
    raw, told = tf.raw_ops, {**_ROW, "element_dtype": tf.float32}
    stack = lambda items: raw.TensorListStack(input_handle=items, num_elements=-1, **told)  # noqa: E731
    put = lambda items, index, item: raw.TensorListSetItem(  # noqa: E731
        input_handle=items, index=index, item=item
    )
    empty = raw.TensorListReserve(num_elements=4, **told)
    one = put(empty, 1, x[0])
    other = put(one, 1, x[1])
    longer = raw.TensorListPushBack(input_handle=other, tensor=x[2])
    shorter, last = raw.TensorListPopBack(input_handle=other, **told)
    sizes = tf.constant([1, 2], tf.int64)
    parts = raw.TensorListSplit(tensor=x, element_shape=[-1, 4], lengths=sizes)
    rows = raw.TensorListFromTensor(tensor=x, element_shape=[4])
    return {
        "fork": [stack(one), stack(other)],
        "ends": [stack(longer), last, stack(shorter)],
        "gathered": raw.TensorListGather(input_handle=longer, indices=[4, 1], **told),
        "length": raw.TensorListLength(input_handle=longer),
        "resized": stack(raw.TensorListResize(input_handle=other, size=6)),
        "cut": raw.TensorListGetItem(
            input_handle=parts, index=1, element_shape=[-1, 4], element_dtype=tf.float32
        ),
        "joined": raw.TensorListConcatV2(
            input_handle=parts,
            element_shape=[-1, 4],
            leading_dims=tf.constant([], tf.int64),
            element_dtype=tf.float32,
        )[0],
        "whole": stack(rows),
        "row": raw.TensorListGetItem(input_handle=rows, index=2, **told),
        "placed": stack(
            raw.TensorListScatterV2(tensor=x, indices=[3, 0, 2], element_shape=[4], num_elements=5)
        ),
        "placed_into": stack(
            raw.TensorListScatterIntoExistingList(input_handle=other, tensor=x[:2], indices=[0, 3])
        ),
    }


@pytest.mark.parametrize(
    "key",
    [
        *("fork", "ends", "gathered", "length", "resized", "cut", "joined", "whole", "row"),
        *("placed", "placed_into"),
    ],
)
def test_lists_of_known_contents_are_gone(
    key: str, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow
    model = traced(lambda x: _lists(tf, x)[key], tf.TensorSpec([3, 4]))
    resolved(model)
    assert not [op for op in ops(model) if "List" in op]
    (answers,) = run(model, tmp_path / "model", tfjs_runtime, [_X])
    assert_same(answers, tf.nest.flatten(_lists(tf, tf.constant(_X))[key]))


def test_an_item_of_an_index_that_is_fed_is_gathered(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow
    raw = tf.raw_ops

    def build(x: Any, i: Any) -> Any:
        rows = raw.TensorListFromTensor(tensor=x, element_shape=[4])
        rows = raw.TensorListSetItem(input_handle=rows, index=1, item=x[1] * 2.0)
        told = {**_ROW, "element_dtype": tf.float32}
        return raw.TensorListGetItem(input_handle=rows, index=i, **told)

    model = traced(build, tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.int32))
    resolved(model)
    assert not [op for op in ops(model) if "List" in op]
    calls = [[_X, np.array(index, np.int32)] for index in range(3)]
    found = run(model, tmp_path / "model", tfjs_runtime, *calls)
    for index, answers in enumerate(found):
        assert_same(answers, [_X[index] * (2.0 if index == 1 else 1.0)])


def test_the_whole_of_a_tensor_is_that_tensor(tensorflow: ModuleType) -> None:
    tf = tensorflow
    model = traced(lambda x: _lists(tf, x)["whole"] + 1.0, tf.TensorSpec([3, 4]))
    resolved(model)
    assert sorted(ops(model)) == ["AddV2", "Const", "Placeholder"]


def test_a_list_of_unknown_length_stays(tensorflow: ModuleType) -> None:
    tf = tensorflow

    def build(x: Any) -> Any:
        rows = tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=[4])
        rows = tf.raw_ops.TensorListSetItem(input_handle=rows, index=0, item=x[1])
        told = {**_ROW, "element_dtype": tf.float32}
        return tf.raw_ops.TensorListStack(input_handle=rows, num_elements=-1, **told)

    model = traced(build, tf.TensorSpec([None, 4]))
    assert dissolve_lists(model.graph) == 0
    assert ops(model)["TensorListStack"] == 1


def test_items_that_do_not_fit_together_are_refused(tensorflow: ModuleType) -> None:
    tf = tensorflow
    raw = tf.raw_ops

    def build(x: Any) -> Any:
        told = {"element_shape": -1, "element_dtype": tf.float32}
        items = raw.TensorListReserve(num_elements=2, **told)
        items = raw.TensorListSetItem(input_handle=items, index=0, item=x)
        items = raw.TensorListSetItem(input_handle=items, index=1, item=x[0])
        return raw.TensorListStack(input_handle=items, num_elements=-1, **told)

    model = traced(build, tf.TensorSpec([3, 4]))
    with pytest.raises(CorruptFileError, match="TensorListStack"):
        resolved(model)
