"""Attention as a graph: scores, masks and what is read by them, of one head or many.

A mask becomes a bias of the scores: one addition to the many, where a selection would make TF.js
spread the mask over all of them first. What it takes away leaves nothing of a score in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.base import CannotLower

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

Size = int | Value
_HIDDEN = 1e9


# Masks ---------------------------------------------------------------------------------------


def seen(
    build: Lowering, steps: Size, others: Size, *, causal: bool, window: int | None = None
) -> Value | None:
    """Which keys each query may see by their places, [steps, others]; None where all.

    Args:
        build: the builder.
        steps: how many queries.
        others: how many keys.
        causal: whether it sees no later ones.
        window: from how many places on they are too far apart.
    """
    if not causal and window is None:
        return None
    row = build.op("ExpandDims", _places(build, steps), np.array(1, np.int32))
    column = build.op("ExpandDims", _places(build, others), np.array(0, np.int32))
    mask = build.op("GreaterEqual", row, column) if causal else None
    if window is not None:
        apart = build.op("Abs", build.op("Sub", row, column))
        mask = both(build, mask, build.op("Less", apart, np.int32(window)))
    return mask


def _places(build: Lowering, count: Size) -> Value:
    limit = count if isinstance(count, Value) else np.int32(count)
    zero, one = build.constant(np.int32(0)), np.int32(1)
    return build.op("Range", zero, limit, one)


def both(build: Lowering, mask: Value | None, other: Value | None) -> Value | None:
    """What two masks let through; None for no mask."""
    if mask is None or other is None:
        return other if mask is None else mask
    return build.op("LogicalAnd", mask, other)


def spread(build: Lowering, mask: Value | None, axis: int) -> Value | None:
    """A mask as booleans, with an axis more."""
    if mask is None:
        return None
    return build.op("ExpandDims", build.cast(mask, "bool"), np.array(axis, np.int32))


def hide(build: Lowering, scores: Value, mask: Value | None) -> Value:
    """Scores, lowered beyond any other where a mask is false."""
    if mask is None:
        return scores
    bias = build.op("Mul", build.op("Sub", build.floats(mask), 1.0), _HIDDEN)
    return build.op("AddV2", scores, bias)


# One head ------------------------------------------------------------------------------------


def attend(
    build: Lowering, *, adds: bool, factor: Value | None, weight: Value | None
) -> list[Value]:
    """Attention and AdditiveAttention.

    Args:
        build: the builder.
        adds: whether the scores are sums of tanh and not products.
        factor: what Attention multiplies by, before tanh.
        weight: what tanh is multiplied by.

    Returns:
        The answer, and the scores where they are asked for.
    """
    inputs = [build.floats(value) for value in build.inputs]
    if not 2 <= len(inputs) <= 3:
        raise CannotLower(f"is called on {len(inputs)} tensors, not on a query, a value and a key")
    query, value = inputs[:2]
    key = inputs[-1] if len(inputs) > 2 else value
    if adds:
        scores = _sums(build, query, key, factor, weight)
    else:
        scores = _product(build, query, key, turned=True)
        if factor is not None:
            scores = build.op("Mul", scores, factor)
    causal = bool(build.argument("use_causal_mask", 4, False) or build.config.get("causal"))
    mask = spread(build, build.mask(1), -2)
    sizes = [build.size(scores, axis) for axis in (-2, -1)] if causal else [0, 0]
    mask = both(build, mask, seen(build, *sizes, causal=causal))
    scores = build.op("Softmax", hide(build, scores, mask))
    result = _product(build, scores, value)
    queries = spread(build, build.mask(0), -1)
    if queries is not None:
        result = build.op("SelectV2", queries, result, 0.0)
    build.set_mask(result, build.mask(0))
    return [result, scores] if build.argument("return_attention_scores", 3, False) else [result]


def _product(build: Lowering, left: Value, right: Value, *, turned: bool = False) -> Value:
    return build.op("BatchMatMulV2", left, right, attrs={"adj_x": False, "adj_y": turned})


def _sums(
    build: Lowering, query: Value, key: Value, factor: Value | None, weight: Value | None
) -> Value:
    by_query = build.op("ExpandDims", query, np.array(-2, np.int32))
    by_key = build.op("ExpandDims", key, np.array(-3, np.int32))
    total = build.op("AddV2", by_query, by_key)
    if factor is not None:
        total = build.op("Mul", total, factor)
    total = build.op("Tanh", total)
    whole = weight is not None and not build.rank(weight)
    if weight is not None and not whole:
        total = build.op("Mul", total, weight)
    scores = build.op("Sum", total, np.array([-1], np.int32))
    return build.op("Mul", scores, weight) if weight is not None and whole else scores


# Many heads ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heads:
    """Sizes of attention with many heads.

    Attributes:
        queries: number of heads.
        keys: number of heads that keys and values have; each serves several of the query.
        key_size: size of queries and keys in a head.
        value_size: size of values in a head.
    """

    queries: int
    keys: int
    key_size: int
    value_size: int

    def of(self, part: str) -> tuple[int, int]:
        """Number of heads and size of one part of the layer."""
        return {
            "query": (self.queries, self.key_size),
            "key": (self.keys, self.key_size),
            "value": (self.keys, self.value_size),
            "gate": (self.queries, self.value_size),
        }[part]


def attend_by_heads(build: Lowering, heads: Heads) -> list[Value]:
    """MultiHeadAttention and GroupedQueryAttention.

    Args:
        build: the builder.
        heads: the sizes of the heads; those of the query a multiple of those of the key.

    Returns:
        The answer, and the scores where they are asked for.
    """
    return _ManyHeads(build, heads, *asked(build)).run()


def asked(build: Lowering) -> list[Value]:
    """Query, value and key of attention with many heads."""
    found = [build.argument(name, place) for place, name in enumerate(("query", "value", "key"))]
    given = [item for item in found if isinstance(item, Value)]
    if found[2] is None:
        given.append(given[-1])
    if len(given) != 3:
        raise CannotLower("is called without a query or a value")
    if len({build.rank(item) for item in given}) > 1:
        raise CannotLower("its query, value and key have different numbers of axes")
    return given


class _ManyHeads:
    """One call of attention with many heads.

    Within, tensors have their axes as [batch, axes that are left alone, heads, steps, size], where
    steps are the axes that are attended along, taken together. Where several heads of the query
    share one of the key, they lie among the steps: more rows of one product.

    Args:
        build: the builder.
        heads: the sizes of the heads.
        query: what asks.
        value: what is read.
        key: what is asked.
    """

    def __init__(
        self, build: Lowering, heads: Heads, query: Value, value: Value, key: Value
    ) -> None:
        self._build = build
        self._heads = heads
        self._given = {"query": query, "value": value, "key": key, "gate": query}
        self._flat: dict[Value, Value] = {}
        rank = build.rank(query)
        told = build.config.get("attention_axes") or range(1, rank - 1)
        self._axes = [axis if axis >= 0 else rank + axis for axis in told]
        if not self._axes or not set(self._axes) <= set(range(1, rank - 1)):
            raise CannotLower(f"attends along axes {list(told)} of a tensor that has {rank}")
        self._left = [axis for axis in range(1, rank - 1) if axis not in self._axes]
        self._shared = heads.queries // heads.keys
        # Whether scores have the axes that Keras gives them as they are computed.
        self._plain = len(self._axes) == 1 and self._shared == 1
        self._returned = bool(build.call.kwargs.get("return_attention_scores"))

    def run(self) -> list[Value]:
        """The answer, and the scores where they are asked for."""
        build = self._build
        query, key = self._projected("query"), self._projected("key")
        scores = build.op("BatchMatMulV2", query, key, attrs={"adj_x": False, "adj_y": True})
        mask, leaves_none = self._mask()
        if mask is not None:
            scores = self._in_rows(hide(build, self._as_keras(scores), mask))
        scores = build.op("Softmax", scores)
        if mask is not None and leaves_none:
            kept = build.op("Mul", self._as_keras(scores), build.floats(mask))
            scores = self._in_rows(kept)
        result = self._answer(scores)
        build.set_mask(result, self._mask_of("query"))
        return [result, self._as_keras(scores)] if self._returned else [result]

    # Sizes ---------------------------------------------------------------------------------

    def _sizes(self, part: str, axes: Sequence[int]) -> list[Size]:
        """Sizes of some axes of what came in; -1 for a free batch."""
        build, tensor = self._build, self._given[part]
        free = build.shape(tensor)[0] is None
        return [-1 if free and not axis else build.size(tensor, axis) for axis in axes]

    def _rows(self, part: str) -> Size:
        """How many steps there are, those of heads that share a key among them."""
        sizes = self._sizes(part, self._axes)
        return _times(self._build, [self._shared, *sizes] if part == "query" else sizes)

    def _as_keras(self, scores: Value) -> Value:
        """Scores with an axis of all heads, and one for each axis that is attended along."""
        if self._plain:
            return scores
        steps = [*self._sizes("query", self._axes), *self._sizes("value", self._axes)]
        before = self._sizes("query", [0, *self._left])
        return self._build.reshaped(scores, [*before, self._heads.queries, *steps])

    def _in_rows(self, scores: Value) -> Value:
        """The opposite of `_as_keras`."""
        if self._plain:
            return scores
        before = self._sizes("query", [0, *self._left])
        sizes = [self._heads.keys, self._rows("query"), self._rows("value")]
        return self._build.reshaped(scores, [*before, *sizes])

    # Parts ---------------------------------------------------------------------------------

    def _dense(self, part: str) -> Value:
        """The product of an input with a kernel, [rows, heads * size]."""
        build, tensor = self._build, self._given[part]
        count, size = self._heads.of(part)
        kernel = build.weight(f"{part}/kernel")
        features = build.fixed(kernel, 0)
        if tensor not in self._flat:
            self._flat[tensor] = build.reshaped(build.floats(tensor), [-1, features])
        # What scales the scores is put into the constants of the query.
        factor = 1.0 / math.sqrt(size) if part == "query" else 1.0
        kernel = _scaled(build, build.reshaped(kernel, [features, count * size]), factor)
        result = build.op("MatMul", self._flat[tensor], kernel)
        if not build.config.get("use_bias", True):
            return result
        bias = build.reshaped(build.weight(f"{part}/bias"), [count * size])
        return build.op("BiasAdd", result, _scaled(build, bias, factor))

    def _projected(self, part: str) -> Value:
        """What the heads make of an input, [batch, left, heads, steps, size]."""
        build, (count, size) = self._build, self._heads.of(part)
        axes = range(build.rank(self._given[part]) - 1)
        value = build.reshaped(self._dense(part), [*self._sizes(part, axes), count, size])
        value = build.transpose(value, [0, *self._left, len(axes), *self._axes, len(axes) + 1])
        if self._plain or (part != "query" and len(self._axes) == 1):
            return value
        before = self._sizes(part, [0, *self._left])
        return build.reshaped(value, [*before, self._heads.keys, self._rows(part), size])

    def _answer(self, scores: Value) -> Value:
        """What is read by scores, put together from all heads."""
        build, (count, size) = self._build, self._heads.of("gate")
        result = build.op("BatchMatMulV2", scores, self._projected("value"))
        before, steps = self._sizes("query", [0, *self._left]), self._sizes("query", self._axes)
        if not self._plain:
            result = build.reshaped(result, [*before, count, *steps, size])
        order = [0, *self._left, -1, *self._axes]
        axes = [order.index(axis) for axis in range(len(order) - 1)]
        result = build.transpose(result, [*axes, order.index(-1), len(order)])
        result = build.reshaped(result, [-1, count * size])
        if build.config.get("use_gate"):
            result = build.op("Mul", result, build.op("Sigmoid", self._dense("gate")))
        kernel = build.weight("attention_output/kernel")
        outputs = [build.fixed(kernel, axis) for axis in range(2, build.rank(kernel))]
        wide = math.prod(outputs)
        result = build.op("MatMul", result, build.reshaped(kernel, [count * size, wide]))
        if build.config.get("use_bias", True):
            bias = build.reshaped(build.weight("attention_output/bias"), [wide])
            result = build.op("BiasAdd", result, bias)
        inner = range(build.rank(self._given["query"]) - 1)
        return build.reshaped(result, [*self._sizes("query", inner), *outputs])

    # Masks ---------------------------------------------------------------------------------

    def _mask_of(self, part: str) -> Value | None:
        told = self._build.call.kwargs.get(f"{part}_mask")
        return told if isinstance(told, Value) else self._build.mask_of(self._given[part])

    def _mask(self) -> tuple[Value | None, bool]:
        """What a query may see, as the scores have their axes; and whether that may be nothing.

        Keras 3 answers zeros then, where it computes the scores by itself.
        """
        build, config = self._build, self._build.config
        mask = spread(build, self._mask_of("query"), -1)
        mask = both(build, mask, spread(build, self._mask_of("value"), -2))
        if self._given["key"] is not self._given["value"]:
            mask = both(build, mask, spread(build, self._mask_of("key"), -2))
        told = build.call.kwargs.get("attention_mask")
        if told is not None:
            value = told if isinstance(told, Value) else build.constant(np.asarray(told))
            mask = both(build, mask, build.cast(value, "bool"))
        simple = len(self._axes) == 1 and not self._left
        leaves_none = mask is not None and build.keras3
        leaves_none &= self._returned or bool(config.get("dropout")) or not simple
        causal, window = (
            bool(build.call.kwargs.get("use_causal_mask")),
            config.get("sliding_window"),
        )
        if causal or window:
            sizes = [build.size(self._given[part], 1) for part in ("query", "value")]
            mask = both(build, mask, seen(build, *sizes, causal=causal, window=window))
        if mask is None:
            return None, False
        place = build.rank(mask) - 2 * len(self._axes)
        missing = len(self._left) + 2 + 2 * len(self._axes) - build.rank(mask)
        if missing > 0:
            sizes = [build.size(mask, axis) for axis in range(build.rank(mask))]
            mask = build.reshaped(mask, [*sizes[:place], *[1] * missing, *sizes[place:]])
        return mask, leaves_none


def _scaled(build: Lowering, weight: Value, factor: float) -> Value:
    return weight if factor == 1.0 else build.op("Mul", weight, factor)


def _times(build: Lowering, sizes: Sequence[Size]) -> Size:
    """The product of sizes."""
    result: Size = math.prod(size for size in sizes if isinstance(size, int))
    for size in sizes:
        if isinstance(size, Value):
            result = size if result == 1 else build.op("Mul", size, _number(result))
    return result


def _number(size: Size) -> Value | np.int32:
    return size if isinstance(size, Value) else np.int32(size)
