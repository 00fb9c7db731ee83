"""From a live Keras model to TF.js's answers, held against Keras's own."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tfjs
from tests.support.protocol import Array, Run
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.ir.layers_model import flatten
from tfjs.layers.dialects.read import read_model
from tfjs.layers.shapes import infer_shapes
from tfjs.layers.vocabulary import Dialect


def randomised(model: Any) -> Any:
    """The model, with random weights."""
    randomise(model)
    return model


def sample(shape: Sequence[int], seed: int = 0, scale: float = 2.0) -> Array:
    """Numbers around 0 on both sides."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=tuple(shape)) * scale).astype(np.float32)


def as_list(outputs: Any) -> list[Array]:
    """What a model gives, as a list of arrays."""
    if isinstance(outputs, dict):
        return [np.asarray(item) for item in outputs.values()]
    if isinstance(outputs, list | tuple):
        return [np.asarray(item) for item in outputs]
    return [np.asarray(outputs)]


def error_of(answer: Array, expected: Array) -> float:
    """The greatest difference, relative to the greatest expected value."""
    if answer.shape != expected.shape:
        raise AssertionError(f"TF.js gives {answer.shape}, Keras {expected.shape}")
    if expected.size == 0:
        return 0.0
    scale = max(float(np.max(np.abs(expected))), 1e-6)
    return float(np.max(np.abs(answer.astype(np.float64) - expected))) / scale


def check_roundtrip(
    model: Any,
    inputs: Sequence[Array],
    runtime: TfjsRuntime,
    folder: Path,
    *,
    tolerance: float = 1e-5,
    backend: str = "cpu",
    suffix: str = ".keras",
) -> tfjs.Report:
    """Save a Keras model, convert it, run it in TF.js, and compare.

    Args:
        model: a live model of Keras 3 or tf_keras.
        inputs: one array for each of its inputs.
        runtime: TF.js.
        folder: where to put the files.
        tolerance: greatest error relative to the scale of the output.
        backend: TF.js's backend.
        suffix: the format that Keras saves in.

    Returns:
        The report of the conversion.
    """
    source = folder / f"model{suffix}"
    model.save(source)
    report = tfjs.convert(source, folder / "web", to="tfjs-layers")
    run = runtime.run_layers(folder / "web", list(inputs), backend=backend)
    with warnings.catch_warnings():
        # Keras on JAX warns of dtypes of its own making.
        warnings.simplefilter("ignore")
        expected = as_list(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False))
    answers = run.answers
    assert len(answers) == len(expected)
    for answer, wanted in zip(answers, expected, strict=True):
        error = error_of(answer, wanted)
        assert error <= tolerance, f"off by {error:.2g} of the scale: {answer} != {wanted}"
    check_shapes(run, model)
    check_inference(model)
    return report


def check_shapes(run: Run, model: Any) -> None:
    """TF.js must know of the outputs what Keras knows; a size it does not know breaks layers."""
    for info, output in zip(run.outputs, model.outputs, strict=True):
        known = tuple(output.shape)
        assert info.shape is not None
        assert len(info.shape) == len(known)
        found = [None if want is None else got for got, want in zip(info.shape, known, strict=True)]
        assert tuple(found) == known


def check_inference(model: Any) -> None:
    """The vocabulary must know all sizes that Keras knows."""
    dialect: Dialect = "keras2" if type(model).__module__.startswith("tf_keras") else "keras3"
    config = json.loads(model.to_json())
    read = read_model({"class_name": config["class_name"], "config": config["config"]}, dialect, "")
    shapes = infer_shapes(read)
    for ref, output in zip(flatten(read.outputs), model.outputs, strict=True):
        found, known = shapes[ref], tuple(output.shape)
        assert found is not None
        assert (
            tuple(None if want is None else got for got, want in zip(found, known, strict=True))
            == known
        )
