"""Fast convolutions against ones that add up one place after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfjs.ir.tensor import Array
from tfjs.ops import sliding
from tfjs.ops.sliding import convolved, convolved_each
from tfjs.ops.windows import Window


def _plain(image: Array, filters: Array, moving: list[Window]) -> Array:
    """A convolution in double precision, place by place."""
    taken, made = filters.shape[-2:]
    groups = image.shape[-1] // taken
    sizes = image.shape[1:-1]
    steps = [window.steps(size) or 0 for window, size in zip(moving, sizes, strict=True)]
    result = np.zeros((len(image), *steps, made))
    starts = [window.before(size) for window, size in zip(moving, sizes, strict=True)]
    for place in np.ndindex(*steps):
        for element in np.ndindex(filters.shape[:-2]):
            at = [
                p * window.stride + e * window.dilation - start
                for p, e, window, start in zip(place, element, moving, starts, strict=True)
            ]
            if any(not 0 <= a < size for a, size in zip(at, sizes, strict=True)):
                continue
            seen = image[:, *at].astype(np.float64).reshape(len(image), groups, taken)
            kernel = filters[element].astype(np.float64).reshape(taken, groups, made // groups)
            result[:, *place] += np.einsum("bgi,igo->bgo", seen, kernel).reshape(len(image), made)
    return result


_PADDINGS = st.sampled_from(
    [(b"VALID", 0, 0), (b"SAME", 0, 0), (b"EXPLICIT", 1, 2), (b"EXPLICIT", 3, 0)]
)


@st.composite
def _convolutions(draw: st.DrawFn, *, rank: int) -> tuple[list[int], list[Window]]:
    sizes = [draw(st.integers(1, 9)) for _ in range(rank)]
    padding = draw(_PADDINGS)
    moving = []
    for size in sizes:
        window = Window(
            draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3)), *padding
        )
        if padding[0] != b"SAME" and window.reach > size + padding[1] + padding[2]:
            window = window._replace(size=1)
        moving.append(window)
    return sizes, moving


def _close(ours: Array, theirs: Array) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3).flatmap(lambda rank: _convolutions(rank=rank)),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([(1, 3, 2), (2, 1, 2), (2, 3, 4), (3, 1, 3), (3, 2, 6)]),
)
def test_a_convolution_is_the_sum_over_its_window(
    drawn: tuple[list[int], list[Window]], batch: int, channels: tuple[int, int, int]
) -> None:
    sizes, moving = drawn
    groups, taken, made = channels
    rng = np.random.default_rng(7)
    image = rng.normal(size=(batch, *sizes, groups * taken)).astype(np.float32)
    filters = rng.normal(size=(*(window.size or 0 for window in moving), taken, made))
    filters = filters.astype(np.float32)
    _close(convolved(image, filters, moving), _plain(image, filters, moving))


@settings(max_examples=60, deadline=None)
@given(_convolutions(rank=2), st.sampled_from([0, 1, 3]), st.sampled_from([(1, 1), (3, 1), (2, 3)]))
def test_each_channel_has_filters_of_its_own(
    drawn: tuple[list[int], list[Window]], batch: int, channels: tuple[int, int]
) -> None:
    sizes, moving = drawn
    count, each = channels
    rng = np.random.default_rng(8)
    image = rng.normal(size=(batch, *sizes, count)).astype(np.float32)
    filters = rng.normal(size=(*(window.size or 0 for window in moving), count, each))
    filters = filters.astype(np.float32)
    grouped = filters.reshape(*filters.shape[:2], 1, count * each)
    _close(convolved_each(image, filters, moving), _plain(image, grouped, moving))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [b"SAME", b"VALID"])
def test_blocks_make_no_difference(
    monkeypatch: pytest.MonkeyPatch, stride: int, padding: bytes
) -> None:
    rng = np.random.default_rng(9)
    image = rng.normal(size=(3, 11, 10, 4)).astype(np.float32)
    filters = rng.normal(size=(3, 2, 4, 5)).astype(np.float32)
    each = rng.normal(size=(3, 2, 4, 1)).astype(np.float32)
    moving = [Window(3, stride, 1, padding), Window(2, stride, 1, padding)]
    whole, whole_each = convolved(image, filters, moving), convolved_each(image, each, moving)
    # From single places over parts of a row and some rows to several images at once.
    for patches, tile, run in [(1, 1, 1), (300, 100, 12), (2000, 700, 40), (30_000, 9000, 400)]:
        monkeypatch.setattr(sliding, "_PATCHES", patches)
        monkeypatch.setattr(sliding, "_TILE", tile)
        monkeypatch.setattr(sliding, "_RUN", run)
        _close(convolved(image, filters, moving), whole)
        _close(convolved_each(image, each, moving), whole_each)


@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_dtypes_stay(dtype: str) -> None:
    rng = np.random.default_rng(10)
    image = rng.integers(-9, 9, (2, 5, 6, 4)).astype(dtype)
    filters = rng.integers(-9, 9, (2, 3, 4, 3)).astype(dtype)
    each = rng.integers(-9, 9, (2, 3, 4, 2)).astype(dtype)
    moving = [Window(2), Window(3, padding=b"SAME")]
    for ours, theirs in [
        (convolved(image, filters, moving), _plain(image, filters, moving)),
        (convolved_each(image, each, moving), _plain(image, each.reshape(2, 3, 1, 8), moving)),
    ]:
        assert ours.dtype == dtype
        np.testing.assert_array_equal(ours, theirs)


def test_the_wider_dtype_is_taken() -> None:
    image, filters = np.full((1, 2, 2, 3), 0.1, np.float32), np.full((1, 1, 3, 3), 0.3)
    moving = [Window(1), Window(1)]
    assert convolved(image, filters, moving).dtype == np.float64
    each = convolved_each(image, filters[:, :, :, :1], moving)
    np.testing.assert_array_equal(each, image.astype(np.float64) * 0.3)


def test_the_image_is_not_written_to() -> None:
    image = np.ones((1, 3, 3, 2), np.float32)
    made = convolved(image, np.eye(2, dtype=np.float32).reshape(1, 1, 2, 2), [Window(1)] * 2)
    made[...] = 5
    assert np.all(image == 1)


@pytest.mark.parametrize("shape", [(1, 1, 3, 2), (1, 1, 0, 2), (1, 1, 2, 3)])
def test_channels_that_do_not_go_into_the_filters_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="4 channels do not go into"):
        convolved(np.zeros((1, 3, 3, 4), np.float32), np.zeros(shape, np.float32), [Window(1)] * 2)


def test_a_window_larger_than_the_image_is_refused() -> None:
    image, filters = np.zeros((1, 2, 2, 1), np.float32), np.zeros((4, 1, 1, 1), np.float32)
    with pytest.raises(ValueError, match="a window of 4 is larger than 2"):
        convolved(image, filters, [Window(4), Window(1)])
