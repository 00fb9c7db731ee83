from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_models import write_dense_model
from tfjs.errors import FormatError, UnknownFormatError, UnsupportedError, UsageError
from tfjs.formats.registry import all_formats, for_output, named, reader_of
from tfjs.ir.graph import Graph, GraphModel, Signature
from tfjs.ir.layers_model import LayersModel, TensorRef
from tfjs.ir.weights import WeightsOnly

MODEL = LayersModel("m", "Functional", [], TensorRef("x"), TensorRef("x"))


def test_all_formats_by_name() -> None:
    assert sorted(all_formats()) == [
        *("frozen-graph", "h5-weights", "keras", "keras-h5", "keras-json", "keras-saved-model"),
        *("saved-model", "tf-hub", "tfjs-graph", "tfjs-layers", "tfjs-weights"),
    ]
    assert all(name == entry.name == named(name).name for name, entry in all_formats().items())


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match="there is no format 'h5'") as failure:
        named("h5")
    assert failure.value.hint == f"formats: {', '.join(sorted(all_formats()))}"


@pytest.mark.parametrize(
    ("path", "model", "weights"),
    [
        ("web", "tfjs-layers", "tfjs-weights"),
        ("web.v2", "tfjs-layers", "tfjs-weights"),
        ("a.keras/web", "tfjs-layers", "tfjs-weights"),
        ("m.keras", "keras", None),
        ("m.KERAS", "keras", None),
        ("m.h5", "keras-h5", "h5-weights"),
        ("m.hdf5", "keras-h5", "h5-weights"),
        ("weights_manifest.json", None, "tfjs-weights"),
        ("x-weights_manifest.json", None, "tfjs-weights"),
        ("model.json", None, None),
        ("m.tflite", None, None),
        ("m.onnx", None, None),
        ("m.pb", None, None),
        ("m.zip", None, None),
    ],
)
def test_what_an_output_path_means(path: str, model: str | None, weights: str | None) -> None:
    for expected, content in ((model, MODEL), (weights, WeightsOnly([]))):
        if expected is not None:
            assert for_output(Path(path), content).name == expected
        else:
            with pytest.raises(UsageError, match="no format to write ends in"):
                for_output(Path(path), content)


def test_what_an_output_path_means_for_a_graph() -> None:
    graph = GraphModel(Graph(), Signature([], []))
    assert for_output(Path("web"), graph).name == "tfjs-graph"
    assert for_output(Path("m.pb"), graph).name == "frozen-graph"
    with pytest.raises(UnsupportedError, match=r"a graph, of which no \.pb file can be made"):
        for_output(Path("saved_model.pb"), graph)
    with pytest.raises(UnsupportedError, match=r"a graph, of which no \.keras file can be made"):
        for_output(Path("m.keras"), graph)


def test_an_ending_that_promises_another_layout() -> None:
    for content in (MODEL, WeightsOnly([])):
        with pytest.raises(UsageError, match="Keras looks for another layout") as failure:
            for_output(Path("my.weights.h5"), content)
        assert failure.value.where == "my.weights.h5"


def test_a_name_goes_before_the_contents(tmp_path: Path) -> None:
    web = write_dense_model(tmp_path / "web")[0]
    assert reader_of(web, None).name == "tfjs-layers"
    assert reader_of(web, "keras").name == "keras"
    with pytest.raises(UsageError):
        reader_of(web, "nothing")


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", Path("x" * 300), tmp_path / "\0"):
        for name in (None, "keras"):
            with pytest.raises(FormatError, match="does not exist"):
                reader_of(path, name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n...", r"a file that begins with b'\x89PNG\r\n\x1a\n'"),
        (b"PK\x03\x04...", "a zip archive without a Keras model in it (unzip it first)"),
    ],
)
def test_files_that_are_no_models(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnknownFormatError) as failure:
        reader_of(tmp_path / "file", None)
    assert failure.value.message == f"is no model that tfjs reads: {words}"
    # The same where a folder holds it.
    (tmp_path / "file").rename(tmp_path / "model.json")
    with pytest.raises(UnknownFormatError) as failure:
        reader_of(tmp_path, None)
    assert failure.value.message == f"is no model that tfjs reads: {words}"
    assert failure.value.where == str(tmp_path / "model.json")


def test_a_web_page_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("<!doctype html>")
    with pytest.raises(UnknownFormatError, match="is a web page, not the file") as failure:
        reader_of(tmp_path, None)
    assert "download the file again" in str(failure.value.hint)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "an empty folder"),
        (["b", "a"], "a folder with a, b"),
        (["6", "5", "4", "3", "2", "1"], "a folder with 1, 2, 3, 4, 5 ..."),
    ],
)
def test_folders_that_are_no_models(names: list[str], words: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(UnknownFormatError) as failure:
        reader_of(tmp_path, None)
    assert failure.value.message == f"is no model that tfjs reads: {words}"
