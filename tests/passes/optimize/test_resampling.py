"""Pixels that are repeated in steps become one operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.optimize.checks import answers, left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import RESHAPE, F
from tests.support.browser import Browser
from tests.support.graph_roundtrip import Converted
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import GraphModel, Signature
from tfjs.ir.text import graph_text
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.resampling import RULES
from tfjs.passes.optimize.tidy import RULES as TIDY

IMAGE = "x: float32[?, 3, 2, 4]"
TILE = "{T: float32, Tmultiples: int32}"
EXPAND = "{T: float32, Tdim: int32}"
SPREAD = "{T: float32, Tidx: int32}"
GATHER = "{Tparams: float32, Tindices: int32, Taxis: int32, batch_dims: 0}"
RESIZE = "{T: float32, align_corners: false, half_pixel_centers: true}"
RULE = "recognise/upsampling"


def check(text: str, *wanted: int, count: int = 1) -> str:
    """Apply the rule; the graph becomes one resize to a size, with the same answers to the bit."""
    text = short(text)
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == ["ResizeNearestNeighbor"]
    assert hits == {RULE: count}
    assert "align_corners: false, half_pixel_centers: true" in after
    made = parsed(after).outputs[0].node
    assert made.inputs[1].node.attrs["value"].array().tolist() == list(wanted)
    same(text, after)
    return after


def same(before: str, after: str) -> None:
    """All answers are the same numbers, NaN and infinities too."""
    graph = parsed(before)
    rng = np.random.default_rng(2)
    feeds = {}
    for node in graph.inputs:
        shape = [2 if size is None else size for size in node.output.shape or ()]
        numbers = rng.permutation(int(np.prod(shape))).astype(node.output.dtype)
        if numbers.dtype.kind == "f" and numbers.size > 4:
            numbers[[1, 3]] = np.nan, np.inf
        feeds[node.name] = numbers.reshape(shape)
    for one, two in zip(answers(graph, feeds), answers(parsed(after), feeds), strict=True):
        np.testing.assert_array_equal(one, two)


def stays(text: str) -> None:
    left_alone(short(text), RULES.all)


KERAS = f"""
    {IMAGE}
    d: int32[] = 2
    m: int32[5] = 1, 1, 2, 1, 1
    n: int32[5] = 1, 1, 1, 3, 1
    s: int32[5] = -1, 6, 2, 1, 4
    r: int32[4] = -1, 6, 6, 4
    a = ExpandDims(x, d) {EXPAND}
    b = Tile(a, m) {TILE}
    c = Reshape(b, s) {RESHAPE}
    e = Tile(c, n) {TILE}
    y = Reshape(e, r) {RESHAPE}
"""


def test_keras() -> None:
    """`UpSampling2D` of Keras 3, whose two reshapes between the axes are one already."""
    after = check(KERAS, 6, 6)
    assert "-> float32[?, 6, 6, 4]" in after
    # The third axis is repeated, and the second not: that is no image.
    stays(KERAS.replace("d: int32[] = 2", "d: int32[] = 1"))


def test_one_axis_and_then_the_other() -> None:
    """`tf.repeat` twice: two resizes on the way."""
    text = f"""
        {IMAGE}
        d: int32[] = 2
        k: int32[] = 3
        m: int32[5] = 1, 1, 2, 1, 1
        n: int32[5] = 1, 1, 1, 3, 1
        s: int32[4] = -1, 6, 2, 4
        r: int32[4] = -1, 6, 6, 4
        a = ExpandDims(x, d) {EXPAND}
        b = Tile(a, m) {TILE}
        c = Reshape(b, s) {RESHAPE}
        e = ExpandDims(c, k) {EXPAND}
        f = Tile(e, n) {TILE}
        y = Reshape(f, r) {RESHAPE}
    """
    check(text, 6, 6, count=2)
    after, _ = rewritten(short(f"{text}\noutputs y, c"), RULES.all)
    assert ops_of(after) == ["ResizeNearestNeighbor", "ResizeNearestNeighbor"]


def test_both_axes_at_once() -> None:
    text = f"""
        {IMAGE}
        s: int32[6] = -1, 3, 1, 2, 1, 4
        m: int32[6] = 1, 1, 4, 1, 2, 1
        r: int32[4] = -1, 12, 4, 4
        a = Reshape(x, s) {RESHAPE}
        b = Tile(a, m) {TILE}
        y = Reshape(b, r) {RESHAPE}
    """
    check(text, 12, 4)
    # Repeated as a whole, and not each pixel.
    stays(text.replace("s: int32[6] = -1, 3, 1, 2, 1, 4", "s: int32[6] = -1, 1, 3, 2, 1, 4"))
    stays(text.replace("s: int32[6] = -1, 3, 1, 2, 1, 4", "s: int32[6] = -1, 3, 1, 1, 2, 4"))
    # Channels, and the batch, are repeated.
    stays(text.replace("1, 1, 4, 1, 2, 1", "1, 1, 4, 1, 1, 2").replace("12, 4, 4", "12, 2, 8"))
    stays(text.replace("1, 1, 4, 1, 2, 1", "2, 1, 4, 1, 1, 1").replace("12, 4, 4", "12, 2, 4"))
    # In another order than that of the image.
    stays(text.replace("-1, 12, 4, 4", "-1, 4, 12, 4"))


def test_broadcast() -> None:
    text = f"""
        x: float32[2, 3, 2, 4]
        s: int32[6] = 2, 3, 1, 2, 1, 4
        m: int32[6] = 2, 3, 5, 2, 2, 4
        r: int32[4] = 2, 15, 4, 4
        a = Reshape(x, s) {RESHAPE}
        b = BroadcastTo(a, m) {SPREAD}
        y = Reshape(b, r) {RESHAPE}
    """
    check(text, 15, 4)
    # Of a batch that is free it is not known whether it is spread.
    text = f"""
        x: float32[?, 1, 2, 4]
        z: float32[?, 5, 2, 4]
        s = Shape(z) {{T: float32, out_type: int32}}
        y = BroadcastTo(x, s) {SPREAD}
    """
    stays(text)
    known = text.replace("?", "2")
    after, hits = rewritten(short(known), RULES.all)
    assert hits == {RULE: 1}
    assert "ResizeNearestNeighbor" in ops_of(after)


def test_one_pixel() -> None:
    text = f"x: float32[?, 1, 1, 4]\nm: int32[4] = 1, 3, 5, 1\ny = Tile(x, m) {TILE}"
    check(text, 3, 5)
    stays(text.replace("1, 1, 4]", "1, 2, 4]"))
    stays(text.replace("1, 3, 5, 1", "2, 3, 5, 1"))


@pytest.mark.parametrize("split", ["Split(i, x)", "SplitV(x, n, i)"])
def test_parts_of_one_each(split: str) -> None:
    """`repeat_elements` of Keras 2."""
    text = f"""
        {IMAGE}
        i: int32[] = 1
        j: int32[] = -3
        n: int32[3] = 1, 1, 1
        s = {split} {{T: float32, Tlen: int32, num_split: 3}} -> 3
        y = ConcatV2(s, s, s:1, s:1, s:2, s:2, j) {{T: float32, N: 6, Tidx: int32}}
    """
    check(text, 6, 2)
    stays(text.replace("s, s, s:1, s:1, s:2, s:2", "s, s:1, s:2, s, s:1, s:2"))
    stays(text.replace("s, s, s:1, s:1, s:2, s:2", "s, s, s:1, s:1, s:1, s:2"))
    stays(text.replace("= -3", "= 2"))
    stays(f"{text}\nz = Neg(s:1) {F}\noutputs y, z")
    stays(f"{text}\noutputs y, s:1")


def test_parts_of_several() -> None:
    text = f"""
        {IMAGE}
        i: int32[] = 3
        s = Split(i, x) {{T: float32, num_split: 2}} -> 2
        y = ConcatV2(s, s, s:1, s:1, i) {{T: float32, N: 4, Tidx: int32}}
    """
    stays(text)
    stays(text.replace("i: int32[] = 3", "i: int32[] = 1").replace("[?, 3, ", "[?, 4, "))


def test_both_axes_of_parts() -> None:
    text = f"""
        {IMAGE}
        i: int32[] = 1
        j: int32[] = 2
        s = Split(i, x) {{T: float32, num_split: 3}} -> 3
        a = ConcatV2(s, s, s:1, s:1, s:2, s:2, i) {{T: float32, N: 6, Tidx: int32}}
        t = Split(j, a) {{T: float32, num_split: 2}} -> 2
        y = ConcatV2(t, t, t:1, t:1, j) {{T: float32, N: 4, Tidx: int32}}
    """
    check(text, 6, 4, count=2)


def test_packed_with_itself() -> None:
    """`nearest_neighbor_upsampling` of the object detection models."""
    text = f"""
        {IMAGE}
        r: int32[4] = -1, 6, 4, 4
        a = Pack(x, x) {{T: float32, N: 2, axis: 3}}
        b = Pack(a, a) {{T: float32, N: 2, axis: 2}}
        y = Reshape(b, r) {RESHAPE}
    """
    check(text, 6, 4)
    other = text.replace("Pack(x, x)", "Pack(x, n)")
    stays(other.replace("a = Pack", f"n = Neg(x) {F}\na = Pack"))
    stays(text.replace("axis: 3", "axis: 0"))
    stays(text.replace("axis: 2", "axis: 1"))
    stays(f"{text}\noutputs y, a")


def test_joined_with_itself() -> None:
    """Channels beside their copies are columns, in another shape."""
    text = f"""
        {IMAGE}
        i: int32[] = -1
        r: int32[4] = -1, 3, 4, 4
        a = ConcatV2(x, x, i) {{T: float32, N: 2, Tidx: int32}}
        y = Reshape(a, r) {RESHAPE}
    """
    check(text, 3, 4)
    stays(text.replace("-1, 3, 4, 4", "-1, 6, 2, 4"))
    stays(text.replace("= -1\n", "= 2\n"))
    # Rows beside themselves are two copies, which is faster.
    rows = text.replace("x, x, i", "b, b, i").replace("= -1\n", "= 2\n")
    rows = rows.replace(
        "a = Con", f"t: int32[4] = -1, 3, 1, 8\nb = Reshape(x, t) {RESHAPE}\na = Con"
    )
    stays(rows.replace("-1, 3, 4, 4", "-1, 6, 2, 4"))


def test_gathered() -> None:
    text = f"""
        {IMAGE}
        a: int32[] = 1
        b: int32[] = -2
        i: int32[6] = 0, 0, 1, 1, 2, 2
        j: int32[4] = 0, 0, 1, 1
        g = GatherV2(x, i, a) {GATHER}
        y = GatherV2(g, j, b) {GATHER}
    """
    check(text, 6, 4, count=2)
    one = "\n".join(line for line in text.splitlines() if " y = " not in line).replace(
        " g = ", " y = "
    )
    check(one, 6, 2)
    stays(one.replace("0, 0, 1, 1, 2, 2", "0, 1, 2, 0, 1, 2"))
    stays(one.replace("0, 0, 1, 1, 2, 2", "0, 0, 1, 1, 2, 1"))
    stays(one.replace("0, 0, 1, 1, 2, 2", "2, 2, 1, 1, 0, 0"))
    stays(one.replace("i: int32[6] = 0, 0, 1, 1, 2, 2", "i: int32[1, 3] = 0, 1, 2"))


def test_two_resizes() -> None:
    text = f"""
        {IMAGE}
        s: int32[2] = 6, 2
        t: int32[2] = 6, 6
        a = ResizeNearestNeighbor(x, s) {RESIZE}
        y = ResizeNearestNeighbor(a, t) {RESIZE}
    """
    check(text, 6, 6)
    stays(text.replace("s: int32[2] = 6, 2", "s: int32[2] = 5, 2"))
    stays(text.replace("s: int32[2] = 6, 2", "s: int32[2] = 2, 2"))
    stays(f"{text}\noutputs y, a")
    # From the corners thirds may be rounded to the pixel before, halves never.
    corner = text.replace("half_pixel_centers: true", "half_pixel_centers: false")
    stays(corner)
    check(corner.replace("= 6, 6", "= 12, 4"), 12, 4)
    stays(corner.replace("= 6, 6", "= 12, 4").replace("align_corners: f", "align_corners: tru"))


@pytest.mark.parametrize("name", ["a", "b", "c", "e"])
def test_values_that_are_outputs_stay(name: str) -> None:
    after = short(f"{KERAS}\noutputs y, {name}")
    graph = parsed(rewritten(after, RULES.all)[0])
    assert graph.output_names == ["y", name]
    assert graph.outputs[1].node.op != "ResizeNearestNeighbor"


def test_values_that_are_read_stay() -> None:
    # The image itself may be read by others; what stands between may not.
    text = f"{KERAS}\nz = Neg(%s) {F}\noutputs y, z"
    assert "Resize" in rewritten(short(text % "x"), RULES.all)[0]
    for name in ("b", "c", "e"):
        stays(text % name)


def test_other_types() -> None:
    ints = KERAS.replace("float32", "int32")
    stays(ints)
    stays(KERAS.replace("?, 3, 2, 4", "?, ?, 2, 4"))
    stays(KERAS.replace("?, 3, 2, 4", "*"))
    # Channels first.
    stays(
        f"""
        x: float32[2, 4, 3, 2]
        s: int32[6] = 2, 4, 3, 1, 2, 1
        m: int32[6] = 1, 1, 1, 2, 1, 2
        r: int32[4] = 2, 4, 6, 4
        a = Reshape(x, s) {RESHAPE}
        b = Tile(a, m) {TILE}
        y = Reshape(b, r) {RESHAPE}
        """
    )


def test_free_channels() -> None:
    text = f"""
        x: float32[1, 3, 2, ?]
        m: int32[6] = 1, 1, 2, 1, 2, 1
        s: int32[6] = 1, 3, 1, 2, 1, -1
        r: int32[4] = 1, 6, 4, -1
        a = Reshape(x, s) {RESHAPE}
        b = Tile(a, m) {TILE}
        y = Reshape(b, r) {RESHAPE}
    """
    check(text, 6, 4)


def test_long_chains_are_looked_at_from_the_end() -> None:
    lines = [IMAGE, "m: int32[4] = 1, 1, 1, 1"]
    lines += [f"t{at} = Tile({f't{at - 1}' if at else 'x'}, m) {TILE}" for at in range(40)]
    stays("\n".join([*lines, "outputs t39"]))


def test_no_elements() -> None:
    stays(KERAS.replace("?, 3, 2, 4", "?, 3, 2, 0").replace("2, 1, 4", "2, 1, 0"))


def _repeated(tf: Any, x: Any) -> Any:
    return tf.repeat(tf.repeat(x, 2, axis=1), 3, axis=2)


def _packed(tf: Any, x: Any) -> Any:
    rows = tf.stack([tf.stack([x] * 3, axis=3)] * 2, axis=2)
    return tf.reshape(rows, [-1, 10, 12, 3])


def _split(tf: Any, x: Any) -> Any:
    for axis, factor in ((1, 2), (2, 3)):
        parts = tf.split(x, x.shape[axis], axis)
        x = tf.concat([part for part in parts for _ in range(factor)], axis)
    return x


def _gathered(tf: Any, x: Any) -> Any:
    return tf.gather(tf.gather(x, np.arange(5).repeat(2), axis=1), np.arange(4).repeat(3), axis=2)


@pytest.mark.parametrize("function", [_repeated, _packed, _split, _gathered])
def test_as_tensorflow_has_it(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, function: Callable[..., Any]
) -> None:
    spec = tensorflow.TensorSpec([None, 5, 4, 3], tensorflow.float32)
    converted = Converted(tensorflow, lambda x: function(tensorflow, x), [spec])
    apply(converted.model.graph, TIDY.all, Counter())
    apply(converted.model.graph, RULES.all, Counter())
    assert ops_of(graph_text(converted.model.graph)) == ["ResizeNearestNeighbor"]
    x = np.arange(120, dtype=np.float32).reshape(2, 5, 4, 3)
    (wanted,) = converted.tensorflow(x)
    for backend in ("cpu", "wasm"):
        (given,) = converted.tfjs(tfjs_runtime, x, backend=backend)
        np.testing.assert_array_equal(given, wanted)


@pytest.mark.parametrize("backend", ["webgl", "wasm", "cpu"])
def test_every_pixel_stays_in_its_place(browser: Browser, tmp_path: Path, backend: str) -> None:
    text = f"""
        x: float32[1, 97, 31, 2]
        d: int32[6] = 1, 97, 1, 31, 1, 2
        m: int32[6] = 1, 1, 7, 1, 13, 1
        r: int32[4] = 1, 679, 403, 2
        a = Reshape(x, d) {RESHAPE}
        b = Tile(a, m) {TILE}
        y = Reshape(b, r) {RESHAPE}
    """
    graph = parsed(rewritten(short(text), RULES.all)[0])
    model = GraphModel(graph, Signature(["x"], ["y"]))
    write(model, tmp_path / "model", WriteOptions())
    x = np.arange(97 * 31 * 2, dtype=np.float32).reshape(1, 97, 31, 2)
    (given,) = browser.predict_graph(tmp_path / "model", [x], backend=backend)
    np.testing.assert_array_equal(given, x.repeat(7, 1).repeat(13, 2))
