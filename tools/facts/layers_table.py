"""Writes docs/layers.md: what becomes of each layer of Keras 3, found out by converting it.

Run with Keras 3: `KERAS_BACKEND=jax python tools/facts/layers_table.py`.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from types import ModuleType

from sample_models import LEFT_OUT, sample_model

import tfjs
from tfjs.layers.vocabulary import facts

DOCS = Path(__file__).resolve().parents[2] / "docs" / "layers.md"
HEAD = """# Layers

What becomes of the layers of Keras {version} in a TF.js layers model, with their default \
configuration. This page is written by `tools/facts/layers_table.py`, which converts each one; \
`tests/models/test_every_layer.py` compares what TF.js answers with what Keras answers.

A configuration that TF.js would ignore or compute otherwise (groups, dilation of a depthwise \
convolution, output padding, `keepdims`, a slope of `ReLU`, ...) is rewritten too where that is \
exact, and refused where it is not. `tfjs convert` lists every rewrite that it makes.

What a layers model cannot hold a graph model mostly can: without `--to`, `tfjs convert` writes \
one where it must, and `--to tfjs-graph` always does. \
`tests/models/test_every_layer_as_graph.py` compares those.

The look-up layers below have not seen data. What `StringLookup` and `IntegerLookup` have learned, \
or were built with, goes into the hash tables of a graph model, from `.keras` files too; \
`tests/layers/declarations/lowered/test_lookups.py` compares that.
"""


def outcome(keras: ModuleType, name: str, folder: Path) -> tuple[str, str]:
    """ "kept", "rewritten" or "refused", and how or why; of the last also what a graph does."""
    model, _ = sample_model(keras, name)
    model.save(folder / f"{name}.keras")
    try:
        report = tfjs.convert(folder / f"{name}.keras", folder / name, to="tfjs-layers")
    except tfjs.UnsupportedError as error:
        return "refused", f"{_reason(error)} | {as_graph(folder / name)}"
    return ("rewritten", "; ".join(report.rewrites)) if report.rewrites else ("kept", "")


def as_graph(path: Path) -> str:
    """What becomes of a layer in a graph model: "yes", or why it cannot be."""
    try:
        tfjs.convert(path.with_suffix(".keras"), path, to="tfjs-graph")
    except tfjs.UnsupportedError as error:
        return _reason(error)
    return "yes"


def _reason(error: tfjs.UnsupportedError) -> str:
    return error.problems[0].partition(": ")[2]


def main() -> None:
    """Write the page."""
    keras = importlib.import_module("keras")
    found: dict[str, dict[str, str]] = {"kept": {}, "rewritten": {}, "refused": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(set(facts("keras3")["layers"]) - LEFT_OUT):
            kind, words = outcome(keras, name, Path(folder))
            found[kind][name] = words
    parts = [HEAD.format(version=facts("keras3")["meta"]["version"])]
    parts.append("## Kept\n\n" + ", ".join(f"`{name}`" for name in found["kept"]) + ".\n")
    for kind, *titles in (("rewritten", "how"), ("refused", "why", "as a graph model")):
        head = f"| layer | {' | '.join(titles)} |"
        rows = [f"| `{name}` | {words} |" for name, words in found[kind].items()]
        rule = "| --- " * (1 + len(titles)) + "|"
        parts.append("\n".join([f"## {kind.title()}\n", head, rule, *rows, ""]))
    DOCS.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
