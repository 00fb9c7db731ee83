"""Weight files that are written, and read back: by us and by the real TF.js."""

from __future__ import annotations

import json
import math
import re
import tempfile
import tracemalloc
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.formats.arrays import array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.formats.base import QuantizationMap
from tfjs.formats.manifest import read_manifest, write_weights
from tfjs.io.files import CHUNK, FileSpan
from tfjs.io.json import write_json
from tfjs.ir.tensor import (
    Array,
    ArrayTensor,
    DerivedTensor,
    Quantization,
    QuantizedTensor,
    SpanTensor,
    Tensor,
)
from tfjs.ir.weights import NamedTensor, WeightGroup

_QUIET = {"dequantize": False, "progress": lambda done, total: None}


def write(
    groups: Sequence[WeightGroup],
    folder: Path,
    *,
    shard_size: int = 1 << 22,
    quantize: QuantizationMap | None = None,
    **options: Any,
) -> tuple[list[Any], list[tuple[str, int]], list[str]]:
    return write_weights(
        groups, folder, shard_size=shard_size, quantize=quantize or {}, **{**_QUIET, **options}
    )


def group(**arrays: Any) -> WeightGroup:
    return WeightGroup(
        "",
        [
            NamedTensor(name, value if isinstance(value, Tensor) else ArrayTensor(value))
            for name, value in arrays.items()
        ],
    )


def _bytes(value: Array) -> Any:
    """Something to compare by, NaN and all."""
    return value.tolist() if value.dtype == object else value.tobytes()


_SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
_ARRAYS = _SHAPES.flatmap(
    lambda shape: (
        st.sampled_from(["<f4", "<i4", "?", "<c8"]).flatmap(lambda dtype: hnp.arrays(dtype, shape))
        | hnp.arrays(
            object, shape, elements=st.text(max_size=5).map(lambda x: x.encode(errors="replace"))
        )
        | hnp.arrays(object, shape, elements=st.binary(max_size=9))
    )
)
_GROUPS = st.lists(st.lists(_ARRAYS, max_size=4), max_size=4)


@settings(deadline=None)
@given(_GROUPS, st.integers(1, 70))
def test_what_is_written_is_read(arrays: list[list[Array]], shard_size: int) -> None:
    groups = [
        WeightGroup("", [NamedTensor(f"{g}/{i}", ArrayTensor(a)) for i, a in enumerate(members)])
        for g, members in enumerate(arrays)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest, files, _ = write(groups, folder, shard_size=shard_size)
        assert {f.name: f.stat().st_size for f in folder.iterdir()} == dict(files)
        assert [path for entry in manifest for path in entry["paths"]] == [
            name for name, _ in files
        ]
        back = read_manifest(json.loads(json.dumps(manifest, allow_nan=False)), folder, "m.json")
        found = [[(t.name, t.tensor.array()) for t in entry.tensors] for entry in back]
    expected = [[(t.name, t.tensor.array()) for t in entry.tensors] for entry in groups] or [[]]
    assert [[name for name, _ in entry] for entry in found] == [
        [name for name, _ in entry] for entry in expected
    ]
    for (_, ours), (_, theirs) in zip(chain(*found), chain(*expected), strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        assert _bytes(ours) == _bytes(theirs)
    assert files, "TF.js wants at least one weight file"
    for entry in manifest:
        sizes = [dict(files)[path] for path in entry["paths"]]
        # A last file that is longer than all others is cut in two: TF.js would misread it.
        cut = len(sizes) == 2 and sum(sizes) <= shard_size and entry["paths"][-1] == files[-1][0]
        assert cut or all(size == shard_size for size in sizes[:-1])
        assert sum(len(e["paths"]) for e in manifest) == 1 or all(
            0 < s <= shard_size for s in sizes
        )


def test_names_of_files(tmp_path: Path) -> None:
    groups = [group(a=np.zeros(5, "f4")), group(), group(b=np.zeros(2, "f4"), c=np.zeros(1, "?"))]
    manifest, files, notes = write(groups, tmp_path, shard_size=8)
    assert files == [
        ("group1-shard1of3.bin", 8),
        ("group1-shard2of3.bin", 8),
        ("group1-shard3of3.bin", 4),
        ("group3-shard1of2.bin", 8),
        ("group3-shard2of2.bin", 1),
    ]
    assert [entry["paths"] for entry in manifest] == [
        ["group1-shard1of3.bin", "group1-shard2of3.bin", "group1-shard3of3.bin"],
        [],
        ["group3-shard1of2.bin", "group3-shard2of2.bin"],
    ]
    assert notes == []
    _, files, _ = write(groups[:1], tmp_path, prefix="tiny-")
    assert files == [("tiny-group1-shard1of1.bin", 20)]


@pytest.mark.parametrize("groups", [[], [group()], [group(), group(a=np.zeros((0, 2), "f4"))]])
def test_there_is_always_a_file(tmp_path: Path, groups: list[WeightGroup]) -> None:
    manifest, files, _ = write(groups, tmp_path)
    assert files == [("group1-shard1of1.bin", 0)]
    assert manifest[0]["paths"] == ["group1-shard1of1.bin"]
    assert (tmp_path / "group1-shard1of1.bin").read_bytes() == b""
    assert len(read_manifest(manifest, tmp_path, "m")) == max(1, len(groups))


def test_same_source_same_bytes(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    results = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        groups = [group(x=values, y=values[:10], z=np.array(["é"]))]
        manifest, files, _ = write(groups, tmp_path / name, shard_size=99, quantize={"uint8": "x"})
        data = [(tmp_path / name / file).read_bytes() for file, _ in files]
        results.append((json.dumps(manifest), data))
    assert results[0] == results[1]


def test_quantised_weights_come_back_quantised(tmp_path: Path) -> None:
    values = array("float32", np.linspace(-3, 5, 1000)).reshape(10, 100)
    groups = [group(a=values, b=values, c=values, d=array("int32", [1]))]
    rules: QuantizationMap = {"uint8": ["a"], "uint16": ["b", "no"], "float16": True}
    manifest, files, notes = write(groups, tmp_path, quantize=rules, shard_size=777)
    assert sum(size for _, size in files) == 1000 + 2000 + 2000 + 4
    assert notes == ["quantisation to uint16: no weight is named like 'no'"]
    tensors = read_manifest(manifest, tmp_path, "m")[0].tensors
    dtypes = [
        named.tensor.quantization.dtype
        for named in tensors
        if isinstance(named.tensor, QuantizedTensor)
    ]
    assert dtypes == ["uint8", "uint16", "float16"]
    for named, bound in zip(tensors, (4 / 255, 4 / 65535, 2**-9), strict=False):
        assert named.tensor.shape == (10, 100)
        assert 0 < np.abs(named.tensor.array() - values).max() <= bound * 1.001
    # Once more through the writer, in other shards: not a bit changes.
    second, _, notes = write([WeightGroup("", tensors)], tmp_path, shard_size=100)
    again = read_manifest(second, tmp_path, "m")[0].tensors
    assert second[0]["weights"] == manifest[0]["weights"]
    assert notes == []
    for before, after in zip(tensors, again, strict=True):
        assert before.tensor.array().tobytes() == after.tensor.array().tobytes()


def test_optimizer_weights_keep_their_mark(tmp_path: Path) -> None:
    named = NamedTensor("iter", ArrayTensor(np.int64(3)), "optimizer")
    manifest, _, _ = write([WeightGroup("", [named])], tmp_path)
    assert manifest[0]["weights"] == [
        {"name": "iter", "shape": [], "dtype": "int32", "group": "optimizer"}
    ]
    assert read_manifest(manifest, tmp_path, "m")[0].tensors[0].group == "optimizer"


def test_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    groups = [group(a=np.zeros(1 << 20, "f4")), group(b=np.zeros(10, "f4"))]
    write(groups, tmp_path, quantize={"uint16": ["b"]}, progress=lambda *x: told.append(x))
    total = (4 << 20) + 20
    assert told[0] == (CHUNK, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_small_weights_among_others(tmp_path: Path) -> None:
    """They are written together; bytes and remarks are those of each by itself."""
    count = 600  # more than are written at once
    arrays = {
        **{f"i{index}": np.arange(index % 5) for index in range(7)},
        **{f"f{index}": np.full(3, index, np.float32) for index in range(count)},
        "bad": np.array([1, np.nan], np.float32),
        "far": np.array([1e39, 0.5]),
        "large": np.arange(70_000, dtype=np.float32),
        "true": np.array([True, False]),
        "half": np.float16(0.5),
        "text": np.array([b"ab", b""], object),
    }
    _, files, notes = write([group(**arrays)], tmp_path, shard_size=10_000)
    with np.errstate(over="ignore"):
        expected = b"".join(map(_stored_bytes, arrays.values()))
    assert b"".join((tmp_path / name).read_bytes() for name, _ in files) == expected
    assert [note.partition(":")[2] for note in notes] == [" bad", " far"]


def _stored_bytes(value: Any) -> bytes:
    if value.dtype == object:
        return b"".join(len(text).to_bytes(4, "little") + text for text in value)
    kinds = {"f": "<f4", "i": "<i4", "b": "u1"}
    return bytes(value.astype(kinds[value.dtype.kind]).tobytes())


def test_one_name_twice(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="two weights are named 'a'"):
        write([group(a=array("float32", [1])), group(a=array("float32", [2]))], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_weight_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    groups = [
        group(a=array("int64", [2**40]), b=array("float32", [np.nan]), c=array("int64", [7])),
        group(d=array("uint32", [2**31])),
    ]
    with pytest.raises(UnsupportedError, match="cannot hold the values") as caught:
        write(groups, tmp_path, quantize={"uint8": True})
    assert caught.value.problems == (
        "a: the int64 value 1099511627776 does not fit int32",
        "b: holds NaN or infinity, which uint8 cannot store",
        "d: the uint32 value 2147483648 does not fit int32",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shard_size", "message"),
    [(0, "positive number of bytes, not 0"), (-1, "not -1"), (3, "would make 133334 files")],
)
def test_shard_sizes_that_make_no_sense(tmp_path: Path, shard_size: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        write([group(a=np.zeros(100_000, "f4"))], tmp_path, shard_size=shard_size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [3, 5])
def test_a_source_that_gives_other_bytes_than_it_says(tmp_path: Path, count: int) -> None:
    class Liar(DerivedTensor):
        def blocks(self, size: int = 0) -> Any:
            yield np.zeros(count, "f4")

    liar = Liar("float32", (4,), lambda: np.zeros(4, "f4"))
    with pytest.raises(ConversionError, match="other than the 16 bytes"):
        write([group(a=liar)], tmp_path)


def test_disk_errors_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write([group(a=array("float32", [1]))], tmp_path / "absent")


@pytest.mark.parametrize(
    "quantize", [{}, {"uint8": True}, {"float16": True}], ids=["plain", "uint8", "float16"]
)
def test_memory_stays_flat(tmp_path: Path, quantize: QuantizationMap) -> None:
    size = 64 << 20
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(size + 1)
    # One byte off, so that no number is aligned, and in pieces that cut numbers.
    edges = [1, 2, 5_000_002, size + 1]
    spans = [FileSpan(sparse, a, b - a) for a, b in pairwise(edges)]
    tensor = SpanTensor("float32", [size // 4], spans)
    tracemalloc.start()
    try:
        manifest, files, _ = write([group(a=tensor)], tmp_path, quantize=quantize)
        read_manifest(manifest, tmp_path, "m")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    bits = {"uint8": 8, "float16": 16}[next(iter(quantize))] if quantize else 32
    assert sum(size for _, size in files) == size * bits // 32
    assert peak < 6 << 20


def test_the_real_tfjs_reads_it(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    rng = np.random.default_rng(1)
    values = array("float32", rng.standard_normal((7, 5)) * 3)
    text = np.array([["", "añb", "日本"], [b"\xf0\x9f\x98\x80", "d", "e" * 300]], dtype=object)
    quantized_int = QuantizedTensor(
        ArrayTensor(array("uint8", [0, 3, 255])),
        Quantization("uint8", scale=2.25, min=-8.0),
        "int32",
    )
    groups = [
        group(plain=values, half=values, byte=values, short=values, wide=array("float64", values)),
        group(flag=array("bool", [True, False, True]), text=text, scalar=np.int64(-5)),
        group(
            complex=array("complex64", [1 + 2j]), empty=np.zeros((0, 3), "f4"), ints=quantized_int
        ),
        group(constant=np.full(4, 0.1, "f4"), edge=array("float32", [np.inf, -0.0, 1e-45])),
    ]
    rules: QuantizationMap = {"float16": ["half"], "uint8": ["byte", "constant"], "uint16": "short"}
    manifest, files, _ = write(groups, tmp_path, shard_size=37, quantize=rules)
    assert len(files) > 20
    write_json(tmp_path / "model.json", {"modelTopology": {}, "weightsManifest": manifest})
    theirs = tfjs_runtime.decode_weights(tmp_path / "model.json")
    ours = {
        named.name: named.tensor.array()
        for entry in read_manifest(manifest, tmp_path, "m")
        for named in entry.tensors
    }
    assert list(theirs) == list(ours)
    for name, own in ours.items():
        assert theirs[name].shape == own.shape, name
        if name == "text":
            assert [bytes(x) for x in theirs[name].flat] == list(own.flat)
        else:
            assert theirs[name].dtype == own.dtype, name
            assert theirs[name].tobytes() == own.tobytes(), name
    assert ours["plain"].tobytes() == ours["wide"].tobytes() == values.tobytes()
    assert ours["scalar"].tolist() == -5
    assert ours["constant"].tolist() == np.full(4, 0.1, "f4").tolist()


def test_speed_of_planning_many_weights(tmp_path: Path) -> None:
    tensors = [NamedTensor(f"w{i}", ArrayTensor(array("float32", [i]))) for i in range(5000)]
    manifest, _, _ = write([WeightGroup("", tensors)], tmp_path)
    back = read_manifest(manifest, tmp_path, "m")[0].tensors
    assert math.fsum(float(named.tensor.array()[0]) for named in back[::100]) == 122500.0
    assert all(re.fullmatch(r"w\d+", named.name) for named in back)


def test_a_longer_last_file_is_cut(tmp_path: Path) -> None:
    arrays = [np.zeros(1, np.float32), np.zeros(1, np.float32), np.arange(3, dtype=np.float32)]
    groups = [WeightGroup("", [NamedTensor(str(i), ArrayTensor(a))]) for i, a in enumerate(arrays)]
    manifest, files, _ = write(groups, tmp_path, shard_size=100)
    assert [size for _, size in files] == [4, 4, 6, 6]
    back = read_manifest(manifest, tmp_path, "m.json")
    np.testing.assert_array_equal(back[2].tensors[0].tensor.array(), arrays[2])
