"""Several models as the signatures of one SavedModel."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tfjs._convert import Report, output_path
from tfjs._options import write_options
from tfjs._sources import Opened, opened
from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import Content, Port, ReadOptions, Written
from tfjs.formats.registry import named
from tfjs.formats.saved_model.write import write_signatures
from tfjs.ir.graph import GraphModel, Value
from tfjs.ir.layers_model import LayersModel
from tfjs.layers.lowering import lower
from tfjs.passes.pipeline import Outcome, rewrites_by_words
from tfjs.passes.to_tensorflow import to_tensorflow
from tfjs.verification.conversion import Check


def combine(
    sources: Mapping[str, str | os.PathLike[str] | Any],
    dest: str | os.PathLike[str],
    *,
    verify: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[Report]:
    """Write several models as the signatures of one SavedModel.

    Args:
        sources: the models by the names of their signatures, each as `convert` takes it.
        dest: the folder of the SavedModel.
        verify: run each signature and its source on the same inputs; when one answers otherwise,
            nothing is written.
        progress: told the bytes of weights written so far, and of all.

    Returns:
        A report for each signature.

    Raises:
        FormatError: a source is missing, damaged or unsafe.
        UnsupportedError: a source is no graph and no model of layers, or TensorFlow cannot compute
            it; all that is in the way is listed.
        UsageError: there are no sources, or the path is a file.
        ConversionError: the result cannot be written.
        VerificationError: a signature answers something else than its source.
    """
    if not sources:
        raise UsageError("there are no models to combine")
    target, options = output_path(dest), write_options({"progress": progress})
    with ExitStack() as stack:
        found = {
            key: stack.enter_context(opened(source, None, "saved-model", ReadOptions()))
            for key, source in sources.items()
        }
        writer = named("saved-model")
        checks = {
            key: Check(source.content, writer, options, signature=key)
            for key, source in found.items()
            if verify
        }
        models = {key: _graph(source.content, source.label) for key, source in found.items()}
        outcomes = {key: to_tensorflow(model) for key, model in models.items()}
        # Writing takes the graphs apart.
        told = {key: _told(model) for key, model in models.items()}

        def check(path: Path) -> None:
            for each in checks.values():
                each(path)

        written = write_signatures(models, target, replace(options, check=check))
        return [
            _report(source, target, told[key], outcomes[key], written, checks.get(key))
            for key, source in found.items()
        ]


class _Told(NamedTuple):
    """What the report says of one of the graphs."""

    inputs: list[Port]
    outputs: list[Port]
    ops: dict[str, int]
    parameters: int


def _report(
    source: Opened,
    target: Path,
    told: _Told,
    outcome: Outcome,
    written: Written,
    check: Check | None,
) -> Report:
    return Report(
        source=source.label,
        source_format=source.format,
        producer=source.content.producer,
        dest=str(target),
        dest_format="saved-model",
        inputs=told.inputs,
        outputs=told.outputs,
        layers=0,
        ops=told.ops,
        parameters=told.parameters,
        files=written.files,
        rewrites=rewrites_by_words(outcome.rewrites),
        optimizations={},
        notes=[*outcome.notes, *written.notes],
        verification=None if check is None else check.found,
    )


def _told(model: GraphModel) -> _Told:
    graphs = [model.graph, *model.functions.values()]
    ops = Counter(node.op for graph in graphs for node in graph.nodes.values())
    constants = (tensor for graph in graphs for tensor in graph.constants())
    return _Told(
        _ports(model.signature.inputs, [node.output for node in model.graph.inputs]),
        _ports(model.signature.outputs, model.graph.outputs),
        dict(sorted(ops.items(), key=lambda item: (-item[1], item[0]))),
        sum(tensor.size for tensor in [*model.variables.values(), *constants]),
    )


def _ports(names: list[str], values: list[Value]) -> list[Port]:
    pairs = zip(names, values, strict=True)
    return [Port(name, value.dtype or "unknown", value.shape) for name, value in pairs]


def _graph(content: Content, label: str) -> GraphModel:
    if isinstance(content, LayersModel):
        return lower(content)
    if isinstance(content, GraphModel):
        return content
    raise UnsupportedError("are weights without a model", where=label)
