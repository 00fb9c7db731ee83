"""Writes docs/ops.md: the operations that TF.js runs, from the package's own table.

Run with tfjs installed: `python tools/facts/ops_table.py`.
"""

from __future__ import annotations

from pathlib import Path

from tfjs.cli.ops import head, row
from tfjs.ops.support import all_tfjs_ops

DOCS = Path(__file__).resolve().parents[2] / "docs" / "ops.md"
INTRODUCTION = """# Operations

The operations of TensorFlow that TF.js 4.22 lists, and the backends that have the kernels for \
them. `tfjs ops` prints this table, with `--json` as data. This page is written by \
`tools/facts/ops_table.py`; the data are in `src/tfjs/ops/data/tfjs_4_22.json`, which \
`tools/facts/tfjs_ops.mjs` makes from the npm packages.

A model with an operation that runs by `executeAsync` only cannot be run by `predict()` or \
`execute()`, but by `predictAsync()` and `executeAsync()`. A restriction marked "no error" makes \
TF.js answer with wrong numbers. `tfjs convert` writes operations so that TF.js computes what \
TensorFlow does, rewrites those that TF.js lacks where that is exact, and refuses the rest.
"""


def page() -> str:
    """The text of the page."""
    lines = [INTRODUCTION, _line(head()), _line(["---"] * len(head()))]
    for op in all_tfjs_ops():
        name, *cells = row(op)
        lines.append(_line([f"`{name}`", *cells]))
    return "\n".join([*lines, ""])


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    DOCS.write_text(page(), encoding="utf-8")
