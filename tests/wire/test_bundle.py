from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from tests.wire import golden_bundle
from tests.wire.mutation import damaged
from tests.wire.table_writer import entry, header, stored_crc, write_bundle
from tfjs.errors import CorruptFileError, FormatError, TfjsError
from tfjs.wire.bundle import OBJECT_GRAPH_KEY, read_bundle
from tfjs.wire.ordered_code import slice_key
from tfjs.wire.protobuf import message_class, parse
from tfjs.wire.varint import varint

FLOAT, INT32, STRING = 1, 3, 7
Change = Callable[[dict[bytes, bytes]], None]


def strings(*values: bytes) -> tuple[bytes, int]:
    """A string tensor as it stands in a data file, and its stored CRC."""
    lengths = b"".join(len(value).to_bytes(4, "little") for value in values)
    crc = stored_crc(lengths).to_bytes(4, "little")
    body = b"".join(values)
    data = b"".join(varint(len(value)) for value in values) + crc + body
    return data, stored_crc(lengths + crc + body)


def test_whole_tensors(tmp_path: Path) -> None:
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    steps = np.array(7, np.int32)
    bundle = read_bundle(
        write_bundle(
            tmp_path,
            [
                ("empty", FLOAT, (0, 4), b""),
                ("step", INT32, (), steps.tobytes()),
                ("w", FLOAT, (2, 3), weights.tobytes()),
            ],
        )
    )
    assert bundle.keys() == ["empty", "step", "w"]
    assert "w" in bundle
    assert "" not in bundle
    found = bundle.entry("w")
    assert (found.dtype, found.dtype_name, found.shape) == (FLOAT, "float32", (2, 3))
    assert (found.path, found.offset, found.size) == (
        tmp_path / "ck.data-00000-of-00001",
        4,
        24,
    )
    assert found.slices == ()
    assert np.array_equal(
        np.frombuffer(found.span().view(), np.float32).reshape(found.shape), weights
    )
    for key in bundle.keys():  # noqa: SIM118 - a Bundle is no mapping
        bundle.verify_crc(key)


def test_a_bundle_of_tensorflow(tmp_path: Path) -> None:
    bundle = read_bundle(golden_bundle.write(tmp_path))
    assert bundle.keys() == ["a/w", "b", "list", "s"]
    assert [bundle.entry(key).dtype_name for key in bundle.keys()] == [  # noqa: SIM118
        "int16",
        "bfloat16",
        "variant",
        "string",
    ]
    for key in bundle.keys():  # noqa: SIM118
        bundle.verify_crc(key)
    assert bundle.read_strings("s") == golden_bundle.STRINGS
    assert bytes(bundle.entry("b").span().view()) == b"\xc0\x3f\0\xc0"
    assert bundle.object_graph() is None


def test_slices_of_tensorflow(tmp_path: Path) -> None:
    whole = read_bundle(golden_bundle.write(tmp_path)).entry("a/w")
    assert (whole.path, whole.size, whole.shape) == (None, 0, (3, 70))
    assert [(piece.starts, piece.entry.shape) for piece in whole.slices] == [
        ((0, 0), (3, 64)),
        ((0, 64), (3, 6)),
    ]
    joined = np.concatenate(
        [
            np.frombuffer(piece.entry.span().view(), np.int16).reshape(piece.entry.shape)
            for piece in whole.slices
        ],
        axis=1,
    )
    assert np.array_equal(joined, np.arange(210).reshape(3, 70))
    with pytest.raises(ValueError, match="a/w stands in slices"):
        whole.span()


@pytest.mark.parametrize("key", ["a/w", "b", "list", "s"])
def test_every_flipped_byte_of_the_data_is_found(tmp_path: Path, key: str) -> None:
    prefix = golden_bundle.write(tmp_path)
    whole = read_bundle(prefix).entry(key)
    for part in [piece.entry for piece in whole.slices] or [whole]:
        assert part.path is not None
        for position in range(part.offset, part.offset + part.size, 7):
            data = bytearray(golden_bundle.DATA)
            data[position] ^= 0x10
            part.path.write_bytes(data)
            with pytest.raises(CorruptFileError, match=key):
                read_bundle(prefix).verify_crc(key)


def _set(key: bytes, dtype: int, shape: tuple[int, ...], data: bytes, **fields: object) -> Change:
    def change(entries: dict[bytes, bytes]) -> None:
        entries[key] = entry(dtype, shape, data, 0, **fields)

    return change


def _header(**fields: object) -> Change:
    return lambda entries: entries.update({b"": header(**fields)})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda entries: entries.pop(b""), CorruptFileError, "the header is missing"),
        (_header(num_shards=0), CorruptFileError, "declares 0 data files"),
        (_header(num_shards=-1), CorruptFileError, "declares -1 data files"),
        (_header(num_shards=2), FormatError, r"ck\.data-00000-of-00002: cannot be read"),
        (_header(endianness=1), FormatError, "big-endian"),
        (_header(version={"min_consumer": 2}), FormatError, "needs version 2"),
        (_header(version={"bad_consumers": [1]}), FormatError, "needs version 0"),
        (lambda entries: entries.update({b"": b"\xff"}), CorruptFileError, "BundleHeaderProto"),
        (lambda entries: entries.update({b"w": b"\xff"}), CorruptFileError, "BundleEntryProto"),
        (lambda entries: entries.update({b"\xff": b""}), CorruptFileError, r"b'\\xff' is no text"),
        (_set(b"w", FLOAT, (3,), bytes(12)), CorruptFileError, "bytes 0 to 12, .* has 8"),
        (_set(b"w", FLOAT, (3,), bytes(8)), CorruptFileError, r"shape \[3\], but has 8 bytes"),
        (_set(b"w", FLOAT, (2**62, 2**62), b""), CorruptFileError, "but has 0 bytes"),
        (_set(b"w", FLOAT, (-1,), b""), CorruptFileError, "'w' has no static shape"),
        (_set(b"w", FLOAT, (1,) * 300, bytes(4)), CorruptFileError, "no static shape"),
        (_set(b"w", FLOAT, (), bytes(4), offset=-4), CorruptFileError, "bytes -4 to 0"),
        (_set(b"w", FLOAT, (), bytes(4), offset=2**62), CorruptFileError, "has 8"),
        (_set(b"w", FLOAT, (), b"", size=-4, offset=4), CorruptFileError, "bytes 4 to 0"),
        (_set(b"w", FLOAT, (), bytes(4), shard_id=1), CorruptFileError, "data file 1 of 1"),
        (_set(b"w", 99, (), bytes(4)), CorruptFileError, "the unknown dtype 99"),
        (_set(b"w", STRING, (2**40,), bytes(8)), CorruptFileError, "elements in 8 bytes"),
    ],
)
def test_damaged_indexes(
    tmp_path: Path, change: Change, error: type[TfjsError], message: str
) -> None:
    prefix = write_bundle(tmp_path, [("w", FLOAT, (2,), bytes(8))], change=change)
    with pytest.raises(error, match=message) as caught:
        read_bundle(prefix)
    assert str(tmp_path) in str(caught.value.where)


def _extents(*extents: tuple[int, int]) -> dict[str, object]:
    return {"extent": [{"start": start, "length": length} for start, length in extents]}


def _sliced(
    shape: tuple[int, ...], *slices: tuple[tuple[int, int], ...], dtype: int = INT32
) -> Change:
    """An entry `v` of INT32 with slices, each with an entry of `dtype` in zeros."""

    def change(entries: dict[bytes, bytes]) -> None:
        entries[b"v"] = entry(INT32, shape, b"", 0, slices=[_extents(*piece) for piece in slices])
        for piece in slices:
            starts, lengths = [start for start, _ in piece], [length for _, length in piece]
            size = int(np.prod(lengths)) * 4
            entries[slice_key("v", starts, lengths)] = entry(dtype, lengths, bytes(size), 0)

    return change


def test_slices_along_two_dimensions(tmp_path: Path) -> None:
    change = _sliced((3, 4), ((0, 2), (0, 4)), ((2, 1), (0, 1)), ((2, 1), (1, 3)))
    prefix = write_bundle(tmp_path, [("w", FLOAT, (12,), bytes(48))], change=change)
    assert [piece.starts for piece in read_bundle(prefix).entry("v").slices] == [
        (0, 0),
        (2, 0),
        (2, 1),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_sliced((4,), ((0, 2),)), "is not covered by its slices"),
        (_sliced((4,), ((0, 3),), ((3, 3),)), r"a slice at \[3\] outside of it"),
        (_sliced((4,), ((-1, 5),)), r"a slice at \[-1\] outside of it"),
        (_sliced((4,), ((0, 3),), ((2, 1),)), "slices that overlap"),
        (_sliced((4,), ((0, 2),), ((0, 2),)), "slices that overlap"),
        (_sliced((2, 2), ((0, 2), (0, 1)), ((0, 1), (0, 2))), "slices that overlap"),
        (_sliced((4,), ((0, 2), (0, 1))), "a slice of 2 dimensions"),
        (_sliced((4,), ((0, 4),), dtype=FLOAT), "of another dtype or shape"),
        (
            _set(b"v", INT32, (4,), b"", slices=[_extents((0, 4))]),
            r"no entry for its slice at \[0\]",
        ),
        (_set(b"v", INT32, (4,), b"", slices=[_extents((0, 4))] * 4097), "has 4097 slices"),
    ],
)
def test_damaged_slices(tmp_path: Path, change: Change, message: str) -> None:
    prefix = write_bundle(tmp_path, [("w", FLOAT, (12,), bytes(48))], change=change)
    with pytest.raises(CorruptFileError, match=f"'v' .*{message}"):
        read_bundle(prefix)


def test_a_slice_of_slices_is_refused(tmp_path: Path) -> None:
    def change(entries: dict[bytes, bytes]) -> None:
        value = entry(INT32, (1,), b"", 0, slices=[_extents((0, 1))])
        entries[b"v"] = entries[slice_key("v", [0], [1])] = value

    prefix = write_bundle(tmp_path, [("w", FLOAT, (12,), bytes(48))], change=change)
    with pytest.raises(CorruptFileError, match="but has 0 bytes"):
        read_bundle(prefix)


def test_strings(tmp_path: Path) -> None:
    values = (b"", b"a\0b", b"\xff" * 300)
    data, crc = strings(*values)
    prefix = write_bundle(
        tmp_path, [("t", STRING, (3, 1), data)], change=_set(b"t", STRING, (3, 1), data, crc32c=crc)
    )
    bundle = read_bundle(prefix)
    assert bundle.read_strings("t") == list(values)
    bundle.verify_crc("t")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (strings(b"abc")[0][:-1], "the lengths of the strings in 't' are damaged"),
        (strings(b"abc")[0] + b"d", "the lengths of the strings in 't' are damaged"),
        (b"\x03abcdefg", "the lengths of the strings in 't' are damaged"),
        (b"\xff" * 12, "a number is cut off or too large"),
        (strings(b"abd")[0], "the checksum of the tensor 't' does not match"),
    ],
)
def test_damaged_strings(tmp_path: Path, data: bytes, message: str) -> None:
    crc = strings(b"abc")[1]
    prefix = write_bundle(
        tmp_path, [("t", STRING, (), data)], change=_set(b"t", STRING, (), data, crc32c=crc)
    )
    bundle = read_bundle(prefix)
    for call in (bundle.read_strings, bundle.verify_crc):
        with pytest.raises(CorruptFileError, match=message):
            call("t")


def test_the_object_graph(tmp_path: Path) -> None:
    graph = message_class("tensorflow.TrackableObjectGraph")()
    graph.nodes.add().children.add(node_id=1, local_name="dense")  # type: ignore[attr-defined]
    data, crc = strings(graph.SerializeToString())
    prefix = write_bundle(
        tmp_path,
        [(OBJECT_GRAPH_KEY, STRING, (), data)],
        change=_set(OBJECT_GRAPH_KEY.encode(), STRING, (), data, crc32c=crc),
    )
    assert read_bundle(prefix).object_graph() == graph.SerializeToString()


def test_missing_and_of_another_dtype(tmp_path: Path) -> None:
    bundle = read_bundle(write_bundle(tmp_path, [("w", FLOAT, (2,), bytes(8))]))
    with pytest.raises(CorruptFileError, match=r"ck\.index: has no tensor 'x'"):
        bundle.entry("x")
    with pytest.raises(CorruptFileError, match="'w' is no whole string tensor"):
        bundle.read_strings("w")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"ck\.index: cannot be read: No such file"):
        read_bundle(tmp_path / "ck")
    prefix = write_bundle(tmp_path, [("w", FLOAT, (2,), bytes(8))])
    (tmp_path / "ck.data-00000-of-00001").unlink()
    with pytest.raises(FormatError, match=r"ck\.data-00000-of-00001: cannot be read"):
        read_bundle(prefix)


@settings(deadline=None)
@given(damaged(golden_bundle.INDEX), damaged(golden_bundle.DATA))
def test_any_damage_is_an_error_of_ours(index: bytes, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, "ck")
        Path(f"{prefix}.index").write_bytes(index)
        Path(f"{prefix}.data-00000-of-00001").write_bytes(golden_bundle.DATA)
        _use(prefix)
        Path(f"{prefix}.index").write_bytes(golden_bundle.INDEX)
        Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
        _use(prefix)


def _use(prefix: Path) -> None:
    with contextlib.suppress(TfjsError):
        bundle = read_bundle(prefix)
        for key in bundle.keys():  # noqa: SIM118
            with contextlib.suppress(TfjsError):
                bundle.verify_crc(key)


@pytest.mark.parametrize(
    ("name", "count", "objects"),
    [
        ("basic_pitch_nmp", 74, 330),
        ("guesslang_2020_06", 10, None),
        ("mlperf_tiny_kws", 142, 490),
        ("serving_half_plus_two_cpu", 5, None),
        ("serving_half_plus_two_tf2_cpu", 4, 24),
        ("tf2onnx_regression", 2, None),
        ("tfjs_node_int64_multiply", 3, 4),
        ("tfjs_node_model_multi_output", 3, 4),
        ("tfjs_node_module_with_multiple_signatures", 3, 4),
        ("tfx_taxi_serving_export", 21, None),
    ],
)
def test_real_bundles(shared_models: Path, name: str, count: int, objects: int | None) -> None:
    # The numbers are those of tf.train.load_checkpoint.
    bundle = read_bundle(shared_models / f"saved_model/{name}/variables/variables")
    assert len(bundle.keys()) == count
    for key in bundle.keys():  # noqa: SIM118
        bundle.verify_crc(key)
    graph = bundle.object_graph()
    assert (None if graph is None else len(_nodes(graph))) == objects


def _nodes(graph: bytes) -> list[object]:
    return list(parse("tensorflow.TrackableObjectGraph", graph, None).nodes)
