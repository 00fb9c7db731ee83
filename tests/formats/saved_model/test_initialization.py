"""Hash tables, the files that fill them, and what else runs before the first use."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.saved_models import edit, save_v1
from tfjs.errors import CorruptFileError, UnsafeFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.restored import run
from tfjs.formats.saved_model.read import read
from tfjs.ir.graph import Graph, GraphModel, Node, constant_of

ANY = ReadOptions()
WORDS = ["a", "b", "ü"]


def filled(model: GraphModel) -> dict[str, Node]:
    """The nodes of the initialiser that fill tables, by the node that makes the table."""
    assert model.initializer is not None
    found = {}
    for node, source_of in run(model.initializer, model.functions, ""):
        if node.op in ("LookupTableImportV2", "InitializeTableFromTextFileV2"):
            found[source_of(node.inputs[0]).name] = node
    return found


def texts(graph: Graph, name: str) -> list[bytes]:
    tensor = constant_of(graph.nodes[name].output)
    assert tensor is not None
    return list(tensor.array().reshape(-1))


@pytest.fixture(scope="module")
def tables(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table from a file, one from constants, one that nobody asks, one that is mutable."""
    tf = tensorflow
    root = tmp_path_factory.mktemp("tables")
    vocabulary = root / "words.txt"
    vocabulary.write_text("\n".join(WORDS))

    def pairs(keys: Any, values: Any) -> Any:
        found = tf.lookup.KeyValueTensorInitializer(keys, tf.constant(values, tf.int64))
        return tf.lookup.StaticHashTable(found, -1)

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.of_file = tf.lookup.StaticVocabularyTable(
                tf.lookup.TextFileInitializer(
                    str(vocabulary),
                    *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
                    *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
                ),
                1,
            )
            self.of_constants = pairs(["x", "y"], [5, 6])
            self.idle = pairs(["z"], [7])
            self.mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.5)
            self.mutable.insert(["p", "q"], [1.5, 2.5])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def look_up(self, words: Any) -> Any:
            tables = (self.of_file, self.of_constants, self.mutable)
            return [table.lookup(words) for table in tables]

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def echo(self, words: Any) -> Any:
            return words

    module = Module()
    signatures = {"serving_default": module.look_up, "echo": module.echo}
    tf.saved_model.save(module, str(root / "m"), signatures=signatures)
    return root / "m"


class TestTablesOfTf2:
    def test_the_tables_that_are_asked_are_filled(self, tables: Path) -> None:
        model = read(tables, ANY)
        ops = {name: node.op for name, node in filled(model).items()}
        made = {name: model.graph.nodes[name].op for name in ops}
        assert sorted(ops.values()) == [
            *("InitializeTableFromTextFileV2", "LookupTableImportV2", "LookupTableImportV2")
        ]
        assert sorted(made.values()) == ["HashTableV2", "HashTableV2", "MutableHashTableV2"]

    def test_a_mutable_one_is_filled_with_what_was_saved(self, tables: Path) -> None:
        model = read(tables, ANY)
        assert model.initializer is not None
        name, node = next(
            item
            for item in filled(model).items()
            if model.graph.nodes[item[0]].op == "MutableHashTableV2"
        )
        keys, values = (constant_of(value) for value in node.inputs[1:])
        assert keys is not None
        assert values is not None
        pairs = zip(keys.array().tolist(), values.array().tolist(), strict=True)
        assert sorted(pairs) == [(b"p", 1.5), (b"q", 2.5)]
        assert node.inputs[0].node.name == name
        assert (node.attrs["Tin"], node.attrs["Tout"]) == ("string", "float32")

    def test_the_file_goes_by_its_name(self, tables: Path) -> None:
        model = read(tables, ANY)
        assert model.assets == {"words.txt": tables / "assets" / "words.txt"}
        assert model.initializer is not None
        # The path passes through a variable, whose assignment is gone.
        assert not any(node.op == "AssignVariableOp" for node in model.initializer.nodes.values())
        (held,) = (t for t in model.variables.values() if t.dtype == "string")
        assert held.array().tolist() == b"words.txt"

    def test_a_signature_without_tables_has_no_initialiser(self, tables: Path) -> None:
        model = read(tables, ReadOptions(signature="echo"))
        assert model.initializer is None
        assert model.assets == {}
        assert model.variables == {}

    def test_the_same_over_readings(self, tables: Path) -> None:
        first, second = (read(tables, ANY).initializer for _ in range(2))
        assert first is not None
        assert second is not None
        assert list(first.nodes) == list(second.nodes)


@pytest.mark.parametrize("collection", ["saved_model_main_op", "legacy_init_op"])
def test_tables_of_tf1(collection: str, tensorflow: ModuleType, tmp_path: Path) -> None:
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("\n".join(WORDS))
    lookup = tensorflow.lookup

    def build(v1: Any) -> Any:
        x = v1.placeholder(v1.string, [None], name="x")
        path = v1.constant(str(vocabulary), name="path")
        initializer = lookup.TextFileInitializer(
            path,
            *(tensorflow.string, lookup.TextFileIndex.WHOLE_LINE),
            *(tensorflow.int64, lookup.TextFileIndex.LINE_NUMBER),
        )
        table = lookup.StaticHashTable(initializer, -1)
        v1.get_variable("unrelated", initializer=[1.0])
        return {"x": x}, {"y": table.lookup(x)}

    def initialise(v1: Any, session: Any) -> Any:
        return v1.group(v1.tables_initializer(), v1.local_variables_initializer())

    folder = save_v1(
        tensorflow,
        tmp_path / "m",
        build,
        prepare=initialise,
    )
    (folder / "assets").mkdir()
    (folder / "assets" / "words.txt").write_text("\n".join(WORDS))

    def change(graph: Any) -> None:
        found = graph.collection_def.pop("saved_model_main_op")
        graph.collection_def[collection].CopyFrom(found)
        graph.signature_def.pop("__saved_model_init_op", None)
        graph.ClearField("asset_file_def")
        graph.asset_file_def.add(filename="words.txt").tensor_info.name = "path:0"

    model = read(edit(folder, change), ANY)
    assert model.initializer is not None
    assert [node.op for node in model.initializer.targets] == ["InitializeTableFromTextFileV2"]
    assert set(filled(model)) <= set(model.graph.nodes)
    assert texts(model.initializer, "path") == [b"words.txt"]
    assert model.assets == {"words.txt": folder / "assets" / "words.txt"}
    assert model.variables == {}


class TestAssets:
    @staticmethod
    def saved(tf: ModuleType, folder: Path) -> Path:
        (folder / "words.txt").write_text("a")

        class Module(tf.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                self.asset = tf.saved_model.Asset(str(folder / "words.txt"))

            @tf.function(input_signature=[])
            def content(self) -> Any:
                return tf.io.read_file(self.asset)

        module = Module()
        tf.saved_model.save(module, str(folder / "m"), signatures=module.content)
        return folder / "m"

    def test_one_that_the_graph_itself_reads(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        model = read(self.saved(tensorflow, tmp_path), ANY)
        assert list(model.assets) == ["words.txt"]
        assert model.graph.inputs == []
        held = [tensor.array().tolist() for tensor in model.graph.constants()]
        held += [tensor.array().tolist() for tensor in model.variables.values()]
        assert held == [b"words.txt"]

    def test_a_name_that_leads_outside(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        folder = self.saved(tensorflow, tmp_path)
        edit(folder, lambda graph: setattr(graph.asset_file_def[0], "filename", "../../secret"))
        with pytest.raises(UnsafeFileError, match="outside of its folder"):
            read(folder, ANY)

    def test_a_file_that_is_missing(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        folder = self.saved(tensorflow, tmp_path)
        (folder / "assets" / "words.txt").unlink()
        with pytest.raises(CorruptFileError, match="asset file, which is missing") as failure:
            read(folder, ANY)
        assert failure.value.where == str(folder / "assets" / "words.txt")
