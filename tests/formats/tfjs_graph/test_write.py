"""Graphs built by hand, written, and run by the real TF.js."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.drawing import Drawing, model_of
from tests.support.protocol import JsError
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UsageError
from tfjs.formats.base import WriteOptions, Written
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import FuncRef, Graph, GraphModel

X = np.array([[1, -2], [3, 0.5]], np.float32)
KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)


def dense() -> GraphModel:
    draw = Drawing()
    x = draw.feed("x", shape=(None, 2))
    kernel = draw.constant("dense/kernel", KERNEL)
    turned: dict[str, Any] = {"transpose_a": False, "transpose_b": False}
    product = draw.op("MatMul", "product", x, kernel, T="float32", **turned)
    bias = draw.constant("dense/bias", [1.0, 2.0, 3.0])
    return model_of(draw.gives(y=draw.op("AddV2", "Identity", product, bias, T="float32")))


def saved(model: GraphModel, folder: Path, **options: Any) -> Written:
    return write(model, folder, WriteOptions(**options))


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return found


def nodes(folder: Path) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in document(folder)["modelTopology"]["node"]}


# The file ------------------------------------------------------------------------------------


def test_a_document_as_the_official_converter_makes_it(tmp_path: Path) -> None:
    model = dense()
    model.producer = "2.19.0"
    model.metadata = {"author": "somebody"}
    model.initializer = Graph()
    written = saved(model, tmp_path / "web", metadata={"more": [1]})
    data = document(tmp_path / "web")
    assert list(data) == [
        *("format", "generatedBy", "convertedBy", "signature", "modelTopology"),
        *("userDefinedMetadata", "modelInitializer", "weightsManifest"),
    ]
    assert data["format"] == "graph-model"
    assert data["generatedBy"] == "2.19.0"
    assert data["convertedBy"].startswith("tfjs ")
    assert data["userDefinedMetadata"] == {"author": "somebody", "more": [1]}
    assert data["signature"] == {
        "inputs": {
            "x": {
                "name": "x:0",
                "dtype": "DT_FLOAT",
                "tensorShape": {"dim": [{"size": "-1"}, {"size": "2"}]},
            }
        },
        "outputs": {
            "y": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": {"unknownRank": True}}
        },
    }
    assert nodes(tmp_path / "web")["dense/kernel"] == {
        "name": "dense/kernel",
        "op": "Const",
        "attr": {
            "dtype": {"type": "DT_FLOAT"},
            "value": {
                "tensor": {
                    "dtype": "DT_FLOAT",
                    "tensorShape": {"dim": [{"size": "2"}, {"size": "3"}]},
                }
            },
        },
    }
    assert nodes(tmp_path / "web")["product"]["input"] == ["x", "dense/kernel"]
    assert [port.name for port in [*written.inputs, *written.outputs]] == ["x", "y"]
    assert written.inputs[0].shape == (None, 2)
    assert [name for name, _ in written.files] == ["model.json", "group1-shard1of1.bin"]
    for name, size in written.files:
        assert (tmp_path / "web" / name).stat().st_size == size


def test_tfjs_computes_it(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    saved(dense(), tmp_path)
    run = tfjs_runtime.run_graph(tmp_path, [X])
    np.testing.assert_array_equal(run.answers[0], X @ KERNEL + [1, 2, 3])
    assert run.leaked == 0
    assert [(port.name, port.shape, port.dtype) for port in run.inputs] == [
        ("x", (-1, 2), "float32")
    ]


def test_the_same_model_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        saved(loop(), tmp_path / name, shard_size=5)
    found = [
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in "ab"
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 5


def test_an_earlier_model_gives_way_and_other_files_stay(tmp_path: Path) -> None:
    saved(dense(), tmp_path / "web", shard_size=10)
    (tmp_path / "web" / "index.html").write_text("mine")
    saved(dense(), tmp_path / "web")
    found = sorted(file.name for file in (tmp_path / "web").iterdir())
    assert found == ["group1-shard1of1.bin", "index.html", "model.json"]


def test_shards(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    written = saved(dense(), tmp_path, shard_size=7)
    assert [size for _, size in written.files[1:]] == [7, 7, 7, 7, 7, 1]
    np.testing.assert_array_equal(
        tfjs_runtime.predict_graph(tmp_path, [X])[0], X @ KERNEL + [1, 2, 3]
    )


def test_a_model_without_weights_has_a_weight_file(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(2,))
    written = saved(model_of(draw.gives(y=draw.op("Neg", "y", x, T="float32"))), tmp_path)
    assert written.files[1:] == [("group1-shard1of1.bin", 0)]
    assert tfjs_runtime.predict_graph(tmp_path, [X[0]])[0].tolist() == [-1, 2]


def test_metadata_that_tfjs_would_read(tmp_path: Path) -> None:
    for key in ("signature", "structuredOutputKeys"):
        with pytest.raises(UsageError, match=f"TF.js reads '{key}' in the metadata itself"):
            saved(dense(), tmp_path, metadata={key: 1})


# Names and order -----------------------------------------------------------------------------


@pytest.mark.parametrize("structured", [False, True])
def test_keys_keep_their_order(structured: bool, tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    minus, plus = draw.feed("zeta", shape=(2,)), draw.feed("alpha", shape=(2,))
    model = model_of(
        draw.gives(
            z=draw.op("Sub", "one", minus, plus, T="float32"),
            a=draw.op("AddV2", "two", minus, plus, T="float32"),
            m=draw.op("Mul", "ünï/日本", minus, plus, T="float32"),
        ),
        structured=structured,
    )
    model.signature.inputs = ["zwei", "eins"]
    saved(model, tmp_path)
    run = tfjs_runtime.run_graph(tmp_path, [X[0], X[1]], {"eins": X[1], "zwei": X[0]})
    wanted = [[-2, -2.5], [4, -1.5], [3, -1]]
    assert [[array.tolist() for array in call] for call in run.calls] == [wanted, wanted]
    assert run.output_names == (["z", "a", "m"] if structured else ["one", "two", "ünï/日本"])
    metadata = document(tmp_path).get("userDefinedMetadata")
    assert metadata == ({"structuredOutputKeys": ["z", "a", "m"]} if structured else None)


def test_keys_that_are_numbers_are_told(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(2,))
    one, two, three = (draw.op(op, op, x, T="float32") for op in ("Neg", "Square", "Abs"))
    model = model_of(draw.gives(a=one, b=two, c=three), structured=True)
    model.signature.outputs = ["10", "b", "9"]
    written = saved(model, tmp_path)
    assert written.notes == ["TF.js takes outputs called by numbers first: 9, 10, b"]
    by_name = tfjs_runtime.run_graph(tmp_path, [X[0]]).by_name
    assert {key: value.tolist() for key, value in by_name.items()} == {
        "9": [1, 2],
        "10": [-1, 2],
        "b": [1, 4],
    }


def test_an_input_that_nothing_reads_stays(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(2,))
    draw.feed("unused", "int32", ())
    saved(model_of(draw.gives(y=draw.op("Neg", "y", x, T="float32"))), tmp_path)
    answers = tfjs_runtime.predict_graph(tmp_path, [X[0], np.array(3, np.int32)])
    assert answers[0].tolist() == [-1, 2]


def test_one_of_several_outputs_of_a_node(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(4,))
    axis = draw.constant("axis", 0)
    halves = draw.ops("Split", "halves", axis, x, dtypes=["float32"] * 2, num_split=2, T="float32")
    swapped = draw.op("Sub", "swapped", halves[1], halves[0], T="float32")
    saved(model_of(draw.gives(half=halves[1], difference=swapped)), tmp_path)
    assert nodes(tmp_path)["swapped"]["input"] == ["halves:1", "halves"]
    found = tfjs_runtime.predict_graph(tmp_path, [np.array([1, 2, 5, 9], np.float32)])
    assert [array.tolist() for array in found] == [[5, 9], [4, 7]]


# Dtypes --------------------------------------------------------------------------------------


def test_constants_of_every_dtype(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    values: dict[str, Any] = {
        "float32": np.array([1.5, -np.inf], np.float32),
        "int32": np.array([2**31 - 1, -(2**31)], np.int32),
        "bool": np.array([True, False]),
        "string": np.array([b"", "grüße".encode(), b"\xff\x00"], object),
        "complex64": np.array([1 + 2j, -1j], np.complex64),
    }
    draw = Drawing()
    outputs = {
        name: draw.op("Identity", f"out/{name}", draw.constant(name, value), dtype=name, T=name)
        for name, value in values.items()
    }
    draw.feed("x", shape=())
    saved(model_of(draw.gives(**outputs)), tmp_path)
    found = tfjs_runtime.run_graph(tmp_path, [np.array(0, np.float32)])
    for (name, wanted), array in zip(values.items(), found.answers, strict=True):
        assert array.tolist() == wanted.tolist(), name
    assert found.leaked == 0


def test_inputs_are_checked_against_dtype_and_shape(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    draw = Drawing()
    x = draw.feed("x", "int32", (None, 2))
    free = draw.feed("free", "string", None)
    rows = draw.op("Identity", "rows", x, dtype="int32", T="int32")
    texts = draw.op("Identity", "texts", free, dtype="string", T="string")
    saved(model_of(draw.gives(rows=rows, texts=texts)), tmp_path)
    assert nodes(tmp_path)["free"]["attr"]["shape"] == {"shape": {"unknownRank": True}}
    good, text = np.array([[1, 2]], np.int32), np.array([[b"a"]], object)
    found = tfjs_runtime.predict_graph(tmp_path, [good, text])
    assert [array.tolist() for array in found] == [[[1, 2]], [[b"a"]]]
    for bad in (good[0], good.astype(np.float32)):
        with pytest.raises(JsError, match=r"must be \[-1,2\]|must be int32"):
            tfjs_runtime.run_graph(tmp_path, [bad, text])


# Functions -----------------------------------------------------------------------------------


def loop() -> GraphModel:
    """`x * 2 ** 3` by a loop, and a condition inside of another function."""
    cond = Drawing("cond")
    i, _ = cond.feed("i", "int32", ()), cond.feed("v", shape=())
    less = cond.op("Less", "cond/less", i, cond.constant("cond/n", 3), dtype="bool", T="int32")
    body = Drawing("body")
    i, v = body.feed("i", "int32", ()), body.feed("v", shape=())
    step = body.op("AddV2", "body/next", i, body.constant("body/one", 1), dtype="int32", T="int32")
    twice = body.op("Mul", "body/twice", v, body.constant("body/two", 2.0), T="float32")
    draw = Drawing()
    x = draw.feed("x", shape=())
    done = draw.ops(
        "StatelessWhile",
        "loop",
        draw.constant("start", 0),
        x,
        dtypes=["int32", "float32"],
        cond=FuncRef("cond"),
        body=FuncRef("body"),
        T=["int32", "float32"],
    )
    out = draw.op("Identity", "Identity", done[1], T="float32")
    unused = Drawing("unused")
    functions = [
        body.gives(i_out=step, v_out=twice),
        cond.gives(more=less),
        unused.gives(a=unused.feed("a")),
    ]
    return model_of(draw.gives(y=out), *functions)


def test_a_loop(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    saved(loop(), tmp_path)
    run = tfjs_runtime.run_graph(
        tmp_path, [np.array(1.5, np.float32)], [np.array(-2, np.float32)], method="predictAsync"
    )
    assert [call[0].tolist() for call in run.calls] == [12, -16]
    assert run.leaked == 0
    library = document(tmp_path)["modelTopology"]["library"]["function"]
    assert [entry["signature"]["name"] for entry in library] == ["body", "cond"]
    assert library[0]["ret"] == {"i_out": "body/next", "v_out": "body/twice"}
    assert library[0]["signature"]["inputArg"] == [
        {"name": "i", "type": "DT_INT32"},
        {"name": "v", "type": "DT_FLOAT"},
    ]
    assert [entry["name"] for entry in library[1]["nodeDef"]] == ["cond/n", "cond/less"]
    names = [entry["name"] for entry in document(tmp_path)["weightsManifest"][0]["weights"]]
    assert names == ["start", "body/one", "body/two", "cond/n"]


@pytest.mark.parametrize("same", [False, True])
def test_branches(same: bool, tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    branches = []
    for name, op in (("then", "Neg"), ("else", "Square")):
        branch = Drawing(name)
        a = branch.feed("a", shape=(2,))
        made = branch.op(op, f"{name}/made", a, T="float32")
        parts = branch.ops(
            "Split",
            f"{name}/parts",
            branch.constant(f"{name}/axis", 0),
            made,
            dtypes=["float32"] * 2,
            num_split=2,
            T="float32",
        )
        branches.append(branch.gives(part=parts[1], other=made if same else a))
    draw = Drawing()
    test, x = draw.feed("test", "bool", ()), draw.feed("x", shape=(2,))
    found = draw.ops(
        "StatelessIf",
        "branch",
        test,
        x,
        dtypes=["float32"] * 2,
        then_branch=FuncRef("then"),
        else_branch=FuncRef("else"),
        Tcond="bool",
        Tin=["float32"],
        Tout=["float32", "float32"],
    )
    outputs = {
        f"y{index}": draw.op("Identity", f"y{index}", value, T="float32")
        for index, value in enumerate(found)
    }
    saved(model_of(draw.gives(**outputs), *branches), tmp_path)
    library = document(tmp_path)["modelTopology"]["library"]["function"]
    assert library[1]["ret"]["part"] == "then/parts:1"
    fed = np.array([3, 4], np.float32)
    for taken, answer in ((True, -fed), (False, fed**2)):
        answers = tfjs_runtime.predict_graph(
            tmp_path, [np.array(taken), fed], method="predictAsync"
        )
        assert answers[0].tolist() == [answer[1]]
        assert answers[1].tolist() == (answer if same else fed).tolist()


# Tables --------------------------------------------------------------------------------------


def lookup(*tables: dict[bytes, int]) -> GraphModel:
    """How each table maps the strings that are fed, and its size; -1 for unknown ones."""
    draw, start = Drawing(), Drawing()
    x = draw.feed("x", "string", (None,))
    unknown = draw.constant("unknown", -1)
    outputs = {}
    for index, table in enumerate(tables):
        kind = {"key_dtype": "string", "value_dtype": "int32"}
        name = f"table{index}"
        one = draw.op("HashTableV2", name, dtype="resource", **kind)
        dtypes = {"Tin": "string", "Tout": "int32"}
        outputs[f"found{index}"] = draw.op(
            "LookupTableFindV2", f"find{index}", one, x, unknown, dtype="int32", **dtypes
        )
        outputs[f"size{index}"] = draw.op("LookupTableSizeV2", f"size{index}", one, dtype="int32")
        other = start.op("HashTableV2", name, dtype="resource", **kind)
        keys = start.constant(f"keys{index}", np.array(list(table), object))
        values = start.constant(f"values{index}", np.array(list(table.values()), np.int32))
        start.ops("LookupTableImportV2", f"fill{index}", other, keys, values, dtypes=[], **dtypes)
        start.graph.targets.append(start.graph.nodes[f"fill{index}"])
    model = model_of(draw.gives(**outputs))
    model.initializer = start.graph
    return model


TEXTS = np.array([b"b", b"zz", b"a"], object)


def test_tables_are_filled_before_the_first_call(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    saved(lookup({b"a": 10, b"b": 20}, {b"zz": 7}), tmp_path)
    data = document(tmp_path)
    assert [entry["name"] for entry in data["modelInitializer"]["node"]] == [
        *("table0", "keys0", "values0", "fill0", "table1", "keys1", "values1", "fill1")
    ]
    # With a signature of it TF.js counts the tables among the inputs that `predict` is given.
    assert "initializerSignature" not in data
    for method, call in (("predictAsync", [TEXTS]), ("executeAsync", {"x": TEXTS})):
        run = tfjs_runtime.run_graph(tmp_path, call, call, method=method)
        for answers in run.calls:
            assert [a.tolist() for a in answers] == [[20, -1, 10], 2, [-1, 7, -1], 1]
        assert [port.name for port in run.inputs] == ["x"]
        assert run.leaked == 0


# Quantisation --------------------------------------------------------------------------------


def test_quantised_weights(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    saved(dense(), tmp_path, quantize={"uint8": ["*kernel"], "float16": True})
    weights = document(tmp_path)["weightsManifest"][0]["weights"]
    assert {entry["name"]: entry["quantization"]["dtype"] for entry in weights} == {
        "dense/kernel": "uint8",
        "dense/bias": "float16",
    }
    found = tfjs_runtime.predict_graph(tmp_path, [X])[0]
    # The kernel holds 0 to 5 in steps of 5/255, which are exact but for rounding.
    np.testing.assert_allclose(found, X @ KERNEL + [1, 2, 3], rtol=1e-6)


def test_what_is_no_data_is_not_quantised(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(None, 2))
    kernel = draw.constant("kernel", KERNEL)
    product = draw.op("MatMul", "product", x, kernel, T="float32")
    shape = draw.constant("shape", [3, 2])
    turned = draw.op("Reshape", "turned", product, shape, T="float32", Tshape="int32")
    bounds = [draw.constant(f"bound{index}", value) for index, value in enumerate([0.1, 70000.0])]
    clipped = draw.op("ClipByValue", "clipped", turned, *bounds, T="float32")
    saved(model_of(draw.gives(y=clipped)), tmp_path, quantize={"float16": True})
    weights = document(tmp_path)["weightsManifest"][0]["weights"]
    assert [entry["name"] for entry in weights if "quantization" in entry] == ["kernel"]
    found = tfjs_runtime.predict_graph(tmp_path, [X])[0]
    np.testing.assert_array_equal(found, np.clip((X @ KERNEL).reshape(3, 2), 0.1, None))
