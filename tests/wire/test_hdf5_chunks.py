from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.wire.hdf5_files import LONG, write
from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError
from tfjs.wire.hdf5 import Hdf5Dataset, Hdf5File
from tfjs.wire.hdf5_chunks import Chunks, fletcher32

GZIP = {"compression": "gzip"}


def read(path: Path, use: Callable[[Hdf5Dataset], Any] = lambda found: found.read()) -> Any:
    with Hdf5File.open(path) as file:
        return use(file.dataset("a"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (200, 10)},
        {"chunks": (7, 3)},
        {"chunks": (64, 4), "maxshape": (None, None)},
        {"chunks": (64, 4), **GZIP},
        {"chunks": (64, 4), **GZIP, "shuffle": True},
        {"chunks": (64, 4), **GZIP, "shuffle": True, "fletcher32": True},
        {"chunks": (64, 4), "fletcher32": True},
        {"chunks": (64, 4), "shuffle": True},
    ],
)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", ["<i4", ">f8", "i1"])
def test_chunks(tmp_path: Path, options: dict[str, Any], libver: str, dtype: str) -> None:
    data = LONG.astype(dtype)
    path = write(
        tmp_path / "m.h5",
        lambda file: file.create_dataset("a", data=data, **({"chunks": True} | options)),
        libver=libver,
    )
    with Hdf5File.open(path) as file:
        found = file.dataset("a")
        assert (found.offset, found.shape, found.nbytes) == (None, data.shape, data.nbytes)
        assert np.array_equal(found.read(), data)
        for start, stop in ((0, 1), (63, 65), (100, 199), (199, 200), (7, 7), (150, None)):
            part = found.read(start, stop)
            assert part.dtype == np.dtype(dtype).newbyteorder("<")
            assert np.array_equal(part, data[start:stop])


def test_rows_of_a_large_chunk_are_not_inflated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflated: list[int] = []
    original = Chunks._inflated

    def count(self: Chunks, data: bytes | memoryview) -> bytes:
        inflated.append(len(data))
        return original(self, data)

    monkeypatch.setattr(Chunks, "_inflated", count)
    path = write(
        tmp_path / "m.h5",
        lambda file: file.create_dataset("a", data=LONG, chunks=(100, 4), **GZIP),
    )
    with Hdf5File.open(path) as file:
        found = file.dataset("a")
        parts = [found.read(row, row + 10) for row in range(0, 200, 10)]
        assert len(inflated) == 6
        found.read(190)
        assert len(inflated) == 9  # nothing is kept behind the last row
    assert np.array_equal(np.concatenate(parts), LONG)


def test_a_chunk_that_skipped_its_filters(tmp_path: Path) -> None:
    data = np.arange(8, dtype=np.int32)

    def fill(file: Any) -> None:
        dataset = file.create_dataset("a", (8,), "i4", chunks=(4,), shuffle=True, **GZIP)
        dataset.id.write_direct_chunk((0,), data[:4].tobytes(), 0b11)
        planes = data[4:].view(np.uint8).reshape(4, 4).T.tobytes()
        dataset.id.write_direct_chunk((4,), planes, 0b10)

    assert read(write(tmp_path / "m.h5", fill)).tolist() == data.tolist()


def chunk(content: bytes, **options: Any) -> Callable[[Any], None]:
    """A dataset of 64 int32 whose only chunk holds these bytes."""

    def fill(file: Any) -> None:
        dataset = file.create_dataset("a", (64,), "i4", chunks=(64,), **options)
        dataset.id.write_direct_chunk((0,), content)

    return fill


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (chunk(bytes(255)), "a chunk has 255 bytes, expected are 256"),
        (chunk(bytes(257)), "a chunk has 257 bytes"),
        (chunk(zlib.compress(bytes(255)), **GZIP), "a chunk has 255 bytes"),
        (chunk(zlib.compress(bytes(257)), **GZIP), "a chunk has 257 bytes"),
        (chunk(zlib.compress(bytes(1 << 20)), **GZIP), "does not inflate to its size"),
        (chunk(zlib.compress(bytes(256))[:-3], **GZIP), "does not inflate to its size"),
        (chunk(b"not zlib", **GZIP), "Error -3"),
        (chunk(b"x", fletcher32=True), "the checksum of a chunk does not match"),
        (chunk(b"xyz", fletcher32=True), "the checksum of a chunk does not match"),
        (chunk(bytes(256) + b"\1\0\0\0", fletcher32=True), "the checksum of a chunk"),
    ],
)
def test_damaged_chunks(tmp_path: Path, fill: Callable[[Any], None], message: str) -> None:
    with pytest.raises(CorruptFileError, match=rf"m\.h5: a: .*{message}"):
        read(write(tmp_path / "m.h5", fill))


def test_a_bomb_in_a_chunk_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "m.h5", chunk(zlib.compress(bytes(32 << 20)), **GZIP))
    with Hdf5File.open(path) as file:
        found = file.dataset("a")
        tracemalloc.start()
        try:
            with pytest.raises(CorruptFileError, match="does not inflate to its size"):
                found.read()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("filters", "error", "message"),
    [
        ([1, 1], UnsafeFileError, r"has the filters \[1, 1\]"),
        ([32000], FormatError, "is compressed by the HDF5 filter 32000"),
        ([5], FormatError, "is compressed by the HDF5 filter 5"),
    ],
)
def test_other_filters(
    tmp_path: Path, filters: list[int], error: type[TfjsError], message: str
) -> None:
    def fill(file: Any) -> None:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4,))
        for code in filters:
            plist.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (4,))
        space = h5py.h5s.create_simple((8,))
        h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, plist)

    with pytest.raises(error, match=message):
        read(write(tmp_path / "m.h5", fill))


@pytest.mark.parametrize("size", [1, 2, 3, 720, 721, 722, 1000, 3_000_001])
def test_fletcher32_is_that_of_the_library(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8)

    def fill(file: Any) -> None:
        file.create_dataset("a", data=data, chunks=(size,), fletcher32=True)

    path = write(tmp_path / "m.h5", fill)
    with h5py.File(path) as file:
        stored = file["a"].id.read_direct_chunk((0,))[1]
    assert fletcher32(data.tobytes()) == int.from_bytes(stored[-4:], "little")
    assert np.array_equal(read(path), data)


def test_fletcher32_of_extremes() -> None:
    assert fletcher32(b"") == 0
    assert fletcher32(bytes(100)) == 0
    assert fletcher32(b"\xff" * 2000) == 0xFFFFFFFF
