"""The public names, what importing them costs, and what they promise whatever the format."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support import seeds
from tests.support.tiny_models import write_dense_model
from tests.support.tools import REPO
from tfjs.formats.registry import all_formats

HEAVY = ["numpy", "h5py", "google", "google_crc32c", "click", "rich", "tensorflow", "keras", "json"]


def loaded_after(code: str) -> list[str]:
    """Which heavy packages a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    names: list[str] = json.loads(done.stdout.splitlines()[-1].replace("'", '"'))
    return names


class TestNames:
    def test_every_public_name_is_there(self) -> None:
        assert tfjs.__all__ == sorted(tfjs.__all__)
        for name in tfjs.__all__:
            assert getattr(tfjs, name) is not None
        assert dir(tfjs) == sorted(tfjs.__all__)

    def test_a_star_import_has_the_same(self) -> None:
        names: dict[str, object] = {}
        exec("from tfjs import *", names)
        assert set(names) - {"__builtins__"} == set(tfjs.__all__)

    def test_every_error_is_public(self) -> None:
        from tfjs import errors

        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
        names = {kind.__name__ for kind in kinds if issubclass(kind, errors.TfjsError)}
        assert names <= set(tfjs.__all__)
        assert {name for name in tfjs.__all__ if name.endswith("Error")} == names

    def test_a_name_that_is_not_there(self) -> None:
        with pytest.raises(AttributeError, match=r"module 'tfjs' has no attribute 'converter'"):
            tfjs.converter  # noqa: B018
        with pytest.raises(ImportError):
            exec("from tfjs import nothing")

    def test_the_version_is_that_of_the_distribution(self) -> None:
        from importlib.metadata import version

        assert tfjs.__version__ == version("tfjs")


class TestImports:
    def test_tfjs_alone_loads_nothing(self) -> None:
        assert loaded_after("import tfjs; tfjs.__version__; dir(tfjs)") == []

    def test_errors_load_nothing(self) -> None:
        assert loaded_after("from tfjs import TfjsError, UnsupportedError") == []

    @pytest.mark.parametrize("module", ["main", "converter"])
    @pytest.mark.parametrize("word", ["--help", "--version"])
    def test_the_commands_load_no_numpy_to_tell_of_themselves(self, module: str, word: str) -> None:
        code = (
            f"from tfjs.cli.{module} import main; import sys; sys.argv = ['x', {word!r}]\n"
            "try: main()\nexcept SystemExit as end: assert end.code == 0"
        )
        assert set(loaded_after(code)) <= {"click", "json"}

    def test_a_conversion_loads_only_what_it_needs(self, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        code = f"import tfjs; tfjs.convert({str(web)!r}, {str(tmp_path / 'out')!r})"
        assert set(loaded_after(code)) == {"numpy", "json"}


class TestErrors:
    def test_the_text_is_place_cause_and_hint(self) -> None:
        error = tfjs.FormatError("is broken", where="m.h5", hint="mend it")
        assert (error.message, error.where, error.hint) == ("is broken", "m.h5", "mend it")
        assert str(error) == "m.h5: is broken\n  hint: mend it"
        assert str(tfjs.FormatError("is broken")) == "is broken"
        assert error.args == ("is broken",)

    def test_problems_are_listed(self) -> None:
        error = tfjs.UnsupportedError("no", problems=["a: x", "b: y"], where="m", hint="h")
        assert error.problems == ("a: x", "b: y")
        assert str(error) == "m: no\n  - a: x\n  - b: y\n  hint: h"
        assert tfjs.UnsupportedError("no").problems == ()

    def test_the_tree(self) -> None:
        for kind in (tfjs.UnknownFormatError, tfjs.CorruptFileError, tfjs.UnsafeFileError):
            assert issubclass(kind, tfjs.FormatError)
        names = [name for name in tfjs.__all__ if name.endswith("Error")]
        assert all(issubclass(getattr(tfjs, name), tfjs.TfjsError) for name in names)
        assert not issubclass(tfjs.TfjsError, (ValueError, OSError, KeyError))


class TestReport:
    @pytest.fixture
    def report(self, tmp_path: Path) -> tfjs.Report:
        web = write_dense_model(tmp_path / "web")[0]
        return tfjs.convert(web, tmp_path / "öut")

    def test_its_fields(self, report: tfjs.Report, tmp_path: Path) -> None:
        assert [field.name for field in dataclasses.fields(report)] == [
            *("source", "source_format", "producer", "dest", "dest_format", "inputs", "outputs"),
            *("layers", "ops", "parameters", "files", "rewrites"),
            *("optimizations", "notes", "verification"),
        ]
        assert report.verification is not None
        assert report.verification.ok
        assert report.verification.skipped is None
        assert (report.source, report.source_format) == (str(tmp_path / "web"), "tfjs-layers")
        assert (report.dest, report.dest_format) == (str(tmp_path / "öut"), "tfjs-layers")
        assert (report.layers, report.parameters) == (1, 8)
        assert [(port.name, port.dtype, port.shape) for port in report.inputs] == [
            ("d_input", "float32", (None, 3))
        ]
        sizes = {file.name: file.stat().st_size for file in (tmp_path / "öut").iterdir()}
        assert dict(report.files) == sizes
        assert report.nbytes == sum(sizes.values())
        with pytest.raises(dataclasses.FrozenInstanceError):
            report.layers = 2  # type: ignore[misc]

    def test_json(self, report: tfjs.Report) -> None:
        text = report.to_json()
        assert text.isascii()
        assert "\n" not in text
        fields = json.loads(text)
        assert list(fields) == [field.name for field in dataclasses.fields(report)]
        assert fields["dest"] == report.dest
        assert fields["inputs"] == [{"name": "d_input", "dtype": "float32", "shape": [None, 3]}]
        assert [tuple(file) for file in fields["files"]] == report.files


class TestModel:
    @pytest.fixture
    def model(self, tmp_path: Path) -> tfjs.Model:
        return tfjs.load(seeds.branching(tmp_path / "web"))

    def test_layers_in_the_source_s_order(self, model: tfjs.Model) -> None:
        names = [layer.name for layer in model.layers]
        assert names == ["left", "right", "one", "twice", "join", "u", "v"]
        assert model.name == "branching"
        assert model.format == "tfjs-layers"
        assert repr(model) == "<tfjs.LayersModel 'branching' from tfjs-layers, 8 weights>"

    def test_weights_by_name(self, model: tfjs.Model) -> None:
        names = ["one/kernel", "one/bias", "twice/t/kernel", "twice/t/bias"]
        names += ["u/kernel", "u/bias", "v/kernel", "v/bias"]
        assert list(model.weights) == names
        assert len(model.weights) == 8
        assert "one/kernel" in model.weights
        assert "one" not in model.weights
        with pytest.raises(KeyError):
            model.weights["one"]
        kernel = model.weights["one/kernel"]
        assert (kernel.shape, kernel.dtype.name) == ((4, 3), "float32")
        assert dict(model.weights).keys() == set(names)

    def test_an_array_cannot_be_changed(self, model: tfjs.Model) -> None:
        with pytest.raises(ValueError, match="read-only"):
            model.weights["one/kernel"][0] = 0

    def test_shapes_cost_no_reading(self, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        model = tfjs.load(web)
        for shard in web.glob("*.bin"):
            shard.unlink()
        tensor = model.weights.tensor("d/kernel")
        assert (tensor.dtype, tensor.shape, tensor.nbytes) == ("float32", (3, 2), 24)
        with pytest.raises(tfjs.FormatError, match="No such file"):
            model.weights["d/kernel"]

    def test_weights_without_a_model(self, tmp_path: Path) -> None:
        path = seeds.manifest(tmp_path / "w")
        model = tfjs.load(path)
        assert model.layers == []
        assert model.name == str(path)
        assert list(model.weights) == ["a", "b", "c", "d", "e", "f"]
        assert model.weights["d"].tolist() == [b"hi", b""]
        np.testing.assert_allclose(model.weights["f"], [-1.0, -0.9, -0.8, -0.7])

    def test_an_unknown_format(self, tmp_path: Path) -> None:
        with pytest.raises(tfjs.UsageError, match="there is no format 'onnx'"):
            tfjs.load(write_dense_model(tmp_path / "web")[0], from_="onnx")

    @pytest.mark.parametrize("name", sorted(all_formats()))
    def test_what_is_not_there(self, name: str, tmp_path: Path) -> None:
        for from_ in (None, name):
            with pytest.raises(tfjs.FormatError, match="does not exist"):
                tfjs.load(tmp_path / "none", from_=from_)
            with pytest.raises(tfjs.FormatError, match=r"does not exist|cannot be read|holds no"):
                tfjs.convert(tmp_path / "none", tmp_path / "out", from_=from_)

    def test_an_empty_path(self, tmp_path: Path) -> None:
        model = tfjs.load(write_dense_model(tmp_path / "web")[0])
        with pytest.raises(tfjs.UsageError, match="the output path is empty"):
            model.save("")


def files_of(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of every file in a folder."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*.*")}


# Every writer, with a seed that it takes, the name of the result, and options.
WRITERS = {
    "tfjs-layers": ("layers-branching", "web", {}),
    "tfjs-layers options": (
        "layers-recurrent",
        "web",
        {
            "quantize": {"uint8": ["each/*"], "float16": True},
            "shard_size": 100,
            "split_weights_by_layer": True,
            "metadata": {"labels": ["b", "a"]},
        },
    ),
    "tfjs-weights": ("weights-manifest", "weights", {}),
    "tfjs-weights manifest": ("weights-manifest", "x-weights_manifest.json", {}),
    "keras-h5": ("h5-recurrent", "model.h5", {}),
    "keras": ("keras-recurrent", "model.keras", {}),
    "h5-weights": ("h5-weights-legacy", "weights.h5", {}),
    "tfjs-graph": ("frozen-small", "web", {}),
    "saved-model": ("frozen-small", "saved", {"to": "saved-model"}),
    "frozen-graph": ("frozen-small", "frozen.pb", {}),
    "tfjs-graph table": ("saved-table", "web", {"shard_size": 100}),
}


def test_every_writer_is_among_them() -> None:
    written = {name for name, entry in all_formats().items() if entry.write is not None}
    assert {name.partition(" ")[0] for name in WRITERS} == written


@pytest.mark.parametrize("case", WRITERS)
def test_save_writes_what_convert_writes(case: str, tmp_path: Path) -> None:
    kind, name, _ = WRITERS[case]
    options: Any = WRITERS[case][2]
    source = seeds.SEEDS[kind][1](tmp_path / "source")
    one = tfjs.convert(source, tmp_path / "one" / name, **options)
    model = tfjs.load(source)
    other = model.save(tmp_path / "other" / name, **options)
    assert dataclasses.replace(other, dest=one.dest) == one
    assert one.dest_format == case.partition(" ")[0]
    assert files_of(tmp_path / "one") == files_of(tmp_path / "other")


_CONVERT_ALL = """
import sys
from pathlib import Path
from typing import Any
from tests.support import seeds
from tests.test_api import WRITERS
import tfjs
root = Path(sys.argv[1])
for number, (kind, name, options) in enumerate(WRITERS.values()):
    source = seeds.SEEDS[kind][1](root / "sources" / str(number))
    tfjs.convert(source, root / "out" / str(number) / name, **options)
"""


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Whatever the time of day, the order of hashes and the names of folders."""
    for number, root in enumerate((tmp_path / "one", tmp_path / "the other")):
        subprocess.run(
            [sys.executable, "-c", _CONVERT_ALL, str(root)],
            cwd=REPO,
            env={**os.environ, "PYTHONHASHSEED": str(number), "TZ": ("UTC", "Asia/Tokyo")[number]},
            check=True,
        )
        time.sleep(2.1 * (number == 0))  # a zip tells the time by two seconds
    one, other = files_of(tmp_path / "one" / "out"), files_of(tmp_path / "the other" / "out")
    assert len(one) >= len(WRITERS)
    assert [name for name in one if one[name] != other.get(name)] == []
    assert one.keys() == other.keys()
