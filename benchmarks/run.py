#!/usr/bin/env python3
"""Measures conversions and runs: wall time and peak memory, each in a fresh process.

    python3 benchmarks/run.py make                     makes the models, once
    python3 benchmarks/run.py convert                  measures tfjs beside cp
    python3 benchmarks/run.py convert --official PATH  and an official tensorflowjs_converter
    python3 benchmarks/run.py run                      runs models beside TensorFlow
    python3 benchmarks/run.py optimizer [--official PATH] [--backend NAME ...] [--only NAME ...]
                                                       runs conversions in TF.js in turns

The models are MobileNetV2 and ResNet50 with random weights, as Keras HDF5, as .keras and as
SavedModel; a synthetic one of 2 GB, as Keras HDF5 and as .keras; a SavedModel of 3 GB; a frozen
graph of 100 000 nodes; two of 10 000 and 20 000 inputs and outputs. They stand in
~/.cache/tfjs-benchmarks (or --cache), 9 GB in all; --only makes and measures some of them. The
optimizer has models of its own, in a folder below: see optimizer.py. Only Python and what
tools/envs.py installs is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import envs
import optimizer
from measure import Measured, measure


class Model(NamedTuple):
    """A model, in one or more formats.

    Attributes:
        script: what makes it.
        argument: what the script is called with, before the name.
        suffixes: what the script writes, as endings of the name.
    """

    script: str
    argument: str
    suffixes: tuple[str, ...]


SAVED_MODEL = "_saved_model"
MODELS = {
    "mobilenet_v2": Model("make_applications.py", "MobileNetV2", (".h5", ".keras", SAVED_MODEL)),
    "resnet50": Model("make_applications.py", "ResNet50", (".h5", ".keras", SAVED_MODEL)),
    "synthetic_2gb": Model("make_synthetic.py", "2048", (".h5", ".keras")),
    "stack_3gb": Model("make_saved_model.py", "3072", (SAVED_MODEL,)),
    "graph_100k": Model("make_frozen_graph.py", "100000", (".pb",)),
    # The second has twice the inputs and outputs of the first: it may take twice as long.
    "ports_10k": Model("make_many_ports.py", "10000", (".pb",)),
    "ports_20k": Model("make_many_ports.py", "20000", (".pb",)),
}
# What is run, beside TensorFlow.
RUN = ("mobilenet_v2", "resnet50")
# What the official tool must be told of a source.
OFFICIAL_OPTIONS = {
    ".h5": ("--input_format=keras", "--output_format=tfjs_layers_model"),
    ".keras": ("--input_format=keras_keras", "--output_format=tfjs_layers_model"),
    SAVED_MODEL: ("--input_format=tf_saved_model", "--output_format=tfjs_graph_model"),
    ".pb": (
        "--input_format=tf_frozen_model",
        "--output_format=tfjs_graph_model",
        "--output_node_names=output",
    ),
}


@dataclass(frozen=True)
class Row:
    """What one source cost: with cp, with tfjs with and without verification, and with the
    official tool if asked for.
    """

    source: Path
    copy: Measured
    tfjs: Measured
    verified: Measured
    official: Measured | None = None


def make(cache: Path, names: list[str]) -> None:
    """Makes the models that are not yet in the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    for name in names:
        model = MODELS[name]
        if all((cache / f"{name}{suffix}").exists() for suffix in model.suffixes):
            continue
        envs.say(f"making {name}")
        script = str(HERE / model.script)
        command = [str(envs.test_python()), script, model.argument, str(cache / name)]
        envs.run_quietly(command)


def in_turns(
    repeat: int, commands: dict[str, list[str]], dest: Path, cold: Path | None
) -> dict[str, Measured]:
    """Runs commands in turns, so that what else the machine does meets all of them.

    Gives the fastest run of each, with the highest peaks of all; `cold` is read from the disk each
    time. The output is removed.
    """
    runs: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(repeat):
        for name, command in commands.items():
            if runs[name] and runs[name][-1].failed:
                continue
            if cold is not None:
                forget(cold)
            runs[name].append(measure(command))
            if dest.is_dir():
                shutil.rmtree(dest)
            else:
                dest.unlink(missing_ok=True)
    return {name: best(measured) for name, measured in runs.items()}


def best(runs: list[Measured]) -> Measured:
    """The fastest run, with the highest peaks of all; the last where it failed."""
    if runs[-1].failed:
        return runs[-1]
    return Measured(
        seconds=min(run.seconds for run in runs),
        peak_mb=max(run.peak_mb for run in runs),
        private_mb=max(run.private_mb for run in runs),
    )


def forget(source: Path) -> None:
    """Lets the system drop from memory what it holds of the files (Linux)."""
    for path in files_of(source):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure_source(
    source: Path, suffix: str, tfjs: Path, work: Path, options: argparse.Namespace
) -> Row:
    """Measures the conversion of one source to a TF.js layers model or graph model."""
    out = work / "out"
    names = [str(source), str(out)]
    commands = {
        "copy": ["cp", "-r", *names],
        "tfjs": [str(tfjs), "convert", "--no-verify", *names],
        "verified": [str(tfjs), "convert", *names],
    }
    if options.official:
        commands["official"] = [options.official, *OFFICIAL_OPTIONS[suffix], *names]
    cold = source if options.cold else None
    return Row(source=source, **in_turns(options.repeat, commands, out, cold))


def size_of(source: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in files_of(source))


def files_of(source: Path) -> list[Path]:
    """A file itself, or all files in a folder."""
    paths = source.rglob("*") if source.is_dir() else [source]
    return [path for path in paths if path.is_file()]


def print_table(rows: list[Row]) -> None:
    """One line a source; ratios are to cp, and of the official tool to tfjs."""
    print(
        f"\n{'source':<26}{'MB':>7}{'cp s':>8}{'tfjs s':>9}{'x cp':>7}{'peak MB':>9}{'private':>9}"
        f"{'verified s':>12}{'peak MB':>9}"
        f"{'official s':>12}{'x tfjs':>8}{'peak MB':>9}"
    )
    for row in rows:
        megabytes = size_of(row.source) / 1e6
        line = f"{row.source.name:<26}{megabytes:>7.0f}{row.copy.seconds:>8.3f}"
        line += _cells(row.tfjs, row.copy, widths=(9, 7, 9))
        line += f"{row.tfjs.private_mb:>9.0f}"
        line += f"{row.verified.seconds:>12.3f}{row.verified.peak_mb:>9.0f}"
        if row.official is not None:
            line += _cells(row.official, row.tfjs, widths=(12, 8, 9))
        print(line)
    print(
        "\nMB = 10^6 bytes. Peak is the highest resident size; it counts pages of mapped files,\n"
        "which the kernel can take back at any time. Private leaves them out (sampled). The\n"
        "official tool verifies nothing: it is held against conversions with --no-verify."
    )


def _cells(run: Measured, reference: Measured, widths: tuple[int, int, int]) -> str:
    if run.failed:
        return f"{'failed':>{widths[0]}}{'':>{widths[1]}}{'':>{widths[2]}}"
    ratio = run.seconds / reference.seconds
    return f"{run.seconds:>{widths[0]}.3f}{ratio:>{widths[1]}.1f}{run.peak_mb:>{widths[2]}.0f}"


def convert(cache: Path, names: list[str], options: argparse.Namespace) -> int:
    """Measures every conversion and prints the table; 1 where one of ours failed."""
    make(cache, names)
    tfjs = envs.script(envs.light_python(), "tfjs")
    work = cache / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    rows = []
    for name in names:
        for suffix in MODELS[name].suffixes:
            source = cache / f"{name}{suffix}"
            envs.say(f"converting {source.name}")
            rows.append(measure_source(source, suffix, tfjs, work, options))
    shutil.rmtree(work)
    print_table(rows)
    for row in rows:
        runs = (("tfjs", row.tfjs), ("verifying", row.verified), ("official", row.official))
        for tool, run in runs:
            if run is not None and run.failed:
                print(f"\n{tool} on {row.source.name}:\n{run.output}", file=sys.stderr)
    return 1 if any(row.tfjs.failed or row.verified.failed for row in rows) else 0


def run(cache: Path, names: list[str], rounds: int) -> int:
    """Runs models in every engine and prints the table; 1 where one failed."""
    make(cache, names)
    script = [str(envs.test_python()), str(HERE / "run_models.py")]
    print(f"{'model':<16}{'engine':<14}{'median ms':>11}{'best ms':>10}{'x tf':>8}{'peak MB':>9}")
    for name in names:
        source = str(cache / f"{name}{SAVED_MODEL}")
        told = subprocess.run(
            [*script, source, "--rounds", str(rounds)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.splitlines()
        for line in told[:-1]:
            envs.say(line)
        seconds: dict[str, list[float]] = json.loads(told[-1])["seconds"]
        for engine, times in seconds.items():
            # Of each round: what else the machine does meets both.
            pairs = zip(times, seconds["tensorflow"], strict=True)
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            alone = measure([*script, source, "--only", engine])
            if alone.failed:
                print(f"\n{engine} on {name}:\n{alone.output}", file=sys.stderr)
                return 1
            print(
                f"{name:<16}{engine:<14}{statistics.median(times) * 1e3:>11.1f}"
                f"{min(times) * 1e3:>10.1f}{ratio:>8.2f}{alone.peak_mb:>9.0f}"
            )
    print(
        "\nOne image of 224 x 224. x tf: the median of the ratios of all rounds; peak MB: of\n"
        "a process that does nothing else; Node's own is not in it."
    )
    return 0


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, default=cache_home / "tfjs-benchmarks")
    parser.add_argument("--only", choices=MODELS, action="append", help="one model; may repeat")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make", help="make the models")
    converting = commands.add_parser("convert", help="measure conversions")
    converting.add_argument("--official", help="an official tensorflowjs_converter")
    converting.add_argument("--repeat", type=int, default=3, help="the best of so many runs (3)")
    converting.add_argument(
        "--cold", action="store_true", help="drop the source from memory before each run"
    )
    running = commands.add_parser("run", help="measure runs")
    running.add_argument("--rounds", type=int, default=20, help="runs of each engine (20)")
    optimizing = commands.add_parser("optimizer", help="measure what the optimizer gains")
    optimizing.add_argument("--official", help="an official tensorflowjs_converter")
    optimizing.add_argument("--backend", nargs="+", choices=optimizer.BACKENDS, default=["wasm"])
    optimizing.add_argument(
        "--only", dest="models", nargs="+", choices=optimizer.MODELS, default=[*optimizer.MODELS]
    )
    optimizing.add_argument(
        "--seconds", type=float, default=10.0, help="for each model and backend (10)"
    )
    options = parser.parse_args()
    if getattr(options, "official", None) and not shutil.which(options.official):
        parser.error(f"{options.official} is not a program")
    return options


def main() -> int:
    """Runs what the command line asks for."""
    options = parse_arguments()
    names = options.only or list(MODELS)
    try:
        if options.command == "make":
            make(options.cache, names)
            return 0
        if options.command == "run":
            return run(options.cache, [name for name in names if name in RUN], options.rounds)
        if options.command == "optimizer":
            cache = options.cache / "optimizer"
            models, backends = options.models, options.backend
            return optimizer.run(cache, models, options.official, backends, options.seconds)
        return convert(options.cache, names, options)
    except (envs.SetupError, subprocess.SubprocessError) as error:
        envs.give_up(error)


if __name__ == "__main__":
    sys.exit(main())
