"""Times one engine of Python in a process of its own: `python -m tfjs.cli.measure MODEL ENGINE N`.

A process has one peak of memory: engines that shared it could not be told apart. It prints one JSON
object, or fails as the command does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tfjs.cli.errors import reported
from tfjs.errors import TfjsError, UsageError

if TYPE_CHECKING:
    from tfjs.ir.tensor import Array
    from tfjs.model import Engine, Model

T = TypeVar("T")
_STATUS = Path("/proc/self/status")


def measured(path: str, engine: Engine, runs: int) -> dict[str, Any]:
    """How long a model takes to load and run, in seconds, and the peak of memory in bytes.

    Raises:
        TfjsError: it cannot be loaded, or not be run with any plausible input.
    """
    from tfjs.model import load  # noqa: PLC0415 - the command itself imports this module

    # Once for what loading imports, which is no part of it.
    load(path, engine=engine)
    since = time.perf_counter()
    model = load(path, engine=engine)
    loading = time.perf_counter() - since
    feeds, first = first_run(model, lambda feeds: _seconds(lambda: model.execute(feeds)))
    times = [_seconds(lambda: model.execute(feeds)) for _ in range(runs)]
    found = {"load": loading, "first": first, "times": times, "peak_memory": _peak_memory()}
    return found | {"inputs": told(feeds)}


def first_run(model: Model, run: Callable[[dict[str, Array]], T]) -> tuple[dict[str, Array], T]:
    """The first plausible inputs that a model takes, and what `run` gives for them.

    Raises:
        TfjsError: it takes none of them.
    """
    failure: TfjsError | None = None
    for feeds in _plausible(model):
        try:
            return feeds, run(feeds)
        except TfjsError as error:
            failure = failure or error
    raise failure or UsageError("has nothing to run", where=model.name)


def _plausible(model: Model) -> Iterator[dict[str, Array]]:
    from tfjs.runtime.prepare import runnable  # noqa: PLC0415
    from tfjs.verification.inputs import plausible_inputs  # noqa: PLC0415

    graph = runnable(model.content)
    keys = dict(
        zip((node.name for node in graph.graph.inputs), graph.signature.inputs, strict=False)
    )
    for feeds in plausible_inputs(graph.graph, 1):
        yield {keys[name]: array for name, array in feeds.items()}


def told(feeds: Mapping[str, Array]) -> dict[str, str]:
    """Dtype and shape of what is fed, as `float32[1,28,28,1]`."""
    from tfjs.verification.check import Verification  # noqa: PLC0415

    return Verification(feeds=feeds).inputs


def _seconds(run: Callable[[], object]) -> float:
    since = time.perf_counter()
    run()
    return time.perf_counter() - since


def _peak_memory() -> int | None:
    """The peak of memory in bytes; None where the system does not tell."""
    if _STATUS.is_file():
        # What getrusage tells begins with the peak of the process that started this one.
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) << 10
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    with reported(debug=False):
        click.echo(json.dumps(measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))))  # type: ignore[arg-type]
