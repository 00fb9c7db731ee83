from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tfjs as package
from tests.cli.conftest import Run
from tests.support.protocol import Array, JsonObject
from tests.support.tiny_models import dense_layer, dense_weights, sequential, write_layers_model
from tfjs.formats.registry import all_formats


def manifest(folder: Path) -> list[JsonObject]:
    """The weights that a converted model lists."""
    groups: list[JsonObject] = json.loads((folder / "model.json").read_text())["weightsManifest"]
    return [weight for group in groups for weight in group["weights"]]


def test_what_a_person_sees(tfjs: Run, web: Path, tmp_path: Path) -> None:
    result = tfjs("convert", web, tmp_path / "out")
    assert result.exit_code == 0
    assert result.stderr == ""
    read, wrote, *ports, verified = result.stdout.splitlines()
    assert read == f"read      {web} (tfjs-layers, keras 2.15.0, 1 layer, 8 parameters)"
    size = sum(file.stat().st_size for file in (tmp_path / "out").iterdir())
    assert wrote == (
        f"wrote     {tmp_path}/out (tfjs-layers, {size} B: model.json, group1-shard1of1.bin)"
    )
    assert ports == ["  input   d_input  float32 [?, 3]", "  output  d  float32 [?, 2]"]
    assert verified == "verified  the output answered as by the source, exactly"


def test_rewrites_and_notes_are_told(tfjs: Run, tmp_path: Path) -> None:
    flip = {"class_name": "RandomFlip", "config": {"name": "flip", "mode": "horizontal"}}
    layers = [dense_layer("d", 2, inputs=3), flip]
    web = write_layers_model(tmp_path / "web", sequential(layers), dense_weights("d", 3, 2))
    result = tfjs("convert", web, tmp_path / "out", "--quantize", "uint8=nothing*")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("read", "rewrote", "note", "wrote", "input", "output", "verified")
    ]
    assert lines[1].startswith("rewrote   flip: ")
    assert "no weight is named like 'nothing*'" in lines[2]


def test_json_is_one_object_and_nothing_else(tfjs: Run, web: Path, tmp_path: Path) -> None:
    result = tfjs("convert", web, tmp_path / "out", "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    report = json.loads(result.stdout)
    size = (tmp_path / "out" / "model.json").stat().st_size
    verification = report.pop("verification")
    (output,) = verification.pop("outputs")
    assert verification == {
        "ok": True,
        "skipped": None,
        "engine": "numpy",
        "inputs": {"d_input": "float32[2,3]"},
        "weights": [],
    }
    assert 0 < output.pop("bound") < 1e-5
    assert output == {
        "name": "d",
        "shape": [2, 2],
        "dtype": "float32",
        "largest": 0,
        "relative": 0,
        "problem": None,
        "ok": True,
    }
    assert report == {
        "source": str(web),
        "source_format": "tfjs-layers",
        "producer": "keras 2.15.0",
        "dest": str(tmp_path / "out"),
        "dest_format": "tfjs-layers",
        "inputs": [{"name": "d_input", "dtype": "float32", "shape": [None, 3]}],
        "outputs": [{"name": "d", "dtype": "float32", "shape": [None, 2]}],
        "layers": 1,
        "ops": {},
        "parameters": 8,
        "files": [["model.json", size], ["group1-shard1of1.bin", 32]],
        "rewrites": {},
        "optimizations": {},
        "notes": [],
    }


def test_json_of_a_failure_is_empty(tfjs: Run, tmp_path: Path) -> None:
    result = tfjs("convert", tmp_path / "none", tmp_path / "out", "--json")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == f"error: {tmp_path}/none: does not exist\n"


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.hdf5", "MODEL.H5"])
def test_the_ending_of_dest_chooses_the_format(
    name: str, tfjs: Run, web: Path, tmp_path: Path
) -> None:
    result = tfjs("convert", web, tmp_path / name, "--json")
    assert result.exit_code == 0, result.stderr
    expected = "keras" if name.endswith("keras") else "keras-h5"
    assert json.loads(result.stdout)["dest_format"] == expected
    again = tfjs("convert", tmp_path / name, tmp_path / "out", "--json")
    assert json.loads(again.stdout)["source_format"] == expected
    assert (tmp_path / "out" / "group1-shard1of1.bin").read_bytes() == b"".join(
        shard.read_bytes() for shard in sorted(web.glob("*.bin"))
    )


def test_from_and_to_override(tfjs: Run, web: Path, tmp_path: Path) -> None:
    result = tfjs(
        *("convert", web, tmp_path / "model.bin", "--from", "tfjs-layers", "--to", "keras-h5")
    )
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "model.bin").read_bytes().startswith(b"\x89HDF")
    result = tfjs("convert", tmp_path / "model.bin", tmp_path / "out", "--from", "keras")
    assert result.exit_code == 3


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_an_unknown_format_lists_the_known(
    option: str, tfjs: Run, web: Path, tmp_path: Path
) -> None:
    result = tfjs("convert", web, tmp_path / "out", option, "onnx")
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: there is no format 'onnx'\n  hint: formats: {', '.join(sorted(all_formats()))}\n"
    )


def test_formats_that_are_only_read(tfjs: Run, web: Path, tmp_path: Path) -> None:
    result = tfjs("convert", web, tmp_path / "out", "--to", "keras-saved-model")
    assert result.exit_code == 4
    assert result.stderr == "error: tfjs reads tf.keras SavedModels but does not write them\n"


@pytest.mark.parametrize("name", ["out.json", "out.pb", "out.tflite", "out.onnx", "out.zip"])
def test_an_ending_that_means_no_format(name: str, tfjs: Run, web: Path, tmp_path: Path) -> None:
    result = tfjs("convert", web, tmp_path / name)
    assert result.exit_code == 2
    assert f"{name}: no format to write ends in .{name.partition('.')[2]}" in result.stderr
    assert "a folder makes a TF.js model" in result.stderr
    assert not (tmp_path / name).exists()


def test_quantize(tfjs: Run, web: Path, web_weights: dict[str, Array], tmp_path: Path) -> None:
    rules = ("--quantize", "uint8=*/kernel", "--quantize", "float16")
    assert tfjs("convert", web, tmp_path / "out", *rules).exit_code == 0
    kernel, bias = manifest(tmp_path / "out")
    assert (kernel["name"], kernel["quantization"]["dtype"]) == ("d/kernel", "uint8")
    assert (bias["name"], bias["quantization"]["dtype"]) == ("d/bias", "float16")
    assert (tmp_path / "out" / "group1-shard1of1.bin").stat().st_size == 6 + 4
    expanded = package.load(tmp_path / "out").weights
    step = np.ptp(web_weights["d/kernel"]) / 255
    assert np.abs(expanded["d/kernel"] - web_weights["d/kernel"]).max() <= step / 2 + 1e-7
    np.testing.assert_array_equal(
        expanded["d/bias"], web_weights["d/bias"].astype("float16").astype("float32")
    )
    # And out of fewer bytes again.
    assert tfjs("convert", tmp_path / "out", tmp_path / "wide", "--dequantize").exit_code == 0
    assert all("quantization" not in weight for weight in manifest(tmp_path / "wide"))
    np.testing.assert_array_equal(
        package.load(tmp_path / "wide").weights["d/kernel"], expanded["d/kernel"]
    )


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["int8"], "weights cannot be stored as 'int8'"),
        (["uint8="], "--quantize uint8= names no weights"),
        (["uint8", "uint16"], "both uint8 and uint16 are to take all other weights"),
        (["uint8=d/*", "float16=*/bias"], "both uint8 and float16 are to store the weight"),
    ],
)
def test_quantisation_that_makes_no_sense(
    rules: list[str], words: str, tfjs: Run, web: Path, tmp_path: Path
) -> None:
    options = [word for rule in rules for word in ("--quantize", rule)]
    result = tfjs("convert", web, tmp_path / "out", *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_options_of_tfjs_models_are_refused_for_keras(tfjs: Run, web: Path, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{}")
    for options in (
        ("--quantize", "uint8"),
        ("--shard-size", "1MB"),
        ("--split-weights-by-layer",),
        ("--metadata", f"a:{tmp_path}/m.json"),
    ):
        result = tfjs("convert", web, tmp_path / "model.keras", *options)
        assert result.exit_code == 2
        assert f"{options[0]} cannot be used for" in result.stderr
        assert not (tmp_path / "model.keras").exists()


@pytest.mark.parametrize(
    ("size", "files"), [("16", [16, 16]), ("20 B", [20, 12]), ("1KiB", [32]), ("1GB", [32])]
)
def test_shard_size(size: str, files: list[int], tfjs: Run, web: Path, tmp_path: Path) -> None:
    assert tfjs("convert", web, tmp_path / "out", "--shard-size", size).exit_code == 0
    shards = sorted((tmp_path / "out").glob("*.bin"))
    assert [shard.name for shard in shards] == [
        f"group1-shard{i}of{len(files)}.bin" for i in range(1, len(files) + 1)
    ]
    assert [shard.stat().st_size for shard in shards] == files


def test_a_bad_shard_size(tfjs: Run, web: Path, tmp_path: Path) -> None:
    result = tfjs("convert", web, tmp_path / "out", "--shard-size", "4 megs")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: '4 megs' is no size in bytes\n  hint: such as 4MiB, 500KB or 4194304\n"
    )


def test_split_weights_by_layer(tfjs: Run, tmp_path: Path) -> None:
    weights = dense_weights("a", 3, 4) | dense_weights("b", 4, 2)
    layers = [dense_layer("a", 4, inputs=3), dense_layer("b", 2)]
    web = write_layers_model(tmp_path / "web", sequential(layers), weights)
    assert tfjs("convert", web, tmp_path / "out", "--split-weights-by-layer").exit_code == 0
    groups = json.loads((tmp_path / "out" / "model.json").read_text())["weightsManifest"]
    assert [[weight["name"] for weight in group["weights"]] for group in groups] == [
        ["a/kernel", "a/bias"],
        ["b/kernel", "b/bias"],
    ]
    assert (tmp_path / "out" / "group2-shard1of1.bin").stat().st_size == 40


def test_metadata(tfjs: Run, web: Path, tmp_path: Path) -> None:
    (tmp_path / "my labels.json").write_text('["cät"]')
    (tmp_path / "b.json").write_text('{"c": 1}')
    options = ("--metadata", f"labels:{tmp_path}/my labels.json", "--metadata")
    result = tfjs("convert", web, tmp_path / "out", *options, f"b:{tmp_path}/b.json")
    assert result.exit_code == 0
    model = json.loads((tmp_path / "out" / "model.json").read_text())
    assert model["userDefinedMetadata"] == {"labels": ["cät"], "b": {"c": 1}}
    # What the source has is kept.
    tfjs("convert", tmp_path / "out", tmp_path / "again", "--metadata", f"b:{tmp_path}/b.json")
    assert json.loads((tmp_path / "again" / "model.json").read_text())["userDefinedMetadata"] == {
        "labels": ["cät"],
        "b": {"c": 1},
    }


def test_metadata_that_is_missing(tfjs: Run, web: Path, tmp_path: Path) -> None:
    result = tfjs("convert", web, tmp_path / "out", "--metadata", f"a:{tmp_path}/none.json")
    assert result.exit_code == 3
    assert "none.json: cannot be read: No such file or directory" in result.stderr


def custom_model(folder: Path) -> Path:
    """A Dense layer and one of a class that is not Keras's."""
    mine = {"class_name": "Mine>Wave", "config": {"name": "w", "speed": 2}}
    layers = [dense_layer("d", 2, inputs=3), mine]
    return write_layers_model(folder, sequential(layers), dense_weights("d", 3, 2))


def test_custom_layers(tfjs: Run, tmp_path: Path) -> None:
    web = custom_model(tmp_path / "web")
    result = tfjs("convert", web, tmp_path / "out")
    assert result.exit_code == 4
    assert "is no Keras layer" in result.stderr
    assert "w" in result.stderr
    assert "--custom-layers keep" in result.stderr
    assert not (tmp_path / "out").exists()
    result = tfjs("convert", web, tmp_path / "out", "--custom-layers", "keep")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^note .*registerClass", result.stdout, re.MULTILINE)
    layers = json.loads((tmp_path / "out" / "model.json").read_text())
    layers = layers["modelTopology"]["model_config"]["config"]["layers"]
    assert [layer["class_name"] for layer in layers][-1].endswith("Wave")
    assert layers[-1]["config"]["speed"] == 2


@pytest.mark.parametrize(
    "name", ["with a space", "ünï/cödé 模型", "a'b\"c", "$HOME", "--out", "tail ", "a,b:c"]
)
@pytest.mark.parametrize("suffix", ["", ".keras", ".h5"])
def test_odd_paths(name: str, suffix: str, tfjs: Run, web: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd" / (name + suffix)
    result = tfjs("convert", web, path)
    assert result.exit_code == 0, result.stderr
    assert f"wrote     {path} (" in result.stdout
    result = tfjs("convert", path, tmp_path / "odd" / f"{name} back", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["source"] == str(path)
    assert (tmp_path / "odd" / f"{name} back" / "group1-shard1of1.bin").stat().st_size == 32


def test_in_place(tfjs: Run, web: Path, web_weights: dict[str, Array]) -> None:
    (web / "labels.txt").write_text("cat")
    assert tfjs("convert", web, web, "--quantize", "float16").exit_code == 0
    assert sorted(entry.name for entry in web.iterdir()) == [
        *("group1-shard1of1.bin", "labels.txt", "model.json")
    ]
    np.testing.assert_array_equal(
        package.load(web).weights["d/kernel"], web_weights["d/kernel"].astype("float16")
    )


@pytest.mark.parametrize("arguments", [(), ("web",), ("web", "out", "more"), ("a", "b", "--nope")])
def test_wrong_usage(arguments: tuple[str, ...], tfjs: Run) -> None:
    result = tfjs("convert", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: ")
    assert "tfjs convert --help" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("", "out"), "the source path is empty"),
        (("{web}", ""), "the output path is empty"),
        (("x" * 300, "out"), "does not exist"),
        (("{tmp}", "out"), "is no model that tfjs reads: a folder with web"),
        (("{tmp}/nothing/here", "out"), "does not exist"),
    ],
)
def test_paths_that_lead_nowhere(
    arguments: tuple[str, str], words: str, tfjs: Run, web: Path, tmp_path: Path
) -> None:
    filled = [word.format(web=web, tmp=tmp_path) for word in arguments]
    result = tfjs("convert", filled[0], filled[1] and tmp_path / filled[1])
    assert result.exit_code in (2, 3)
    assert words in result.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["web"]


def test_debug_shows_the_traceback(tfjs: Run, tmp_path: Path) -> None:
    result = tfjs("convert", tmp_path / "none", tmp_path / "out", "--debug")
    assert result.exit_code == 3
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert result.stderr.endswith(f"error: {tmp_path}/none: does not exist\n")


def test_help(tfjs: Run) -> None:
    for word in ("--help", "-h"):
        result = tfjs(word)
        assert result.exit_code == 0
        assert "convert  Convert a model from one format to another." in result.stdout
    text = tfjs("convert", "--help").stdout
    for word in (
        *("--from", "--to", "--weights", "--quantize", "--dequantize", "--shard-size"),
        *("--split-weights-by-layer", "--metadata", "--custom-layers", "--json", "--debug"),
    ):
        assert f"  {word} " in text
    assert "tfjs convert model.keras web_model\n" in text
    assert "Exit codes: 0 done, 2 wrong usage" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_help_names_every_format(tfjs: Run) -> None:
    text = tfjs("convert", "--help").stdout
    for name in sorted(all_formats()):
        assert name in text


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version(word: str, tfjs: Run) -> None:
    result = tfjs(word)
    assert (result.exit_code, result.stdout) == (0, f"tfjs {package.__version__}\n")


class TestVerify:
    """`--verify`, `--verify=tfjs` and `--no-verify`."""

    def test_a_bare_flag_takes_no_path(self, tfjs: Run, web: Path, tmp_path: Path) -> None:
        for words in (["--verify", web], [web, "--verify"]):
            result = tfjs("convert", *words, tmp_path / "out")
            assert result.exit_code == 0, result.stderr
            assert "verified  the output answered as by the source" in result.stdout

    def test_it_may_be_left_out(self, tfjs: Run, web: Path, tmp_path: Path) -> None:
        result = tfjs("convert", web, tmp_path / "out", "--no-verify", "--json")
        assert json.loads(result.stdout)["verification"] is None

    def test_a_path_of_its_name(
        self, tfjs: Run, web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        result = tfjs("convert", "--", web, "--verify")
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / "--verify" / "model.json").is_file()

    def test_in_the_real_tfjs(self, tfjs: Run, web: Path, tmp_path: Path, in_node: None) -> None:
        result = tfjs("convert", "--verify=tfjs", web, tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert "verified  the output answered in TF.js as by the source, " in result.stdout

    def test_only_tfjs_models_run_there(self, tfjs: Run, web: Path, tmp_path: Path) -> None:
        result = tfjs("convert", "--verify=tfjs", web, tmp_path / "model.h5")
        assert result.exit_code == 2
        assert "verify='tfjs' runs TF.js models, the result is a Keras HDF5 model" in result.stderr
        assert not (tmp_path / "model.h5").exists()

    def test_without_node(
        self, tfjs: Run, web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        result = tfjs("convert", "--verify=tfjs", web, tmp_path / "out")
        assert result.exit_code == 7
        assert "error: Node, which runs TF.js, is not on the PATH" in result.stderr
        assert "npm install @tensorflow/tfjs" in result.stderr
        assert not (tmp_path / "out").exists()

    def test_how_far_quantisation_leads(self, tfjs: Run, web: Path, tmp_path: Path) -> None:
        result = tfjs("convert", web, tmp_path / "out", "--quantize", "uint8")
        verified, *weights = result.stdout.splitlines()[-3:]
        assert re.fullmatch(r"verified  the output answered as by the source, to 0\.0\d+", verified)
        assert re.fullmatch(r"  weight  d/kernel  uint8, off by 0\.00\d+ \(0\.\d\d%\)", weights[0])
        # Two numbers are the smallest and the largest.
        assert weights[1] == "  weight  d/bias  uint8, off by 0 (0.00%)"
        result = tfjs(
            "convert", web, tmp_path / "q", "--quantize", "uint8", "--max-error", "0.0001"
        )
        assert result.exit_code == 6
        assert "output 'd' differs by" in result.stderr
        assert "a larger --max-error lets it pass" in result.stderr
        assert not (tmp_path / "q").exists()
