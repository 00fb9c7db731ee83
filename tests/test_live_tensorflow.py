"""Live functions and modules of TensorFlow, read without importing it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.ir.graph import GraphModel, constant_of
from tfjs.live_tensorflow import is_live_function, live_graph, live_signatures


@pytest.fixture(scope="module")
def module(tensorflow: ModuleType) -> Any:
    """A variable with the name of an argument, a constant and a table."""
    tf = tensorflow

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.w = tf.Variable([[1.0], [2.0]], name="x")
            self.half = tf.Variable(tf.constant([0.5, -1.5], tf.bfloat16), name="half")
            self.text = tf.Variable(["é"], name="text")
            self.held = tf.constant([4.0, 5.0])
            pairs = tf.lookup.KeyValueTensorInitializer(["b", "a"], tf.constant([7, 9], tf.int64))
            self.table = tf.lookup.StaticHashTable(pairs, -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None], tf.string)])
        def __call__(self, zeta: Any, x: Any) -> Any:
            inner = tf.function(lambda words: self.table.lookup(words))
            return {"y": tf.matmul(zeta * self.held, self.w), "found": inner(x)}

        @tf.function(input_signature=[])
        def others(self) -> Any:
            return tf.cast(self.half, tf.float32), tf.identity(self.text)

        @tf.function
        def free(self, x: Any) -> Any:
            return x + 1

    return Module()


def values(model: GraphModel) -> dict[str, Any]:
    return {name: tensor.array().tolist() for name, tensor in model.variables.items()}


@pytest.fixture(params=["module", "function", "concrete"])
def called(request: pytest.FixtureRequest, module: Any) -> Any:
    """The same function in the three forms in which users have it."""
    forms: dict[str, Callable[[], Any]] = {
        "module": lambda: module,
        "function": lambda: module.__call__,
        "concrete": lambda: module.__call__.get_concrete_function(),
    }
    return forms[request.param]()


class TestAFunction:
    def test_inputs_and_outputs(self, called: Any) -> None:
        assert is_live_function(called)
        model = live_graph(called)
        assert model.signature.inputs == ["zeta", "x"]
        assert [node.output.type for node in model.graph.inputs] == [
            ("float32", (None, 2)),
            ("string", (None,)),
        ]
        assert model.signature.outputs == ["found", "y"]
        assert [value.dtype for value in model.graph.outputs] == ["int64", "float32"]

    def test_a_variable_and_a_constant(self, called: Any, tensorflow: ModuleType) -> None:
        model = live_graph(called)
        assert values(model) == {"x_1": [[1.0], [2.0]]}
        assert model.graph.nodes["x_1"].op == "VarHandleOp"
        held = [tensor.array().tolist() for tensor in model.graph.constants()]
        assert [4.0, 5.0] in held
        assert model.producer == f"tensorflow {tensorflow.__version__}"

    def test_a_table(self, called: Any) -> None:
        model = live_graph(called)
        assert model.initializer is not None
        (fill,) = model.initializer.targets
        assert fill.op == "LookupTableImportV2"
        assert model.graph.nodes[fill.inputs[0].node.name].op == "HashTableV2"
        keys, found = (constant_of(value) for value in fill.inputs[1:])
        assert keys is not None
        assert found is not None
        assert keys.array().tolist() == [b"a", b"b"]
        assert found.array().tolist() == [9, 7]

    def test_values_are_those_of_when_they_are_read(self, tensorflow: ModuleType) -> None:
        tf = tensorflow
        v = tf.Variable([1.0], name="v")
        model = live_graph(tf.function(lambda: v + 0.0, input_signature=[]))
        v.assign([2.0])
        assert values(model) == {"v": [2.0]}


def test_a_list_of_results_and_dtypes(module: Any) -> None:
    model = live_graph(module.others)
    assert model.signature.outputs == ["output_0", "output_1"]
    assert values(model) == {"half": [0.5, -1.5], "text": ["é".encode()]}
    assert model.variables["half"].array().dtype == np.float32


class TestAModule:
    def test_a_function_of_it_by_name(self, module: Any) -> None:
        assert live_graph(module, "others").signature.inputs == []

    def test_one_that_is_not_callable(self, tensorflow: ModuleType) -> None:
        tf = tensorflow

        class Scorer(tf.Module):  # type: ignore[misc, name-defined]
            @tf.function(input_signature=[tf.TensorSpec([2])])
            def score(self, x: Any) -> Any:
                return {"scores": x + 1.0}

        assert is_live_function(Scorer())
        assert live_graph(Scorer(), "score").signature.outputs == ["scores"]
        with pytest.raises(UsageError, match="has no signature that is the usual one"):
            live_graph(Scorer())

    def test_a_wrong_name(self, module: Any) -> None:
        with pytest.raises(UsageError, match="has no such signature") as failure:
            live_graph(module, "nothing")
        assert failure.value.hint == "signatures: none; or give one of its functions"

    def test_a_loaded_one(self, module: Any, tensorflow: ModuleType, tmp_path: Path) -> None:
        tf = tensorflow
        signatures = {"serving_default": module.__call__, "o": module.others}
        tf.saved_model.save(module, str(tmp_path), signatures=signatures)
        loaded = tf.saved_model.load(str(tmp_path))
        assert is_live_function(loaded)
        assert live_signatures(loaded) == ["o", "serving_default"]
        model = live_graph(loaded)
        assert model.signature.outputs == ["found", "y"]
        assert sorted(values(model).values()) == [[[1.0], [2.0]]]
        assert live_graph(loaded, "o").signature.outputs == ["output_0", "output_1"]


class TestRefusals:
    def test_nothing_tells_what_it_takes(self, module: Any) -> None:
        with pytest.raises(UsageError, match="nothing tells what the function takes") as failure:
            live_graph(module.free)
        assert "get_concrete_function" in str(failure.value.hint)

    def test_a_signature_of_a_function(self, module: Any) -> None:
        with pytest.raises(UsageError, match="no signatures to choose from"):
            live_graph(module.others, "serving_default")

    def test_it_gives_nothing(self, tensorflow: ModuleType) -> None:
        nothing = tensorflow.function(lambda: None, input_signature=[])
        with pytest.raises(UnsupportedError, match="gives no tensors"):
            live_graph(nothing)

    def test_a_resource_of_another_kind(self, tensorflow: ModuleType) -> None:
        tf = tensorflow
        iterator = iter(tf.data.Dataset.range(3))
        function = tf.function(lambda: next(iterator), input_signature=[])
        with pytest.raises(UnsupportedError, match="neither a variable nor a table"):
            live_graph(function)

    def test_a_value_that_is_gone(
        self, tensorflow: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tf = tensorflow
        v = tf.Variable([1.0], name="v")
        model = live_graph(tf.function(lambda: v + 0.0, input_signature=[]))

        def gone(variable: Any) -> None:
            raise tf.errors.NotFoundError(None, None, "deleted")

        monkeypatch.setattr(type(v), "numpy", gone)
        with pytest.raises(ConversionError, match="does not give a value"):
            values(model)


def test_other_objects(tensorflow: ModuleType) -> None:
    tf = tensorflow
    for value in (3, "x", Path(), tf.constant(1.0), tf.Variable(1.0), tf.Module(), tf, len):
        assert not is_live_function(value)
