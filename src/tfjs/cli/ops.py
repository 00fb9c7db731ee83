"""`tfjs ops`: which of TensorFlow's operations TF.js runs, and where."""

from __future__ import annotations

import json
from typing import Any

import click

from tfjs.ops.support import Restriction, TfjsOp, all_tfjs_ops, backends


@click.command(short_help="List the operations that TF.js runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def ops(as_json: bool) -> None:
    """List the operations that TF.js 4.22 runs, each with the backends that have its kernels.

    A model with an operation that runs by executeAsync only cannot be run by predict() or
    execute(), but by predictAsync() and executeAsync(). Most operations that TF.js lacks are
    rewritten by `tfjs convert` into those that it has.
    """
    if as_json:
        click.echo(json.dumps([_entry(op) for op in all_tfjs_ops()]))
        return
    rows = [head(), *(row(op) for op in all_tfjs_ops())]
    widths = [max(len(line[index]) for line in rows) for index in range(len(rows[0]) - 1)]
    for *cells, words in rows:
        aligned = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        click.echo("  ".join([*aligned, words]).rstrip())


def head() -> tuple[str, ...]:
    """The titles of the columns."""
    return ("operation", "category", *backends(), "runs by", "restrictions")


def row(op: TfjsOp) -> tuple[str, ...]:
    """An operation as cells of the table, below the titles of `head`."""
    runs = {"sync": "predict", "dynamic": "executeAsync", "promise": "executeAsync"}
    here = [_runs_on(op, backend) for backend in backends()]
    words = [_words(entry) for entry in op.restrictions]
    return (
        op.name,
        op.category,
        *("yes" if found else "no" for found in here),
        runs[op.run] if op.run and op.unusable is None else "-",
        "; ".join([op.unusable, *words] if op.unusable else words),
    )


def _runs_on(op: TfjsOp, backend: str) -> bool:
    return op.unusable is None and backend not in op.missing


def _words(entry: Restriction) -> str:
    where = f"on {', '.join(entry.backends)}: " if entry.backends else ""
    return f"{where}{entry.text}" + (" (no error)" if entry.silent else "")


def _entry(op: TfjsOp) -> dict[str, Any]:
    return {
        "op": op.name,
        "category": op.category,
        "usable": op.unusable is None,
        "backends": {backend: _runs_on(op, backend) for backend in backends()},
        "missing_kernels": {backend: list(names) for backend, names in op.missing.items()},
        "run": op.run,
        "unusable_because": op.unusable,
        "restrictions": [
            {"text": entry.text, "backends": list(entry.backends), "silent": entry.silent}
            for entry in op.restrictions
        ],
    }
