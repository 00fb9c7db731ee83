"""`tfjs bench`: what it times, and how it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support import graph_seeds
from tfjs.cli.bench import _summed, _time

TIMES = ("load", "first", "median", "ninetieth")


def test_numpy_by_default(tfjs: Run, web: Path) -> None:
    result = tfjs("bench", web, "--runs", "3")
    assert result.exit_code == 0, result.stderr
    fed, titles, row = result.stdout.splitlines()
    assert fed == "fed      d_input float32[1,3]"
    assert titles.split() == ["backend", "load", "first", "median", "90%", "memory"]
    assert row.startswith("numpy ")
    assert row.endswith(" MiB")


def test_several_backends(tfjs: Run, web: Path, in_node: None) -> None:
    words = ["--backend", "tfjs-cpu", "--backend", "tfjs-wasm", "--backend", "numpy"]
    result = tfjs("bench", web, *words, "--runs", "2", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["model"], told["runs"]) == (str(web), 2)
    results = told["results"]
    assert [found["backend"] for found in results] == ["tfjs-cpu", "tfjs-wasm", "numpy"]
    for found in results:
        assert all(0 < found[name] < 60 for name in TIMES)
        assert found["median"] <= found["ninetieth"]
        assert found["inputs"] == {"d_input": "float32[1,3]"}
    assert [found["peak_memory"] is None for found in results] == [True, True, False]
    assert 10 << 20 < results[2]["peak_memory"] < 1 << 30


def test_a_graph(tfjs: Run, tmp_path: Path) -> None:
    source = graph_seeds.frozen(tmp_path / "frozen")
    result = tfjs("bench", source, "--runs", "1", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["results"][0]["inputs"]


def test_failures(tfjs: Run, web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tfjs("bench", tmp_path / "none").exit_code == 3
    tfjs("convert", web, tmp_path / "model.h5")
    result = tfjs("bench", tmp_path / "model.h5", "--backend", "tfjs-cpu")
    assert result.exit_code == 2
    assert "tfjs-cpu runs TF.js models, not one of the format keras-h5" in result.stderr
    assert f"tfjs convert {tmp_path / 'model.h5'} web_model" in result.stderr
    tfjs("convert", web, tmp_path / "w.h5", "--to", "h5-weights")
    result = tfjs("bench", tmp_path / "w.h5")
    assert result.exit_code == 2
    assert "are weights without a model, which cannot be run" in result.stderr
    monkeypatch.setenv("PATH", str(tmp_path))
    result = tfjs("bench", web, "--backend", "tfjs-cpu")
    assert result.exit_code == 7
    assert "Node, which runs TF.js, is not on the PATH" in result.stderr


def test_what_fails_in_the_other_process_is_told(tfjs: Run, web: Path) -> None:
    told = json.loads((web / "model.json").read_text())
    told["modelTopology"]["config"]["layers"][0]["class_name"] = "Mine"
    (web / "model.json").write_text(json.dumps(told))
    result = tfjs("bench", web)
    assert result.exit_code == 4
    assert "Mine" in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stdout == ""


def test_the_middle_and_the_ninetieth() -> None:
    found = _summed({"times": [float(number) for number in range(10, 0, -1)], "load": 1.0})
    assert found == {"load": 1.0, "median": 5.5, "ninetieth": 9.0}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.000_812_4, "812 µs"), (0.003_412, "3.41 ms"), (0.8, "800 ms"), (12.34, "12.3 s")],
)
def test_seconds(seconds: float, text: str) -> None:
    assert _time(seconds) == text
