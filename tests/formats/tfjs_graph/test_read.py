"""TF.js graph models are read as they were written, by us and by others."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.tfjs_graph.test_write import KERNEL, TEXTS, X, dense, document, lookup, loop
from tests.support.golden import tfjs_golden
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, FormatError, TfjsError
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.tfjs_graph import FORMAT
from tfjs.formats.tfjs_graph.read import read, sniff
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel


def loaded(path: Path) -> GraphModel:
    return read(path, ReadOptions())


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = document(folder)
    change(data)
    (folder / "model.json").write_text(json.dumps(data))


def told(graph: Graph) -> dict[str, Any]:
    """Everything that makes a graph; constants by their numbers."""
    return {
        node.name: (
            node.op,
            [value.name for value in node.inputs],
            [value.dtype for value in node.outputs],
            {
                name: value.array().tolist() if name == "value" else value
                for name, value in node.attrs.items()
                if name in ("value", "dtype", "shape", "T", "cond", "body", "num_split")
            },
        )
        for node in graph.nodes.values()
    }


@pytest.mark.parametrize("make", [dense, loop], ids=["dense", "loop"])
def test_what_was_written_is_read(make: Callable[[], GraphModel], tmp_path: Path) -> None:
    model = make()
    model.producer, model.metadata = "2.19.0", {"a": 1}
    write(model, tmp_path, WriteOptions())
    for path in (tmp_path, tmp_path / "model.json"):
        found = loaded(path)
        assert told(found.graph) == told(model.graph)
        reached = [name for name in model.functions if name != "unused"]
        assert sorted(found.functions) == reached
        for name in reached:
            # No shape stands beside an argument of a function.
            for node in model.functions[name].inputs:
                node.attrs["shape"] = Dims(None)
            assert told(found.functions[name]) == told(model.functions[name])
            assert found.functions[name].output_names == model.functions[name].output_names
        assert found.signature == model.signature
        assert (found.producer, found.metadata) == ("2.19.0", {"a": 1})


def test_writing_what_was_read_makes_the_same_bytes(tmp_path: Path) -> None:
    for make, name in ((dense, "dense"), (loop, "loop")):
        model = make()
        model.signature.structured = True
        write(model, tmp_path / name, WriteOptions())
        write(loaded(tmp_path / name), tmp_path / f"{name}2", WriteOptions())
        for file in (tmp_path / name).iterdir():
            assert file.read_bytes() == (tmp_path / f"{name}2" / file.name).read_bytes()


def test_quantised_weights_stay_quantised(tmp_path: Path) -> None:
    write(dense(), tmp_path / "a", WriteOptions(quantize={"uint8": True}))
    write(loaded(tmp_path / "a"), tmp_path / "b", WriteOptions())
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


# Tables --------------------------------------------------------------------------------------


def by_resource(data: dict[str, Any]) -> None:
    """As the official converter has it for SavedModels of TF2: handles are fed to placeholders."""
    data["modelInitializer"]["node"] += [
        {"name": "done", "op": "NoOp", "input": ["^fill0"]},
        {
            "name": "Identity",
            "op": "Identity",
            "input": ["table0", "^done", "^fill0"],
            "attr": {"T": {"type": "DT_RESOURCE"}},
        },
    ]
    handle = {"dtype": "DT_RESOURCE", "tensorShape": {}, "resourceId": 86}
    data["initializerSignature"] = {"outputs": {"Identity:0": {"name": "Identity:0", **handle}}}
    data["signature"]["inputs"]["unknown:0"] = {"name": "handle:0", **handle}
    nodes = data["modelTopology"]["node"]
    table = next(node for node in nodes if node["name"] == "table0")
    table.update(name="handle", op="Placeholder", attr={"dtype": {"type": "DT_RESOURCE"}})
    for node in nodes:
        node["input"] = ["handle" if name == "table0" else name for name in node.get("input", [])]


@pytest.mark.parametrize("form", ["by name", "by resource"])
def test_tables(form: str, tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    write(lookup({b"a": 10, b"b": 20}), tmp_path / "a", WriteOptions())
    if form == "by resource":
        edit(tmp_path / "a", by_resource)
    wanted = tfjs_runtime.predict_graph(tmp_path / "a", [TEXTS], method="predictAsync")
    assert [array.tolist() for array in wanted] == [[20, -1, 10], 2]
    model = loaded(tmp_path / "a")
    assert model.signature.inputs == ["x"]
    assert model.graph.nodes["table0"].op == "HashTableV2"
    assert model.initializer is not None
    assert [node.op for node in model.initializer.targets] == ["LookupTableImportV2"]
    assert {node.op for node in model.initializer.nodes.values()} == {
        *("Const", "HashTableV2", "LookupTableImportV2")
    }
    write(model, tmp_path / "b", WriteOptions())
    found = tfjs_runtime.predict_graph(tmp_path / "b", [TEXTS], method="predictAsync")
    assert [array.tolist() for array in found] == [array.tolist() for array in wanted]


def test_tables_that_nothing_fills(tmp_path: Path) -> None:
    write(lookup({b"a": 10}), tmp_path, WriteOptions())
    edit(tmp_path, by_resource)
    edit(tmp_path, lambda data: data["initializerSignature"].update(outputs={}))
    with pytest.raises(CorruptFileError, match="has no table with the resource id 86"):
        loaded(tmp_path)
    edit(tmp_path, lambda data: data.pop("modelInitializer"))
    with pytest.raises(CorruptFileError, match="has tables, but no initializer"):
        loaded(tmp_path)


# Other forms ---------------------------------------------------------------------------------


def as_pb2json(data: dict[str, Any]) -> None:
    """Numbers of dtypes and codes of characters, as protobufjs writes them."""

    def attr(value: dict[str, Any]) -> dict[str, Any]:
        if "s" in value:
            return {"s": list(base64.b64decode(value["s"]))}
        if "type" in value:
            return {"type": {"DT_FLOAT": 1, "DT_INT32": 3}[value["type"]]}
        if "list" in value:
            texts = [list(base64.b64decode(item)) for item in value["list"].get("s", [])]
            return {"list": {**value["list"], "s": texts}}
        return value

    for node in data["modelTopology"]["node"]:
        node["attr"] = {name: attr(value) for name, value in node.get("attr", {}).items()}
    for key in ("format", "signature", "generatedBy", "convertedBy"):
        data.pop(key)


def fused() -> GraphModel:
    model = dense()
    graph = model.graph
    product, total = graph.nodes["product"], graph.nodes["Identity"]
    attrs = {"T": "float32", "fused_ops": [b"BiasAdd", b"Relu"], "num_args": 1}
    inputs = [*product.inputs, total.inputs[1]]
    node = graph.add("_FusedMatMul", inputs, attrs, [total.output.type], name="fused")
    graph.replace(total.output, node.output)
    graph.erase(total)
    graph.erase(product)
    graph.rename(node, "Identity")
    return model


def test_the_form_of_the_pb2json_tool(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    write(fused(), tmp_path / "a", WriteOptions())
    edit(tmp_path / "a", as_pb2json)
    wanted = tfjs_runtime.predict_graph(tmp_path / "a", [X])[0]
    np.testing.assert_array_equal(wanted, np.maximum(X @ KERNEL + [1, 2, 3], 0))
    assert sniff(tmp_path / "a")
    model = loaded(tmp_path / "a")
    # Without a signature placeholders are fed, and what nothing reads is answered.
    assert (model.signature.inputs, model.signature.outputs) == (["x"], ["Identity"])
    assert model.graph.nodes["Identity"].attrs["fused_ops"] == [b"BiasAdd", b"Relu"]
    write(model, tmp_path / "b", WriteOptions())
    np.testing.assert_array_equal(tfjs_runtime.predict_graph(tmp_path / "b", [X])[0], wanted)


def test_the_signature_of_a_frozen_graph_names_outputs_only(tmp_path: Path) -> None:
    write(dense(), tmp_path, WriteOptions())
    edit(tmp_path, lambda data: data.update(signature={"outputs": {"y": {"name": "Identity"}}}))
    model = loaded(tmp_path)
    assert (model.signature.inputs, model.signature.outputs) == (["x"], ["y"])


def test_a_signature_in_the_metadata_goes_before(tmp_path: Path) -> None:
    write(dense(), tmp_path, WriteOptions())

    def change(data: dict[str, Any]) -> None:
        older = copy.deepcopy(data["signature"])
        older["outputs"]["older"] = older["outputs"].pop("y")
        data["userDefinedMetadata"] = {"signature": older, "kept": 1}

    edit(tmp_path, change)
    model = loaded(tmp_path)
    assert model.signature.outputs == ["older"]
    assert model.metadata == {"kept": 1}


def test_structured_names_go_by_position(tmp_path: Path) -> None:
    write(dense(), tmp_path, WriteOptions())
    keys = {"structuredOutputKeys": ["label"]}
    edit(tmp_path, lambda data: data.update(userDefinedMetadata=keys))
    model = loaded(tmp_path)
    assert (model.signature.outputs, model.signature.structured) == (["label"], True)
    assert model.metadata == {}


def test_inputs_of_the_signature_that_are_not_there(tmp_path: Path) -> None:
    write(dense(), tmp_path, WriteOptions())
    edit(tmp_path, lambda data: data["signature"]["inputs"].update(gone={"name": "gone:0"}))
    assert loaded(tmp_path).signature.inputs == ["x"]


# Damage --------------------------------------------------------------------------------------


def test_sniffing(tmp_path: Path) -> None:
    assert FORMAT.name == "tfjs-graph"
    write(dense(), tmp_path / "web", WriteOptions())
    assert sniff(tmp_path / "web")
    assert sniff(tmp_path / "web" / "model.json")
    for text in ('{"format":"layers-model"}', "[]", "", '{"modelTopology":{"model_config":{}}}'):
        (tmp_path / "file.json").write_text(text)
        assert not sniff(tmp_path / "file.json")
    assert not sniff(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.pop("modelTopology"), "has no modelTopology with nodes"),
        (lambda data: data["modelTopology"].update(node={}), "has no modelTopology with nodes"),
        (lambda data: data["modelTopology"].update(node=[]), "refers to a node"),
        (lambda data: data["weightsManifest"][0]["weights"].pop(), "weight"),
        (lambda data: data["signature"].update(outputs=[1]), "whose outputs are no object"),
        (lambda data: data["signature"]["outputs"].update(y={}), "without a name for its outputs"),
        (
            lambda data: data["signature"]["outputs"]["y"].update(name="none:0"),
            "refers to a node 'none' that is not there",
        ),
        (
            lambda data: data["modelTopology"]["node"][2]["attr"].update(T={"type": []}),
            "is no NodeDef message",
        ),
        (
            lambda data: data["modelTopology"]["node"].append(data["modelTopology"]["node"][0]),
            "has two nodes called 'x'",
        ),
    ],
)
def test_damage(change: Callable[[dict[str, Any]], None], words: str, tmp_path: Path) -> None:
    write(dense(), tmp_path, WriteOptions())
    edit(tmp_path, change)
    with pytest.raises(CorruptFileError, match=words):
        loaded(tmp_path)


def test_a_weight_that_is_missing(tmp_path: Path) -> None:
    write(dense(), tmp_path, WriteOptions())
    edit(tmp_path, lambda data: data["weightsManifest"][0]["weights"][1].update(name="other"))
    with pytest.raises(CorruptFileError, match="has no weight for the constant 'dense/bias'"):
        loaded(tmp_path)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"holds no model\.json"):
        loaded(tmp_path)


ODD: list[Any] = [None, 0, -1, 2**70, 1.5, True, "", "x", "DT_FLOAT", "^x", [], [[]], {}, {"a": 1}]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container in a JSON value with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def test_anything_in_any_place_is_an_error_of_ours(tmp_path: Path) -> None:
    """Every place of a model with a loop and of one with a table, in turn each odd value."""
    write(lookup({b"a": 10}), tmp_path / "table", WriteOptions())
    edit(tmp_path / "table", by_resource)
    write(loop(), tmp_path / "loop", WriteOptions())
    outcomes = {"read": 0, "refused": 0}
    for folder in ("table", "loop"):
        file = tmp_path / folder / "model.json"
        text = file.read_text()
        for index in range(len(places(json.loads(text)))):
            data = json.loads(text)
            container, key = places(data)[index]
            container[key] = ODD[index % len(ODD)]
            file.write_text(json.dumps(data))
            try:
                loaded(file)
                outcomes["read"] += 1
            except TfjsError:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 20


def test_a_deep_value_is_refused(tmp_path: Path) -> None:
    write(dense(), tmp_path, WriteOptions())
    text = (tmp_path / "model.json").read_text()
    deep = '{"list":{"func":[{"attr":{"a":' * 3000 + "1" + "}}]}}" * 3000
    (tmp_path / "model.json").write_text(text.replace('{"type":"DT_FLOAT"}', deep, 1))
    with pytest.raises(CorruptFileError):
        loaded(tmp_path)


# Models of others ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("human_blazeface", "human_iris", "style_transformer_separable"),
        *("tfjs_e2e_load_predict", "tfjs_move_lstm"),
    ],
)
def test_models_of_the_official_converter(
    name: str, tmp_path: Path, shared_models: Path, tfjs_runtime: TfjsRuntime
) -> None:
    """Read and written again, TF.js answers what it answered to the original."""
    folder = shared_models / "tfjs_graph" / name
    source = next(path for path in sorted(folder.glob("*.json")))
    write(loaded(source), tmp_path, WriteOptions())
    inputs, outputs = tfjs_golden(name)
    method = "executeAsync" if "lstm" in name else "execute"
    wanted = [output.name for output in outputs]
    answers = tfjs_runtime.run_graph(
        tmp_path, inputs, method=method, outputs=wanted, timeout=120
    ).answers
    for array, output in zip(answers, outputs, strict=True):
        assert array.shape == output.shape
        values = array.reshape(-1)[: output.values.size]
        np.testing.assert_allclose(values, output.values.reshape(-1), rtol=1e-4, atol=1e-5)
