"""Texts and tables. TF.js lower-cases every attribute that is a text."""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.passes.build import Builder
from tfjs.passes.legal.common import constant, make, makes, reshape, sizes_of
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_CAPITALS = (
    "TF.js lower-cases the texts of its attributes, and this one has capitals: {}",
    "write it without capitals, or do this step in JavaScript before the model",
)
# What RE2 and JavaScript read differently.
_FOREIGN = (b"(?", b"[[:", b"\\p", b"\\a", b"\\z", b"\\x{")


def _no_capitals(text: bytes) -> None:
    if text != text.lower():
        reason, advice = _CAPITALS
        raise CannotExpress(reason.format(text.decode(errors="replace")), advice)


@RULES.rule("LookupTableFind", "LookupTableFindV2")
def looked_up_in_shape(node: Node, build: Builder) -> list[Value] | None:
    """TF.js gives a vector: keys are made one, and the result takes their shape. Exact."""
    table, keys, default = node.inputs
    if keys.shape is not None and len(keys.shape) == 1:
        return None
    flat = build.reshape(keys, [-1])
    flat.shape = (None,)
    attrs = {name: node.attrs[name] for name in ("Tin", "Tout")}
    found = make(build, node.op, table, flat, default, **attrs)
    if keys.shape is not None:
        return [reshape(build, found, sizes_of(build, keys))]
    return [build.reshape(found, make(build, "Shape", keys, out_type="int32"))]


@RULES.rule("StringSplitV2")
def split_at_white_space(node: Node, build: Builder) -> list[Value]:
    """As the older StringSplit, which takes characters to split at. Exact.

    TF.js leaves an empty text without any part, as TensorFlow does for white space only.
    """
    text, separator = node.inputs
    known = constant(separator)
    if known is None:
        raise CannotExpress("where it splits is not constant")
    at = bytes(known.reshape(-1)[0])
    if at or int(node.attrs.get("maxsplit", -1)) >= 0:
        raise CannotExpress(
            "TF.js splits texts at white space only", "do this step in JavaScript before the model"
        )
    white = build.constant(np.array(b" \t\n\v\f\r", object))
    return makes(build, "StringSplit", text, white, skip_empty=True)


@RULES.rule("RegexReplace")
def replaced_by_constant_pattern(node: Node, build: Builder) -> list[Value]:
    """Pattern and replacement as attributes. Exact for what both languages read alike."""
    pattern, rewrite = (constant(value) for value in node.inputs[1:])
    if pattern is None or rewrite is None:
        raise CannotExpress("its pattern is not constant")
    attrs = {
        "pattern": bytes(pattern.reshape(-1)[0]),
        "rewrite": bytes(rewrite.reshape(-1)[0]),
        "replace_global": node.attrs.get("replace_global", True),
    }
    return [make(build, "StaticRegexReplace", node.inputs[0], **attrs)]


@RULES.rule("StaticRegexReplace")
def plain_pattern(node: Node, build: Builder) -> list[Value] | None:
    """Refused where TF.js would read another pattern."""
    pattern, rewrite = bytes(node.attrs["pattern"]), bytes(node.attrs["rewrite"])
    _no_capitals(pattern)
    _no_capitals(rewrite)
    foreign = [text for text in _FOREIGN if text in pattern]
    if foreign or b"\\" in rewrite or b"$" in rewrite:
        raise CannotExpress(
            "JavaScript reads its pattern in another way",
            "do this step in JavaScript before the model",
        )
    return None


@RULES.rule("StringNGrams")
def plain_ngrams(node: Node, build: Builder) -> list[Value] | None:
    """Refused where TF.js would lower-case what it joins with."""
    for name in ("separator", "left_pad", "right_pad"):
        _no_capitals(bytes(node.attrs.get(name) or b""))
    return None
