"""`tfjs verify`: whether two models answer the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfjs.cli.errors import reported
from tfjs.errors import VerificationError

if TYPE_CHECKING:
    from tfjs._verify import Comparison
    from tfjs.verification.compare import Difference

_STEPS_SHOWN = 12
_TITLES: tuple[str, ...] = ("name", "shape", "largest", "relative", "bound", "")


@click.command(short_help="Run two models on the same inputs and compare what they answer.")
@click.argument("model", type=click.Path())
@click.option(
    "--against", required=True, type=click.Path(), metavar="SOURCE", help="The model that is right."
)
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="What to feed, by the names of SOURCE's inputs. [default: plausible inputs]",
)
@click.option("--layerwise", is_flag=True, help="Find the first node where they part.")
@click.option(
    "--max-error",
    type=float,
    metavar="X",
    help="Largest absolute difference that is right. [default: what rounding explains]",
)
@click.option("--signature", metavar="NAME", help="Signature of SOURCE where it is a SavedModel.")
@click.option(
    "--backend",
    type=click.Choice(["numpy", "onnxruntime", "tfjs-cpu", "tfjs-wasm"]),
    default="numpy",
    show_default=True,
    help="What runs MODEL; tfjs-cpu and tfjs-wasm are the real TF.js, by Node.",
)
@click.option(
    "--oracle",
    is_flag=True,
    help="Let SOURCE be run by its own framework: Keras, tf_keras or TensorFlow, where installed.",
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a report.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def verify(
    model: str,
    against: str,
    inputs: Path | None,
    html: Path | None,
    as_json: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Run MODEL and SOURCE, of any formats that tfjs reads, on the same inputs.

    Exits with 6 where they do not answer the same.

    \b
    Examples:
      tfjs verify web_model --against model.keras
      tfjs verify web_model --against model.keras --backend tfjs-wasm --oracle
      tfjs verify web_model --against saved_model --layerwise --html report.html
    """
    with reported(debug=debug):
        from tfjs._verify import verify as compare  # noqa: PLC0415 - keeps `--help` fast
        from tfjs.cli.inputs import archive  # noqa: PLC0415

        feeds = None if inputs is None else archive(str(inputs))
        found = compare(model, against, inputs=feeds, **options)
        if html is not None:
            from tfjs.cli.html import write_html  # noqa: PLC0415

            write_html(found, html)
        click.echo(json.dumps(found.to_dict()) if as_json else comparison_text(found))
        if not found.ok:
            sys.exit(VerificationError.exit_code)


def comparison_text(found: Comparison) -> str:
    """The comparison as a table."""
    fed = ", ".join(f"{name} {told}" for name, told in found.verification.inputs.items())
    lines = [f"model    {found.model}", f"against  {found.against}", f"fed      {fed}"]
    rows = [_TITLES]
    rows += [_row(entry.name, entry) for entry in found.verification.outputs]
    lines += _table(rows)
    if found.steps:
        lines += ["", *_steps(found)]
    lines.append("the models answer the same" if found.ok else "the models answer differently")
    return "\n".join(lines)


def _steps(found: Comparison) -> list[str]:
    first = found.first
    if first is None:
        return [f"all {len(found.steps)} nodes that both have agree"]
    start = found.steps.index(first)
    shown = found.steps[max(0, start - 2) : start + _STEPS_SHOWN]
    rows = [_TITLES]
    rows += [_row(f"{step.node} ({step.op})", step.difference) for step in shown]
    reads = ", ".join(first.reads) or "nothing"
    return [
        *_table(rows),
        f"they part at {first.node!r}, a {first.op} that stands for {', '.join(first.origin)} and "
        f"reads {reads}",
    ]


def _row(name: str, entry: Difference) -> tuple[str, ...]:
    shape = f"{entry.dtype}[{','.join(map(str, entry.shape))}]"
    numbers = (f"{entry.largest:.3g}", f"{entry.relative:.3g}", f"{entry.bound:.3g}")
    return (name, shape, *numbers, entry.problem or "ok")


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    return [
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in rows
    ]
