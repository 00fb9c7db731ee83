"""What `tfjs.convert` and `tfjs.freeze` take beside paths, run by the real TF.js."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import tfjs
from tests.formats.tf_hub.hub_modules import archive
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.web import Server, serving
from tfjs.cli.main import cli

X = np.array([[1.0, -2.0, 3.0]], np.float32)


@pytest.fixture(scope="module")
def module(tensorflow: ModuleType) -> Any:
    """A module of two functions and a variable."""
    tf = tensorflow
    spec = tf.TensorSpec([None, 3])

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.w = tf.Variable(tf.reshape(tf.range(6.0), [3, 2]))

        @tf.function(input_signature=[spec])
        def __call__(self, x: Any) -> Any:
            return {"product": tf.matmul(x, self.w), "mean": tf.reduce_mean(x, axis=1)}

        @tf.function(input_signature=[spec])
        def negative(self, x: Any) -> Any:
            return -x

    return Module()


@pytest.fixture(scope="module")
def saved(tensorflow: ModuleType, module: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module as a SavedModel."""
    folder = tmp_path_factory.mktemp("saved")
    signatures = {"serving_default": module.__call__, "negative": module.negative}
    tensorflow.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def check(folder: Path, runtime: TfjsRuntime, module: Any) -> None:
    wanted = module(X)
    mean, product = runtime.predict_graph(folder, [X])
    np.testing.assert_allclose(product, wanted["product"].numpy(), rtol=1e-6)
    np.testing.assert_allclose(mean, wanted["mean"].numpy(), rtol=1e-6)


@pytest.mark.parametrize("form", ["module", "function", "concrete"])
def test_live_objects(form: str, module: Any, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    source = module if form == "module" else module.__call__
    if form == "concrete":
        source = source.get_concrete_function()
    report = tfjs.convert(source, tmp_path / "web")
    assert (report.source_format, report.dest_format) == ("tensorflow", "tfjs-graph")
    assert [port.name for port in report.outputs] == ["mean", "product"]
    assert report.inputs[0].shape == (None, 3)
    check(tmp_path / "web", tfjs_runtime, module)


def test_signatures_of_a_live_module(
    module: Any, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    reports = tfjs.convert(module, tmp_path, signatures=["__call__", "negative"])
    assert [Path(report.dest).name for report in reports] == ["__call__", "negative"]
    check(tmp_path / "__call__", tfjs_runtime, module)
    (found,) = tfjs_runtime.predict_graph(tmp_path / "negative", [X])
    np.testing.assert_array_equal(found, -X)


def test_all_signatures_of_a_loaded_one(
    saved: Path, module: Any, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    loaded = tensorflow.saved_model.load(str(saved))
    reports = tfjs.convert(loaded, tmp_path, signatures="all")
    assert [Path(report.dest).name for report in reports] == ["negative", "serving_default"]
    check(tmp_path / "serving_default", tfjs_runtime, module)


def test_all_signatures_by_the_command(
    saved: Path, module: Any, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    arguments = ["convert", str(saved), str(tmp_path), "--signature", "all"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["negative", "serving_default"]
    check(tmp_path / "serving_default", tfjs_runtime, module)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signatures": ["nothing"]}, "has no signature 'nothing'"),
        ({"signatures": ["../out"]}, "outside"),
        ({"signatures": "all", "signature": "negative"}, "not both"),
        ({"signatures": "all", "from_": "frozen-graph"}, "has no signatures"),
    ],
)
def test_signatures_that_are_none(
    options: dict[str, Any], message: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(tfjs.TfjsError, match=message):
        tfjs.convert(saved, tmp_path / "web", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["a function", "a SavedModel"])
def test_a_frozen_graph_with_a_signature_of_ones_own(
    source: str, saved: Path, module: Any, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = tfjs.freeze(module.__call__ if source == "a function" else saved)
    assert isinstance(model, tfjs.GraphModel)
    ops = {node.op for node in model.graph.nodes.values()}
    assert ops == {"Placeholder", "Const", "MatMul", "Mean"}
    model.signature = tfjs.Signature(inputs=["features"], outputs=["average", "scores"])
    report = tfjs.convert(model, tmp_path / "web")
    assert [port.name for port in report.inputs] == ["features"]
    assert [port.name for port in report.outputs] == ["average", "scores"]
    check(tmp_path / "web", tfjs_runtime, module)
    # Converting leaves the frozen graph what it was.
    tfjs.convert(model, tmp_path / "again")
    for name in ("model.json", "group1-shard1of1.bin"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "web" / name).read_bytes()


def test_only_graphs_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(tfjs.UnsupportedError, match="is no graph"):
        tfjs.freeze("examples/shapes_cnn.keras")


@pytest.mark.parametrize("source", [3, None, b"model.pb", np.float32])
def test_objects_of_other_kinds(source: Any, tmp_path: Path) -> None:
    with pytest.raises(tfjs.UsageError, match="cannot convert an object of type"):
        tfjs.convert(source, tmp_path / "web")


def test_options_of_files_mean_nothing_to_a_function(module: Any, tmp_path: Path) -> None:
    with pytest.raises(tfjs.UsageError, match="a tag of metagraphs means nothing"):
        tfjs.convert(module, tmp_path / "web", saved_model_tags=["serve"])


class TestAnAddress:
    @pytest.fixture
    def server(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with serving() as running:
            yield running

    def test_it_is_downloaded_once(
        self, server: Server, saved: Path, module: Any, tfjs_runtime: TfjsRuntime, tmp_path: Path
    ) -> None:
        server.answers["/m/1"] = (200, {}, archive(saved))
        for count in range(2):
            report = tfjs.convert(f"{server.address}/m/1", tmp_path / f"web{count}")
            assert report.outputs[0].name == "mean"
        assert server.asked == ["/m/1?tf-hub-format=compressed"]
        check(tmp_path / "web1", tfjs_runtime, module)
        assert tfjs.load(f"{server.address}/m/1").format == "saved-model"

    def test_by_the_commands(
        self, server: Server, saved: Path, module: Any, tfjs_runtime: TfjsRuntime, tmp_path: Path
    ) -> None:
        from tfjs.cli.converter import converter

        server.answers["/m"] = (200, {}, archive(saved))
        address = f"{server.address}/m"
        done = CliRunner().invoke(cli, ["convert", address, str(tmp_path / "one")])
        assert done.exit_code == 0, done.output
        done = CliRunner().invoke(
            converter, ["--input_format=tf_hub", address, str(tmp_path / "two")]
        )
        assert done.exit_code == 0, done.output
        check(tmp_path / "one", tfjs_runtime, module)
        check(tmp_path / "two", tfjs_runtime, module)

    def test_it_is_not_there(self, server: Server, tmp_path: Path) -> None:
        done = CliRunner().invoke(
            cli, ["convert", f"{server.address}/nothing", str(tmp_path / "web")]
        )
        assert (done.exit_code, "404" in done.output) == (3, True), done.output
