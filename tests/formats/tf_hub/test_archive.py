"""Archives that want to write elsewhere, or more than there is room for."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tfjs.errors import CorruptFileError, TfjsError, UnsafeFileError
from tfjs.formats.tf_hub import archive
from tfjs.formats.tf_hub.archive import extract


def entry(name: str, data: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def packed(*entries: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=kind) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m.tar.gz"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out" / "in").mkdir(parents=True)
    return tmp_path / "out" / "in"


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_files_and_folders(kind: int, file: Path, out: Path) -> None:
    folder = entry("./a", b"", type=tarfile.DIRTYPE)
    long = "b/" + "n" * (90 if kind == tarfile.USTAR_FORMAT else 200)
    entries = [entry(".", b"", type=tarfile.DIRTYPE), folder, entry("./a/x", b"1" * 3_000_000)]
    file.write_bytes(packed(*entries, entry(long, b"2"), entry("empty", b""), kind=kind))
    extract(file, out)
    assert content(out) == {"a/x": b"1" * 3_000_000, long: b"2", "empty": b""}


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:/x", "a\\b", "a/../.."])
def test_names_that_lead_outside(name: str, file: Path, out: Path) -> None:
    file.write_bytes(packed(entry(name)))
    with pytest.raises(UnsafeFileError, match="outside of its folder"):
        extract(file, out)
    assert content(out.parent) == {}


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE),
        tarfile.CONTTYPE,
    ],
)
def test_entries_that_are_no_files(kind: bytes, file: Path, out: Path) -> None:
    file.write_bytes(packed(entry("a", b"", type=kind, linkname="/etc/passwd")))
    with pytest.raises(UnsafeFileError, match="no plain file"):
        extract(file, out)
    assert list(out.iterdir()) == []


def test_one_name_twice(file: Path, out: Path) -> None:
    file.write_bytes(packed(entry("a"), entry("./a", b"y")))
    with pytest.raises(CorruptFileError, match="twice"):
        extract(file, out)


def test_a_file_that_is_also_a_folder(file: Path, out: Path) -> None:
    file.write_bytes(packed(entry("a"), entry("a/b", b"y")))
    with pytest.raises(TfjsError):
        extract(file, out)


class TestTooMuch:
    def test_contents_that_expand(
        self, file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive, "_ALWAYS_ALLOWED", 1 << 20)
        file.write_bytes(packed(entry("a", bytes(20 << 20))))
        with pytest.raises(UnsafeFileError, match=r"expands to more than \d+ bytes"):
            extract(file, out)
        assert sum(len(data) for data in content(out).values()) <= 2 << 20

    def test_a_header_that_expands(self, file: Path, out: Path) -> None:
        long = entry("././@LongLink", b"a" * (64 << 20), type=tarfile.GNUTYPE_LONGNAME)
        file.write_bytes(packed(long, entry("a"), kind=tarfile.GNU_FORMAT))
        with pytest.raises(UnsafeFileError, match="has a header of 671"):
            extract(file, out)

    def test_many_entries(self, file: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive, "_MOST_ENTRIES", 3)
        file.write_bytes(packed(*(entry(str(i)) for i in range(4))))
        with pytest.raises(UnsafeFileError, match="more than 3 entries"):
            extract(file, out)


class TestDamage:
    @pytest.mark.parametrize("end", [1, 12, 30, 100, -20, -1])
    def test_it_is_cut_off(self, end: int, file: Path, out: Path) -> None:
        file.write_bytes(packed(entry("a", bytes(range(256)) * 40))[:end])
        with pytest.raises(CorruptFileError):
            extract(file, out)

    def test_it_is_no_tar(self, file: Path, out: Path) -> None:
        file.write_bytes(gzip.compress(b"something else" * 100))
        with pytest.raises(CorruptFileError, match=r"is no whole \.tar\.gz archive"):
            extract(file, out)

    @pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-0000000001\0"])
    def test_absurd_sizes(self, size: bytes, file: Path, out: Path) -> None:
        tar = bytearray(gzip.decompress(packed(entry("a"), kind=tarfile.GNU_FORMAT)))
        tar[124:136] = size
        tar[148:156] = f"{8 * 32 + sum(tar[:148]) + sum(tar[156:512]):06o}\0 ".encode()
        file.write_bytes(gzip.compress(bytes(tar)))
        with pytest.raises(CorruptFileError):
            extract(file, out)
