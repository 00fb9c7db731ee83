"""Convert a model from one format to another."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from tfjs._options import Options, Verify, check_known, read_options, write_options
from tfjs._sources import Opened, few, graph_hint, local, opened, reader_for
from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.formats.base import (
    Content,
    Format,
    Port,
    ReadOptions,
    WriteOptions,
    Written,
)
from tfjs.formats.registry import for_output, named
from tfjs.io.paths import inside
from tfjs.ir.graph import GraphModel
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import DerivedTensor, QuantizedTensor

if TYPE_CHECKING:
    from tfjs.verification.check import Verification
    from tfjs.verification.conversion import Check

# Whether conversions are verified where nobody says so; tests with oracles of their own say no.
VERIFIES = True
_OF_TFJS_GRAPHS = (
    *("control_flow", "strip_debug_ops", "structured_outputs", "optimize", "numerics"),
    *("disable_passes", "dump_after", "check_passes"),
)
_OF_GRAPHS = (*_OF_TFJS_GRAPHS, "skip_op_check")
# The formats of graphs, with the options of graphs that mean nothing to each.
_GRAPH_FORMATS = {
    "tfjs-graph": (),
    **dict.fromkeys(("saved-model", "frozen-graph"), _OF_TFJS_GRAPHS),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a conversion read, changed and wrote.

    Attributes:
        source: path of the source, or the class of a live model.
        source_format: its format.
        producer: what wrote the source, where it tells.
        dest: path of the result.
        dest_format: its format.
        inputs: name, dtype and shape of each input, in order.
        outputs: the same of each output.
        layers: number of layers, nested ones included; 0 for weights alone and for graphs.
        ops: how many nodes of each operation the graph that was written has, those of functions
            included; the most frequent first.
        parameters: number of weights' elements.
        files: name and size in bytes of each file written.
        rewrites: what was expressed otherwise, with the layers or nodes that it concerns.
        optimizations: how often each rule of the optimizer applied.
        notes: what was left out or deserves a word.
        verification: what running the source and the result has shown; None where that was not
            asked for.
    """

    source: str
    source_format: str
    producer: str | None
    dest: str
    dest_format: str
    inputs: list[Port]
    outputs: list[Port]
    layers: int
    ops: dict[str, int]
    parameters: int
    files: list[tuple[str, int]]
    rewrites: dict[str, list[str]]
    optimizations: dict[str, int]
    notes: list[str]
    verification: Verification | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all files written."""
        return sum(size for _, size in self.files)

    def to_json(self) -> str:
        """The report as one JSON object, in ASCII: paths may hold what UTF-8 cannot."""
        told = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        told["inputs"] = [asdict(port) for port in self.inputs]
        told["outputs"] = [asdict(port) for port in self.outputs]
        if self.verification is not None:
            told["verification"] = self.verification.to_dict()
        return json.dumps(told)


@overload
def convert(
    source: str | os.PathLike[str] | Any,
    dest: str | os.PathLike[str],
    *,
    signatures: None = None,
    **options: Unpack[Options],
) -> Report: ...


@overload
def convert(
    source: str | os.PathLike[str] | Any,
    dest: str | os.PathLike[str],
    *,
    signatures: Sequence[str] | Literal["all"],
    **options: Unpack[Options],
) -> list[Report]: ...


def convert(
    source: str | os.PathLike[str] | Any,
    dest: str | os.PathLike[str],
    *,
    signatures: Sequence[str] | Literal["all"] | None = None,
    **options: Unpack[Options],
) -> Report | list[Report]:
    """Convert a model.

    Args:
        source: path of a model; the address of a TensorFlow Hub module; a live model of Keras 3 or
            tf_keras; a tf.function, concrete function or module of TensorFlow; or a model that
            `load` or `freeze` gave.
        dest: path of the result; a folder for TF.js, `.keras` or `.h5` for Keras.
        from_: format of the source; recognised when None.
        to: format of the result; taken from `dest` when None.
        weights: the weights file of an architecture JSON; found beside it when None.
        quantize: weights to store in fewer bytes, as `{"uint8": ["dense*"], "float16": True}`;
            patterns are matched against weight names, True means all others.
        dequantize: expand weights that the source stores in fewer bytes.
        shard_size: largest size of a weight file in bytes.
        split_weights_by_layer: one group of weight files for each layer.
        metadata: user-defined metadata for the result.
        custom_layers: "keep" passes layers of unknown classes on by name, "refuse" refuses.
        signature: the signature of a SavedModel; `serving_default`, or the only one, when None.
        signatures: several signatures, or "all"; each goes to a folder of its name in `dest`.
        saved_model_tags: the tags of its metagraph; "serve" when None.
        output_node_names: the outputs of a frozen graph; found when empty.
        control_flow: how a graph model branches and loops: "v1" with Switch and Merge, "v2" with
            functions, "auto" as TF.js runs it best.
        skip_op_check: keep operations that TF.js lacks, for a page that registers them.
        strip_debug_ops: leave out operations that only print.
        structured_outputs: let `predict` of a graph model answer with an object by output name.
        optimize: make a graph model one that TF.js runs faster.
        numerics: "exact" leaves out what computes the same sums in another order.
        disable_passes: ids of passes and rules of the optimizer to leave out.
        dump_after: ids of passes and rules after which the graph is written as text, into a file
            beside `dest`.
        check_passes: run the graph after each rule, and refuse to write where an answer moves.
        verify: read the result back, and run it and the source on the same inputs; what answers
            otherwise is not written. "tfjs" runs the result in the real TF.js by Node.
        max_error: the largest absolute difference that an output may have from the source's; None
            for what rounding explains, and for any where weights are quantised.
        progress: told the bytes of weights written so far, and of all.

    Returns:
        What was read, rewritten and written; a list, one a signature, where `signatures` is given.

    Raises:
        FormatError: the source is missing, damaged or unsafe.
        UnsupportedError: the target cannot express the model; every layer is listed.
        UsageError: options or paths make no sense.
        ConversionError: the result cannot be written.
        VerificationError: the result answers something else than the source.
        MissingDependencyError: Node or TF.js is to run the result, and is not installed.
    """
    check_known(options, Options, "convert")
    if signatures is None:
        return _convert(source, output_path(dest), options)
    return _convert_several(source, output_path(dest), signatures, options)


def _convert(source: Any, target: Path, options: Options) -> Report:
    writing, to = write_options(options), options.get("to")
    with opened(source, options.get("from_"), to, read_options(options)) as found:
        return converted(found, target, to, writing, verify=options.get("verify", VERIFIES))


def _convert_several(
    source: Any, target: Path, signatures: Sequence[str] | Literal["all"], options: Options
) -> list[Report]:
    """Write each signature into a folder of its name."""
    if options.get("signature") is not None:
        raise UsageError("either signature or signatures can be given, not both")
    source = local(source)
    if signatures == "all":
        signatures = _signatures(source, options.get("from_"), read_options(options))
    where = str(source) if isinstance(source, Path) else type(source).__name__
    to = options.get("to") or "tfjs-graph"
    return [
        _convert(
            source, inside(target, name, where=where), {**options, "signature": name, "to": to}
        )
        for name in signatures
    ]


def _signatures(source: Any, from_: str | None, options: ReadOptions) -> list[str]:
    """The names of all signatures that a source has."""
    if not isinstance(source, Path):
        from tfjs.live_tensorflow import is_live_function, live_signatures  # noqa: PLC0415

        names = live_signatures(source) if is_live_function(source) else []
        if not names:
            raise UsageError(f"a {type(source).__name__} has no signatures")
        return names
    reader = reader_for(source, from_, "tfjs-graph", options)
    if reader.signatures is None:
        raise UsageError(f"a {reader.title} has no signatures")
    return reader.signatures(source, options)


def output_path(dest: str | os.PathLike[str]) -> Path:
    """Where to write to.

    Raises:
        UsageError: the path is empty, which would mean the current folder.
    """
    if not os.fspath(dest):
        raise UsageError("the output path is empty")
    return Path(dest)


def write(content: Content, path: Path, writer: Format, options: WriteOptions) -> Written:
    """Write content in a format.

    Raises:
        UnsupportedError: the format is only read, or cannot hold such content.
        UsageError: an option is given that means nothing to the content.
    """
    if writer.write is None:
        raise UnsupportedError(f"tfjs reads {writer.title}s but does not write them")
    graph_format = writer.name in _GRAPH_FORMATS
    if graph_format and isinstance(content, LayersModel):
        from tfjs.layers.lowering import lower  # noqa: PLC0415 - most layers stay layers

        layers, content = content, lower(content)
        content.layers = layers
    if isinstance(content, GraphModel) != graph_format:
        kind = "a graph" if isinstance(content, GraphModel) else "no graph"
        raise UnsupportedError(
            f"the source is {kind}, and cannot become a {writer.title}",
            hint="graphs become TF.js graph models, SavedModels and frozen graphs; layers become "
            "any of these and Keras's files",
        )
    for name in _GRAPH_FORMATS.get(writer.name, _OF_GRAPHS):
        if getattr(options, name) != getattr(WriteOptions(), name):
            kind = "TF.js graph models" if graph_format else "graph models"
            raise UsageError(f"{name} is an option of {kind}, which this does not become")
    if isinstance(content, GraphModel):
        return _write_graph(content, path, writer, options)
    return writer.write(content, path, options)


def _write_graph(model: GraphModel, path: Path, format_: Format, options: WriteOptions) -> Written:
    # Layers models need none of it.
    from tfjs.passes.pipeline import legalize, rewrites_by_words  # noqa: PLC0415

    if format_.name == "tfjs-graph":
        model.signature.structured |= options.structured_outputs
        outcome = legalize(
            model,
            control_flow=options.control_flow,
            skip_op_check=options.skip_op_check,
            strip_debug_ops=options.strip_debug_ops,
            improve=partial(_optimized, path=path, options=options),
        )
    else:
        from tfjs.passes.to_tensorflow import freeze_variables, to_tensorflow  # noqa: PLC0415

        if format_.name == "frozen-graph":
            freeze_variables(model)
        outcome = to_tensorflow(model, skip_op_check=options.skip_op_check)
    assert format_.write is not None
    written = format_.write(model, path, options)
    graphs = [model.graph, *model.functions.values()]
    ops = Counter(node.op for graph in graphs for node in graph.nodes.values())
    written.ops = dict(sorted(ops.items(), key=lambda item: (-item[1], item[0])))
    written.rewrites = rewrites_by_words(outcome.rewrites)
    written.optimizations = dict(sorted(outcome.optimizations.items()))
    written.notes = [*outcome.notes, *written.notes]
    return written


def _optimized(model: GraphModel, *, path: Path, options: WriteOptions) -> Counter[str]:
    """Optimize a graph as the options tell; how often each rule applied."""
    ids = [*options.disable_passes, *options.dump_after]
    if not options.optimize and not ids:
        return Counter()  # without all the rules, which take a moment to load
    from tfjs.passes.optimize.pipeline import check_ids, optimize, rule_ids  # noqa: PLC0415

    check_ids(ids)
    if not options.optimize:
        return Counter()
    if options.dequantize:
        _expand(model)
    watches: list[Callable[[str, Literal["exact", "reassociating"]], None]] = []
    if options.dump_after:
        watches.append(lambda ident, _: _dumped(model, ident, path, options.dump_after))
    if options.check_passes:
        from tfjs.verification.passes import PassCheck  # noqa: PLC0415

        watches.append(PassCheck(model))

    def watch(ident: str, numerics: Literal["exact", "reassociating"]) -> None:
        for each in watches:
            each(ident, numerics)

    return optimize(
        model,
        numerics=options.numerics,
        disabled=options.disable_passes,
        watch=watch if watches else None,
        by_rule=options.check_passes or not rule_ids().isdisjoint(options.dump_after),
    )


def _expand(model: GraphModel) -> None:
    """Expand weights that are stored in fewer bytes, so that scales can become part of them."""
    for graph in [model.graph, *model.functions.values()]:
        for node in graph.nodes.values():
            tensor = node.attrs.get("value")
            if isinstance(tensor, QuantizedTensor):
                node.attrs["value"] = DerivedTensor(tensor.dtype, tensor.shape, tensor.array)


def _dumped(model: GraphModel, ident: str, path: Path, wanted: Collection[str]) -> None:
    """Write a graph as text beside the output, where that is asked for after a pass or rule."""
    if ident not in wanted:
        return
    from tfjs.ir.text import graph_text  # noqa: PLC0415

    texts = map(graph_text, [model.graph, *model.functions.values()])
    target = path.with_name(f"{path.name}.{ident.replace('/', '-')}.txt")
    try:
        target.write_text("\n".join(texts), encoding="utf-8")
    except OSError as error:
        raise ConversionError(f"cannot be written: {error.strerror}", where=str(target)) from None


def writer_for(dest: Path, to: str | None, content: Content) -> Format:
    """The format that `to` names, or the ending of the output path.

    Raises:
        UsageError: there is no such format, or the ending means none.
    """
    if to is not None:
        return named(to)
    return for_output(dest, content)


def converted(
    source: Opened,
    dest: Path,
    to: str | None,
    options: WriteOptions,
    *,
    verify: Verify = True,
) -> Report:
    """Write what was read and verify it.

    Raises:
        VerificationError: the result answers something else than the source.
        UsageError, UnsupportedError, ConversionError: as `writer_for` and `write` raise them.
    """
    writer = writer_for(dest, to, source.content)
    try:
        return _converted(source, dest, writer, options, verify=verify)
    except UnsupportedError as refusal:
        if to is not None or writer.name != "tfjs-layers" or not refusal.problems:
            raise
        return _as_graph(source, dest, options, refusal, verify=verify)


def _as_graph(
    source: Opened, dest: Path, options: WriteOptions, refusal: UnsupportedError, *, verify: Verify
) -> Report:
    """Write layers that TF.js does not have as a graph, and say so; else the refusal stands.

    Where no graph can be made of the layers either, a SavedModel has one of its own.
    """
    from tfjs.layers.lowering import lower  # noqa: PLC0415 - most layers stay layers

    assert isinstance(source.content, LayersModel)
    graph = named("tfjs-graph")
    try:
        lower(source.content)
    except UnsupportedError as error:
        if source.own_graph is not None:
            return _converted(source.own_graph(error), dest, graph, options, verify=verify)
        # What no graph holds either is what is in the way; the refusal tells what to do about it.
        told = {problem.partition(":")[0]: problem for problem in refusal.problems}
        raise UnsupportedError(
            "the model can be expressed neither as a layers model nor as a graph model",
            problems=[told.get(entry.partition(":")[0], entry) for entry in error.problems],
            hint=graph_hint(source.format),
        ) from None
    report = _converted(source, dest, graph, options, verify=verify)
    why = few(refusal.problems)
    report.notes.insert(0, f"a graph model, since TF.js has no such layers: {why}")
    return report


def _converted(
    source: Opened, dest: Path, writer: Format, options: WriteOptions, *, verify: Verify
) -> Report:
    content = source.content
    layers, parameters = _counted(content)
    check = _check(source, writer, options, verify)
    if check is not None:
        options = replace(options, check=check)
    written = write(content, dest, writer, options)
    return Report(
        source=source.label,
        source_format=source.format,
        producer=content.producer,
        dest=str(dest),
        dest_format=writer.name,
        inputs=written.inputs,
        outputs=written.outputs,
        layers=layers,
        ops=written.ops,
        parameters=parameters,
        files=written.files,
        rewrites=written.rewrites,
        optimizations=written.optimizations,
        notes=[*written.notes, *(check.notes if check is not None else ())],
        verification=check.found if check is not None else None,
    )


def _check(source: Opened, writer: Format, options: WriteOptions, verify: Verify) -> Check | None:
    """What is done with the result before it takes its place."""
    if verify not in (True, False, "tfjs"):
        raise UsageError(f"verify takes True, False or 'tfjs', not {verify!r}")
    if verify == "tfjs" and not writer.name.startswith("tfjs-"):
        raise UsageError(f"verify='tfjs' runs TF.js models, the result is a {writer.title}")
    if not verify:
        return None
    from tfjs.verification.conversion import Check  # noqa: PLC0415 - it is slow to import

    engine: Literal["numpy", "tfjs-cpu"] = "tfjs-cpu" if verify == "tfjs" else "numpy"
    return Check(source.content, writer, options, engine=engine, beside=source.beside)


def _counted(content: Content) -> tuple[int, int]:
    """How many layers, and how many elements of weights."""
    if isinstance(content, LayersModel):
        layers = sum(layer.class_name != "InputLayer" for _, layer in content.walk())
        return layers, sum(weight.tensor.size for _, weight in content.weights())
    if isinstance(content, GraphModel):
        graphs = [content.graph, *content.functions.values()]
        constants = (tensor for graph in graphs for tensor in graph.constants())
        tensors = [*content.variables.values(), *constants]
        return 0, sum(tensor.size for tensor in tensors)
    return 0, sum(entry.tensor.size for entry in content.tensors())
