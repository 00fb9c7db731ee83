"""SavedModels that TensorFlow writes: signatures, their order and names, tags, versions, text."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.saved_models import edit, edit_file, save_v1
from tfjs.errors import CorruptFileError, FormatError, UnsupportedError, UsageError
from tfjs.formats.base import ReadOptions
from tfjs.formats.registry import detect, named
from tfjs.formats.saved_model.read import read, signatures, sniff
from tfjs.ir.graph import FuncRef, GraphModel

ANY = ReadOptions()


def asking(signature: str) -> ReadOptions:
    return ReadOptions(signature=signature)


def inputs_of(model: GraphModel) -> list[tuple[str, str, str | None, object]]:
    pairs = zip(model.signature.inputs, model.graph.inputs, strict=True)
    return [(key, node.name, node.output.dtype, node.output.shape) for key, node in pairs]


@pytest.fixture(scope="module")
def module(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two signatures; arguments and results whose order is not that of their names."""
    tf = tensorflow

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.v = tf.Variable([1.0, 2.0, 3.0], name="alpha")

        @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([], tf.int32)])
        def ordered(self, zeta: Any, alpha: Any) -> Any:
            return [zeta * self.v + float(i) for i in range(11)]

        @tf.function(input_signature=[tf.TensorSpec([2])])
        def keyed(self, x: Any) -> Any:
            return {"b": x, "a": x + 1.0}

    built = Module()
    folder = tmp_path_factory.mktemp("module") / "saved"
    tf.saved_model.save(built, str(folder), signatures={"z": built.ordered, "k": built.keyed})
    return folder


class TestASignatureOfTf2:
    def test_inputs_have_the_order_and_names_of_the_function(self, module: Path) -> None:
        model = read(module, asking("z"))
        assert inputs_of(model) == [
            ("zeta", "zeta", "float32", (None, 3)),
            ("alpha", "alpha", "int32", ()),
        ]
        assert model.signature.outputs == [f"output_{i}" for i in range(11)]

    def test_outputs_are_those_of_the_wrapper(self, module: Path) -> None:
        model = read(module, asking("z"))
        call = model.graph.outputs[0].node
        # The wrapper sorts output_10 before output_2; it is the function's order that counts.
        assert [value.index for value in model.graph.outputs] == [0, 1, *range(3, 11), 2]
        assert call.op == "StatefulPartitionedCall"
        reference = call.attrs["f"]
        assert isinstance(reference, FuncRef)
        assert [node.name for node in model.functions[reference.name].inputs][:2] == [
            "alpha",
            "zeta",
        ]

    def test_keys_of_a_dict_are_sorted(self, module: Path) -> None:
        model = read(module, asking("k"))
        assert model.signature.outputs == ["a", "b"]

    def test_a_variable_gives_its_name_to_an_input(self, module: Path) -> None:
        model = read(module, asking("z"))
        assert model.graph.nodes["alpha"] is model.graph.inputs[1]
        assert model.graph.nodes["alpha/variable"].op == "VarHandleOp"
        np.testing.assert_array_equal(model.variables["alpha/variable"].array(), [1, 2, 3])

    def test_only_what_is_needed_is_built(self, module: Path) -> None:
        model = read(module, asking("k"))
        assert sorted(model.graph.nodes) == ["PartitionedCall", "x"]
        assert len(model.functions) == 2
        assert model.variables == {}

    def test_who_wrote_it(self, module: Path, tensorflow: ModuleType) -> None:
        assert read(module, asking("k")).producer == f"tensorflow {tensorflow.__version__}"

    def test_the_same_over_readings(self, module: Path) -> None:
        first, second = (read(module, asking("z")) for _ in range(2))
        assert list(first.graph.nodes) == list(second.graph.nodes)
        assert list(first.variables) == list(second.variables)


class TestTheChoiceOfASignature:
    def test_there_are_several_and_none_is_usual(self, module: Path) -> None:
        with pytest.raises(UsageError, match="2 signatures, of which none is called") as failure:
            read(module, ANY)
        assert failure.value.hint == "signatures: k, z"

    def test_a_wrong_one(self, module: Path) -> None:
        with pytest.raises(UsageError, match="has no signature 'y'") as failure:
            read(module, asking("y"))
        assert failure.value.hint == "signatures: k, z"

    def test_the_internal_ones_cannot_be_chosen(self, module: Path) -> None:
        assert signatures(module, ANY) == ["k", "z"]
        with pytest.raises(UsageError):
            read(module, asking("__saved_model_init_op"))

    def test_the_only_one(self, module: Path, tmp_path: Path) -> None:
        shutil.copytree(module, folder := tmp_path / "m")
        edit(folder, lambda graph: graph.signature_def.pop("z"))
        assert read(folder, ANY).signature.inputs == ["x"]

    def test_the_usual_one(self, module: Path, tmp_path: Path) -> None:
        def change(graph: Any) -> None:
            graph.signature_def["serving_default"].CopyFrom(graph.signature_def["z"])

        shutil.copytree(module, folder := tmp_path / "m")
        edit(folder, change)
        assert read(folder, ANY).signature.inputs == ["zeta", "alpha"]

    def test_none_at_all(self, module: Path, tmp_path: Path) -> None:
        shutil.copytree(module, folder := tmp_path / "m")
        edit(folder, lambda graph: graph.ClearField("signature_def"))
        with pytest.raises(UnsupportedError, match="has no signature") as failure:
            read(folder, ANY)
        assert "tf.saved_model.save" in str(failure.value.hint)


def test_values_that_are_no_tensors(tensorflow: ModuleType, tmp_path: Path) -> None:
    def build(v1: Any) -> Any:
        sparse = v1.sparse_placeholder(v1.float32, [None, 3], name="s")
        return {"s": sparse, "x": v1.placeholder(v1.float32, [])}, {"y": sparse.values}

    with pytest.raises(UnsupportedError) as failure:
        read(save_v1(tensorflow, tmp_path / "m", build), ANY)
    assert failure.value.problems == ("input 's': is a sparse tensor",)


class TestASignatureOfTf1:
    def test_unused_inputs_stay_and_keys_are_sorted(
        self, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        def build(v1: Any) -> Any:
            x = v1.placeholder(v1.float32, [None], name="px")
            unused = v1.placeholder(v1.string, [], name="pa")
            return {"x": x, "a": unused}, {"z": x + 1.0, "y": x}

        model = read(save_v1(tensorflow, tmp_path / "m", build), ANY)
        assert inputs_of(model) == [("a", "pa", "string", ()), ("x", "px", "float32", (None,))]
        assert [value.name for value in model.graph.outputs] == ["px", "add"]
        assert model.signature.outputs == ["y", "z"]

    def test_an_input_in_the_middle(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        def build(v1: Any) -> Any:
            raw = v1.placeholder(v1.string, [None], name="raw")
            lengths = v1.strings.length(raw, name="lengths")
            one, two = v1.split(v1.reshape(lengths, [2, -1]), 2, name="halves")
            return {"two": two, "lengths": lengths}, {"y": one + two * 2}

        model = read(save_v1(tensorflow, tmp_path / "m", build), ANY)
        assert inputs_of(model) == [
            ("lengths", "lengths", "int32", (None,)),
            ("two", "halves_1", "int32", (1, None)),
        ]
        assert all(node.op == "Placeholder" for node in model.graph.inputs)
        assert "raw" not in model.graph.nodes
        assert model.notes == []

    def test_defaults_are_taken_and_what_is_not_fed_is_told(
        self, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        def build(v1: Any) -> Any:
            x = v1.placeholder(v1.float32, [None], name="x")
            fed = v1.placeholder_with_default(v1.constant([1.0, 2.0]), [2], name="fed")
            rate = v1.placeholder_with_default(0.5, [], name="rate")
            training = v1.placeholder(v1.bool, [], name="training")
            y = v1.cond(training, lambda: x * rate, lambda: x)
            return {"x": x, "f": fed}, {"y": y + fed}

        model = read(save_v1(tensorflow, tmp_path / "m", build), ANY)
        assert [entry[:2] for entry in inputs_of(model)] == [
            *(("f", "fed"), ("x", "x"), ("training", "training"))
        ]
        assert model.graph.nodes["fed"].op == "Placeholder"
        assert "rate" not in model.graph.nodes
        assert model.notes == [
            "the placeholder 'training' is no input of the signature, but needed"
        ]

    def test_two_keys_of_one_tensor(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        def build(v1: Any) -> Any:
            x = v1.placeholder(v1.float32, [None], name="x")
            return {"a": x, "b": x}, {"y": x + 1.0, "z": x + 1.0}

        model = read(save_v1(tensorflow, tmp_path / "m", build), ANY)
        assert model.signature.inputs == ["a"]
        assert model.notes == ["the input 'b' is the tensor of another, and is left out"]


@pytest.fixture(scope="module")
def tagged(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metagraph without tags, and one with two."""

    def build(v1: Any) -> Any:
        x = v1.placeholder(v1.float32, [None], name="x")
        return {"x": x}, {"y": x + 1.0}

    def double(message: Any) -> None:
        other = message.meta_graphs.add()
        other.CopyFrom(message.meta_graphs[0])
        other.meta_info_def.tags[:] = ["train", "gpu"]
        other.signature_def["train"].CopyFrom(other.signature_def.pop("serving_default"))

    folder = tmp_path_factory.mktemp("tags") / "m"
    return edit_file(save_v1(tensorflow, folder, build, tags=()), double)


class TestTags:
    def test_the_usual_are_not_there(self, tagged: Path) -> None:
        with pytest.raises(UsageError, match="no metagraph with the tags serve") as failure:
            read(tagged, ANY)
        assert failure.value.hint == "tags: (none) | gpu, train"

    def test_none_are_asked_for(self, tagged: Path) -> None:
        assert signatures(tagged, ReadOptions(tags=())) == ["serving_default"]

    def test_in_any_order(self, tagged: Path) -> None:
        for tags in (("gpu", "train"), ("train", "gpu")):
            assert signatures(tagged, ReadOptions(tags=tags)) == ["train"]

    def test_a_part_is_not_enough(self, tagged: Path) -> None:
        with pytest.raises(UsageError, match="tags train"):
            read(tagged, ReadOptions(tags=("train",)))

    def test_the_only_metagraph_needs_no_tags(self, module: Path, tmp_path: Path) -> None:
        shutil.copytree(module, folder := tmp_path / "m")
        edit(folder, lambda graph: graph.meta_info_def.ClearField("tags"))
        assert signatures(folder, ANY) == ["k", "z"]


class TestTheText:
    def test_it_says_the_same(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        def build(v1: Any) -> Any:
            x = v1.placeholder(v1.float32, [None, 2], name="x")
            w = v1.get_variable("w", initializer=[[0.5], [np.nan]])
            return {"x": x}, {"y": v1.matmul(x, w, name="y")}

        for name, as_text in (("binary", False), ("text", True)):
            save_v1(tensorflow, tmp_path / name, build, as_text=as_text)
        assert (tmp_path / "text" / "saved_model.pbtxt").is_file()
        binary, text = (read(tmp_path / name, ANY) for name in ("binary", "text"))
        assert list(binary.graph.nodes) == list(text.graph.nodes)
        np.testing.assert_array_equal(binary.variables["w"].array(), text.variables["w"].array())

    def test_it_is_damaged(self, tmp_path: Path) -> None:
        (tmp_path / "saved_model.pbtxt").write_text("meta_graphs { graph_def { nodes { } }")
        with pytest.raises(CorruptFileError, match="is no SavedModel message"):
            read(tmp_path, ANY)


class TestWhereItIs:
    @pytest.mark.parametrize("name", ["saved_model.pb", "."])
    def test_the_file_or_its_folder(self, name: str, module: Path) -> None:
        assert detect(module / name).name == "saved-model"
        assert signatures(module / name, ANY) == ["k", "z"]

    def test_the_newest_version(self, module: Path, tmp_path: Path) -> None:
        for name in ("9", "1542211770", "20", "x3"):
            shutil.copytree(module, tmp_path / name)
        (tmp_path / "99999999999").mkdir()
        assert detect(tmp_path).name == "saved-model"
        assert read(tmp_path, asking("k")).notes == [
            "the model is the version in the folder 1542211770, the newest of 3"
        ]

    def test_a_folder_without(self, tmp_path: Path) -> None:
        (tmp_path / "1").mkdir()
        assert not sniff(tmp_path)
        assert not sniff(tmp_path / "nothing")
        with pytest.raises(FormatError, match="holds no SavedModel"):
            read(tmp_path, ANY)

    def test_one_of_keras_only_when_asked_for(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        x = tf_keras.Input((3,), name="x")
        tf_keras.Model(x, tf_keras.layers.Dense(2)(x)).save(tmp_path / "m", save_format="tf")
        assert detect(tmp_path / "m").name == "keras-saved-model"
        model = named("saved-model").read(tmp_path / "m", ANY)
        assert isinstance(model, GraphModel)
        assert inputs_of(model) == [("x", "x", "float32", (None, 3))]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda graph: graph.graph_def.ClearField("library"), CorruptFileError, "no function"),
        (lambda graph: graph.graph_def.ClearField("node"), CorruptFileError, "refers to a node"),
        (
            lambda graph: graph.signature_def["k"].inputs["x"].ClearField("name"),
            CorruptFileError,
            "the input 'x' names no tensor",
        ),
        (
            lambda graph: setattr(graph.signature_def["k"].inputs["x"], "name", "alpha:7"),
            CorruptFileError,
            "names 'alpha:7', which is not there",
        ),
        (
            lambda graph: graph.signature_def["k"].ClearField("outputs"),
            UnsupportedError,
            "has no outputs",
        ),
    ],
)
def test_damage(
    change: Any, error: type[Exception], text: str, module: Path, tmp_path: Path
) -> None:
    shutil.copytree(module, folder := tmp_path / "m")
    edit(folder, change)
    with pytest.raises(error, match=text):
        read(folder, asking("k"))


def test_a_later_version_of_the_format(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x02\x12\x00")
    with pytest.raises(FormatError, match="version 2 of the format"):
        read(tmp_path, ANY)


def test_no_metagraph(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(CorruptFileError, match="has no metagraph"):
        read(tmp_path, ANY)
