"""The commands as processes: exit codes, streams, signals and terminals."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tfjs
from tests.support.tiny_models import write_dense_model
from tests.support.wide_model import write_wide_model

BIN = Path(sys.executable).parent
CLEAN = {**os.environ, "PYTHONWARNINGS": "error", "TERM": "xterm"}


def run(*words: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env={**CLEAN, **changes},
        check=False,
    )


@pytest.fixture
def web(tmp_path: Path) -> Path:
    return write_dense_model(tmp_path / "web")[0]


@pytest.mark.parametrize("command", [[BIN / "tfjs"], [sys.executable, "-m", "tfjs"]])
def test_both_ways_to_start(command: list[str | Path], web: Path, tmp_path: Path) -> None:
    version = run(*command, "--version")
    assert (version.returncode, version.stdout, version.stderr) == (
        0,
        f"tfjs {tfjs.__version__}\n",
        "",
    )
    done = run(*command, "convert", web, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"read      {web} (tfjs-layers")
    assert "Usage: " + ("tfjs" if len(command) == 1 else "python -m tfjs") in (
        run(*command, "--help").stdout
    )


def test_the_official_name(web: Path, tmp_path: Path) -> None:
    flags = ("--input_format=tfjs_layers_model", "--output_format=tfjs_layers_model")
    out = tmp_path / "out put"
    done = run(BIN / "tensorflowjs_converter", *flags, "--quantize_uint8", web, out)
    assert (done.returncode, done.stderr) == (0, "")
    assert (out / "group1-shard1of1.bin").stat().st_size == 8


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("convert", "{web}"), 2),
        (("convert", "{web}", "{tmp}/a.pb"), 2),
        (("convert", "{tmp}/none", "{tmp}/out"), 3),
        (("convert", "{web}", "{tmp}/out", "--to", "keras-saved-model"), 4),
        (("convert", "{web}", "/dev/full/out"), 2),
        (("convert", "{web}", "/proc/out"), 2),
    ],
)
def test_exit_codes(words: tuple[str, ...], code: int, web: Path, tmp_path: Path) -> None:
    filled = [word.format(web=web, tmp=tmp_path) for word in words]
    done = run(BIN / "tfjs", *filled)
    assert done.returncode == code
    assert done.stdout == ""
    assert re.search("^error: ", done.stderr, re.MULTILINE | re.IGNORECASE)
    assert "Traceback" not in done.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["web"]


def test_a_missing_package_is_named(web: Path, tmp_path: Path) -> None:
    """Where an installation lacks a package, the command says which."""
    script = (
        "import sys; from tfjs.errors import MissingDependencyError\n"
        "import tfjs._convert\n"
        "def fail(*args, **options):\n"
        "    raise MissingDependencyError('needs x', hint='pip install tfjs[x]')\n"
        "tfjs._convert.convert = fail\n"
        "from tfjs.cli.main import main; main()"
    )
    done = run(sys.executable, "-c", script, "convert", web, tmp_path / "out")
    assert done.returncode == 7
    assert done.stderr == "error: needs x\n  hint: pip install tfjs[x]\n"


@pytest.mark.parametrize("debug", [False, True])
def test_a_defect(debug: bool, web: Path, tmp_path: Path) -> None:
    script = (
        "import tfjs._convert\n"
        "def fail(*args, **options):\n"
        "    return {}['lost']\n"
        "tfjs._convert.convert = fail\n"
        "from tfjs.cli.main import main; main()"
    )
    flags = ["--debug"] if debug else []
    done = run(sys.executable, "-c", script, "convert", web, tmp_path / "out", *flags)
    assert done.returncode == 70
    assert "error: internal error: KeyError: 'lost'\n  hint: this is a defect" in done.stderr
    assert ("Traceback (most recent call last)" in done.stderr) is debug


def test_a_reader_that_goes_away(web: Path, tmp_path: Path) -> None:
    """`tfjs convert ... | true`: the conversion is done, and nothing complains."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [BIN / "tfjs", "convert", web, tmp_path / "out"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=CLEAN,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1
    assert tfjs.load(tmp_path / "out").format == "tfjs-layers"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_the_streams(encoding: str, web: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "tfjs", "convert", web, tmp_path / "模型", "--json"],
        capture_output=True,
        env={**CLEAN, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u6a21\u578b" in done.stdout
    text = run(BIN / "tfjs", "convert", web, tmp_path / "out", PYTHONIOENCODING=encoding)
    assert (text.returncode, text.stderr) == (0, "")


def test_a_name_that_is_no_utf8(web: Path, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/out-\xff")
    done = run(BIN / "tfjs", "convert", web, name, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"out-\udcff" in done.stdout
    again = run(BIN / "tfjs", "convert", name, tmp_path / "again", "--json")
    assert (again.returncode, again.stderr) == (0, "")


def test_no_progress_bar_in_a_pipe(tmp_path: Path) -> None:
    web = write_wide_model(tmp_path / "web", 80 << 20)
    done = run(BIN / "tfjs", "convert", web, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")


def on_terminal(*words: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output in a pipe, and what a terminal on standard error shows."""
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=end, env=CLEAN
    ) as process:
        os.close(end)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while piece := os.read(terminal, 4096):
                shown += piece
        assert process.stdout is not None
        output = process.stdout.read().decode()
    os.close(terminal)
    return process.returncode, output, shown.decode()


def test_a_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    web = write_wide_model(tmp_path / "web", 80 << 20)
    code, output, shown = on_terminal(BIN / "tfjs", "convert", web, tmp_path / "out")
    assert code == 0
    assert "writing weights" in shown
    assert re.search(r"/83\.9 MB", shown)
    assert output.startswith("read ")
    assert "\x1b[" not in output


def test_no_bar_for_a_conversion_that_is_over_at_once(web: Path, tmp_path: Path) -> None:
    code, _, shown = on_terminal(BIN / "tfjs", "convert", web, tmp_path / "out")
    assert code == 0
    assert shown == ""


def test_an_error_on_a_terminal_is_red(tmp_path: Path) -> None:
    code, _, shown = on_terminal(BIN / "tfjs", "convert", tmp_path / "none", tmp_path / "out")
    assert code == 3
    assert shown.startswith("\x1b[31m\x1b[1merror:\x1b[0m ")


@pytest.fixture
def interrupted(tmp_path: Path) -> Callable[[int], subprocess.CompletedProcess[str]]:
    """Converts a large model over a good one and sends a signal while weights are written."""

    def interrupt(number: int) -> subprocess.CompletedProcess[str]:
        source = write_wide_model(tmp_path / "source", 512 << 20)
        process = subprocess.Popen(
            [BIN / "tfjs", "convert", source, tmp_path / "web", "--quantize", "uint8"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=CLEAN,
        )
        limit = time.monotonic() + 60
        while not list(tmp_path.glob(".web.*.tmp/new/*.bin")):
            assert process.poll() is None, "it ended before it could be interrupted"
            assert time.monotonic() < limit
            time.sleep(0.005)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess([], process.returncode, out, err)

    return interrupt


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "error: interrupted; nothing was changed\n"),
        (signal.SIGTERM, 143, ""),
    ],
)
def test_an_interruption_changes_nothing(
    number: int,
    code: int,
    words: str,
    interrupted: Callable[[int], subprocess.CompletedProcess[str]],
    web: Path,
    tmp_path: Path,
) -> None:
    before = {file.name: file.read_bytes() for file in web.iterdir()}
    done = interrupted(number)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", words)
    assert {file.name: file.read_bytes() for file in web.iterdir()} == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source", "web"]
