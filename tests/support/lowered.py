"""From a live Keras model to a graph and to TF.js's answers, held against Keras's own."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import tfjs
from tests.support.protocol import Array, Call
from tests.support.roundtrip import as_list, error_of, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise

Options = dict[str, Any]


def check_lowered(
    model: Any,
    inputs: Sequence[Array],
    runtime: TfjsRuntime,
    folder: Path,
    *,
    suffix: str = ".keras",
    tolerance: float = 1e-5,
    backend: str = "cpu",
    call: Call | None = None,
    method: str = "predict",
) -> dict[str, int]:
    """Save a Keras model, convert it to a graph, run it in TF.js, and compare.

    Args:
        model: a live model of Keras 3 or tf_keras.
        inputs: one array for each of its inputs.
        runtime: TF.js.
        folder: where to put the files.
        suffix: the format that Keras saves in.
        tolerance: greatest error relative to the scale of the output.
        backend: TF.js's backend.
        call: what TF.js is fed where that is not a list of the inputs.
        method: how TF.js runs it; `executeAsync` where a loop is left in it.

    Returns:
        How many nodes of each operation the lowering makes, inputs and constants not among them;
        TF.js runs what the optimizer makes of these.
    """
    source = folder / f"model{suffix}"
    model.save(source)
    # TF.js and Keras are asked here.
    tfjs.convert(source, folder / "web", to="tfjs-graph", verify=False)
    run = runtime.run_graph(folder / "web", call or list(inputs), backend=backend, method=method)
    answers = run.answers
    expected = answer_of(model, inputs)
    assert len(answers) == len(expected)
    for answer, wanted in zip(answers, expected, strict=True):
        error = error_of(answer, wanted)
        assert error <= tolerance, f"off by {error:.2g} of the scale: {answer} != {wanted}"
    plain = tfjs.convert(source, folder / "plain", to="tfjs-graph", verify=False, optimize=False)
    return {op: count for op, count in plain.ops.items() if op not in ("Const", "Placeholder")}


def answer_of(model: Any, inputs: Sequence[Array]) -> list[Array]:
    """What Keras computes in inference."""
    with warnings.catch_warnings():
        # Keras on JAX warns of dtypes of its own making.
        warnings.simplefilter("ignore")
        return as_list(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False))


class Case:
    """A layer on inputs of some shapes.

    Args:
        name: its class.
        shape: of an example of each input, or of the only one.
        args: of its constructor.
        free: how many of the first axes behind the batch Keras does not know the size of.
        dtype: of the inputs.
        ops: how many nodes of each operation the graph must have, where told.
        options: of its constructor.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int] | Sequence[tuple[int, ...]],
        *args: Any,
        free: int = 0,
        dtype: str = "float32",
        ops: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        self.name = name
        several = [tuple(item) for item in shape if isinstance(item, tuple)]
        self.shapes = several or [tuple(item for item in shape if isinstance(item, int))]
        self.args = args
        self.free = free
        self.dtype = dtype
        self.ops = ops
        self.options = options

    def __str__(self) -> str:
        told = [self.name, *map(str, self.args)]
        told += [f"{key}={value}" for key, value in self.options.items()]
        return "-".join(told) + f"-on-{self.shapes}" + ("-free" if self.free else "")

    def run(self, keras: ModuleType, runtime: TfjsRuntime, folder: Path, **told: Any) -> None:
        """Assert that TF.js answers as Keras does."""
        fed = [
            keras.Input((*[None] * self.free, *shape[self.free :]), dtype=self.dtype)
            for shape in self.shapes
        ]
        layer = getattr(keras.layers, self.name)(*self.args, **self.options)
        made = layer(fed if len(fed) > 1 else fed[0])
        model = keras.Model(fed if len(fed) > 1 else fed[0], made)
        randomise(model)
        arrays = [self.array((2, *shape), seed) for seed, shape in enumerate(self.shapes)]
        ops = check_lowered(model, arrays, runtime, folder, **told)
        if self.ops is not None:
            assert ops == self.ops

    def array(self, shape: Sequence[int], seed: int) -> Array:
        """An input: whole numbers from 0 to 3 for dtypes of such, any for others."""
        if np.dtype(self.dtype).kind in "iu":
            return np.random.default_rng(seed).integers(0, 4, shape).astype(self.dtype)
        return sample(shape, seed)
