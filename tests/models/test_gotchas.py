"""Every peculiarity of TF.js's executor that a graph model of ours may meet.

The rules are the 71 of `runtime_contract.md` 7, by their numbers. Each is tested here by a graph
(`gotcha_cases.py`), by what stands in the files, or is none that a graph model concerns.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

import tfjs
from tests.models.gotcha_cases import CASES, ON_WEBGL
from tests.models.gotcha_graphs import NEAR, ROWS, X
from tests.support.browser import Browser
from tests.support.graph_roundtrip import Converted, floats, integers
from tests.support.protocol import JsonObject
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ops.support import tfjs_op

GOTCHAS = (
    *("F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12"),
    *("D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10"),
    *("L1", "L2", "L3", "L4", "L5", "L6", "L7"),
    *("R1", "R2", "R3", "R4"),
    *("O1", "O2", "O3", "O4", "O5", "O6", "O7", "O8", "O9", "O10", "O11", "O12", "O13", "O14"),
    *("O15", "O16", "O17", "O18"),
    *("U1", "U2"),
    *("A1", "A2", "A3", "A4"),
    *("K1", "K2", "K3", "K4", "K5", "K6"),
    *("I1", "I2", "I3", "I4"),
    *("P1", "P2", "P3", "P4"),
)
# What is not ours to see to in a graph model, and why.
NOT_OF_GRAPHS = {
    "K1": "configurations of layers models: tests/layers, tests/models/test_every_layer.py",
    "K2": "weights of layers models: tests/formats/tfjs_layers, test_every_layer.py",
    "K3": "names in layers models: tests/layers, test_every_layer.py",
    "K4": "refusals of layers models: tests/layers, test_every_layer.py",
    "K5": "an option of the page's call for layers models",
    "K6": "inputs of layers models; a graph model takes rank 1",
    "I3": "saving again in tfjs-node what was loaded: code of the page",
    "P3": "how often a page warms the model up; no graph is another for it",
}


class Tools(NamedTuple):
    """What a check gets.

    Attributes:
        tf: TensorFlow.
        runtime: the real TF.js.
        path: an empty folder.
    """

    tf: ModuleType
    runtime: TfjsRuntime
    path: Path

    def written(
        self, function: Callable[..., Any], *specs: Any, **options: Any
    ) -> tuple[JsonObject, Path, Converted]:
        """A function's `model.json`, its folder, and what became of it."""
        converted = Converted(self.tf, function, specs)
        folder = self.path / "model"
        write(converted.model, folder, WriteOptions(**options))
        return read_json(folder), folder, converted

    def saved(self, module: Any, function: Any, **options: Any) -> tuple[Any, Path]:
        """The report and folder of a SavedModel's conversion."""
        self.tf.saved_model.save(module, str(self.path / "source"), signatures=function)
        folder = self.path / "model"
        return tfjs.convert(self.path / "source", folder, **options), folder


WRITTEN: dict[str, Callable[[Tools], None]] = {}


def written(
    *names: str,
) -> Callable[[Callable[[Tools], None]], Callable[[Tools], None]]:
    """Register what looks at files, notes or refusals for some rules."""

    def register(function: Callable[[Tools], None]) -> Callable[[Tools], None]:
        WRITTEN.update(dict.fromkeys(names, function))
        return function

    return register


def read_json(folder: Path) -> JsonObject:
    """A `model.json`, as strict as JavaScript reads it."""

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    found: JsonObject = json.loads((folder / "model.json").read_text(), parse_constant=refuse)
    return found


def nodes_of(data: JsonObject) -> list[JsonObject]:
    """All nodes, those of functions included."""
    topology = data["modelTopology"]
    functions = topology.get("library", {}).get("function", [])
    inner = [node for function in functions for node in function["nodeDef"]]
    return [*topology["node"], *inner]


@written("F1")
def what_tfjs_asks_for(tools: Tools) -> None:
    """An object of versions and a list of weights, whatever the model is."""
    data, folder, _ = tools.written(lambda x, y: x + y, ROWS, ROWS)
    assert isinstance(data["modelTopology"]["versions"], dict)
    assert isinstance(data["weightsManifest"], list)
    (answer,) = tools.runtime.predict_graph(folder, [ROWS, ROWS])
    np.testing.assert_array_equal(answer, ROWS + ROWS)


@written("F5")
def watched_without_weights(tools: Tools) -> None:
    """A page may watch the loading of a model that has no weights: it has an empty file."""
    data, folder, _ = tools.written(lambda x, y: x + y, ROWS, ROWS)
    (group,) = data["weightsManifest"]
    assert group["weights"] == []
    assert [(folder / path).stat().st_size for path in group["paths"]] == [0]
    job: JsonObject = {"op": "graph", "calls": [], "watched": True}
    watched = tools.runtime.run_job(folder / "model.json", job)
    assert watched["ok"], watched
    assert watched["progress"][-1] == 1
    # Without the file it is TF.js that fails, and only where somebody watches.
    group["paths"] = []
    (folder / "model.json").write_text(json.dumps(data))
    assert tools.runtime.run_job(folder / "model.json", {**job, "watched": False})["ok"]
    failed = tools.runtime.run_job(folder / "model.json", dict(job))
    assert "none empty array" in failed["error"]["message"]


@written("F2", "F11")
def signature(tools: Tools) -> None:
    """Names of tensors, dtypes and shapes; one node an output; what placeholders are told."""
    spec = tools.tf.TensorSpec([None, 4], tools.tf.float64)
    data, _, _ = tools.written(
        lambda x: (*tools.tf.split(x, 2, 1), x, x),
        spec,
    )
    entries = [*data["signature"]["inputs"].values(), *data["signature"]["outputs"].values()]
    assert all(entry["name"].endswith(":0") for entry in entries)
    # TF.js reads no dtype here: it stays the source's.
    assert {entry["dtype"] for entry in entries} == {"DT_DOUBLE"}
    names = [entry["name"] for entry in data["signature"]["outputs"].values()]
    assert len(set(names)) == 4
    (placeholder,) = [node for node in nodes_of(data) if node["op"] == "Placeholder"]
    assert placeholder["attr"]["dtype"] == {"type": "DT_FLOAT"}
    assert placeholder["attr"]["shape"] == {"shape": {"dim": [{"size": "-1"}, {"size": "4"}]}}
    assert entries[0]["tensorShape"]["dim"][0] == {"size": "-1"}


@written("F3")
def structured(tools: Tools) -> None:
    """Outputs by name, where they are asked for; in the signature's order otherwise."""
    tf = tools.tf
    module = tf.Module()
    spec = tf.TensorSpec([3, 4], tf.float32, name="x")
    module.call = tf.function(lambda x: {"b": x + 1.0, "a": x * 2.0}, input_signature=[spec])
    _, folder = tools.saved(module, module.call, structured_outputs=True)
    run = tools.runtime.run_graph(folder, [ROWS])
    assert sorted(run.output_names) == ["a", "b"]
    np.testing.assert_array_equal(run.by_name["b"], ROWS + 1)
    np.testing.assert_array_equal(run.by_name["a"], ROWS * 2)


@written("F4")
def numbers_in_json(tools: Tools) -> None:
    """Weights that JSON has no numbers for are in the weights; attributes of that kind refused."""
    tf = tools.tf
    odd = np.array([np.inf, -np.inf, np.nan, 1], np.float32)
    data, folder, _ = tools.written(lambda x: tf.nn.leaky_relu(x, 0.25) + odd, ROWS)
    (leaky,) = [node for node in nodes_of(data) if node["op"] == "LeakyRelu"]
    assert leaky["attr"]["alpha"] == {"f": 0.25}
    (answer,) = tools.runtime.predict_graph(folder, [ROWS])
    np.testing.assert_allclose(answer, np.where(ROWS > 0, ROWS, ROWS * 0.25) + odd)
    with pytest.raises(UnsupportedError, match="is inf"):
        tools.written(lambda x: tf.nn.leaky_relu(x, np.inf), ROWS)


@written("F6", "F12", "O5", "O7", "A2")
def nothing_odd_in_the_graph(tools: Tools) -> None:
    """No control inputs, no lists without their member, no `If`; random integers by arithmetic."""
    tf = tools.tf

    def graph(x: Any, n: Any) -> Any:
        with tf.control_dependencies([tf.debugging.assert_less(n, 9), tf.no_op()]):
            y = tf.concat([tf.raw_ops.Squeeze(input=x, axis=[]), x], 0)
        y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y + 1.0), (0, y))[1]
        return tf.cond(n > 0, lambda: y + 1.0, lambda: tf.ensure_shape(y, [6, 4]) * 2.0)

    data, folder, _ = tools.written(graph, ROWS, np.array(3, np.int32))
    for node in nodes_of(data):
        assert not [name for name in node.get("input", []) if name.startswith("^")]
        assert all(
            "list" not in value or isinstance(value["list"], dict)
            for value in node.get("attr", {}).values()
        )
        assert node["op"] not in ("If", "NoOp", "Assert", "EnsureShape", "PartitionedCall")
    run = tools.runtime.run_graph(folder, [ROWS, np.array(3, np.int32)], method="executeAsync")
    assert run.log == []
    wanted = np.concatenate([ROWS, ROWS]) + np.float32(1) + np.float32(1) + np.float32(1)
    np.testing.assert_allclose(run.answers[0], wanted + 1, rtol=1e-6)


@written("O7")
def random_integers(tools: Tools) -> None:
    """All integers of the range come, and no others."""
    tf = tools.tf
    _, folder, _ = tools.written(
        lambda x: tf.random.uniform([600], 3, 8, tf.int32) + tf.cast(x, tf.int32),
        np.array(0, np.float32),
    )
    for backend in ("cpu", "wasm"):
        (answer,) = tools.runtime.predict_graph(folder, [np.array(0, np.float32)], backend=backend)
        assert answer.dtype == np.int32
        assert set(answer.tolist()) == {3, 4, 5, 6, 7}


@written("D1")
def too_large_integers(tools: Tools) -> None:
    """64 bits that matter are refused, with the constant."""
    with pytest.raises(UnsupportedError) as caught:
        tools.written(lambda x: x + np.int64(2**40), np.array([1], np.int64))
    assert "1099511627776, which does not fit TF.js's int32" in str(caught.value.problems)


@written("D2", "P4")
def quantised(tools: Tools) -> None:
    """Only floats that are data lose precision; shards are of 4 MiB."""
    tf = tools.tf
    table = floats(64, 30)

    def graph(x: Any) -> Any:
        rows = tf.gather(table, [5, 63, 17], axis=0)
        cut = tf.clip_by_value(tf.reshape(rows, [2, 45]), -1.23456, 2.34567)
        return (
            tf.image.resize(x, [7, 9]),
            cut + x[0, 0, 0, 0],
            np.arange(5000) + tf.cast(x[0, 0, 0, 0], tf.int32),
        )

    wanted = Converted(tf, graph, [X]).tensorflow(X)
    for dtype, bound in (("float16", 1e-3), ("uint16", 1e-4), ("uint8", 2e-2)):
        data, folder, _ = tools.written(graph, X, quantize={dtype: ["*"]})
        weights = [entry for group in data["weightsManifest"] for entry in group["weights"]]
        assert all(entry["dtype"] == "float32" for entry in weights if "quantization" in entry)
        assert [entry for entry in weights if "quantization" in entry]
        answers = tools.runtime.predict_graph(folder, [X])
        np.testing.assert_allclose(answers[0], wanted[0], **NEAR)
        assert np.abs(answers[1] - wanted[1]).max() < bound
        np.testing.assert_array_equal(answers[2], wanted[2])
    large = floats(1100, 1000)
    data, folder, _ = tools.written(lambda x: x + large, floats(1, 1000))
    sizes = [(folder / path).stat().st_size for path in data["weightsManifest"][0]["paths"]]
    assert sizes == [4 << 20, large.nbytes - (4 << 20)]


@written("D3")
def large_integers_on_gpus(tools: Tools) -> None:
    """They are told: GPUs compute integers in float32."""
    _, _, converted = tools.written(lambda x: x * 7 + (1 << 25), integers(0, 9, 3))
    (note,) = converted.outcome.notes
    assert note.startswith("WebGL and WebGPU compute integers in float32")
    _, _, converted = tools.written(lambda x: x[:, : 2**31 - 1] * 7, integers(0, 9, 3, 4))
    assert converted.outcome.notes == []


@written("D7", "O2", "O17")
def what_wasm_lacks(tools: Tools) -> None:
    """Complex numbers are told; Einsum is taken apart."""
    tf = tools.tf
    _, _, converted = tools.written(
        lambda x: tf.abs(tf.cast(x, tf.complex64) * (1 + 2j)), floats(2, 4)
    )
    (note,) = [note for note in converted.outcome.notes if "wasm" in note]
    assert "Complex" in note
    _, _, converted = tools.written(lambda x: tf.einsum("ij,kj->ik", x, x), ROWS)
    assert "Einsum" not in converted.ops
    assert converted.outcome.notes == []
    with pytest.raises(UnsupportedError, match="its length 7 is not"):
        tools.written(lambda x: tf.signal.irfft(tf.cast(x, tf.complex64), [7]), floats(2, 5))


@written("D8")
def large_floats_on_phones(tools: Tools) -> None:
    """They are told: some GPUs have no float32."""
    tf = tools.tf
    _, _, converted = tools.written(
        lambda x: tf.nn.softmax(x + np.array([0, -1e9, 0, 0], np.float32)), ROWS
    )
    (note,) = converted.outcome.notes
    assert "beyond 65504" in note
    _, _, converted = tools.written(lambda x: x + 1e4, ROWS)
    assert converted.outcome.notes == []


@written("R3")
def integers_on_webgpu(tools: Tools) -> None:
    """What WebGPU gets wrong is told."""
    tf = tools.tf
    _, _, converted = tools.written(lambda x: tf.transpose(x, [2, 0, 1]), integers(0, 9, 2, 3, 4))
    (note,) = converted.outcome.notes
    assert note.startswith("WebGPU")
    assert "Transpose" in note
    _, _, converted = tools.written(lambda x: tf.reduce_max(x, 1), integers(0, 9, 2, 3, 4))
    (note,) = converted.outcome.notes
    assert "Max" in note
    _, _, converted = tools.written(lambda x: tf.reduce_max(x, 2), integers(0, 9, 2, 3, 4))
    assert converted.outcome.notes == []


@written("O11", "O16", "P2")
def shapes_are_constants(tools: Tools) -> None:
    """What TF.js reads on the host is constant wherever only the batch is free."""
    (case,) = CASES["P2"]
    tf = tools.tf
    spec = tf.TensorSpec([None, 5, 6, 4], tf.float32)
    _, _, converted = tools.written(lambda x: case.function(tf, x), spec)
    for node in converted.model.graph.nodes.values():
        op = tfjs_op(node.op)
        assert op is not None
        for index, value in enumerate(node.inputs):
            assert value.node.op == "Const" or not op.host_reads(index, len(node.inputs)), node


@written("O9")
def resizing_both_ways(tools: Tools) -> None:
    """Two ways at once are refused by TensorFlow as by TF.js: none can come to us from it."""
    with pytest.raises(tools.tf.errors.InvalidArgumentError):
        tools.tf.raw_ops.ResizeBilinear(
            images=X, size=[2, 2], align_corners=True, half_pixel_centers=True
        )


@written("O12", "A4")
def tables(tools: Tools) -> None:
    """What is found has the shape of the keys; the initializer fills the table."""
    tf = tools.tf
    module = tf.Module()
    pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], [5, 6], tf.string, tf.int64)
    module.table = tf.lookup.StaticHashTable(pairs, -1)
    spec = tf.TensorSpec([None, 2], tf.string)
    module.call = tf.function(module.table.lookup, input_signature=[spec])
    report, folder = tools.saved(module, module.call)
    keys = np.array([[b"b", b"z"], [b"a", b"b"]], object)
    for backend in ("cpu", "wasm"):
        run = tools.runtime.run_graph(
            folder, [keys], [keys], backend=backend, method="executeAsync"
        )
        for call in run.calls:
            np.testing.assert_array_equal(call[0], [[6, -1], [5, 6]])
    assert any("executeAsync" in note for note in report.notes)


@written("O13")
def capitals_in_attributes(tools: Tools) -> None:
    """A pattern that TF.js would lower-case is refused."""
    tf = tools.tf
    with pytest.raises(UnsupportedError, match="has capitals"):
        tools.written(
            lambda x: tf.strings.regex_replace(x, "[A-Z]", ""), tf.TensorSpec([None], tf.string)
        )


@written("O18")
def what_webgpu_lacks(tools: Tools) -> None:
    """Told with its name."""
    tf = tools.tf
    _, _, converted = tools.written(lambda x: tf.unique(x).y, np.array([1, 1, 2], np.int32))
    assert "does not run on the webgpu backend, which lacks Unique" in converted.outcome.notes


@written("O15", "D6")
def what_cannot_be_decomposed(tools: Tools) -> None:
    """Refused at once, each with a reason and advice."""
    tf = tools.tf

    def graph(x: Any) -> Any:
        seeded = tf.random.stateless_uniform([3, 4], [1, 2], dtype=tf.float32)
        return tf.linalg.cholesky(x) + tf.bitcast(tf.cast(x[0, 0], tf.int32), tf.float32), seeded

    with pytest.raises(UnsupportedError) as caught:
        tools.written(graph, tf.TensorSpec([4, 4], tf.float32))
    told = " ".join(caught.value.problems)
    assert "Cholesky: " in told
    assert "Bitcast: " in told


@written("A1")
def only_execute_async(tools: Tools) -> None:
    """Told with what makes it so; a loop of known length makes nothing so."""
    tf = tools.tf
    _, _, converted = tools.written(lambda x: tf.where(x > 0), ROWS)
    assert converted.outcome.notes[0] == "only executeAsync runs the model, because of Where"
    (case,) = CASES["A1"]
    _, _, converted = tools.written(lambda x: case.function(tf, x), ROWS)
    assert converted.outcome.notes == []


@written("I1", "I2", "I4")
def files(tools: Tools) -> None:
    """Relative, plain and different names; as many bytes as the manifest tells."""
    weights = floats(1000)
    data, folder, _ = tools.written(lambda x: x + weights, floats(1), shard_size=1500)
    assert (folder / "model.json").is_file()
    paths = [path for group in data["weightsManifest"] for path in group["paths"]]
    assert len(paths) == len({Path(path).name for path in paths}) == 3
    assert all(set(path).isdisjoint("/\\?#:%") for path in paths)
    assert sum((folder / path).stat().st_size for path in paths) == weights.nbytes


@written("P1")
def nothing_superfluous(tools: Tools) -> None:
    """Each node costs a call: constants are folded, copies and what nothing needs gone."""
    tf = tools.tf

    def graph(x: Any) -> Any:
        unused = tf.sin(x)
        y = tf.identity(tf.stop_gradient(x)) + tf.constant(2.0) * tf.constant(3.0)
        del unused
        return tf.cast(y, tf.float32) * tf.eye(4)[0]

    _, _, converted = tools.written(lambda x: tf.identity(graph(x)), ROWS)
    assert {"Identity", "StopGradient", "Cast"}.isdisjoint(converted.ops)
    assert converted.ops["Const"] == 2


@pytest.mark.parametrize(
    ("name", "index"),
    [(name, index) for name, cases in CASES.items() for index in range(len(cases))],
    ids=lambda item: str(item),
)
def test_a_graph_that_meets_it(
    name: str, index: int, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime
) -> None:
    CASES[name][index].run(tensorflow, tfjs_runtime)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_what_is_written_for_it(
    name: str, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    WRITTEN[name](Tools(tensorflow, tfjs_runtime, tmp_path))


@pytest.mark.parametrize(
    ("name", "index"),
    [(name, index) for name in ON_WEBGL for index in range(len(CASES[name]))],
    ids=lambda item: str(item),
)
def test_on_webgl(name: str, index: int, tensorflow: ModuleType, browser: Browser) -> None:
    case = CASES[name][index]
    tf = tensorflow
    specs = (
        case.inputs
        if case.free is None
        else [
            tf.TensorSpec(shape, tf.as_dtype(array.dtype))
            for shape, array in zip(case.free, case.inputs, strict=True)
        ]
    )
    converted = Converted(tf, lambda *tensors: case.function(tf, *tensors), specs)
    if "oracle" in case.options:
        found = case.options["oracle"](tf, *[tf.constant(array) for array in case.inputs])
        wanted = [item.numpy() for item in tf.nest.flatten(found)]
    else:
        wanted = converted.tensorflow(*case.inputs)
    answers = converted.tfjs(browser, *case.inputs, backend="webgl")
    for ours, theirs in zip(answers, wanted, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_all_of_them_are_seen_to() -> None:
    assert len(set(GOTCHAS)) == len(GOTCHAS) == 71
    tested = set(CASES) | set(WRITTEN)
    assert tested.isdisjoint(NOT_OF_GRAPHS)
    assert tested | set(NOT_OF_GRAPHS) == set(GOTCHAS)
