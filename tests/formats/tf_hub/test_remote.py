"""Modules from a server of our own: the query, redirects, sizes, the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.formats.tf_hub.hub_modules import archive, of_tf2
from tests.support.web import Server, serving
from tfjs.errors import CorruptFileError, FormatError, UnsafeFileError, UsageError
from tfjs.formats.base import ReadOptions
from tfjs.formats.tf_hub.read import read
from tfjs.formats.tf_hub.remote import cache_folder, fetched, is_handle

COMPRESSED = "tf-hub-format=compressed"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def module(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return archive(of_tf2(tensorflow, tmp_path_factory.mktemp("hub") / "m"))


class TestADownload:
    def test_it_is_asked_for_compressed_and_kept(
        self, server: Server, module: bytes, cache: Path
    ) -> None:
        server.answers["/google/m/1"] = (200, {}, module)
        handle = f"{server.address}/google/m/1"
        folder = fetched(handle)
        assert server.asked == [f"/google/m/1?{COMPRESSED}"]
        digest = hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()
        assert folder == cache / digest
        assert sorted(entry.name for entry in cache.iterdir()) == [
            digest,
            f"{digest}.descriptor.txt",
        ]
        assert read(folder, ReadOptions()).variables["v"].array().tolist() == [1.5, 2.5]
        assert fetched(handle) == folder
        assert len(server.asked) == 1

    def test_what_the_hub_library_has_fetched(self, server: Server, cache: Path) -> None:
        handle = f"{server.address}/m"
        folder = cache / hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"\x08\x01")
        assert fetched(handle) == folder
        assert server.asked == []

    @pytest.mark.parametrize("query", ["a=1", COMPRESSED, f"a=1&{COMPRESSED}"])
    def test_a_query_is_kept(self, query: str, server: Server, module: bytes) -> None:
        server.answers["/m"] = (200, {}, module)
        fetched(f"{server.address}/m?{query}#part")
        wanted = query if COMPRESSED in query else f"{query}&{COMPRESSED}"
        assert server.asked == [f"/m?{wanted}"]

    def test_without_a_length(self, server: Server, module: bytes) -> None:
        server.answers["/m"] = (200, {"Content-Length": ""}, module)
        assert fetched(f"{server.address}/m").is_dir()


class TestRedirects:
    def test_they_are_followed(self, server: Server, module: bytes) -> None:
        for i in range(5):
            server.answers[f"/{i}"] = (302, {"Location": f"/{i + 1}?{COMPRESSED}"}, b"")
        server.answers["/5"] = (200, {}, module)
        fetched(f"{server.address}/0")
        assert len(server.asked) == 6

    def test_they_end(self, server: Server) -> None:
        for i in range(30):
            server.answers[f"/{i}"] = (302, {"Location": f"/{i + 1}"}, b"")
        with pytest.raises(FormatError, match="the server answers 302"):
            fetched(f"{server.address}/0")
        assert len(server.asked) < 15

    def test_a_circle(self, server: Server) -> None:
        server.answers["/a"] = (302, {"Location": "/a"}, b"")
        with pytest.raises(FormatError, match="the server answers 302"):
            fetched(f"{server.address}/a")

    @pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/y", "data:,x"])
    def test_they_lead_to_the_web_only(self, target: str, server: Server) -> None:
        server.answers["/a"] = (302, {"Location": target}, b"")
        with pytest.raises(FormatError):
            fetched(f"{server.address}/a")


class TestFailures:
    @pytest.mark.parametrize("status", [404, 403, 500])
    def test_the_server_refuses(self, status: int, server: Server, cache: Path) -> None:
        server.answers["/m"] = (status, {}, b"no")
        with pytest.raises(FormatError, match=f"the server answers {status}") as failure:
            fetched(f"{server.address}/m")
        assert failure.value.where == f"{server.address}/m"
        assert list(cache.iterdir()) == []

    def test_nobody_answers(self, server: Server) -> None:
        with pytest.raises(FormatError, match="cannot be downloaded"):
            fetched("http://127.0.0.1:1/m")

    def test_a_web_page(self, server: Server, cache: Path) -> None:
        server.answers["/m"] = (200, {}, b"<!doctype html><html></html>")
        with pytest.raises(CorruptFileError, match=r"is no whole \.tar\.gz archive") as failure:
            fetched(f"{server.address}/m")
        assert failure.value.where == f"{server.address}/m"
        assert list(cache.iterdir()) == []

    def test_it_ends_early(self, server: Server, module: bytes) -> None:
        server.answers["/m"] = (200, {"Content-Length": str(len(module) + 5)}, module)
        with pytest.raises(FormatError, match=r"the download ended after \d+ of \d+ bytes"):
            fetched(f"{server.address}/m")

    @pytest.mark.parametrize("told", [None, ""])
    def test_it_is_too_large(self, told: str | None, server: Server) -> None:
        headers = {} if told is None else {"Content-Length": told}
        server.answers["/m"] = (200, headers, bytes(1001))
        with pytest.raises(UnsafeFileError, match="is larger than 1000 bytes"):
            fetched(f"{server.address}/m", most_bytes=1000)

    def test_the_cache_cannot_be_written(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "file"))
        with pytest.raises(UsageError, match="cannot be written to") as failure:
            fetched(f"{server.address}/m")
        assert "TFHUB_CACHE_DIR" in str(failure.value.hint)


@pytest.mark.parametrize(
    "handle", ["http://", "https:///x", "ftp://x/y", "http://[x", "http://x:y/", "http://x/a b"]
)
def test_no_addresses(handle: str) -> None:
    with pytest.raises(UsageError, match="is no http or https address"):
        fetched(handle)


def test_handles_and_paths() -> None:
    assert is_handle("https://tfhub.dev/m/1")
    assert is_handle("HTTP://x")
    assert not any(map(is_handle, ("m", "/m", "./https:/x", "file:///m", "C:\\m")))


def test_where_the_cache_is() -> None:
    assert cache_folder({"TFHUB_CACHE_DIR": "/x"}) == Path("/x")
    assert cache_folder({}).name == "tfhub_modules"
