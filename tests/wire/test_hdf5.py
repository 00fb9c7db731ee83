from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from tests.wire.hdf5_files import CONFIG, KERNEL, LONG, fill_model, write
from tests.wire.mutation import damaged
from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError, UsageError
from tfjs.wire.hdf5 import Hdf5File
from tfjs.wire.zip import ZipFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "m.h5", fill_model)


def test_attributes(path: Path) -> None:
    with Hdf5File.open(path) as file:
        found = file.attrs("/")
        assert found["layer_names"] == ["dense", "conv"]
        assert (found["model_config"], found["keras_version"]) == (CONFIG, "2.15.0")
        assert found["step"] == 3
        assert type(found["step"]) is int
        assert len(found) == 4
        assert file.attrs("dense/dense") == {"name": "dense"}
        assert file.attrs("dense/dense/kernel:0") == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("größe", "größe"),
        (b"bytes", "bytes"),
        ("", ""),
        (["a", "", "ü"], ["a", "", "ü"]),
        (np.array([b"ab", b"c"]), ["ab", "c"]),
        (np.array([[b"a", b"b"], [b"c", b"d"]]), ["a", "b", "c", "d"]),
        (2.5, 2.5),
        (True, True),
        (h5py.Empty("f4"), None),
    ],
)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_values_of_attributes(tmp_path: Path, value: Any, expected: object, libver: str) -> None:
    path = write(tmp_path / "m.h5", lambda file: file.attrs.update(a=value), libver=libver)
    with Hdf5File.open(path) as file:
        found = file.attrs("/")["a"]
    assert found == expected
    assert type(found) is type(expected)


def test_arrays_in_attributes(tmp_path: Path) -> None:
    values = np.array([[1, 2], [3, 4]], ">i2")
    path = write(tmp_path / "m.h5", lambda file: file.attrs.update(a=values))
    with Hdf5File.open(path) as file:
        found = file.attrs("")["a"]
    assert found.dtype == np.dtype("<i2")
    assert np.array_equal(found, values)


def test_lists_of_names(tmp_path: Path) -> None:
    names = [f"layer_{index:05}/kernel:0" for index in range(5000)]

    def fill(file: Any) -> None:
        parts = np.array_split(np.array(names, "S"), 3)
        for index, part in enumerate(parts):
            file.attrs[f"weight_names{index}"] = part
        file.attrs["short"] = np.array([b"a", b"b"])
        file.attrs["none"] = []  # an empty array of floats, as Keras writes it
        file.attrs["one"] = "alone"
        file.attrs["number"] = 3

    assert sum(len(name) for name in names) > 64512
    with Hdf5File.open(write(tmp_path / "m.h5", fill)) as file:
        assert file.text_list("/", "weight_names") == names
        assert file.text_list("/", "short") == ["a", "b"]
        assert file.text_list("/", "none") == []
        assert file.text_list("/", "one") == ["alone"]
        assert file.text_list("/", "missing") is None
        with pytest.raises(CorruptFileError, match="'number' is no list of names"):
            file.text_list("/", "number")


def test_lists_of_names_that_keras_splits(tmp_path: Path) -> None:
    """Keras cuts a list so that each part is small enough; h5py refuses larger ones."""
    names = np.array([f"{index:060}".encode() for index in range(2000)])
    with pytest.raises(OSError, match="too large"):
        write(tmp_path / "x.h5", lambda file: file.attrs.update(names=names))


def test_groups(path: Path) -> None:
    with Hdf5File.open(path) as file:
        assert file.children("/") == ["dense", "link"]
        assert file.children("dense") == ["dense", "loop"]
        assert file.is_group("")
        assert file.is_group("/dense/dense/")
        assert file.is_group("link")
        assert not file.is_group("dense/dense/kernel:0")
        assert not file.is_group("dense/nope/deeper")
        with pytest.raises(CorruptFileError, match=r"m\.h5: has no object 'dense/nope'"):
            file.children("dense/nope")
        with pytest.raises(CorruptFileError, match="'dense/dense/scale' is no group"):
            file.children("dense/dense/scale")
        with pytest.raises(CorruptFileError, match="'dense' is no dataset"):
            file.dataset("dense")
        with pytest.raises(CorruptFileError, match="has no object 'x'"):
            file.dataset("x")


def test_datasets(path: Path) -> None:
    with Hdf5File.open(path) as file:
        kernel = file.dataset("/dense/dense/kernel:0")
        assert (kernel.path, kernel.shape, kernel.nbytes) == ("dense/dense/kernel:0", (3, 4), 48)
        assert (kernel.dtype, kernel.dtype_name) == (np.dtype("<f4"), "float32")
        assert kernel.offset == path.read_bytes().index(KERNEL.tobytes())
        assert np.array_equal(kernel.read(), KERNEL)
        assert np.array_equal(kernel.read(1, 2), KERNEL[1:2])
        assert np.array_equal(kernel.read(2), KERNEL[2:])
        assert kernel.read(3).shape == (0, 4)
        assert kernel.read(2, 1).shape == (0, 4)
        assert file.dataset("link/scale").read() == 0.5
        assert file.dataset("link/scale").read().shape == ()
        empty = file.dataset("link/empty")
        assert (empty.nbytes, empty.offset, empty.read().shape) == (0, None, (0, 3))
        bits = file.dataset("link/bits")
        assert (bits.dtype_name, bits.read().tolist()) == ("bool", [True, False])
        assert bits.offset is not None
        compact = file.dataset("link/compact")
        assert (compact.offset, compact.read().tolist()) == (None, [1.5, 2.5])
        assert compact.read(1, 2).tolist() == [2.5]


def test_strings(path: Path, tmp_path: Path) -> None:
    with Hdf5File.open(path) as file:
        text = file.dataset("link/text")
        assert (text.dtype_name, text.dtype, text.offset) == ("string", np.dtype(object), None)
        assert text.read().tolist() == [b"ab", b"", "ü".encode()]
        assert text.read(2).tolist() == ["ü".encode()]

    def fill(file: Any) -> None:
        file["fixed"] = np.array([[b"ab", b"c"]])
        file["one"] = "word"
        file.create_dataset("unwritten", (2,), h5py.string_dtype())
        file.create_dataset("parts", data=["a", "b", "c"], chunks=(2,), compression="gzip")

    with Hdf5File.open(write(tmp_path / "s.h5", fill)) as file:
        fixed = file.dataset("fixed")
        assert (fixed.dtype_name, fixed.dtype, fixed.offset) == ("string", np.dtype("S2"), None)
        assert fixed.read().tolist() == [[b"ab", b"c"]]
        assert file.dataset("one").read().item() == b"word"
        assert file.dataset("unwritten").read().tolist() == [b"", b""]
        assert file.dataset("parts").read().tolist() == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    "dtype",
    [
        *("<f2", "<f4", "<f8", "<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "<c8", "<c16"),
        *(">f2", ">f4", ">f8", ">i2", ">i4", ">i8", ">u2", ">u4", ">u8"),
        *("i1", "u1", "?"),
    ],
)
def test_dtypes(tmp_path: Path, dtype: str) -> None:
    stored = np.dtype(dtype)
    data = np.arange(5).astype(stored)
    path = write(tmp_path / "m.h5", lambda file: file.update(a=data))
    with Hdf5File.open(path) as file:
        found = file.dataset("a")
        little = stored.newbyteorder("<")
        assert (found.dtype, found.dtype_name) == (little, stored.name)
        values = found.read()
        assert values.dtype == little
        assert np.array_equal(values, data)
        assert (found.offset is None) == dtype.startswith(">")
        if found.offset is not None:
            end = found.offset + found.nbytes
            assert path.read_bytes()[found.offset : end] == data.tobytes()


def test_bfloat16(tmp_path: Path) -> None:
    bits = np.array([0x3F80, 0xC000], "<u2")

    def fill(file: Any) -> None:
        # As Keras 3 writes it into .keras files: two opaque bytes and an attribute.
        file["marked"] = bits.view("V2")
        file["marked"].attrs["dtype"] = "bfloat16"
        file["legacy"] = bits.view("V2")
        brain = h5py.h5t.IEEE_F16LE.copy()
        brain.set_fields(15, 7, 8, 0, 7)
        brain.set_ebias(127)
        space = h5py.h5s.create_simple((2,))
        native = h5py.h5d.create(file.id, b"native", brain, space)
        native.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, brain)

    path = write(tmp_path / "m.h5", fill)
    with Hdf5File.open(path) as file:
        for found in file.walk_datasets():
            assert (found.dtype_name, found.dtype) == ("bfloat16", np.dtype("<u2"))
            assert found.read().tolist() == [0x3F80, 0xC000]
            assert found.offset is not None
            assert path.read_bytes()[found.offset :][:4] == bits.tobytes()
        assert file.attrs("marked") == {"dtype": "bfloat16"}


@pytest.mark.parametrize(
    "data",
    [
        np.zeros(2, "V1"),  # what h5py makes of ml_dtypes' float8
        np.zeros(2, [("a", "f4"), ("b", "i4")]),
        np.zeros(2, h5py.ref_dtype),
        np.zeros(2, h5py.vlen_dtype(np.int32)),
        np.zeros(2, h5py.enum_dtype({"A": 1, "B": 2})),
        np.zeros(2, np.dtype(("f4", (2,)))),
    ],
)
def test_other_types_are_refused(tmp_path: Path, data: np.ndarray[Any, Any]) -> None:
    def fill(file: Any) -> None:
        dtype = np.dtype(("f4", (2,))) if data.ndim == 2 else data.dtype
        file.create_dataset("a", (2,), dtype)

    with (
        Hdf5File.open(write(tmp_path / "m.h5", fill)) as file,
        pytest.raises(UnsafeFileError, match=r"m\.h5: a: is stored as \w+ of \d+ bytes"),
    ):
        file.dataset("a")


def test_a_reference_in_an_attribute_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.h5", lambda file: file.attrs.update(a=file.ref))
    with (
        Hdf5File.open(path) as file,
        pytest.raises(UnsafeFileError, match="the attribute 'a': is stored as reference"),
    ):
        file.attrs("/")


def test_walk(path: Path) -> None:
    with Hdf5File.open(path) as file:
        names = [found.path for found in file.walk_datasets()]
        assert names == [
            f"dense/dense/{name}"
            for name in ("bits", "compact", "empty", "kernel:0", "long", "scale", "text")
        ]
        assert [found.path for found in file.walk_datasets("link")] == [
            name.replace("dense/dense", "link") for name in names
        ]


def test_walk_with_groups_that_are_shared(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        group = file.create_group("a0")
        for index in range(1, 40):  # 2 ** 39 ways to the dataset
            below = group.create_group(f"a{index}")
            group[f"b{index}"] = below
            below["up"] = h5py.SoftLink("/a0")
            below["root"] = file["/"]
            group = below
        group["w"] = np.ones(2)

    with Hdf5File.open(write(tmp_path / "m.h5", fill)) as file:
        assert [found.path.count("/") for found in file.walk_datasets()] == [40]


def test_depth(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file.create_group("/".join("g" * 127))["w"] = np.ones(1)
        file.create_group("/".join("h" * 129))

    with Hdf5File.open(write(tmp_path / "m.h5", fill)) as file:
        assert [len(found.path) for found in file.walk_datasets("g")] == [255]
        for call in (lambda: list(file.walk_datasets("h")), lambda: file.is_group("h/" * 129)):
            with pytest.raises(UnsafeFileError, match="nests deeper than 128 groups"):
                call()


def test_soft_links(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file["a/b/w"] = KERNEL
        file["a/relative"] = h5py.SoftLink("b/w")
        file["a/absolute"] = h5py.SoftLink("/a/b")
        file["a/dangling"] = h5py.SoftLink("/a/c")
        file["a/circle"] = h5py.SoftLink("/a/circle")
        file["a/through"] = h5py.SoftLink("/outside/x")
        file["outside"] = h5py.ExternalLink("other.h5", "/")
        file["a/l0"] = h5py.SoftLink("b")
        for index in range(1, 18):
            file[f"a/l{index}"] = h5py.SoftLink(f"l{index - 1}")

    with Hdf5File.open(write(tmp_path / "m.h5", fill)) as file:
        assert file.dataset("a/relative").shape == (3, 4)
        assert file.dataset("a/absolute/w").offset == file.dataset("a/b/w").offset
        for name, message in (
            ("dangling", "the link 'a/dangling' leads to '/a/c', which is not there"),
            ("circle", "the link 'a/circle' leads to too many others"),
            ("l17", "leads to too many others"),
            ("through", "'outside' is a link to another file"),
        ):
            for call in (file.dataset, file.is_group, file.attrs, file.children):
                with pytest.raises(UnsafeFileError, match=message):
                    call(f"a/{name}")
        assert file.is_group("a/l15")
        with pytest.raises(UnsafeFileError):
            list(file.walk_datasets("a"))


def test_external_links(tmp_path: Path) -> None:
    write(tmp_path / "other.h5", lambda file: file.update(w=KERNEL))
    path = write(
        tmp_path / "m.h5",
        lambda file: file.update(g=h5py.ExternalLink(str(tmp_path / "other.h5"), "/")),
    )
    with Hdf5File.open(path) as file:
        message = r"m\.h5: 'g' is a link to another file"
        for call in (
            lambda: file.dataset("g/w"),
            lambda: file.is_group("g"),
            lambda: list(file.walk_datasets()),
        ):
            with pytest.raises(UnsafeFileError, match=message):
                call()
        assert file.children("/") == ["g"]


def test_virtual_datasets(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "w", (4,))
        file.create_virtual_dataset("v", layout)

    write(tmp_path / "other.h5", lambda file: file.update(w=np.ones(4, "f4")))
    with (
        Hdf5File.open(write(tmp_path / "m.h5", fill)) as file,
        pytest.raises(UnsafeFileError, match=r"m\.h5: v: is virtual"),
    ):
        file.dataset("v")


def test_external_storage(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(16))

    def fill(file: Any) -> None:
        file.create_dataset("e", (4,), "f4", external=[(str(tmp_path / "secret"), 0, 16)])

    with (
        Hdf5File.open(write(tmp_path / "m.h5", fill)) as file,
        pytest.raises(UnsafeFileError, match="e: keeps its data in another file"),
    ):
        file.dataset("e")


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda file: file.create_dataset("a", (2**20,), "f4"), "it would have 4194304 bytes"),
        (
            lambda file: file.create_dataset("a", (2**30, 2**20), "f4", chunks=(1, 64)),
            "it would have 4503599627370496 bytes",
        ),
        (
            lambda file: file.create_dataset("a", (1,), "f4", maxshape=(None,), chunks=(2**22,)),
            "a chunk would have 16777216 bytes",
        ),
    ],
)
def test_shapes_that_the_file_cannot_account_for(
    tmp_path: Path, fill: Callable[[Any], object], message: str
) -> None:
    with (
        Hdf5File.open(write(tmp_path / "m.h5", fill)) as file,
        pytest.raises(UnsafeFileError, match=f"a: {message}, in a file of"),
    ):
        file.dataset("a")


def test_datasets_without_a_shape(tmp_path: Path) -> None:
    path = write(tmp_path / "m.h5", lambda file: file.update(a=h5py.Empty("f4")))
    with (
        Hdf5File.open(path) as file,
        pytest.raises(CorruptFileError, match="a: has no elements and no shape"),
    ):
        file.dataset("a")


def test_elements_that_were_never_written(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file.create_dataset("zero", (3,), "f4")
        file.create_dataset("seven", (3,), "f4", fillvalue=7)
        file.create_dataset("part", (5,), "i2", fillvalue=-1, chunks=(2,))[3] = 4

    with Hdf5File.open(write(tmp_path / "m.h5", fill)) as file:
        assert file.dataset("zero").read().tolist() == [0, 0, 0]
        assert file.dataset("seven").read(1).tolist() == [7, 7]
        assert file.dataset("part").read().tolist() == [-1, -1, -1, 4, -1]
        assert file.dataset("zero").offset is None


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"userblock_size": 1024}])
def test_windows(tmp_path: Path, options: dict[str, Any]) -> None:
    """An HDF5 file in the middle of another one, also with a user block of its own."""
    inner = write(tmp_path / "m.h5", fill_model, **options).read_bytes()
    path = tmp_path / "m.keras"
    path.write_bytes(b"x" * 333 + inner + b"y" * 100)
    with Hdf5File.open(path, offset=333, length=len(inner)) as file:
        kernel = file.dataset("dense/dense/kernel:0")
        assert kernel.offset == path.read_bytes().index(KERNEL.tobytes())
        assert np.array_equal(kernel.read(), KERNEL)
        assert np.array_equal(file.dataset("link/long").read(), LONG)
        assert file.dataset("link/text").read().tolist() == [b"ab", b"", "ü".encode()]
        assert file.attrs("/")["keras_version"] == "2.15.0"
    for offset, length in ((-1, 10), (0, 10**9), (10**9, 1), (5, -1)):
        with pytest.raises(CorruptFileError, match="are wanted, the file has"):
            Hdf5File.open(path, offset=offset, length=length)
    for offset, length in ((332, len(inner)), (333, len(inner) - 1), (0, 0)):
        with pytest.raises(CorruptFileError, match=r"is no HDF5 file|is cut off"):
            Hdf5File.open(path, offset=offset, length=length)


def test_attributes_with_a_tracked_order(tmp_path: Path) -> None:
    """Object headers of version 2 whose messages have a number each."""

    def fill(file: Any) -> None:
        fill_model(file)
        file.create_group("a")

    path = write(tmp_path / "m.h5", fill, track_order=True)
    with Hdf5File.open(path) as file:
        assert file.children("/") == ["a", "dense", "link"]
        assert file.attrs("/") == {
            "model_config": CONFIG,
            "keras_version": "2.15.0",
            "layer_names": ["dense", "conv"],
            "step": 3,
        }
        assert file.attrs("dense/dense") == {"name": "dense"}


def test_attributes_that_stand_apart(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file.attrs["long"] = np.zeros(2000)
        file.attrs["name"] = "x"
        for index in range(10):
            file.attrs[f"n{index}"] = index

    path = write(tmp_path / "m.h5", fill, libver="latest")
    with (
        Hdf5File.open(path) as file,
        pytest.raises(FormatError, match="the attribute 'name' is stored apart from its object"),
    ):
        file.attrs("/")


def test_attributes_in_continued_headers(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        group = file.create_group("g")
        for index in range(200):
            group.attrs[f"name{index}"] = f"value {index}"

    for libver in ("earliest", "v108"):
        path = write(tmp_path / f"{libver}.h5", fill, libver=(libver, "latest"))
        if libver == "earliest":
            with Hdf5File.open(path) as file:
                assert file.attrs("g") == {f"name{i}": f"value {i}" for i in range(200)}
                assert file.text_list("g", "name") == [f"value {i}" for i in range(200)]


def test_no_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    whole = write(tmp_path / "whole.h5", fill_model).read_bytes()
    for data in (b"", b"PK\3\4", b"\x89HDF\r\n\x1a\n", whole[:100], whole[:-1], bytes(5000)):
        path.write_bytes(data)
        with pytest.raises(CorruptFileError, match=r"m\.h5: is (no HDF5 file|cut off)"):
            Hdf5File.open(path)
    with pytest.raises(FormatError, match="cannot be read: No such file"):
        Hdf5File.open(tmp_path / "nope.h5")
    with pytest.raises(FormatError, match="is not a file"):
        Hdf5File.open(tmp_path)


def test_closed_files(path: Path) -> None:
    with Hdf5File.open(path) as file:
        kernel = file.dataset("dense/dense/kernel:0")
        text = file.dataset("dense/dense/text")
    for call in (kernel.read, text.read, lambda: file.attrs("/"), lambda: file.is_group("x")):
        with pytest.raises(UsageError, match="the HDF5 file is closed"):
            call()
    file.close()


def test_a_file_that_another_process_may_write(path: Path) -> None:
    with h5py.File(path, "r+"), Hdf5File.open(path) as file:
        assert file.children("/") == ["dense", "link"]


def test_an_open_file_at_the_end_of_the_interpreter(path: Path) -> None:
    program = f"from tfjs.wire.hdf5 import Hdf5File\nx = Hdf5File.open({str(path)!r}); x.attrs('')"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, tfjs.wire.hdf5, tfjs.wire.protobuf, tfjs.wire.bundle, tfjs.wire.zip\n"
        "assert not {'h5py', 'google.protobuf', 'google_crc32c'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Single bytes that make the HDF5 library hang, crash or take 4 GB.


def test_a_heap_whose_free_list_is_a_circle(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "m.h5", fill_model).read_bytes())
    heaps = 0
    position = data.find(b"HEAP")
    while position >= 0:
        head, address = struct.unpack_from("<QQ", data, position + 16)
        if head != 1:
            struct.pack_into("<Q", data, address + head, head)
            heaps += 1
        position = data.find(b"HEAP", position + 1)
    assert heaps
    path = tmp_path / "x.h5"
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match="is a circle"), Hdf5File.open(path) as file:
        list(file.walk_datasets())


def test_a_collection_with_free_space_of_no_size(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "m.h5", fill_model).read_bytes())
    position = data.index(b"2.15.0") - 8  # its size; so large that the next one is among zeros
    struct.pack_into("<Q", data, position, 128)
    path = tmp_path / "x.h5"
    path.write_bytes(data)
    with Hdf5File.open(path) as file:
        assert file.attrs("/")["keras_version"] == "2.15.0"
        with pytest.raises(CorruptFileError, match="has a string of 5 bytes that is not there"):
            file.attrs("dense/dense")


def test_a_string_that_claims_four_gigabytes(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "m.h5", fill_model).read_bytes())
    heap = data.index(b"GCOL")
    position = data.index(struct.pack("<IQ", len("2.15.0"), heap))
    number = struct.unpack_from("<I", data, position + 12)[0]
    for reference in (
        (0xFFFFFFF0, heap, number),
        (7, heap, number),
        (6, heap, 77),
        (6, heap + 8, number),
        (6, 2**63, number),
    ):
        struct.pack_into("<IQI", data, position, *reference)
        path = tmp_path / "x.h5"
        path.write_bytes(data)
        with (
            Hdf5File.open(path) as file,
            pytest.raises(CorruptFileError, match=r"that is not there|has no heap|is cut off"),
        ):
            file.attrs("/")


def model_bytes() -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        fill_model(file)
    return out.getvalue()


@settings(deadline=None)
@given(damaged(model_bytes()))
def test_any_damage_is_an_error_of_ours(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.h5")
        path.write_bytes(data)
        with contextlib.suppress(TfjsError), Hdf5File.open(path) as file:
            for call in (file.attrs, file.children, lambda name: file.text_list(name, "n")):
                with contextlib.suppress(TfjsError):
                    call("/")
            for found in file.walk_datasets():
                with contextlib.suppress(TfjsError):
                    file.attrs(found.path)
                    found.read()
                assert found.offset is None or found.offset + found.nbytes <= len(data)


def test_the_work_is_linear_in_the_number_of_datasets(tmp_path: Path) -> None:
    def calls(count: int) -> int:
        def fill(file: Any) -> None:
            for index in range(count):
                group = file.create_group(f"model_weights/layer_{index}/layer_{index}")
                group["kernel:0"] = KERNEL
                group["bias:0"] = KERNEL[0]

        path, events = write(tmp_path / f"{count}.h5", fill), Counter[str]()
        with Hdf5File.open(path) as file:
            sys.setprofile(lambda frame, event, argument: events.update([event]))
            try:
                found = [(item.shape, item.dtype, item.offset) for item in file.walk_datasets()]
            finally:
                sys.setprofile(None)
        assert len(found) == 2 * count
        assert all(offset is not None for _, _, offset in found)
        return events["call"] + events["c_call"]

    assert calls(200) < 11 * calls(20)


@pytest.mark.parametrize(
    "name",
    [
        "keras_h5/dtln_weights/model.h5",
        "keras_h5/face_mini_xception_fer2013/fer2013_mini_XCEPTION.102-0.66.hdf5",
        "keras_h5/mlperf_tiny_resnet/pretrainedResnet.h5",
        "keras_h5/mlperf_tiny_str_ww/str_ww_ref_model.h5",
        "keras_h5/sentiment_bidirectional_lstm_softmax/bidirectional_lstm_softmax_weights.h5",
        "keras_v3/autocdascorer_model_39_0/model_39_0.keras",
        "keras_v3/ecg_cnn_bilstm_attention/best_model.keras",
    ],
)
def test_real_files_are_read_as_h5py_reads_them(shared_models: Path, name: str) -> None:
    path = shared_models / name
    raw = path.read_bytes()
    span = (0, len(raw))
    if name.endswith(".keras"):
        with ZipFile.open(path) as archive:
            span = archive.stored_span("model.weights.h5") or span
    expected: dict[str, Any] = {}
    with h5py.File(io.BytesIO(raw[span[0] : sum(span)]), "r") as theirs:

        def note(path: str, item: Any) -> None:
            attributes = {}
            for key, value in item.attrs.items():
                value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
                value = [_text(part) for part in value] if isinstance(value, list) else _text(value)
                attributes[key] = value
            expected[path] = attributes, item[()] if isinstance(item, h5py.Dataset) else None

        theirs.visititems(note)
    with Hdf5File.open(path, offset=span[0], length=span[1]) as ours:
        datasets = {found.path: found for found in ours.walk_datasets()}
        assert set(datasets) == {key for key, (_, data) in expected.items() if data is not None}
        for key, (attributes, data) in expected.items():
            found = {
                name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in ours.attrs(key).items()
            }
            assert found == attributes, key
            if data is not None:
                assert np.array_equal(datasets[key].read(), data)
                offset = datasets[key].offset
                if data.size and offset is not None:
                    assert raw[offset : offset + datasets[key].nbytes] == data.tobytes()


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
