"""Architectures with weights beside them: how the weights are found, and their forms."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.damage import damaged, survives
from tests.support.fixtures import DATA, assert_weights
from tests.support.keras_files import dense, entry, sequential, write_weights
from tfjs.errors import CorruptFileError, FormatError
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_json import FORMAT
from tfjs.ir.layers_model import LayersModel

TWO = sequential(entry("Dense", "a", units=3), entry("Dense", "b", units=2))


def read(path: Path, weights: Path | None = None) -> LayersModel:
    model = FORMAT.read(path, ReadOptions(weights=weights))
    assert isinstance(model, LayersModel)
    return model


def write_json(path: Path) -> Path:
    path.write_text(json.dumps({**TWO, "keras_version": "2.1.2", "backend": "tensorflow"}))
    return path


def write_h5(path: Path, start: int = 0) -> Path:
    with h5py.File(path, "w") as file:
        write_weights(file, {"a": dense("a", 4, 3, start), "b": dense("b", 3, 2)})
    return path


def first_value(model: LayersModel) -> float:
    return float(model.layer("a").weights[0].tensor.array()[0, 0])


@pytest.mark.parametrize(
    ("architecture", "weights"),
    [
        ("model.json", "model.h5"),
        ("net_architecture.json", "net_weights.h5"),
        ("net_arch.json", "net.weights.h5"),
        ("net-model.json", "net-weights.hdf5"),
        ("net_config.json", "net.h5"),
    ],
)
def test_weights_of_the_same_name(architecture: str, weights: str, tmp_path: Path) -> None:
    file = write_json(tmp_path / architecture)
    write_h5(tmp_path / "aaa.h5", start=100)
    write_h5(tmp_path / "zzz.h5", start=100)
    write_h5(tmp_path / weights)
    assert FORMAT.sniff(file)
    model = read(file)
    assert first_value(model) == 0
    assert model.producer == "keras 2.1.2"


def test_the_only_weights(tmp_path: Path) -> None:
    file = write_json(tmp_path / "net.json")
    write_h5(tmp_path / "final_epoch_20.h5", start=7)
    assert first_value(read(file)) == 7


def test_weights_that_are_named(tmp_path: Path) -> None:
    file = write_json(tmp_path / "net.json")
    write_h5(tmp_path / "net.h5")
    (tmp_path / "elsewhere").mkdir()
    other = write_h5(tmp_path / "elsewhere" / "other.h5", start=9)
    assert first_value(read(file, other)) == 9


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no file of weights is beside it") as caught:
        read(write_json(tmp_path / "net.json"))
    assert caught.value.hint == "name the file with --weights"


def test_several_weights(tmp_path: Path) -> None:
    write_h5(tmp_path / "one.h5")
    write_h5(tmp_path / "two.h5")
    with pytest.raises(FormatError, match=r"several files of weights beside it: one\.h5, two\.h5"):
        read(write_json(tmp_path / "net.json"))


def test_weights_that_are_no_hdf5(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_text("<!DOCTYPE html>")
    with pytest.raises(FormatError, match=r"net\.h5: is no HDF5 file of weights"):
        read(write_json(tmp_path / "net.json"))
    with pytest.raises(FormatError, match="cannot be read"):
        read(tmp_path / "net.json", tmp_path / "missing.h5")


def test_json_within_json(tmp_path: Path) -> None:
    """What `json.dump(model.to_json(), file)` leaves."""
    file = tmp_path / "net.json"
    file.write_text(json.dumps(json.dumps(TWO)))
    write_h5(tmp_path / "net.h5")
    assert FORMAT.sniff(file)
    assert first_value(read(file)) == 0


def test_weights_of_keras_3(tmp_path: Path) -> None:
    archive = DATA / "keras3" / "model-3.15.1.keras"
    with zipfile.ZipFile(archive) as opened:
        opened.extract("model.weights.h5", tmp_path)
        (tmp_path / "model.json").write_bytes(opened.read("config.json"))
    assert_weights(read(tmp_path / "model.json"), archive)


def test_weights_of_keras_3_in_pieces(tmp_path: Path) -> None:
    archive = DATA / "keras3" / "model-3.15.1.keras"
    with zipfile.ZipFile(archive) as opened:
        (tmp_path / "model.json").write_bytes(opened.read("config.json"))
    for file in (DATA / "keras3").glob("sharded-*"):
        shutil.copy(file, tmp_path)
    index = tmp_path / "sharded-3.15.1.weights.json"
    assert_weights(read(tmp_path / "model.json", index), archive)


def test_layout_before_keras_1(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    file.write_text(json.dumps(TWO))
    with h5py.File(tmp_path / "net.h5", "w") as opened:
        opened.attrs["nb_layers"] = 3
        for index, weights in enumerate(([], dense("a", 4, 3), dense("b", 3, 2))):
            group = opened.create_group(f"layer_{index}")
            group.attrs["nb_params"] = len(weights)
            for number, (_, value) in enumerate(weights):
                group[f"param_{number}"] = value
    model = read(file)
    assert model.layer("b").weights[0].tensor.shape == (3, 2)
    with h5py.File(tmp_path / "net.h5", "r+") as opened:
        opened.attrs["nb_layers"] = 10**9
    with pytest.raises(CorruptFileError, match="nb_layers of '' is 1000000000"):
        read(file)


def test_sniff(tmp_path: Path) -> None:
    tfjs = {"format": "layers-model", "modelTopology": TWO, "weightsManifest": []}
    for name, text in (
        ("tfjs.json", json.dumps(tfjs)),
        ("list.json", "[1, 2]"),
        ("broken.json", '{"class_name": "Sequential", '),
        ("other.json", '{"class_name": 3, "config": {}}'),
        ("empty.json", ""),
    ):
        (tmp_path / name).write_text(text)
        assert not FORMAT.sniff(tmp_path / name), name
    assert not FORMAT.sniff(tmp_path)
    assert not FORMAT.sniff(tmp_path / "missing.json")
    with pytest.raises(CorruptFileError, match="is no architecture of a Keras model"):
        read(tmp_path / "list.json")


def test_damaged_architectures(tmp_path: Path) -> None:
    shutil.copy(DATA / "keras1" / "merged-1.2.2.h5", tmp_path / "m.h5")
    data = (DATA / "keras1" / "merged-1.2.2.json").read_bytes()

    def read_it(path: Path) -> None:
        FORMAT.sniff(path)
        for _, weight in read(path).weights():
            weight.tensor.array()

    assert survives(read_it, tmp_path / "m.json", damaged(data, 500)) > 200


@pytest.mark.models
def test_the_real_pair(shared_models: Path) -> None:
    folder = shared_models / "keras_h5" / "sentiment_bidirectional_lstm_softmax"
    model = read(folder / "bidirectional_lstm_softmax_architecture.json")
    assert sum(weight.tensor.size for _, weight in model.weights()) == 317638
    backward = model.layers[3].children["backward_layer"]
    assert backward.name == "backward_lstm_1"
    assert [weight.name for weight in backward.weights] == ["kernel", "recurrent_kernel", "bias"]
    with h5py.File(folder / "bidirectional_lstm_softmax_weights.h5") as file:
        name = file["bidirectional_1"].attrs["weight_names"][4]
        stored = file["bidirectional_1"][name][()]
    np.testing.assert_array_equal(backward.weights[1].tensor.array(), stored)
