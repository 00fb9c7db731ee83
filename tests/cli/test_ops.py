"""`tfjs ops` and the page of operations."""

from __future__ import annotations

import json

from ops_table import DOCS, page

from tests.cli.conftest import Run
from tfjs.ops.support import all_tfjs_ops


def test_the_table(tfjs: Run) -> None:
    result = tfjs("ops")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split() == [
        *("operation", "category", "cpu", "webgl", "wasm", "webgpu", "runs", "by", "restrictions")
    ]
    assert len(lines) == 1 + len(all_tfjs_ops())
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows["Einsum"][1:7] == ["matrices", "yes", "yes", "no", "yes", "predict"]
    assert rows["Where"][1:7] == ["dynamic", "yes", "yes", "yes", "yes", "executeAsync"]
    assert rows["RaggedGather"][1:7] == ["ragged", "no", "no", "no", "no", "-"]
    assert "(no error)" in " ".join(rows["OneHot"])


def test_the_table_as_json(tfjs: Run) -> None:
    result = tfjs("ops", "--json")
    found = {entry["op"]: entry for entry in json.loads(result.output)}
    assert len(found) == len(all_tfjs_ops())
    assert found["FFT"] == {
        "op": "FFT",
        "category": "spectral",
        "usable": True,
        "backends": {"cpu": True, "webgl": True, "wasm": False, "webgpu": True},
        "missing_kernels": {"wasm": ["FFT"]},
        "run": "sync",
        "unusable_because": None,
        "restrictions": [],
    }
    assert not found["BitwiseAnd"]["usable"]
    assert not any(found["BitwiseAnd"]["backends"].values())
    assert found["Where"]["run"] == "dynamic"
    assert {"text": "int32 only", "backends": ["wasm"], "silent": True} in (
        found["OneHot"]["restrictions"]
    )


def test_the_page_is_current() -> None:
    assert DOCS.read_text() == page(), "run: python tools/facts/ops_table.py"
