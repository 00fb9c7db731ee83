"""`tfjs.convert`: every pair of formats, live models, and what its options promise."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support import seeds
from tests.support.keras_models import made
from tests.support.protocol import Array
from tests.support.tiny_models import write_dense_model
from tfjs.formats.registry import all_formats
from tfjs.ir.graph import GraphModel

WEIGHTS = [name for name, (kind, _) in seeds.SEEDS.items() if kind.endswith("-weights")]
MODELS = [name for name in seeds.SEEDS if name not in (*WEIGHTS, *seeds.GRAPHS)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("seeds")
    return {name: build(folder / name) for name, (_, build) in seeds.SEEDS.items()}


@pytest.fixture
def web(tmp_path: Path) -> Path:
    return write_dense_model(tmp_path / "web")[0]


def values(path: Path) -> dict[str, Array]:
    return dict(tfjs.load(path).weights)


def assert_same(left: dict[str, Array], right: dict[str, Array]) -> None:
    assert list(left) == list(right)
    for name, array in left.items():
        np.testing.assert_array_equal(array, right[name], err_msg=name, strict=True)


class TestPairs:
    @pytest.mark.parametrize("kind", seeds.SEEDS)
    def test_each_seed_is_recognised(self, kind: str, sources: dict[str, Path]) -> None:
        assert tfjs.load(sources[kind]).format == seeds.SEEDS[kind][0]

    @pytest.mark.parametrize("name", ["web", "model.h5", "model.keras"])
    @pytest.mark.parametrize("kind", MODELS)
    def test_models(self, kind: str, name: str, sources: dict[str, Path], tmp_path: Path) -> None:
        if (kind, name) == ("layers-downloads", "model.keras"):
            with pytest.raises(tfjs.UnsupportedError, match="has the hard_sigmoid of Keras 2"):
                tfjs.convert(sources[kind], tmp_path / name)
            return
        report = tfjs.convert(sources[kind], tmp_path / name)
        assert report.source_format == seeds.SEEDS[kind][0]
        source, result = tfjs.load(sources[kind]), tfjs.load(tmp_path / name)
        assert [layer.name for layer in result.layers] == [layer.name for layer in source.layers]
        assert_same(values(sources[kind]), values(tmp_path / name))
        assert report.parameters == sum(array.size for array in source.weights.values())

    @pytest.mark.parametrize("kind", seeds.GRAPHS)
    def test_graphs(self, kind: str, sources: dict[str, Path], tmp_path: Path) -> None:
        report = tfjs.convert(sources[kind], tmp_path / "web")
        assert (report.source_format, report.dest_format) == (seeds.SEEDS[kind][0], "tfjs-graph")
        result = tfjs.load(tmp_path / "web")
        assert result.format == "tfjs-graph"
        content = result.content
        assert isinstance(result, tfjs.GraphModel)
        assert isinstance(content, GraphModel)
        graphs = [content.graph, *content.functions.values()]
        assert sum(report.ops.values()) == sum(len(graph.nodes) for graph in graphs)
        # What is written once is what it was when it is written again.
        tfjs.convert(tmp_path / "web", tmp_path / "again")
        assert_same(values(tmp_path / "web"), values(tmp_path / "again"))

    @pytest.mark.parametrize("kind", seeds.GRAPHS)
    @pytest.mark.parametrize("to", ["tfjs-layers", "keras", "keras-h5"])
    def test_graphs_have_no_layers(
        self, kind: str, to: str, sources: dict[str, Path], tmp_path: Path
    ) -> None:
        with pytest.raises(tfjs.UnsupportedError, match="the source is a graph") as refusal:
            tfjs.convert(sources[kind], tmp_path / "out", to=to)
        assert "become TF.js graph models" in str(refusal.value.hint)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["web", "weights.h5", "weights_manifest.json"])
    @pytest.mark.parametrize("kind", WEIGHTS)
    def test_weights(self, kind: str, name: str, sources: dict[str, Path], tmp_path: Path) -> None:
        if kind == "weights-manifest" and name.endswith(".h5"):
            with pytest.raises(tfjs.UnsupportedError, match="strings cannot be written"):
                tfjs.convert(sources[kind], tmp_path / name)
            assert list(tmp_path.iterdir()) == []
            return
        report = tfjs.convert(sources[kind], tmp_path / name)
        assert (report.layers, report.inputs, report.outputs) == (0, [], [])
        assert_same(values(sources[kind]), values(tmp_path / name))

    @pytest.mark.parametrize("kind", WEIGHTS)
    @pytest.mark.parametrize("to", ["tfjs-layers", "keras", "keras-h5"])
    def test_weights_are_no_model(
        self, kind: str, to: str, sources: dict[str, Path], tmp_path: Path
    ) -> None:
        with pytest.raises(tfjs.UnsupportedError, match="the source holds weights without a model"):
            tfjs.convert(sources[kind], tmp_path / "out", to=to)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("kind", ["layers-branching", "keras-branching", "h5-branching"])
    def test_the_weights_of_a_model(
        self, kind: str, sources: dict[str, Path], tmp_path: Path
    ) -> None:
        """They can be written by themselves, and joined with an architecture again."""
        tfjs.convert(sources[kind], tmp_path / "weights.h5", to="h5-weights")
        architecture = sources["json-branching"]
        model = tfjs.load(architecture, weights=tmp_path / "weights.h5")
        assert_same(dict(model.weights), values(sources[kind]))

    def test_the_order_of_inputs_and_outputs(
        self, sources: dict[str, Path], tmp_path: Path
    ) -> None:
        for kind in [name for name in MODELS if name.endswith("branching")]:
            report = tfjs.convert(sources[kind], tmp_path / kind)
            assert [port.name for port in report.inputs] == ["left", "right"]
            assert [(port.name, port.shape) for port in report.outputs] == [
                ("u", (None, 2)),
                ("v", (None, 1)),
            ]


class TestArchitectureJson:
    def test_the_weights_are_found_beside_it(
        self, sources: dict[str, Path], tmp_path: Path
    ) -> None:
        report = tfjs.convert(sources["json-branching"], tmp_path / "web")
        assert report.source_format == "keras-json"
        assert report.parameters == 48

    def test_or_named(self, sources: dict[str, Path], tmp_path: Path) -> None:
        architecture = tmp_path / "alone" / "my.json"
        architecture.parent.mkdir()
        architecture.write_bytes(sources["json-branching"].read_bytes())
        with pytest.raises(tfjs.FormatError, match="is an architecture without weights") as failure:
            tfjs.convert(architecture, tmp_path / "web")
        assert failure.value.hint == "name the file with --weights"
        weights = sources["json-branching"].with_name("my.h5")
        tfjs.convert(architecture, tmp_path / "web", weights=weights)
        assert_same(values(tmp_path / "web"), values(sources["json-branching"]))


class TestLiveModels:
    @pytest.mark.parametrize("kind", ["dense", "shared", "nested"])
    def test_keras_3(self, kind: str, keras: ModuleType, tmp_path: Path) -> None:
        model = made(kind, keras)
        report = tfjs.convert(model, tmp_path / "web")
        assert report.source == type(model).__name__
        assert report.source_format == "keras"
        assert report.producer == f"keras {keras.__version__}"
        self.assert_has_weights(tmp_path / "web", model)

    @pytest.mark.parametrize("kind", ["dense", "shared", "nested"])
    def test_tf_keras(self, kind: str, tf_keras: ModuleType, tmp_path: Path) -> None:
        model = made(kind, tf_keras)
        report = tfjs.convert(model, tmp_path / "web")
        assert report.source == type(model).__name__
        assert report.source_format == "keras-h5"
        self.assert_has_weights(tmp_path / "web", model)

    @staticmethod
    def assert_has_weights(web: Path, model: Any) -> None:
        ours = sorted(array.tobytes() for array in tfjs.load(web).weights.values())
        assert ours == sorted(np.asarray(weight).tobytes() for weight in model.get_weights())

    def test_nothing_of_it_is_left_behind(
        self, keras: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        tfjs.convert(made("dense", keras), tmp_path / "web")
        assert list((tmp_path / "temporary").iterdir()) == []

    def test_a_model_that_cannot_save_itself(self, keras: ModuleType, tmp_path: Path) -> None:
        class Broken(keras.Model):  # type: ignore[misc, name-defined]
            def save(self, *args: object, **options: object) -> None:
                raise NotImplementedError("no get_config")

        with pytest.raises(
            tfjs.ConversionError, match=r"Broken: the model cannot be saved.*no get_config"
        ):
            tfjs.convert(Broken(), tmp_path / "web")
        assert not (tmp_path / "web").exists()

    def test_a_subclass_is_code(self, keras: ModuleType, tmp_path: Path) -> None:
        class Own(keras.Model):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.d = keras.layers.Dense(2)

            def call(self, x: Any) -> Any:
                return self.d(x)

        model = Own()
        model(np.zeros((1, 3), "float32"))
        with pytest.raises(tfjs.UnsupportedError, match="the model is of the class Own"):
            tfjs.convert(model, tmp_path / "web")

    def test_a_model_that_was_never_built(self, keras: ModuleType, tmp_path: Path) -> None:
        model = keras.Sequential([keras.layers.Dense(2)])
        with pytest.raises(tfjs.TfjsError):
            tfjs.convert(model, tmp_path / "web")
        assert not (tmp_path / "web").exists()

    @pytest.mark.parametrize("thing", [None, 3, b"web", ["web"], object()])
    def test_what_is_no_model(self, thing: object, tmp_path: Path) -> None:
        with pytest.raises(tfjs.UsageError, match="cannot convert an object of type") as failure:
            tfjs.convert(thing, tmp_path / "web")
        assert type(thing).__name__ in failure.value.message
        assert str(failure.value.hint).startswith("give the path of a model, a model of Keras 3")


class TestOptions:
    def test_paths_of_any_kind(self, web: Path, tmp_path: Path) -> None:
        class Odd(os.PathLike[str]):
            def __fspath__(self) -> str:
                return str(web)

        tfjs.convert(str(web), str(tmp_path / "one"))
        report = tfjs.convert(Odd(), tmp_path / "other")
        assert report.source == str(web)
        assert_same(values(tmp_path / "one"), values(tmp_path / "other"))

    @pytest.mark.parametrize("to", ["tfjs-layers", "keras", "keras-h5", "h5-weights"])
    def test_progress_goes_up_to_all(self, to: str, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        source = seeds.branching(tmp_path / "source")
        tfjs.convert(source, tmp_path / "out", to=to, progress=lambda *told_: told.append(told_))
        assert {total for _, total in told} == {48 * 4}
        done = [count for count, _ in told]
        assert done == sorted(done)
        assert done[-1] == 48 * 4

    def test_an_exception_in_progress_stops_it(self, web: Path, tmp_path: Path) -> None:
        def stop(done: int, total: int) -> None:
            raise StopIteration("enough")

        for name in ("out", "out.keras", "out.h5"):
            with pytest.raises(StopIteration, match="enough"):
                tfjs.convert(web, tmp_path / name, progress=stop)
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["web"]

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_shard_has_a_size(self, size: int, web: Path, tmp_path: Path) -> None:
        with pytest.raises(tfjs.UsageError, match="the shard size must be at least 1 byte"):
            tfjs.convert(web, tmp_path / "out", shard_size=size)

    def test_shards_join_to_the_same_bytes(self, web: Path, tmp_path: Path) -> None:
        tfjs.convert(web, tmp_path / "out", shard_size=5)
        shards = [tmp_path / "out" / f"group1-shard{i}of7.bin" for i in range(1, 8)]
        assert [shard.stat().st_size for shard in shards] == [5, 5, 5, 5, 5, 5, 2]
        whole = b"".join(file.read_bytes() for file in sorted(web.glob("*.bin")))
        assert b"".join(shard.read_bytes() for shard in shards) == whole

    def test_quantised_weights_stay_so_unless_told(self, tmp_path: Path) -> None:
        source = seeds.quantized(tmp_path / "source")
        tfjs.convert(source, tmp_path / "kept", shard_size=16, split_weights_by_layer=True)
        assert {file.name: file.read_bytes() for file in source.glob("*.bin")} == {
            file.name: file.read_bytes() for file in (tmp_path / "kept").glob("*.bin")
        }
        tfjs.convert(source, tmp_path / "wide", dequantize=True)
        assert "quantization" not in (tmp_path / "wide" / "model.json").read_text()
        assert_same(values(source), values(tmp_path / "wide"))

    def test_metadata_joins_that_of_the_source(self, tmp_path: Path) -> None:
        source = seeds.branching(tmp_path / "source")
        tfjs.convert(source, tmp_path / "out", metadata={"more": {"a": [1, None]}})
        document = json.loads((tmp_path / "out" / "model.json").read_text())
        assert document["userDefinedMetadata"] == {"labels": ["a", "b"], "more": {"a": [1, None]}}

    def test_metadata_that_is_no_json(self, web: Path, tmp_path: Path) -> None:
        for value in (object(), float("nan"), "\ud800"):
            with pytest.raises(tfjs.ConversionError):
                tfjs.convert(web, tmp_path / "out", metadata={"a": value})
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["web"]

    def test_options_that_a_target_lacks(self, web: Path, tmp_path: Path) -> None:
        for name in ("out.keras", "out.h5"):
            with pytest.raises(tfjs.UsageError, match="--quantize, --metadata cannot be used for"):
                tfjs.convert(web, tmp_path / name, quantize={"uint8": True}, metadata={"a": 1})
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["web"]

    @pytest.mark.parametrize(
        ("rules", "words"),
        [
            ({"int4": True}, "weights cannot be quantized to 'int4'|quantised to 'int4'"),
            ({"uint8": 3}, "wants weight name patterns or True"),
            ({"uint8": [3]}, "wants weight name patterns or True"),
            ({"uint8": True, "uint16": True}, "both uint8 and uint16 are to take all"),
            ({"uint8": "*", "float16": "d/*"}, "both uint8 and float16 are to store"),
        ],
    )
    def test_quantisation_rules_that_make_no_sense(
        self, rules: Any, words: str, web: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(tfjs.UsageError, match=words):
            tfjs.convert(web, tmp_path / "out", quantize=rules)
        assert not (tmp_path / "out").exists()

    def test_an_unknown_target(self, web: Path, tmp_path: Path) -> None:
        with pytest.raises(tfjs.UsageError, match="there is no format 'pickle'") as failure:
            tfjs.convert(web, tmp_path / "out", to="pickle")
        assert failure.value.hint == f"formats: {', '.join(sorted(all_formats()))}"

    def test_into_a_folder_that_holds_other_things(self, web: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        (out / "sub").mkdir(parents=True)
        (out / "sub" / "page.html").write_text("page")
        (out / "group1-shard1of9.bin").write_bytes(b"of an earlier conversion")
        tfjs.convert(web, out)
        assert sorted(str(file.relative_to(out)) for file in out.rglob("*")) == [
            *("group1-shard1of1.bin", "model.json", "sub", "sub/page.html")
        ]
        assert (out / "sub" / "page.html").read_text() == "page"

    @pytest.mark.parametrize("name", ["web", "web/model.json"])
    def test_onto_itself(self, name: str, web: Path, tmp_path: Path) -> None:
        before = values(web)
        tfjs.convert(tmp_path / name, web, shard_size=4)
        assert_same(values(web), before)
        assert len(list(web.iterdir())) == 9
        for suffix in (".h5", ".keras"):
            tfjs.convert(web, tmp_path / f"m{suffix}")
            tfjs.convert(tmp_path / f"m{suffix}", tmp_path / f"m{suffix}")
            assert_same(values(tmp_path / f"m{suffix}"), before)
