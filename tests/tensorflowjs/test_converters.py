"""`tensorflowjs.converters`: live Keras models, and the command from Python."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tensorflowjs import converters
from tensorflowjs.converters import keras_models
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, FormatError, MissingDependencyError, UsageError

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def _model(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.BatchNormalization(name="bn"),
            layers.Dense(2, name="last"),
        ]
    )
    rng = np.random.default_rng(3)
    model.set_weights([np.abs(rng.standard_normal(w.shape)) + 0.1 for w in model.get_weights()])
    return model


@pytest.fixture(params=["keras", "tf_keras"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Keras, which the functions take for the one that is installed."""
    module: ModuleType = request.getfixturevalue(request.param)
    monkeypatch.setattr(keras_models, "_keras", lambda: module)
    return module


@pytest.fixture
def saved(library: Any, tmp_path: Path) -> tuple[Any, Path]:
    """A model, and the folder that it was saved to in small shards."""
    model = _model(library)
    folder = tmp_path / "web"
    converters.save_keras_model(model, str(folder), weight_shard_size_bytes=50, metadata={"a": [1]})
    return model, folder


def _same(model: Any, other: Any) -> None:
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)
    assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
    assert np.allclose(model.predict(X, verbose=0), other.predict(X, verbose=0), atol=1e-6)


def test_save(saved: tuple[Any, Path], tfjs_runtime: TfjsRuntime) -> None:
    model, folder = saved
    document = json.loads((folder / "model.json").read_text())
    assert document["userDefinedMetadata"] == {"a": [1]}
    assert len(document["weightsManifest"][0]["paths"]) == 8
    (answer,) = tfjs_runtime.predict_layers(folder, [X])
    assert np.allclose(answer, model.predict(X, verbose=0), atol=1e-5)


def test_save_quantised(library: Any, tmp_path: Path) -> None:
    converters.save_keras_model(
        _model(library), tmp_path / "web", quantization_dtype_map={"uint8": "*kernel"}
    )
    document = json.loads((tmp_path / "web" / "model.json").read_text())
    weights = document["weightsManifest"][0]["weights"]
    assert ["quantization" in weight for weight in weights].count(True) == 2


def test_load(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    _same(model, converters.load_keras_model(str(folder / "model.json")))


def test_load_with_weights_elsewhere(saved: tuple[Any, Path], tmp_path: Path) -> None:
    model, folder = saved
    config = folder / "model.json"
    moved = config.rename(tmp_path / "model.json")
    _same(model, converters.load_keras_model(moved, weights_path_prefix=folder))
    with pytest.raises(CorruptFileError, match="is missing"):
        converters.load_keras_model(moved)
    with pytest.raises(UsageError, match="weights_path_prefix is no folder"):
        converters.load_keras_model(moved, weights_path_prefix=tmp_path / "absent")


def _buffers(folder: Path) -> list[bytes]:
    document = json.loads((folder / "model.json").read_text())
    return [
        b"".join((folder / path).read_bytes() for path in entry["paths"])
        for entry in document["weightsManifest"]
    ]


def test_load_with_buffers(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    config, buffers = folder / "model.json", _buffers(folder)
    _same(model, converters.load_keras_model(config, weights_data_buffers=buffers))
    with pytest.raises(UsageError, match="not both"):
        converters.load_keras_model(
            config, weights_path_prefix=folder, weights_data_buffers=buffers
        )


def test_load_without_weights(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    for shard in folder.glob("*.bin"):
        shard.unlink()
    other = converters.load_keras_model(folder / "model.json", load_weights=False)
    assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
    assert [w.shape for w in other.get_weights()] == [w.shape for w in model.get_weights()]
    # What Keras initialises: neither the saved weights nor zeros.
    kernel = other.layers[0].get_weights()[0]
    assert np.abs(kernel).max() > 0
    assert not np.array_equal(kernel, model.layers[0].get_weights()[0])


def test_deserialize(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    text = (folder / "model.json").read_text()
    buffers = _buffers(folder)
    for config in (json.loads(text), text, text.encode(), io.StringIO(text)):
        _same(model, converters.deserialize_keras_model(config, buffers))
    files = [io.BytesIO(buffer) for buffer in buffers]
    _same(model, converters.deserialize_keras_model(text, files, use_unique_name_scope=True))
    blank = converters.deserialize_keras_model(text)
    assert [w.shape for w in blank.get_weights()] == [w.shape for w in model.get_weights()]
    with pytest.raises(UsageError, match="must be a list of buffers, not bytes"):
        converters.deserialize_keras_model(text, buffers[0])
    with pytest.raises(UsageError, match="has 1 groups, 2 buffers"):
        converters.deserialize_keras_model(text, buffers * 2)


def test_damaged_config() -> None:
    with pytest.raises(CorruptFileError, match="config_json: has no modelTopology"):
        converters.deserialize_keras_model({})
    with pytest.raises(CorruptFileError, match="has no weightsManifest"):
        converters.deserialize_keras_model('{"modelTopology": {}}')
    with pytest.raises(CorruptFileError, match="an object was expected"):
        converters.deserialize_keras_model("[]")
    with pytest.raises(CorruptFileError, match="is not valid JSON"):
        converters.deserialize_keras_model("{")
    with pytest.raises(FormatError, match="No such file"):
        converters.load_keras_model("absent.json", load_weights=False)


def test_without_any_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("keras", "tf_keras"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match="a live model needs Keras") as caught:
        converters.load_keras_model(tmp_path / "model.json")
    assert "pip install keras" in str(caught.value)


def test_the_package_imports_no_framework() -> None:
    code = (
        "import sys, tensorflowjs; names = ('keras', 'tf_keras', 'tensorflow', 'jax', 'click');"
        "print([name for name in names if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_convert_takes_the_arguments_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="Missing output_path argument"):
        converters.convert(["--input_format=keras", "a.h5"])
    with pytest.raises(UsageError, match=r"No such option.*--nonsense"):
        converters.convert(["--nonsense", "a", "b"])
    with pytest.raises(FormatError, match="does not exist"):
        converters.convert(["--input_format=keras", str(tmp_path / "a b.h5"), str(tmp_path / "o")])
    converters.convert(["--version"])
    assert capsys.readouterr().out.startswith("tfjs ")
