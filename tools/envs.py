"""The environments of demo.py and test.py, made on a bare machine and only where they are stale.

Standard library only. What is made: a virtual environment (.venv for the demo, .venv-test for
the tests), tests/js/node_modules, and on a machine that lacks it Debian's Chromium. A stamp file
beside each holds the hash of what it was made from; where it still matches, nothing is done.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
JS_FOLDER = ROOT / "tests" / "js"
MIN_NODE = 20

_STAMP = ".made-from"
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
_CHROMIUM_FLAGS = (
    "--headless",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # WebGL without a GPU.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


class SetupError(Exception):
    """The machine lacks something that this script may not or cannot install."""


def say(text: str) -> None:
    """Tells the user what happens next; at once, for the step may take minutes."""
    print(f"» {text}", flush=True)


def give_up(error: Exception) -> NoReturn:
    """Ends the script with the reason."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(1)


def run_quietly(command: list[str], *, cwd: Path = ROOT, env: Mapping[str, str] = {}) -> None:
    """Runs a command and shows its output only where it fails.

    Raises:
        SetupError: it failed.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SetupError(f"`{' '.join(command)}` failed:\n{done.stdout.strip()}")


def light_python() -> Path:
    """The Python of .venv, which holds the package as a user installs it.

    Raises:
        SetupError: it could not be made.
    """
    sources = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".json")]
    files = [ROOT / "pyproject.toml", ROOT / "README.md", *sources]
    return _venv(ROOT / ".venv", ["."], files, "tfjs and its dependencies")


def test_python() -> Path:
    """The Python of .venv-test: the package to edit, the test tools, TensorFlow, Keras and JAX.

    Raises:
        SetupError: it could not be made.
    """
    requirements = ["--editable", ".[run]", *dependency_groups("test", "oracle")]
    what = "the test tools, TensorFlow, Keras and JAX: some minutes, 3 GB"
    return _venv(ROOT / ".venv-test", requirements, [ROOT / "pyproject.toml"], what)


def dependency_groups(*names: str) -> list[str]:
    """The requirements of groups in pyproject.toml; pip itself reads them only from 25.1 on."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return [requirement for name in names for requirement in groups[name]]


def script(python: Path, name: str) -> Path:
    """The command of that name which a package installed beside a Python."""
    return python.with_name(f"{name}.exe" if os.name == "nt" else name)


def node_with_tfjs() -> str:
    """The path of Node, once tests/js/node_modules holds the locked packages.

    Raises:
        SetupError: Node is absent or too old, or npm failed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise SetupError(f"Node {MIN_NODE} or newer, with npm, is not on the PATH")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < MIN_NODE:
        raise SetupError(f"Node {MIN_NODE} or newer is needed; {node} is {version.strip()}")
    folder = JS_FOLDER / "node_modules"
    wanted = _hash([JS_FOLDER / "package.json", JS_FOLDER / "package-lock.json"])
    if not _is_fresh(folder, wanted):
        say("installing TF.js into tests/js/node_modules")
        run_quietly([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=JS_FOLDER)
        _write_stamp(folder, wanted)
    return node


def chromium_flags(profile: str) -> list[str]:
    """What a Chromium without a window or a GPU is started with.

    Args:
        profile: a folder of its own.
    """
    # As root Chromium refuses to start in its sandbox.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [*_CHROMIUM_FLAGS, *sandbox, f"--user-data-dir={profile}"]


def chromium() -> str:
    """The path of Chromium: what CHROMIUM names, what the PATH has, or Debian's, installed now.

    Raises:
        SetupError: there is none and it cannot be installed.
    """
    if named := os.environ.get("CHROMIUM"):
        if found := shutil.which(named):
            return found
        raise SetupError(f"CHROMIUM names {named}, which is not a program")
    if found := _first_on_path(_CHROMIUM_NAMES):
        return found
    _apt_install("chromium", "Chromium is not on the PATH: install it, or name it in CHROMIUM")
    found = _first_on_path(_CHROMIUM_NAMES)
    if found is None:
        raise SetupError("Debian's chromium package brought no chromium command")
    return found


def _first_on_path(names: Iterable[str]) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)


def _venv(folder: Path, requirements: list[str], files: list[Path], what: str) -> Path:
    """The Python of a virtual environment that holds the requirements, no older than the files."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = _hash(files, f"{sys.version} {sys.prefix} {requirements}")
    if _is_fresh(folder, wanted):
        return python
    if importlib.util.find_spec("ensurepip") is None:
        _apt_install("python3-venv", "this Python has no ensurepip: install Debian's python3-venv")
    say(f"installing {what} (into {folder.name})")
    # venv leaves what is there, except under another Python.
    clear = [] if python.exists() and _runs_this_version(python) else ["--clear"]
    run_quietly([sys.executable, "-m", "venv", *clear, str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run_quietly([*pip, *requirements])
    _write_stamp(folder, wanted)
    return python


def _runs_this_version(python: Path) -> bool:
    command = [str(python), "-c", "import sys; print(sys.version)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() == sys.version


def _apt_install(package: str, otherwise: str) -> None:
    """Installs a Debian package where that is possible.

    Raises:
        SetupError: not root, no apt-get (says `otherwise`), or apt-get failed.
    """
    apt = shutil.which("apt-get")
    if apt is None or os.name == "nt" or os.geteuid() != 0:
        raise SetupError(otherwise)
    say(f"installing Debian's {package}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run_quietly([apt, "update", "-qq"], env=quiet)
    run_quietly([apt, "install", "-y", "-qq", "--no-install-recommends", package], env=quiet)


def _hash(files: Iterable[Path], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for file in sorted(files):
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _is_fresh(folder: Path, wanted: str) -> bool:
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text() == wanted


def _write_stamp(folder: Path, made_from: str) -> None:
    (folder / _STAMP).write_text(made_from)
