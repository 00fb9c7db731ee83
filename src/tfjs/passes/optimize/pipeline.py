"""The passes of the optimizer, in order, with the reasons for the order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from tfjs.errors import UsageError
from tfjs.ir.graph import Graph, GraphModel
from tfjs.passes.optimize import (
    constants,
    contraction,
    fusion,
    gates,
    gelu,
    layout,
    lone_scales,
    normalizations,
    pooling,
    products,
    recognise,
    resampling,
    scales,
    scales_before,
    scales_onwards,
    sharing,
    split_products,
    subsampling,
    tidy,
    tiles,
    unpacking,
)
from tfjs.passes.optimize.engine import Numerics, Rule, apply

# Rules that are applied one by one need few rounds to come to where all together come to.
_MOST_SWEEPS = 20

# Told which pass or rule has just been applied, and what that may do to the numbers.
Watch = Callable[[str, Numerics], None]


@dataclass(frozen=True, slots=True)
class Pass:
    """Rules that are applied together, a walk over the graph, or both.

    Attributes:
        id: what users call it.
        why: what it is for, and why it stands where it does.
        rules: its rules; the first that takes a node is applied.
        walk: what it does before them. Where it finds nothing to do, neither do they.
        numerics: what the walk may do to the numbers.
    """

    id: str
    why: str
    rules: tuple[Rule, ...] = ()
    walk: Callable[[Graph, Counter[str]], None] | None = None
    numerics: Numerics = "exact"


PASSES = (
    Pass(
        "tidy",
        "What other rules look for then stands side by side.",
        rules=tuple(tidy.RULES.all),
    ),
    Pass(
        "share",
        "Of two equal branches one is left for the rules that follow.",
        walk=sharing.share,
    ),
    Pass(
        "layout",
        "Without transposes between them, convolutions and what stands behind them meet.",
        rules=tuple(tidy.RULES.all),
        walk=layout.lay_out,
    ),
    Pass(
        "recognise",
        "An activation is one operation before it can become part of a convolution.",
        rules=(
            *gelu.RULES.all,
            *recognise.RULES.all,
            *normalizations.RULES.all,
            *pooling.RULES.all,
            *contraction.RULES.all,
            *resampling.RULES.all,
            *subsampling.RULES.all,
            *gates.RULES.all,
            *constants.RULES.all,
            *products.RULES.all,
        ),
    ),
    Pass(
        "fuse",
        "A bias must be part of its convolution before a scale behind it can be, and both before "
        "an activation is: the roots are looked at in the order of the graph, so one pass does it.",
        rules=(
            *scales.RULES.all,
            *scales_before.RULES.all,
            *scales_onwards.RULES.all,
            *fusion.RULES.all,
        ),
    ),
    Pass(
        "fuse-lone",
        "A normalization that is left has found no convolution; it can take an activation now. A "
        "product has its bias, with which it can be taken apart.",
        rules=(
            *lone_scales.RULES.all,
            *tiles.RULES.all,
            *split_products.RULES.all,
            *fusion.RULES.all,
        ),
    ),
    Pass(
        "unpack-slices",
        "Steps of a loop that is laid out then read parts of one Unpack.",
        walk=unpacking.join_slices,
    ),
    Pass(
        "share-steps",
        "Steps are told to be alike by the constants that they read.",
        walk=products.share_in_steps,
    ),
    Pass(
        "part-steps",
        "What a step does to what it is fed stands for itself then.",
        walk=products.part_steps,
        numerics="reassociating",
    ),
    Pass(
        "join-steps",
        "What no step before is needed for is done for all steps at once.",
        walk=products.join_steps,
    ),
    Pass(
        "tidy-again",
        "What moved before a product has left views of views behind. Steps are joined: how parts "
        "are taken does not hide them any more.",
        rules=(*tidy.RULES.all, *unpacking.RULES.all),
    ),
    Pass(
        "share-again",
        "Branches that differed in a bias or scale alone begin alike now.",
        walk=sharing.share,
    ),
)


def known_ids() -> list[str]:
    """The ids of all passes and rules."""
    return list(dict.fromkeys(ident for entry in PASSES for ident in _ids(entry)))


def rule_ids() -> set[str]:
    """The ids of all rules."""
    return {rule.id for entry in PASSES for rule in entry.rules}


def _ids(entry: Pass) -> list[str]:
    return [entry.id, *(rule.id for rule in entry.rules)]


def check_ids(ids: Collection[str]) -> None:
    """Refuse what is neither a pass nor a rule.

    Raises:
        UsageError: one is neither.
    """
    for ident in ids:
        if ident not in known_ids():
            raise UsageError(
                f"there is no pass or rule {ident!r}", hint=f"there are {', '.join(known_ids())}"
            )


def optimize(
    model: GraphModel,
    *,
    numerics: Numerics = "reassociating",
    disabled: Collection[str] = (),
    watch: Watch | None = None,
    by_rule: bool = False,
) -> Counter[str]:
    """Make a graph one that TF.js runs faster, in place.

    Args:
        model: a graph that TF.js runs: folded, without calls, variables and control inputs.
        numerics: "exact" leaves out what computes the same sums in another order.
        disabled: ids of passes and rules to leave out.
        watch: called after each pass.
        by_rule: apply each rule of a pass for itself, in rounds, and call `watch` after each.

    Returns:
        How often each rule applied, by its id.

    Raises:
        UsageError: an id is of no pass or rule.
    """
    check_ids(disabled)
    hits: Counter[str] = Counter()
    graphs = [model.graph, *model.functions.values()]

    def run(step: Pass) -> int:
        before = hits.total()
        for graph in graphs:
            here = hits.total()
            if step.walk is not None:
                step.walk(graph, hits)
            if step.rules and (step.walk is None or hits.total() > here):
                apply(graph, step.rules, hits)
        return hits.total() - before

    for step in _steps(numerics, disabled):
        parts = [step]
        if by_rule and step.rules:
            walk = [] if step.walk is None else [replace(step, rules=())]
            alone = replace(step, walk=None)
            parts = walk + [replace(alone, id=rule.id, rules=(rule,)) for rule in step.rules]
        for sweep in range(_MOST_SWEEPS):
            counts = []
            for part in parts:
                counts.append(run(part))
                if watch is not None and (counts[-1] or not sweep):
                    watch(part.id, _numerics(part))
            # What one rule makes may be for another that came before it.
            if len(parts) == 1 or not any(counts):
                break
    return hits


def _steps(numerics: Numerics, disabled: Collection[str]) -> Iterator[Pass]:
    for entry in PASSES:
        rules = tuple(
            rule
            for rule in entry.rules
            if rule.id not in disabled and numerics in (rule.numerics, "reassociating")
        )
        walk = entry.walk if numerics in (entry.numerics, "reassociating") else None
        if entry.id not in disabled and (rules or walk is not None):
            yield replace(entry, rules=rules, walk=walk)


def _numerics(entry: Pass) -> Numerics:
    kinds = [rule.numerics for rule in entry.rules]
    kinds += [] if entry.walk is None else [entry.numerics]
    return "exact" if all(kind == "exact" for kind in kinds) else "reassociating"
