"""`tensorflowjs.write_weights` and `read_weights`, as the official package documents them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorflowjs as tfjs
from tfjs.errors import ConversionError, CorruptFileError, UnsupportedError, UsageError

GROUPS: list[Any] = [
    [
        {"name": "a", "data": np.array([1, 2, 3], dtype=np.float32)},
        {"name": "b", "data": np.array([["кит", ""], ["鲸", "x"]], dtype=object)},
    ],
    [{"name": "c", "data": np.array(True)}, {"name": "d", "data": np.array([4, -5])}],
]


def _write(folder: Path, groups: Any = None, **options: Any) -> list[Any]:
    return tfjs.write_weights.write_weights(groups or GROUPS, folder, **options)


def _plain(groups: list[Any]) -> Any:
    return [[(entry["name"], entry["data"].tolist()) for entry in group] for group in groups]


def test_version_and_modules() -> None:
    assert tfjs.__version__ == tfjs.version.version == "4.22.0"
    assert callable(tfjs.converters.save_keras_model)
    assert not hasattr(tfjs.converters, "convert_jax")


def test_write_and_read(tmp_path: Path) -> None:
    manifest = _write(tmp_path / "made", shard_size_bytes=10)
    assert manifest[0]["paths"] == [f"group1-shard{i}of4.bin" for i in (1, 2, 3, 4)]
    assert manifest[1] == {
        "paths": ["group2-shard1of1.bin"],
        "weights": [
            {"name": "c", "shape": [], "dtype": "bool"},
            {"name": "d", "shape": [2], "dtype": "int32"},
        ],
    }
    assert json.loads((tmp_path / "made" / "weights_manifest.json").read_text()) == manifest
    groups = tfjs.read_weights.read_weights(manifest, str(tmp_path / "made"))
    assert _plain(groups) == [
        [("a", [1.0, 2.0, 3.0]), ("b", [["кит".encode(), b""], ["鲸".encode(), b"x"]])],
        [("c", True), ("d", [4, -5])],
    ]
    flat = tfjs.read_weights.read_weights(manifest, tmp_path / "made", flatten=True)
    assert _plain([flat]) == [sum(_plain(groups), [])]  # noqa: RUF017
    flat[0]["data"][0] = 9  # a copy, which may be changed


def test_without_a_manifest_and_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    manifest = _write(tmp_path, shard_size_bytes=None, write_manifest=False)
    assert [entry["paths"] for entry in manifest] == [
        ["group1-shard1of1.bin"],
        ["group2-shard1of1.bin"],
    ]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "group1-shard1of1.bin",
        "group2-shard1of1.bin",
        "other",
    ]


def test_quantisation(tmp_path: Path) -> None:
    manifest = _write(tmp_path, quantization_dtype_map={"uint8": True})
    spec = manifest[0]["weights"][0]
    assert (spec["dtype"], spec["quantization"]["dtype"]) == ("float32", "uint8")
    (values, *_), *_ = tfjs.read_weights.read_weights(manifest, tmp_path)
    assert np.abs(values["data"] - [1, 2, 3]).max() <= 1 / 255


def test_decode(tmp_path: Path) -> None:
    manifest = _write(tmp_path, shard_size_bytes=10)
    buffers = [
        b"".join((tmp_path / path).read_bytes() for path in entry["paths"]) for entry in manifest
    ]
    expected = _plain(tfjs.read_weights.read_weights(manifest, tmp_path))
    decode = tfjs.read_weights.decode_weights
    assert _plain(decode(manifest, buffers)) == expected
    assert _plain(decode(manifest, [bytearray(b) for b in buffers])) == expected
    assert _plain(decode(manifest, [io.BytesIO(b) for b in buffers])) == expected
    assert _plain(decode(manifest[:1], buffers[0])) == expected[:1]
    assert _plain([decode(manifest[1:], buffers[1:], flatten=True)]) == expected[1:]
    with pytest.raises(UsageError, match="the manifest has 2 groups, 1 buffers were given"):
        decode(manifest, buffers[0])
    with pytest.raises(UsageError, match="a buffer must be bytes or an open binary file, not str"):
        decode(manifest[1:], ["text"])
    with pytest.raises(CorruptFileError, match="needs 9 bytes, its files have 8"):
        decode(manifest[1:], [buffers[1][:-1]])
    broken: Any
    for broken in ("x", [1], [{"paths": []}]):
        with pytest.raises(CorruptFileError, match="manifest"):
            decode(broken, [b""])


@pytest.mark.parametrize(
    ("groups", "kind", "message"),
    [
        ([], UsageError, "at least one group"),
        ({"a": 1}, UsageError, "must be a list"),
        ([{"name": "a"}], UsageError, "a weight group must be a list, not dict"),
        ([["a"]], UsageError, "must be a dict with 'name' and 'data'"),
        ([[{"name": "a"}]], UsageError, "must be a dict with 'name' and 'data'"),
        ([[{"name": 1, "data": np.zeros(1)}]], UsageError, "must be a str, not int"),
        ([[{"name": "a", "data": [1.0]}]], UsageError, "a: the data must be a NumPy array"),
        (
            [[{"name": "a", "data": np.array([5], dtype=object)}]],
            UsageError,
            "a: an object array must hold str or bytes",
        ),
        (
            [[{"name": "a", "data": np.zeros(1, "datetime64[s]")}]],
            UnsupportedError,
            r"a: TF.js has no dtype for datetime64\[s\]",
        ),
        (
            [[{"name": "a", "data": np.zeros(1)}], [{"name": "a", "data": np.zeros(1)}]],
            ConversionError,
            "two weights are named 'a'",
        ),
    ],
)
def test_weights_of_another_form(
    tmp_path: Path, groups: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        tfjs.write_weights.write_weights(groups, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_shard_size_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="positive number of bytes, not 0"):
        _write(tmp_path, shard_size_bytes=0)
