from __future__ import annotations

import click
import pytest

from tfjs import Report
from tfjs.cli.render import progress_bar, report_text, size_text
from tfjs.formats.base import Port


def report(**changes: object) -> Report:
    fields: dict[str, object] = {
        "source": "model.keras",
        "source_format": "keras",
        "producer": "keras 3.15.1",
        "dest": "web",
        "dest_format": "tfjs-layers",
        "inputs": [Port("x", "float32", (None, 3))],
        "outputs": [Port("y", "float32", (None, 2))],
        "layers": 2,
        "ops": {},
        "parameters": 8,
        "files": [("model.json", 700), ("group1-shard1of1.bin", 32)],
        "rewrites": {},
        "optimizations": {},
        "notes": [],
    }
    return Report(**{**fields, **changes})  # type: ignore[arg-type]


def plain(text: str) -> str:
    return click.unstyle(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (3_565_158, "3.4 MiB"),
        (1 << 30, "1.00 GiB"),
        (5 << 40, "5120.00 GiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_a_report() -> None:
    assert plain(report_text(report())).splitlines() == [
        "read      model.keras (keras, keras 3.15.1, 2 layers, 8 parameters)",
        "wrote     web (tfjs-layers, 732 B: model.json, group1-shard1of1.bin)",
        "  input   x  float32 [?, 3]",
        "  output  y  float32 [?, 2]",
    ]


def test_a_graph_tells_what_it_is_made_of() -> None:
    ops = {"Const": 1226, "Add": 3, **dict.fromkeys(["Abs", "Cos", "Exp", "Log", "Sin"], 1)}
    lines = plain(report_text(report(layers=0, ops=ops, dest_format="tfjs-graph"))).splitlines()
    assert lines[1:3] == [
        "wrote     web (tfjs-graph, 732 B: model.json, group1-shard1of1.bin)",
        "  graph   1,234 nodes: 1226 Const, 3 Add, 1 Abs, 1 Cos, 1 Exp, 1 Log and 1 other",
    ]


def test_what_was_rewritten_and_noted_stands_between() -> None:
    text = report_text(
        report(
            rewrites={"left out": ["flip"], "became Add": [f"layer_{i}" for i in range(8)]},
            notes=["optimizer state left out", "second note"],
        )
    )
    assert plain(text).splitlines()[1:5] == [
        "rewrote   flip: left out",
        "rewrote   layer_0, layer_1, layer_2, layer_3, layer_4, layer_5 and 2 more: became Add",
        "note      optimizer state left out",
        "note      second note",
    ]


def test_many_files_are_counted() -> None:
    files = [("model.json", 10), *((f"shard{i}", 1) for i in range(1, 8))]
    line = plain(report_text(report(files=files))).splitlines()[1]
    assert (
        line == "wrote     web (tfjs-layers, 17 B: model.json, shard1, shard2, shard3 and 4 more)"
    )


def test_weights_alone_have_no_layers_and_no_ports() -> None:
    text = report_text(report(layers=0, parameters=1, inputs=[], outputs=[], producer=None))
    assert plain(text).splitlines() == [
        "read      model.keras (keras, 1 parameter)",
        "wrote     web (tfjs-layers, 732 B: model.json, group1-shard1of1.bin)",
    ]


def test_large_numbers_and_one_layer() -> None:
    line = plain(report_text(report(layers=1, parameters=2_619_461))).splitlines()[0]
    assert line == "read      model.keras (keras, keras 3.15.1, 1 layer, 2,619,461 parameters)"


@pytest.mark.parametrize(
    ("port", "line"),
    [
        (Port("x", "int32", ()), "  input   x  int32 []"),
        (Port("x", "float32", None), "  input   x  float32 of unknown shape"),
        (Port("x", "float32", (1, None, None, 3)), "  input   x  float32 [1, ?, ?, 3]"),
    ],
)
def test_ports(port: Port, line: str) -> None:
    assert plain(report_text(report(inputs=[port]))).splitlines()[2] == line


def test_nobody_watches_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as progress:
        assert progress is None
    assert capsys.readouterr().err == ""


def test_what_the_optimizer_did_is_told_most_first() -> None:
    text = plain(report_text(report(optimizations={"fuse/bias": 2, "fold/batch-norm": 5})))
    assert "optimized 5 × fold/batch-norm, 2 × fuse/bias" in text.splitlines()
