"""What an HDF5 file that is written here holds."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.fixtures import DATA, assert_same_configs, assert_weights
from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats import keras_v3
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.keras_h5.read import read
from tfjs.formats.keras_h5.write import write
from tfjs.ir.layers_model import Call, Layer, LayersModel, OptimizerWeight, TensorRef, Weight
from tfjs.ir.tensor import Array, ArrayTensor
from tfjs.ir.weights import WeightsOnly

OLD = DATA / "keras2" / "mixed-tensorflow-2.2.4.h5"


def chain(*names: str) -> LayersModel:
    """Dense layers of one unit, one after the other."""
    entry = Layer("InputLayer", "x", {"batch_shape": [None, 1], "dtype": "float32"}, calls=[Call()])
    layers = [entry]
    for name in names:
        weights = [
            Weight("kernel", ArrayTensor(np.zeros((1, 1), np.float32))),
            Weight("bias", ArrayTensor(np.zeros(1, np.float32))),
        ]
        call = Call(args=(TensorRef(layers[-1].name),))
        layers.append(Layer("Dense", name, {"units": 1}, weights, [call]))
    return LayersModel("m", "Functional", layers, TensorRef("x"), TensorRef(names[-1]))


@pytest.mark.parametrize(
    "file",
    [*sorted((DATA / "keras1").glob("[cns]*.h5")), *sorted((DATA / "keras2").glob("*.h5"))],
    ids=lambda file: file.stem,
)
def test_read_again(file: Path, tmp_path: Path) -> None:
    source = read(file, ReadOptions())
    write(source, tmp_path / "m.h5", WriteOptions())
    result = read(tmp_path / "m.h5", ReadOptions())
    assert_weights(result, file)
    assert result.producer == "keras 2.15.0"
    assert_same_configs(result, source)


def test_the_file(tmp_path: Path) -> None:
    written = write(read(OLD, ReadOptions()), tmp_path / "m.h5", WriteOptions())
    assert written.files == [("m.h5", (tmp_path / "m.h5").stat().st_size)]
    assert [port.name for port in written.inputs] == ["image", "steps"]
    with h5py.File(tmp_path / "m.h5") as file:
        assert sorted(file.attrs) == ["backend", "keras_version", "model_config", "training_config"]
        assert json.loads(file.attrs["model_config"])["class_name"] == "Functional"
        training = json.loads(file.attrs["training_config"])
        assert training["loss"] == "mean_squared_error"
        group = file["model_weights"]
        assert sorted(group.attrs) == ["backend", "keras_version", "layer_names"]
        names = [name.decode() for name in group.attrs["layer_names"]]
        assert set(names) == set(group) - {"top_level_model_weights"}
        assert list(group["both"].attrs["weight_names"]) == [
            f"both/{side}_lstm_1/lstm_cell/{name}:0".encode()
            for side in ("forward", "backward")
            for name in ("kernel", "recurrent_kernel", "bias")
        ]
        # The layer of the nested model that is not trained comes after those that are.
        assert list(group["part"].attrs["weight_names"])[:2] == [b"q/gamma:0", b"q/beta:0"]
        assert list(group["flat"].attrs["weight_names"]) == []


def test_layers_are_listed_as_keras_will_have_them(tmp_path: Path) -> None:
    model = read(OLD, ReadOptions())
    shuffled = replace(model, layers=random.Random(2).sample(model.layers, len(model.layers)))
    write(model, tmp_path / "one.h5", WriteOptions())
    write(shuffled, tmp_path / "two.h5", WriteOptions())
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_names_that_take_several_attributes(tmp_path: Path) -> None:
    names = [f"layer_with_a_long_name_{index:070}" for index in range(1500)]
    model = chain(*names)
    write(model, tmp_path / "m.h5", WriteOptions())
    with h5py.File(tmp_path / "m.h5") as file:
        assert "layer_names0" in file["model_weights"].attrs
        assert "layer_names" not in file["model_weights"].attrs
        assert len(file.attrs["model_config"]) > 64512
    result = read(tmp_path / "m.h5", ReadOptions())
    assert [layer.name for layer in result.layers] == ["x", *names]


def test_layers_named_like_paths(tmp_path: Path) -> None:
    write(chain("block", "block/conv", "block/conv/2"), tmp_path / "m.h5", WriteOptions())
    result = read(tmp_path / "m.h5", ReadOptions())
    assert [len(layer.weights) for layer in result.layers] == [0, 2, 2, 2]


def test_optimizer_state_is_kept(tmp_path: Path) -> None:
    source = read(OLD, ReadOptions())
    assert source.training is not None
    values: list[Array] = [np.arange(3.0), np.array(7, np.float32)]
    source.training.optimizer_weights = [
        OptimizerWeight(f"Adam/{index}", ArrayTensor(value)) for index, value in enumerate(values)
    ]
    write(source, tmp_path / "m.h5", WriteOptions())
    training = read(tmp_path / "m.h5", ReadOptions()).training
    assert training is not None
    assert [weight.name for weight in training.optimizer_weights] == ["Adam/0", "Adam/1"]
    assert training.optimizer_weights[1].tensor.array() == 7


def test_optimizer_state_of_an_archive_is_left_out(tmp_path: Path) -> None:
    source = keras_v3.FORMAT.read(DATA / "keras3" / "model-3.15.1.keras", ReadOptions())
    assert isinstance(source, LayersModel)
    model = chain("a")
    model.training = source.training
    written = write(model, tmp_path / "m.h5", WriteOptions())
    assert written.notes == ["optimizer state left out: HDF5 files keep it in another order"]
    with h5py.File(tmp_path / "m.h5") as file:
        assert "optimizer_weights" not in file
        optimizer = json.loads(file.attrs["training_config"])["optimizer_config"]
    assert optimizer["class_name"] == "Adam"


def test_layers_that_only_keras_3_has(tmp_path: Path) -> None:
    model = chain("a")
    model.layers[1].class_name = "RMSNormalization"
    with pytest.raises(UnsupportedError) as caught:
        write(model, tmp_path / "m.h5", WriteOptions())
    assert caught.value.problems[0].startswith("a (RMSNormalization)")
    assert list(tmp_path.iterdir()) == []


def test_options_for_tfjs_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--metadata cannot be used for Keras HDF5"):
        write(chain("a"), tmp_path / "m.h5", WriteOptions(metadata={"a": 1}))
    with pytest.raises(UnsupportedError, match="weights without a model"):
        write(WeightsOnly([]), tmp_path / "m.h5", WriteOptions())
