"""Bad graphs through the command: a clear error, its exit code, and nothing half-written."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.support import graph_seeds as seeds
from tests.support.graph_bombs import BOMBS, outcome_of
from tests.support.graph_seeds import FLOATS, Attr, const, function, node, placeholder, splat
from tests.support.saved_models import edit
from tests.support.tiny_models import write_dense_model
from tests.test_bad_input import contents, run
from tests.wire.table_writer import entry, write_bundle
from tfjs.formats.tf_hub import archive as tf_hub_archive

Make = Callable[[Path], Path]


class Bad(NamedTuple):
    """A bad model: what makes it in a folder, and what the command must answer."""

    make: Make
    code: int
    words: str


def graph(build: Callable[[Any], object]) -> Make:
    """A frozen graph that adds to an input `x` of shape [2, 3]."""

    def make(folder: Path) -> Path:
        folder.mkdir()
        message = seeds.graph_def()
        placeholder(message.node, "x", "float32", (2, 3))
        build(message)
        (folder / "g.pb").write_bytes(message.SerializeToString())
        return folder / "g.pb"

    return make


def nodes(build: Callable[[Any], object]) -> Make:
    """The same, given the nodes alone."""
    return graph(lambda message: build(message.node))


def changed(change: Callable[[Any], object]) -> Make:
    """The small graph of the seeds, changed: given its nodes by name."""

    def make(folder: Path) -> Path:
        folder.mkdir()
        message = seeds.small_graph()
        change({each.name: each for each in message.node})
        (folder / "g.pb").write_bytes(message.SerializeToString())
        return folder / "g.pb"

    return make


def bytes_of(seed: Make, name: str, change: Callable[[bytes], bytes]) -> Make:
    """A seed one of whose files has other bytes."""

    def make(folder: Path) -> Path:
        path = seed(folder)
        file = path if path.is_file() else path / name
        file.write_bytes(change(file.read_bytes()))
        return path

    return make


def without(name: str) -> Make:
    def make(folder: Path) -> Path:
        path = seeds.saved(folder)
        (path / name).unlink()
        return path

    return make


def saved(change: Callable[[Any], object]) -> Make:
    """A SavedModel, given its metagraph."""
    return lambda folder: edit(seeds.saved(folder), change)


def checkpoint(**fields: Any) -> Make:
    """A SavedModel whose checkpoint tells other things of the variable `w`."""

    def make(folder: Path) -> Path:
        path = seeds.saved(folder)
        bias, rows = np.zeros(3, "<f4"), np.zeros((5, 3), "<f4")
        tensors = [("b/.VALUE", 1, (3,), bias.tobytes()), ("w/.VALUE", 1, (5, 3), rows.tobytes())]

        def change(entries: dict[bytes, bytes]) -> None:
            entries[b"w/.VALUE"] = entry(1, (5, 3), rows.tobytes(), 12, **fields)

        made = write_bundle(path / "variables", tensors, change=change)
        for suffix in (".index", ".data-00000-of-00001"):
            made.with_name(made.name + suffix).replace(path / "variables" / f"variables{suffix}")
        return path

    return make


def archive(*entries: tuple[str, bytes, bytes]) -> Make:
    """An archive of the module with more entries: name, type, contents or target."""

    def make(folder: Path) -> Path:
        module = seeds.hub_module(folder / "module")
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            tar.add(module, ".")
            for name, kind, content in entries:
                info = tarfile.TarInfo(name)
                info.type = kind
                if kind == tarfile.REGTYPE:
                    info.size = len(content)
                else:
                    info.linkname = content.decode()
                tar.addfile(info, io.BytesIO(content))
        (folder / "m.tar.gz").write_bytes(out.getvalue())
        return folder / "m.tar.gz"

    return make


def call(entries: Any, name: str, callee: str, *inputs: str) -> None:
    dtypes = ["float32"] * len(inputs)
    attrs = {"f": f"@{callee}", "Tin": dtypes, "Tout": ["float32"]}
    node(entries, "PartitionedCall", name, *inputs, **attrs)


def circle(message: Any) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        body = function(message, name, {"a": "float32"}, {"b": ("float32", "c:output:0")})
        call(body, "c", other, "a")
    call(message.node, "y", "one", "x")


def two_arguments(message: Any) -> None:
    arguments = {"a": "float32", "b": "float32"}
    body = function(message, "sum", arguments, {"c": ("float32", "c:z:0")})
    node(body, "AddV2", "c", "a", "b", **FLOATS)
    call(message.node, "y", "sum", "x")


def cycle(entries: Any) -> None:
    node(entries, "AddV2", "y", "x", "z", **FLOATS)
    node(entries, "AddV2", "z", "x", "y", **FLOATS)
    node(entries, "Relu", "out", "z", **FLOATS)


def product(entries: Any) -> None:
    const(entries, "w", np.ones((4, 2)), "float32")
    node(entries, "MatMul", "y", "x", "w", **FLOATS)


def patches(entries: Any) -> None:
    placeholder(entries, "image", "float32", (1, 8, 8, 3))
    sizes: dict[str, Attr] = {"ksizes": [1, 2, 2, 1], "strides": [1] * 4, "rates": [1] * 4}
    node(entries, "ExtractImagePatches", "y", "image", padding=b"EXPLICIT", **sizes, **FLOATS)


def short_constant(entries: dict[str, Any]) -> None:
    tensor = entries["kernel"].attr["value"].tensor
    tensor.tensor_content = tensor.tensor_content[:-4]


def rank_300(entries: Any) -> None:
    placeholder(entries, "y", "float32", (1,) * 300)
    node(entries, "Relu", "z", "y", **FLOATS)


BAD: dict[str, Bad] = {
    # Protobufs
    "cut off": Bad(
        bytes_of(seeds.frozen, "", lambda d: d[:-7]), 3, "frozen.pb: is no GraphDef message"
    ),
    "a varint without end": Bad(
        bytes_of(seeds.saved, "saved_model.pb", lambda d: d + b"\x08" + b"\xff" * 11),
        *(3, "saved_model.pb: is no SavedModel message"),
    ),
    "a length beyond the file": Bad(
        bytes_of(seeds.frozen, "", lambda d: d + b"\x0a\xff\xff\xff\xff\x07"),
        *(3, "is no GraphDef message"),
    ),
    "a web page": Bad(
        bytes_of(seeds.saved, "saved_model.pb", lambda d: b"<!DOCTYPE html>\n<html>"),
        *(3, "saved_model.pb: is a web page, not the file itself"),
    ),
    "text cut off": Bad(
        bytes_of(seeds.frozen_text, "", lambda d: d[:-30]),
        *(3, "frozen.pbtxt: is no GraphDef message"),
    ),
    "text that is no UTF-8": Bad(
        bytes_of(seeds.saved_text, "saved_model.pbtxt", lambda d: d.replace(b"words", b"w\xffrds")),
        *(3, "saved_model.pbtxt: is no SavedModel message"),
    ),
    "text with an escape beyond a byte": Bad(
        bytes_of(seeds.frozen_text, "", lambda d: d.replace(b"NHWC", b"\\640")),
        *(3, "frozen.pbtxt: is no GraphDef message"),
    ),
    "text nested without end": Bad(
        bytes_of(seeds.frozen_text, "", lambda d: b'node { attr { key: "a" value {' * 3000),
        *(3, "frozen.pbtxt: is no GraphDef message"),
    ),
    # JSON
    "a dtype beyond all numbers": Bad(
        bytes_of(
            seeds.web_graph,
            "model.json",
            lambda d: d.replace(b'"type":"DT_FLOAT"', b'"type":1e999'),
        ),
        *(3, "model.json: is no GraphDef message"),
    ),
    # Checkpoints
    "no shard": Bad(
        without("variables/variables.data-00000-of-00001"),
        *(3, "variables.data-00000-of-00001"),
    ),
    "no index": Bad(without("variables/variables.index"), 3, "variables.index"),
    "a flipped bit of weights": Bad(
        bytes_of(
            seeds.saved,
            "variables/variables.data-00000-of-00001",
            lambda d: d[:20] + bytes([d[20] ^ 1]) + d[21:],
        ),
        *(3, "checksum"),
    ),
    "a flipped bit of the index": Bad(
        bytes_of(
            seeds.saved, "variables/variables.index", lambda d: d[:9] + bytes([d[9] ^ 1]) + d[10:]
        ),
        *(3, "variables.index: the checksum of the block"),
    ),
    "the index cut off": Bad(
        bytes_of(seeds.saved, "variables/variables.index", lambda d: d[:-9]),
        *(3, "variables.index: is no table: the footer is missing"),
    ),
    "a shard too short": Bad(
        bytes_of(seeds.saved, "variables/variables.data-00000-of-00001", lambda d: d[:-4]),
        *(3, "variables"),
    ),
    "an offset beyond the shard": Bad(checkpoint(offset=1 << 40), 3, "w/.VALUE"),
    "a negative offset": Bad(checkpoint(offset=-12), 3, "w/.VALUE"),
    "an absurd size": Bad(checkpoint(size=1 << 60), 3, "w/.VALUE"),
    "a shard that is not there": Bad(checkpoint(shard_id=7), 3, "w/.VALUE"),
    "another shape": Bad(checkpoint(shape={"dim": [{"size": 15}]}), 3, "'w'"),
    # SavedModels
    "no signature": Bad(
        saved(lambda meta: meta.signature_def.pop("serving_default")),
        *(4, "has no signature"),
    ),
    "a signature without outputs": Bad(
        saved(lambda meta: meta.signature_def["serving_default"].outputs.clear()),
        *(4, "the signature has no outputs"),
    ),
    "an output that is not there": Bad(
        saved(
            lambda meta: setattr(
                meta.signature_def["serving_default"].outputs["scores"], "name", "ghost:0"
            )
        ),
        *(3, "'ghost'"),
    ),
    "an asset that leads outside": Bad(
        saved(lambda meta: meta.asset_file_def.add(filename="../../secret")),
        *(3, "which is outside of its folder"),
    ),
    # Nodes
    "an input that is not there": Bad(
        nodes(lambda n: node(n, "Relu", "y", "ghost", **FLOATS)),
        *(3, "refers to a node 'ghost' that is not there"),
    ),
    "a cycle": Bad(nodes(cycle), 3, "the graph has a cycle"),
    "an output that a node does not have": Bad(
        nodes(lambda n: node(n, "Relu", "y", "x:1", **FLOATS)),
        *(3, "node 'x': has no output 'x:1'"),
    ),
    "an output beyond all numbers": Bad(
        nodes(lambda n: node(n, "Relu", "y", f"x:{10**30}", **FLOATS)), 3, "node 'x': is read as"
    ),
    "too few inputs": Bad(
        nodes(lambda n: node(n, "AddV2", "y", "x", **FLOATS)), 3, "AddV2 takes 2 inputs and has 1"
    ),
    "absurdly many inputs": Bad(
        nodes(lambda n: node(n, "AddN", "y", "x", N=1 << 60, **FLOATS)),
        *(3, "node 'y': has N=1152921504606846976"),
    ),
    "another dtype": Bad(
        nodes(lambda n: node(n, "Relu", "y", "x", T="int32")),
        *(3, "node 'y': takes int32, but 'x' gives float32"),
    ),
    "a shape in floats": Bad(
        nodes(lambda n: node(n, "Shape", "y", "x", out_type="float32", **FLOATS)),
        *(3, "node 'y': gives its sizes as float32"),
    ),
    "no dtype": Bad(
        nodes(lambda n: node(n, "Relu", "y", "x")),
        *(3, "node 'y': has no attribute 'T', which Relu needs"),
    ),
    "a shape for a dtype": Bad(
        nodes(lambda n: node(n, "Relu", "y", "x", T=(2,))),
        *(3, "node 'y': has no type as its attribute 'T'"),
    ),
    "one name twice": Bad(
        nodes(lambda n: [node(n, "Relu", "y", "x", **FLOATS) for _ in range(2)]),
        *(3, "has two nodes called 'y'"),
    ),
    "shapes that do not fit": Bad(nodes(product), 3, "node 'y' (MatMul): "),
    "an absurd size of an input": Bad(
        nodes(lambda n: n[0].attr["shape"].shape.dim.add(size=1 << 40)),
        *(4, "nothing tells the outputs"),
    ),
    "absurdly many dimensions": Bad(nodes(rank_300), 3, "has a shape of 300 dimensions"),
    "a wrong number of window sizes": Bad(
        changed(lambda n: n["conv"].attr["strides"].list.i.pop()), 3, "node 'conv' (Conv2D): "
    ),
    "attributes that no rule reckons with": Bad(
        nodes(patches),
        *(3, "node 'y' (ExtractImagePatches): does not take such attributes or inputs"),
    ),
    "an absurd number of bits": Bad(
        nodes(lambda n: node(n, "FakeQuantWithMinMaxArgs", "y", "x", num_bits=1 << 40)),
        *(3, "node 'y' (FakeQuantWithMinMaxArgs): it has 1099511627776 bits"),
    ),
    # Constants
    "a constant of too few bytes": Bad(
        changed(short_constant),
        *(3, "node 'kernel': has a float32 constant of [3, 3, 2, 4] in 284 bytes"),
    ),
    "a constant of a negative size": Bad(
        changed(lambda n: n["halves"].attr["value"].tensor.tensor_shape.dim.add(size=-2)),
        *(3, "node 'halves': has a constant without a static shape"),
    ),
    "a constant of 2^60 numbers": Bad(
        nodes(
            lambda n: (splat(n, "c", (1 << 30, 1 << 30)), node(n, "Mul", "y", "x", "c", **FLOATS))
        ),
        *(3, "node 'c': has a constant of the absurd shape [1073741824, 1073741824]"),
    ),
    "no value": Bad(
        changed(lambda n: n["bias"].attr["value"].Clear()),
        *(3, "node 'bias': has no tensor as its attribute 'value'"),
    ),
    # Functions
    "a function that is not there": Bad(
        graph(lambda g: call(g.node, "y", "ghost", "x")), 3, "has no function 'ghost'"
    ),
    "functions in a circle": Bad(graph(circle), 3, "calls itself"),
    "a call that does not fit": Bad(
        graph(two_arguments), 3, "node 'y': does not fit the function 'sum' that it runs"
    ),
    "a loop without a body": Bad(
        changed(lambda n: n["loop"].attr["body"].Clear()),
        *(3, "node 'loop': has no func as its attribute 'body'"),
    ),
    "a branch of another signature": Bad(
        changed(lambda n: setattr(n["chosen"].attr["else_branch"].func, "name", "step_once")),
        *(3, "node 'chosen': does not fit the function 'step_once' that it runs"),
    ),
    # Archives
    "an archive cut off": Bad(
        bytes_of(seeds.hub_archive, "", lambda d: d[: len(d) // 2]),
        *(3, "module.tar.gz: is no whole .tar.gz archive"),
    ),
    "a name above": Bad(
        archive(("../evil.py", tarfile.REGTYPE, b"x")), 3, "which is outside of its folder"
    ),
    "a link": Bad(
        archive(("variables/out", tarfile.SYMTYPE, b"/etc")), 3, "which is no plain file"
    ),
    "a hard link": Bad(archive(("copy", tarfile.LNKTYPE, b"/etc/passwd")), 3, "no plain file"),
    "a file twice": Bad(archive(("./saved_model.pb", tarfile.REGTYPE, b"x")), 3, "twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_graph(name: str, tmp_path: Path) -> None:
    assert_refused(BAD[name], tmp_path)


def test_an_archive_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf_hub_archive, "_ALWAYS_ALLOWED", 1 << 20)
    bomb = archive(("zeros", tarfile.REGTYPE, b"\0" * (8 << 20)))
    assert_refused(Bad(bomb, 3, "m.tar.gz: expands to more than 1"), tmp_path)


def assert_refused(bad: Bad, tmp_path: Path) -> None:
    """The command answers as told, and what was there before is untouched."""
    (tmp_path / "in").mkdir()
    source = bad.make(tmp_path / "in" / "model")
    work = tmp_path / "work"
    dest = write_dense_model(work / "web")[0]
    before = contents(work)
    for target in (dest, work / "new"):
        code, err = run("convert", source, target, "--to", "tfjs-graph")
        assert code == bad.code, err
        assert bad.words in err
        assert contents(work) == before
        assert [file.name for file in work.iterdir()] == ["web"]


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_of_large_graphs(name: str, tmp_path: Path) -> None:
    """They are converted, or refused, in 10 s of computing and 1 GiB."""
    assert outcome_of(name, tmp_path) in ("converted", "refused")
    assert sum(len(data) for data in contents(tmp_path / "out").values()) < 1 << 30
