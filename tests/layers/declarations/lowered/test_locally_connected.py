"""LocallyConnected1D and 2D as graphs, against tf_keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.lowered import Case
from tests.support.tfjs_runtime import TfjsRuntime

SPACE = {1: (7,), 2: (6, 5)}
OPTIONS: list[tuple[int, dict[str, Any]]] = [
    (1, {"kernel_size": 3}),
    (1, {"kernel_size": 3, "strides": 2, "use_bias": False, "activation": "relu"}),
    (2, {"kernel_size": (2, 3), "strides": (2, 1), "activation": "softmax"}),
]
CASES = [
    *(
        (rank, {**options, "implementation": kind})
        for rank, options in OPTIONS
        for kind in (1, 2, 3)
    ),
    *(
        (rank, {"kernel_size": 2, "strides": 2, "padding": "same", "implementation": kind})
        for rank in (1, 2)
        for kind in (2, 3)
    ),
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("rank", "options"), CASES, ids=str)
def test_a_layer(
    rank: int,
    options: dict[str, Any],
    data_format: str,
    tf_keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    first = data_format == "channels_first"
    shape = (3, *SPACE[rank]) if first else (*SPACE[rank], 3)
    name = f"LocallyConnected{rank}D"
    case = Case(name, shape, 4, data_format=data_format, **options)
    case.run(tf_keras, tfjs_runtime, tmp_path, suffix=".h5")
