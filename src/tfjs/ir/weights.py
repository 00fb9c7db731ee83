"""Weights without a model: what a manifest or a weights-only file holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tfjs.ir.tensor import Tensor


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A weight under its full name in a file, such as `dense/kernel`.

    Attributes:
        name: the name.
        tensor: its values.
        group: TF.js's marker of what the weight belongs to ("optimizer"), None for the model.
    """

    name: str
    tensor: Tensor
    group: str | None = None


@dataclass(slots=True)
class WeightGroup:
    """Weights that are stored together.

    Attributes:
        name: name of the layer, or "" where the source has no such thing.
        tensors: the weights in order.
    """

    name: str
    tensors: list[NamedTensor]


@dataclass(slots=True)
class WeightsOnly:
    """Weights whose model is not in the file.

    Attributes:
        groups: the groups in the source's order.
        producer: what wrote the source, where told.
        metadata: user-defined metadata.
    """

    groups: list[WeightGroup]
    producer: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def tensors(self) -> list[NamedTensor]:
        """All weights in order."""
        return [tensor for group in self.groups for tensor in group.tensors]
