"""A comparison of two models as a page to read."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tfjs.io.atomic import atomic_file

if TYPE_CHECKING:
    from tfjs._verify import Comparison
    from tfjs.verification.compare import Difference

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884 }
td.number { text-align: right; font-variant-numeric: tabular-nums }
tr.wrong td { background: #f003 }
.good { color: #18794e } .bad { color: #c62a2f }
"""


def write_html(found: Comparison, path: Path) -> None:
    """Write a comparison as one page without anything beside it.

    Raises:
        UsageError: the path cannot be written to.
    """
    verdict = ("good", "The models answer the same.")
    if not found.ok:
        verdict = ("bad", "The models answer differently.")
    fed = ", ".join(f"{name} {told}" for name, told in found.verification.inputs.items())
    parts = [
        "<!doctype html><meta charset=utf-8><title>tfjs verify</title>",
        f"<style>{_STYLE}</style><h1 class={verdict[0]}>{verdict[1]}</h1>",
        f"<p>Model: <code>{escape(found.model)}</code><br>",
        f"against: <code>{escape(found.against)}</code><br>fed: <code>{escape(fed)}</code></p>",
        "<h2>Outputs</h2>",
        _table([(entry.name, "", entry) for entry in found.verification.outputs]),
    ]
    if found.steps:
        first = found.first
        told = "All nodes that both have agree."
        if first is not None:
            told = (
                f"They part at <code>{escape(first.node)}</code>, which stands for "
                f"<code>{escape(', '.join(first.origin))}</code>."
            )
        parts += [
            f"<h2>On the way</h2><p>{told}</p>",
            _table([(step.node, step.op, step.difference) for step in found.steps]),
        ]
    with atomic_file(path) as target:
        target.write_text("\n".join(parts), encoding="utf-8")


def _table(rows: list[tuple[str, str, Difference]]) -> str:
    head = "<tr><th>name<th>operation<th>shape<th>largest<th>relative<th>bound<th></tr>"
    return "\n".join(["<table>", head, *(_row(*row) for row in rows), "</table>"])


def _row(name: str, op: str, entry: Difference) -> str:
    shape = f"{entry.dtype}[{','.join(map(str, entry.shape))}]"
    numbers = "".join(
        f"<td class=number>{number:.3g}" for number in (entry.largest, entry.relative, entry.bound)
    )
    words = escape(entry.problem or "ok")
    kind = "" if entry.ok else " class=wrong"
    return (
        f"<tr{kind}><td><code>{escape(name)}</code><td>{escape(op)}<td>{shape}{numbers}"
        f"<td>{words}</tr>"
    )
