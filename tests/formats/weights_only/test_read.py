"""Weights without a model, as face-api and the official converter write them."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.arrays import array
from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.weights_only import FORMAT
from tfjs.ir.tensor import QuantizedTensor
from tfjs.ir.weights import WeightsOnly

MANIFEST = [
    {
        "paths": ["group1-shard1of1.bin"],
        "weights": [{"name": "a/b", "shape": [2], "dtype": "float32"}],
    }
]


def _folder(folder: Path, **files: Any) -> Path:
    """A folder with a weight file and JSON files; the first `_` of a name is a `-`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "group1-shard1of1.bin").write_bytes(array("<f4", [1, 2]).tobytes())
    for name, value in files.items():
        path = folder / f"{name.replace('_', '-', 1) if name != 'weights_manifest' else name}.json"
        path.write_text(json.dumps(value))
    return folder


def _read(path: Path, **options: Any) -> WeightsOnly:
    content = FORMAT.read(path, ReadOptions(**options))
    assert isinstance(content, WeightsOnly)
    return content


def _values(content: WeightsOnly) -> dict[str, Any]:
    return {named.name: named.tensor.array().tolist() for named in content.tensors()}


def test_face_api(shared_models: Path) -> None:
    folder = shared_models / "tfjs_weights_only" / "faceapi_tiny_face_detector_model"
    file = folder / "tiny_face_detector_model-weights_manifest.json"
    assert FORMAT.sniff(folder)
    assert FORMAT.sniff(file)
    tensors = {named.name: named.tensor for named in _read(folder).tensors()}
    # Decoded once more by hand, from the bytes and the words of the format.
    raw = np.fromfile(folder / "tiny_face_detector_model.bin", dtype="u1")
    (group,) = json.loads(file.read_text())
    assert len(group["weights"]) == len(tensors) == 19
    at = 0
    for spec in group["weights"]:
        count = int(np.prod(spec["shape"]))
        quantization = spec["quantization"]
        stored = raw[at : at + count].astype("f8").reshape(spec["shape"])
        at += count
        expected = (stored * quantization["scale"] + quantization["min"]).astype("f4")
        tensor = tensors[spec["name"]]
        assert isinstance(tensor, QuantizedTensor)
        assert tensor.stored.dtype == quantization["dtype"] == "uint8"
        assert np.array_equal(tensor.array(), expected)
    assert at == raw.size
    # What training left: the first filter, to be sure that numbers are weights.
    assert -1.21 < float(tensors["conv0/filters"].array().min()) < -1.2


def test_manifest_files(tmp_path: Path) -> None:
    for name in ("weights_manifest", "tiny_weights_manifest"):
        folder = _folder(tmp_path / name, **{name: MANIFEST})
        (file,) = folder.glob("*.json")
        for path in (folder, file):
            assert FORMAT.sniff(path)
            content = _read(path)
            assert _values(content) == {"a/b": [1.0, 2.0]}
            assert (content.producer, content.metadata) == (None, {})


def test_model_json_without_a_topology(tmp_path: Path) -> None:
    document = {
        "format": "layers-model",
        "generatedBy": "keras v2.2.4",
        "userDefinedMetadata": {"labels": ["x"]},
        "weightsManifest": MANIFEST,
    }
    for name, more in (("null", {"modelTopology": None}), ("absent", {})):
        folder = _folder(tmp_path / name, model={**document, **more})
        for path in (folder, folder / "model.json"):
            assert FORMAT.sniff(path)
            content = _read(path)
            assert _values(content) == {"a/b": [1.0, 2.0]}
            assert content.producer == "keras v2.2.4"
            assert content.metadata == {"labels": ["x"]}


def test_compressed_manifest(tmp_path: Path) -> None:
    file = _folder(tmp_path) / "weights_manifest.json"
    file.write_bytes(gzip.compress(json.dumps(MANIFEST).encode()))
    assert FORMAT.sniff(file)
    assert _values(_read(file)) == {"a/b": [1.0, 2.0]}


def test_a_weight_file_elsewhere(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "model", weights_manifest=MANIFEST)
    moved = tmp_path / "moved.bin"
    shutil.move(folder / "group1-shard1of1.bin", moved)
    with pytest.raises(CorruptFileError, match=r"'group1-shard1of1\.bin' is missing"):
        _read(folder)
    assert _values(_read(folder, weights=moved)) == {"a/b": [1.0, 2.0]}


@pytest.mark.parametrize(
    "value",
    [
        {"modelTopology": {"model_config": {}}, "weightsManifest": MANIFEST},
        {"modelTopology": None},
        {"weightsManifest": None},
        {},
        [],
        [1],
        [{"paths": []}],
        "weights",
        3,
        None,
    ],
)
def test_other_json_is_not_sniffed(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "weights_manifest.json"
    file.write_text(json.dumps(value))
    assert not FORMAT.sniff(file)
    assert not FORMAT.sniff(tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"[{", b"\x89HDF\r\n\x1a\n", b"<html>", b'[{"paths": [], "weights": NaN}]', b"\x1f\x8b"],
)
def test_other_files_are_not_sniffed(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "weights_manifest.json"
    file.write_bytes(data)
    assert not FORMAT.sniff(file)
    with pytest.raises(CorruptFileError):
        _read(file)


def test_folders_of_other_models_are_not_sniffed(tmp_path: Path) -> None:
    assert not FORMAT.sniff(tmp_path)
    assert not FORMAT.sniff(tmp_path / "absent")
    old_graph = _folder(tmp_path / "old", weights_manifest=MANIFEST)
    (old_graph / "tensorflowjs_model.pb").touch()
    assert not FORMAT.sniff(old_graph)
    several = _folder(
        tmp_path / "several", a_weights_manifest=MANIFEST, b_weights_manifest=MANIFEST
    )
    assert not FORMAT.sniff(several)
    assert FORMAT.sniff(several / "a-weights_manifest.json")
    with pytest.raises(FormatError, match=r"several manifests: a-weights_manifest\.json, b-weigh"):
        _read(several)
    with pytest.raises(FormatError, match=r"holds no weights_manifest\.json"):
        _read(_folder(tmp_path / "none", xweights_manifest=MANIFEST))


def test_a_model_is_refused(tmp_path: Path) -> None:
    document = {"modelTopology": {"model_config": {}}, "weightsManifest": MANIFEST}
    folder = _folder(tmp_path, model=document)
    with pytest.raises(FormatError, match="holds a model, not only weights"):
        _read(folder)


def test_damaged_manifests(tmp_path: Path) -> None:
    folder = _folder(tmp_path, weights_manifest={"modelTopology": None})
    with pytest.raises(CorruptFileError, match="has no weightsManifest"):
        _read(folder)
    _folder(tmp_path, weights_manifest=[{**MANIFEST[0], "paths": ["../x"]}])
    with pytest.raises(UnsafeFileError, match="outside of its folder") as caught:
        _read(folder)
    assert caught.value.where == str(folder / "weights_manifest.json")
    values: list[Any] = [None, 1, "x", [[]], {"weightsManifest": {}}]
    for value in values:
        _folder(tmp_path, weights_manifest=value)
        with pytest.raises(TfjsError):
            _read(folder)
    with pytest.raises(FormatError, match="No such file"):
        _read(tmp_path / "absent.json")
