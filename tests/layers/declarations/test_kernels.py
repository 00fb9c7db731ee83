from __future__ import annotations

import numpy as np
import pytest

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Weight
from tfjs.ir.tensor import ArrayTensor, SpanTensor
from tfjs.layers.declarations import kernels


def kernel(*shape: int) -> Weight:
    values = np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return Weight("kernel", ArrayTensor(values))


def test_spread() -> None:
    found = kernels.spread(kernel(3, 1, 1), [2], [1])
    assert found.tensor.shape == (6, 1, 1)
    assert found.tensor.array().ravel().tolist() == [1, 0, 2, 0, 3, 0]


def test_spread_over_two_axes_leaves_the_channels_alone() -> None:
    found = kernels.spread(kernel(2, 2, 1, 2), [2, 1], [0, 1]).tensor.array()
    assert found.shape == (3, 3, 1, 2)
    np.testing.assert_array_equal(found[0, 0, 0], [1, 2])
    np.testing.assert_array_equal(found[2, 1, 0], [7, 8])
    assert not found[1].any()
    assert not found[:, 2].any()


def test_ungrouped_is_block_diagonal() -> None:
    found = kernels.ungrouped(kernel(1, 2, 4), 2).tensor.array()
    expected = [[[1, 2, 0, 0], [5, 6, 0, 0], [0, 0, 3, 4], [0, 0, 7, 8]]]
    np.testing.assert_array_equal(found, expected)


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    broken = Weight("kernel", SpanTensor("float32", (0, 1), []))
    assert kernels.reshaped(broken, (1, 0)).tensor.shape == (1, 0)


def test_what_fits() -> None:
    assert kernels.fits((1024, 1024, 4))
    assert not kernels.fits((1024, 1024, 4, 2))


def test_check_passes_over_what_is_unknown() -> None:
    kernels.check(kernel(3, 2), (3, None), "here")


@pytest.mark.parametrize("shape", [(3, 3), (3,), (3, 2, 1)])
def test_check_finds_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(CorruptFileError, match=r"kernel has the shape \[3, 2\]") as caught:
        kernels.check(kernel(3, 2), shape, "here")
    assert "here" in str(caught.value)
