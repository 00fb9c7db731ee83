"""`tfjs run`: what may be fed, how, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.support.protocol import Array, JsonObject
from tests.support.tiny_models import dense_answer
from tfjs.formats.base import Port, WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel, Shape, Signature, Type

X = np.array([[0.5, -1.0, 2.0]], np.float32)


@pytest.fixture(scope="module")
def pillow() -> ModuleType:
    module: ModuleType = pytest.importorskip("PIL.Image")
    return module


def answering(folder: Path, **types: tuple[str, Shape]) -> Path:
    """A graph model that answers with each of its inputs as it is."""
    graph = Graph()
    for name, (dtype, shape) in types.items():
        type_ = Type(dtype, shape)
        attrs = {"dtype": dtype, "shape": Dims(shape)}
        node = graph.add("Placeholder", [], attrs, [type_], name=f"node_{name}")
        same = graph.add("Identity", [node.output], {"T": dtype}, [type_], name=f"out_{name}")
        graph.inputs.append(node)
        graph.outputs.append(same.output)
        graph.output_names.append(same.name)
    keys = list(types)
    write(
        GraphModel(graph, Signature(keys, [f"{key}_out" for key in keys])), folder, WriteOptions()
    )
    return folder


def answer(tfjs: Run, model: Path, *words: object) -> JsonObject:
    """What a run prints with --json."""
    result = tfjs("run", model, *words, "--json")
    assert result.exit_code == 0, result.stderr
    found: JsonObject = json.loads(result.stdout)
    return found


class TestWhatIsFed:
    def test_an_array(
        self, tfjs: Run, web: Path, web_weights: dict[str, Array], tmp_path: Path
    ) -> None:
        np.save(tmp_path / "x.npy", X)
        expected = dense_answer(X, web_weights)
        for value in (tmp_path / "x.npy", f"d_input={tmp_path / 'x.npy'}"):
            np.testing.assert_allclose(answer(tfjs, web, "--input", value)["d"], expected, 1e-6)

    def test_an_archive(
        self, tfjs: Run, web: Path, web_weights: dict[str, Array], tmp_path: Path
    ) -> None:
        np.savez(tmp_path / "x.npz", d_input=X)
        found = answer(tfjs, web, "--input", tmp_path / "x.npz")
        np.testing.assert_allclose(found["d"], dense_answer(X, web_weights), 1e-6)

    @pytest.mark.parametrize("text", ["[[0.5, -1, 2]]", "[0.5, -1, 2]", "d_input=[0.5, -1, 2]"])
    def test_json(self, text: str, tfjs: Run, web: Path, web_weights: dict[str, Array]) -> None:
        found = answer(tfjs, web, "--input", text)
        np.testing.assert_allclose(found["d"], dense_answer(X, web_weights), 1e-6)

    def test_several_inputs(self, tfjs: Run, tmp_path: Path) -> None:
        model = answering(
            tmp_path / "web",
            a=("float32", (None,)),
            ids=("int32", (None, 2)),
            flag=("bool", ()),
            words=("string", (None,)),
        )
        words = ["--input", "[1.5]", "--input", "ids=[[1, 2]]", "--input", "words=a=b"]
        found = answer(tfjs, model, *words, "--input", "true")
        assert found == {
            "a_out": [1.5],
            "ids_out": [[1, 2]],
            "flag_out": True,
            "words_out": ["a=b"],
        }
        found = answer(
            tfjs, model, *words[:4], "--input", "flag=false", "--input", 'words=["ä", ""]'
        )
        assert found["words_out"] == ["ä", ""]

    def test_texts_from_the_line_and_from_a_file(
        self, tfjs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        model = answering(tmp_path / "web", words=("string", (None,)))
        np.save("x.npy", np.array(["in the file"]))
        assert answer(tfjs, model, "--input", "words=x.png") == {"words_out": ["x.png"]}
        assert answer(tfjs, model, "--input", "words=x.npy") == {"words_out": ["in the file"]}


class TestImages:
    PIXELS = np.array([[[0, 51, 255], [255, 102, 0]]], np.uint8)

    @pytest.fixture
    def picture(self, pillow: ModuleType, tmp_path: Path) -> Path:
        """1 pixel high, 2 wide."""
        pillow.fromarray(self.PIXELS).save(tmp_path / "x.png")
        return tmp_path / "x.png"

    def test_floats_from_0_to_1(self, tfjs: Run, picture: Path, tmp_path: Path) -> None:
        model = answering(tmp_path / "web", x=("float32", (None, 1, 2, 3)))
        found = answer(tfjs, model, "--input", picture)["x_out"]
        np.testing.assert_allclose(found, self.PIXELS[None] / 255, atol=1e-7)
        found = answer(tfjs, model, "--input", f"x={picture}", "--range", "-1,1")["x_out"]
        np.testing.assert_allclose(found, self.PIXELS[None] / 127.5 - 1, atol=1e-6)

    def test_integers_as_they_are(self, tfjs: Run, picture: Path, tmp_path: Path) -> None:
        model = answering(tmp_path / "web", x=("int32", (1, 2, 3)))
        assert answer(tfjs, model, "--input", picture)["x_out"] == self.PIXELS.tolist()

    def test_it_is_scaled(self, tfjs: Run, pillow: ModuleType, tmp_path: Path) -> None:
        pillow.new("RGB", (7, 5), (255, 0, 255)).save(tmp_path / "x.jpg", quality=95)
        model = answering(tmp_path / "web", x=("float32", (None, 4, 3, 3)))
        found = np.asarray(answer(tfjs, model, "--input", tmp_path / "x.jpg")["x_out"])
        assert found.shape == (1, 4, 3, 3)
        np.testing.assert_allclose(found, np.broadcast_to([1, 0, 1], found.shape), atol=0.02)
        free = answering(tmp_path / "free", x=("float32", (None, None, None, 3)))
        assert np.shape(answer(tfjs, free, "--input", tmp_path / "x.jpg")["x_out"]) == (1, 5, 7, 3)

    def test_grey_and_transparent(self, tfjs: Run, picture: Path, tmp_path: Path) -> None:
        grey = answering(tmp_path / "grey", x=("float32", (None, 1, 2, 1)))
        assert np.shape(answer(tfjs, grey, "--input", picture)["x_out"]) == (1, 1, 2, 1)
        four = answering(tmp_path / "four", x=("float32", (None, 1, 2, 4)))
        found = np.asarray(answer(tfjs, four, "--input", picture)["x_out"])
        assert np.array_equal(found[..., 3], np.ones((1, 1, 2)))

    def test_an_input_that_takes_none(self, tfjs: Run, web: Path, picture: Path) -> None:
        result = tfjs("run", web, "--input", picture)
        assert result.exit_code == 2
        assert "the input 'd_input' takes no image: its shape is [?,3]" in result.stderr

    def test_channels_that_no_image_has(self, tfjs: Run, picture: Path, tmp_path: Path) -> None:
        model = answering(tmp_path / "web", x=("float32", (None, 4, 4, 5)))
        result = tfjs("run", model, "--input", picture)
        assert result.exit_code == 2
        assert "the input 'x' takes no image: its shape is [?,4,4,5]" in result.stderr

    def test_a_damaged_image(self, tfjs: Run, picture: Path, tmp_path: Path) -> None:
        model = answering(tmp_path / "web", x=("float32", (None, 1, 2, 3)))
        for data in (b"", b"no image", picture.read_bytes()[:40]):
            picture.write_bytes(data)
            result = tfjs("run", model, "--input", picture)
            assert result.exit_code == 3
            assert f"{picture}: cannot be read as an image: " in result.stderr

    def test_without_pillow(
        self, tfjs: Run, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "PIL", None)
        model = answering(tmp_path / "web", x=("float32", (None, 1, 2, 3)))
        result = tfjs("run", model, "--input", picture)
        assert result.exit_code == 7
        assert "pip install 'tfjs[run]'" in result.stderr


class TestWhatIsPrinted:
    def test_the_first_numbers(self, tfjs: Run, tmp_path: Path) -> None:
        model = answering(tmp_path / "web", x=("float32", (None,)), s=("string", (None,)))
        text = json.dumps([0.1, 1e-12, *range(8)])
        result = tfjs("run", model, "--input", text, "--input", "ä b")
        assert result.stdout.splitlines() == [
            "x_out  float32[10]  0.1, 1e-12, 0, 1, 2, 3, 4, 5, ...",
            "s_out  string[1]  ä b",
        ]

    def test_booleans_integers_and_scalars(self, tfjs: Run, tmp_path: Path) -> None:
        model = answering(
            tmp_path / "web", b=("bool", (None,)), i=("int32", (None,)), s=("float32", ())
        )
        result = tfjs(
            "run", model, *("--input", "[true, false]", "--input", "[12345678]"), "--input", "2"
        )
        assert result.stdout.splitlines() == [
            "b_out  bool[2]  True, False",
            "i_out  int32[1]  12345678",
            "s_out  float32[]  2",
        ]

    def test_the_largest(self, tfjs: Run, tmp_path: Path) -> None:
        model = answering(tmp_path / "web", x=("float32", (None, 3)), i=("int32", (None,)))
        x, i = "[[0.1, 0.7, 0.2], [3, 3, 5]]", "[-2147483648, 7, 0]"
        result = tfjs("run", model, "--input", x, "--input", i, "--top", "2")
        assert result.stdout.splitlines() == [
            "x_out  float32[2,3]",
            "  [0]      1  0.7",
            "  [0]      2  0.2",
            "  [1]      2  5",
            "  [1]      0  3",
            "i_out  int32[3]",
            "       1  7",
            "       2  0",
        ]

    def test_the_largest_beside_nan(self, tfjs: Run, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", np.array([1, np.nan, 3], np.float32))
        model = answering(tmp_path / "web", x=("float32", (None,)))
        result = tfjs("run", model, "--input", tmp_path / "x.npy", "--top", "2")
        assert result.stdout.splitlines()[1:] == ["       2  3", "       0  1"]

    def test_json_has_no_infinite_numbers(self, tfjs: Run, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", np.array([1, np.nan, np.inf, -np.inf], np.float32))
        np.save(tmp_path / "c.npy", np.array([1 + 2j, complex(np.nan, 1)], np.complex64))
        model = answering(tmp_path / "web", x=("float32", (None,)), c=("complex64", (None,)))
        found = answer(tfjs, model, "--input", tmp_path / "x.npy", "--input", tmp_path / "c.npy")
        assert found == {"x_out": [1, None, None, None], "c_out": [[1, 2], [None, 1]]}

    def test_json_of_texts_keeps_their_shape(self, tfjs: Run, tmp_path: Path) -> None:
        model = answering(tmp_path / "web", s=("string", (None, None)))
        assert answer(tfjs, model, "--input", '[["a", "b"]]') == {"s_out": [["a", "b"]]}


class TestFailures:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            ([], "nothing is given for the input 'd_input'"),
            (
                ["--input", "[1,2,3]", "--input", "[1,2,3]"],
                "the model has 1 input, '[1,2,3]' is one more",
            ),
            (["--input", "x=[1,2,3]"], "there is no input 'x'; there is d_input"),
            (
                ["--input", "d_input=1", "--input", "d_input=2"],
                "the input 'd_input' is given twice",
            ),
            (["--input", "cat"], "takes float32, and 'cat' is neither a file nor JSON"),
            (["--input", "[[1,2],[3]]"], "the value of 'd_input' makes no array"),
            (["--input", '{"a": 1}'], "the value of 'd_input' makes no array"),
            (["--input", '"text"'], "the value of 'd_input' makes no array"),
            (["--input", "[1,2]"], "cannot take shape [1, 2]"),
            (
                ["--input", "[1,2,3]", "--range", "0"],
                "--range takes two numbers such as 0,1, not '0'",
            ),
            (["--input", "[1,2,3]", "--range", "0,nan"], "--range takes two numbers"),
            (["--input", "[" * 100_000], "is neither a file nor JSON"),
        ],
    )
    def test_of_usage(self, words: list[str], told: str, tfjs: Run, web: Path) -> None:
        result = tfjs("run", web, *words)
        assert result.exit_code == 2, result.stderr
        assert told in result.stderr
        assert result.stdout == ""

    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    def test_files_that_hold_no_arrays(
        self, suffix: str, tfjs: Run, web: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / f"x{suffix}"
        result = tfjs("run", web, "--input", path)
        assert result.exit_code == 3
        assert f"{path}: cannot be read as" in result.stderr
        for data in (b"", b"no array", b"PK\x03\x04"):
            path.write_bytes(data)
            assert tfjs("run", web, "--input", path).exit_code == 3
        saved = {".npy": lambda: np.save(path, np.array([{}], object), allow_pickle=True)}
        saved.get(suffix, lambda: np.savez(path, d_input=np.array([{}], object)))()
        result = tfjs("run", web, "--input", path)
        assert result.exit_code == 3
        assert "allow_pickle" in result.stderr

    def test_an_archive_with_another_name(self, tfjs: Run, web: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "x.npz", other=X)
        result = tfjs("run", web, "--input", tmp_path / "x.npz")
        assert result.exit_code == 2
        assert "there is no input 'other'; there is d_input" in result.stderr

    def test_weights_alone(self, tfjs: Run, web: Path, tmp_path: Path) -> None:
        tfjs("convert", web, tmp_path / "w.h5", "--to", "h5-weights")
        result = tfjs("run", tmp_path / "w.h5")
        assert result.exit_code == 2
        assert "are weights without a model, which cannot be run" in result.stderr

    def test_no_model(self, tfjs: Run, tmp_path: Path) -> None:
        result = tfjs("run", tmp_path / "none")
        assert (result.exit_code, result.stdout) == (3, "")


def test_ports_are_told_alike() -> None:
    """The shape in messages is written as in the list of inputs of a report."""
    from tfjs.cli.inputs import shape_text

    assert shape_text(Port("x", "float32", (None, 3))) == "[?,3]"
    assert shape_text(Port("x", "float32", None)) == "unknown"
