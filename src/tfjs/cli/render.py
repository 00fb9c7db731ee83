"""Reports and progress as text for a person."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tfjs._convert import Report
    from tfjs.formats.base import Port
    from tfjs.verification.check import Verification
    from tfjs.verification.weights import WeightError

_LAYERS_SHOWN = 6
_FILES_SHOWN = 4
_OPS_SHOWN = 6
_PROGRESS_FROM = 64 << 20  # below 64 MiB a conversion is over before a bar is seen

Progress = Callable[[int, int], None]


def report_text(report: Report) -> str:
    """A conversion in a few lines: what was read, rewritten, left out and written."""
    lines = [_line("read", _read(report))]
    for what, layers in report.rewrites.items():
        shown = ", ".join(layers[:_LAYERS_SHOWN])
        more = f" and {len(layers) - _LAYERS_SHOWN} more" if len(layers) > _LAYERS_SHOWN else ""
        lines.append(_line("rewrote", f"{shown}{more}: {what}"))
    if report.optimizations:
        told = sorted(report.optimizations.items(), key=lambda item: (-item[1], item[0]))
        lines.append(_line("optimized", ", ".join(f"{count} × {rule}" for rule, count in told)))
    lines += [_line("note", note) for note in report.notes]
    lines.append(_line("wrote", _wrote(report)))
    if report.ops:
        lines.append(_line("  graph", _ops(report.ops)))
    lines += [_line("  input", _port(port)) for port in report.inputs]
    lines += [_line("  output", _port(port)) for port in report.outputs]
    if report.verification is not None:
        lines.append(_line(*_verified(report.verification)))
        lines += [_line("  weight", _weight(entry)) for entry in report.verification.weights[:3]]
    return "\n".join(lines)


def _verified(found: Verification) -> tuple[str, str]:
    if found.skipped is not None:
        return "not run", found.skipped
    count = len(found.outputs)
    outputs = "the output" if count == 1 else f"{count} outputs"
    by = " in TF.js" if found.engine.startswith("tfjs") else ""
    # Numbers as small as rounding differ from machine to machine.
    how = "exactly" if not found.largest else "within rounding"
    if found.limit is not None and found.largest:
        how = f"to {found.largest:.1g}"
    return "verified", f"{outputs} answered{by} as by the source, {how}"


def _weight(entry: WeightError) -> str:
    return f"{entry.name}  {entry.dtype}, off by {entry.largest:.2g} ({entry.relative:.2%})"


def size_text(size: int) -> str:
    """A number of bytes in words: `812 B`, `3.4 MiB`."""
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.2f} GiB"


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A bar on the terminal for long conversions; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    with contextlib.ExitStack() as stack:
        shown: list[Progress] = []

        def show(done: int, total: int) -> None:
            if total < _PROGRESS_FROM:
                return
            if not shown:
                shown.append(_start_bar(stack))
            shown[0](done, total)

        yield show


def _start_bar(stack: contextlib.ExitStack) -> Progress:
    from rich import progress  # noqa: PLC0415 - rich is slow to import
    from rich.console import Console  # noqa: PLC0415

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
    )
    bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
    task = stack.enter_context(bar).add_task("writing weights", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def _line(label: str, text: str) -> str:
    return f"{click.style(f'{label:<9}', fg='cyan')} {text}"


def _read(report: Report) -> str:
    parts = [report.source_format]
    if report.producer:
        parts.append(report.producer)
    if report.layers:
        parts.append(_count(report.layers, "layer"))
    parts.append(_count(report.parameters, "parameter"))
    return f"{report.source} ({', '.join(parts)})"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _wrote(report: Report) -> str:
    names = [name for name, _ in report.files]
    listed = ", ".join(names[:_FILES_SHOWN])
    if len(names) > _FILES_SHOWN:
        listed += f" and {len(names) - _FILES_SHOWN} more"
    return f"{report.dest} ({report.dest_format}, {size_text(report.nbytes)}: {listed})"


def _ops(ops: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count} {op}" for op, count in list(ops.items())[:_OPS_SHOWN])
    more = f" and {_count(len(ops) - _OPS_SHOWN, 'other')}" if len(ops) > _OPS_SHOWN else ""
    return f"{_count(sum(ops.values()), 'node')}: {listed}{more}"


def _port(port: Port) -> str:
    if port.shape is None:
        shape = "of unknown shape"
    else:
        shape = "[" + ", ".join("?" if size is None else str(size) for size in port.shape) + "]"
    return f"{port.name}  {port.dtype} {shape}"
