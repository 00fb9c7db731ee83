"""The same source gives the same bytes in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.real_graphs import RUNS, source_of

_SCRIPT = "import sys, tfjs; tfjs.convert(sys.argv[1], sys.argv[2], to='tfjs-graph')"
# One of TF1 with loops, one of TF2 with functions, one with a table.
_NAMES = [
    "frozen_graph__keras_sentiment_cnn_lstm",
    "frozen_graph__tf2onnx_lstm",
    "saved_model__basic_pitch_nmp__serving_default",
    "saved_model__guesslang_2020_06__predict",
    "saved_model__mlperf_tiny_kws__serving_default",
]


def _contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


@pytest.mark.parametrize("name", _NAMES)
def test_a_source_gives_the_same_bytes(name: str, shared_models: Path, tmp_path: Path) -> None:
    assert name in RUNS
    source, _ = source_of(shared_models, name)
    found = []
    for seed in ("1", "2", "3"):  # of the order of sets, which addresses in memory change too
        folder = tmp_path / seed
        command = [sys.executable, "-c", _SCRIPT, str(source), str(folder)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        found.append(_contents(folder))
    assert set(found[0]) == {"model.json", "group1-shard1of1.bin"}
    assert found[1] == found[0]
    assert found[2] == found[0]
