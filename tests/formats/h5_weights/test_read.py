"""Weights without a model: listed by layer, or by object as Keras 3 does."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.damage import damaged, survives
from tests.support.fixtures import DATA
from tests.support.keras_files import counted, dense, write_weights
from tfjs.errors import CorruptFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.h5_weights import FORMAT
from tfjs.ir.weights import WeightsOnly

SHARDED = DATA / "keras3" / "sharded-3.15.1.weights.json"


def read(path: Path) -> WeightsOnly:
    content = FORMAT.read(path, ReadOptions())
    assert isinstance(content, WeightsOnly)
    return content


def names(content: WeightsOnly) -> dict[str, list[str]]:
    return {group.name: [item.name for item in group.tensors] for group in content.groups}


def test_by_layer(tmp_path: Path) -> None:
    file = tmp_path / "w.h5"
    with h5py.File(file, "w") as opened:
        opened.attrs["keras_version"] = b"2.2.4-tf"
        write_weights(opened, {"b": dense("b", 2, 3), "none": [], "a": dense("a", 3, 1)})
    assert FORMAT.sniff(file)
    content = read(file)
    assert names(content) == {"b": ["b/kernel", "b/bias"], "a": ["a/kernel", "a/bias"]}
    assert content.producer == "keras 2.2.4-tf"
    np.testing.assert_array_equal(content.tensors()[0].tensor.array(), counted(2, 3))


def test_names_that_occur_twice_get_that_of_the_layer(tmp_path: Path) -> None:
    file = tmp_path / "w.h5"
    with h5py.File(file, "w") as opened:
        write_weights(opened, {"one": dense("d", 2, 3), "two": dense("d", 2, 3)})
    assert names(read(file)) == {
        "one": ["one/d/kernel", "one/d/bias"],
        "two": ["two/d/kernel", "two/d/bias"],
    }


def test_by_object(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "keras3" / "model-3.15.1.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
    file = tmp_path / "model.weights.h5"
    assert FORMAT.sniff(file)
    content = read(file)
    found = names(content)
    assert found["conv"] == ["conv/0", "conv/1"]
    assert found["q"] == ["q/0", "q/1", "q/2", "q/3"]
    # Two cells are called lstm_cell, so that their paths are to tell them apart.
    path = "layers/bidirectional/backward_layer/cell"
    assert found[path] == [f"{path}/0", f"{path}/1", f"{path}/2"]
    state = [item for item in content.tensors() if item.group == "optimizer"]
    assert [item.name for item in state][:3] == ["adam/0", "adam/1", "adam/2"]
    assert [item.name for item in state] == [f"adam/{index}" for index in range(len(state))]


def test_in_pieces() -> None:
    assert FORMAT.sniff(SHARDED)
    with_state = names(read(SHARDED))
    assert with_state["first"] == ["first/0", "first/1"]
    assert len(read(SHARDED).tensors()) > 30


def test_releases_without_names_of_objects(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "keras3" / "model-2.13.1.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
    group = "_layer_checkpoint_dependencies/conv1d"
    assert names(read(tmp_path / "model.weights.h5"))[group] == [f"{group}/0", f"{group}/1"]


def test_hdf5_of_something_else(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["measurements"] = counted(3)
    with pytest.raises(CorruptFileError, match="'measurements' belongs to no object"):
        read(tmp_path / "f.h5")
    with h5py.File(tmp_path / "g.h5", "w"):
        pass
    with pytest.raises(CorruptFileError, match="holds no weights of Keras"):
        read(tmp_path / "g.h5")


def test_whole_models_are_not_for_this_reader() -> None:
    assert not FORMAT.sniff(DATA / "keras2" / "mixed-tensorflow-2.2.4.h5")
    assert not FORMAT.sniff(DATA / "keras1" / "merged-1.2.2.json")
    assert FORMAT.sniff(DATA / "keras1" / "merged-1.2.2.h5")


def _read_all(path: Path) -> None:
    if FORMAT.sniff(path):
        for item in read(path).tensors():
            item.tensor.array()


@pytest.mark.parametrize("kind", ["layers", "objects"])
def test_damaged_files(kind: str, tmp_path: Path) -> None:
    if kind == "layers":
        data = (DATA / "keras1" / "merged-1.2.2.h5").read_bytes()
    else:
        data = (DATA / "keras3" / "sharded-3.15.1_00001.weights.h5").read_bytes()
    assert survives(_read_all, tmp_path / "w.h5", damaged(data, 400)) > 10


@pytest.mark.models
def test_the_real_weights(shared_models: Path) -> None:
    content = read(shared_models / "keras_h5" / "dtln_weights" / "model.h5")
    assert content.producer == "keras 2.2.4-tf"
    assert len({item.name for item in content.tensors()}) == len(content.tensors())
    with h5py.File(shared_models / "keras_h5" / "dtln_weights" / "model.h5") as file:
        sizes: list[int] = []
        file.visititems(lambda _, item: sizes.append(getattr(item, "size", 0)))
    assert sum(item.tensor.size for item in content.tensors()) == sum(sizes) == 986753
