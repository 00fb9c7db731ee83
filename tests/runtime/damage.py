"""Runs graphs that are damaged in many ways, in a process with bounded memory.

`python -m tests.runtime.damage FILE FIRST COUNT OUTPUT...` damages the GraphDef in FILE and prints
how many cases ran and were refused, and everything else that came of one. A case that computes for
long is ended and counts as run: loops may be endless.
"""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.support.fuzz import _TooLongError, bounded_memory, bounded_time
from tests.support.graph_changes import change_graph
from tests.support.protocol import Array, JsonObject
from tests.support.tools import REPO
from tfjs.errors import TfjsError
from tfjs.formats.graph_def import GraphReader
from tfjs.ir.graph import GraphModel, Node, Signature
from tfjs.runtime.engine import Runner
from tfjs.wire.protobuf import message_class

_SECONDS = 1.0
_MOST_FED = 1 << 16


def run_damaged(file: Path, first: int, count: int, outputs: Sequence[str]) -> JsonObject:
    """Damage and run a graph in another process; gives `ran`, `refused` and `failures`."""
    command = [sys.executable, "-m", "tests.runtime.damage", str(file), str(first), str(count)]
    command += outputs
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    found: JsonObject = json.loads(done.stdout)
    return found


def _outcome(message: Any, outputs: Sequence[str], rng: Random) -> str | None:
    """Run a damaged graph: "ran", "refused", or None where it cannot be read."""
    try:
        reader = GraphReader(message, [], "damaged", complete=rng.random() < 0.25)
        graph = reader.graph(outputs)
        model = GraphModel(graph, Signature([], []), reader.functions([graph]))
    except TfjsError:
        return None
    keys = [node.name for node in graph.inputs]
    graph.output_names = [f"out{index}" for index in range(len(graph.outputs))]
    model.signature = Signature(keys, list(graph.output_names))
    try:
        runner = Runner(model, as_tfjs=rng.random() < 0.5)
        feeds = {node.name: _array(node) for node in graph.inputs}
        runner.run(feeds)
        list(runner.trace(feeds))
    except TfjsError as error:
        return "refused" if str(error).strip() else "an error without a text"
    return "ran"


def _array(node: Node) -> Array:
    shape = [3 if size is None else size for size in node.output.shape or ()]
    shape = shape if 0 <= np.prod(shape, dtype=float) <= _MOST_FED else [0] * len(shape)
    dtype = node.output.dtype
    if dtype == "string":
        return np.full(shape, b"a b", object)
    try:
        return np.ones(shape, dtype or "float32")
    except TypeError:
        return np.ones(shape, np.float32)


def main(file: Path, first: int, count: int, outputs: Sequence[str]) -> None:
    """Damages one graph in many ways."""
    bounded_memory()
    tally: dict[str, Any] = {"ran": 0, "refused": 0, "unread": 0, "failures": []}
    data = file.read_bytes()
    for case in range(first, first + count):
        rng = Random(case)
        message: Any = message_class("tensorflow.GraphDef")()
        message.ParseFromString(data)
        what = "; ".join(change_graph(message, rng) for _ in range(1 + case % 3))
        try:
            with bounded_time(_SECONDS):
                found = _outcome(message, outputs, rng) or "unread"
        except _TooLongError:
            found = "ran"
        except BaseException:  # noqa: BLE001 - every other end is what is looked for
            found = traceback.format_exc()
        if found in tally:
            tally[found] += 1
        else:
            tally["failures"].append(f"case {case}: {what}\n{found}")
    sys.stdout.write(json.dumps(tally))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
