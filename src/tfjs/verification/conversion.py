"""What every conversion ends with: its output is read back and run beside the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from tfjs.errors import (
    ConversionError,
    MissingDependencyError,
    TfjsError,
    UnsupportedError,
    VerificationError,
)
from tfjs.formats.base import Content, Format, ReadOptions, WriteOptions
from tfjs.formats.frozen_graph.write import port_names
from tfjs.formats.tensors import tensors_of
from tfjs.ir.graph import GraphModel
from tfjs.ir.weights import WeightsOnly
from tfjs.runtime.prepare import runnable
from tfjs.verification.check import Verification, too_large, verify
from tfjs.verification.compare import Difference
from tfjs.verification.ports import reorder
from tfjs.verification.real_tfjs import in_tfjs
from tfjs.verification.signature import told_otherwise
from tfjs.verification.weights import weight_errors

# What is written for TensorFlow is run as TensorFlow computes it.
_OF_TENSORFLOW = frozenset({"saved-model", "frozen-graph"})

_DEFECT = (
    "this is a defect of tfjs: please report it with the model; --no-verify writes the result all "
    "the same"
)


class Check:
    """Reads an output back and runs it beside the source.

    Made before the source is written, which may change it; called with the complete output before
    that takes its place.

    Args:
        source: what is converted.
        writer: the format of the output.
        options: how it is written.
        engine: what runs the result: our runtime, or the real TF.js in Node.
        signature: which signature of the output it becomes, where that has several.
        beside: reads the graph that a SavedModel has beside the layers that are converted.

    Attributes:
        found: what running both has shown, once it has been called.
        notes: what else deserves a word, likewise.
    """

    def __init__(
        self,
        source: Content,
        writer: Format,
        options: WriteOptions,
        *,
        engine: Literal["numpy", "tfjs-cpu"] = "numpy",
        signature: str | None = None,
        beside: Callable[[], GraphModel] | None = None,
    ) -> None:
        self._writer = writer
        self._engine = engine
        self._options = ReadOptions(signature=signature)
        self._bound = options.max_error
        if self._bound is None and options.quantize:
            self._bound = np.inf
        self._beside = beside
        self.found = Verification()
        self.notes: list[str] = []
        self._source: GraphModel | None = None
        self._weights = tensors_of(source) if options.quantize else {}
        try:
            self._source = self._reference(source)
        except UnsupportedError as error:
            problems = "; ".join(error.problems[:2])
            self._skip(f"the source cannot be run here: {problems or error.message}")
        except TfjsError as error:
            # Whether it can be converted is not for running it to say.
            self._skip(f"the source cannot be run here: {error.message}")

    def _reference(self, source: Content) -> GraphModel | None:
        if isinstance(source, WeightsOnly):
            self._skip("weights alone do not run")
            return None
        # Before what was read is copied, where it is a graph.
        model = source if isinstance(source, GraphModel) else runnable(source)
        why = too_large(model)
        if why is not None:
            self._skip(why)
            return None
        return runnable(source) if model is source else model

    def _skip(self, why: str) -> None:
        self.found = Verification(skipped=why)

    def __call__(self, path: Path) -> None:
        """Check an output.

        Raises:
            VerificationError: it cannot be read back, or answers something else than the source.
            MissingDependencyError: Node or TF.js is not installed.
        """
        try:
            content = self._read(path)
        except TfjsError as error:
            raise VerificationError(
                f"what was written cannot be read back: {error.message}", where=error.where
            ) from error
        self._run(content, path)
        if self._weights:
            self.found = replace(self.found, weights=weight_errors(self._weights, content))
        complain(self.found)
        self._look_beside()

    def _look_beside(self) -> None:
        if self._beside is None or self._source is None or self.found.skipped is not None:
            return
        try:
            told = told_otherwise(self._source, self._beside(), self.found.feeds)
        except TfjsError:
            return  # it has no signature, or one that takes other things or does not run here
        if told is not None:
            self.notes.append(told)

    def _read(self, path: Path) -> Content:
        """What was written, with inputs and outputs in the order of the source where keys tell."""
        source = self._source
        if source is None:
            return self._writer.read(path, self._options)
        inputs, outputs = source.signature.inputs, source.signature.outputs
        options = self._options
        if self._writer.name == "frozen-graph":
            inputs, outputs = port_names(source.signature)
            options = ReadOptions(output_node_names=tuple(outputs))
        content = self._writer.read(path, options)
        if isinstance(content, GraphModel):
            reorder(content, inputs, outputs)
        return content

    def _run(self, content: Content, path: Path) -> None:
        if self._source is None:
            return
        if isinstance(content, WeightsOnly):
            self._skip("weights alone do not run")
            return
        try:
            self.found = self._compared(self._source, runnable(content), path)
        except MissingDependencyError:
            raise
        except UnsupportedError as error:
            self._skip(f"the result cannot be run here: {error.message}")
        except (ConversionError, TfjsError) as error:
            raise VerificationError(
                f"what was written does not run: {error.message}", where=error.where
            ) from error

    def _compared(self, source: GraphModel, result: GraphModel, path: Path) -> Verification:
        if self._engine == "numpy":
            as_tfjs = self._writer.name not in _OF_TENSORFLOW
            return verify(source, result, bound=self._bound, as_tfjs=as_tfjs)
        try:
            with in_tfjs(result, path, "cpu") as run:
                found = verify(source, result, bound=self._bound, run=run)
        except UnsupportedError as error:
            raise VerificationError(error.message) from error
        return replace(found, engine=self._engine)


def complain(found: Verification) -> None:
    """Raise a VerificationError where two models answer differently."""
    wrong = [entry for entry in found.outputs if not entry.ok]
    if wrong:
        raise VerificationError(
            "the result does not answer what the source answers",
            where="; ".join(_line(entry) for entry in wrong[:4]),
            hint=_DEFECT if found.limit is None else "a larger --max-error lets it pass",
        )


def _line(entry: Difference) -> str:
    return f"output {entry.name!r} {entry.problem}" if entry.name else str(entry.problem)
