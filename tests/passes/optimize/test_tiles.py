"""Tiles become resizes in another shape."""

from __future__ import annotations

from collections import Counter
from types import ModuleType

import numpy as np
import pytest

from tests.passes.optimize.checks import answers, left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tests.support.graph_roundtrip import Converted
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.ir.text import graph_text
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.tiles import RULES

TILE = "{T: float32, Tmultiples: int32}"
MADE = ["Reshape", "ResizeNearestNeighbor", "Reshape"]


def tiled(shape: str, counts: str) -> str:
    rank = len(shape.split(","))
    return f"x: float32[{shape}]\nm: int32[{rank}] = {counts}\ny = Tile(x, m) {TILE}"


def stays(text: str) -> None:
    left_alone(short(text), RULES.all)


@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        ("4, 128", "8, 1"),
        ("4, 128, ?", "8, 1, 1"),
        ("8, 1, 64", "1, 16, 1"),
        ("8, 2, 64", "1, 16, 1"),
        ("?, 1, 8, 16", "1, 16, 1, 1"),
        ("?, 8, 1, 16", "1, 1, 16, 1"),
        ("?, 1, 1, 16", "1, 7, 16, 1"),
        ("?, 2, 1, 16", "1, 1, 100, 1"),
        ("2, 4, 8, 16", "3, 1, 1, 1"),
        ("?, 4, 8, 16", "1, 1, 2, 1"),
        ("3, 4, 8, ?", "1, 50, 1, 1"),
        ("1, 4", "2000, 1"),
    ],
)
def test_tiles(shape: str, counts: str) -> None:
    text = short(tiled(shape, counts))
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == MADE
    assert hits == {"recognise/tile": 1}
    before = parsed(text)
    assert parsed(after).outputs[0].type == before.outputs[0].type
    sizes = [2 if size is None else size for size in before.inputs[0].output.shape or ()]
    numbers = np.arange(np.prod(sizes), dtype=np.float32)
    numbers[:1] = np.nan
    feeds = {"x": numbers.reshape(sizes)}
    (one,), (two,) = answers(before, feeds), answers(parsed(after), feeds)
    np.testing.assert_array_equal(one, two)


def test_spread() -> None:
    text = """
        x: float32[2, 1, 8, 4]
        s: int32[4] = 2, 20, 8, 4
        y = BroadcastTo(x, s) {T: float32, Tidx: int32}
    """
    after, hits = rewritten(short(text), RULES.all)
    assert (ops_of(after), hits) == (MADE, {"recognise/tile": 1})
    stays(text.replace("2, 1, 8, 4", "?, 1, 8, 4"))
    stays(text.replace("x: float32[2, 1, 8, 4]", "x: float32[1, 8, 4]"))


def test_what_stays() -> None:
    stays(tiled("4, 64", "2, 1"))  # few
    stays(tiled("4, 128", "1, 8"))  # the last axis
    stays(tiled("128", "8"))
    stays(tiled("?, 1, 1, 16", "1, 7, 16, 2"))
    stays(tiled("2, 4, 8, 16", "1, 2, 4, 1"))  # neither has one element
    stays(tiled("2, 1, 1, 1, 16", "1, 4, 4, 4, 1"))
    stays(tiled("4, 128", "1, 1"))
    stays(tiled("3, 128", "8, 1"))  # rows that do not lie in pairs
    stays(tiled("2, 4, 3, 16", "3, 1, 1, 1"))
    stays(tiled("2, 3, 1, 16", "1, 7, 16, 1"))
    stays(tiled("?, ?, 2, 128", "1, 1, 100, 1"))
    stays(tiled("?, 1, ?, 128", "1, 100, 1, 1"))
    stays(tiled("0, 1, 128", "1, 100, 1"))
    stays(tiled("4, 128", "8, 1").replace("float32", "int32"))
    stays(tiled("*", "8, 1").replace("int32[1]", "int32[2]"))
    stays(tiled("4, 128", "8, 1").replace("m: int32[2] = 8, 1", "m: int32[2]"))


def test_a_shared_value_is_only_read() -> None:
    text = tiled("4, 128", "8, 1") + "\nz = Neg(x) {T: float32}\noutputs y, z"
    after, hits = rewritten(short(text), RULES.all)
    assert hits == {"recognise/tile": 1}
    assert sorted(ops_of(after)) == sorted(["Neg", *MADE])


@pytest.mark.parametrize(
    ("shape", "counts"), [((None, 1, 8), [1, 200, 1]), ((2, 1, 1, 16), [1, 8, 6, 1])]
)
def test_as_tensorflow_has_it(
    tensorflow: ModuleType,
    tfjs_runtime: TfjsRuntime,
    shape: tuple[int | None, ...],
    counts: list[int],
) -> None:
    spec = tensorflow.TensorSpec(shape, tensorflow.float32)
    converted = Converted(tensorflow, lambda x: tensorflow.tile(x, counts), [spec])
    apply(converted.model.graph, RULES.all, Counter())
    assert ops_of(graph_text(converted.model.graph)) == MADE
    sizes = [3 if size is None else size for size in shape]
    x = np.arange(np.prod(sizes), dtype=np.float32).reshape(sizes)
    (wanted,) = converted.tensorflow(x)
    for backend in ("cpu", "wasm"):
        (given,) = converted.tfjs(tfjs_runtime, x, backend=backend)
        np.testing.assert_array_equal(given, wanted)
