"""What is done to a graph on its way to TF.js, in order, with the reasons for the order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tfjs.errors import UnsupportedError
from tfjs.ir.graph import Graph, GraphModel
from tfjs.ops.definitions import definition
from tfjs.ops.support import is_dynamic, tfjs_op, usable
from tfjs.passes.backends import backend_notes
from tfjs.passes.control import resolve_control_flow, tie_to_branches
from tfjs.passes.differences import difference_notes, rounding_notes
from tfjs.passes.dtypes import map_dtypes, remember_dtypes
from tfjs.passes.finalize import finalize
from tfjs.passes.fold import fold
from tfjs.passes.freeze import freeze
from tfjs.passes.inline import inline_calls
from tfjs.passes.legal import RULES
from tfjs.passes.rules import Problem, Rewrite, apply_rules
from tfjs.passes.tables import refuse_changed_tables, settle_tables

ControlFlow = Literal["auto", "v1", "v2"]
_MOST_NAMED = 5


@dataclass(slots=True)
class Outcome:
    """What became of a graph.

    Attributes:
        rewrites: which nodes were expressed otherwise.
        notes: what a user should know, one line each.
        optimizations: how often each rule of the optimizer applied, by its id.
    """

    rewrites: list[Rewrite] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    optimizations: Counter[str] = field(default_factory=Counter)


def legalize(
    model: GraphModel,
    *,
    control_flow: ControlFlow = "auto",
    skip_op_check: bool = False,
    strip_debug_ops: bool = True,
    improve: Callable[[GraphModel], Counter[str]] | None = None,
) -> Outcome:
    """Make a graph one that TF.js 4.22 runs, in place.

    Args:
        model: the model as its reader gives it.
        control_flow: "v1" for Switch and Merge, "v2" for functions, "auto" for what runs best.
        skip_op_check: keep operations that TF.js does not know; the page must register them.
        strip_debug_ops: leave out operations that print.
        improve: makes the legal graph a faster one; gives how often each rule applied.

    Raises:
        UnsupportedError: TF.js cannot compute the graph; every operation is listed.
        CorruptFileError: the graph makes no sense.
    """
    outcome = Outcome()
    inline_calls(model)
    names = _output_names(model.graph)
    keep = frozenset() if strip_debug_ops else frozenset({"Print"})
    freeze_whole(model, keep=keep)
    # What fills a table is known only when its keys are constant.
    settle_tables(model)
    outcome.notes += resolve_control_flow(model, control_flow)
    # The rules reckon with TF.js's dtypes, and need the shapes that folding has found.
    graphs = _graphs(model)
    outcome.notes += rounding_notes(graphs)
    remember_dtypes(model)
    problems = [problem for graph in graphs for problem in map_dtypes(graph)]
    for graph in graphs:
        rewrites, found = apply_rules(graph, RULES)
        outcome.rewrites += rewrites
        problems += found
    if outcome.rewrites:
        # Rules build on constants, and what they made obsolete goes.
        fold(model, keep=keep)
        # Signatures that fix an output as int64 have brought it back.
        for graph in graphs:
            map_dtypes(graph)
    if not skip_op_check:
        told = {problem.node for problem in problems}
        for graph in graphs:
            problems += [problem for problem in _unknown(graph) if problem.node not in told]
    _complain(problems)
    if improve is not None:
        outcome.optimizations = improve(model)
    # It adds Identity nodes that the executor needs: nothing may fold behind it.
    finalize(model, names)
    outcome.notes = [*model.notes, *outcome.notes, *_how_it_runs(_graphs(model))]
    return outcome


def freeze_whole(model: GraphModel, *, keep: frozenset[str] = frozenset()) -> None:
    """Inline all calls, make variables constants and fold what is constant, in place.

    Args:
        model: the model as its reader gives it.
        keep: operations that are kept though they pass their input on.

    Raises:
        UnsupportedError: a variable has no value, or changes in a run.
        CorruptFileError: the graph makes no sense.
    """
    # Calls hide which variable a node reads and which constant a function gets: they go first.
    inline_calls(model)
    refuse_changed_tables(model)
    # A control input may be all that holds a value in a branch of TF1.
    for graph in _graphs(model):
        tie_to_branches(graph)
    # Which node runs when else matters only for variables that change: controls end here.
    freeze(model)
    # Trip counts and predicates must be constants to be seen as such.
    fold(model, keep=keep)


def _graphs(model: GraphModel) -> list[Graph]:
    initializer = [] if model.initializer is None else [model.initializer]
    return [model.graph, *model.functions.values(), *initializer]


def _how_it_runs(graphs: Sequence[Graph]) -> list[str]:
    """Which call runs the model, and what to know of the backends."""
    ops = sorted({node.op for graph in graphs for node in graph.nodes.values()})
    dynamic = [op for op in ops if is_dynamic(op)]
    notes = []
    if dynamic:
        notes.append(f"only executeAsync runs the model, because of {', '.join(dynamic)}")
    return [*notes, *backend_notes(graphs), *difference_notes(graphs)]


def _output_names(graph: Graph) -> list[str]:
    """The node of each output has a name that users know; each is given once."""
    names: dict[str, None] = {}
    inputs = set(graph.inputs)
    for value, key in zip(graph.outputs, graph.output_names, strict=True):
        name = value.node.name
        if name in names or value.node in inputs:
            name = key.partition(":")[0]
        while name in names:
            name = f"{name}_1"
        names[name] = None
    return list(names)


def _unknown(graph: Graph) -> list[Problem]:
    problems = []
    inputs = set(graph.inputs)
    for node in graph.nodes.values():
        if usable(node.op) or node in inputs:
            continue
        where = f"{graph.name}/{node.name}" if graph.name else node.name
        known = tfjs_op(node.op)
        reason = "TF.js has no such operation"
        if known is not None and known.unusable is not None:
            reason = f"TF.js cannot run it by itself: {known.unusable}"
        elif definition(node.op) is None:
            reason = "is an operation of neither TensorFlow nor TF.js"
        problems.append(Problem(node.op, where, reason, None))
    return problems


def _complain(problems: Sequence[Problem]) -> None:
    """List what cannot be converted: each operation once for each reason, with its nodes."""
    if not problems:
        return
    grouped: dict[tuple[str, str, str | None], list[str]] = {}
    for problem in problems:
        key = (problem.op, problem.reason, problem.advice)
        grouped.setdefault(key, []).append(problem.node)
    raise UnsupportedError(
        f"TF.js cannot compute {len(problems)} nodes of the graph",
        problems=[_line(*key, nodes) for key, nodes in sorted(grouped.items(), key=_order)],
        hint="--skip-op-check keeps operations that the page registers with tf.registerOp",
    )


def _order(item: tuple[tuple[str, str, str | None], list[str]]) -> tuple[int, str, str]:
    (op, reason, _), nodes = item
    return (-len(nodes), op, reason)


def _line(op: str, reason: str, advice: str | None, nodes: Sequence[str]) -> str:
    named = ", ".join(nodes[:_MOST_NAMED]) + (" ..." if len(nodes) > _MOST_NAMED else "")
    times = f"{len(nodes)} × {op}" if len(nodes) > 1 else op
    return f"{times}: {reason}" + (f"; {advice}" if advice else "") + f" ({named})"


def rewrites_by_words(rewrites: Sequence[Rewrite]) -> dict[str, list[str]]:
    """The rewrites for a report: what became what, with the nodes."""
    found: dict[str, list[str]] = {}
    for rewrite in rewrites:
        made = ", ".join(rewrite.made[:_MOST_NAMED])
        more = ", ..." if len(rewrite.made) > _MOST_NAMED else ""
        words = f"{rewrite.op} as {made}{more}" if made else f"{rewrite.op} left out"
        found.setdefault(words, []).append(rewrite.node)
    return found
