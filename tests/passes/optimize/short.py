"""Graphs in few words: types are inferred, inputs and outputs listed by themselves."""

from __future__ import annotations

import re

from tests.passes.optimize.checks import parsed
from tfjs.ir.text import graph_text
from tfjs.passes.fold import infer

_INPUT = re.compile(r"(\S+): (\w+)\[(.*)\]")
_CONSTANT = re.compile(r"(\S+): (\w+)(\[.*\]) = (.*)")


def short(text: str) -> str:
    """The text of a graph of lines such as these, with `y` as its output where none is told:

    x: float32[?, 4]
    c: float32[] = 1
    s = Split(c, x) {T: float32, num_split: 2} -> 2
    y = Mul(s:1, c) {T: float32}
    outputs y, s
    """
    lines, inputs, outputs = [], [], "y"
    for line in (line.strip() for line in text.strip().splitlines()):
        if match := _CONSTANT.fullmatch(line):
            name, dtype, shape, items = match.groups()
            value = f"tensor({dtype}{shape}: {items})"
            lines.append(f"{name} = Const() {{dtype: {dtype}, value: {value}}} -> {dtype}{shape}")
        elif match := _INPUT.fullmatch(line):
            name, dtype, sizes = match.groups()
            told = f"{{dtype: {dtype}, shape: <{sizes}>}}"
            lines.append(f"{name} = Placeholder() {told} -> {dtype}[{sizes}]")
            inputs.append(name)
        elif line.startswith("outputs "):
            outputs = line.removeprefix("outputs ")
        elif line:
            step, _, count = line.partition(" -> ")
            lines.append(f"{step} -> {', '.join(['?[*]'] * int(count or 1))}")
    lines.append(f"inputs {', '.join(inputs)}")
    named = [(value.replace(":", "_"), value) for value in outputs.split(", ")]
    lines.append(f"outputs {', '.join(f'{key} = {value}' for key, value in named)}")
    graph = parsed("\n".join(lines))
    for node in graph.ordered():
        if node.op not in ("Const", "Placeholder"):
            infer(node)
    return graph_text(graph)
