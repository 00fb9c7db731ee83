"""Run a source and what became of it on the same inputs, and hold the answers together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tfjs.errors import TfjsError
from tfjs.ir.graph import Graph, GraphModel
from tfjs.ir.tensor import Array
from tfjs.ops.definitions import definition
from tfjs.runtime.deadline import within
from tfjs.runtime.engine import Runner
from tfjs.verification.compare import Difference, bound_of, difference
from tfjs.verification.cost import multiplications
from tfjs.verification.inputs import fed_in_order, plausible_inputs
from tfjs.verification.weights import WeightError

# What is run without being asked for: some two seconds for three runs on two cores.
MOST_MULTIPLICATIONS = 5 << 30
MOST_NODES = 20_000
MOST_SECONDS = 2.0
MOST_BYTES = 1 << 30
# Up to here a second example in the batch costs nothing to speak of; it shows mixed-up axes.
_CHEAP = 1 << 28
_BATCH = 2
# Answers what one side answers, fed by the name of its input nodes.
Run = Callable[[Mapping[str, Array]], Sequence[Array]]
_BY_HAND = "`tfjs verify RESULT --against SOURCE` runs it all the same"


@dataclass(frozen=True, slots=True)
class Verification:
    """What running two models on the same inputs has shown.

    Attributes:
        outputs: how each output differs.
        skipped: why the models were not run; None where they were.
        weights: how far quantised weights are from the source's, the worst first.
        feeds: what was fed, by the name of the source's input nodes.
        engine: what ran the result: "numpy", "onnxruntime", "tfjs-cpu" or "tfjs-wasm".
        limit: the largest absolute difference that was asked for; None where it is what rounding
            explains.
    """

    outputs: list[Difference] = field(default_factory=list)
    skipped: str | None = None
    weights: list[WeightError] = field(default_factory=list)
    feeds: Mapping[str, Array] = field(default_factory=dict, repr=False, compare=False)
    engine: str = "numpy"
    limit: float | None = None

    @property
    def ok(self) -> bool:
        """Whether all outputs are as they should be, as far as they were looked at."""
        return all(entry.ok for entry in self.outputs)

    @property
    def inputs(self) -> dict[str, str]:
        """Dtype and shape of what was fed, by input, as `float32[2,28,28,1]`."""
        return {name: _told(array) for name, array in self.feeds.items()}

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "ok": self.ok,
            "skipped": self.skipped,
            "engine": self.engine,
            "inputs": self.inputs,
            "outputs": [entry.to_dict() for entry in self.outputs],
            "weights": [asdict(entry) for entry in self.weights],
        }

    @property
    def largest(self) -> float:
        """The largest absolute difference of floating point numbers."""
        return max((entry.largest for entry in self.outputs), default=0.0)


def too_large(source: GraphModel) -> str | None:
    """Why a model is not run without being asked for; None where it may be small enough."""
    graphs = [source.graph, *source.functions.values()]
    count = sum(len(graph.nodes) for graph in graphs)
    if count > MOST_NODES:
        return f"the graph has {count} nodes; {_BY_HAND}"
    tensors = [tensor for graph in graphs for tensor in graph.constants()]
    size = sum(4 * tensor.size for tensor in [*source.variables.values(), *tensors])
    return f"its weights take {size / 1e9:.1f} GB; {_BY_HAND}" if size > MOST_BYTES else None


def verify(
    source: GraphModel,
    result: GraphModel,
    *,
    inputs: Mapping[str, Array] | None = None,
    bound: float | None = None,
    limited: bool = True,
    as_tfjs: bool = True,
    source_as_tfjs: bool = False,
    run: Run | None = None,
    oracle: Run | None = None,
) -> Verification:
    """Run two models on the same inputs.

    Args:
        source: what is right; its types are changed.
        result: what is held against it; its inputs and outputs have the same order.
        inputs: what to feed, by the name of the source's input nodes; plausible ones when None.
        bound: the largest absolute difference; what rounding explains when None.
        limited: leave models alone that would take long.
        as_tfjs: whether the result is run as TF.js computes it, and not as TensorFlow does.
        source_as_tfjs: the same of the source.
        run: what runs the result; our runtime when None.
        oracle: what runs the source; our runtime when None, which without a bound tells of
            rounding in any case.

    Raises:
        TfjsError: the result does not run where the source does.
    """
    problem = _ports(source.graph, result.graph)
    if problem is not None:
        return Verification([Difference("", (), "", 0.0, 0.0, 0.0, problem)])
    with within(MOST_SECONDS if limited else None):
        return _held_together(
            source, result, inputs, bound, limited, (source_as_tfjs, as_tfjs), run, oracle
        )


def _held_together(
    source: GraphModel,
    result: GraphModel,
    inputs: Mapping[str, Array] | None,
    bound: float | None,
    limited: bool,
    as_tfjs: tuple[bool, bool],
    run: Run | None,
    oracle: Run | None,
) -> Verification:
    try:
        reference = Runner(source, as_tfjs=as_tfjs[0])
    except TfjsError as error:
        return Verification(skipped=f"the source cannot be run here: {error.message}")
    tried = [inputs] if inputs is not None else _tried(source)
    wanted: Sequence[Array] | None = None
    feeds: Mapping[str, Array] = {}
    failure: TfjsError | None = None
    for feeds in tried:
        cost = multiplications(source.graph, feeds)
        if limited and cost > MOST_MULTIPLICATIONS:
            why = f"one run takes {cost / 1e9:.0f} billion multiplications; {_BY_HAND}"
            return Verification(skipped=why)
        try:
            wanted = reference.run(feeds)
            break
        except TfjsError as error:
            failure = failure or error
    if wanted is None and inputs is not None and failure is not None:
        raise failure
    if wanted is None:
        cause = failure.message if failure else "it has no inputs"
        return Verification(skipped=f"no plausible input was found: {cause}")
    answer = run or Runner(result, as_tfjs=as_tfjs[1]).run
    given = answer(fed_in_order(result.graph, source.graph, feeds))
    right = wanted if oracle is None else oracle(feeds)
    names = source.signature.outputs
    if bound is None:
        exact = Runner(source, dtype="float64", as_tfjs=as_tfjs[0]).run(feeds)
        bounds = [bound_of(*told) for told in zip(wanted, exact, strict=True)]
    else:
        bounds = [bound] * len(wanted)
    outputs = [difference(*told) for told in zip(names, given, right, bounds, strict=True)]
    random = _random(source)
    if random and not all(entry.ok for entry in outputs):
        return Verification(skipped=f"its answers are random ({random})")
    return Verification(outputs, feeds=feeds, limit=bound)


def _ports(source: Graph, result: Graph) -> str | None:
    for what, wanted, given in (
        ("inputs", source.inputs, result.inputs),
        ("outputs", source.outputs, result.outputs),
    ):
        if len(wanted) != len(given):
            return f"it has {len(given)} {what}, the source has {len(wanted)}"
    return None


def _random(model: GraphModel) -> str | None:
    """An operation that draws random numbers, where the model has one."""
    for graph in [model.graph, *model.functions.values()]:
        for node in graph.nodes.values():
            known = definition(node.op)
            if known is not None and known.stateful and "seed" in known.defaults:
                return node.op
    return None


def _tried(source: GraphModel) -> list[dict[str, Array]]:
    # Counting settles the shapes of the graph: the inputs are made before.
    several, one = (list(plausible_inputs(source.graph, batch)) for batch in (_BATCH, 1))
    return one if multiplications(source.graph, several[0]) > _CHEAP else several


def _told(array: Array) -> str:
    dtype = "string" if array.dtype.kind in "OSU" else array.dtype.name
    return f"{dtype}[{','.join(map(str, array.shape))}]"
