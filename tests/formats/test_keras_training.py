"""Compile configurations that each Keras loads, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.keras_models import inputs_for, made
from tfjs.formats import keras_h5, keras_v3
from tfjs.formats.base import Format, ReadOptions, WriteOptions, Written
from tfjs.formats.keras_training import compile_config
from tfjs.ir.layers_model import LayersModel, Training
from tfjs.layers.training import from_keras2

pytestmark = pytest.mark.filterwarnings("ignore")

Compile = Callable[[ModuleType], dict[str, Any]]

ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.01}}


def training(**config: Any) -> Training:
    return Training({"optimizer": ADAM, "loss": "mse", **config})


def test_keras_3_names_modules() -> None:
    loss = {"class_name": "Huber", "config": {"delta": 2.0, "reduction": "auto"}}
    config, notes = compile_config(training(loss=loss), "keras3")
    assert notes == []
    assert config is not None
    assert config["optimizer"] == {
        "module": "keras.optimizers",
        "class_name": "Adam",
        "config": {"learning_rate": 0.01},
        "registered_name": None,
    }
    assert config["loss"]["module"] == "keras.losses"
    assert config["loss"]["config"] == {"delta": 2.0, "reduction": "sum_over_batch_size"}


def test_arguments_that_a_keras_does_not_know_are_left_out() -> None:
    told = {"lr": 0.1, "decay": 0.0, "beta_1": 0.8, "jit_compile": True, "mine": 3}
    given = training(optimizer={"class_name": "Custom>Adam", "config": told})
    for target in ("keras2", "keras3"):
        config, _ = compile_config(given, target)
        assert config is not None
        assert config["optimizer"]["class_name"] == "Adam"
        assert config["optimizer"]["config"] == {"learning_rate": 0.1, "beta_1": 0.8}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"optimizer": {"class_name": "Mine", "config": {}}}, "optimizer Mine"),
        ({"optimizer": None}, "optimizer None"),
        ({"loss": "mine"}, "loss mine"),
        ({"loss": {"class_name": "Mine", "config": {}}}, "loss Mine"),
        (
            {
                "optimizer": {
                    "class_name": "SGD",
                    "config": {"learning_rate": {"class_name": "Warmup", "config": {}}},
                }
            },
            "learning rate schedule Warmup",
        ),
    ],
)
def test_what_a_keras_does_not_have(given: dict[str, Any], reason: str) -> None:
    config, notes = compile_config(training(**given), "keras3")
    assert config is None
    assert notes == [f"compile configuration left out: Keras 3 has no {reason}"]


def test_metrics_alone_are_left_out() -> None:
    config, notes = compile_config(training(metrics=["mae", "mine"]), "keras2")
    assert config is not None
    assert config["metrics"] is None
    assert config["loss"] == "mean_squared_error"
    assert notes == ["metrics left out: Keras 2 has no metric mine"]


def test_what_compile_made_of_names() -> None:
    wrapper = {"name": "accuracy", "dtype": "float32", "fn": "binary_accuracy"}
    other = {"name": "mae", "dtype": "float32", "fn": "mean_absolute_error"}
    metrics = [[{"class_name": "MeanMetricWrapper", "config": c} for c in (wrapper, other)]]
    config, _ = compile_config(training(metrics=metrics), "keras3")
    assert config is not None
    assert config["metrics"] == [["accuracy", "mean_absolute_error"]]


def test_keras_2_and_its_names_of_losses() -> None:
    given = from_keras2({"optimizer_config": ADAM, "loss": "logcosh", "metrics": ["acc"]})
    config, notes = compile_config(Training(given), "keras3")
    assert config is not None
    assert (config["loss"], config["metrics"], notes) == ("log_cosh", ["acc"], [])


# Against Keras ---------------------------------------------------------------------------------


def _momentum(k: ModuleType) -> dict[str, Any]:
    return {"optimizer": k.optimizers.SGD(0.02, momentum=0.5, nesterov=True), "loss": "mae"}


def _schedule(k: ModuleType) -> dict[str, Any]:
    rate = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    loss = k.losses.MeanSquaredError()
    return {"optimizer": k.optimizers.RMSprop(rate), "loss": loss, "metrics": ["mae", "accuracy"]}


def _objects(k: ModuleType) -> dict[str, Any]:
    return {
        "optimizer": k.optimizers.AdamW(0.01, weight_decay=0.02, clipnorm=1.0),
        "loss": k.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        "metrics": [k.metrics.MeanSquaredError(name="squares"), k.metrics.AUC(name="area")],
    }


def _adagrad(k: ModuleType) -> dict[str, Any]:
    return {"optimizer": "adagrad", "loss": "log_cosh", "weighted_metrics": ["mse"]}


COMPILES: dict[str, Compile] = {
    item.__name__.lstrip("_"): item for item in (_momentum, _schedule, _objects, _adagrad)
}


def _trained(name: str, k: ModuleType) -> Any:
    live = made("dense", k)
    live.compile(**COMPILES[name](k))
    live.train_on_batch(*_data(live))
    return live


def _data(live: Any) -> tuple[Any, Any]:
    target = np.random.default_rng(3).uniform(size=(2, 2)).astype(np.float32)
    return inputs_for(live)[0], target


def _convert(source: Path, reader: Format, writer: Format, dest: Path) -> Written:
    model = reader.read(source, ReadOptions())
    assert isinstance(model, LayersModel)
    assert writer.write is not None
    return writer.write(model, dest, WriteOptions())


def _same_training(loaded: Any, live: Any, *, arguments: bool = True) -> None:
    ours, theirs = loaded.optimizer.get_config(), live.optimizer.get_config()
    assert type(loaded.optimizer).__name__ == type(live.optimizer).__name__
    shared = set(ours) & set(theirs) - {"name", "jit_compile", "is_legacy_optimizer"}
    assert "learning_rate" in shared
    assert isinstance(ours["learning_rate"], dict) == isinstance(theirs["learning_rate"], dict)
    plain = [key for key in shared if arguments and not isinstance(theirs[key], dict)]
    assert {key: ours[key] for key in plain} == pytest.approx({key: theirs[key] for key in plain})
    loss = loaded.evaluate(*_data(live), verbose=0, return_dict=True)["loss"]
    wanted = live.evaluate(*_data(live), verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", COMPILES)
def test_archive_to_both(
    name: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    live = _trained(name, keras)
    live.save(tmp_path / "m.keras")
    written = _convert(tmp_path / "m.keras", keras_v3.FORMAT, keras_v3.FORMAT, tmp_path / "o.keras")
    loaded = keras.models.load_model(tmp_path / "o.keras")
    _same_training(loaded, live)
    assert written.notes == []
    for ours, theirs in zip(loaded.optimizer.variables, live.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    written = _convert(tmp_path / "m.keras", keras_v3.FORMAT, keras_h5.FORMAT, tmp_path / "o.h5")
    assert any("optimizer state left out" in note for note in written.notes)
    defaults = any("default arguments" in note for note in written.notes)
    assert defaults == (name == "objects")
    loaded = keras.models.load_model(tmp_path / "o.h5")
    _same_training(loaded, live, arguments=not defaults)
    _same_training(tf_keras.models.load_model(tmp_path / "o.h5"), live)


@pytest.mark.parametrize("name", COMPILES)
def test_hdf5_to_both(name: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path) -> None:
    live = _trained(name, tf_keras)
    live.save(tmp_path / "m.h5")
    written = _convert(tmp_path / "m.h5", keras_h5.FORMAT, keras_h5.FORMAT, tmp_path / "o.h5")
    assert all("default arguments" in note for note in written.notes)
    loaded = tf_keras.models.load_model(tmp_path / "o.h5")
    _same_training(loaded, live)
    for ours, theirs in zip(loaded.optimizer.variables, live.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    other = keras.models.load_model(tmp_path / "o.h5")
    assert type(other.optimizer).__name__ == type(live.optimizer).__name__
    _convert(tmp_path / "m.h5", keras_h5.FORMAT, keras_v3.FORMAT, tmp_path / "o.keras")
    _same_training(keras.models.load_model(tmp_path / "o.keras"), live)


def test_losses_of_several_outputs(keras: ModuleType, tmp_path: Path) -> None:
    live = made("shared", keras)
    live.compile(
        optimizer="adam",
        loss={"u": "mse", "v": keras.losses.Huber(2.0)},
        loss_weights={"u": 1.0, "v": 0.5},
        metrics={"u": ["mae"], "v": ["mse", "mae"]},
    )
    live.save(tmp_path / "m.keras")
    _convert(tmp_path / "m.keras", keras_v3.FORMAT, keras_v3.FORMAT, tmp_path / "o.keras")
    loaded = keras.models.load_model(tmp_path / "o.keras")
    targets = {"u": np.ones((2, 2), np.float32), "v": np.ones((2, 1), np.float32)}
    results = [
        model.evaluate(inputs_for(live), targets, verbose=0, return_dict=True)
        for model in (loaded, live)
    ]
    assert results[0] == pytest.approx(results[1])
