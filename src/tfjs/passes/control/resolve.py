"""Control flow on its way to TF.js: resolved where it can be, and what stays made to run."""

from __future__ import annotations

from typing import Literal

from tfjs.ir.graph import Graph, GraphModel, Node, held
from tfjs.passes.control.branches import lower_cases, settle_choices, trim_choice
from tfjs.passes.control.frames import raise_frames
from tfjs.passes.control.holders import (
    CHOICES,
    HOLDERS,
    LOOPS,
    check_holders,
    drop_unheld,
    graphs_of,
)
from tfjs.passes.control.lists import dissolve_lists
from tfjs.passes.control.loop_lists import (
    part_forks,
    part_pops,
    read_rows,
    tell_lengths,
    tell_shapes,
)
from tfjs.passes.control.lower import lower_to_v1
from tfjs.passes.control.sizes import fold_known_sizes
from tfjs.passes.control.switches import lower_many_way_switches, settle_switches
from tfjs.passes.control.unroll import Budget, unroll_loop
from tfjs.passes.control.variables import trim_loop
from tfjs.passes.fold import fold, fold_graph

Form = Literal["auto", "v1", "v2"]

# What has effects must stay for the passes to come.
_KEEP = frozenset({"Print"})
_STATELESS = {"If": "StatelessIf", "While": "StatelessWhile"}
_MOST_NAMED = 10
_V1 = frozenset({"Switch", "RefSwitch", "_SwitchN", "Merge", "RefMerge", "Enter", "RefEnter"})
_LISTS = ("TensorList", "TensorArray", "EmptyTensorList")


def resolve_control_flow(model: GraphModel, form: Form) -> list[str]:
    """Resolve loops and choices as far as that is possible before the graph runs.

    Choices whose predicate is constant become their branch; loops with few steps, whose number is
    known, are written out, and the lists in them become tensors. What stays is written as TF.js's
    executor runs it. Calls are inlined, variables frozen and constants folded before; every node
    that holds functions owns them.

    Args:
        model: the model.
        form: "v1" for TF1's Switch and Merge where something stays, "v2" for functions, "auto" for
            functions unless they would ask tables.

    Returns:
        Why loops stay, a line each.

    Raises:
        CorruptFileError: the graph makes no sense.
    """
    notes: list[str] = []
    if not any(_is_control(node) for graph in graphs_of(model) for node in graph.nodes.values()):
        while fold_known_sizes(model.graph):
            fold_graph(model.graph, keep=_KEEP)
        return notes
    for graph in graphs_of(model):
        check_holders(model, graph)
        if lower_many_way_switches(graph):
            fold_graph(graph, keep=_KEEP)
        settle_switches(graph)
        notes += [
            f"the loop {name} is not of the form that TensorFlow makes; it stays as it is"
            for name in raise_frames(model, graph)[1]
        ]
    reasons: dict[Node, str] = {}
    budget = Budget()
    changed = True
    while changed:
        changed = False
        for graph in graphs_of(model):
            changed |= _simplify(model, graph, budget, reasons)
    loops = []
    for graph in graphs_of(model):
        _settle_what_stays(model, graph)
        loops += [node for node in graph.nodes.values() if node.op in LOOPS]
    notes += _why(loops, reasons)
    if form == "v1" or (form == "auto" and _asks_tables(model)):
        lower_to_v1(model)
    drop_unheld(model)
    fold(model, keep=_KEEP)
    return notes


def _is_control(node: Node) -> bool:
    """Whether a node branches, loops, or keeps a list or array."""
    return node.op in _V1 or node.op in HOLDERS or node.op.startswith(_LISTS)


def _asks_tables(model: GraphModel) -> bool:
    """Whether a branch or loop asks a table, which TF.js finds only from the main graph."""
    return any(
        node.op.startswith("LookupTable")
        for graph in graphs_of(model)
        if graph is not model.graph
        for node in graph.nodes.values()
    )


def _simplify(model: GraphModel, graph: Graph, budget: Budget, reasons: dict[Node, str]) -> bool:
    """Do once to a graph what can be done; whether that was anything."""
    changed = bool(fold_known_sizes(graph))
    if changed:
        fold_graph(graph, keep=_KEEP)
    changed |= bool(settle_choices(model, graph))
    for node in [entry for entry in graph.nodes.values() if entry.op in LOOPS | CHOICES]:
        trim = trim_loop if node.op in LOOPS else trim_choice
        if trim(model, graph, node):
            changed = True
            for reference in held(node):
                fold_graph(model.functions[reference.name], keep=_KEEP)
    for node in [entry for entry in graph.nodes.values() if entry.op in LOOPS]:
        reason = unroll_loop(model, graph, node, budget)
        if reason is None:
            changed = True
        else:
            reasons[node] = reason
    if changed:
        fold_graph(graph, keep=_KEEP)
    if dissolve_lists(graph):
        fold_graph(graph, keep=_KEEP)
        changed = True
    return changed


def _settle_what_stays(model: GraphModel, graph: Graph) -> None:
    """Write loops and choices that stay in the way that TF.js runs."""
    lower_cases(model, graph)
    for node in [entry for entry in graph.nodes.values() if entry.op in LOOPS]:
        if read_rows(model, graph, node):
            # The handle of an array, which goes beside its flow, is no longer needed.
            trim_loop(model, graph, node)
    part_pops(graph)
    tell_lengths(graph)
    tell_shapes(graph)
    for node in graph.nodes.values():
        node.op = _STATELESS.get(node.op, node.op)
    part_forks(model, graph)
    if any(node.op in HOLDERS for node in graph.nodes.values()):
        graph.prune()


def _why(loops: list[Node], reasons: dict[Node, str]) -> list[str]:
    told = [
        f"{node.name} stays a loop, which only executeAsync runs: {reasons[node]}"
        for node in loops
        if node in reasons
    ]
    if len(told) > _MOST_NAMED:
        told[_MOST_NAMED:] = [f"{len(told) - _MOST_NAMED} more loops stay"]
    return told
