#!/usr/bin/env python3
"""Converts the example model, runs it in the real TF.js, and compares with Keras's answers.

Run it as `python3 tools/demo.py`. It needs Python 3.11 and Node 20 and makes the rest itself, in
.venv and tests/js/node_modules. It fails where an answer is off by more than 1e-5.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):
    sys.exit(f"error: Python 3.11 or newer is needed; this is {sys.version.split()[0]}")

import array
import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import envs

LIMIT = 1e-5
EXAMPLES = envs.ROOT / "examples"
SOURCE = EXAMPLES / "shapes_cnn.keras"
DEST = envs.ROOT / "build" / "demo" / "web_model"

Rows = list[list[float]]


def convert(python: Path) -> None:
    """Runs `tfjs convert` on the example."""
    shutil.rmtree(DEST, ignore_errors=True)
    DEST.parent.mkdir(parents=True, exist_ok=True)
    names = [str(path.relative_to(envs.ROOT)) for path in (SOURCE, DEST)]
    print(f"\n$ tfjs convert {' '.join(names)}", flush=True)
    command = [str(envs.script(python, "tfjs")), "convert", *names]
    if subprocess.run(command, cwd=envs.ROOT, check=False).returncode:
        raise envs.SetupError("the conversion failed")


def ask_tfjs(node: str, pictures: list[list[list[int]]]) -> Rows:
    """What TF.js answers for pictures of grey values: one row of probabilities each."""
    height, width = len(pictures[0]), len(pictures[0][0])
    pixels = array.array("f", (value for picture in pictures for row in picture for value in row))
    if sys.byteorder == "big":
        pixels.byteswap()
    data = base64.b64encode(pixels.tobytes()).decode()
    tensor = {"shape": [len(pictures), height, width, 1], "dtype": "float32", "data": data}
    job = {"id": 1, "op": "layers", "path": str(DEST / "model.json"), "calls": [[tensor]]}
    command = [node, str(envs.JS_FOLDER / "run_model.mjs")]
    done = subprocess.run(
        command, input=json.dumps(job) + "\n", stdout=subprocess.PIPE, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    if not answer["ok"]:
        raise envs.SetupError(f"TF.js says: {answer['error']['message']}")
    (output,) = answer["calls"][0]
    values = array.array("f", base64.b64decode(output["data"]))
    if sys.byteorder == "big":
        values.byteswap()
    classes = output["shape"][1]
    return [list(values[i : i + classes]) for i in range(0, len(values), classes)]


def print_table(names: list[str], classes: list[str], keras: Rows, tfjs: Rows) -> None:
    """For each picture Keras's probabilities above those of TF.js."""
    print(f"\n{'picture':<10}{'':<7}" + "".join(f"{name:>11}" for name in classes))
    for name, ours, theirs in zip(names, tfjs, keras, strict=True):
        print(f"{name:<10}{'Keras':<7}" + "".join(f"{value:>11.7f}" for value in theirs))
        print(f"{'':<10}{'TF.js':<7}" + "".join(f"{value:>11.7f}" for value in ours))


def main() -> int:
    """Runs the demo; 1 where the answers differ."""
    golden = json.loads((EXAMPLES / "shapes_cnn.json").read_text("utf-8"))
    pictures = golden["pictures"]
    keras: Rows = [picture["answer"] for picture in pictures]
    try:
        python, node = envs.light_python(), envs.node_with_tfjs()
        convert(python)
        tfjs = ask_tfjs(node, [picture["pixels"] for picture in pictures])
    except envs.SetupError as error:
        envs.give_up(error)
    print_table([picture["name"] for picture in pictures], golden["classes"], keras, tfjs)
    worst = max(
        abs(a - b)
        for ours, theirs in zip(tfjs, keras, strict=True)
        for a, b in zip(ours, theirs, strict=True)
    )
    # Not `worst > LIMIT`: that is false of a NaN.
    good = worst <= LIMIT
    print(f"\nlargest difference {worst:.1e}, {'within' if good else 'OVER'} the limit {LIMIT:g}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
