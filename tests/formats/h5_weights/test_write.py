"""Weights without a model, written as `save_weights` does."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from tests.support.fixtures import DATA
from tests.support.keras_files import counted
from tests.support.keras_models import made
from tfjs.errors import UsageError
from tfjs.formats import keras_h5
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.h5_weights import FORMAT
from tfjs.formats.h5_weights.read import read
from tfjs.formats.h5_weights.write import write
from tfjs.ir.tensor import ArrayTensor, Quantization, QuantizedTensor
from tfjs.ir.weights import NamedTensor, WeightGroup, WeightsOnly


def weights() -> WeightsOnly:
    stored = ArrayTensor(np.array([0, 255], np.uint8))
    quantised = QuantizedTensor(stored, Quantization("uint8", 0.5, -1.0))
    tensors = [
        NamedTensor("b/kernel", ArrayTensor(counted(2, 3))),
        NamedTensor("a/kernel", quantised),
        NamedTensor("b/bias", ArrayTensor(counted(3))),
        NamedTensor("step", ArrayTensor(np.int32(3)), "optimizer"),
    ]
    return WeightsOnly([WeightGroup("", tensors)], metadata={"a": 1})


def test_by_layer(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    progress = WriteOptions(progress=lambda done, total: seen.append((done, total)))
    written = write(weights(), tmp_path / "w.h5", progress)
    with h5py.File(tmp_path / "w.h5") as file:
        assert list(file.attrs["layer_names"]) == [b"b", b"a"]
        assert list(file["b"].attrs["weight_names"]) == [b"b/kernel:0", b"b/bias:0"]
        np.testing.assert_array_equal(file["b/b/kernel:0"][()], counted(2, 3))
        assert file["a/a/kernel:0"][()].tolist() == [-1.0, 126.5]
    assert written.files == [("w.h5", (tmp_path / "w.h5").stat().st_size)]
    assert [note.partition(":")[0] for note in written.notes] == [
        "optimizer state left out",
        "weights stored in fewer bytes were expanded",
        "user-defined metadata left out",
    ]
    assert seen[-1] == (24 + 8 + 12, 24 + 8 + 12)
    assert FORMAT.sniff(tmp_path / "w.h5")
    names = [item.name for item in read(tmp_path / "w.h5", ReadOptions()).tensors()]
    assert names == ["b/kernel", "b/bias", "a/kernel"]


def test_the_weights_of_a_model(tmp_path: Path) -> None:
    model = keras_h5.FORMAT.read(DATA / "keras2" / "mixed-tensorflow-2.2.4.h5", ReadOptions())
    write(model, tmp_path / "w.h5", WriteOptions())
    names = [item.name for item in read(tmp_path / "w.h5", ReadOptions()).tensors()]
    assert "both/forward_lstm_1/lstm_cell/kernel" in names
    # The layer that is not trained comes after those that are.
    inner = [name for name in names if name.startswith(("p/", "q/", "s/"))]
    assert inner == [
        *("q/gamma", "q/beta", "s/kernel", "s/bias"),
        *("p/kernel", "p/bias", "q/moving_mean", "q/moving_variance"),
    ]


@pytest.mark.parametrize("kind", ["frozen", "recurrent", "nested"])
def test_keras_loads_them(kind: str, tf_keras: ModuleType, tmp_path: Path) -> None:
    live = made(kind, tf_keras)
    live.save(tmp_path / "m.h5")
    model = keras_h5.FORMAT.read(tmp_path / "m.h5", ReadOptions())
    write(model, tmp_path / "w.h5", WriteOptions())
    other = tf_keras.models.clone_model(live)
    other.load_weights(tmp_path / "w.h5")
    for ours, theirs in zip(other.get_weights(), live.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_options_for_tfjs_only(tmp_path: Path) -> None:
    options = WriteOptions(quantize={"uint8": True}, shard_size=1)
    with pytest.raises(UsageError, match="--quantize, --shard-size cannot be used"):
        write(weights(), tmp_path / "w.h5", options)
    assert not (tmp_path / "w.h5").exists()
