"""What quantisation has done to each weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tfjs.formats.base import Content
from tfjs.formats.tensors import tensors_of
from tfjs.ir.tensor import QuantizedTensor, Tensor


@dataclass(frozen=True, slots=True)
class WeightError:
    """How far a quantised weight is from the source's.

    Attributes:
        name: the weight.
        dtype: what it is stored in.
        largest: the largest absolute difference of an element.
        relative: the same over the largest absolute value of the source's weight.
    """

    name: str
    dtype: str
    largest: float
    relative: float


def weight_errors(source: Mapping[str, Tensor], result: Content) -> list[WeightError]:
    """The quantised weights of a result, the worst first.

    Args:
        source: the weights of the source by name; those of another name are left out.
        result: the result.

    One weight is read at a time.
    """
    return sorted(_errors(source, tensors_of(result)), key=lambda entry: -entry.relative)


def _errors(source: Mapping[str, Tensor], result: Mapping[str, Tensor]) -> Iterator[WeightError]:
    for name, tensor in result.items():
        wanted = source.get(name)
        if not isinstance(tensor, QuantizedTensor) or wanted is None:
            continue
        if wanted.shape != tensor.shape or not tensor.size:
            continue
        exact = wanted.array().astype(np.float64)
        apart = float(np.abs(tensor.array() - exact).max())
        scale = float(np.abs(exact).max())
        yield WeightError(name, tensor.quantization.dtype, apart, apart / scale if scale else 0.0)
