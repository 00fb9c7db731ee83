"""Bad input through the command: its own clear error, its exit code, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import pytest
from click.testing import CliRunner

import tfjs
from tests.support import seeds
from tests.support.protocol import JsonObject
from tests.support.tiny_models import (
    hanging_model,
    write_dense_model,
)
from tests.support.wide_model import write_wide_model
from tfjs.cli.main import cli

HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>"


class Bad(NamedTuple):
    """A bad model: what makes it in a folder, and what the command must answer."""

    make: Callable[[Path], Path]
    code: int
    words: str


# What the models are made with


def edited(change: Callable[[JsonObject], Any]) -> Callable[[Path], Path]:
    """A TF.js model whose model.json is changed."""

    def make(folder: Path) -> Path:
        web = seeds.branching(folder / "web")
        document = json.loads((web / "model.json").read_text())
        change(document)
        (web / "model.json").write_text(json.dumps(document))
        return web

    return make


def rewritten(change: Callable[[bytes], bytes], file: str = "model.json") -> Callable[[Path], Path]:
    """A TF.js model one of whose files has other bytes."""

    def make(folder: Path) -> Path:
        web = seeds.branching(folder / "web")
        (web / file).write_bytes(change((web / file).read_bytes()))
        return web

    return make


def layers_of(document: JsonObject) -> list[JsonObject]:
    layers: list[JsonObject] = document["modelTopology"]["config"]["layers"]
    return layers


def specs_of(document: JsonObject) -> list[JsonObject]:
    specs: list[JsonObject] = document["weightsManifest"][0]["weights"]
    return specs


def hdf5(change: Callable[[h5py.File], Any]) -> Callable[[Path], Path]:
    """A Keras HDF5 model that is changed."""

    def make(folder: Path) -> Path:
        path = folder / "model.h5"
        tfjs.convert(seeds.branching(folder / "source"), path)
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return make


KERNEL = "model_weights/one/one/kernel:0"


def instead(make: Callable[[h5py.File], Any], path: str = KERNEL) -> Callable[[Path], Path]:
    """A Keras HDF5 model with something else in place of a kernel of shape [4, 3]."""

    def change(file: h5py.File) -> None:
        del file[path]
        make(file)

    return hdf5(change)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 3), "<f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 3))
    file.create_virtual_dataset(KERNEL, layout)


def archive(change: Callable[[dict[str, bytes]], Any]) -> Callable[[Path], Path]:
    """A `.keras` archive whose members are changed."""

    def make(folder: Path) -> Path:
        path = folder / "model.keras"
        tfjs.convert(seeds.branching(folder / "source"), path)
        with zipfile.ZipFile(path) as file:
            members = {name: file.read(name) for name in file.namelist()}
        change(members)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members.items():
                file.writestr(name, content)
        return path

    return make


def configured(change: Callable[[JsonObject], Any]) -> Callable[[Path], Path]:
    """A `.keras` archive whose configuration is changed."""

    def edit(members: dict[str, bytes]) -> None:
        config = json.loads(members["config.json"])
        change(config)
        members["config.json"] = json.dumps(config).encode()

    return archive(edit)


def plain(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder / name

    return make


def cut(make: Callable[[Path], Path], keep: float) -> Callable[[Path], Path]:
    """The first part of a file."""

    def cut_off(folder: Path) -> Path:
        path = make(folder)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])
        return path

    return cut_off


def damaged_member(folder: Path) -> Path:
    """A `.keras` archive with one bit of its configuration flipped."""
    path = folder / "model.keras"
    tfjs.convert(seeds.branching(folder / "source"), path)
    data = bytearray(path.read_bytes())
    data[data.index(b'"Functional"') + 1] ^= 1
    path.write_bytes(data)
    return path


def removed(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        web = seeds.branching(folder / "web")
        (web / name).unlink()
        return web

    return make


def linked_out(folder: Path) -> Path:
    """A shard that is a symbolic link out of the folder."""
    web = seeds.branching(folder / "web")
    shard = web / "group1-shard1of2.bin"
    shard.rename(folder / "elsewhere.bin")
    shard.symlink_to(folder / "elsewhere.bin")
    return web


def saved_model_without_signatures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    return folder


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def twice(document: JsonObject) -> None:
    specs_of(document)[0]["name"] = specs_of(document)[2]["name"]


def cycle(document: JsonObject) -> None:
    layers_of(document)[2]["inbound_nodes"][0][0][0] = "join"


def set_first(document: JsonObject, **fields: Any) -> None:
    specs_of(document)[0].update(fields)


def set_path(name: str) -> Callable[[JsonObject], None]:
    def change(document: JsonObject) -> None:
        document["weightsManifest"][0]["paths"][0] = name

    return change


def add_lambda(config: JsonObject) -> None:
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAAAAAAAAAAAAAEAAAA="}}
    entry = next(e for e in config["config"]["layers"] if e["class_name"] == "Concatenate")
    entry["class_name"] = "Lambda"
    entry["config"] = {"name": entry["config"]["name"], "function": code}


# A zip archive with nothing but an empty file in it.
ZIPPED = (
    b"PK\x03\x04\x14" + b"\0" * 21 + b"\x01\0\0\0a"
    b"PK\x01\x02\x14\0\x14" + b"\0" * 21 + b"\x01" + b"\0" * 17 + b"a"
    b"PK\x05\x06" + b"\0" * 4 + b"\x01\0\x01\0/\0\0\0\x1f\0\0\0\0\0"
)
GZIP_BOMB = gzip.compress(b" " * (300 << 20), compresslevel=1)

BAD: dict[str, Bad] = {
    # Truncated
    "json cut off": Bad(rewritten(lambda d: d[:500]), 3, "web/model.json: is not valid JSON"),
    "h5 cut off": Bad(
        cut(hdf5(lambda f: None), 0.6), 3, "model.h5: is no HDF5 file, or a damaged one: "
    ),
    "h5 head only": Bad(cut(hdf5(lambda f: None), 0.01), 3, "model.h5: is no HDF5 file"),
    "archive cut off": Bad(cut(archive(lambda m: None), 0.9), 3, "model.keras: is a damaged zip"),
    "empty file": Bad(
        plain("model.h5", b""), 3, "model.h5: is no model that tfjs reads: an empty file"
    ),
    "empty json": Bad(
        rewritten(lambda d: b""), 3, "web/model.json: is no model that tfjs reads: an empty"
    ),
    # Corrupted
    "flipped bit": Bad(damaged_member, 3, "model.keras: is a damaged zip archive: Bad CRC-32"),
    "garbage in json": Bad(
        rewritten(lambda d: d.replace(b'"layers"', b'"l\xffyers"')), 3, "is not UTF-8"
    ),
    "missing topology": Bad(edited(lambda d: d.pop("modelTopology")), 3, "has no modelTopology"),
    "missing layers": Bad(
        edited(lambda d: d["modelTopology"]["config"].pop("layers")), 3, "configuration is damaged"
    ),
    "nested too deeply": Bad(
        rewritten(lambda d: b'{"format":"layers-model","x":' + nested(100_000) + b"}"),
        3,
        "nested too deeply",
    ),
    "topology nested too deeply": Bad(
        edited(lambda d: layers_of(d)[2]["config"].update(deep=json.loads(nested(700)))),
        3,
        "nested beyond reason",
    ),
    "weights of another model": Bad(
        edited(lambda d: specs_of(d)[0].update(name="other/kernel")),
        3,
        "weights are not in the manifest: one/kernel",
    ),
    "no config in the archive": Bad(
        archive(lambda m: m.pop("config.json")), 3, "has no config.json"
    ),
    "no weights in the archive": Bad(
        archive(lambda m: m.pop("model.weights.h5")), 3, "has no model.weights.h5"
    ),
    # Mislabelled
    "web page as h5": Bad(
        plain("model.h5", HTML), 3, "model.h5: is a web page, not the file itself"
    ),
    "web page as keras": Bad(plain("model.keras", HTML), 3, "is a web page, not the file itself"),
    "web page as json": Bad(rewritten(lambda d: HTML), 3, "is a web page, not the file itself"),
    "git lfs": Bad(
        plain("model.h5", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        3,
        "is a Git LFS pointer, not the file itself\n  hint: run `git lfs pull`",
    ),
    "gzip": Bad(
        plain("model.h5", gzip.compress(b"x")), 3, "is compressed with gzip\n  hint: expand it"
    ),
    "picture": Bad(
        plain("model.h5", b"\x89PNG\r\n\x1a\n0000"),
        3,
        "a file that begins with b'\\x89PNG\\r\\n\\x1a\\n'",
    ),
    "zip without a model": Bad(
        plain("model.zip", ZIPPED),
        3,
        "a zip archive without a Keras model in it (unzip it first)",
    ),
    "graph model": Bad(
        plain("model.json", b'{"format":"graph-model","modelTopology":{"node":[]}}'),
        3,
        "is a graph without outputs",
    ),
    "SavedModel without a signature": Bad(
        lambda folder: saved_model_without_signatures(folder / "saved"),
        4,
        "saved_model.pb: has no signature, so nothing tells its inputs and outputs",
    ),
    # HDF5 that reaches out
    "external data": Bad(
        instead(
            lambda f: f.create_dataset(KERNEL, (4, 3), "<f4", external=[("/etc/passwd", 0, 48)])
        ),
        3,
        "keeps its data in another file",
    ),
    "virtual data": Bad(instead(virtual), 3, "is virtual: its data lies in other datasets"),
    "external link": Bad(
        instead(lambda f: f.__setitem__(KERNEL, h5py.ExternalLink("/etc/passwd", "x"))),
        3,
        "is a link to another file",
    ),
    "link to nothing": Bad(
        instead(lambda f: f.__setitem__(KERNEL, h5py.SoftLink("/nothing"))), 3, "which is not there"
    ),
    "link in circles": Bad(
        instead(lambda f: f.__setitem__(KERNEL, h5py.SoftLink(f"/{KERNEL}"))),
        3,
        "leads to too many others",
    ),
    # Bombs
    "archive bomb": Bad(
        archive(lambda m: m.update({"config.json": b" " * (300 << 20)})),
        3,
        "the member 'config.json' has 314572800 bytes, more than",
    ),
    "gzip bomb": Bad(rewritten(lambda d: GZIP_BOMB), 3, "model.json: is compressed with gzip"),
    "pickled weights": Bad(
        archive(lambda m: m.pop("model.weights.h5") and m.update({"model.weights.npz": b"PK"})),
        3,
        "a pickle of Python, which can run any code",
    ),
    # Absurd shapes
    "absurd manifest": Bad(
        edited(lambda d: set_first(d, shape=[1 << 40, 1 << 40])), 3, "has the absurd shape"
    ),
    "large manifest": Bad(edited(lambda d: set_first(d, shape=[1 << 20, 3])), 3, "needs 12583"),
    "negative size": Bad(edited(lambda d: set_first(d, shape=[-4, 3])), 3, "has a dimension of -4"),
    "absurd dataset": Bad(
        instead(lambda f: f.create_dataset(KERNEL, (1 << 30, 1 << 20), "<f4", chunks=(16, 16))),
        3,
        "it would have 4503599627370496 bytes, in a file of",
    ),
    "absurd layer": Bad(
        edited(lambda d: layers_of(d)[2]["config"].update(units=1 << 60)), 3, "one/kernel"
    ),
    # Paths
    "path above": Bad(edited(set_path("../secret.bin")), 3, "'../secret.bin', which is outside"),
    "absolute path": Bad(edited(set_path("/etc/passwd")), 3, "'/etc/passwd', which is outside"),
    "windows path": Bad(edited(set_path("C:\\x.bin")), 3, "which is outside of its folder"),
    "path by a link": Bad(linked_out, 3, "which is outside of its folder"),
    "name in the archive": Bad(
        archive(lambda m: m.update({"../evil.py": b"x"})), 3, "has a member with the unsafe name"
    ),
    # Shards
    "shard missing": Bad(
        removed("group1-shard2of2.bin"), 3, "the weight file 'group1-shard2of2.bin' is missing"
    ),
    "shard too short": Bad(
        rewritten(lambda d: d[:-1], "group1-shard2of2.bin"),
        3,
        "needs 192 bytes, its files have 191: group1-shard1of2.bin has 97",
    ),
    "shard a web page": Bad(
        rewritten(lambda d: HTML, "group1-shard2of2.bin"),
        3,
        "group1-shard2of2.bin: is a web page, not the file itself",
    ),
    "shard twice": Bad(
        edited(set_path("group1-shard2of2.bin")), 3, "names the file 'group1-shard2of2.bin' twice"
    ),
    # Names
    "weight twice": Bad(edited(twice), 3, "names the weight 't/kernel' twice"),
    "layer twice": Bad(
        edited(lambda d: layers_of(d)[5].update(name="v")), 3, "2 layers are named 'v'"
    ),
    # Numbers that JSON does not have
    "NaN": Bad(
        rewritten(lambda d: d.replace(b'"units": 3', b'"units": NaN', 1)),
        3,
        "line 1 holds NaN, which is not JSON: browsers refuse the file",
    ),
    "Infinity": Bad(
        rewritten(lambda d: d.replace(b'"units": 3', b'"units": -Infinity', 1)),
        3,
        "line 1 holds -Infinity, which is not JSON",
    ),
    # What TF.js's loader would wait for for ever
    "layer that is not there": Bad(hanging_model, 3, "refers to a layer 'ghost' that is not there"),
    "call that is not there": Bad(
        edited(lambda d: layers_of(d)[4]["inbound_nodes"][0][0].__setitem__(1, 9)),
        3,
        "refers to call 8 of layer 'twice', which has 2",
    ),
    "cycle": Bad(edited(cycle), 3, "wait for each other: the graph has a cycle"),
    # Code
    "lambda": Bad(configured(add_lambda), 4, "Lambda"),
}


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """The good output of an earlier conversion."""
    web = write_dense_model(tmp_path / "work" / "web")[0]
    (web / "index.html").write_text("a page")
    return web


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def run(*words: object) -> tuple[int, str]:
    """Exit code and what stands on standard error; standard output must be empty."""
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exit_code:
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        assert "Traceback" not in result.stderr
        assert "internal error" not in result.stderr
    return result.exit_code, result.stderr


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, dest: Path, tmp_path: Path) -> None:
    bad = BAD[name]
    (tmp_path / "in").mkdir()
    source = bad.make(tmp_path / "in" / "model")
    before = contents(dest)
    code, err = run("convert", source, dest)
    assert code == bad.code, err
    assert bad.words in err
    assert contents(dest) == before
    for other in ("new", "new.keras", "new.h5") if bad.code == 3 else ("new",):
        assert run("convert", source, dest.parent / other)[0] == bad.code
    assert [entry.name for entry in dest.parent.iterdir()] == ["web"]


def test_a_wrong_name_does_no_harm(dest: Path, tmp_path: Path) -> None:
    """What a file is, its contents tell."""
    archive(lambda members: None)(tmp_path / "a").rename(tmp_path / "archive.h5")
    hdf5(lambda file: None)(tmp_path / "b").rename(tmp_path / "hdf5.keras")
    for name in ("archive.h5", "hdf5.keras"):
        assert run("convert", tmp_path / name, dest)[0] == 0


class TestDestinations:
    """Output paths that cannot be, and writes that fail half-way."""

    def test_a_file_where_a_folder_is_to_be(self, dest: Path) -> None:
        (dest.parent / "taken").write_text("mine")
        code, err = run("convert", dest, dest.parent / "taken")
        assert (code, (dest.parent / "taken").read_text()) == (2, "mine")
        assert "taken: is a file, a folder is to be written there\n  hint: give the path" in err

    @pytest.mark.parametrize("name", ["taken.h5", "taken.keras"])
    def test_a_folder_where_a_file_is_to_be(self, name: str, dest: Path) -> None:
        (dest.parent / name).mkdir()
        code, err = run("convert", dest, dest.parent / name)
        assert code == 2
        assert f"{name}: is a folder, a file is to be written there" in err
        assert sorted(entry.name for entry in dest.parent.iterdir()) == [name, "web"]

    @pytest.mark.parametrize("name", ["web", "model.h5", "model.keras"])
    def test_a_folder_that_is_a_file(self, name: str, dest: Path) -> None:
        (dest.parent / "file").write_text("mine")
        code, err = run("convert", dest, dest.parent / "file" / name)
        assert code == 2
        assert f"file/{name}: cannot be written: " in err
        assert (dest.parent / "file").read_text() == "mine"

    @pytest.mark.parametrize("room", [0, 1_000, 4_096, 10_000, 20_000, 1 << 20])
    @pytest.mark.parametrize("name", ["web", "model.h5", "model.keras", "weights.h5"])
    def test_a_disk_that_is_full(self, name: str, room: int, dest: Path, tmp_path: Path) -> None:
        """Files are bounded to some bytes, as if there were no more room."""
        large = room == 1 << 20
        source = (
            write_wide_model(tmp_path / "source", 4 << 20)
            if large
            else seeds.recurrent(tmp_path / "source")
        )
        options = ["--to", "h5-weights"] if name == "weights.h5" else []
        good = dest.parent / name
        tfjs.convert(dest, good, to="h5-weights" if name == "weights.h5" else None)
        before = contents(dest.parent)
        script = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
            "from tfjs.cli.main import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "convert", source, good, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:  # it is small enough
            assert max(len(data) for data in contents(dest.parent).values()) <= room
            return
        assert (done.returncode, done.stdout) == (5, ""), done.stderr
        assert done.stderr.startswith(f"error: {good}: cannot be written: ")
        assert "file too large" in done.stderr.lower()
        assert contents(dest.parent) == before
        assert not list(dest.parent.glob(".*"))
        assert tfjs.load(good).weights["d/kernel"].shape == (3, 2)


@pytest.mark.parametrize("name", ["web", "model.h5", "model.keras"])
def test_kill_9_while_weights_are_written(name: str, dest: Path, tmp_path: Path) -> None:
    """The earlier output stays, and the next conversion is none the worse for it."""
    source = write_wide_model(tmp_path / "source", 256 << 20)
    good = dest.parent / name
    tfjs.convert(dest, good)
    before = contents(good) if name == "web" else good.read_bytes()
    script = (
        "import sys, time, tfjs\n"
        "def progress(done, total):\n"
        "    if done > total // 2:\n"
        "        print('half', flush=True)\n"
        "        time.sleep(60)\n"
        "tfjs.convert(sys.argv[1], sys.argv[2], progress=progress)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, source, good], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert (contents(good) if name == "web" else good.read_bytes()) == before
    assert list(tfjs.load(good).weights) == ["d/kernel", "d/bias"]
    assert run("convert", source, good)[0] == 0
    assert tfjs.load(good).weights.tensor("d/kernel").nbytes == 256 << 20
