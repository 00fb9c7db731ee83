"""Sizes that are known though the whole shape is not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.control.graphs import traced
from tfjs.ir.graph import constant_of
from tfjs.passes.control.sizes import fold_known_sizes


@pytest.mark.parametrize(
    ("pick", "wanted"),
    [
        (lambda tf, shape: shape[1], 7),
        (lambda tf, shape: shape[-1], 3),
        (lambda tf, shape: shape[1:], [7, 3]),
        (lambda tf, shape: tf.gather(shape, [2, 1]), [3, 7]),
        (lambda tf, shape: tf.slice(shape, [2], [1]), [3]),
    ],
)
def test_a_known_size_is_a_constant(pick: Any, wanted: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow
    model = traced(lambda x: pick(tf, tf.shape(x)), tf.TensorSpec([None, 7, 3]))
    assert fold_known_sizes(model.graph) == 1
    tensor = constant_of(model.graph.outputs[0])
    assert tensor is not None
    np.testing.assert_array_equal(tensor.array(), wanted)
    assert tensor.dtype == "int32"


@pytest.mark.parametrize("pick", [lambda shape: shape[0], lambda shape: shape[:2]])
def test_a_free_size_is_none(pick: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow
    model = traced(lambda x: pick(tf.shape(x)), tf.TensorSpec([None, 7, 3]))
    assert fold_known_sizes(model.graph) == 0
