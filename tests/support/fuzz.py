"""Damaged models read in a process of their own, with bounded time and memory.

Run by hand, it shows what becomes of one case:

    python -m tests.support.fuzz FOLDER ENTRY LEVEL 17 1

FOLDER holds a seed of `seeds.py`, ENTRY is the path in it to load.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

import tfjs
from tests.support.model_damage import LEVELS, Level, damage
from tests.support.tools import REPO
from tfjs.formats.registry import all_formats, reader_of

SECONDS = 5  # of computing, for one case
MEMORY = 1 << 30  # bytes that all cases may take beside what the interpreter has


@dataclass(frozen=True)
class Tally:
    """What became of the cases: how many loaded and were refused, and the failures of tfjs."""

    loaded: int
    refused: int
    failures: list[str]


class _TooLongError(BaseException):
    """A case took too long; nothing may catch it."""


def read_damaged(
    folder: Path, entry: Path, level: Level, first: int, count: int, *, save: bool = False
) -> Tally:
    """Damages a model in `count` ways and reads each; a crash or a hang is a failure as well.

    Args:
        folder: the seed's folder.
        entry: what to load of it.
        level: what is damaged.
        first: number of the first case.
        count: number of cases.
        save: convert it to a TF.js model before it is loaded.
    """
    failures: list[str] = []
    loaded = refused = 0
    last = first + count
    while first < last:
        command = [str(word) for word in (folder, entry, level, first, last - first, int(save))]
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.fuzz", *command],
            cwd=REPO,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        for answer in answers:
            loaded += answer["outcome"] == "loaded"
            refused += answer["outcome"] == "refused"
            if answer["outcome"] == "failed":
                failures.append(answer["text"])
        first = answers[-1]["case"] + 1 if answers else first
        if done.returncode:
            failures.append(f"case {first}: exit code {done.returncode}\n{done.stderr[-2000:]}")
            first += 1
    return Tally(loaded, refused, failures)


def assert_only_refusals(
    folder: Path, entry: Path, level: Level, count: int, *, save: bool = False, loads: bool = True
) -> None:
    """Only errors of tfjs come of `count` damaged models.

    Arguments are those of `read_damaged`; `loads` tells whether some of them must load.
    """
    tally = read_damaged(folder, entry, level, 0, count, save=save)
    assert not tally.failures, "\n\n".join(
        [f"{folder.name}, {level}: {len(tally.failures)} failures", *tally.failures[:5]]
    )
    assert tally.loaded + tally.refused == count
    # Else the damage would be too small, or so large that nothing behind the first check is met.
    assert tally.refused > count // 10
    assert tally.loaded > 0 or not loads


def main(folder: Path, entry: Path, level: Level, first: int, count: int, save: bool) -> None:
    """Runs the cases and prints a line of JSON for each."""
    names, own = sorted(all_formats()), reader_of(entry, None).name
    bounded_memory()
    with tempfile.TemporaryDirectory() as scratch:
        for case in range(first, first + count):
            work = Path(scratch) / "model"
            shutil.copytree(folder, work)
            rng = Random(f"{folder.name} {level} {case}")
            what = damage(work, level, rng)
            # Mostly as a user would; sometimes by the reader's name, now and then by a wrong one.
            from_ = rng.choice((None, None, None, own, rng.choice(names)))
            from_ = from_ if level in LEVELS else own
            path = work / entry.relative_to(folder)
            outcome, text = _outcome(path, from_, Path(scratch) / "out" if save else None)
            if outcome == "failed":
                text = f"case {case} ({from_ or 'recognised'}): {what}\n{text}"
            answer = {"case": case, "outcome": outcome, "text": text}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            shutil.rmtree(work)


def _outcome(path: Path, from_: str | None, out: Path | None) -> tuple[str, str]:
    try:
        with bounded_time():
            if out is not None:
                tfjs.convert(path, out, from_=from_, custom_layers="keep")
                shutil.rmtree(out)
            model = tfjs.load(path, from_=from_)
            for layer in model.layers:
                assert layer.name is not None
                assert list(layer.walk())
            for name in model.weights:
                array, tensor = model.weights[name], model.weights.tensor(name)
                assert array.shape == tensor.shape
                assert sum(block.size for block in tensor.blocks()) == array.size
    except tfjs.TfjsError as error:
        text = str(error).strip()
        if out is not None and len(list(out.parent.iterdir())) > 1:
            return "failed", f"something half-written: {text}"
        return ("refused", text) if text else ("failed", "an error without a text")
    except BaseException:  # noqa: BLE001 - every other end is what is looked for
        return "failed", traceback.format_exc()
    return "loaded", ""


@contextlib.contextmanager
def bounded_time(seconds: float = SECONDS) -> Iterator[None]:
    """Ends what takes more time of computing with an exception that nothing catches."""
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(number: int, frame: object) -> None:
    raise _TooLongError("it takes too long")


def bounded_memory() -> None:
    """Bounds the memory of this process to what it has and `MEMORY` more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _, folder, entry, level, first, count, *rest = sys.argv
    main(
        *(Path(folder), Path(entry), cast("Level", level)),
        *(int(first), int(count), rest == ["1"]),
    )
