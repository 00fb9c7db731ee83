"""What is done to a graph on its way to TensorFlow, in order, with the reasons for the order."""

from __future__ import annotations

from collections.abc import Iterable

from tfjs.errors import UnsupportedError
from tfjs.ir.graph import Graph, GraphModel, held
from tfjs.passes.freeze import HANDLES, REFERENCES
from tfjs.passes.inline import CALLS
from tfjs.passes.pipeline import Outcome, freeze_whole
from tfjs.passes.rules import Problem, apply_rules
from tfjs.passes.to_tensorflow.frames import enter_frames
from tfjs.passes.to_tensorflow.names import sanitize
from tfjs.passes.to_tensorflow.ports import restore_ports
from tfjs.passes.to_tensorflow.rules import RULES
from tfjs.passes.to_tensorflow.types import settle_types
from tfjs.passes.to_tensorflow.variables import settle_assets, settle_resources

_FROZEN = HANDLES | REFERENCES | CALLS
_MOST_NAMED = 5


def to_tensorflow(model: GraphModel, *, skip_op_check: bool = False) -> Outcome:
    """Make a graph one that TensorFlow takes, in place; one that it takes stays as it is.

    Args:
        model: the model as its reader gives it, of TF.js or of TensorFlow.
        skip_op_check: keep operations that TensorFlow does not know; a library must bring them.

    Raises:
        UnsupportedError: TensorFlow cannot compute the graph; every operation is listed.
        CorruptFileError: the graph makes no sense.
    """
    outcome = Outcome()
    settle_assets(model)
    # References of TF1 cannot be restored one by one, and rules need not know of them then.
    problems = settle_resources(model)
    graphs = ordered_graphs(model)
    for graph in graphs:
        rewrites, found = apply_rules(graph, [RULES])
        outcome.rewrites += rewrites
        problems += found
    # What the rules built has its dtypes from here. Bodies come before the nodes that run them.
    told = {problem.node for problem in problems}
    for graph in graphs:
        found = settle_types(model, graph, skip_op_check=skip_op_check)
        problems += [problem for problem in found if problem.node not in told]
    _complain(problems)
    restore_ports(model)
    for graph in graphs:
        enter_frames(graph)
    for graph in graphs:
        graph.prune()
    # Nothing adds nodes behind it.
    sanitize(model)
    outcome.notes = list(model.notes)
    return outcome


def freeze_variables(model: GraphModel) -> None:
    """Let a graph of TensorFlow have constants for its variables, and no calls, in place.

    A graph without variables and calls stays as it is.

    Raises:
        UnsupportedError: a variable has no value, or changes in a run.
        CorruptFileError: the graph makes no sense.
    """
    graphs = [model.graph, *model.functions.values()]
    if any(node.op in _FROZEN for graph in graphs for node in graph.nodes.values()):
        freeze_whole(model)


def ordered_graphs(model: GraphModel) -> list[Graph]:
    """The initializer, the main graph and the functions that these need, bodies before callers."""
    roots = [model.graph] if model.initializer is None else [model.initializer, model.graph]
    done: dict[int, Graph] = {}
    left: list[tuple[Graph, bool]] = [(graph, False) for graph in reversed(roots)]
    while left:
        graph, entered = left.pop()
        if id(graph) in done:
            continue
        if entered:
            done[id(graph)] = graph
            continue
        left.append((graph, True))
        left += [(model.functions[name], False) for name in reversed(_called(graph))]
    return list(done.values())


def _called(graph: Graph) -> list[str]:
    names = {reference.name for node in graph.nodes.values() for reference in held(node)}
    return sorted(names)


def _complain(problems: Iterable[Problem]) -> None:
    """List what cannot be written: each operation once for each reason, with its nodes."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for problem in problems:
        key = (problem.op, problem.reason, problem.advice or "")
        grouped.setdefault(key, []).append(problem.node)
    if not grouped:
        return
    raise UnsupportedError(
        f"TensorFlow cannot compute {sum(map(len, grouped.values()))} nodes of the graph",
        problems=[_line(*key, nodes) for key, nodes in sorted(grouped.items())],
    )


def _line(op: str, reason: str, advice: str, nodes: list[str]) -> str:
    named = ", ".join(nodes[:_MOST_NAMED]) + (" ..." if len(nodes) > _MOST_NAMED else "")
    times = f"{len(nodes)} × {op}" if len(nodes) > 1 else op
    return f"{times}: {reason}" + (f"; {advice}" if advice else "") + f" ({named})"
