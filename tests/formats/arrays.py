"""Short ways to say what a test stores."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.tensor import Array


def array(dtype: str, values: Any) -> Array:
    """An array of that dtype."""
    return np.asarray(values, dtype=dtype)
