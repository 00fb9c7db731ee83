"""What every conversion ends with: its output is read back and run beside the source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tfjs.errors import ConversionError, TfjsError, UnsupportedError, VerificationError
from tfjs.formats.base import Content, Format, ReadOptions, WriteOptions
from tfjs.formats.tensors import tensors_of
from tfjs.ir.graph import GraphModel
from tfjs.ir.weights import WeightsOnly
from tfjs.runtime.prepare import runnable
from tfjs.verification.check import Verification, too_large, verify
from tfjs.verification.compare import Difference
from tfjs.verification.weights import weight_errors


class Check:
    """Reads an output back and runs it beside the source.

    Made before the source is written, which may change it; called with the complete output before
    that takes its place.

    Args:
        source: what is converted.
        writer: the format of the output.
        options: how it is written.

    Attributes:
        found: what running both has shown, once it has been called.
    """

    def __init__(self, source: Content, writer: Format, options: WriteOptions) -> None:
        self._writer = writer
        self._bound = options.max_error
        if self._bound is None and options.quantize:
            self._bound = np.inf
        self.found = Verification()
        self._source: GraphModel | None = None
        self._weights = tensors_of(source) if options.quantize else {}
        try:
            self._source = self._reference(source)
        except UnsupportedError as error:
            problems = "; ".join(error.problems[:2])
            self._skip(f"the source cannot be run here: {problems or error.message}")

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
        """
        try:
            content = self._writer.read(path, ReadOptions())
        except TfjsError as error:
            raise VerificationError(
                f"what was written cannot be read back: {error.message}", where=error.where
            ) from error
        self._run(content)
        if self._weights:
            self.found = replace(self.found, weights=weight_errors(self._weights, content))
        complain(self.found)

    def _run(self, content: Content) -> None:
        if self._source is None or isinstance(content, WeightsOnly):
            return
        try:
            self.found = verify(self._source, runnable(content), bound=self._bound)
        except UnsupportedError as error:
            self._skip(f"the result cannot be run here: {error.message}")
        except (ConversionError, TfjsError) as error:
            raise VerificationError(
                f"what was written does not run: {error.message}", where=error.where
            ) from error


def complain(found: Verification) -> None:
    """Raise a VerificationError where two models answer differently."""
    wrong = [entry for entry in found.outputs if not entry.ok]
    if wrong:
        raise VerificationError(
            "the result does not answer what the source answers",
            where="; ".join(_line(entry) for entry in wrong[:4]),
            hint="this is a defect of tfjs: please report it with the model; --no-verify writes "
            "the result all the same",
        )


def _line(entry: Difference) -> str:
    return f"output {entry.name!r} {entry.problem}" if entry.name else str(entry.problem)
