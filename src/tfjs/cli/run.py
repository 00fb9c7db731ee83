"""`tfjs run`: what a model answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tfjs.cli.errors import reported
from tfjs.cli.inputs import input_option, parse_inputs, parse_range, range_option
from tfjs.errors import UsageError

if TYPE_CHECKING:
    from tfjs.ir.tensor import Array

_MOST_SHOWN = 8


@click.command(short_help="Run a model and print what it answers.")
@click.argument("model", type=click.Path())
@input_option
@range_option
@click.option("--top", type=click.IntRange(1), metavar="N", help="Print the N largest numbers.")
@click.option("--signature", metavar="NAME", help="Signature of a SavedModel.")
@click.option(
    "--engine",
    type=click.Choice(["numpy", "onnxruntime"]),
    default="numpy",
    show_default=True,
    help="What computes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all numbers as JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def run(
    model: str,
    inputs: tuple[str, ...],
    span: str,
    top: int | None,
    signature: str | None,
    engine: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Run MODEL, of any format that tfjs reads, and print what it answers.

    \b
    Examples:
      tfjs run web_model --input cat.png --top 5
      tfjs run web_model --input x.npy
      tfjs run web_model --input ids='[[1, 2, 3]]' --input mask=mask.npy --json
    """
    with reported(debug=debug):
        from tfjs.model import load  # noqa: PLC0415 - keeps `--help` fast

        loaded = load(model, signature=signature, engine=engine)
        if not loaded.inputs and not loaded.outputs:
            raise UsageError("are weights without a model, which cannot be run", where=model)
        feeds = parse_inputs(inputs, loaded.inputs, parse_range(span))
        answers = loaded.execute(feeds)
        named = dict(zip((port.name for port in loaded.outputs), answers, strict=True))
        if as_json:
            click.echo(json.dumps({name: _plain(array) for name, array in named.items()}))
            return
        for name, array in named.items():
            click.echo(_text(name, array, top))


def _plain(array: Array) -> Any:
    """An array as nested lists; complex numbers as pairs, texts as texts."""
    import numpy as np  # noqa: PLC0415 - keeps `--help` fast

    if array.dtype.kind == "c":
        array = array.view(array.real.dtype).reshape((*array.shape, 2))
    if array.dtype.kind == "O":
        texts = [_word(item) for item in array.reshape(-1)]
        return np.array(texts, object).reshape(array.shape).tolist()
    # JSON has neither infinite numbers nor NaN: None stands for them.
    return json.loads(json.dumps(array.tolist()), parse_constant=lambda name: None)


def _text(name: str, array: Array, top: int | None) -> str:
    dtype = "string" if array.dtype.kind == "O" else array.dtype.name
    head = f"{name}  {dtype}[{','.join(map(str, array.shape))}]"
    flat = array.reshape(-1)
    if top is not None and array.dtype.kind in "fiu" and flat.size:
        return "\n".join([head, *_largest(array, top)])
    shown = ", ".join(_word(item) for item in flat[:_MOST_SHOWN])
    more = ", ..." if flat.size > _MOST_SHOWN else ""
    return f"{head}  {shown}{more}"


def _largest(array: Array, top: int) -> list[str]:
    """The largest numbers along the last axis, one line each, for every example."""
    rows = array.reshape((-1, array.shape[-1])) if array.ndim else array.reshape((1, 1))
    lines = []
    for number, row in enumerate(rows[:_MOST_SHOWN]):
        label = f"  [{number}] " if len(rows) > 1 else "  "
        # Integers as Python's: the smallest has no negative. NaN is behind all numbers.
        numbers = row.tolist()
        order = sorted(range(len(row)), key=lambda place: _rank(numbers[place]))
        lines += [f"{label}{index:>6}  {_word(row[index])}" for index in order[:top]]
    if len(rows) > _MOST_SHOWN:
        lines.append(f"  and {len(rows) - _MOST_SHOWN} more")
    return lines


def _rank(number: float) -> tuple[bool, float]:
    return number != number, -number


def _word(item: Any) -> str:
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace")
    return f"{item:.6g}" if hasattr(item, "dtype") and item.dtype.kind in "fc" else str(item)
