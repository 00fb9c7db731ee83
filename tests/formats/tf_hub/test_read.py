"""Modules of TensorFlow Hub from folders and archives."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.formats.tf_hub.hub_modules import archive, of_tf1, of_tf2
from tfjs.errors import CorruptFileError, FormatError, UsageError
from tfjs.formats.base import ReadOptions
from tfjs.formats.registry import detect
from tfjs.formats.tf_hub.read import read, signatures, sniff

ANY = ReadOptions()


@pytest.fixture(scope="module")
def first(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return of_tf1(tensorflow, tmp_path_factory.mktemp("tf1") / "m")


@pytest.fixture(scope="module")
def second(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return of_tf2(tensorflow, tmp_path_factory.mktemp("tf2") / "m")


class TestAModuleOfTf1:
    def test_it_is_recognised(self, first: Path) -> None:
        assert detect(first).name == "tf-hub"

    def test_its_default_signature_without_tags(self, first: Path) -> None:
        model = read(first, ANY)
        assert signatures(first, ANY) == ["default"]
        assert model.signature.inputs == ["images"]
        assert model.signature.outputs == ["default"]

    def test_variables_are_found_without_a_saver(self, first: Path) -> None:
        variables = read(first, ANY).variables
        assert sorted(variables) == ["module/b", "module/w/part_0", "module/w/part_1"]
        for part in ("module/w/part_0", "module/w/part_1"):
            expected = np.full((2, 3), 0.5, np.float32)
            np.testing.assert_array_equal(variables[part].array(), expected, strict=True)

    def test_other_tags(self, first: Path) -> None:
        with pytest.raises(UsageError, match="tags train"):
            read(first, ReadOptions(tags=("train",)))


class TestAModuleOfTf2:
    def test_its_folder_is_a_saved_model(self, second: Path) -> None:
        assert detect(second).name == "saved-model"
        assert read(second, ANY).signature.inputs == ["images"]

    @pytest.mark.parametrize("inner", [".", "module", "a/b"])
    def test_an_archive(self, inner: str, second: Path, tmp_path: Path) -> None:
        file = tmp_path / "module.tar.gz"
        file.write_bytes(archive(second, inner))
        assert detect(file).name == "tf-hub"
        model = read(file, ANY)
        assert [node.name for node in model.graph.inputs] == ["images"]
        assert model.variables["v"].array().tolist() == [1.5, 2.5]
        assert model.producer == read(second, ANY).producer


class TestWhatIsNone:
    def test_an_archive_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "readme.txt").write_text("nothing")
        file = tmp_path / "m.tgz"
        file.write_bytes(archive(tmp_path / "in"))
        with pytest.raises(FormatError, match="holds no SavedModel") as failure:
            read(file, ANY)
        assert failure.value.where == str(file)

    @pytest.mark.parametrize("name", ["m.tar.gz", "m.tgz", "m.bin"])
    def test_no_archive(self, name: str, tmp_path: Path) -> None:
        file = tmp_path / name
        file.write_bytes(b"no gzip")
        assert not sniff(file)
        with pytest.raises(CorruptFileError, match=r"is no whole \.tar\.gz archive"):
            read(file, ANY)

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "tfhub_module.pb").write_bytes(b"\x08\x03")
        assert not sniff(tmp_path)
        with pytest.raises(FormatError, match="holds no SavedModel"):
            read(tmp_path, ANY)
