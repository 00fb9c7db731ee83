from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

Shape = tuple[int | None, ...]


def read_manifest(folder: Path) -> list[str]:
    """The names of the weights of a TF.js model."""
    groups = json.loads((folder / "model.json").read_text())["weightsManifest"]
    return [entry["name"] for group in groups for entry in group["weights"]]


def _check(
    keras: ModuleType,
    runtime: TfjsRuntime,
    folder: Path,
    layer: Any,
    shape: Shape,
    *,
    backend: str = "cpu",
) -> Any:
    model = randomised(keras.Sequential([keras.layers.Input(shape), layer]))
    x = sample((3, *(size or 4 for size in shape)))
    return check_roundtrip(model, [x], runtime, folder, backend=backend)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {}),
        ((4, 5), {"epsilon": 0.1}),
        ((4, 3, 5), {"center": False}),
        ((4, 3, 5), {"scale": False}),
        ((4, 3, 5), {"scale": False, "center": False}),
        ((4, 3, 5), {"axis": 1}),
        ((4, 3, 5), {"axis": -2}),
        ((4, 3), {"axis": 1}),
        ((None, 3), {"axis": -1}),
        ((2, 3, 4, 5), {}),
        ((2, 3, 4, 5), {"axis": 1}),
        ((2, None, 4, 5), {"axis": 1}),
    ],
    ids=str,
)
def test_batch_normalization(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: Shape,
    options: dict[str, Any],
    backend: str,
) -> None:
    layer = keras.layers.BatchNormalization(**options)
    _check(keras, tfjs_runtime, tmp_path, layer, shape, backend=backend)


# What training with renorm needs beside the rest; the released files have them last.
RENORM = ["moving_stddev", "renorm_mean", "renorm_stddev"]


def renormed(package: Any, **options: Any) -> Any:
    """A model with a BatchNormalization of six channels, all of its weights different."""
    layers = package.layers
    stack = [
        layers.Input((4, 6)),
        layers.BatchNormalization(renorm=True, name="norm", **options),
        layers.Dense(2, name="dense"),
    ]
    return randomised(package.Sequential(stack))


@pytest.mark.parametrize("options", [{}, {"scale": False, "axis": 1}], ids=str)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_batch_renormalization(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    package: str,
    suffix: str,
    options: dict[str, Any],
) -> None:
    model = renormed(request.getfixturevalue(package), **options)
    x = sample((3, 4, 6))
    report = check_roundtrip(model, [x], tfjs_runtime, tmp_path, suffix=suffix)
    told = "renorm left out with its variables: it acts in training only"
    assert report.rewrites[told] == ["norm"]
    written = read_manifest(tmp_path / "web")
    assert not [name for name in written if name.rpartition("/")[2] in RENORM]


@pytest.mark.parametrize("target", [".keras", ".h5"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_keras_keeps_batch_renormalization(
    request: pytest.FixtureRequest, tmp_path: Path, package: str, suffix: str, target: str
) -> None:
    model = renormed(
        request.getfixturevalue(package), renorm_clipping={"rmax": 3.0}, renorm_momentum=0.9
    )
    model.save(tmp_path / f"a{suffix}")
    tfjs.convert(tmp_path / f"a{suffix}", tmp_path / f"b{target}")
    readers = ["keras"] if target == ".keras" else ["keras", "tf_keras"]
    for reader in readers:
        loaded = request.getfixturevalue(reader).models.load_model(tmp_path / f"b{target}")
        config = loaded.layers[0].get_config()
        assert (config["renorm"], config["renorm_momentum"]) == (True, 0.9)
        assert config["renorm_clipping"] == {"rmax": 3.0}
        for weight, wanted in zip(loaded.weights, model.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(weight), np.asarray(wanted))


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_weights_of_batch_renormalization_in_a_file_of_their_own(
    keras: ModuleType, tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, suffix: str
) -> None:
    model = renormed(keras if suffix == ".weights.h5" else tf_keras)
    (tmp_path / "m.json").write_text(model.to_json())
    model.save_weights(tmp_path / f"m{suffix}")
    tfjs.convert(tmp_path / "m.json", tmp_path / "web", to="tfjs-layers")
    x = sample((3, 4, 6))
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", [x])
    np.testing.assert_allclose(answer, np.asarray(model(x, training=False)), atol=1e-5)


def test_batch_normalization_over_several_axes(tf_keras: ModuleType, tmp_path: Path) -> None:
    layers = tf_keras.layers
    stack = [layers.Input((3, 4, 5)), layers.BatchNormalization(axis=[1, 3], name="norm")]
    model = randomised(tf_keras.Sequential(stack))
    model.save(tmp_path / "a.h5")
    tfjs.convert(tmp_path / "a.h5", tmp_path / "b.h5")
    loaded = tf_keras.models.load_model(tmp_path / "b.h5")
    assert tuple(loaded.weights[0].shape) == (1, 3, 1, 5)
    for weight, wanted in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(wanted))
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / "a.h5", tmp_path / "web", to="tfjs-layers")
    assert "norm (BatchNormalization): TF.js normalises along one axis" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {}),
        ((4, 5), {"epsilon": 0.1}),
        ((None, 5), {}),
        ((4, 3, 5), {"center": False}),
        ((4, 3, 5), {"scale": False}),
        ((4, 3, 5), {"axis": 1}),
        ((4, 3, 5), {"axis": [1, 2]}),
        ((4, 3, 5), {"axis": [-1, -2]}),
        ((4, 3, 5), {"axis": [1, 2, 3]}),
        ((2, 3, 4, 5), {}),
        ((2, 3, 4, 5), {"axis": [1, 3]}),
        ((2, 3, 4, 5), {"axis": [1, 2, 3, 4]}),
    ],
    ids=str,
)
def test_layer_normalization(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: Shape,
    options: dict[str, Any],
) -> None:
    layer = keras.layers.LayerNormalization(**options)
    _check(keras, tfjs_runtime, tmp_path, layer, shape)


@pytest.mark.parametrize("kind", ["RMSNormalization", "UnitNormalization"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((6,), -1),
        ((4, 6), -1),
        ((None, 6), -1),
        ((4, 3, 6), -1),
        ((2, 4, 3, 6), -1),
        ((4, 3), 1),
    ],
    ids=str,
)
def test_unit_of_mean_squares(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    shape: Shape,
    axis: Any,
) -> None:
    if kind == "RMSNormalization" and axis != -1:
        pytest.skip("Keras 3.15 multiplies its scale along the last axis whatever the axis")
    layer = getattr(keras.layers, kind)(axis=axis)
    _check(keras, tfjs_runtime, tmp_path, layer, shape)


def test_unit_normalization_of_several_axes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layer = keras.layers.UnitNormalization(axis=[1, 3])
    _check(keras, tfjs_runtime, tmp_path, layer, (4, 3, 5))


def test_unit_normalization_of_zeros_and_extremes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((3,)), layers.UnitNormalization()])
    x = np.array([[0, 0, 0], [1e-6, 2e-6, 0], [1e6, -1e6, 1]], np.float32)
    check_roundtrip(model, [x], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((6,), {"groups": 2}),
        ((4, 6), {"groups": 3}),
        ((None, 6), {"groups": 3}),
        ((4, 3, 6), {"groups": 2}),
        ((4, 3, 6), {"groups": -1}),
        ((4, 3, 6), {"groups": 1}),
        ((4, 3, 6), {"groups": 2, "scale": False}),
        ((4, 3, 6), {"groups": 2, "center": False}),
        ((4, 3, 6), {"groups": 2, "center": False, "scale": False}),
        ((6, 4, 3), {"groups": 2, "axis": 1}),
        ((2, 4, 3, 6), {"groups": 2}),
    ],
    ids=str,
)
def test_group_normalization(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: Shape,
    options: dict[str, Any],
    backend: str,
) -> None:
    layer = keras.layers.GroupNormalization(**options)
    _check(keras, tfjs_runtime, tmp_path, layer, shape, backend=backend)


def test_spectral_normalization(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    for index, inner in enumerate(
        [layers.Conv2D(3, 2), layers.Dense(4, activation="hard_silu", name="inner")]
    ):
        folder = tmp_path / str(index)
        folder.mkdir()
        layer = layers.SpectralNormalization(inner)
        _check(keras, tfjs_runtime, folder, layer, (5, 5, 2))
