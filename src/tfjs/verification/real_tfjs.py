"""A result that runs in the real TF.js instead of by our runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tfjs.ir.graph import GraphModel
from tfjs.ir.tensor import Array
from tfjs.runtime.node import Backend, NodeRunner
from tfjs.verification.check import Run

# The formats that TF.js runs.
FORMATS = frozenset({"tfjs-graph", "tfjs-layers"})


@contextmanager
def in_tfjs(model: GraphModel, path: Path, backend: Backend) -> Iterator[Run]:
    """Run a TF.js model in Node.

    Args:
        model: the model as our reader has it, lowered where it has layers.
        path: its folder or JSON file.
        backend: which backend computes.

    Raises:
        MissingDependencyError: Node or TF.js is not installed.
        UnsupportedError: TF.js does not load the model, or later, does not run it.
    """
    signature = model.signature
    keys = {node.name: key for node, key in zip(model.graph.inputs, signature.inputs, strict=False)}
    with NodeRunner(path, backend=backend) as runner:
        # TF.js has outputs in the order of the keys in JavaScript, where numbers come first.
        given = [port.name.partition(":")[0] for port in runner.outputs]
        known = len(set(given)) == len(given) and set(given) == set(signature.outputs)
        places = [given.index(key) for key in signature.outputs] if known else range(len(given))

        def run(feeds: Mapping[str, Array]) -> list[Array]:
            answers = runner.run({keys.get(name, name): array for name, array in feeds.items()})
            return [answers[place] for place in places]

        yield run
