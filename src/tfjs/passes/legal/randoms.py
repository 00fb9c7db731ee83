"""Random numbers: TF.js's own generators, which know no stateless seeds."""

from __future__ import annotations

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import make
from tfjs.passes.rules import RuleSet

RULES = RuleSet()


@RULES.rule("RandomUniformInt")
def random_integers(node: Node, build: Builder) -> list[Value]:
    """TF.js would look for the bounds among the attributes: from numbers between 0 and 1.

    Up to ranges of 2^24 every integer can come.
    """
    shape, low, high = node.inputs
    span = make(build, "Sub", high, low)
    seeds = {name: node.attrs.get(name, 0) for name in ("seed", "seed2")}
    uniform = make(build, "RandomUniform", shape, dtype="float32", **seeds)
    scaled = make(build, "Mul", uniform, build.cast(span, "float32"))
    steps = make(build, "Minimum", build.cast(scaled, "int32"), make(build, "Sub", span, 1))
    return [make(build, "AddV2", steps, low)]


@RULES.rule("Multinomial")
def drawn_classes(node: Node, build: Builder) -> list[Value] | None:
    """Logits as float32."""
    logits, count = node.inputs
    if logits.dtype == "float32":
        return None
    seeds = {name: node.attrs.get(name, 0) for name in ("seed", "seed2")}
    cast = build.cast(logits, "float32")
    return [make(build, "Multinomial", cast, count, output_dtype="int32", **seeds)]
