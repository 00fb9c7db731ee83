"""What the documentation shows is what happens: its commands and its Python are run."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import tfjs
from tests.support.tools import REPO
from tfjs._options import Options
from tfjs.cli.converter import converter
from tfjs.cli.main import convert
from tfjs.formats.registry import all_formats

DOCS = sorted((REPO / "docs").glob("*.md"))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")
# Sizes change with every release: the version and the configuration are in the files.
# And rounding differs from machine to machine.
_SIZE = re.compile(r"\d+(\.\d+)? (B|KiB|MiB)\b|(?<=\.json\", )\d+|(?<=\"bound\": )[\d.e-]+")
_MARK = "\x1e"
# What the blocks of Python in a document leave in web_model, one after the other.
WRITTEN = {"python.md": ["tfjs-layers", "tfjs-graph", "tfjs-graph"]}


class Command(NamedTuple):
    """A command of a shell session, and what it prints."""

    line: str
    output: str


def blocks(document: Path, language: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(document.read_text()) if found == language]


def showing(language: str) -> list[Path]:
    """The documents that have blocks of a language."""
    return [document for document in DOCS if blocks(document, language)]


def sessions(text: str) -> list[Command]:
    commands = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        commands.append(Command(line, output))
    return commands


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the model that the documents speak of."""
    shutil.copy(REPO / "examples" / "shapes_cnn.keras", tmp_path / "model.keras")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("document", showing("console"), ids=lambda path: path.name)
def test_commands(document: Path, folder: Path) -> None:
    commands = [command for text in blocks(document, "console") for command in sessions(text)]
    script = "".join(
        f"{command.line}\ncode=$?; printf '{_MARK}'; (exit $code)\n" for command in commands
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    answers = done.stdout.split(_MARK)
    assert answers.pop() == ""
    for command, answer in zip(commands, answers, strict=True):
        assert _SIZE.sub("SIZE", answer) == _SIZE.sub("SIZE", command.output), command.line


@pytest.mark.parametrize("document", showing("pycon"), ids=lambda path: path.name)
def test_python(document: Path, folder: Path) -> None:
    text = "\n".join(blocks(document, "pycon"))
    test = doctest.DocTestParser().get_doctest(text, {}, document.name, str(document), 0)
    failures: list[str] = []
    result = doctest.DocTestRunner().run(test, out=failures.append)
    assert result.attempted > 10
    assert not failures, "".join(failures)


@pytest.mark.parametrize("document", showing("python"), ids=lambda path: path.name)
def test_python_with_frameworks(
    document: Path, folder: Path, keras: ModuleType, tensorflow: ModuleType
) -> None:
    found: list[str] = []
    space: dict[str, object] = {}
    for text in blocks(document, "python"):
        exec(compile(text, str(document), "exec"), space)
        found.append(tfjs.load("web_model").format)
    assert found == WRITTEN[document.name]


@pytest.mark.parametrize("document", [*DOCS, REPO / "README.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for path, anchor in _LINK.findall(document.read_text()):
        if path.startswith("http"):
            continue
        target = (document.parent / path) if path else document
        assert target.exists(), path
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w-]", "", t.lower().replace(" ", "-")) for t in titles]


def test_every_format_is_described() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)` \| [^|]+ \| (yes|no) \| (yes|no) \|$",
        (REPO / "docs" / "formats.md").read_text(),
        re.MULTILINE,
    )
    assert sorted(rows) == sorted(
        (name, "yes", "no" if entry.write is None else "yes")
        for name, entry in all_formats().items()
    )


def test_every_option_is_described() -> None:
    text = (REPO / "docs" / "cli.md").read_text()
    for parameter in convert.params:
        for option in parameter.opts:
            assert not option.startswith("--") or f"`{option}" in text, option


def test_every_argument_is_described() -> None:
    text = (REPO / "docs" / "python.md").read_text()
    described = set(re.findall(r"`(\w+)`", text.split("## tfjs.convert")[1].split("### ")[0]))
    arguments = {"signatures", *Options.__annotations__}
    assert arguments <= described


def test_every_error_is_described() -> None:
    text = (REPO / "docs" / "python.md").read_text()
    for name in tfjs.__all__:
        assert not name.endswith("Error") or f"`{name}`" in text or f"`tfjs.{name}`" in text, name


def test_pairs_of_the_official_tool_are_described() -> None:
    text = (REPO / "docs" / "cli.md").read_text().split("## tensorflowjs_converter")[1]
    from tfjs.cli.converter import _INPUTS, _OUTPUTS

    for name in (*_INPUTS, *_OUTPUTS):
        assert f"`{name}`" in text
    assert "input_format" in {parameter.name for parameter in converter.params}
