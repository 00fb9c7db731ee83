from __future__ import annotations

import contextlib
import io
import struct
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.wire.mutation import damaged
from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError
from tfjs.wire.zip import ZipFile

MIB = 1 << 20
CONFIG = b'{"class_name": "Sequential"}'
WEIGHTS = bytes(range(256)) * 20
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


def archive_bytes() -> bytes:
    """A stored, a deflated and an empty member, and a folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("config.json", CONFIG)
        archive.writestr("assets/", b"")
        archive.writestr("assets/w.bin", WEIGHTS, compress_type=zipfile.ZIP_DEFLATED)
        archive.writestr("empty", b"")
    return out.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "m.keras"
    target.write_bytes(archive_bytes())
    return target


def test_members(path: Path) -> None:
    with ZipFile.open(path) as archive:
        assert archive.names() == ["config.json", "assets/w.bin", "empty"]
        assert archive.has("empty")
        assert not archive.has("assets/")
        assert archive.read("config.json", limit=len(CONFIG)) == CONFIG
        assert archive.read("assets/w.bin", limit=MIB) == WEIGHTS
        assert archive.read("empty", limit=0) == b""
        target = io.BytesIO()
        archive.extract("assets/w.bin", target, limit=MIB)
        assert target.getvalue() == WEIGHTS
        for name in archive.names():
            archive.check_crc(name)


def test_stored_spans_are_where_the_bytes_are(path: Path) -> None:
    data = path.read_bytes()
    with ZipFile.open(path) as archive:
        assert archive.stored_span("config.json") == (data.index(CONFIG), len(CONFIG))
        assert archive.stored_span("assets/w.bin") is None
        span = archive.stored_span("empty")
        assert span is not None
        assert span[1] == 0


def test_spans_behind_other_data(tmp_path: Path) -> None:
    target = tmp_path / "m.keras"
    target.write_bytes(b"#!/bin/sh\n" + archive_bytes())
    with ZipFile.open(target) as archive:
        span = archive.stored_span("config.json")
        assert span is not None
        assert target.read_bytes()[span[0] : sum(span)] == CONFIG
        assert archive.read("config.json", limit=MIB) == CONFIG


def test_zip64_and_names_in_unicode(tmp_path: Path) -> None:
    target = tmp_path / "m.zip"
    with zipfile.ZipFile(target, "w") as archive:
        with archive.open("größe.json", "w", force_zip64=True) as member:
            member.write(CONFIG)
        archive.writestr("after", b"x")
    with ZipFile.open(target) as ours:
        span = ours.stored_span("größe.json")
        assert span is not None
        assert target.read_bytes()[span[0] : sum(span)] == CONFIG
        assert ours.read("größe.json", limit=MIB) == CONFIG


def test_limits(path: Path) -> None:
    with ZipFile.open(path) as archive:
        with pytest.raises(
            UnsafeFileError, match=r"'assets/w\.bin' has 5120 bytes, more than 5119"
        ):
            archive.read("assets/w.bin", limit=5119)
        with pytest.raises(UnsafeFileError, match="more than 5119"):
            archive.extract("assets/w.bin", io.BytesIO(), limit=5119)


def test_missing_member(path: Path) -> None:
    with ZipFile.open(path) as archive:
        for call in (archive.stored_span, archive.check_crc):
            with pytest.raises(CorruptFileError, match=r"m\.keras: has no member 'x'"):
                call("x")
        with pytest.raises(CorruptFileError, match="has no member 'assets/'"):
            archive.read("assets/", limit=1)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"nope: cannot be read: No such file"):
        ZipFile.open(tmp_path / "nope")
    with pytest.raises(FormatError, match="cannot be read: Is a directory"):
        ZipFile.open(tmp_path)


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive at all" * 10, archive_bytes()[:-30]])
def test_no_archive(tmp_path: Path, data: bytes) -> None:
    target = tmp_path / "m.keras"
    target.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"m\.keras: is a damaged zip archive"):
        ZipFile.open(target)


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../x", "a/../../x", "a/..", "C:/x", "c:x", "\\\\host\\x", "a\\..\\b", "a\0b"],
)
def test_unsafe_names(tmp_path: Path, name: str) -> None:
    # zipfile mends some of these names itself, so they are put in afterwards.
    placeholder = "_" * len(name)
    target = tmp_path / "m.zip"
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(placeholder, b"x")
    target.write_bytes(target.read_bytes().replace(placeholder.encode(), name.encode()))
    with pytest.raises(UnsafeFileError, match=r"m\.zip: has a member with the unsafe name"):
        ZipFile.open(target)


@pytest.mark.parametrize("name", ["..a/b..", "./a", "a..b", "...", "a:b/c"])
def test_names_that_only_look_unsafe(tmp_path: Path, name: str) -> None:
    target = tmp_path / "m.zip"
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("_" * len(name), b"x")
    target.write_bytes(target.read_bytes().replace(b"_" * len(name), name.encode()))
    if name == "a:b/c":  # a drive
        with pytest.raises(UnsafeFileError):
            ZipFile.open(target)
        return
    with ZipFile.open(target) as archive:
        assert archive.read(name, limit=1) == b"x"


def test_two_members_of_one_name(tmp_path: Path) -> None:
    target = tmp_path / "m.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("config.json", b"1")
        archive.writestr("config.json", b"2")
    with pytest.raises(CorruptFileError, match=r"has two members 'config\.json'"):
        ZipFile.open(target)


def patched(data: bytes, signature: bytes, offset: int, layout: str, *values: int) -> bytes:
    """`data` with values written behind the first record with this signature."""
    out = bytearray(data)
    struct.pack_into(layout, out, data.index(signature) + offset, *values)
    return bytes(out)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (patched(archive_bytes(), CENTRAL, 8, "<H", 1), UnsafeFileError, "is encrypted"),
        (patched(archive_bytes(), CENTRAL, 6, "<H", 99), CorruptFileError, "damaged zip"),
        (patched(archive_bytes(), CENTRAL, 20, "<II", 5000, 5000), UnsafeFileError, "overlaps"),
        (patched(archive_bytes(), CENTRAL, 42, "<I", 40), UnsafeFileError, "overlaps"),
        (patched(archive_bytes(), CENTRAL, 42, "<I", 1 << 31), UnsafeFileError, "overlaps"),
        (patched(archive_bytes(), CENTRAL, 0, "<I", 0), CorruptFileError, "damaged zip"),
        (patched(archive_bytes(), END, 12, "<I", 1 << 30), CorruptFileError, "damaged zip"),
        (patched(archive_bytes(), END, 16, "<I", 1 << 30), CorruptFileError, "before the file"),
    ],
)
def test_damaged_directories(
    tmp_path: Path, data: bytes, error: type[TfjsError], message: str
) -> None:
    target = tmp_path / "m.keras"
    target.write_bytes(data)
    with pytest.raises(error, match=rf"m\.keras: .*{message}"):
        ZipFile.open(target)


def archive_method(data: bytes) -> int:
    """How the first member is compressed by the directory."""
    return int(struct.unpack_from("<H", data, data.index(CENTRAL) + 10)[0])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (patched(archive_bytes(), CENTRAL, 10, "<H", 12), FormatError, "by method 12"),
        (patched(archive_bytes(), CENTRAL, 10, "<H", 8), CorruptFileError, "contradicts"),
        (patched(archive_bytes(), CENTRAL, 24, "<I", 27), CorruptFileError, "sizes .* disagree"),
        (patched(archive_bytes(), CENTRAL, 16, "<I", 7), CorruptFileError, "Bad CRC-32"),
        (patched(archive_bytes(), LOCAL, 0, "<I", 0), CorruptFileError, "contradicts"),
        (patched(archive_bytes(), LOCAL, 30, "<B", 0x43), CorruptFileError, "contradicts"),
        (patched(archive_bytes(), LOCAL, 8, "<H", 8), CorruptFileError, "contradicts"),
        (patched(archive_bytes(), LOCAL, 28, "<H", 9), UnsafeFileError, "overlaps"),
        (patched(archive_bytes(), CONFIG, 3, "<B", 0), CorruptFileError, "Bad CRC-32"),
    ],
)
def test_damaged_members(tmp_path: Path, data: bytes, error: type[TfjsError], message: str) -> None:
    target = tmp_path / "m.keras"
    target.write_bytes(data)
    with ZipFile.open(target) as archive:
        with pytest.raises(error, match=rf"m\.keras: .*{message}"):
            archive.check_crc("config.json")
        if message in ("contradicts", "overlaps") and archive_method(data) == zipfile.ZIP_STORED:
            with pytest.raises(error, match=message):
                archive.stored_span("config.json")
        assert archive.read("assets/w.bin", limit=MIB) == WEIGHTS


def test_a_deflated_member_that_declares_too_much(tmp_path: Path) -> None:
    data = archive_bytes()
    second = data.index(CENTRAL, data.index(CENTRAL, data.index(CENTRAL) + 1) + 1)
    target = tmp_path / "m.keras"
    out = bytearray(data)
    struct.pack_into("<I", out, second + 24, len(WEIGHTS) + 1)
    target.write_bytes(out)
    with (
        ZipFile.open(target) as archive,
        pytest.raises(CorruptFileError, match="is cut off"),
    ):
        archive.read("assets/w.bin", limit=MIB)
    struct.pack_into("<I", out, second + 24, len(WEIGHTS) - 1)
    target.write_bytes(out)
    with ZipFile.open(target) as archive, pytest.raises(CorruptFileError, match="Bad CRC-32"):
        archive.read("assets/w.bin", limit=MIB)


def test_bombs(tmp_path: Path) -> None:
    target = tmp_path / "m.keras"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in (("bomb", 65 * MIB), ("large", 64 * MIB)):
            with archive.open(name, "w") as member:
                for _ in range(size // MIB):
                    member.write(bytes(MIB))
    with ZipFile.open(target) as ours:
        packed = zipfile.ZipFile(target).getinfo("bomb").compress_size
        message = f"'bomb' expands from {packed} to {65 * MIB} bytes"
        with pytest.raises(UnsafeFileError, match=message):
            ours.read("bomb", limit=1 << 40)
        with pytest.raises(UnsafeFileError, match=message):
            ours.check_crc("bomb")
        with pytest.raises(UnsafeFileError, match=message):
            ours.extract("bomb", io.BytesIO(), limit=1 << 40)
        ours.check_crc("large")


def test_a_directory_beyond_reason(tmp_path: Path) -> None:
    target = tmp_path / "m.keras"
    size = 33 * MIB
    end = struct.pack("<4s4H2IH", END, 0, 0, 1, 1, size, 0, 0)
    with target.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(end)
    with pytest.raises(UnsafeFileError, match=f"has a directory of {size} bytes"):
        ZipFile.open(target)


def test_the_error_of_a_target_is_not_the_archives(path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: object, /) -> int:
            raise OSError(28, "No space left on device")

    with ZipFile.open(path) as archive, pytest.raises(OSError, match="No space left"):
        archive.extract("config.json", Full(), limit=MIB)


@settings(deadline=None)
@given(damaged(archive_bytes()))
def test_any_damage_is_an_error_of_ours(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "m.keras")
        target.write_bytes(data)
        with contextlib.suppress(TfjsError), ZipFile.open(target) as archive:
            for name in archive.names():
                with contextlib.suppress(TfjsError):
                    archive.read(name, limit=MIB)
                with contextlib.suppress(TfjsError):
                    span = archive.stored_span(name)
                    assert span is None or sum(span) <= len(data)


def test_a_real_archive(shared_models: Path) -> None:
    path = shared_models / "keras_v3/ecg_cnn_bilstm_attention/best_model.keras"
    with ZipFile.open(path) as archive:
        assert archive.names() == ["metadata.json", "config.json", "model.weights.h5"]
        span = archive.stored_span("model.weights.h5")
        assert span is not None
        with path.open("rb") as file:
            file.seek(span[0])
            assert file.read(8) == b"\x89HDF\r\n\x1a\n"
        archive.check_crc("model.weights.h5")
