"""HDF5 files whose bytes are streamed in, and datasets as tensors."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.protocol import Array
from tfjs.errors import UnsupportedError
from tfjs.formats.hdf5 import Hdf5Tensor, Hdf5Writer, has_signature, tensor_at
from tfjs.ir.tensor import ArrayTensor, SpanTensor, Tensor
from tfjs.wire.hdf5 import Hdf5File


def write(path: Path, tensors: dict[str, Tensor]) -> list[int]:
    told: list[int] = []
    file = Hdf5Writer(path)
    for name, tensor in tensors.items():
        file.dataset(name, tensor)
    file.finish(told.append)
    return told


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array(3.5, np.float64),
        np.array([True, False]),
        np.arange(4, dtype=np.int64),
        np.array([1 + 2j], np.complex64),
        np.zeros((3, 0), np.float32),
        np.arange(4, dtype=np.float16),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_what_is_written_is_read(array: Array, tmp_path: Path) -> None:
    write(tmp_path / "f.h5", {"g/x": ArrayTensor(array)})
    with h5py.File(tmp_path / "f.h5") as file:
        np.testing.assert_array_equal(file["g/x"][()], array)
        assert file["g/x"].dtype == array.dtype
    tensor = tensor_at(Hdf5File.open(tmp_path / "f.h5"), "g/x")
    assert isinstance(tensor, SpanTensor) == (array.size > 0)
    np.testing.assert_array_equal(tensor.array(), array)


class _Huge(Tensor):
    """256 MiB that are never whole in memory."""

    def __init__(self) -> None:
        super().__init__("float32", (64, 1 << 20))

    def array(self) -> Array:
        raise AssertionError("must not be read whole")

    def blocks(self, size: int = 1 << 20) -> Iterator[Array]:
        block = np.full(1 << 18, 1.5, np.float32)
        for _ in range(256):
            yield block


def test_memory_stays_flat(tmp_path: Path) -> None:
    tracemalloc.start()
    told = write(tmp_path / "f.h5", {"x": _Huge()})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20
    assert sum(told) == 256 << 20
    with h5py.File(tmp_path / "f.h5") as file:
        assert file["x"][63, -1] == 1.5


def test_the_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.h5", "two.h5"):
        file = Hdf5Writer(tmp_path / name)
        file.group("g", {"text": "words", "more": "x" * 100_000})
        file.names("g", "names", ["a", "b"])
        file.dataset("g/x", ArrayTensor(np.arange(5.0)), {"dtype": "odd"})
        file.finish(lambda count: None)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_long_lists_of_names_are_cut(tmp_path: Path) -> None:
    names = [f"layer_{index:0100}" for index in range(2000)]
    file = Hdf5Writer(tmp_path / "f.h5")
    file.group("g")
    file.names("g", "names", names)
    file.finish(lambda count: None)
    with h5py.File(tmp_path / "f.h5") as opened:
        attributes = opened["g"].attrs
        assert sorted(attributes) == ["names0", "names1", "names2", "names3"]
        assert max(value.nbytes for value in attributes.values()) <= 64512
    with Hdf5File.open(tmp_path / "f.h5") as opened:
        assert opened.text_list("g", "names") == names


def test_no_names(tmp_path: Path) -> None:
    file = Hdf5Writer(tmp_path / "f.h5")
    file.names("", "names", [])
    file.finish(lambda count: None)
    with Hdf5File.open(tmp_path / "f.h5") as opened:
        assert opened.text_list("", "names") == []


def test_bfloat16_keeps_its_bits(tmp_path: Path) -> None:
    bits = np.array([0x3F80, 0x4000, 0xC040], "<u2")
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["x"] = bits.view("V2")
        file.create_dataset("y", data=bits.view("V2"), chunks=(2,), compression="gzip")
    source = Hdf5File.open(tmp_path / "in.h5")
    for name, kind in (("x", SpanTensor), ("y", Hdf5Tensor)):
        tensor = tensor_at(source, name)
        assert isinstance(tensor, kind)
        assert tensor.array().tolist() == [1.0, 2.0, -3.0]
        assert [block.tolist() for block in tensor.blocks()] == [[1.0, 2.0, -3.0]]
        write(tmp_path / "out.h5", {"z": tensor})
        with h5py.File(tmp_path / "out.h5") as file:
            assert file["z"][()].tobytes() == bits.tobytes()


def test_strings_are_refused(tmp_path: Path) -> None:
    file = Hdf5Writer(tmp_path / "f.h5")
    with pytest.raises(UnsupportedError, match="strings"):
        file.dataset("x", ArrayTensor(np.array([b"a"], dtype=object)))
    file.close()


def test_strings_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["x"] = np.array([b"one", b"two"])
    tensor = tensor_at(Hdf5File.open(tmp_path / "f.h5"), "x")
    assert tensor.dtype == "string"
    assert tensor.array().tolist() == [b"one", b"two"]


def test_a_file_that_will_move_is_not_mapped(tmp_path: Path) -> None:
    write(tmp_path / "f.h5", {"x": ArrayTensor(np.arange(3.0))})
    tensor = tensor_at(Hdf5File.open(tmp_path / "f.h5"), "x", mapped=False)
    (tmp_path / "f.h5").unlink()
    assert tensor.array().tolist() == [0, 1, 2]


def test_signature(tmp_path: Path) -> None:
    write(tmp_path / "f.h5", {})
    assert has_signature(tmp_path / "f.h5")
    assert not has_signature(tmp_path)
    assert not has_signature(tmp_path / "missing")
