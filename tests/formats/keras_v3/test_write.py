"""What an archive that is written here holds, and how it is written."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.fixtures import DATA, assert_same_configs, assert_weights
from tests.support.protocol import Array
from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.formats.base import Port, ReadOptions, WriteOptions
from tfjs.formats.keras_v3.read import read
from tfjs.formats.keras_v3.write import write
from tfjs.ir.layers_model import (
    Call,
    Layer,
    LayersModel,
    OptimizerWeight,
    TensorRef,
    Training,
    Weight,
)
from tfjs.ir.tensor import ArrayTensor, Quantization, QuantizedTensor, Tensor
from tfjs.ir.weights import WeightsOnly

FOLDER = DATA / "keras3"
NEWEST = FOLDER / "model-3.15.1.keras"


def again(model: LayersModel, path: Path) -> LayersModel:
    write(model, path, WriteOptions())
    return read(path, ReadOptions())


def one_dense(weights: list[Weight]) -> LayersModel:
    shape = {"batch_shape": [None, 2], "dtype": "float32"}
    layers = [
        Layer("InputLayer", "x", shape, calls=[Call()]),
        Layer("Dense", "d", {"units": 3}, weights, [Call(args=(TensorRef("x"),))]),
    ]
    return LayersModel("m", "Sequential", layers, TensorRef("x"), TensorRef("d"))


def kernel_and_bias() -> list[Weight]:
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    return [Weight("kernel", ArrayTensor(kernel)), Weight("bias", ArrayTensor(np.ones(3, "f4")))]


FILES = [pytest.param(file, id=file.stem) for file in sorted(FOLDER.glob("*.keras"))]


@pytest.mark.parametrize("file", FILES)
def test_read_again(file: Path, tmp_path: Path) -> None:
    source = read(file, ReadOptions())
    result = again(source, tmp_path / "m.keras")
    assert_weights(result, file)
    assert_same_configs(result, source)


def test_the_archive(tmp_path: Path) -> None:
    write(read(NEWEST, ReadOptions()), tmp_path / "m.keras", WriteOptions())
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = archive.infolist()
        assert [item.filename for item in members] == [
            "metadata.json",
            "config.json",
            "model.weights.h5",
        ]
        assert {item.compress_type for item in members} == {zipfile.ZIP_STORED}
        assert {item.date_time for item in members} == {(1980, 1, 1, 0, 0, 0)}
        metadata = json.loads(archive.read("metadata.json"))
        assert metadata["keras_version"].startswith("3.")
        archive.extract("model.weights.h5", tmp_path)
    with h5py.File(tmp_path / "model.weights.h5") as file:
        found: list[str] = []
        file.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
    assert "layers/bidirectional/backward_layer/cell/vars/2" in found
    assert "layers/sequential/layers/batch_normalization/vars/3" in found
    assert "layers/rnn/cell/cells/gru_cell/vars/0" in found
    assert "optimizer/vars/1" in found


def test_the_same_model_makes_the_same_bytes(tmp_path: Path) -> None:
    model = read(NEWEST, ReadOptions())
    write(model, tmp_path / "one.keras", WriteOptions())
    time.sleep(1.1)
    write(model, tmp_path / "two.keras", WriteOptions())
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


def test_the_order_of_layers_does_not_matter(tmp_path: Path) -> None:
    """Paths count the layers as Keras lists them, not as the source did."""
    model = read(NEWEST, ReadOptions())
    shuffled = replace(model, layers=random.Random(1).sample(model.layers, len(model.layers)))
    assert [layer.name for layer in shuffled.layers] != [layer.name for layer in model.layers]
    write(model, tmp_path / "one.keras", WriteOptions())
    write(shuffled, tmp_path / "two.keras", WriteOptions())
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


def test_report_and_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    options = WriteOptions(progress=lambda done, total: seen.append((done, total)))
    written = write(one_dense(kernel_and_bias()), tmp_path / "m.keras", options)
    assert seen == [(24, 36), (36, 36)]
    assert written.files == [("m.keras", (tmp_path / "m.keras").stat().st_size)]
    assert written.inputs == [Port("x", "float32", (None, 2))]
    assert written.outputs == [Port("d", "float32", (None, 3))]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.keras"]


class _Huge(Tensor):
    """128 MiB that are never whole in memory."""

    def __init__(self) -> None:
        super().__init__("float32", (2, 1 << 24))

    def array(self) -> Array:
        raise AssertionError("must not be read whole")

    def blocks(self, size: int = 1 << 20) -> Iterator[Array]:
        block = np.ones(1 << 18, np.float32)
        for _ in range(128):
            yield block


def test_memory_stays_flat(tmp_path: Path) -> None:
    model = one_dense([Weight("kernel", _Huge())])
    model.layers[1].config |= {"units": 1 << 24, "use_bias": False}
    write(one_dense(kernel_and_bias()), tmp_path / "warm.keras", WriteOptions())
    tracemalloc.start()
    write(model, tmp_path / "m.keras", WriteOptions())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 << 20
    assert (tmp_path / "m.keras").stat().st_size > 128 << 20


def test_quantised_weights_are_expanded(tmp_path: Path) -> None:
    stored = ArrayTensor(np.array([[0, 1, 2], [3, 4, 5]], np.uint8))
    kernel = QuantizedTensor(stored, Quantization("uint8", 0.5, -1.0))
    model = one_dense([Weight("kernel", kernel), kernel_and_bias()[1]])
    written = write(model, tmp_path / "m.keras", WriteOptions())
    assert written.notes == ["weights stored in fewer bytes were expanded"]
    values = read(tmp_path / "m.keras", ReadOptions()).layer("d").weights[0].tensor.array()
    assert values.tolist() == [[-1, -0.5, 0], [0.5, 1, 1.5]]


def test_optimizer_state_of_other_formats_is_left_out(tmp_path: Path) -> None:
    model = one_dense(kernel_and_bias())
    optimizer = {"class_name": "Adam", "config": {"lr": 0.1}}
    state = [OptimizerWeight("Adam/iterations", ArrayTensor(np.int64(3)))]
    model.training = Training({"optimizer": optimizer, "loss": "mse"}, state, "keras-h5")
    written = write(model, tmp_path / "m.keras", WriteOptions())
    assert written.notes == ["optimizer state left out: Keras 3 keeps it in another order"]
    training = read(tmp_path / "m.keras", ReadOptions()).training
    assert training is not None
    assert training.config["optimizer"]["config"] == {"learning_rate": 0.1}
    assert training.optimizer_weights == []


def test_custom_layers_are_passed_on(tmp_path: Path) -> None:
    weights = [
        Weight("state", ArrayTensor(np.zeros(1)), trainable=False),
        Weight("w", ArrayTensor(np.ones(2))),
        Weight("part/0", ArrayTensor(np.full(3, 2.0))),
    ]
    model = one_dense([])
    model.layers[1] = replace(
        model.layers[1], class_name="Mine", weights=weights, registered_name="my>Mine"
    )
    written = write(model, tmp_path / "m.keras", WriteOptions())
    assert any("the classes Mine" in note for note in written.notes)
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        entry = json.loads(archive.read("config.json"))["config"]["layers"][1]
    assert entry["registered_name"] == "my>Mine"
    result = read(tmp_path / "m.keras", ReadOptions()).layer("d")
    # Keras numbers what is trained before what is not.
    found = {weight.name: weight.tensor.array().tolist() for weight in result.weights}
    assert found == {"0": [1, 1], "1": [0], "part/0": [2, 2, 2]}


def test_a_model_without_its_weights(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"layer d: has no weight 'bias' to write"):
        write(one_dense(kernel_and_bias()[:1]), tmp_path / "m.keras", WriteOptions())
    assert list(tmp_path.iterdir()) == []


def test_weights_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="weights without a model"):
        write(WeightsOnly([]), tmp_path / "m.keras", WriteOptions())


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (WriteOptions(quantize={"float16": True}), "--quantize"),
        (WriteOptions(shard_size=1 << 30), "--shard-size"),
        (WriteOptions(split_weights_by_layer=True), "--split-weights-by-layer"),
        (WriteOptions(metadata={"a": 1}), "--metadata"),
    ],
)
def test_options_for_tfjs_only(options: WriteOptions, name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot be used for a Keras archive"):
        write(one_dense(kernel_and_bias()), tmp_path / "m.keras", options)


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        write(one_dense(kernel_and_bias()), tmp_path / "m.keras", WriteOptions())
