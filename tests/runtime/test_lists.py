"""Lists are values in TensorFlow: each that was made stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.runtime.lists import MOST_ITEMS, TensorList, list_kernels

_KERNELS = list_kernels(as_tfjs=False)


def _number(value: int) -> Any:
    return np.array(value, np.int32)


def _new() -> TensorList:
    return TensorList([], "int32", ())


_CHANGE = st.tuples(st.sampled_from(["push", "pop", "set", "grow"]), st.integers(0, 9))


@given(st.lists(st.tuples(st.integers(0, 30), _CHANGE), max_size=30), st.randoms())
def test_every_list_holds_what_it_held_when_it_was_made(changes: Any, order: Any) -> None:
    lists: list[TensorList] = [_new()]
    wanted: list[list[int]] = [[]]
    for count, (which, (what, place)) in enumerate(changes):
        at = which % len(lists)
        items, held = lists[at], wanted[at]
        value = _number(count)
        if what == "push":
            made, now = _KERNELS["TensorListPushBack"]({}, items, value), [*held, count]
        elif what == "pop" and held:
            made, _ = _KERNELS["TensorListPopBack"]({}, items, _number(-1))
            now = held[:-1]
        elif what == "set" and held:
            place %= len(held)
            made = _KERNELS["TensorListSetItem"]({}, items, _number(place), value)
            now = [*held[:place], count, *held[place + 1 :]]
        elif what == "grow":
            attrs = {"resize_if_index_out_of_bounds": True}
            made = _KERNELS["TensorListSetItem"](attrs, items, _number(place), value)
            now = [*held, *[0] * (place + 1 - len(held))]
            now[place] = count
        else:
            continue
        lists.append(made)
        wanted.append(now)
    pairs = list(zip(lists, wanted, strict=True))
    order.shuffle(pairs)
    for items, held in pairs:
        stacked = _KERNELS["TensorListStack"]({}, items, np.zeros(0, np.int32))
        assert stacked.tolist() == held


@pytest.mark.parametrize("op", ["TensorListSetItem", "TensorListPushBack"])
def test_a_list_is_written_without_copies(op: str) -> None:
    items = _KERNELS["TensorListReserve"](
        {"element_dtype": "int32"}, np.zeros(0, np.int32), _number(3)
    )
    held = items.items()
    for index in range(3):
        place = (_number(index),) if op == "TensorListSetItem" else ()
        items = _KERNELS[op]({}, items, *place, _number(index))
        assert items.items() is held
    assert items.items()[-1] == 2


def test_sizes_beyond_reason_are_refused_before_they_are_made() -> None:
    shape = np.zeros(0, np.int32)
    attrs = {"element_dtype": "float32"}
    for size in (MOST_ITEMS + 1, (1 << 31) - 1, -1):
        for as_tfjs in (True, False):
            kernels = list_kernels(as_tfjs=as_tfjs)
            with pytest.raises(ValueError, match="a list of"):
                kernels["TensorListResize"]({}, _new(), _number(size))
        with pytest.raises(ValueError, match="a list of"):
            _KERNELS["TensorListReserve"](attrs, shape, _number(size))
    tfjs = list_kernels(as_tfjs=True)
    items = tfjs["TensorListReserve"](attrs, shape, _number(2))
    with pytest.raises(ValueError, match="a list of"):
        tfjs["TensorListSetItem"]({}, items, _number(1 << 30), np.float32(1).reshape(()))
