"""Weights without a model, written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.arrays import array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import ReadOptions, WriteOptions, Written
from tfjs.formats.weights_only import FORMAT
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import ArrayTensor
from tfjs.ir.weights import NamedTensor, WeightGroup, WeightsOnly

KERNEL = array("float32", [[1, -2], [3.5, 0]])


def _content(*, names: tuple[str, str] = ("dense", "bn")) -> WeightsOnly:
    def named(name: str, values: Any) -> NamedTensor:
        return NamedTensor(name, ArrayTensor(values))

    first = [named("dense/kernel", KERNEL), named("dense/bias", KERNEL[0])]
    second = [named("bn/gamma", array("float64", [2])), named("dense/extra", array("int64", [9]))]
    groups = [WeightGroup(names[0], first), WeightGroup(names[1], second)]
    return WeightsOnly(groups, producer="keras v3.15.0", metadata={"a": 1})


def _write(path: Path, content: Any = None, **options: Any) -> Written:
    assert FORMAT.write is not None
    return FORMAT.write(content or _content(), path, WriteOptions(**options))


def _values(path: Path) -> dict[str, Any]:
    content = FORMAT.read(path, ReadOptions())
    assert isinstance(content, WeightsOnly)
    return {named.name: named.tensor.array().tolist() for named in content.tensors()}


ALL = {
    "dense/kernel": KERNEL.tolist(),
    "dense/bias": KERNEL[0].tolist(),
    "bn/gamma": [2.0],
    "dense/extra": [9],
}


def test_a_folder_as_the_official_converter_makes_it(tmp_path: Path) -> None:
    written = _write(tmp_path / "out", metadata={"b": 2})
    text = (tmp_path / "out" / "model.json").read_text()
    document = json.loads(text)
    assert list(document) == [
        "format",
        "generatedBy",
        "convertedBy",
        "userDefinedMetadata",
        "modelTopology",
        "weightsManifest",
    ]
    assert document["format"] == "layers-model"
    assert document["generatedBy"] == "keras v3.15.0"
    assert document["userDefinedMetadata"] == {"a": 1, "b": 2}
    assert document["modelTopology"] is None
    assert [len(entry["weights"]) for entry in document["weightsManifest"]] == [4]
    assert written.files == [("model.json", len(text)), ("group1-shard1of1.bin", 32)]
    assert written.notes == []
    assert FORMAT.sniff(tmp_path / "out")
    assert _values(tmp_path / "out") == ALL


def test_no_metadata_no_key(tmp_path: Path) -> None:
    _write(tmp_path / "out", WeightsOnly([]))
    document = json.loads((tmp_path / "out" / "model.json").read_text())
    assert "userDefinedMetadata" not in document
    assert document["generatedBy"] is None
    assert _values(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # The source's own layers, or what stands before the last slash.
        (("dense", "bn"), [["dense/kernel", "dense/bias"], ["bn/gamma", "dense/extra"]]),
        (("", ""), [["dense/kernel", "dense/bias", "dense/extra"], ["bn/gamma"]]),
    ],
)
def test_one_group_a_layer(
    tmp_path: Path, names: tuple[str, str], expected: list[list[str]]
) -> None:
    _write(tmp_path / "out", _content(names=names), split_weights_by_layer=True)
    manifest = json.loads((tmp_path / "out" / "model.json").read_text())["weightsManifest"]
    assert [[weight["name"] for weight in entry["weights"]] for entry in manifest] == expected
    assert [entry["paths"] for entry in manifest] == [
        ["group1-shard1of1.bin"],
        ["group2-shard1of1.bin"],
    ]
    assert _values(tmp_path / "out") == ALL


def test_an_earlier_conversion_is_replaced(tmp_path: Path) -> None:
    _write(tmp_path / "out", shard_size=8)
    (tmp_path / "out" / "labels.txt").write_text("kept")
    assert len(list((tmp_path / "out").iterdir())) == 6
    _write(tmp_path / "out")
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [
        "group1-shard1of1.bin",
        "labels.txt",
        "model.json",
    ]


def test_a_manifest_by_itself(tmp_path: Path) -> None:
    for name, prefix in (("weights_manifest.json", ""), ("tiny-weights_manifest.json", "tiny-")):
        written = _write(tmp_path / name, shard_size=20)
        assert [file for file, _ in written.files] == [
            name,
            f"{prefix}group1-shard1of2.bin",
            f"{prefix}group1-shard2of2.bin",
        ]
        assert written.notes == ["metadata left out: weights_manifest.json has no place for them"]
        assert FORMAT.sniff(tmp_path / name)
        assert _values(tmp_path / name) == ALL
    assert len(list(tmp_path.iterdir())) == 6


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    bad = NamedTensor("w", ArrayTensor(array("int64", [2**40])))
    for path in (tmp_path / "out", tmp_path / "weights_manifest.json"):
        with pytest.raises(UnsupportedError, match="w: the int64 value 1099511627776"):
            _write(path, WeightsOnly([WeightGroup("", [bad])]))
        assert list(tmp_path.iterdir()) == []


def test_paths_that_are_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        _write(tmp_path / "file")
    (tmp_path / "weights_manifest.json").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        _write(tmp_path / "weights_manifest.json")


def test_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="weights alone are written of weights alone"):
        _write(tmp_path / "out", LayersModel("m", "Sequential", [], [], []))


def test_options_reach_the_weights(tmp_path: Path) -> None:
    told: list[int] = []
    written = _write(
        tmp_path / "a",
        quantize={"uint8": ["dense/*"]},
        progress=lambda done, total: told.append(done),
    )
    assert written.files[1] == ("group1-shard1of1.bin", 4 + 2 + 4 + 4)
    assert told[-1] == 14
    assert FORMAT.write is not None
    back = FORMAT.read(tmp_path / "a", ReadOptions())
    written = _write(tmp_path / "b", back, dequantize=True)
    assert written.files[1] == ("group1-shard1of1.bin", 32)
    assert np.abs(np.subtract(_values(tmp_path / "b")["dense/kernel"], KERNEL)).max() < 5.5 / 255


def test_face_api_in_the_real_tfjs(
    tmp_path: Path, shared_models: Path, tfjs_runtime: TfjsRuntime
) -> None:
    source = shared_models / "tfjs_weights_only" / "faceapi_tiny_face_detector_model"
    content = FORMAT.read(source, ReadOptions())
    assert isinstance(content, WeightsOnly)
    _write(tmp_path / "out", content, shard_size=10_000)
    # TF.js's own loader wants a topology, whatever it is.
    document = json.loads((tmp_path / "out" / "model.json").read_text())
    (tmp_path / "out" / "model.json").write_text(json.dumps({**document, "modelTopology": {}}))
    theirs = tfjs_runtime.decode_weights(tmp_path / "out")
    assert len(theirs) == 19
    for named in content.tensors():
        assert theirs[named.name].tobytes() == named.tensor.array().tobytes()
