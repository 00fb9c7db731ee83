"""What every format offers, and the options that writers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tfjs.io.atomic import unchecked
from tfjs.ir.graph import GraphModel
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.weights import WeightsOnly

Content = LayersModel | WeightsOnly | GraphModel
QuantizedDtype = Literal["float16", "uint8", "uint16"]
# Which weights to store in fewer bytes: fnmatch patterns of weight names, or True for all others.
QuantizationMap = Mapping[QuantizedDtype, Sequence[str] | Literal[True]]

DEFAULT_SHARD_SIZE = 4 * 1024 * 1024


def _no_progress(done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of readers.

    Attributes:
        weights: weights file that belongs to an architecture JSON.
        signature: which signature of a SavedModel; None for the usual one.
        tags: which metagraph of a SavedModel; None for the usual one, `()` for that without tags.
        output_node_names: the outputs of a frozen graph; empty to find them.
    """

    weights: Path | None = None
    signature: str | None = None
    tags: tuple[str, ...] | None = None
    output_node_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Options of writers; a writer refuses with a UsageError what its format cannot do.

    Attributes:
        shard_size: largest size of a weight file in bytes.
        split_weights_by_layer: one weight group for each layer.
        quantize: which weights to store in fewer bytes.
        dequantize: expand weights that are stored in fewer bytes.
        metadata: user-defined metadata, beside what the source has.
        custom_layers: "keep" passes classes that are not Keras's on by name, "refuse" refuses.
        control_flow: how a graph branches and loops: "v1", "v2", or "auto" for what runs best.
        skip_op_check: keep operations that TF.js does not know; the page must register them.
        strip_debug_ops: leave out operations of a graph that only print.
        structured_outputs: let `predict` of a graph model answer with an object by output name.
        optimize: make a graph one that TF.js runs faster.
        numerics: "exact" leaves out what computes the same sums in another order.
        disable_passes: ids of passes and rules of the optimizer to leave out.
        dump_after: ids of passes and rules after which the graph is written as text.
        check_passes: run the graph after each rule, and refuse to write where an answer moves.
        max_error: the largest absolute difference that an output may have from the source's; None
            for what rounding explains, and for any where weights are quantised.
        check: called with the path of the complete output before that takes its place; raises
            where the output is wrong.
        progress: told the bytes of weights written so far, and of all.
    """

    shard_size: int = DEFAULT_SHARD_SIZE
    split_weights_by_layer: bool = False
    quantize: QuantizationMap = field(default_factory=dict)
    dequantize: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    custom_layers: Literal["refuse", "keep"] = "refuse"
    control_flow: Literal["auto", "v1", "v2"] = "auto"
    skip_op_check: bool = False
    strip_debug_ops: bool = True
    structured_outputs: bool = False
    optimize: bool = True
    numerics: Literal["exact", "reassociating"] = "reassociating"
    disable_passes: Sequence[str] = ()
    dump_after: Sequence[str] = ()
    check_passes: bool = False
    max_error: float | None = None
    check: Callable[[Path], None] = unchecked
    progress: Callable[[int, int], None] = _no_progress


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a model.

    Attributes:
        name: its name.
        dtype: its dtype.
        shape: sizes with the batch first, None where free; None when unknown.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(slots=True)
class Written:
    """What a writer did.

    Attributes:
        files: name and size in bytes of each file, in order.
        rewrites: what was expressed otherwise, with the layers or nodes that it concerns.
        optimizations: how often each rule of the optimizer applied, by its id.
        notes: what was left out or deserves a word, one line each.
        inputs: name, dtype and shape of each input, in order.
        outputs: the same of each output.
        ops: how many nodes of each operation a graph has, those of functions included.
    """

    files: list[tuple[str, int]]
    rewrites: dict[str, list[str]] = field(default_factory=dict)
    optimizations: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    ops: dict[str, int] = field(default_factory=dict)


Reader = Callable[[Path, ReadOptions], Content]
Writer = Callable[[Content, Path, WriteOptions], Written]


@dataclass(frozen=True, slots=True)
class Format:
    """A file format.

    Attributes:
        name: what `--from` and `--to` call it.
        title: what reports call it.
        sniff: whether the file or folder looks like this format; cheap, raises nothing.
        read: reads it; raises FormatError for damaged files.
        write: writes content to a path; None for formats that are only read.
        options: the `ReadOptions` that its reader heeds.
        signatures: the names of the signatures to choose from; None where there are none.
    """

    name: str
    title: str
    sniff: Callable[[Path], bool]
    read: Reader
    write: Writer | None = None
    options: frozenset[str] = frozenset()
    signatures: Callable[[Path, ReadOptions], list[str]] | None = None
