"""`tfjs verify`: its table, its page, its JSON and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.test_verify import spoilt


@pytest.fixture
def wrong(tfjs: Run, web: Path, tmp_path: Path) -> Path:
    """A conversion of `web` in which a weight is wrong."""
    result = tfjs("convert", web, tmp_path / "wrong")
    assert result.exit_code == 0, result.stderr
    spoilt(tmp_path / "wrong", "d/bias", 1.0)
    return tmp_path / "wrong"


def test_models_that_agree(tfjs: Run, web: Path) -> None:
    result = tfjs("verify", web, "--against", web)
    assert result.exit_code == 0, result.stderr
    *head, titles, row, verdict = result.stdout.splitlines()
    assert head == [f"model    {web}", f"against  {web}", "fed      d_input float32[2,3]"]
    assert titles.split() == ["name", "shape", "largest", "relative", "bound"]
    assert re.fullmatch(r"d     float32\[2,2\]  0        0         \S+  ok", row)
    assert verdict == "the models answer the same"


def test_models_that_do_not(tfjs: Run, web: Path, wrong: Path) -> None:
    result = tfjs("verify", wrong, "--against", web)
    assert result.exit_code == 6
    assert result.stderr == ""
    *_, row, verdict = result.stdout.splitlines()
    assert re.search(r"differs by \S+ at \[\d, 0\]: \S+, the source answers", row)
    assert verdict == "the models answer differently"
    result = tfjs("verify", wrong, "--against", web, "--max-error", "1.5")
    assert result.exit_code == 0
    assert "1.5    ok" in result.stdout


def test_the_node_is_named(tfjs: Run, web: Path, wrong: Path) -> None:
    result = tfjs("verify", wrong, "--against", web, "--layerwise")
    assert result.exit_code == 6
    assert re.search(
        r"they part at 'd/\w+', a BiasAdd that stands for d and reads d/\w+", result.stdout
    )
    result = tfjs("verify", web, "--against", web, "--layerwise")
    assert re.search(r"all \d+ nodes that both have agree", result.stdout)


def test_json(tfjs: Run, web: Path, wrong: Path) -> None:
    result = tfjs("verify", wrong, "--against", web, "--layerwise", "--json")
    assert result.exit_code == 6
    told = json.loads(result.stdout)
    assert (told["model"], told["against"], told["ok"]) == (str(wrong), str(web), False)
    assert told["engine"] == "numpy"
    (output,) = told["outputs"]
    assert output["largest"] == pytest.approx(1.0, abs=1e-6)
    assert output["problem"].startswith("differs by 1 at")
    assert any(not step["ok"] and step["origin"] == ["d"] for step in told["steps"])


def test_a_page(tfjs: Run, web: Path, wrong: Path, tmp_path: Path) -> None:
    page = tmp_path / "<report> & more.html"
    result = tfjs("verify", wrong, "--against", web, "--layerwise", "--html", page)
    assert result.exit_code == 6
    text = page.read_text(encoding="utf-8")
    assert "<h1 class=bad>The models answer differently.</h1>" in text
    assert "They part at <code>d/" in text
    assert text.count("<tr class=wrong>") >= 2
    assert tfjs("verify", web, "--against", web, "--html", page).exit_code == 0
    assert "<h1 class=good>The models answer the same.</h1>" in page.read_text(encoding="utf-8")
    result = tfjs("verify", web, "--against", web, "--html", tmp_path)
    assert result.exit_code == 2
    assert "is a folder, a file is to be written there" in result.stderr


def test_a_page_escapes_what_models_are_called(tfjs: Run, web: Path, tmp_path: Path) -> None:
    odd = tmp_path / "<b>&"
    web.rename(odd)
    assert tfjs("verify", odd, "--against", odd, "--html", tmp_path / "x.html").exit_code == 0
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;" in text
    assert "<b>" not in text


def test_inputs(tfjs: Run, web: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", d_input=np.ones((7, 3), np.float32))
    result = tfjs("verify", web, "--against", web, "--inputs", tmp_path / "x.npz")
    assert "fed      d_input float32[7,3]" in result.stdout
    np.savez(tmp_path / "x.npz", other=np.ones((7, 3), np.float32))
    result = tfjs("verify", web, "--against", web, "--inputs", tmp_path / "x.npz")
    assert result.exit_code == 2
    assert "the model has no input 'other'" in result.stderr
    result = tfjs("verify", web, "--against", web, "--inputs", tmp_path / "none.npz")
    assert result.exit_code == 3
    assert "none.npz: cannot be read as arrays" in result.stderr


def test_in_the_real_tfjs(tfjs: Run, web: Path, wrong: Path, in_node: None) -> None:
    result = tfjs("verify", web, "--against", web, "--backend", "tfjs-wasm")
    assert result.exit_code == 0, result.stderr
    assert tfjs("verify", wrong, "--against", web, "--backend", "tfjs-cpu").exit_code == 6


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--layerwise", "--oracle"], 2, "layerwise looks into both models"),
        (["--oracle"], 2, "no framework of Python runs a model of the format tfjs-layers"),
        (["--backend", "webgl"], 2, "'webgl' is not one of"),
    ],
)
def test_what_does_not_go_together(
    words: list[str], code: int, told: str, tfjs: Run, web: Path
) -> None:
    result = tfjs("verify", web, "--against", web, *words)
    assert result.exit_code == code
    assert told in result.stderr


def test_models_that_do_not_run(tfjs: Run, web: Path, tmp_path: Path) -> None:
    tfjs("convert", web, tmp_path / "w.h5", "--to", "h5-weights")
    for model, against in ((tmp_path / "w.h5", web), (web, tmp_path / "w.h5")):
        result = tfjs("verify", model, "--against", against)
        assert result.exit_code == 4
        assert "are weights without a model, which cannot be run" in result.stderr
    assert tfjs("verify", web, "--against", tmp_path / "none").exit_code == 3
    assert tfjs("verify", web).exit_code == 2
