"""Infinity and NaN in configurations, which Python's JSON can say and a browser's cannot."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.lowered import check_lowered
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

INF = math.inf
Make = Callable[[Any], Any]
# By a name: what goes in, what makes the layers, and the layer that a layers model refuses.
CASES: dict[str, tuple[tuple[int, ...], Make, str | None]] = {
    "relu": ((4,), lambda k: k.layers.ReLU(max_value=INF), None),
    "activation": ((4,), lambda k: k.layers.Dense(3, k.layers.ReLU(INF, 0.1)), None),
    "constraint": ((4,), lambda k: k.layers.Dense(3, kernel_constraint=_most(k)), None),
    "masking": ((3, 4), lambda k: k.layers.Masking(-INF, name="own"), "mask_value"),
    "masking with NaN": ((3, 4), lambda k: k.layers.Masking(math.nan, name="own"), "mask_value"),
    "rescaling": (
        (4,),
        lambda k: k.layers.Rescaling(1.0, [0.0, 1.0, -INF, INF], name="own"),
        "offset",
    ),
}


def _most(keras: Any) -> Any:
    return keras.constraints.MaxNorm(INF)


def _model(keras: ModuleType, name: str) -> tuple[Any, Any]:
    shape, make, _ = CASES[name]
    model = randomised(keras.Sequential([keras.Input(shape), make(keras)]))
    return model, sample((2, *shape))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2] is None])
def test_layers_of_tfjs(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, name: str, suffix: str
) -> None:
    model, x = _model(keras, name)
    check_roundtrip(model, [x], tfjs_runtime, tmp_path, suffix=suffix)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2]])
def test_what_a_browser_cannot_read_is_refused(
    keras: ModuleType, tmp_path: Path, name: str
) -> None:
    model, _ = _model(keras, name)
    model.save(tmp_path / "model.keras")
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")
    (problem,) = caught.value.problems
    assert problem.startswith(f"own ({type(model.layers[-1]).__name__}): its {CASES[name][2]}")
    assert problem.endswith("is infinite or NaN, which a model.json cannot say")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", CASES)
def test_graphs(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, name: str, suffix: str
) -> None:
    model, x = _model(keras, name)
    model.save(tmp_path / f"model{suffix}")
    tfjs.convert(tmp_path / f"model{suffix}", tmp_path / "web", to="tfjs-graph")
    (answer,) = tfjs_runtime.run_graph(tmp_path / "web", [x]).answers
    assert np.allclose(answer, np.asarray(model(x)), 1e-5, 1e-6)


def test_limits_of_infinity_are_none(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = keras.Input((4,))
    clipped = keras.ops.clip(keras.ops.clip(inputs, 0.0, INF), -INF, 1.0)
    model = keras.Model(inputs, clipped)
    ops = check_lowered(model, [sample((2, 4))], tfjs_runtime, tmp_path)
    assert ops == {"Maximum": 1, "Minimum": 1}


def test_what_acts_in_training_only_is_left_out(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    start = keras.initializers.Constant(-INF)
    dense = keras.layers.Dense(3, bias_initializer=start, name="own")
    model = randomised(keras.Sequential([keras.Input((4,)), dense]))
    model.compile(keras.optimizers.Adam(epsilon=INF), "mse")
    report = check_roundtrip(model, [sample((2, 4))], tfjs_runtime, tmp_path)
    assert report.rewrites == {
        "bias_initializer dropped: it is infinite or NaN, which JSON has not": ["own"]
    }
    assert (
        "compile configuration left out: optimizer_config.config.epsilon is infinite or NaN"
        in report.notes
    )


def test_an_architecture_with_weights_beside_it(keras: ModuleType, tmp_path: Path) -> None:
    model, x = _model(keras, "masking")
    (tmp_path / "model.json").write_text(model.to_json())
    model.save_weights(tmp_path / "model.weights.h5")
    tfjs.convert(tmp_path / "model.json", tmp_path / "web", to="tfjs-graph")
    answer = np.asarray(tfjs.load(tmp_path / "web").predict(x))
    assert np.allclose(answer, np.asarray(model(x)))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_from_keras_to_keras(keras: ModuleType, tmp_path: Path, suffix: str) -> None:
    model, x = _model(keras, "rescaling")
    other = {".keras": ".h5", ".h5": ".keras"}[suffix]
    model.save(tmp_path / f"model{suffix}")
    tfjs.convert(tmp_path / f"model{suffix}", tmp_path / f"again{other}")
    again = keras.models.load_model(tmp_path / f"again{other}", compile=False)
    assert np.array_equal(np.asarray(again(x)), np.asarray(model(x)))
