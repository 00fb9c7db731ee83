"""Variables of SavedModels, bit for bit: how they are found, in which dtypes, in which pieces."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.saved_models import edit, save_v1
from tfjs.errors import CorruptFileError, FormatError
from tfjs.formats.base import ReadOptions
from tfjs.formats.checkpoint import CheckedTensor, variable_of
from tfjs.formats.restored import run
from tfjs.formats.saved_model.read import read
from tfjs.ir.graph import GraphModel, constant_of
from tfjs.ir.tensor import ITEM_SIZES, Tensor
from tfjs.wire.bundle import read_bundle

ANY = ReadOptions()
NUMBERS = sorted(set(ITEM_SIZES) - {"uint64"})


def bits(array: Any) -> bytes:
    return bytes(np.ascontiguousarray(array).tobytes())


def streamed(tensor: Tensor) -> Any:
    return np.concatenate([np.array(block) for block in tensor.blocks(64)]).reshape(tensor.shape)


@pytest.fixture(scope="module")
def typed(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A module with a variable of each dtype, all of which its signature gives back."""
    tf = tensorflow
    rng = np.random.default_rng(0)

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            for dtype in NUMBERS:
                drawn = rng.integers(0, 100, (5, 7)) + rng.normal(size=(5, 7)) * 0.25
                setattr(self, dtype, tf.Variable(tf.cast(drawn, dtype), name=dtype))
            self.string = tf.Variable([[b"", b"\xff\0"], ["é".encode(), b"x" * 300]], name="string")
            self.empty = tf.Variable(np.zeros((0, 3), np.float32), name="empty")
            self.scalar = tf.Variable(3.5, name="scalar")

        @tf.function(input_signature=[])
        def values(self) -> Any:
            names = [*NUMBERS, "string", "empty", "scalar"]
            return {name: tf.identity(getattr(self, name)) for name in names}

    module = Module()
    folder = tmp_path_factory.mktemp("typed") / "m"
    tf.saved_model.save(module, str(folder), signatures=module.values)
    return module, folder


class TestDtypes:
    @pytest.mark.parametrize("dtype", [*NUMBERS, "string", "empty", "scalar"])
    def test_bit_for_bit(self, dtype: str, typed: tuple[Any, Path]) -> None:
        module, folder = typed
        tensor = read(folder, ANY).variables[dtype]
        expected = getattr(module, dtype).numpy()
        if dtype == "bfloat16":
            assert tensor.dtype == "bfloat16"
            expected = expected.astype(np.float32)
        elif dtype in ITEM_SIZES:
            assert tensor.dtype == dtype
        assert tensor.shape == expected.shape
        if dtype == "string":
            np.testing.assert_array_equal(tensor.array(), expected)
        else:
            assert bits(tensor.array()) == bits(expected)
            if tensor.size:
                assert bits(streamed(tensor)) == bits(expected)

    def test_they_stay_in_their_file(self, typed: tuple[Any, Path]) -> None:
        assert isinstance(read(typed[1], ANY).variables["float32"], CheckedTensor)


class TestHowTheyAreFound:
    """By what the model restores, else by names."""

    @pytest.fixture
    def two(self, tensorflow: ModuleType, tmp_path: Path) -> Path:
        """Two variables of one name, which TensorFlow tells apart by what it restores."""
        tf = tensorflow

        class Module(tf.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                self.one, self.two = tf.Variable([1.0], name="v"), tf.Variable([2.0], name="v")
                self.alone = tf.Variable([3.0], name="alone")

            @tf.function(input_signature=[])
            def values(self) -> Any:
                return [self.one * 1.0, self.two * 2.0, self.alone * 3.0]

        module = Module()
        tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.values)
        return tmp_path / "m"

    def test_two_of_one_name(self, two: Path) -> None:
        model = read(two, ANY)
        found = {}
        for node, source_of in run(model.graph, model.functions, ""):
            factor = constant_of(node.inputs[1]) if node.op == "Mul" else None
            if factor is not None:
                value = model.variables[source_of(node.inputs[0]).name].array()
                found[float(factor.array())] = value.tolist()
        assert found == {1.0: [1.0], 2.0: [2.0], 3.0: [3.0]}
        assert sorted(model.variables) == ["alone", "v", "v_1"]

    def test_without_what_restores_them_the_objects_tell_the_unambiguous(self, two: Path) -> None:
        edit(two, lambda graph: graph.ClearField("saver_def"))
        found = {name: tensor.array().tolist() for name, tensor in read(two, ANY).variables.items()}
        assert found["alone"] == [3.0]
        # Both have the full name `v`: a guess could be wrong.
        assert "v" not in found

    def test_tf1_without_a_saver(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        def build(v1: Any) -> Any:
            w = v1.get_variable("scope/w", initializer=[1.5, 2.5], use_resource=False)
            r = v1.get_variable("scope/r", initializer=[4.5], use_resource=True)
            return {}, {"w": w + 0.0, "r": r + 0.0}

        folder = save_v1(tensorflow, tmp_path / "m", build)
        for _ in range(2):
            model = read(folder, ANY)
            assert model.graph.nodes["scope/w"].op == "VariableV2"
            assert model.graph.nodes["scope/r"].op == "VarHandleOp"
            assert model.variables["scope/w"].array().tolist() == [1.5, 2.5]
            assert model.variables["scope/r"].array().tolist() == [4.5]
            edit(folder, lambda graph: graph.ClearField("saver_def"))

    def test_two_handles_of_one_variable(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        raw = tensorflow.raw_ops

        def build(v1: Any) -> Any:
            v = v1.get_variable("v", initializer=[7.0], use_resource=True)
            handle = raw.VarHandleOp(dtype="float32", shape=[1], shared_name="v", name="again")
            return {}, {"y": raw.ReadVariableOp(resource=handle, dtype="float32") + v}

        model = read(save_v1(tensorflow, tmp_path / "m", build), ANY)
        assert {name: t.array().tolist() for name, t in model.variables.items()} == {
            "again": [7.0],
            "v": [7.0],
        }

    def test_one_that_was_not_saved(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        def build(v1: Any) -> Any:
            kept = v1.get_variable("kept", initializer=[1.0])
            local = v1.get_local_variable("local", initializer=[2.0])
            return {}, {"y": kept + local}

        def local(v1: Any, session: Any) -> None:
            session.run(v1.local_variables_initializer())

        model = read(save_v1(tensorflow, tmp_path / "m", build, prepare=local), ANY)
        assert "local" in model.graph.nodes
        assert list(model.variables) == ["kept"]

    def test_one_that_the_initialiser_sets(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        def build(v1: Any) -> Any:
            kept = v1.get_variable("kept", initializer=[1.0])
            local = v1.get_local_variable("local", initializer=[2.0])
            return {}, {"y": kept + local}

        def local(v1: Any, session: Any) -> Any:
            return v1.local_variables_initializer()

        model = read(save_v1(tensorflow, tmp_path / "m", build, prepare=local), ANY)
        assert model.variables["local"].array().tolist() == [2.0]
        assert model.initializer is None


class TestPieces:
    """A variable in parts on several shards, saved as one."""

    @pytest.fixture
    def parts(self, tensorflow: ModuleType, tmp_path: Path) -> tuple[Path, Any]:
        whole: dict[str, Any] = {}

        def build(v1: Any) -> Any:
            options = {"shape": [10, 4], "initializer": v1.random_normal_initializer(seed=1)}
            parts = v1.fixed_size_partitioner(3, axis=1)
            columns = v1.get_variable("columns", partitioner=parts, **options)
            with v1.device("/cpu:1"):
                parts = v1.fixed_size_partitioner(2)
                rows = v1.get_variable("rows", partitioner=parts, **options)
            return {}, {"c": v1.identity(columns, "c"), "r": v1.identity(rows, "r")}

        def keep(v1: Any, session: Any) -> None:
            whole["columns"], whole["rows"] = session.run(["c:0", "r:0"])

        def saver(v1: Any) -> Any:
            return v1.train.Saver(sharded=True)

        folder = save_v1(
            *(tensorflow, tmp_path / "m", build),
            devices=2,
            saver=saver,
            prepare=keep,
            clear_devices=True,
        )
        return folder, whole

    @staticmethod
    def check(model: GraphModel, whole: Any) -> None:
        found = model.variables
        assert sorted(found) == [
            *(f"columns/part_{i}" for i in range(3)),
            *(f"rows/part_{i}" for i in range(2)),
        ]
        columns = [found[f"columns/part_{i}"].array() for i in range(3)]
        rows = [found[f"rows/part_{i}"].array() for i in range(2)]
        assert [part.shape for part in columns] == [(10, 2), (10, 1), (10, 1)]
        assert bits(np.concatenate(columns, axis=1)) == bits(whole["columns"])
        assert bits(np.concatenate(rows, axis=0)) == bits(whole["rows"])

    def test_each_part_gets_its_own(self, parts: tuple[Path, Any]) -> None:
        folder, whole = parts
        shards = sorted(path.name for path in (folder / "variables").glob("*.data-*"))
        assert len(shards) == 2
        self.check(read(folder, ANY), whole)

    def test_without_a_saver(self, parts: tuple[Path, Any]) -> None:
        folder, whole = parts
        edit(folder, lambda graph: graph.ClearField("saver_def"))
        self.check(read(folder, ANY), whole)

    def test_other_slices_than_were_saved(self, parts: tuple[Path, Any]) -> None:
        folder, whole = parts
        bundle = read_bundle(folder / "variables" / "variables")
        for key in ("columns", "rows"):
            part = variable_of(bundle, key, "10 4 3,5:-")
            assert bits(part.array()) == bits(whole[key][3:8])
            part = variable_of(bundle, key, "10 4 0,9:1,2")
            assert bits(part.array()) == bits(whole[key][:9, 1:3])
            assert bits(variable_of(bundle, key).array()) == bits(whole[key])

    @pytest.mark.parametrize(
        "spec", ["10 4 0,5", "10 5 0,5:-", "10 4 6,5:-", "10 4 a:b", "x", "10 4 -1,5:-", "10 4 "]
    )
    def test_slices_that_make_no_sense(self, spec: str, parts: tuple[Path, Any]) -> None:
        bundle = read_bundle(parts[0] / "variables" / "variables")
        with pytest.raises(CorruptFileError, match="a part"):
            variable_of(bundle, "rows", spec)


class TestDamage:
    @pytest.fixture
    def saved(self, tensorflow: ModuleType, tmp_path: Path) -> Path:
        def build(v1: Any) -> Any:
            w = v1.get_variable("w", initializer=np.arange(1000, dtype=np.float32))
            return {}, {"y": w + 0.0}

        return save_v1(tensorflow, tmp_path / "m", build)

    def test_a_flipped_bit_is_met_when_it_is_read(self, saved: Path) -> None:
        (data,) = (saved / "variables").glob("*.data-*")
        content = bytearray(data.read_bytes())
        content[2000] ^= 1
        data.write_bytes(content)
        for take in (lambda tensor: tensor.array(), streamed):
            tensor = read(saved, ANY).variables["w"]
            with pytest.raises(CorruptFileError, match="checksum of the tensor 'w'") as failure:
                take(tensor)
            assert failure.value.where == str(data)

    def test_a_checksum_is_compared_once(self, saved: Path) -> None:
        tensor = read(saved, ANY).variables["w"]
        first = tensor.array()
        (data,) = (saved / "variables").glob("*.data-*")
        content = bytearray(data.read_bytes())
        content[2000] ^= 1
        data.write_bytes(content)
        assert tensor.array().shape == first.shape

    def test_no_checkpoint(self, saved: Path) -> None:
        for file in (saved / "variables").iterdir():
            file.unlink()
        with pytest.raises(FormatError, match="cannot be read") as failure:
            read(saved, ANY)
        assert str(failure.value.where).endswith("variables.index")

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (lambda attr: attr["shape"].shape.dim[0].__setattr__("size", 7), "is .7,., the check"),
            (lambda attr: attr["dtype"].__setattr__("type", 3), "is int32, the checkpoint has"),
        ],
    )
    def test_another_kind_than_the_graph_tells(self, change: Any, text: str, saved: Path) -> None:
        def in_graph(graph: Any) -> None:
            change(next(node for node in graph.graph_def.node if node.name == "w").attr)

        edit(saved, in_graph)
        with pytest.raises(CorruptFileError, match=text):
            read(saved, ANY)

    def test_functions_that_call_each_other_without_end(
        self, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        tf = tensorflow
        module = tf.Module()
        module.v = tf.Variable([1.0])
        module.f = tf.function(lambda: module.v + 0.0, input_signature=[])
        tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.f)

        def nest(graph: Any) -> None:
            restore = next(
                node
                for node in graph.graph_def.node
                if node.name == graph.saver_def.restore_op_name
            )
            library = graph.graph_def.library.function
            names = [f"level{i}" for i in range(40)]
            for name, below in itertools.pairwise(names):
                function = library.add()
                function.signature.name = name
                for call in ("left", "right"):
                    node = function.node_def.add(name=call, op="PartitionedCall")
                    node.attr["f"].func.name = below
                    node.attr["Tin"].list.SetInParent()
                    node.attr["Tout"].list.SetInParent()
                    function.control_ret[call] = call
            library.add().signature.name = names[-1]
            call = graph.graph_def.node.add(name="deep", op="PartitionedCall")
            call.attr["f"].func.name = names[0]
            call.attr["Tin"].list.SetInParent()
            call.attr["Tout"].list.SetInParent()
            restore.input.append("^deep")

        edit(tmp_path / "m", nest)
        with pytest.raises(CorruptFileError, match="more than 150,000 nodes"):
            read(tmp_path / "m", ANY)
