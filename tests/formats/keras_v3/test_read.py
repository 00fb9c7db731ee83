"""Archives of many releases, in every form that they come in, and what is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support.damage import damaged, survives
from tests.support.fixtures import DATA, assert_weights
from tfjs.errors import (
    CorruptFileError,
    FormatError,
    UnsafeFileError,
    UnsupportedError,
)
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_v3 import FORMAT
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import SpanTensor

FOLDER = DATA / "keras3"
NEWEST = FOLDER / "model-3.15.1.keras"
FILES = sorted(FOLDER.glob("*.keras"))


def read(path: Path) -> LayersModel:
    model = FORMAT.read(path, ReadOptions())
    assert isinstance(model, LayersModel)
    return model


def unpacked(source: Path, folder: Path) -> Path:
    with zipfile.ZipFile(source) as archive:
        archive.extractall(folder)
    return folder


def packed(folder: Path, dest: Path, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(dest, "w", method) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return dest


def changed(tmp_path: Path, change: Callable[[h5py.File], None]) -> Path:
    """The newest archive with something else in its weights."""
    folder = unpacked(NEWEST, tmp_path / "unpacked")
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        change(file)
    return packed(folder, tmp_path / "changed.keras")


def configured(tmp_path: Path, change: Callable[[Any], None]) -> Path:
    """The newest archive with something else in its configuration."""
    folder = unpacked(NEWEST, tmp_path / "unpacked")
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    return packed(folder, tmp_path / "configured.keras")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_weights_of_every_release(file: Path) -> None:
    assert FORMAT.sniff(file)
    model = read(file)
    assert_weights(model, file)
    version = file.stem.partition("-")[2]
    # TensorFlow 2.12.1 still has Keras 2.12.0.
    assert model.producer in (f"keras {version}", "keras 2.12.0")


def test_there_are_files_of_several_releases() -> None:
    assert len(FILES) == 5


def test_weights_are_mapped_and_not_read() -> None:
    tensors = [weight.tensor for _, weight in read(NEWEST).weights()]
    assert all(isinstance(tensor, SpanTensor) for tensor in tensors)
    spans = [span for tensor in tensors if isinstance(tensor, SpanTensor) for span in tensor.spans]
    assert {span.path for span in spans} == {NEWEST}


def test_wrapped_layers_own_their_weights() -> None:
    model = read(NEWEST)
    both = model.layer("both")
    assert [weight.name for weight in both.children["forward_layer"].weights] == [
        "kernel",
        "recurrent_kernel",
        "bias",
    ]
    assert not both.weights
    normal = next(layer for path, layer in model.walk() if path == "part/q")
    assert [(weight.name, weight.trainable) for weight in normal.weights] == [
        ("gamma", True),
        ("beta", True),
        ("moving_mean", False),
        ("moving_variance", False),
    ]


def test_compile_configuration_and_optimizer_state() -> None:
    training = read(NEWEST).training
    assert training is not None
    assert training.config["loss"] == "mse"
    assert training.config["metrics"] == ["mae"]
    assert training.config["optimizer"]["class_name"] == "Adam"
    assert training.config["optimizer"]["config"]["beta_2"] == 0.999
    assert training.state_format == "keras"
    state = [weight.tensor for weight in training.optimizer_weights]
    assert [weight.name for weight in training.optimizer_weights] == [
        str(index) for index in range(len(state))
    ]
    # Iteration, learning rate, then two moments for each of the trained weights.
    trained = [w for _, w in read(NEWEST).weights() if w.trainable]
    assert len(state) == 2 + 2 * len(trained)
    assert state[0].dtype == "int32" or state[0].dtype == "int64"
    assert state[0].array() == 1


def test_a_model_that_was_not_compiled_has_no_training() -> None:
    assert read(FOLDER / "model-3.3.3.keras").training is None


def test_unpacked_folder(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    assert FORMAT.sniff(folder)
    assert_weights(read(folder), NEWEST)


def test_compressed_anew(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    file = packed(folder, tmp_path / "m.keras", zipfile.ZIP_DEFLATED)
    assert FORMAT.sniff(file)
    model = read(file)
    assert_weights(model, NEWEST)
    first = next(weight.tensor for _, weight in model.weights())
    assert b"".join(bytes(chunk) for chunk in first.chunks()) == first.array().tobytes()


def test_sharded_weights(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    (folder / "model.weights.h5").unlink()
    for file in FOLDER.glob("sharded-*.weights.*"):
        shutil.copy(file, folder / file.name)
    index = folder / "sharded-3.15.1.weights.json"
    index.rename(folder / "model.weights.json")
    assert_weights(read(folder), NEWEST)
    assert_weights(read(packed(folder, tmp_path / "sharded.keras")), NEWEST)


def test_missing_shard(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    (folder / "model.weights.h5").unlink()
    index = {"weight_map": {"/layers/conv1d/vars": "model_00000.weights.h5"}}
    (folder / "model.weights.json").write_text(json.dumps(index))
    with pytest.raises(FormatError, match=r"model_00000\.weights\.h5.*cannot be read"):
        read(folder)


def test_shard_outside_of_the_folder(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    (folder / "model.weights.h5").unlink()
    index = {"weight_map": {"/layers/conv1d/vars": ["../model.weights.h5"]}}
    (folder / "model.weights.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeFileError, match="outside of its folder"):
        read(folder)


def test_weights_in_a_pickle_are_refused(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    (folder / "model.weights.h5").unlink()
    np.savez(folder / "model.weights.npz", a=np.zeros(1))
    with pytest.raises(UnsafeFileError, match="pickle"):
        read(packed(folder, tmp_path / "m.keras"))


def test_missing_variable(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        del file["layers/conv1d/vars/1"]

    with pytest.raises(CorruptFileError) as caught:
        read(changed(tmp_path, change))
    assert "layer 'conv' (Conv1D)" in str(caught.value)
    assert "conv/bias is not in the file (layers/conv1d/vars/1)" in str(caught.value)


def test_variable_of_another_shape(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = np.zeros((3, 7), np.float32)

    with pytest.raises(CorruptFileError, match=r"first/kernel has the shape \[3, 2\].*\[3, 7\]"):
        read(changed(tmp_path, change))


def test_variables_that_belong_to_no_layer(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        file["layers/conv1d/vars/2"] = np.zeros(3, np.float32)
        file["layers/elsewhere/vars/0"] = np.zeros(3, np.float32)

    with pytest.raises(CorruptFileError) as caught:
        read(changed(tmp_path, change))
    assert "2 variables that the model lacks" in str(caught.value)
    assert "layers/conv1d/vars/2, layers/elsewhere/vars/0" in str(caught.value)


def test_state_of_random_numbers_and_metrics_is_no_weight(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
        file["metrics/mean/vars/0"] = np.zeros((), np.float32)

    assert_weights(read(changed(tmp_path, change)), NEWEST)


def test_layers_are_told_by_their_names_where_the_file_has_them(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        file.move("layers/dense", "layers/spare")
        file.move("layers/dense_1", "layers/dense")
        file.move("layers/spare", "layers/dense_1")

    assert_weights(read(changed(tmp_path, change)), NEWEST)


def test_bfloat16(tmp_path: Path) -> None:
    values = np.arange(4, dtype=np.float32)

    def change(file: h5py.File) -> None:
        del file["layers/conv1d/vars/1"]
        bits = (values.view(np.uint32) >> 16).astype("<u2").view("V2")
        file.create_dataset("layers/conv1d/vars/1", data=bits).attrs["dtype"] = "bfloat16"

    bias = read(changed(tmp_path, change)).layer("conv").weights[1].tensor
    assert bias.dtype == "bfloat16"
    assert bias.nbytes == 8
    np.testing.assert_array_equal(bias.array(), values)


@pytest.mark.parametrize(
    ("dtype", "reason"),
    [
        ("int8_from_float32", "int8_from_float32"),
        (
            {
                "module": "keras",
                "class_name": "QuantizedDTypePolicy",
                "config": {"mode": "int8", "source_name": "float32"},
            },
            "QuantizedDTypePolicy",
        ),
    ],
)
def test_quantised_layers_are_refused(tmp_path: Path, dtype: Any, reason: str) -> None:
    def change(config: Any) -> None:
        config["config"]["layers"][-1]["config"]["dtype"] = dtype

    with pytest.raises(UnsupportedError) as caught:
        read(configured(tmp_path, change))
    assert caught.value.problems == (f"last: {reason}",)


def test_custom_layers_keep_what_is_stored_for_them(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        entry = config["config"]["layers"][-1]
        entry |= {"class_name": "Mine", "module": "here", "registered_name": "my>Mine"}

    source = configured(tmp_path, change)
    folder = unpacked(source, tmp_path / "again")
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        file.move("layers/dense_1", "layers/mine")
        file["layers/mine/part/vars/0"] = np.ones(2, np.float32)
        for index in range(2, 12):
            file[f"layers/mine/vars/{index}"] = np.full(1, index, np.float32)
    layer = read(packed(folder, tmp_path / "m.keras")).layer("last")
    names = [str(index) for index in range(12)] + ["part/0"]
    assert [weight.name for weight in layer.weights] == names
    assert layer.weights[11].tensor.array() == 11
    assert layer.registered_name == "my>Mine"


def test_subclassed_model(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        config["class_name"] = "MyModel"

    with pytest.raises(UnsupportedError, match="MyModel"):
        read(configured(tmp_path, change))


def test_archive_without_configuration(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    (folder / "config.json").unlink()
    with pytest.raises(CorruptFileError, match=r"has no config\.json"):
        read(packed(folder, tmp_path / "m.keras"))


def test_archive_without_weights(tmp_path: Path) -> None:
    folder = unpacked(NEWEST, tmp_path / "model")
    (folder / "model.weights.h5").unlink()
    with pytest.raises(CorruptFileError, match=r"has no model\.weights\.h5"):
        read(packed(folder, tmp_path / "m.keras"))


def test_other_files_are_not_taken_for_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    (tmp_path / "text.txt").write_text("PK")
    (tmp_path / "empty").mkdir()
    assert not FORMAT.sniff(tmp_path / "other.zip")
    assert not FORMAT.sniff(tmp_path / "text.txt")
    assert not FORMAT.sniff(tmp_path / "empty")
    assert not FORMAT.sniff(tmp_path / "missing.keras")
    assert not FORMAT.sniff(DATA / "keras1" / "nested-1.2.2.h5")


def test_a_truncated_archive_is_still_recognised(tmp_path: Path) -> None:
    file = tmp_path / "cut.keras"
    file.write_bytes(NEWEST.read_bytes()[:-100])
    assert FORMAT.sniff(file)
    with pytest.raises(CorruptFileError):
        read(file)


def _read_all(path: Path) -> None:
    if FORMAT.sniff(path):
        for _, weight in read(path).weights():
            weight.tensor.array()


def test_damaged_archives(tmp_path: Path) -> None:
    data = (FOLDER / "model-3.3.3.keras").read_bytes()
    refused = survives(_read_all, tmp_path / "m.keras", damaged(data, 300))
    assert refused > 50


def test_damaged_configuration(tmp_path: Path) -> None:
    folder = unpacked(FOLDER / "model-3.3.3.keras", tmp_path / "model")
    data = (folder / "config.json").read_bytes()

    def read_it(path: Path) -> None:
        _read_all(path.parent)

    refused = survives(read_it, folder / "config.json", damaged(data, 300, seed=1))
    assert refused > 50


def test_damaged_weights(tmp_path: Path) -> None:
    folder = unpacked(FOLDER / "model-3.3.3.keras", tmp_path / "model")
    data = (folder / "model.weights.h5").read_bytes()

    def read_it(path: Path) -> None:
        _read_all(path.parent)

    refused = survives(read_it, folder / "model.weights.h5", damaged(data, 300, seed=2))
    assert refused > 20
