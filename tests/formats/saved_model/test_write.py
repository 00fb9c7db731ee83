"""SavedModels that we write, loaded by TensorFlow's own loaders and read back by ours."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest

import tfjs
from tests.support.graph_roundtrip import Converted, floats
from tests.support.tensorflow_files import Building, run_signature, saved
from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.saved_model.read import read, signatures
from tfjs.formats.saved_model.write import write, write_signatures
from tfjs.ir.graph import Dims, GraphModel
from tfjs.ir.tensor import ArrayTensor
from tfjs.passes.to_tensorflow import to_tensorflow
from tfjs.wire.bundle import read_bundle
from tfjs.wire.protobuf import parse

ANY = ReadOptions()


def with_variable(array: Any, dtype: str, name: str = "v", factor: float = 1.0) -> GraphModel:
    """A model that gives a variable, and an input times a number."""
    building = Building()
    x = building.input("x", (None, 2))
    shape = np.shape(array)
    attrs = {"dtype": dtype, "shape": Dims(shape)}
    handle = building.node("VarHandleOp", name=name, dtypes=["resource"], **attrs)
    value = building.node("ReadVariableOp", handle.output, name="read", dtypes=[dtype], dtype=dtype)
    two = building.constant(np.float32(factor), "factor")
    product = building.node("Mul", x, two, name="product", dtypes=["float32"], T="float32")
    model = building.model(value.output, product.output)
    model.signature.outputs = ["value", "product"]
    model.variables = {name: ArrayTensor(array)}
    return model


def meta_graph(folder: Path) -> Any:
    data = (folder / "saved_model.pb").read_bytes()
    return parse("tensorflow.SavedModel", data, None).meta_graphs[0]


class TestVariables:
    @pytest.mark.parametrize(
        ("dtype", "array"),
        [
            ("float32", floats(3, 2)),
            ("float64", np.array([1e300, -2.0])),
            ("float16", np.array([0.5], np.float16)),
            ("int64", np.array(1 << 40)),
            ("bool", np.array([True, False])),
            ("complex64", np.array([1 + 2j], np.complex64)),
            ("string", np.array([b"a", "é".encode()], object)),
            ("float32", np.zeros((0, 3), np.float32)),
        ],
    )
    def test_every_dtype(
        self, dtype: str, array: Any, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        saved(with_variable(array, dtype), tmp_path / "m")
        answers = run_signature(tensorflow, tmp_path / "m", {"x": [[1.0, 2.0]]})
        assert answers["value"].dtype == array.dtype
        assert answers["value"].tolist() == array.tolist()
        again = read(tmp_path / "m", ANY).variables["v"]
        assert again.dtype == dtype
        assert again.array().tolist() == array.tolist()

    def test_bfloat16(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        # Our tensors hold its numbers as float32.
        model = with_variable(np.array([1.5, -2.0], np.float32), "bfloat16")
        cast = {"SrcT": "bfloat16", "DstT": "float32"}
        node = model.graph.add(
            "Cast", [model.graph.outputs[0]], cast, [model.graph.outputs[1].type], name="cast"
        )
        model.graph.outputs[0] = node.output
        saved(model, tmp_path / "m")
        assert read_bundle(tmp_path / "m/variables/variables").entry("v").dtype_name == "bfloat16"
        answers = run_signature(tensorflow, tmp_path / "m", {"x": [[1.0, 2.0]]})
        assert answers["value"].tolist() == [1.5, -2.0]

    def test_tensorflow_knows_them(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        saved(with_variable(floats(3, 2), "float32", "layer/kernel"), tmp_path / "m")
        (variable,) = tensorflow.saved_model.load(str(tmp_path / "m")).variables
        assert (variable.name, variable.trainable) == ("layer/kernel:0", True)
        np.testing.assert_array_equal(variable.numpy(), floats(3, 2))
        reader = tensorflow.train.load_checkpoint(str(tmp_path / "m/variables/variables"))
        assert reader.get_variable_to_shape_map() == {"layer/kernel": [3, 2]}

    def test_one_without_a_value(self, tmp_path: Path) -> None:
        model = with_variable(floats(3, 2), "float32")
        model.variables = {}
        with pytest.raises(UnsupportedError) as caught:
            saved(model, tmp_path / "m")
        assert caught.value.problems == ("v: has no value in the source",)
        assert not (tmp_path / "m").exists()

    def test_two_models_in_one_process(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        loaded = []
        for number in (1.0, 2.0):
            folder = tmp_path / str(number)
            saved(with_variable(np.array([number], np.float32), "float32"), folder)
            loaded.append(tensorflow.saved_model.load(str(folder)).signatures["serving_default"])
        x = tensorflow.constant([[1.0, 2.0]])
        assert [function(x=x)["value"].numpy().tolist() for function in loaded] == [[1.0], [2.0]]


class TestTheGraphOfTf1:
    """What tools that know no objects of TF2 do with it: TF Serving among them."""

    def _session(self, tf: ModuleType, folder: Path, run: Callable[[Any, Any, Any], None]) -> None:
        v1 = tf.compat.v1
        with v1.Graph().as_default(), v1.Session() as session:
            run(v1, session, v1.saved_model.load(session, ["serve"], str(folder)))

    def test_a_session_runs_it(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        saved(with_variable(floats(3, 2), "float32"), tmp_path / "m")

        def run(v1: Any, session: Any, meta: Any) -> None:
            signature = meta.signature_def["serving_default"]
            assert signature.method_name == "tensorflow/serving/predict"
            found = session.run(signature.outputs["value"].name)
            np.testing.assert_array_equal(found, floats(3, 2))

        self._session(tensorflow, tmp_path / "m", run)

    def test_a_session_trains_and_saves_it(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        saved(with_variable(floats(3, 2), "float32"), tmp_path / "m")

        def run(v1: Any, session: Any, meta: Any) -> None:
            (variable,) = v1.trainable_variables()
            session.run(variable.assign_add(np.ones((3, 2), np.float32)))
            saver = v1.train.Saver(saver_def=meta.saver_def)
            saver.save(session, str(tmp_path / "ck"), write_meta_graph=False)
            session.run(variable.initializer)
            assert not session.run(variable).any()

        self._session(tensorflow, tmp_path / "m", run)
        found = tensorflow.train.load_checkpoint(str(tmp_path / "ck")).get_tensor("v")
        np.testing.assert_array_equal(found, floats(3, 2) + 1)


def test_shapes_keys_and_dtypes_of_a_signature(tmp_path: Path) -> None:
    building = Building()
    x = building.input("x", (None, 3, None))
    y = building.input("y", (), "int32")
    unknown = building.input("z", ())
    unknown.shape = None
    unknown.node.attrs["shape"] = Dims(None)
    model = building.model(building.node("Abs", x).output, y, unknown)
    model.signature.inputs = ["first/key", "second", "third:0"]
    model.signature.outputs = ["größe", "b", "c"]
    written = saved(model, tmp_path / "m")
    signature = meta_graph(tmp_path / "m").signature_def["serving_default"]
    told = {
        key: (info.name, info.dtype, [dim.size for dim in info.tensor_shape.dim])
        for key, info in [*signature.inputs.items(), *signature.outputs.items()]
    }
    assert told == {
        "first/key": ("x:0", 1, [-1, 3, -1]),
        "second": ("y:0", 3, []),
        "third:0": ("z:0", 1, []),
        "größe": ("Abs:0", 1, [-1, 3, -1]),
        "b": ("y:0", 3, []),
        "c": ("z:0", 1, []),
    }
    assert signature.inputs["third:0"].tensor_shape.unknown_rank
    assert [(port.name, port.dtype, port.shape) for port in written.inputs] == [
        ("first/key", "float32", (None, 3, None)),
        ("second", "int32", ()),
        ("third:0", "float32", None),
    ]
    again = read(tmp_path / "m", ANY)
    assert again.signature.inputs == ["first/key", "second", "third:0"]
    assert set(again.signature.outputs) == {"größe", "b", "c"}


def test_the_same_bytes_each_time_and_what_is_reported(tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    options = WriteOptions(progress=lambda done, total: progress.append((done, total)))
    for name in ("one", "two"):
        model = with_variable(floats(64, 32), "float32")
        to_tensorflow(model)
        written = write(model, tmp_path / name, options)
    for name, size in written.files:
        data = (tmp_path / "one" / name).read_bytes()
        assert len(data) == size
        assert data == (tmp_path / "two" / name).read_bytes()
    assert [name for name, _ in written.files] == [
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
    assert progress[-1] == (64 * 32 * 4, 64 * 32 * 4)


class TestTheFolder:
    def test_an_earlier_model_goes_and_other_files_stay(self, tmp_path: Path) -> None:
        folder = tmp_path / "m"
        saved(with_variable(floats(3), "float32"), folder)
        (folder / "assets").mkdir()
        (folder / "assets/old.txt").touch()
        (folder / "keras_metadata.pb").touch()
        (folder / "README.md").write_text("mine")
        building = Building()
        x = building.input("x", ())
        saved(building.model(building.node("Neg", x).output), folder)
        assert sorted(path.name for path in folder.iterdir()) == ["README.md", "saved_model.pb"]

    def test_the_folder_that_one_is_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "m"
        saved(with_variable(floats(3), "float32"), folder)
        (folder / "assets").mkdir()
        monkeypatch.chdir(folder)
        saved(with_variable(floats(4), "float32"), folder)
        assert read(folder, ANY).variables["v"].shape == (4,)
        assert sorted(path.name for path in folder.iterdir()) == ["saved_model.pb", "variables"]

    def test_a_file_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "m").touch()
        with pytest.raises(UsageError, match="is a file"):
            saved(with_variable(floats(3), "float32"), tmp_path / "m")

    def test_options_of_tfjs(self, tmp_path: Path) -> None:
        model = with_variable(floats(3), "float32")
        with pytest.raises(UsageError, match="--quantize cannot be used for SavedModels"):
            write(model, tmp_path / "m", WriteOptions(quantize={"float16": True}))


def test_keys_that_are_the_same(tmp_path: Path) -> None:
    model = with_variable(floats(3), "float32")
    model.signature.outputs = ["y", "y"]
    with pytest.raises(ConversionError, match="have one name"):
        saved(model, tmp_path / "m")


class TestSeveralSignatures:
    def test_none_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no graph"):
            write_signatures({}, tmp_path / "m", WriteOptions())

    def test_names_that_two_models_have(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        models = {
            "first": with_variable(floats(3), "float32", factor=2.0),
            "second": with_variable(floats(4), "float32", factor=3.0),
        }
        for model in models.values():
            to_tensorflow(model)
        write_signatures(models, tmp_path / "m", WriteOptions())
        assert signatures(tmp_path / "m", ANY) == ["first", "second"]
        fed = {"x": [[1.0, 2.0]]}
        for name, values, product in (
            ("first", floats(3), [[2, 4]]),
            ("second", floats(4), [[3, 6]]),
        ):
            answers = run_signature(tensorflow, tmp_path / "m", fed, name)
            assert answers["product"].tolist() == product
            np.testing.assert_array_equal(answers["value"], values)
            again = read(tmp_path / "m", ReadOptions(signature=name))
            assert [tensor.shape for tensor in again.variables.values()] == [values.shape]
        names = {node.name for node in meta_graph(tmp_path / "m").graph_def.node}
        assert {"x", "v", "second/x", "second/v"} < names

    def test_two_signatures_of_one_source(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        tf = tensorflow

        class Module(tf.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                self.v = tf.Variable(floats(2, 3), name="v")

            @tf.function(input_signature=[tf.TensorSpec([None, 2])])
            def times(self, x: Any) -> Any:
                return {"y": x @ self.v}

            @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
            def power(self, n: Any) -> Any:
                return {
                    "p": tf.while_loop(
                        lambda i, _: i < n, lambda i, v: (i + 1, v * self.v), (0, self.v)
                    )[1]
                }

        module = Module()
        source = tmp_path / "source"
        tf.saved_model.save(module, str(source), signatures={"a": module.times, "b": module.power})
        models = {name: read(source, ReadOptions(signature=name)) for name in ("a", "b")}
        for model in models.values():
            to_tensorflow(model)
        write_signatures(models, tmp_path / "m", WriteOptions())
        assert read_bundle(tmp_path / "m/variables/variables").keys() == ["v"]
        answers = run_signature(tf, tmp_path / "m", {"x": [[1.0, 2.0]]}, "a")
        np.testing.assert_allclose(answers["y"], [[1.0, 2.0]] @ floats(2, 3), rtol=1e-6)
        answers = run_signature(tf, tmp_path / "m", {"n": 2}, "b")
        np.testing.assert_allclose(answers["p"], floats(2, 3) ** 3, rtol=1e-5)


class TestTables:
    @pytest.fixture
    def source(self, tensorflow: ModuleType, tmp_path: Path) -> Path:
        """A SavedModel with tables that a file, constants and the checkpoint fill."""
        tf = tensorflow
        (tmp_path / "words.txt").write_text("ape\nbear\n")
        of_file = tf.lookup.TextFileInitializer(
            str(tmp_path / "words.txt"), tf.string, -2, tf.int64, -1
        )
        of_constants = tf.lookup.KeyValueTensorInitializer(["bear"], tf.constant([7], tf.int64))
        module = tf.Module()
        module.first = tf.lookup.StaticHashTable(of_file, -1)
        module.second = tf.lookup.StaticHashTable(of_constants, -2)
        module.third = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.5)
        module.third.insert(["cat"], [1.5])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def look_up(x: Any) -> Any:
            tables = {"a": module.first, "b": module.second, "c": module.third}
            return {key: table.lookup(x) for key, table in tables.items()}

        tf.saved_model.save(module, str(tmp_path / "source"), signatures=look_up)
        return tmp_path / "source"

    def _check(self, tf: ModuleType, folder: Path, whole: type) -> None:
        answers = run_signature(tf, folder, {"x": [b"bear", b"cat"]})
        assert {answers[key].dtype.type for key in "ab"} == {whole}
        assert answers["a"].tolist() == [1, -1]
        assert answers["b"].tolist() == [7, -2]
        assert answers["c"].tolist() == [0.5, 1.5]

    def test_a_table_that_a_file_fills(
        self, source: Path, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        tfjs.convert(source, tmp_path / "m", to="saved-model")
        (tmp_path / "words.txt").unlink()
        shutil.rmtree(source)
        shutil.move(tmp_path / "m", tmp_path / "moved")
        self._check(tensorflow, tmp_path / "moved", np.int64)
        assert (tmp_path / "moved/assets/words.txt").read_text() == "ape\nbear\n"

    def test_by_way_of_tfjs(self, source: Path, tensorflow: ModuleType, tmp_path: Path) -> None:
        tfjs.convert(source, tmp_path / "web", to="tfjs-graph")
        tfjs.convert(tmp_path / "web", tmp_path / "m", to="saved-model")
        self._check(tensorflow, tmp_path / "m", np.int64)
        assert not (tmp_path / "m/assets").exists()

    def test_tables_of_two_models_are_two(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        loaded = []
        for number in (1, 2):
            model = _table(number)
            saved(model, tmp_path / str(number))
            found = tensorflow.saved_model.load(str(tmp_path / str(number)))
            loaded.append(found.signatures["serving_default"])
        x = tensorflow.constant([b"a"])
        assert [int(function(x=x)["y"][0]) for function in loaded] == [1, 2]

    def test_tables_of_two_signatures(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        models = {"one": _table(1), "two": _table(2)}
        for model in models.values():
            to_tensorflow(model)
        write_signatures(models, tmp_path / "m", WriteOptions())
        for name, wanted in (("one", 1), ("two", 2)):
            answers = run_signature(tensorflow, tmp_path / "m", {"x": [b"a"]}, name)
            assert answers["y"].tolist() == [wanted]
            again = read(tmp_path / "m", ReadOptions(signature=name))
            assert again.initializer is not None
            assert len(again.initializer.targets) == 1


def _table(number: int) -> GraphModel:
    """A model as TF.js has it, whose table says `a` is the number."""
    building, start = Building(), Building()
    dtypes = {"key_dtype": "string", "value_dtype": "int32"}
    table = building.node("HashTableV2", name="table", dtypes=["resource"], **dtypes)
    x = building.input("x", (None,), "string")
    default = building.constant(np.int32(-1), "default")
    node = building.node("LookupTableFindV2", table.output, x, default, name="y", dtypes=["int32"])
    model = building.model(node.output)
    own = start.node("HashTableV2", name="table", dtypes=["resource"], **dtypes)
    keys = start.constant(np.array([b"a"], object), "keys")
    values = start.constant(np.array([number], np.int32), "default")
    fill = start.node("LookupTableImportV2", own.output, keys, values, name="fill", dtypes=())
    start.graph.targets = [fill]
    model.initializer = start.graph
    return model


class TestControlFlow:
    def _function(self, tf: ModuleType) -> Any:
        def function(x: Any) -> Any:
            def step(i: Any, value: Any, history: Any) -> Any:
                value = tf.cond(value > 100.0, lambda: value / 3.0, lambda: value * 2.0)
                return i + 1, value, history.write(i, value)

            history = tf.TensorArray(tf.float32, size=6, element_shape=[])
            _, _, history = tf.while_loop(
                lambda i, value, _: (i < 6) & (value < 1000.0), step, (0, x, history)
            )
            return history.stack()

        return function

    @pytest.mark.parametrize("form", ["v1", "v2"])
    def test_both_forms(
        self, form: Literal["v1", "v2"], tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        tf = tensorflow
        function = tf.function(self._function(tf), input_signature=[tf.TensorSpec([])])
        tfjs.convert(function, tmp_path / "web", control_flow=form)
        tfjs.convert(tmp_path / "web", tmp_path / "m", to="saved-model")
        names = {node.op for node in meta_graph(tmp_path / "m").graph_def.node}
        assert names & ({"Enter"} if form == "v1" else {"While", "StatelessWhile"})
        for x in (11.0, 150.0):
            fed = {tfjs_input(tmp_path / "m"): x}
            (found,) = run_signature(tf, tmp_path / "m", fed).values()
            np.testing.assert_allclose(found, self._function(tf)(tf.constant(x)), rtol=1e-6)


def tfjs_input(folder: Path) -> str:
    (key,) = read(folder, ANY).signature.inputs
    return key


def test_tflite_converts_it(tensorflow: ModuleType, tmp_path: Path) -> None:
    tf = tensorflow
    kernel, slope = floats(3, 3, 3, 16), floats(16, seed=1)

    def function(x: Any) -> Any:
        y = tf.nn.conv2d(x, tf.constant(np.tile(kernel, (1, 1, 1, 8))), 1, "SAME")
        y = tf.nn.relu(tf.nn.bias_add(y, np.tile(slope, 8)))
        return tf.reduce_mean(y, [1, 2])

    model = Converted(tf, function, [tf.TensorSpec([1, 8, 8, 3])]).model
    saved(model, tmp_path / "m")
    assert read_bundle(tmp_path / "m/variables/variables").keys()
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "m"))
    with pytest.warns(UserWarning, match="Interpreter"):
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
    runner = interpreter.get_signature_runner("serving_default")
    data = floats(1, 8, 8, 3, seed=2)
    (key,) = runner.get_input_details()
    (found,) = runner(**{key: data}).values()
    np.testing.assert_allclose(found, function(tf.constant(data)), rtol=1e-5, atol=1e-5)
