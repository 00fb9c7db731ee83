"""What the cases of operations are made of: inputs of some kinds, and functions of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Function = Callable[..., Any]


class Of(NamedTuple):
    """An input: its shape with the batch, and what numbers it holds.

    Attributes:
        shape: the sizes; the first is the batch, which the model does not know.
        kind: "any", "positive", "share" (from -0.9 to 0.9), "above" (over 1), "int" (0 to 3),
            "signed" (-4 to 4), "bool", "gaps" (with NaN), "ends" (with NaN and infinities),
            "pixels" (0 to 1).
    """

    shape: tuple[int, ...]
    kind: str = "any"

    @property
    def dtype(self) -> str:
        return {"int": "int32", "signed": "int32", "bool": "bool"}.get(self.kind, "float32")

    def array(self, seed: int) -> np.ndarray:
        """Numbers of that kind."""
        random = np.random.default_rng(seed)
        x = random.normal(size=self.shape).astype(np.float32)
        if self.kind == "int":
            return random.integers(0, 4, self.shape).astype(np.int32)
        if self.kind == "signed":
            return random.integers(-4, 5, self.shape).astype(np.int32)
        if self.kind == "bool":
            return x > 0
        if self.kind == "ends":
            x.reshape(-1)[:3] = np.nan, np.inf, -np.inf
        if self.kind == "gaps":
            x[random.random(self.shape) < 0.3] = np.nan
        made = {"positive": np.abs(x) + 0.1, "above": np.abs(x) + 1.1}
        made |= {"share": np.tanh(x) * 0.9, "pixels": 1 / (1 + np.exp(-x))}
        return made.get(self.kind, x).astype(np.float32)


class Case(NamedTuple):
    """A function of the tensors.

    Attributes:
        function: gets `keras.ops` and the tensors.
        inputs: what goes in.
        told: what NumPy gives, where Keras on JAX cannot compute its own model.
        fixed: whether the model knows the size of the batch, as Keras needs it for some.
    """

    function: Function
    inputs: tuple[Of, ...]
    told: Function | None = None
    fixed: bool = False
