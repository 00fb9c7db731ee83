"""Random numbers: their shape, dtype and distribution, and that a seed repeats them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Graph, GraphModel, Signature
from tfjs.ops.build import Builder
from tfjs.runtime.engine import Runner
from tfjs.runtime.modes import Precision

_COUNT = 20_000
_SHAPE = np.array([100, 200], np.int32)
_FLOAT: dict[str, Any] = {"dtype": "float32", "T": "int32"}


def _runner(op: str, *inputs: Any, precision: Precision = "float32", **attrs: Any) -> Runner:
    graph = Graph()
    graph.outputs = [Builder(graph, "b", ()).op(op, *inputs, attrs=attrs)]
    graph.output_names = ["out"]
    return Runner(GraphModel(graph, Signature([], ["out"])), dtype=precision)


def _normal_between(low: float, high: float) -> float:
    """The share of normal numbers in a range, from a hundred thousand of NumPy's."""
    drawn = np.random.default_rng(1).standard_normal(100_000)
    return float(np.mean((drawn > low) & (drawn < high)))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_distributions(precision: Precision) -> None:
    (uniform,) = _runner("RandomUniform", _SHAPE, precision=precision, **_FLOAT).run({})
    (normal,) = _runner("RandomStandardNormal", _SHAPE, precision=precision, **_FLOAT).run({})
    (cut,) = _runner("TruncatedNormal", _SHAPE, precision=precision, **_FLOAT).run({})
    for found in (uniform, normal, cut):
        assert found.shape == (100, 200)
        assert found.dtype == precision
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.02
    assert abs(normal.mean()) < 0.05
    assert abs(normal.std() - 1) < 0.05
    assert np.abs(cut).max() <= 2
    inner = _normal_between(-1, 1) / _normal_between(-2, 2)
    assert abs(float(np.mean(np.abs(cut) < 1)) - inner) < 0.03


def test_integers_have_the_bounds_that_tfjs_reads() -> None:
    attrs: dict[str, Any] = {"Tout": "int32", "T": "int32"}
    bounds = np.array(3, np.int32), np.array(9, np.int32)
    (found,) = _runner("RandomUniformInt", _SHAPE, *bounds, minval=-2, maxval=2, **attrs).run({})
    assert sorted(set(found.reshape(-1).tolist())) == [-2, -1, 0, 1]
    # It finds none among the attributes as TensorFlow writes them.
    (found,) = _runner("RandomUniformInt", _SHAPE, *bounds, **attrs).run({})
    assert not found.any()


def test_classes_come_as_often_as_their_logits_say() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.0001, 0.0001, 0.9998]], np.float32))
    runner = _runner("Multinomial", logits, np.array(2000, np.int32), output_dtype="int32")
    (found,) = runner.run({})
    assert found.shape == (2, 2000)
    assert found.dtype == np.int32
    shares = np.bincount(found[0], minlength=3) / 2000
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.05)
    assert (found[1] == 2).mean() > 0.99


def test_a_seed_gives_the_same_numbers_each_time() -> None:
    for op in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal"):
        seeded = _runner(op, _SHAPE, seed=7, **_FLOAT)
        (one,), (other,) = seeded.run({}), seeded.run({})
        np.testing.assert_array_equal(one, other)
        assert (one != _runner(op, _SHAPE, seed=8, **_FLOAT).run({})[0]).any()
        free = _runner(op, _SHAPE, **_FLOAT)
        assert (free.run({})[0] != free.run({})[0]).any()


def test_more_numbers_than_memory_holds() -> None:
    with pytest.raises(CorruptFileError, match="random numbers of shape"):
        _runner("RandomUniform", np.array([1 << 20, 1 << 20], np.int32), **_FLOAT).run({})
