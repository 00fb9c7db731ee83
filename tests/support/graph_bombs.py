"""Small files that stand for large graphs, converted with bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tfjs
from tests.support.fuzz import bounded_memory, bounded_time
from tests.support.graph_seeds import (
    FLOATS,
    Attr,
    const,
    function,
    graph_def,
    node,
    placeholder,
    splat,
)
from tests.support.tools import REPO

SECONDS = 10


def _sum(nodes: Any, *values: str) -> None:
    """The output: what is constant plus the input `x`."""
    placeholder(nodes, "x", "float32", ())
    for number, value in enumerate(values):
        node(nodes, "AddV2", f"out{number}", "x", value, **FLOATS)


def chain(graph: Any) -> None:
    """10,000 nodes one after another."""
    placeholder(graph.node, "x", "float32", (2,))
    for number in range(10_000):
        op = "Identity" if number % 2 else "Relu"
        node(graph.node, op, f"n{number}", f"n{number - 1}" if number else "x", **FLOATS)


def repeated_constants(graph: Any) -> None:
    """Constants of one number each, of 250 MB together with one another 5 GB."""
    for number in range(20):
        splat(graph.node, f"c{number}", (65_000_000,))
    _sum(graph.node, *(f"c{number}" for number in range(20)))


def repeated_strings(graph: Any) -> None:
    """A constant of 2^24 strings, of which the file has one."""
    made = const(graph.node, "c", [b"x"], "string")
    made.attr["value"].tensor.tensor_shape.dim[0].size = 1 << 24
    placeholder(graph.node, "x", "string", ())
    node(graph.node, "Equal", "y", "x", "c", T="string")


def fills(graph: Any) -> None:
    """Fill nodes of 100 KB each, which is folded, and 400 MB together."""
    const(graph.node, "size", [25_000], "int32")
    const(graph.node, "one", 1.0, "float32")
    names = [f"f{number}" for number in range(4000)]
    for name in names:
        node(graph.node, "Fill", name, "size", "one", index_type="int32", **FLOATS)
    _sum(graph.node, *names[::100])
    placeholder(graph.node, "all", "float32", (25_000,))
    node(graph.node, "AddN", "total", "all", *names, N=1 + len(names), **FLOATS)


def huge_shapes(graph: Any) -> None:
    """Fill, Range, Tile, BroadcastTo and Pad of what no memory holds."""
    nodes = graph.node
    const(nodes, "sizes", [1 << 30, 1 << 30], "int32")
    const(nodes, "one", 1.0, "float32")
    const(nodes, "row", np.ones((1, 1)), "float32")
    node(nodes, "Fill", "filled", "sizes", "one", index_type="int32", **FLOATS)
    for name, value in (("start", 0), ("limit", (1 << 31) - 1), ("delta", 1)):
        const(nodes, name, value, "float32")
    node(nodes, "Range", "range", "start", "limit", "delta", Tidx="float32")
    node(nodes, "Tile", "tiled", "row", "sizes", Tmultiples="int32", **FLOATS)
    node(nodes, "BroadcastTo", "spread", "row", "sizes", Tidx="int32", **FLOATS)
    const(nodes, "edges", [[1 << 29, 1 << 29], [0, 0]], "int32")
    node(nodes, "Pad", "padded", "row", "edges", Tpaddings="int32", **FLOATS)
    _sum(nodes, "filled", "range", "tiled", "spread", "padded")


def products(graph: Any) -> None:
    """Products of products of large constants, of which each reads the last twice."""
    splat(graph.node, "p0", (1000, 1000))
    for number in range(1, 60):
        last = f"p{number - 1}"
        node(graph.node, "AddV2" if number % 2 else "MatMul", f"p{number}", last, last, **FLOATS)
    _sum(graph.node, "p59")


def tables(graph: Any) -> None:
    """Rules that would write tables of all places."""
    nodes = graph.node
    const(nodes, "size", [60_000, 60_000], "int32")
    const(nodes, "side", 5, "int32")
    placeholder(nodes, "image", "float32", (1, 4, 4, 3))
    placeholder(nodes, "matrix", "float32", (60_000, 60_000))
    node(nodes, "ResizeBicubic", "resized", "image", "size", **FLOATS)
    node(nodes, "MatrixBandPart", "band", "matrix", "side", "side", Tindex="int32", **FLOATS)


def many_outputs(graph: Any) -> None:
    """Nodes that tell of 65,000 outputs each."""
    placeholder(graph.node, "x", "float32", (65_000,))
    for number in range(1000):
        node(graph.node, "Unpack", f"u{number}", "x", num=65_000, axis=0, **FLOATS)


def texts(graph: Any) -> None:
    """A text that is joined with itself 60 times."""
    const(graph.node, "t0", b"x" * 1000, "string")
    for number in range(1, 60):
        last = f"t{number - 1}"
        node(graph.node, "StringJoin", f"t{number}", last, last, N=2, separator=b"")
    placeholder(graph.node, "x", "string", ())
    node(graph.node, "StringJoin", "out", "t59", "x", N=2, separator=b"")


def _calls(graph: Any, name: str, callee: str, *inputs: str) -> None:
    attrs = {"f": f"@{callee}", "Tin": ["float32"], "Tout": ["float32"]}
    node(graph, "PartitionedCall", name, *inputs, **attrs)


def doubling_calls(graph: Any) -> None:
    """Functions of which each calls the next twice."""
    for number in range(40):
        result = {"b": ("float32", "two:output:0" if number < 39 else "two:y:0")}
        body = function(graph, f"f{number}", {"a": "float32"}, result)
        if number < 39:
            _calls(body, "one", f"f{number + 1}", "a")
            _calls(body, "two", f"f{number + 1}", "one:output:0")
        else:
            node(body, "Neg", "two", "a", **FLOATS)
    placeholder(graph.node, "x", "float32", ())
    _calls(graph.node, "out", "f0", "x")


def deep_calls(graph: Any) -> None:
    """Functions of which each calls the next, 3,000 deep."""
    for number in range(3000):
        result = {"b": ("float32", "r:output:0" if number < 2999 else "r:y:0")}
        body = function(graph, f"f{number}", {"a": "float32"}, result)
        if number < 2999:
            _calls(body, "r", f"f{number + 1}", "a")
        else:
            node(body, "Neg", "r", "a", **FLOATS)
    placeholder(graph.node, "x", "float32", ())
    _calls(graph.node, "out", "f0", "x")


def _choice(nodes: Any, name: str, branches: tuple[str, str]) -> None:
    attrs: dict[str, Attr] = {"Tcond": "bool", "Tin": ["bool", "float32"], "Tout": ["float32"]}
    attrs |= {"then_branch": f"@{branches[0]}", "else_branch": f"@{branches[1]}"}
    node(nodes, "If", name, "p", "p", "x", **attrs)


def _choices(graph: Any, depth: int, otherwise: str | None) -> None:
    arguments = {"p": "bool", "x": "float32"}
    for number in range(depth):
        body = function(graph, f"f{number}", arguments, {"b": ("float32", "r:output:0")})
        following = f"f{number + 1}"
        _choice(body, "r", (following, otherwise or following))
    for name in (f"f{depth}", "end"):
        body = function(graph, name, arguments, {"b": ("float32", "r:y:0")})
        node(body, "Neg", "r", "x", **FLOATS)
    placeholder(graph.node, "p", "bool", ())
    placeholder(graph.node, "x", "float32", ())
    _choice(graph.node, "out", ("f0", otherwise or "f0"))


def deep_choices(graph: Any) -> None:
    """Ifs in Ifs, 500 deep."""
    _choices(graph, 500, "end")


def doubling_choices(graph: Any) -> None:
    """Ifs that have the same If in both branches."""
    _choices(graph, 40, None)


def endless_loops(graph: Any) -> None:
    """Loops of 2^31 steps in loops, 20 deep."""
    arguments = {"i": "int32", "a": "float32"}
    results = {"j": ("int32", "next:z:0"), "b": ("float32", "twice:z:0")}
    types: dict[str, Attr] = {"T": ["int32", "float32"]}
    cond = function(graph, "more", arguments, {"go": ("bool", "less:z:0")})
    const(cond, "most", (1 << 31) - 1, "int32")
    node(cond, "Less", "less", "i", "most:output:0", T="int32")
    for number in range(20):
        body = function(graph, f"step{number}", arguments, results)
        const(body, "one", 1, "int32")
        node(body, "AddV2", "next", "i", "one:output:0", T="int32")
        last = "a"
        if number:
            inner = {"cond": "@more", "body": f"@step{number - 1}", **types}
            node(body, "While", "inner", "one:output:0", "a", **inner)
            last = "inner:output:1"
        node(body, "AddV2", "twice", last, last, **FLOATS)
    const(graph.node, "zero", 0, "int32")
    placeholder(graph.node, "x", "float32", ())
    node(graph.node, "While", "out", "zero", "x", cond="@more", body="@step19", **types)


BOMBS: dict[str, Callable[[Any], None]] = {
    build.__name__: build
    for build in (
        *(chain, repeated_constants, repeated_strings, fills, huge_shapes, products, tables),
        *(many_outputs, texts, doubling_calls, deep_calls, deep_choices, doubling_choices),
        endless_loops,
    )
}


def outcome_of(name: str, folder: Path) -> str:
    """Convert a bomb to the folder `out` in a folder, in a process of its own.

    Returns:
        "converted" or "refused".
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.graph_bombs", name, str(folder)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return str(json.loads(done.stdout))


def main(name: str, folder: Path) -> None:
    """Convert a bomb within bounds, and print what came of it."""
    graph = graph_def()
    BOMBS[name](graph)
    (folder / "frozen.pb").write_bytes(graph.SerializeToString())
    del graph
    bounded_memory()
    with bounded_time(SECONDS):
        try:
            tfjs.convert(folder / "frozen.pb", folder / "out", to="tfjs-graph")
        except tfjs.TfjsError as error:
            sys.stderr.write(str(error))
            sys.stdout.write(json.dumps("refused"))
        else:
            sys.stdout.write(json.dumps("converted"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
