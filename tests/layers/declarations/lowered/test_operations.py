"""Operations of `keras.ops` as graphs, against Keras, and against TF.js in Node."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.operation_cases import CASES
from tests.support.operation_inputs import Case
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.layers.declarations.operation_graph import NO_GRAPH, computed

TOLERANCE = 1e-5
_SOLVES = "TF.js solves nothing within a model"
_SHIFTS = "how far it shifts is not constant"
# What TF.js cannot compute of a graph, with the reason.
NOT_IN_TFJS = {
    **dict.fromkeys(("BitwiseLeftShift", "LeftShift", "BitwiseRightShift", "RightShift"), _SHIFTS),
    **dict.fromkeys(("Inv", "Det", "Slogdet", "Logdet", "Solve", "SolveTriangular"), _SOLVES),
    **dict.fromkeys(("Cholesky", "CholeskyInverse"), _SOLVES),
    "Erfinv": "TF.js has nothing that is as exact",
    "AffineTransform": "transforms the first image of a batch only",
}
# Operations that Keras's own functions make no layers of, or that Keras on JAX cannot compute.
UNSEEN = {
    "Abs": "ops.abs makes an Absolute",
    "Conj": "ops.conj makes a Conjugate",
    "EmptyLike": "what is in it is not told",
    "Arange": "its size depends on numbers",
    "Bincount": "its size depends on numbers",
    "Nonzero": "its size depends on numbers",
    "Argpartition": "all that is told is on which side of an element the others come",
    "Full": "its shape must be told",
    "SegmentMin": "ops has no function for it",
    "SegmentProd": "ops has no function for it",
}
GROUP = 12
THIRD = [name for name in sorted(CASES) if name not in NOT_IN_TFJS][::3]
GROUPS = [THIRD[start : start + GROUP] for start in range(0, len(THIRD), GROUP)]


def model_of(k: ModuleType, cases: Sequence[Case]) -> tuple[Any, list[Array], list[Array]]:
    """A model of some cases, what goes in, and what must come out."""
    inputs: list[Any] = []
    outputs: list[Any] = []
    arrays: list[Array] = []
    wanted: list[Array] = []
    for case in cases:
        batch = [item.shape[0] if case.fixed else None for item in case.inputs]
        shapes = [(size, *item.shape[1:]) for size, item in zip(batch, case.inputs, strict=True)]
        fed = [
            k.Input(batch_shape=shape, dtype=item.dtype)
            for shape, item in zip(shapes, case.inputs, strict=True)
        ]
        made = k.tree.flatten(case.function(k.ops, *fed))
        own = [item.array(seed) for seed, item in enumerate(case.inputs)]
        if case.told is None:
            alone = k.Model(fed if len(fed) > 1 else fed[0], made)
            answers = k.tree.flatten(alone(own if len(own) > 1 else own[0]))
        else:
            answers = k.tree.flatten(case.told(*own))
        inputs += fed
        outputs += made
        arrays += own
        wanted += [np.asarray(answer) for answer in answers]
    return k.Model(inputs, outputs), arrays, wanted


def check(name: str, answer: Array, wanted: Array) -> None:
    assert answer.shape == wanted.shape, name
    assert answer.dtype.kind == wanted.dtype.kind, name
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(answer[~finite], wanted[~finite], name)
    scale = max(float(np.max(np.abs(wanted[finite].astype(np.float64)), initial=0)), 1e-6)
    apart = np.abs(answer[finite].astype(np.float64) - wanted[finite])
    error = float(np.max(apart, initial=0)) / scale
    assert error <= TOLERANCE, f"{name} is off by {error:.2g} of the scale"


def saved(
    k: ModuleType, cases: Sequence[Case], folder: Path
) -> tuple[Path, list[Array], list[Array]]:
    with warnings.catch_warnings():
        # Keras on JAX warns of dtypes of its own making.
        warnings.simplefilter("ignore")
        model, arrays, wanted = model_of(k, cases)
        model.save(folder / "model.keras")
    return folder / "model.keras", arrays, wanted


@pytest.mark.parametrize("name", CASES)
def test_an_operation(name: str, keras: ModuleType, tmp_path: Path) -> None:
    path, arrays, wanted = saved(keras, [CASES[name]], tmp_path)
    answers = tfjs.load(path)(arrays)
    found = list(answers) if isinstance(answers, list | tuple) else [answers]
    assert len(found) == len(wanted)
    for answer, want in zip(found, wanted, strict=True):
        check(name, np.asarray(answer), want)


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: f"{names[0]} to {names[-1]}")
def test_operations_in_tfjs(
    names: list[str], keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    path, arrays, wanted = saved(keras, [CASES[name] for name in names], tmp_path)
    tfjs.convert(path, tmp_path / "web", to="tfjs-graph")
    answers = tfjs_runtime.run_graph(tmp_path / "web", arrays, method="predict").answers
    assert len(answers) == len(wanted)
    for answer, want in zip(answers, wanted, strict=True):
        # TF.js gives booleans and whole numbers of any size as they are.
        check(str(names), np.asarray(answer).astype(want.dtype), want)


@pytest.mark.parametrize("name", NOT_IN_TFJS)
def test_what_tfjs_cannot(name: str, keras: ModuleType, tmp_path: Path) -> None:
    path, _, _ = saved(keras, [CASES[name]], tmp_path)
    with pytest.raises(tfjs.UnsupportedError, match=re.escape(NOT_IN_TFJS[name])):
        tfjs.convert(path, tmp_path / "web", to="tfjs-graph")


# What there is -------------------------------------------------------------------------------


def operations(k: ModuleType) -> set[str]:
    """The class of every operation of Keras."""
    found = set()
    for part in ("core", "einops", "image", "linalg", "math", "nn", "numpy"):
        module = importlib.import_module(f"keras.src.ops.{part}")
        for name, item in vars(module).items():
            own = inspect.isclass(item) and issubclass(item, k.Operation)
            if own and item.__module__ == module.__name__:
                found.add(name)
    return found


def test_every_operation_is_computed_or_refused(keras: ModuleType) -> None:
    assert operations(keras) == computed() | set(NO_GRAPH)
    assert not computed() & set(NO_GRAPH)


def test_every_operation_is_seen(keras: ModuleType) -> None:
    seen: set[str] = set()
    for case in CASES.values():
        fed = [
            keras.Input(
                batch_shape=(item.shape[0] if case.fixed else None, *item.shape[1:]),
                dtype=item.dtype,
            )
            for item in case.inputs
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's own, of NotImplemented as a boolean
            model = keras.Model(fed, keras.tree.flatten(case.function(keras.ops, *fed)))
        seen |= {type(item).__name__ for item in model.operations}
    assert seen & computed() == computed() - set(UNSEEN)


# What is refused -----------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(path, path.parent / "web", to="tfjs-graph")
    return str(caught.value)


def test_operations_without_a_form(keras: ModuleType, tmp_path: Path) -> None:
    x = keras.Input((4, 4))
    keras.Model(x, [*keras.ops.qr(x), keras.ops.nn.softmax(x)]).save(tmp_path / "model.keras")
    assert "qr (Qr): TF.js factors no matrices" in refusal(tmp_path / "model.keras")


def test_a_part_of_an_axis_of_unknown_size(keras: ModuleType, tmp_path: Path) -> None:
    x = keras.Input((None, 4))
    keras.Model(x, keras.ops.sort(x, axis=1)).save(tmp_path / "model.keras")
    assert "the size of axis" in refusal(tmp_path / "model.keras")


def test_a_free_axis_of_steps(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    ops = keras.ops
    x = keras.Input((None, 4))
    made = [
        ops.mean(x[:, ::-1], axis=1),
        ops.repeat(x, 2, axis=1),
        ops.softmax(x, axis=1),
        ops.pad(x, ((0, 0), (1, 0), (0, 0))),
        ops.cumsum(x, axis=1),
        ops.tile(x, (1, 2, 1)),
        ops.einsum("bij,bkj->bik", x, x),
        ops.flip(x, axis=1),
        ops.full_like(x, 2.0),
    ]
    model = keras.Model(x, made)
    model.save(tmp_path / "model.keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
    array = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    answers = tfjs_runtime.run_graph(tmp_path / "web", [array], method="predict").answers
    for answer, want in zip(answers, model(array), strict=True):
        check("free", answer, np.asarray(want))
