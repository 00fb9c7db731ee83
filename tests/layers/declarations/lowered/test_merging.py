"""Merging layers as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.lowered import Case, check_lowered
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise

ALIKE = [(4, 3), (4, 3)]
NAMES = ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"]


@pytest.mark.parametrize(
    "case",
    [
        *(Case(name, ALIKE) for name in NAMES),
        *(Case(name, [(4, 3), (1, 3)]) for name in NAMES),
        *(Case(name, [(4, 3)] * 3) for name in NAMES[:-1]),
        Case("Add", [(4, 3)] * 3, ops={"AddN": 1}),
        Case("Add", [(4, 3)] * 3, free=1, ops={"AddV2": 2}),
        Case("Add", [(4, 3), (3,)]),
        Case("Multiply", [(4, 5, 3), (3,)]),
        Case("Concatenate", [(4, 3), (2, 3)], axis=1, ops={"ConcatV2": 1}),
        Case("Concatenate", [(4, 3), (4, 3), (4, 2)]),
        Case("Dot", [(4,), (4,)], axes=1),
        Case("Dot", [(4,), (4,)], axes=1, normalize=True),
        Case("Dot", [(4, 3), (3, 5)], axes=(2, 1), ops={"BatchMatMulV2": 1}),
        Case("Dot", [(4, 3), (4, 5)], axes=1, ops={"BatchMatMulV2": 1}),
        Case("Dot", [(4, 3), (5, 3)], axes=2, free=1),
        Case("Dot", [(4, 3, 2), (2, 3, 4)], axes=(1, 3)),
        Case("Dot", [(4,), (3, 4)], axes=(1, 2)),
        Case("Dot", [(4, 3), (3,)], axes=(2, 1)),
        Case("Dot", [(4,), (2, 3, 4)], axes=(1, 3)),
    ],
    ids=str,
)
def test_a_merge(case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("merge", "options"),
    [("Add", {}), ("Concatenate", {"axis": 1}), ("Concatenate", {"axis": -1}), ("Average", {})],
)
def test_masks_of_keras_2(
    merge: str,
    options: dict[str, int],
    tf_keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    """What several masks let through shows in a mean over the steps."""
    layers = tf_keras.layers
    one, other = layers.Input((4,), dtype="int32"), layers.Input((4,), dtype="int32")
    table = layers.Embedding(6, 3, mask_zero=True)
    both = getattr(layers, merge)(**options)([table(one), table(other)])
    model = tf_keras.Model([one, other], layers.GlobalAveragePooling1D()(both))
    randomise(model)
    ids = [np.array(item, np.int32) for item in ([[1, 2, 0, 3]] * 2, [[4, 0, 0, 5], [1, 2, 3, 0]])]
    check_lowered(model, ids, tfjs_runtime, tmp_path, suffix=".h5")


def test_a_mask_of_one_side_only(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    one, other = layers.Input((4,), dtype="int32"), layers.Input((4, 3))
    table = layers.Embedding(6, 3, mask_zero=True)
    both = layers.Concatenate()([other, table(one)])
    model = tf_keras.Model([one, other], layers.GlobalAveragePooling1D()(both))
    randomise(model)
    ids = np.array([[1, 2, 0, 3], [0, 4, 0, 0]], np.int32)
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    check_lowered(model, [ids, x], tfjs_runtime, tmp_path, suffix=".h5")
