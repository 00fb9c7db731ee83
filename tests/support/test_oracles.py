"""The frameworks that the tests hold ours against can share one process, warnings as errors."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


def test_keras_3_runs_on_jax_beside_tf_keras(keras: ModuleType, tf_keras: ModuleType) -> None:
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    models = [
        framework.Sequential(
            [
                framework.layers.Input((8, 8, 3)),
                framework.layers.Conv2D(4, 3),
                framework.layers.BatchNormalization(),
                framework.layers.Flatten(),
                framework.layers.Dense(3, activation="softmax"),
            ]
        )
        for framework in (keras, tf_keras)
    ]
    models[1].set_weights(models[0].get_weights())
    ours, theirs = [model.predict(x, verbose=0) for model in models]
    assert keras.backend.backend() == "jax"
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_each_saves_and_loads(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, suffix: str
) -> None:
    framework: ModuleType = request.getfixturevalue(name)
    layers = framework.layers
    model = framework.Sequential([layers.Input((4, 3)), layers.LSTM(5), layers.Dense(2)])
    model.compile("adam", "mean_squared_error")
    x, y = np.ones((4, 4, 3), np.float32), np.ones((4, 2), np.float32)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / f"model{suffix}")
    loaded = framework.models.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), strict=True
    )


def test_tensorflow_writes_a_saved_model_of_tf_keras(
    tensorflow: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    model = tf_keras.Sequential([tf_keras.layers.Input((3,)), tf_keras.layers.Dense(2)])
    model.save(tmp_path / "saved")
    served = tensorflow.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    x = np.ones((1, 3), np.float32)
    (answer,) = served(tensorflow.constant(x)).values()
    np.testing.assert_allclose(answer.numpy(), model.predict(x, verbose=0), atol=1e-6)
