"""Times a SavedModel of images in the engines of tfjs beside TensorFlow, side by side.

.venv-test/bin/python benchmarks/run_models.py SAVED_MODEL              prints JSON: seconds a run
.venv-test/bin/python benchmarks/run_models.py SAVED_MODEL --only NAME  runs one engine a few times

Each round runs every engine once, so that what else the machine does meets all of them. The second
form is for who measures the memory of one engine from outside. TF.js is left out where Node is not.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# Gives how many seconds one run took.
Timed = Callable[[Array], float]
Make = Callable[[Path, ExitStack], Timed]

SHAPE = (1, 224, 224, 3)
ROUNDS_ALONE = 3


def timed(run: Callable[[Array], object]) -> Timed:
    """A run and its wall time."""

    def measured(x: Array) -> float:
        start = time.perf_counter()
        run(x)
        return time.perf_counter() - start

    return measured


def in_tensorflow(source: Path, stack: ExitStack) -> Timed:
    """The signature as a tf.function; the answer comes back as an array."""
    import tensorflow as tf  # noqa: PLC0415 - a process loads what it measures

    model = tf.saved_model.load(str(source))
    function = model.signatures["serving_default"]
    (name,) = function.structured_input_signature[1]
    # The model must live as long as what it gave away.
    return timed(lambda x: [y.numpy() for y in function(**{name: x}).values()] and model)


def in_python(engine: Any) -> Make:
    """An engine of tfjs."""

    def make(source: Path, stack: ExitStack) -> Timed:
        import tfjs  # noqa: PLC0415

        return timed(tfjs.load(source, engine=engine))

    return make


def in_node(source: Path, stack: ExitStack) -> Timed:
    """The wasm backend of TF.js, timed in Node."""
    import tfjs  # noqa: PLC0415
    from tfjs.runtime.node import NodeRunner  # noqa: PLC0415

    modules = Path(__file__).resolve().parents[1] / "tests/js/node_modules"
    os.environ.setdefault("NODE_PATH", str(modules))
    web = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "web"
    tfjs.convert(source, web)
    runner = stack.enter_context(NodeRunner(web, backend="wasm"))
    (port,) = runner.inputs
    return lambda x: runner.time({port.name: x}, 1)[0]


ENGINES: dict[str, Make] = {
    "tensorflow": in_tensorflow,
    "onnxruntime": in_python("onnxruntime"),
    "numpy": in_python("numpy"),
    "tfjs-wasm": in_node,
}


def made(source: Path, stack: ExitStack) -> Iterator[tuple[str, Timed]]:
    """Every engine that is there, after a run that is not counted."""
    from tfjs.errors import MissingDependencyError  # noqa: PLC0415

    for name, make in ENGINES.items():
        try:
            yield name, make(source, stack)
        except MissingDependencyError as error:
            print(json.dumps({"missing": name, "why": str(error)}), flush=True)


def compare(source: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each run of each engine, round by round."""
    x = np.random.default_rng(0).random(SHAPE, np.float32)
    with ExitStack() as stack:
        engines = dict(made(source, stack))
        for run in engines.values():
            run(x)
        found: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(rounds):
            for name, run in engines.items():
                found[name].append(run(x))
    return found


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", choices=ENGINES)
    options = parser.parse_args()
    if options.only is None:
        print(json.dumps({"seconds": compare(options.source, options.rounds)}))
        return
    x = np.random.default_rng(0).random(SHAPE, np.float32)
    with ExitStack() as stack:
        run = ENGINES[options.only](options.source, stack)
        for _ in range(ROUNDS_ALONE):
            run(x)


if __name__ == "__main__":
    main()
