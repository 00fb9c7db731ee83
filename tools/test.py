#!/usr/bin/env python3
"""Runs every check and every test: ruff, mypy, the import contracts, and all suites of pytest.

Run it as `python3 tools/test.py`; arguments go to pytest (`python3 tools/test.py -k zip`). It
needs Python 3.11 and Node 20 and makes the rest itself, in .venv-test and tests/js/node_modules;
Chromium it installs where it runs as root on Debian. No suite is left out, except that of the real
models where ../shared/models is absent.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):
    sys.exit(f"error: Python 3.11 or newer is needed; this is {sys.version.split()[0]}")

import os
import subprocess
from pathlib import Path

import envs

# What each check is called in the last lines, and its command in .venv-test.
CHECKS = {
    "ruff": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "import contracts": ["lint-imports"],
    "pytest": ["pytest", "--numprocesses", "auto", "--dist", "worksteal"],
}


def run_checks(python: Path, chromium: str, pytest_arguments: list[str]) -> list[str]:
    """Runs every check, the later ones also where an earlier one failed; those that failed."""
    # Workers share the cores: with threads of their own they would stand in each other's way.
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    env = {**alone, **os.environ, "TFJS_FULL": "1", "CHROMIUM": chromium}
    failed = []
    for name, (command, *arguments) in CHECKS.items():
        extra = pytest_arguments if name == "pytest" else []
        envs.say(" ".join([command, *arguments, *extra]))
        full_command = [str(envs.script(python, command)), *arguments, *extra]
        if subprocess.run(full_command, cwd=envs.ROOT, env=env, check=False).returncode:
            failed.append(name)
    return failed


def main() -> int:
    """Sets up and runs the checks; 1 where one failed."""
    try:
        python = envs.test_python()
        envs.node_with_tfjs()
        chromium = envs.chromium()
    except envs.SetupError as error:
        envs.give_up(error)
    failed = run_checks(python, chromium, sys.argv[1:])
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
