"""Writes docs/optimizer.md: the passes and rules of the optimizer, from the package itself.

Run with tfjs installed: `python tools/facts/rules_table.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tfjs.passes.optimize.engine import Rule
from tfjs.passes.optimize.pipeline import PASSES, Pass

DOCS = Path(__file__).resolve().parents[2] / "docs" / "optimizer.md"
INTRODUCTION = """# The optimizer

TF.js runs a graph node by node: fewer nodes, and nodes that compute several things in one \
kernel, are faster on every backend. What `tfjs convert` writes as a graph model is optimized \
unless `--no-optimize` says otherwise, and the report tells which rules applied, and how often.

A rule computes the same. Most are **exact**: a bias becomes part of its convolution, a reshape \
of a reshape one reshape. Others are **reassociating**: they compute the same sums in another \
order, so that an answer may differ in its last digits, as when a batch normalization is folded \
into the weights of the convolution before it. `--numerics exact` leaves those out. No rule loses \
more than rounding does.

## Looking at it

`--dump-after ID` writes the graph as text after a pass or a rule, into `DEST.ID.txt`; a slash in \
the id becomes a dash. A line is a node: its name, operation, inputs and attributes, and what \
comes out. Of tensors with more than 64 elements only the shape is written.

`--disable-pass ID` leaves a pass or a rule out. `--check-passes` runs the graph after each rule, \
on inputs as [the verification](cli.md#verification) makes them, and refuses to write where a \
rule moves an answer further than it may; the rule is named.

## The passes

They run in this order; a rule applies until it finds nothing more. By default a rule takes only \
values that nothing else reads and that are no outputs of the model, and weights are never \
changed in place: what another part of the graph reads stays what it is.
"""


def page() -> str:
    """The text of the page."""
    told: dict[Rule, Pass] = {}
    return "\n".join([INTRODUCTION, *(_section(entry, told) for entry in PASSES)])


def _section(entry: Pass, told: dict[Rule, Pass]) -> str:
    lines = [f"### {entry.id}", "", entry.why, ""]
    if entry.numerics == "reassociating":
        lines += ["It is reassociating.", ""]
    fresh = [rule for rule in entry.rules if rule not in told]
    again = [rule for rule in entry.rules if rule in told]
    if again:
        lines += [f"Again: {', '.join(_again(again, told))}.", ""]
    told |= dict.fromkeys(fresh, entry)
    if fresh:
        lines += ["| rule | roots | numerics | what |", "| --- | --- | --- | --- |"]
    for rule in fresh:
        roots = ", ".join(f"`{op}`" for op in rule.ops)
        what = " ".join((rule.rewrite.__doc__ or "").split("\n\n")[0].split())
        lines.append(f"| `{rule.id}` | {roots} | {rule.numerics} | {what} |")
    return "\n".join([*lines, ""] if fresh else lines)


def _again(rules: Sequence[Rule], told: Mapping[Rule, Pass]) -> list[str]:
    """Rules that were told before; the whole of a pass by its name."""
    found: dict[str, None] = {}
    for rule in rules:
        whole = set(told[rule].rules) <= set(rules)
        found[f"all rules of {told[rule].id}" if whole else f"`{rule.id}`"] = None
    return list(found)


if __name__ == "__main__":
    DOCS.write_text(page(), encoding="utf-8")
