from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, Converted, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
ROWS = {
    "numbers": floats(7),
    "rows": floats(7, 3),
    "planes": floats(7, 2, 3),
    "integers": integers(-9, 9, 7, 3),
}
SORTED = np.array([0, 0, 2, 2, 2, 5, 5], np.int32)
# A negative one belongs to no segment.
UNSORTED = np.array([3, 0, -1, 2, 0, 3, 1], np.int32)
PICKED = np.array([0, 3, 1, 6, 6, 2, 0], np.int32)
PLACES = np.array([[0], [3], [5]], np.int32)
TWICE = np.array([[0], [3], [3]], np.int32)


def _rule(op: str) -> str:
    return f"{'sums' if op in ('sum', 'mean') else 'extremes'}_of_"


CASES = {
    **{
        f"sorted {op} of {kind}, free {free}": Case(
            lambda tf, x, ids, op=op: getattr(tf.math, f"segment_{op}")(x, ids),
            data,
            SORTED,
            free=[[None, *data.shape[1:]], [None]] if free else None,
            rule=f"{_rule(op)}sorted_segments",
            **CLOSE,
        )
        for op in ("sum", "mean", "max", "min", "prod")
        for kind, data in ROWS.items()
        for free in (False, True)
        if (op, kind) != ("mean", "integers")
    },
    **{
        f"unsorted {op} of {kind}, free {free}": Case(
            lambda tf, x, ids, count, op=op: getattr(tf.math, f"unsorted_segment_{op}")(
                x, ids, count
            ),
            data,
            UNSORTED,
            np.int32(5),
            free=[[None, *data.shape[1:]], [None], []] if free else None,
            rule=f"{_rule(op)}segments",
            **CLOSE,
        )
        for op in ("sum", "max", "min", "prod")
        for kind, data in ROWS.items()
        for free in (False, True)
    },
    "sorted by constant segments": Case(
        lambda tf, x: tf.math.segment_mean(x, SORTED), ROWS["rows"], **CLOSE
    ),
    "unsorted by constant segments": Case(
        lambda tf, x: tf.math.unsorted_segment_sum(x, np.maximum(UNSORTED, 0), 5),
        ROWS["rows"],
        **CLOSE,
    ),
    "by segments of two axes": Case(
        lambda tf, x, ids: tf.math.unsorted_segment_sum(x, ids, 4),
        floats(2, 3, 2),
        integers(0, 4, 2, 3),
        **CLOSE,
    ),
    "looked up, over roots": Case(
        lambda tf, x: tf.sparse.segment_sqrt_n(x, PICKED, SORTED),
        ROWS["rows"],
        rule="sums_over_roots",
        **CLOSE,
    ),
    **{
        f"looked up {op} of a number of segments": Case(
            lambda tf, x, op=op: getattr(tf.sparse, op)(x, PICKED, SORTED, num_segments=8),
            ROWS["rows"],
            rule="sums_of_looked_up_rows",
            **CLOSE,
        )
        for op in ("segment_sum", "segment_mean")
    },
    **{
        f"{op} at places": Case(
            lambda tf, x, places, new, op=op: getattr(tf, op)(x, places, new),
            ROWS["rows"],
            TWICE,
            floats(3, 3),
            free=[[None, 3], [None, 1], [None, 3]],
            rule="added_at_places",
            **CLOSE,
        )
        for op in ("tensor_scatter_nd_add", "tensor_scatter_nd_sub")
    },
    **{
        f"{op} at places": Case(
            lambda tf, x, new, op=op: getattr(tf, op)(x, PLACES, new),
            ROWS["rows"],
            floats(3, 3),
            rule="extremes_at_places",
        )
        for op in ("tensor_scatter_nd_max", "tensor_scatter_nd_min")
    },
    "stitched": Case(
        lambda tf, x, y: tf.dynamic_stitch(
            [np.array([0, 2], np.int32), np.array([[1, 3], [4, 0]], np.int32)], [x, y]
        ),
        floats(2, 3),
        floats(2, 2, 3),
        rule="stitched",
    ),
    "partitions": Case(
        lambda tf, x, ids: tuple(tf.dynamic_partition(x, ids, 3)),
        ROWS["rows"],
        np.array([0, 2, 1, 0, 2, 2, 2], np.int32),
        rule="partitions",
        dynamic=True,
    ),
}


def test_places_that_may_come_twice_have_no_maximum(tensorflow: ModuleType) -> None:
    tf = tensorflow
    with pytest.raises(UnsupportedError, match="may come twice"):
        Converted(tf, tf.tensor_scatter_nd_max, [ROWS["rows"], PLACES, floats(3, 3)])
    with pytest.raises(UnsupportedError, match="a place twice"):
        Converted(tf, lambda x: tf.tensor_scatter_nd_max(x, TWICE, floats(3, 3)), [ROWS["rows"]])


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
