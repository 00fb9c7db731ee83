"""The table of TF.js's operations, beside the facts of the reference and the real TF.js."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.tools import JS_FOLDER, SHARED_MODELS
from tfjs.ir.dtypes import BY_ENUM
from tfjs.ops.support import (
    TAKEN_FOR,
    all_tfjs_ops,
    backends,
    is_dynamic,
    missing_backends,
    tfjs_op,
    unsafe_name,
    usable,
)

FACTS = SHARED_MODELS.parent / "reference" / "facts"
RUNS = {"sync": "sync", "async_promise": "promise", "async_declared": "dynamic"}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """What was found out about TF.js 4.22 by hand, independently of the script."""
    file = FACTS / "graph_ops.json"
    if not file.exists():
        pytest.skip(f"no reference at {file}")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_the_same_operations(reference: dict[str, Any]) -> None:
    facts = reference["ops"]
    assert {op.name for op in all_tfjs_ops()} == set(facts)
    broken = ("broken", "listed_but_not_mapped", "needs_tfjs_tfdf_package")
    for name, told in facts.items():
        op = tfjs_op(name)
        assert op is not None
        assert op.category == told["category"] or op.category in ("ragged", "tfdf"), name
        assert usable(name) == (told["status"] not in broken), name
        if op.run is not None:
            assert op.run == RUNS[told["execution"]], name
        else:
            assert not usable(name), name


def test_the_same_inputs_and_attributes(reference: dict[str, Any]) -> None:
    for name, told in reference["ops"].items():
        op = tfjs_op(name)
        assert op is not None
        assert [(entry.name, entry.kind, entry.start, entry.end) for entry in op.inputs] == [
            (entry["name"], entry["type"], entry["start"], entry["end"]) for entry in told["inputs"]
        ], name
        wanted = {}
        for attr in told["attrs"]:
            if not attr["notSupported"]:
                for key in filter(None, (attr["tfName"], attr["tfDeprecatedName"])):
                    wanted[key] = (attr["jsName"], attr["type"], attr["default"])
        assert {key: tuple(attr) for key, attr in op.attrs.items()} == wanted, name
        read = {entry["name"] for entry in told["inputs"] if entry["host_sync_read"]}
        assert read <= {entry.name for entry in op.inputs if entry.host_read}, name


def test_the_same_missing_kernels() -> None:
    file = FACTS / "kernels.json"
    if not file.exists():
        pytest.skip(f"no reference at {file}")
    wanted = json.loads(file.read_text())["graph_ops_unusable_per_backend_by_missing_kernel"]
    found: dict[str, dict[str, list[str]]] = {}
    for op in all_tfjs_ops():
        for backend in missing_backends(op.name):
            found.setdefault(backend, {})[op.name] = list(op.missing[backend])
    assert found == wanted


def test_dtypes_are_taken_for_those_of_the_reference(reference: dict[str, Any]) -> None:
    wanted = {BY_ENUM[key]: name for key, name in reference["dtype_map"].items() if key != "others"}
    assert {key: name for key, name in wanted.items() if key != name} == TAKEN_FOR


@pytest.mark.node
def test_the_installed_tfjs_lists_the_same_operations() -> None:
    folder = JS_FOLDER / "node_modules/@tensorflow/tfjs-converter/dist/operations/op_list"
    text = "".join(path.read_text() for path in sorted(folder.glob("*.js")))
    # Lists that were written by hand and by a tool differ in quotes.
    listed = set(re.findall(r"""^ *['"]tfOpName['"]: ['"](\w+)['"]""", text, re.MULTILINE))
    assert listed == {op.name for op in all_tfjs_ops()}


def test_what_is_known_of_single_operations() -> None:
    assert backends() == ("cpu", "webgl", "wasm", "webgpu")
    assert missing_backends("Einsum") == ("wasm",)
    assert missing_backends("Conv2D") == ()
    assert missing_backends("Nothing") == ()
    assert [is_dynamic(name) for name in ("Where", "If", "Conv2D", "Nothing")] == [
        *(True, True, False, False)
    ]
    assert tfjs_op("Nothing") is None
    assert [usable(name) for name in ("Conv2D", "BitwiseAnd", "RaggedGather", "Nothing")] == [
        *(True, False, False, False)
    ]
    op = tfjs_op("Squeeze")
    assert op is not None
    assert op.attrs["squeeze_dims"] == op.attrs["axis"]


def test_which_inputs_are_read_on_the_host() -> None:
    def host_reads(name: str, count: int) -> list[int]:
        op = tfjs_op(name)
        assert op is not None
        return [index for index in range(count) if op.host_reads(index, count)]

    assert host_reads("Reshape", 2) == [1]
    assert host_reads("ConcatV2", 4) == [3]
    assert host_reads("ClipByValue", 3) == [1, 2]
    assert host_reads("AddN", 3) == []
    assert host_reads("Split", 2) == [0]


def test_every_restriction_names_operations_and_backends() -> None:
    found = [(op.name, entry) for op in all_tfjs_ops() for entry in op.restrictions]
    assert len(found) > 150
    for name, entry in found:
        assert entry.text, name
        assert set(entry.backends) <= set(backends()), name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "is empty"),
        ("a:0", "':'"),
        ("^a", "starts with"),
        ("0", "is a number"),
        ("toString", "every JavaScript object"),
        ("a/0", None),
        ("ünï 1", None),
    ],
)
def test_names_that_tfjs_cannot_have(name: str, words: str | None) -> None:
    found = unsafe_name(name)
    assert found is None if words is None else words in (found or "")
