"""Hold any two models against each other by running both."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from tfjs._sources import Opened, graph_hint, opened
from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import ReadOptions
from tfjs.ir.graph import Graph, GraphModel, Value
from tfjs.ir.tensor import Array
from tfjs.model import Model, load
from tfjs.runtime.engine import Runner
from tfjs.runtime.feeds import Inputs
from tfjs.runtime.modes import Mode
from tfjs.runtime.prepare import runnable
from tfjs.verification.check import Run, Verification
from tfjs.verification.check import verify as run_both
from tfjs.verification.compare import Difference, bound_of, difference
from tfjs.verification.inputs import fed_in_order
from tfjs.verification.oracle import own_framework
from tfjs.verification.ports import places_of, reorder
from tfjs.verification.real_tfjs import FORMATS, in_tfjs

Backend = Literal["numpy", "onnxruntime", "tfjs-cpu", "tfjs-wasm"]

_MOST_KEPT = 4 << 30  # bytes of values on the way
_GIVEN = frozenset({"Const", "Placeholder"})


@dataclass(frozen=True, slots=True)
class Step:
    """A node that both models have, and how its value differs.

    Attributes:
        node: its name.
        op: its operation in the model.
        origin: the nodes of the source that it stands for.
        reads: the nodes that it reads.
        difference: how its value differs from the source's.
    """

    node: str
    op: str
    origin: tuple[str, ...]
    reads: tuple[str, ...]
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """What holding a model against another has shown.

    Attributes:
        model: the model, as it was given.
        against: what is right, as it was given.
        verification: how the outputs differ.
        steps: values on the way that both have, in the order in which the model computes them;
            empty where they were not asked for.
    """

    model: str
    against: str
    verification: Verification
    steps: list[Step] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all outputs are as they should be."""
        return self.verification.ok and self.verification.skipped is None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        steps = [
            {"node": step.node, "op": step.op, "origin": list(step.origin)}
            | {"reads": list(step.reads), **step.difference.to_dict()}
            for step in self.steps
        ]
        told = {"model": self.model, "against": self.against, "steps": steps}
        return told | self.verification.to_dict()

    @property
    def first(self) -> Step | None:
        """The first value on the way that is not as it should be."""
        return next((step for step in self.steps if not step.difference.ok), None)


def verify(
    model: str | os.PathLike[str] | Any,
    against: str | os.PathLike[str] | Any,
    *,
    inputs: Mapping[str, npt.ArrayLike] | None = None,
    layerwise: bool = False,
    max_error: float | None = None,
    signature: str | None = None,
    backend: Backend = "numpy",
    oracle: bool = False,
) -> Comparison:
    """Run two models on the same inputs and compare what they answer.

    Args:
        model: what is held against the other: a path, an address or a live object, as `convert`
            takes it.
        against: what is right, likewise.
        inputs: what to feed, by the names of the inputs of `against`; plausible ones when None.
        layerwise: compare values on the way as well: those of nodes that both have by name.
        max_error: the largest absolute difference that is right; what rounding explains when None.
        signature: the signature of `against` where it is a SavedModel; the usual one when None.
        backend: what runs `model`: NumPy, ONNX Runtime, or, for a TF.js model, the real TF.js by
            Node, on its cpu or its wasm backend.
        oracle: let `against` be run by its own framework: Keras 3, tf_keras or TensorFlow.

    Raises:
        FormatError: one of them is missing, damaged or unsafe.
        UnsupportedError: one of them cannot be run; what stands in the way is named.
        UsageError: the inputs are not those of the model, or arguments do not go together.
        MissingDependencyError: the backend or the framework is not installed.
    """
    if backend not in ("numpy", "onnxruntime", "tfjs-cpu", "tfjs-wasm"):
        raise UsageError(f"there is no backend {backend!r}")
    if layerwise and (oracle or backend != "numpy"):
        raise UsageError("layerwise looks into both models, which only tfjs's own runtime lets it")
    with ExitStack() as stack:
        given = stack.enter_context(opened(model, None, None, ReadOptions()))
        # Read as a conversion to the model would: a SavedModel has a graph and may have layers.
        asked = ReadOptions(signature=signature)
        right = stack.enter_context(opened(against, None, given.format, asked))
        source, result = _graph(right), _graph(given)
        if isinstance(given.content, GraphModel):
            reorder(result, source.signature.inputs, source.signature.outputs)
        as_tfjs = right.format in FORMATS, given.format in FORMATS
        feeds = None if inputs is None else _feeds(source, inputs, as_tfjs=as_tfjs[0])
        run = _backend(stack, model, given, result, backend)
        found = run_both(
            source,
            result,
            inputs=feeds,
            bound=max_error,
            limited=False,
            as_tfjs=as_tfjs[1],
            source_as_tfjs=as_tfjs[0],
            run=run,
            oracle=_oracle(against, right, source, signature) if oracle else None,
        )
        if found.skipped is not None:
            raise UnsupportedError(found.skipped, where=right.label)
        steps = list(_steps(source, result, found, max_error, as_tfjs)) if layerwise else []
    return Comparison(given.label, right.label, replace(found, engine=backend), steps)


def _backend(
    stack: ExitStack, model: Any, given: Opened, result: GraphModel, backend: Backend
) -> Run | None:
    """What runs the model; None for our runtime."""
    if backend == "numpy":
        return None
    path = _path(model, given, f"the backend {backend} runs")
    if backend == "onnxruntime":
        return _by_key(result, load(path, from_=given.format, engine="onnxruntime"))
    if given.format not in FORMATS:
        raise UsageError(
            f"TF.js does not run a model of the format {given.format}",
            where=given.label,
            hint="convert it to TF.js first, or choose another backend",
        )
    kind: Literal["cpu", "wasm"] = "cpu" if backend == "tfjs-cpu" else "wasm"
    return stack.enter_context(in_tfjs(result, path, kind))


def _by_key(model: GraphModel, loaded: Model) -> Run:
    """Let what is fed by key of the signature be fed by name of the node."""
    pairs = zip(model.graph.inputs, model.signature.inputs, strict=False)
    keys = {node.name: key for node, key in pairs}
    places = places_of(model.signature.outputs, [port.name for port in loaded.outputs])

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        answers = loaded.execute({keys[name]: array for name, array in feeds.items()})
        return [answers[place] for place in places or range(len(answers))]

    return run


def _oracle(against: Any, right: Opened, source: GraphModel, signature: str | None) -> Run:
    path = _path(against, right, "the oracle runs")
    return own_framework(path, right.format, right.content, source, signature)


def _path(given: Any, found: Opened, what: str) -> Path:
    """Where a model is; raises UsageError for a live one."""
    if not isinstance(given, str | os.PathLike):
        raise UsageError(f"{what} models from files, not a {type(given).__name__}")
    return Path(found.label)


def _graph(source: Opened) -> GraphModel:
    try:
        return runnable(source.content)
    except UnsupportedError as error:
        raise UnsupportedError(
            error.message,
            problems=error.problems,
            where=source.label,
            hint=error.hint or graph_hint(source.format),
        ) from None


def _feeds(
    source: GraphModel, inputs: Mapping[str, npt.ArrayLike], *, as_tfjs: bool
) -> dict[str, Array]:
    """Inputs by the name of their node, given by that or by the key of the signature."""
    wanted = dict.fromkeys(source.graph.inputs, False)
    taken = Inputs(source, Mode("float32", as_tfjs=as_tfjs)).take(inputs, wanted)
    return {node.name: array for node, array in taken.items()}


def _steps(
    source: GraphModel,
    result: GraphModel,
    found: Verification,
    bound: float | None,
    as_tfjs: tuple[bool, bool],
) -> Iterator[Step]:
    feeds = found.feeds
    wanted = _named(source.graph)
    right: dict[str, tuple[Array, float]] = {}
    kept = 0
    single = Runner(source, as_tfjs=as_tfjs[0]).trace(feeds)
    double = Runner(source, dtype="float64", as_tfjs=as_tfjs[0]).trace(feeds)
    for (value, array), (_, exact) in zip(single, double, strict=True):
        kept += array.nbytes
        if kept > _MOST_KEPT:
            raise UnsupportedError(
                "the values on the way take more than 4 GiB", hint="leave --layerwise out"
            )
        right[value.name] = array, bound_of(array, exact) if bound is None else bound
    for value, array in Runner(result, as_tfjs=as_tfjs[1]).trace(
        fed_in_order(result.graph, source.graph, feeds)
    ):
        name, node = value.name, value.node
        # A node of the same name may be another, where a rule has put several in its place.
        if node.op in _GIVEN or name not in right or right[name][0].shape != array.shape:
            continue
        reads = tuple(entry.name for entry in node.inputs if entry.node.op != "Const")
        apart = difference(name, array, *right[name])
        yield Step(name, node.op, wanted[name].node.origin, reads, apart)


def _named(graph: Graph) -> dict[str, Value]:
    return {value.name: value for node in graph.nodes.values() for value in node.outputs}
