"""The tools and data that a suite needs beside the package, and whether they are there."""

from __future__ import annotations

import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
JS_FOLDER = REPO / "tests" / "js"
SHARED_MODELS = REPO.parent / "shared" / "models"

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_node() -> str:
    """The path of Node.

    Raises:
        FileNotFoundError: it is not on the PATH.
    """
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("Node is not on the PATH")
    return node


def find_chromium() -> str | None:
    """The path of Chromium: what CHROMIUM names, else the first known name on the PATH."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else _CHROMIUM_NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


@cache
def missing(marker: str) -> str | None:
    """What a suite lacks here, or None where it can run.

    Args:
        marker: the pytest marker of the suite.
    """
    if marker in ("tensorflow", "keras", "tf_keras"):
        needed = {"keras": ("keras", "jax"), "tf_keras": ("tf_keras", "tensorflow")}
        absent = [
            name for name in needed.get(marker, (marker,)) if importlib.util.find_spec(name) is None
        ]
        return f"{' and '.join(absent)} not installed" if absent else None
    if marker == "models":
        return None if SHARED_MODELS.is_dir() else f"no real models at {SHARED_MODELS}"
    if shutil.which("node") is None:
        return "Node is not on the PATH"
    if not (JS_FOLDER / "node_modules" / "@tensorflow" / "tfjs").is_dir():
        return "TF.js is not installed: run `npm ci` in tests/js"
    if marker == "browser" and find_chromium() is None:
        return "no Chromium: install it or name it in CHROMIUM"
    return None
