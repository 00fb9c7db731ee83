"""`tensorflowjs_converter`: the flags and pairs of `official_converter.md` 1a."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfjs as package
from tests.cli.conftest import Run
from tests.cli.test_main import custom_model, manifest
from tests.support.protocol import Array
from tests.support.tiny_models import dense_layer, dense_weights, sequential, write_layers_model
from tfjs.cli.converter import converter, explicit

LAYERS = ("--input_format", "tfjs_layers_model", "--output_format", "tfjs_layers_model")


@pytest.fixture
def h5(web: Path, tmp_path: Path) -> Path:
    """`web` as a Keras HDF5 model."""
    package.convert(web, tmp_path / "model.h5")
    return tmp_path / "model.h5"


@pytest.fixture
def archive(web: Path, tmp_path: Path) -> Path:
    """`web` as a `.keras` file."""
    package.convert(web, tmp_path / "model.keras")
    return tmp_path / "model.keras"


@pytest.fixture
def weights_h5(web_weights: dict[str, Array], tmp_path: Path) -> Path:
    """The weights of `web` as `save_weights` of Keras 2 writes them."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.15.0"
        group = file.create_group("d")
        group.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        for name, array in web_weights.items():
            group[f"{name}:0"] = array
    return path


def assert_same_weights(path: Path, weights: dict[str, Array]) -> None:
    loaded = package.load(path).weights
    assert sorted(loaded) == sorted(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # A bare flag takes no path, whatever its place.
        ("--quantize_uint8 in out", "--quantize_uint8=* in out"),
        ("in --quantize_uint8 out", "in --quantize_uint8=* out"),
        ("in out --quantize_uint8", "in out --quantize_uint8=*"),
        (
            "--quantize_uint8 --quantize_float16 in out",
            "--quantize_uint8=* --quantize_float16=* in out",
        ),
        # One word more than paths is its pattern.
        ("--quantize_uint8 a* in out", "--quantize_uint8=a* in out"),
        ("in out --quantize_uint16 a*,b", "in out --quantize_uint16=a*,b"),
        ("--quantize_uint8 * in out", "--quantize_uint8=* in out"),
        (
            "--input_format keras --quantize_uint8 a* in out",
            "--input_format keras --quantize_uint8=a* in out",
        ),
        ("--debug --quantize_uint8 a* in out", "--debug --quantize_uint8=a* in out"),
        ("--metadata a:b --quantize_uint8 a in out", "--metadata a:b --quantize_uint8=a in out"),
        (
            "--quantize_uint8 a* --quantize_float16 in out",
            "--quantize_uint8=a* --quantize_float16=* in out",
        ),
        # A value behind `=` stays.
        ("--quantize_uint8=* in out", "--quantize_uint8=* in out"),
        ("--quantize_uint8= in out", "--quantize_uint8= in out"),
        # Booleans, bare and with a value.
        ("--split_weights_by_layer in out", "--split_weights_by_layer=True in out"),
        ("--split_weights_by_layer=False in out", "--split_weights_by_layer=False in out"),
        ("--strip_debug_ops True in out", "--strip_debug_ops=True in out"),
        ("--strip_debug_ops in out", "--strip_debug_ops=True in out"),
        (
            "--experiments false --quantize_uint8 in out",
            "--experiments=false --quantize_uint8=* in out",
        ),
        ("--strip_debug_ops True out", "--strip_debug_ops=True True out"),
        # What belongs to other flags, or stands behind `--`, is left alone.
        ("--weight_shard_size_bytes -5 in out", "--weight_shard_size_bytes -5 in out"),
        (
            "--metadata --split_weights_by_layer in out",
            "--metadata --split_weights_by_layer in out",
        ),
        ("--quantize_uint8 -- in --quantize_uint8", "--quantize_uint8=* -- in --quantize_uint8"),
        ("--output_format", "--output_format"),
        ("", ""),
    ],
)
def test_no_flag_takes_the_next_word_by_mistake(words: str, expected: str) -> None:
    assert " ".join(explicit(words.split())) == expected


_FLAGS = st.sampled_from(
    [
        *("--quantize_uint8", "--quantize_float16", "--quantize_uint16=a*", "--debug"),
        *("--split_weights_by_layer", "--strip_debug_ops=False", "--experiments"),
        *("--metadata k:a b.json", "--weight_shard_size_bytes 9", "--input_format=keras"),
    ]
)


@given(flags=st.lists(_FLAGS), places=st.lists(st.integers(0, 2), min_size=9))
def test_the_paths_are_the_paths(flags: list[str], places: list[int]) -> None:
    """Wherever the flags stand: before, between or behind them."""
    words: list[list[str]] = [[], [], []]
    for flag, place in zip(flags, places, strict=False):
        name, _, value = flag.partition(" ")
        words[place] += [name, value] if value else [name]
    arguments = explicit([*words[0], "in.h5", *words[1], "web model", *words[2]])
    with converter.make_context("x", arguments) as context:
        assert context.params["input_path"] == "in.h5"
        assert context.params["output_path"] == "web model"


class TestPairs:
    """Every pair of formats, with the output given and inferred."""

    @pytest.mark.parametrize("output", [(), ("--output_format=tfjs_layers_model",)])
    def test_keras(
        self,
        output: tuple[str, ...],
        official: Run,
        h5: Path,
        web_weights: dict[str, Array],
        tmp_path: Path,
    ) -> None:
        result = official("--input_format=keras", *output, h5, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""
        assert package.load(tmp_path / "out").format == "tfjs-layers"
        assert_same_weights(tmp_path / "out", web_weights)

    @pytest.mark.parametrize("output", [(), ("--output_format=tfjs_layers_model",)])
    def test_keras_keras(
        self,
        output: tuple[str, ...],
        official: Run,
        archive: Path,
        web_weights: dict[str, Array],
        tmp_path: Path,
    ) -> None:
        result = official("--input_format=keras_keras", *output, archive, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert_same_weights(tmp_path / "out", web_weights)
        # Nothing is extracted beside the source.
        assert not (tmp_path / "config.json").exists()

    def test_keras_given_a_keras_archive(
        self, official: Run, archive: Path, web_weights: dict[str, Array], tmp_path: Path
    ) -> None:
        result = official("--input_format=keras", archive, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert_same_weights(tmp_path / "out", web_weights)

    def test_keras_keras_given_hdf5(self, official: Run, h5: Path, tmp_path: Path) -> None:
        assert official("--input_format=keras_keras", h5, tmp_path / "out").exit_code == 0

    @pytest.mark.parametrize("output", [(), ("--output_format=keras",)])
    @pytest.mark.parametrize("source", ["web", "web/model.json"])
    @pytest.mark.parametrize("name", ["out.h5", "out"])
    def test_layers_to_keras(
        self,
        output: tuple[str, ...],
        source: str,
        name: str,
        official: Run,
        web: Path,
        web_weights: dict[str, Array],
        tmp_path: Path,
    ) -> None:
        result = official(
            "--input_format=tfjs_layers_model", *output, tmp_path / source, tmp_path / name
        )
        assert result.exit_code == 0, result.stderr
        assert package.load(tmp_path / name).format == "keras-h5"
        assert_same_weights(tmp_path / name, web_weights)

    def test_layers_to_keras_keras(
        self, official: Run, web: Path, web_weights: dict[str, Array], tmp_path: Path
    ) -> None:
        result = official(
            *("--input_format=tfjs_layers_model", "--output_format=keras_keras"),
            *(web / "model.json", tmp_path / "out.keras"),
        )
        assert result.exit_code == 0, result.stderr
        assert package.load(tmp_path / "out.keras").format == "keras"
        assert_same_weights(tmp_path / "out.keras", web_weights)

    def test_layers_to_layers(
        self, official: Run, web: Path, web_weights: dict[str, Array], tmp_path: Path
    ) -> None:
        result = official(*LAYERS, web / "model.json", tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert_same_weights(tmp_path / "out", web_weights)

    def test_weights_alone(
        self, official: Run, weights_h5: Path, web_weights: dict[str, Array], tmp_path: Path
    ) -> None:
        result = official("--input_format=keras", weights_h5, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        model = json.loads((tmp_path / "out" / "model.json").read_text())
        assert model["modelTopology"] is None
        assert_same_weights(tmp_path / "out", web_weights)
        result = official("--input_format=tfjs_layers_model", tmp_path / "out", tmp_path / "b.h5")
        assert result.exit_code == 0, result.stderr
        assert_same_weights(tmp_path / "b.h5", web_weights)

    @pytest.mark.parametrize(
        "pair",
        [
            ("keras", "keras"),
            ("keras", "keras_keras"),
            ("keras_keras", "keras"),
            ("keras_saved_model", "keras"),
            ("tf_saved_model", "tfjs_layers_model"),
        ],
    )
    def test_pairs_that_are_not(self, pair: tuple[str, str], official: Run, web: Path) -> None:
        result = official("--input_format", pair[0], "--output_format", pair[1], web, "out")
        assert result.exit_code == 4
        assert result.stderr.startswith(
            f"error: Unsupported input_format - output_format pair: {pair[0]} - {pair[1]}\n"
        )

    @pytest.mark.parametrize(
        ("output", "format_"),
        [("keras_saved_model", "keras-saved-model"), ("tfjs_graph_model", "tfjs-graph")],
    )
    def test_layers_become_graphs(
        self,
        output: str,
        format_: str,
        official: Run,
        web: Path,
        web_weights: dict[str, Array],
        tmp_path: Path,
    ) -> None:
        words = ("--input_format=tfjs_layers_model", f"--output_format={output}")
        result = official(*words, web, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        model = package.load(tmp_path / "out")
        assert model.format == format_
        x = np.array([[1, -2, 3]], np.float32)
        expected = np.maximum(x @ web_weights["d/kernel"] + web_weights["d/bias"], 0)
        assert np.allclose(np.asarray(model(x)), expected, atol=1e-6)

    def test_the_default_input_is_a_saved_model(self, official: Run, h5: Path) -> None:
        result = official(h5, "out")
        assert result.exit_code == 2
        assert "which --input_format=tf_saved_model does not mean" in result.stderr
        assert "hint: --input_format=keras\n" in result.stderr


def test_a_keras_saved_model(official: Run, tf_keras: object, tmp_path: Path) -> None:
    layers = tf_keras.layers  # type: ignore[attr-defined]
    model = tf_keras.Sequential(  # type: ignore[attr-defined]
        [layers.Input((3,)), layers.Dense(2, name="d")]
    )
    model.save(str(tmp_path / "saved"), save_format="tf")
    result = official("--input_format=keras_saved_model", tmp_path / "saved", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    kernel, bias = model.get_weights()
    assert_same_weights(tmp_path / "out", {"d/kernel": kernel, "d/bias": bias})


class TestQuantization:
    """The three flags, and the deprecated one."""

    @pytest.mark.parametrize("dtype", ["float16", "uint8", "uint16"])
    @pytest.mark.parametrize("place", ["before", "between", "after"])
    def test_a_bare_flag_means_all_weights(
        self, dtype: str, place: str, official: Run, h5: Path, tmp_path: Path
    ) -> None:
        words = ["--input_format=keras", str(h5), str(tmp_path / "out")]
        words.insert({"before": 1, "between": 2, "after": 3}[place], f"--quantize_{dtype}")
        result = official(*words)
        assert result.exit_code == 0, result.stderr
        assert [weight["quantization"]["dtype"] for weight in manifest(tmp_path / "out")] == [
            dtype,
            dtype,
        ]

    @pytest.mark.parametrize("flag", ["--quantize_uint8=*", "--quantize_uint8 *"])
    def test_a_star(self, flag: str, official: Run, h5: Path, tmp_path: Path) -> None:
        result = official("--input_format=keras", *flag.split(), h5, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert all("quantization" in weight for weight in manifest(tmp_path / "out"))

    @pytest.mark.parametrize("flag", ["--quantize_uint8=*/kernel,x", "--quantize_uint8 */kernel,x"])
    def test_patterns(self, flag: str, official: Run, h5: Path, tmp_path: Path) -> None:
        result = official(
            "--input_format=keras", *flag.split(), "--quantize_float16", h5, tmp_path / "out"
        )
        assert result.exit_code == 0, result.stderr
        kernel, bias = manifest(tmp_path / "out")
        assert kernel["quantization"]["dtype"] == "uint8"
        assert bias["quantization"]["dtype"] == "float16"
        assert "no weight is named like 'x'" in result.stdout

    @pytest.mark.parametrize("given", ["1", "2"])
    @pytest.mark.parametrize("equals", [True, False])
    def test_bytes(self, given: str, equals: bool, official: Run, h5: Path, tmp_path: Path) -> None:
        flag = "--quantization_bytes"
        words = [f"{flag}={given}"] if equals else [flag, given]
        result = official("--input_format=keras", *words, h5, tmp_path / "out")
        assert result.exit_code == 0
        assert result.stderr == (
            "warning: --quantization_bytes is deprecated, use --quantize_uint8 or "
            "--quantize_uint16\n"
        )
        dtype = {"1": "uint8", "2": "uint16"}[given]
        assert {w["quantization"]["dtype"] for w in manifest(tmp_path / "out")} == {dtype}

    def test_bytes_beside_the_new_flags(self, official: Run, h5: Path, tmp_path: Path) -> None:
        result = official(
            *("--input_format=keras", "--quantization_bytes=1", "--quantize_float16"),
            *(h5, tmp_path / "out"),
        )
        assert result.exit_code == 2
        assert result.stderr == (
            "error: --quantization_bytes cannot be used with the new quantization flags\n"
        )

    def test_bytes_that_are_neither(self, official: Run, h5: Path) -> None:
        result = official("--input_format=keras", "--quantization_bytes=4", h5, "out")
        assert result.exit_code == 2
        assert "'4' is not one of '1', '2'" in result.stderr

    def test_two_rules_for_all_others(self, official: Run, h5: Path, tmp_path: Path) -> None:
        flags = ("--quantize_uint8", "--quantize_uint16")
        result = official("--input_format=keras", *flags, h5, tmp_path / "out")
        assert result.exit_code == 2
        assert "both uint8 and uint16 are to take all other weights" in result.stderr

    def test_an_empty_pattern(self, official: Run, h5: Path, tmp_path: Path) -> None:
        result = official("--input_format=keras", "--quantize_uint8=", h5, tmp_path / "out")
        assert result.exit_code == 2
        assert "--quantize_uint8= names no weights" in result.stderr


class TestSplit:
    """`--split_weights_by_layer`, and what a boolean's value means."""

    @pytest.fixture
    def two(self, tmp_path: Path) -> Path:
        weights = dense_weights("a", 3, 4) | dense_weights("b", 4, 2)
        layers = [dense_layer("a", 4, inputs=3), dense_layer("b", 2)]
        web = write_layers_model(tmp_path / "two", sequential(layers), weights)
        package.convert(web, tmp_path / "two.h5")
        return tmp_path / "two.h5"

    @pytest.mark.parametrize(
        ("words", "groups"),
        [
            ("", 1),
            ("--split_weights_by_layer", 2),
            ("--split_weights_by_layer=True", 2),
            ("--split_weights_by_layer=true", 2),
            ("--split_weights_by_layer True", 2),
            ("--split_weights_by_layer=False", 1),
            ("--split_weights_by_layer=0", 1),
            ("--split_weights_by_layer False", 1),
        ],
    )
    def test_values(
        self, words: str, groups: int, official: Run, two: Path, tmp_path: Path
    ) -> None:
        result = official("--input_format=keras", *words.split(), two, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        model = json.loads((tmp_path / "out" / "model.json").read_text())
        assert len(model["weightsManifest"]) == groups

    def test_what_is_no_boolean(self, official: Run, two: Path) -> None:
        result = official("--input_format=keras", "--split_weights_by_layer=maybe", two, "out")
        assert result.exit_code == 2
        assert "'maybe' is not a valid boolean" in result.stderr


class TestShardSize:
    def test_it_cuts(self, official: Run, h5: Path, tmp_path: Path) -> None:
        for words in (("--weight_shard_size_bytes=20",), ("--weight_shard_size_bytes", "20")):
            result = official("--input_format=keras", *words, h5, tmp_path / "out")
            assert result.exit_code == 0, result.stderr
            sizes = [file.stat().st_size for file in sorted((tmp_path / "out").glob("*.bin"))]
            assert sizes == [20, 12]

    @pytest.mark.parametrize("size", ["0", "-5"])
    @pytest.mark.parametrize("equals", [True, False])
    def test_not_positive(self, size: str, equals: bool, official: Run, h5: Path) -> None:
        flag = "--weight_shard_size_bytes"
        words = [f"{flag}={size}"] if equals else [flag, size]
        result = official("--input_format=keras", *words, h5, "out")
        assert result.exit_code == 2
        assert result.stderr == (
            f"error: Expected weight_shard_size_bytes to be a positive integer, but got {size}\n"
        )

    def test_no_number(self, official: Run, h5: Path) -> None:
        result = official("--input_format=keras", "--weight_shard_size_bytes=4MB", h5, "out")
        assert result.exit_code == 2
        assert "'4MB' is not a valid integer" in result.stderr

    @pytest.mark.parametrize("output", ["keras", "keras_keras"])
    def test_not_for_keras(self, output: str, official: Run, web: Path, tmp_path: Path) -> None:
        result = official(
            *("--input_format=tfjs_layers_model", f"--output_format={output}"),
            *("--weight_shard_size_bytes=20", web, tmp_path / "out"),
        )
        assert result.exit_code == 2
        assert result.stderr == (
            "error: The --weight_shard_size_bytes flag is only supported when output_format is "
            "tfjs_layers_model or tfjs_graph_model.\n"
        )


class TestMetadata:
    def test_several(self, official: Run, h5: Path, tmp_path: Path) -> None:
        (tmp_path / "a, b.json").write_text('["x"]')
        (tmp_path / "c.json").write_text("{}")
        result = official(
            *(
                "--input_format=keras",
                "--metadata",
                f"one:{tmp_path}/a, b.json,two:{tmp_path}/c.json",
            ),
            *(h5, tmp_path / "out"),
        )
        assert result.exit_code == 0, result.stderr
        model = json.loads((tmp_path / "out" / "model.json").read_text())
        assert model["userDefinedMetadata"] == {"one": ["x"], "two": {}}

    @pytest.mark.parametrize("value", ["labels", "labels:", ":a.json"])
    def test_no_pair(self, value: str, official: Run, h5: Path) -> None:
        result = official("--input_format=keras", f"--metadata={value}", h5, "out")
        assert result.exit_code == 2
        assert f"--metadata takes KEY:FILE, not '{value}'" in result.stderr

    def test_no_json(self, official: Run, h5: Path, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text("nope")
        result = official("--input_format=keras", f"--metadata=a:{tmp_path}/a.json", h5, "out")
        assert result.exit_code == 3
        assert "a.json: is not valid JSON" in result.stderr


def test_flags_without_effect_are_told(official: Run, web: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    result = official(
        *("--input_format=tfjs_layers_model", "--quantize_uint8", "--split_weights_by_layer"),
        *(f"--metadata=a:{tmp_path}/a.json", web, tmp_path / "out.h5"),
    )
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "warning: --quantize_uint8 has no effect on keras output",
        "warning: --split_weights_by_layer has no effect on keras output",
        "warning: --metadata has no effect on keras output",
    ]
    assert (tmp_path / "out.h5").exists()


def test_flags_of_graph_models_are_taken(official: Run, h5: Path, tmp_path: Path) -> None:
    result = official(
        *("--input_format=keras", "--skip_op_check", "--strip_debug_ops=False"),
        *("--use_structured_outputs_names", "True", "--control_flow_v2=False", "--experiments=1"),
        *("--saved_model_tags", "serve", "--output_node_names=a,b", h5, tmp_path / "out"),
    )
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (
            "--signature_name=x",
            "The --signature_name flag is applicable only to tf_saved_model and tf_hub",
        ),
        (
            "--control_flow_v2=True",
            "The --control_flow_v2 flag is applicable only to tfjs_graph_model",
        ),
    ],
)
def test_flags_that_do_not_apply(flag: str, words: str, official: Run, h5: Path) -> None:
    result = official("--input_format=keras", flag, h5, "out")
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("flag", ["--input_format", "--output_format"])
def test_formats_that_are_none(flag: str, official: Run, h5: Path) -> None:
    result = official(flag, "onnx", h5, "out")
    assert result.exit_code == 2
    assert f"Invalid value for '{flag}': 'onnx' is not one of" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ((), "input_path"),
        (("",), "input_path"),
        (("in.h5",), "output_path"),
        (("--quantize_uint8", "in.h5"), "output_path"),
        (("in.h5", ""), "output_path"),
    ],
)
def test_missing_paths(arguments: tuple[str, ...], missing: str, official: Run) -> None:
    result = official("--input_format=keras", *arguments)
    assert result.exit_code == 2
    assert result.stderr == f"error: Missing {missing} argument\n  hint: see --help\n"


def test_too_many_paths(official: Run) -> None:
    result = official("--input_format=keras", "a", "b", "c")
    assert result.exit_code == 2
    assert "unexpected extra argument" in result.stderr


@pytest.mark.parametrize("name", ["My Drive/m.h5", "ünï cödé.h5"])
def test_paths_with_spaces(name: str, official: Run, h5: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    h5.rename(path)
    out = tmp_path / "web models" / "out put"
    result = official("--input_format=keras", "--quantize_uint8", path, out)
    assert result.exit_code == 0, result.stderr
    assert (out / "model.json").is_file()


@pytest.mark.parametrize(
    "given", ["keras", "keras_keras", "keras_saved_model", "tfjs_layers_model"]
)
def test_a_source_that_is_not_there(given: str, official: Run, tmp_path: Path) -> None:
    result = official(f"--input_format={given}", tmp_path / "none", tmp_path / "out.h5")
    assert result.exit_code == 3
    assert result.stderr == f"error: {tmp_path}/none: does not exist\n"


@pytest.mark.parametrize(
    "given", ["keras", "keras_keras", "keras_saved_model", "tfjs_layers_model"]
)
@pytest.mark.parametrize("kind", ["folder", "empty", "garbage"])
def test_a_source_that_is_something_else(
    given: str, kind: str, official: Run, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    if kind == "folder":
        source.mkdir()
    else:
        source.write_bytes(b"" if kind == "empty" else b"\x00garbage" * 99)
    result = official(f"--input_format={given}", source, tmp_path / "out")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert str(source) in result.stderr
    assert "Traceback" not in result.stderr


def test_an_output_path_that_is_a_file(official: Run, h5: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    result = official("--input_format=keras", h5, tmp_path / "out")
    assert result.exit_code == 2
    assert f"{tmp_path}/out: is a file, a folder is to be written there" in result.stderr
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("output", ["keras", "keras_keras"])
def test_an_output_path_that_is_a_folder(
    output: str, official: Run, web: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    flags = ("--input_format=tfjs_layers_model", f"--output_format={output}")
    result = official(*flags, web, tmp_path / "out")
    assert result.exit_code == 2
    assert f"{tmp_path}/out: is a folder, a file is to be written there" in result.stderr


def test_custom_layers_are_refused_by_name(official: Run, tmp_path: Path) -> None:
    result = official(*LAYERS, custom_model(tmp_path / "web"), tmp_path / "out")
    assert result.exit_code == 4
    assert "is no Keras layer" in result.stderr


@pytest.mark.parametrize("word", ["--version", "-v"])
def test_version(word: str, official: Run) -> None:
    result = official(word)
    assert (result.exit_code, result.stdout) == (0, f"tfjs {package.__version__}\n")


def test_help(official: Run) -> None:
    result = official("--help")
    assert result.exit_code == 0
    for flag in (
        *("--input_format", "--output_format", "--signature_name", "--saved_model_tags"),
        *("--quantize_float16", "--quantize_uint8", "--quantize_uint16", "--quantization_bytes"),
        *("--split_weights_by_layer", "--version", "--skip_op_check", "--strip_debug_ops"),
        *("--use_structured_outputs_names", "--weight_shard_size_bytes", "--output_node_names"),
        *("--control_flow_v2", "--experiments", "--metadata"),
    ):
        assert f"{flag} " in result.stdout or f"{flag}\n" in result.stdout
