"""Load a model in Python: run it, look at its layers and weights, and save it again."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
import numpy.typing as npt

from tfjs._convert import Report, converted, output_path
from tfjs._options import Reading, Writing, check_known, read_options, write_options
from tfjs._sources import Opened, graph_hint, kept, local, opened, opened_path
from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import Content, Port
from tfjs.formats.manifest_read import read_manifest
from tfjs.formats.tensors import tensors_of
from tfjs.ir import graph as ir
from tfjs.ir import layers_model as layers_ir
from tfjs.ir.layers_model import Layer, TensorRef
from tfjs.ir.tensor import Array, Tensor
from tfjs.layers.ports import inputs_of, outputs_of

if TYPE_CHECKING:
    from tfjs.runtime.engine import Runner

Engine = Literal["numpy", "onnxruntime"]
# One array, a list in the order of the inputs, or a dict by their names.
Inputs = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
Outputs = Array | list[Array] | dict[str, Array]


class Weights(Mapping[str, Array]):
    """The weights of a model by name, read when they are asked for."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> Array:
        return self._tensors[name].array()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def tensor(self, name: str) -> Tensor:
        """The lazy tensor of that name: dtype and shape without reading."""
        return self._tensors[name]


class Model:
    """A loaded model; weights alone, which cannot be called, where it is of no subclass.

    Attributes:
        content: the model in tfjs's own representation.
        format: name of the format that it was read from.
        weights: the weights by name (`dense/kernel`; nested layers by path).
    """

    def __init__(
        self, content: Content, source: str, format_: str, *, engine: Engine = "numpy"
    ) -> None:
        self.content = content
        self.format = format_
        self._source = source
        self._engine = engine
        self.weights = Weights(tensors_of(content))

    @property
    def layers(self) -> list[Layer]:
        """The layers in the source's order; none where the source has no layers."""
        return []

    @property
    def name(self) -> str:
        """The model's name; the source's path where it has none."""
        return self._source

    def save(
        self, dest: str | os.PathLike[str], *, to: str | None = None, **options: Unpack[Writing]
    ) -> Report:
        """Save the model; arguments and errors are those of `tfjs.convert`."""
        check_known(options, Writing, "save")
        source = Opened(kept(self.content), self._source, self.format)
        return converted(source, output_path(dest), to, write_options(options))

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<tfjs.{kind} {self.name!r} from {self.format}, {len(self.weights)} weights>"

    @property
    def inputs(self) -> list[Port]:
        """Name, dtype and shape of each input, in order."""
        return []

    @property
    def outputs(self) -> list[Port]:
        """Name, dtype and shape of each output, in order."""
        return []

    def __call__(self, inputs: Inputs) -> Outputs:
        """What the model answers.

        Args:
            inputs: one array, a list in the order of the inputs, or a dict by their names.

        Returns:
            An array, a list in the order of the outputs, or for structured outputs a dict.

        Raises:
            UsageError: inputs are missing, or have other shapes or dtypes than the model takes.
            UnsupportedError: the model cannot be run here; what stands in the way is named.
        """
        return self._answer(self._runner.run(self._named(inputs)))

    def predict(self, inputs: Inputs, *, batch_size: int | None = None) -> Outputs:
        """What the model answers for many examples, some at a time.

        Args:
            inputs: see `__call__`.
            batch_size: how many examples at a time; all at once when None.

        Raises:
            UsageError: see `__call__`; or inputs or outputs do not have the examples as first axis.
        """
        feeds = self._named(inputs)
        count = _examples(feeds, batch_size)
        if batch_size is None or count <= batch_size:
            return self._answer(self._runner.run(feeds))
        parts = []
        with _progress(count) as advance:
            for start in range(0, count, batch_size):
                some = {name: array[start : start + batch_size] for name, array in feeds.items()}
                answers = self._runner.run(some)
                size = min(batch_size, count - start)
                for port, answer in zip(self.outputs, answers, strict=True):
                    if answer.ndim == 0 or len(answer) != size:
                        raise UsageError(
                            f"the output {port.name!r} does not have one row an example: it "
                            f"has the shape {list(answer.shape)} for {size} of them",
                            hint="call predict without batch_size",
                        )
                parts.append(answers)
                advance(size)
        return self._answer([np.concatenate(answers) for answers in zip(*parts, strict=True)])

    def execute(
        self, inputs: Inputs, outputs: str | Sequence[str] | None = None
    ) -> Array | list[Array]:
        """What the model computes on the way.

        Args:
            inputs: see `__call__`.
            outputs: names of nodes (`conv/Relu`, `split:1`) or, of a layers model, of layers; the
                model's outputs when None.

        Returns:
            An array for one name, else a list.

        Raises:
            UsageError: there is no such node or layer; and as `__call__`.
        """
        names = [outputs] if isinstance(outputs, str) else outputs
        found = self._computed(self._named(inputs), names)
        return found[0] if isinstance(outputs, str) else found

    def _computed(self, feeds: dict[str, Array], names: Sequence[str] | None) -> list[Array]:
        return self._runner.run(feeds, names)

    @cached_property
    def _runner(self) -> Runner:
        return _runner_of(self.content, self.format, self._engine)

    def _named(self, inputs: Inputs) -> dict[str, Array]:
        names = [port.name for port in self.inputs]
        if isinstance(inputs, Mapping):
            return {name: _array(item) for name, item in inputs.items()}
        items = list(inputs) if isinstance(inputs, list | tuple) and len(names) != 1 else [inputs]
        if isinstance(inputs, list | tuple) and len(names) == 1 and _is_list_of_one(inputs):
            items = list(inputs)
        if len(items) != len(names):
            raise UsageError(
                f"the model takes {len(names)} inputs ({', '.join(names)}), not {len(items)}"
            )
        return dict(zip(names, map(_array, items), strict=True))

    def _answer(self, answers: list[Array]) -> Outputs:
        return answers[0] if len(answers) == 1 else answers


class LayersModel(Model):
    """A model of Keras layers, from a TF.js layers model or one of Keras's formats."""

    content: layers_ir.LayersModel

    @property
    def layers(self) -> list[Layer]:
        return self.content.layers

    @property
    def name(self) -> str:
        return self.content.name

    @property
    def inputs(self) -> list[Port]:
        return [Port(*told) for told in inputs_of(self.content)]

    @property
    def outputs(self) -> list[Port]:
        return [Port(*told) for told in outputs_of(self.content)]

    def _answer(self, answers: list[Array]) -> Outputs:
        if isinstance(self.content.outputs, dict):
            return dict(zip((port.name for port in self.outputs), answers, strict=True))
        return super()._answer(answers)

    def _computed(self, feeds: dict[str, Array], names: Sequence[str] | None) -> list[Array]:
        if names is None:
            return self._runner.run(feeds)
        known = {layer.name for layer in self.content.layers}
        for name in names:
            if name not in known:
                raise UsageError(f"the model has no layer {name!r}", where=self.name)
        asked = [TensorRef(name) for name in names]
        return _runner_of(replace(self.content, outputs=asked), self.format, self._engine).run(
            feeds
        )


class GraphModel(Model):
    """A graph, from a TF.js graph model, a SavedModel or a frozen graph.

    Attributes:
        graph: the main graph.
        signature: the keys of inputs and outputs, which may be changed before it is saved.
    """

    content: ir.GraphModel

    @property
    def graph(self) -> ir.Graph:
        """The main graph."""
        return self.content.graph

    @property
    def signature(self) -> ir.Signature:
        """The keys of inputs and outputs."""
        return self.content.signature

    @signature.setter
    def signature(self, signature: ir.Signature) -> None:
        self.content.signature = signature

    @property
    def inputs(self) -> list[Port]:
        nodes = [node for node in self.graph.inputs if node.output.dtype != "resource"]
        return [
            Port(name, str(node.output.dtype), node.output.shape)
            for name, node in zip(self.signature.inputs, nodes, strict=True)
        ]

    @property
    def outputs(self) -> list[Port]:
        return [
            Port(name, str(value.dtype), value.shape)
            for name, value in zip(self.signature.outputs, self.graph.outputs, strict=True)
        ]

    def _answer(self, answers: list[Array]) -> Outputs:
        if self.signature.structured:
            return dict(zip(self.signature.outputs, answers, strict=True))
        return super()._answer(answers)


def load(
    path: str | os.PathLike[str],
    *,
    from_: str | None = None,
    engine: Engine = "numpy",
    **options: Unpack[Reading],
) -> Model:
    """Load a model of any format that tfjs reads; weights stay in the file until used.

    Args:
        path: the file or folder, the address of a TensorFlow Hub module, or that of a TF.js
            `model.json`.
        from_: its format; recognised when None.
        engine: what computes: NumPy, or ONNX Runtime where that is installed (`tfjs[run]`).
        weights: the weights file of an architecture JSON; found beside it when None.
        signature: the signature of a SavedModel; `serving_default`, or the only one, when None.
        saved_model_tags: the tags of its metagraph; "serve" when None.
        output_node_names: the outputs of a frozen graph; found when empty.

    Returns:
        A `GraphModel` or `LayersModel`, which can be called, or of weights alone a `Model`.

    Raises:
        FormatError: it is missing, damaged or unsafe, or no reader recognises it.
        UsageError: an argument means nothing to the format.
        MissingDependencyError: the engine is not installed.
    """
    check_known(options, Reading, "load")
    if engine == "onnxruntime":
        from tfjs.runtime.onnx import require_onnxruntime  # noqa: PLC0415

        require_onnxruntime()
    found = opened_path(local(path), from_, None, read_options(options))
    return _model(found.content, found.label, found.format, engine)


def weights(path: str | os.PathLike[str], **options: Unpack[Reading]) -> Weights:
    """The weights of a model by name, as NumPy arrays that are read when they are asked for.

    Quantised weights come expanded. Arguments and errors are those of `load`.
    """
    return load(path, **options).weights


def load_weights(
    manifest: Sequence[Mapping[str, Any]],
    prefix: str | os.PathLike[str] = "",
    names: Sequence[str] | None = None,
) -> dict[str, Array]:
    """The weights that a manifest describes, for a forward pass of one's own.

    Args:
        manifest: the parsed `weightsManifest` of a `model.json`.
        prefix: the folder that its paths are relative to.
        names: which weights; all when None.

    Raises:
        UsageError: the manifest has no weight of that name.
        CorruptFileError: the manifest is malformed, or does not fit the files.
        UnsafeFileError: a path leaves the folder.
    """
    groups = read_manifest(list(manifest), Path(prefix), "the manifest")
    tensors = {entry.name: entry.tensor for group in groups for entry in group.tensors}
    for name in names or ():
        if name not in tensors:
            raise UsageError(f"the manifest has no weight {name!r}")
    return {name: tensors[name].array() for name in (tensors if names is None else names)}


def freeze(
    source: str | os.PathLike[str] | Any,
    *,
    from_: str | None = None,
    **options: Unpack[Reading],
) -> GraphModel:
    """The graph of a source with its variables as constants and its calls inlined.

    What comes out may be changed, its `signature` above all, and given to `convert`. Values of
    variables are read when they are needed: the source must stay until then.

    Args:
        source: what `convert` takes and is a graph: a SavedModel, a frozen graph, a hub module, or
            a function or module of TensorFlow.
        from_: format of the source; recognised when None.
        signature: see `convert`.
        saved_model_tags: see `convert`.
        output_node_names: see `convert`.

    Raises:
        FormatError: the source is missing, damaged or unsafe.
        UnsupportedError: it is no graph, or a variable has no value or changes in a run.
        UsageError: arguments make no sense.
    """
    from tfjs.passes.pipeline import freeze_whole  # noqa: PLC0415 - layers models need none of it

    check_known(options, Reading, "freeze")
    reading = read_options(options)
    with opened(source, from_, "tfjs-graph", reading) as found:
        if not isinstance(found.content, ir.GraphModel):
            raise UnsupportedError("is no graph", where=found.label)
        freeze_whole(found.content)
    return GraphModel(found.content, found.label, found.format)


def _model(content: Content, source: str, format_: str, engine: Engine) -> Model:
    if isinstance(content, layers_ir.LayersModel):
        return LayersModel(content, source, format_, engine=engine)
    if isinstance(content, ir.GraphModel):
        return GraphModel(content, source, format_, engine=engine)
    return Model(content, source, format_, engine=engine)


def _runner_of(content: Content, format_: str, engine: Engine) -> Runner:
    from tfjs.runtime.prepare import runnable  # noqa: PLC0415 - who only looks needs none of it

    # A graph of TF.js runs as it is, so that every node can be asked for.
    of_tfjs = format_ == "tfjs-graph" and isinstance(content, ir.GraphModel)
    try:
        graph = content if of_tfjs and isinstance(content, ir.GraphModel) else runnable(content)
    except UnsupportedError as error:
        error.hint = error.hint or graph_hint(format_)
        raise
    return _runner_class(engine)(graph, as_tfjs=format_ in ("tfjs-graph", "tfjs-layers"))


def _runner_class(engine: Engine) -> type[Runner]:
    if engine == "onnxruntime":
        from tfjs.runtime.onnx import OnnxRunner  # noqa: PLC0415

        return OnnxRunner
    from tfjs.runtime.engine import Runner  # noqa: PLC0415

    return Runner


# What goes in ------------------------------------------------------------------------------------


def _array(item: Any) -> Array:
    array = np.asarray(item)
    return array.astype(object) if array.dtype.kind in "SU" else array


def _is_list_of_one(inputs: Sequence[Any]) -> bool:
    return len(inputs) == 1 and isinstance(inputs[0], np.ndarray)


def _examples(feeds: Mapping[str, Array], batch_size: int | None) -> int:
    """How many examples there are."""
    if batch_size is None:
        return 0
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, not {batch_size}")
    counts = {len(array) if array.ndim else None for array in feeds.values()}
    if len(counts) != 1 or None in counts:
        told = ", ".join(f"{name} {list(array.shape)}" for name, array in feeds.items())
        raise UsageError(f"the inputs do not have as many examples each: {told}")
    return next(iter(counts)) or 0


# A run that is over before is no long one.
_SECONDS_BEFORE_A_BAR = 1.0


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal for runs that take long; what it gives is told the examples done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    start = time.monotonic()
    finished = 0
    with ExitStack() as stack:
        shown: list[Callable[[int], None]] = []

        def advance(done: int) -> None:
            nonlocal finished
            finished += done
            if not shown and time.monotonic() - start > _SECONDS_BEFORE_A_BAR:
                shown.append(_bar(stack, count))
            for show in shown:
                show(finished)

        yield advance


def _bar(stack: ExitStack, count: int) -> Callable[[int], None]:
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.progress import Progress  # noqa: PLC0415

    bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
    task = bar.add_task("predicting", total=count)
    return lambda done: bar.update(task, completed=done)
