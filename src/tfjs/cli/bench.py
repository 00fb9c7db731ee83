"""`tfjs bench`: how long a model takes."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfjs.cli.errors import reported
from tfjs.cli.render import size_text
from tfjs.errors import UsageError

if TYPE_CHECKING:
    from tfjs.ir.tensor import Array
    from tfjs.model import Model

_BACKENDS = ["numpy", "onnxruntime", "tfjs-cpu", "tfjs-wasm"]
_COLUMNS = ("backend", "load", "first", "median", "90%", "memory")


@click.command(short_help="Time a model: loading it, the first run and the others.")
@click.argument("model", type=click.Path())
@click.option(
    "--backend",
    "backends",
    type=click.Choice(_BACKENDS),
    multiple=True,
    default=["numpy"],
    show_default=True,
    help="What runs it; tfjs-cpu and tfjs-wasm are the real TF.js, by Node. May be repeated.",
)
@click.option(
    "--runs", type=click.IntRange(1), default=20, show_default=True, help="How many runs to time."
)
@click.option("--json", "as_json", is_flag=True, help="Print seconds and bytes as JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def bench(model: str, backends: tuple[str, ...], runs: int, as_json: bool, debug: bool) -> None:
    """Time MODEL, of any format that tfjs reads, on plausible inputs of one example.

    The first run, which prepares what others use, is told apart from the median of all others and
    from what nine of ten stay below. Peak memory is told of the engines of Python.

    \b
    Examples:
      tfjs bench web_model
      tfjs bench web_model --backend numpy --backend tfjs-wasm --runs 50
    """
    with reported(debug=debug):
        from tfjs._sources import local  # noqa: PLC0415 - keeps `--help` fast
        from tfjs.model import load  # noqa: PLC0415

        path = str(local(model))
        loaded = load(path)
        _check(loaded, backends, model)
        results = []
        for backend in dict.fromkeys(backends):
            timed = _of_tfjs if backend.startswith("tfjs") else _of_python
            results.append({"backend": backend, **_summed(timed(loaded, path, backend, runs))})
        told = {"model": model, "runs": runs, "results": results}
        click.echo(json.dumps(told) if as_json else _text(told))


def _check(model: Model, backends: tuple[str, ...], name: str) -> None:
    """Refuse what cannot be run before anything takes its time.

    Raises:
        UsageError: it is weights alone, or TF.js has no such models.
    """
    if not model.inputs and not model.outputs:
        raise UsageError("are weights without a model, which cannot be run", where=name)
    wrong = next((backend for backend in backends if backend.startswith("tfjs")), None)
    if wrong is not None and model.format not in ("tfjs-graph", "tfjs-layers"):
        raise UsageError(
            f"{wrong} runs TF.js models, not one of the format {model.format}",
            where=name,
            hint=f"convert it first: tfjs convert {name} web_model",
        )


def _of_python(model: Model, path: str, backend: str, runs: int) -> dict[str, Any]:
    import subprocess  # noqa: PLC0415 - slow to import, for a command that has time

    done = subprocess.run(
        [sys.executable, "-m", "tfjs.cli.measure", path, backend, str(runs)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        click.echo(done.stderr, err=True, nl=False)
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _of_tfjs(model: Model, path: str, backend: str, runs: int) -> dict[str, Any]:
    from tfjs.cli.measure import first_run, told  # noqa: PLC0415
    from tfjs.runtime.node import NodeRunner  # noqa: PLC0415

    with NodeRunner(Path(path), backend="cpu" if backend == "tfjs-cpu" else "wasm") as runner:

        def run(feeds: dict[str, Array]) -> list[float]:
            return runner.time(feeds, runs)

        feeds, times = first_run(model, run)
        load, first = runner.load_seconds, runner.first_seconds
    return {
        "load": load,
        "first": first,
        "times": times,
        "peak_memory": None,
        "inputs": told(feeds),
    }


def _summed(found: dict[str, Any]) -> dict[str, Any]:
    import statistics  # noqa: PLC0415 - likewise

    times = sorted(found.pop("times"))
    ninetieth = times[math.ceil(0.9 * len(times)) - 1]
    return {**found, "median": statistics.median(times), "ninetieth": ninetieth}


def _text(told: dict[str, Any]) -> str:
    inputs = told["results"][0]["inputs"]
    fed = ", ".join(f"{name} {shape}" for name, shape in inputs.items())
    rows = [_COLUMNS]
    for found in told["results"]:
        times = (_time(found[name]) for name in ("load", "first", "median", "ninetieth"))
        memory = found["peak_memory"]
        rows.append((found["backend"], *times, "-" if memory is None else size_text(memory)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join([f"fed      {fed}", *lines])


def _time(seconds: float) -> str:
    """Seconds in three digits: `812 µs`, `3.41 ms`, `12.3 s`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{seconds * 1e6:.0f} µs"
