from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.tensorflow_files import Building, run_signature, saved
from tfjs.passes.to_tensorflow.names import accepted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a/b_1.c-d", "a/b_1.c-d"),
        ("a b", "a_b"),
        ("größe", "gr__e"),
        ("_hidden", "n_hidden"),
        ("/x", "n/x"),
        ("", "n"),
        ("1", "1"),
        ("a\n", "a_"),
    ],
)
def test_names(name: str, wanted: str) -> None:
    assert accepted(name) == wanted


def test_names_become_such_as_tensorflow_accepts(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x = building.input("ein gang", (None,))
    other = building.input("ein_gang", (None,))
    weights = building.constant(np.arange(2000, dtype=np.float32), "ge wicht")
    bias = building.node("Sum", weights, building.constant(np.int32(0), "axis"), name="s m")
    first = building.node("AddV2", x, bias.output, name="sum!")
    model = building.model(building.node("Sub", first.output, other, name="größe").output)
    model.signature.inputs = ["ein gang", "other"]
    saved(model, tmp_path / "m")
    # The keys stay.
    fed = {"ein gang": np.array([1, 2], np.float32), "other": np.array([10, 20], np.float32)}
    answers = run_signature(tensorflow, tmp_path / "m", fed)
    assert answers["größe"].tolist() == [1999000 - 9, 1999000 - 18]
