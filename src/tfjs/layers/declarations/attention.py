"""Attention, of one head or many, composed of products that TF.js has.

TF.js multiplies tensors of three axes at most, so each head of many is computed by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Call, Config, Layer, TensorRef, Weight, flatten
from tfjs.ir.tensor import Array
from tfjs.layers.base import Apply, LayerSpec, Shape, Slot, dim
from tfjs.layers.declarations import attention_graph
from tfjs.layers.declarations.attention_graph import Heads
from tfjs.layers.declarations.compose import (
    Numbers,
    Step,
    activate,
    constant,
    derived,
    join,
    reshape,
    scale,
    weight_of,
)
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.space import number

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# What Keras takes from the score of a step that is not to be looked at.
_LARGE = 1e9
_MASKED = "uses a mask, and TF.js has no layer that would"
_OF_HEADS = ("query", "value", "key")
_RANK = "is of more than three axes, with the batch, and TF.js multiplies no others"


@dataclass(frozen=True, slots=True)
class _Given:
    """The arguments of the calls of a layer.

    Attributes:
        places: index of each tensor among all that go in, by the name of the argument.
        causal: whether a step sees no later ones.
        scores: whether the scores are asked for too.
    """

    places: dict[str, int]
    causal: bool
    scores: bool


def _given(call: Call, names: Sequence[str]) -> _Given:
    """The arguments of a call; those that are lists give their names to their items."""
    args: list[Any] = list(call.args)
    if len(args) == 1 and isinstance(args[0], list | tuple) and not isinstance(args[0], TensorRef):
        args = list(args[0])
    named = dict(zip(names, args, strict=False))
    named.update({key: value for key, value in call.kwargs.items() if key != "mask"})
    places: dict[str, int] = {}
    count = 0
    for name, value in named.items():
        tensors = flatten(value)
        if tensors:
            places[name] = count
        count += len(tensors)
    return _Given(
        places,
        bool(named.get("use_causal_mask", False)),
        bool(named.get("return_attention_scores", False)),
    )


def _problem(layer: Layer, build: Builder, names: Sequence[str]) -> str | None:
    """What stands in the way whatever the kind of attention."""
    given = [_given(call, names) for call in layer.calls]
    if any(other != given[0] for other in given):
        return "is called in several ways"
    if given[0].scores:
        return "returns its scores, and TF.js layers do not share them"
    # A mask may come with any tensor; only that of the first is known for sure.
    by_name = any(flatten(call.kwargs) for call in layer.calls) and build.findings.masked
    if build.is_masked(layer) or by_name or set(given[0].places) - set(_OF_HEADS):
        return _MASKED
    if not {"query", "value"} <= set(given[0].places):
        return "is called without a query or a value"
    shapes = build.input_shapes(layer)
    if any(shape is None or len(shape) != 3 for shape in shapes):
        return _RANK
    steps = [dim(shapes[0], 1), dim(_shape_of("value", given[0], shapes), 1)]
    causal = given[0].causal or layer.config.get("causal")
    if causal and None in steps:
        return "sees no later steps, for which TF.js must know how many there are"
    if causal and not fits([size or 1 for size in steps]):
        return "has too many steps for a list of those that it does not see"
    return None


def _shape_of(name: str, given: _Given, shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of an argument; the key is the value where it is not given."""
    place = given.places.get(name, given.places.get("value", 0))
    return shapes[place] if place < len(shapes) else None


def _weighted(build: Builder, name: str | None = None) -> Layer:
    """The product of scores and values."""
    config = {"axes": [2, 1], "normalize": False}
    return build.new("Dot", config, suffix="weighted", name=name)


def _later(query: Shape | None, value: Shape | None) -> Numbers:
    """What is added to the scores where a step sees no later ones."""
    steps, others = dim(query, 1) or 1, dim(value, 1) or 1
    hidden: Numbers = (-_LARGE * np.triu(np.ones((steps, others)), 1)).tolist()
    return hidden


class Attention(LayerSpec):
    """Attention with one head, whose scores are products."""

    name = "Attention"
    supports_masking = True
    uses_mask = True

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        slots = [Slot("scale", ())] if layer.config.get("use_scale") else []
        if layer.config.get("score_mode") == "concat":
            slots.append(Slot("concat_score_weight", ()))
        return slots

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        given = _given(layer.calls[0], _OF_HEADS) if layer.calls else _Given({}, False, False)
        query, value = inputs[0] if inputs else None, _shape_of("value", given, inputs)
        if not query or not value:
            return [None, None] if given.scores else [None]
        result: Shape = (*query[:-1], value[-1])
        return [result, (*query[:-1], dim(value, -2))] if given.scores else [result]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        problem = _problem(layer, build, _OF_HEADS)
        if problem:
            return build.refuse(layer, problem)
        given, shapes = _given(layer.calls[0], _OF_HEADS), build.input_shapes(layer)
        query, value = shapes[0], _shape_of("value", given, shapes)
        if self.sums(layer) and None in (dim(query, 1), dim(value, 1), dim(query, 2)):
            return build.refuse(layer, "sizes of its input are unknown that it adds up")
        if self.sums(layer) and not fits([dim(query, 2) or 1]):
            return build.refuse(layer, "has a query of too many features")
        build.note(layer, f"{self.name} composed of products that TF.js has")
        scores = self.scores(layer, build, query, value)
        steps: list[Step] = [activate(build, "softmax")]
        if given.causal or layer.config.get("causal"):
            steps.insert(0, scale(build, 1.0, _later(query, value), suffix="causal"))
        weights = build.chain(*steps)
        weighted = build.apply(_weighted(build, layer.name), 1)
        places = given.places

        def call(tensors: list[TensorRef]) -> list[TensorRef]:
            values = tensors[places["value"]]
            keys = tensors[places.get("key", places["value"])]
            return weighted([*weights(scores([tensors[places["query"]], keys])), values])

        return call

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        adds = self.sums(layer)
        factor = build.weight("scale") if layer.config.get("use_scale") else None
        weight = build.weight("concat_score_weight") if adds else None
        return attention_graph.attend(build, adds=adds, factor=factor, weight=weight)

    def sums(self, layer: Layer) -> bool:
        """Whether each query is added to each key, and not multiplied."""
        return layer.config.get("score_mode") == "concat"

    def scores(
        self, layer: Layer, build: Builder, query: Shape | None, value: Shape | None
    ) -> Apply:
        """From a query and a key to scores of [batch, steps of the query, steps of the key]."""
        factor = 1.0
        if layer.config.get("use_scale"):
            factor = float(weight_of(layer, "scale").tensor.array())
        if self.sums(layer):
            weight = weight_of(layer, "concat_score_weight")
            size = dim(query, -1) or 1
            kernel = derived(weight, "kernel", [size, 1], lambda a: np.full((size, 1), a))
            return _summed(build, query, value, kernel, factor)
        product = build.new("Dot", {"axes": [2, 2], "normalize": False}, suffix="scores")
        return build.chain(product) if factor == 1.0 else build.chain(product, scale(build, factor))


def _summed(
    build: Builder, query: Shape | None, value: Shape | None, kernel: Weight, factor: float
) -> Apply:
    """tanh(factor * (query + key)), multiplied by a kernel and added up."""
    steps, others, size = dim(query, 1), dim(value, 1), dim(query, -1)
    by_query = build.apply(reshape(build, [steps, 1, size], suffix="queries"), 1)
    by_key = build.apply(reshape(build, [1, others, size], suffix="keys"), 1)
    scaled: list[Step] = [scale(build, factor)] if factor != 1.0 else []
    config = {"units": 1, "use_bias": False, "activation": "linear"}
    rest = build.chain(
        build.new("Add", {}, suffix="sum"),
        *scaled,
        activate(build, "tanh"),
        build.new("Dense", config, suffix="scores", weights=[kernel]),
        reshape(build, [steps, others], suffix="steps"),
    )
    return lambda tensors: rest([*by_query(tensors[:1]), *by_key(tensors[1:])])


class AdditiveAttention(Attention):
    """Attention with one head, whose scores are sums."""

    name = "AdditiveAttention"
    inert: ClassVar[frozenset[str]] = frozenset({"score_mode"})

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        size = dim(inputs[0] if inputs else None, -1)
        return [Slot("scale", (size,))] if layer.config.get("use_scale", True) else []

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        weight = build.weight("scale") if layer.config.get("use_scale", True) else None
        return attention_graph.attend(build, adds=True, factor=None, weight=weight)

    def sums(self, layer: Layer) -> bool:
        return True

    def scores(
        self, layer: Layer, build: Builder, query: Shape | None, value: Shape | None
    ) -> Apply:
        size = dim(query, -1) or 1
        kernel = constant("kernel", np.ones((size, 1)), trainable=False)
        if layer.config.get("use_scale", True):
            shape = [size, 1]
            kernel = derived(weight_of(layer, "scale"), "kernel", shape, lambda a: a.reshape(shape))
        return _summed(build, query, value, kernel, 1.0)


class _ManyHeads(LayerSpec):
    supports_masking = True
    uses_mask = True
    counts: ClassVar[tuple[str, ...]] = ()

    def normalize(self, config: Config, dialect: str) -> None:
        for key in self.counts:
            config[key] = number(config.get(key), key)
        for key, lowest in (("attention_axes", -32), ("output_shape", 1)):
            value = config.get(key)
            if value is not None:
                items = value if isinstance(value, list | tuple) else [value]
                config[key] = [number(item, key, lowest) for item in items]

    def heads(self, layer: Layer) -> Heads:
        """Sizes of the heads."""
        raise NotImplementedError

    def output_sizes(self, layer: Layer, query: Shape | None) -> list[int | None]:
        """Sizes of the last axes of the output."""
        told = layer.config.get("output_shape")
        return list(told) if told else [dim(query, -1)]

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        given = _given(layer.calls[0], _OF_HEADS) if layer.calls else _Given({}, False, False)
        parts = ["query", "key", *(["gate"] if layer.config.get("use_gate") else []), "value"]
        heads = self.heads(layer)
        slots: list[Slot] = []
        for part in parts:
            source = _shape_of("query" if part == "gate" else part, given, inputs)
            kernel: Shape = (dim(source, -1), *heads.of(part))
            slots += _named_slots(part, f"{part}_dense", kernel, heads.of(part), layer.config)
        outputs = self.output_sizes(layer, inputs[0] if inputs else None)
        kernel = (heads.queries, heads.value_size, *outputs)
        return slots + _named_slots(
            "attention_output", "output_dense", kernel, tuple(outputs), layer.config
        )

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        given = _given(layer.calls[0], _OF_HEADS) if layer.calls else _Given({}, False, False)
        query, key = inputs[0] if inputs else None, _shape_of("key", given, inputs)
        if not query:
            return [None, None] if given.scores else [None]
        result: Shape = (*query[:-1], *self.output_sizes(layer, query))
        scores = (query[0], self.heads(layer).queries, dim(query, 1), dim(key, 1))
        return [result, scores] if given.scores else [result]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        problem = _problem(layer, build, _OF_HEADS)
        axes = layer.config.get("attention_axes")
        if problem is None and axes not in (None, [1], [-2]):
            problem = "attends along several axes"
        if problem is None and layer.config.get("sliding_window"):
            problem = "has a sliding window, which TF.js has no layer for"
        if problem is None and len(self.output_sizes(layer, None)) > 1:
            problem = "gives several axes"
        if problem:
            return build.refuse(layer, problem)
        heads = self.heads(layer)
        if heads.queries % heads.keys:
            raise CorruptFileError("its heads do not share keys evenly", where=layer.name)
        build.note(layer, f"{layer.class_name} written head by head")
        return _head_by_head(layer, build, heads)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        heads = self.heads(layer)
        if heads.queries % heads.keys:
            raise CorruptFileError("its heads do not share keys evenly", where=layer.name)
        return attention_graph.attend_by_heads(build, heads)


def _named_slots(part: str, holder: str, kernel: Shape, bias: Shape, config: Config) -> list[Slot]:
    slots = [Slot(f"{part}/kernel", kernel, holder=holder)]
    if config.get("use_bias", True):
        slots.append(Slot(f"{part}/bias", bias, holder=holder))
    return slots


def _head_by_head(layer: Layer, build: Builder, heads: Heads) -> Apply:
    given, shapes = _given(layer.calls[0], _OF_HEADS), build.input_shapes(layer)
    later: Numbers = 0.0
    if given.causal:
        later = _later(shapes[0], _shape_of("value", given, shapes))
    factor = 1.0 / math.sqrt(heads.key_size)
    projected = {
        part: [_projection(layer, build, heads, part, head) for head in range(heads.of(part)[0])]
        for part in ("query", "key", "value")
    }
    attended = [_attended(build, factor, later) for _ in range(heads.queries)]
    together = _together(layer, build, heads)
    places, shared = given.places, heads.queries // heads.keys

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        value = tensors[places["value"]]
        sources = {
            "query": tensors[places["query"]],
            "key": tensors[places["key"]] if "key" in places else value,
            "value": value,
        }
        made = {
            part: [apply([sources[part]])[0] for apply in applies]
            for part, applies in projected.items()
        }
        results = [
            apply([query, made["key"][head // shared], made["value"][head // shared]])[0]
            for head, (query, apply) in enumerate(zip(made["query"], attended, strict=True))
        ]
        return together([*results, sources["query"]])

    return call


def _projection(layer: Layer, build: Builder, heads: Heads, part: str, head: int) -> Apply:
    """The Dense layer of one head."""
    count, size = heads.of(part)
    kernel = weight_of(layer, f"{part}/kernel")
    if len(kernel.tensor.shape) != 3 or kernel.tensor.shape[1:] != (count, size):
        raise CorruptFileError(f"its {part} kernel does not fit its heads", where=layer.name)
    shape = [kernel.tensor.shape[0], size]
    weights = [derived(kernel, "kernel", shape, lambda array: array[:, head])]
    if layer.config.get("use_bias", True):
        bias = weight_of(layer, f"{part}/bias")
        weights.append(derived(bias, "bias", [size], lambda array: array[head]))
    config = {"units": size, "use_bias": len(weights) > 1, "activation": "linear"}
    return build.apply(build.new("Dense", config, suffix=f"{part}_{head}", weights=weights), 1)


def _attended(build: Builder, factor: float, later: Numbers) -> Apply:
    """From the query, key and value of one head to its answer."""
    product = build.new("Dot", {"axes": [2, 2], "normalize": False}, suffix="scores")
    weights = build.chain(product, scale(build, factor, later), activate(build, "softmax"))
    weighted = build.apply(_weighted(build), 1)
    return lambda tensors: weighted([*weights(tensors[:2]), tensors[2]])


def _together(layer: Layer, build: Builder, heads: Heads) -> Apply:
    """From the answers of all heads, and the query, to the answer of the layer."""
    width = heads.queries * heads.value_size
    kernel = weight_of(layer, "attention_output/kernel")
    size = kernel.tensor.shape[-1]
    weights = [derived(kernel, "kernel", [width, size], _matrix(width, size))]
    if layer.config.get("use_bias", True):
        bias = weight_of(layer, "attention_output/bias")
        weights.append(Weight("bias", bias.tensor, bias.trainable))
    config = {"units": size, "use_bias": len(weights) > 1, "activation": "linear"}
    last = build.apply(build.new("Dense", config, name=layer.name, weights=weights), 1)
    merged = None
    if heads.queries > 1:
        merged = build.apply(build.new("Concatenate", {"axis": -1}, suffix="heads"), 1)
    gated = _gate(layer, build, heads) if layer.config.get("use_gate") else None

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        *results, query = tensors
        answer = results if merged is None else merged(results)
        return last(answer if gated is None else gated([*answer, query]))

    return call


def _gate(layer: Layer, build: Builder, heads: Heads) -> Apply:
    """The answers of all heads, multiplied by what the query lets through."""
    width = heads.queries * heads.value_size
    kernel = weight_of(layer, "gate/kernel")
    size = kernel.tensor.shape[0]
    weights = [derived(kernel, "kernel", [size, width], _matrix(size, width))]
    if layer.config.get("use_bias", True):
        weights.append(derived(weight_of(layer, "gate/bias"), "bias", [width], np.ravel))
    config = {"units": width, "use_bias": len(weights) > 1, "activation": "sigmoid"}
    dense = build.new("Dense", config, suffix="gate", weights=weights)
    product = build.new("Multiply", {}, suffix="gated")
    return join(build, product, lambda tensors: tensors[:1], _second(build.apply(dense, 1)))


def _second(apply: Apply) -> Apply:
    return lambda tensors: apply(tensors[1:])


def _matrix(rows: int, columns: int) -> Callable[[Array], Array]:
    def reshaped(array: Array) -> Array:
        return array.reshape(rows, columns)

    return reshaped


class MultiHeadAttention(_ManyHeads):
    name = "MultiHeadAttention"
    counts = ("num_heads", "key_dim")

    def normalize(self, config: Config, dialect: str) -> None:
        super().normalize(config, dialect)
        for built_for in ("query_shape", "key_shape", "value_shape"):
            config.pop(built_for, None)  # Keras 2 notes the shapes, which the calls tell anyway
        if config.get("value_dim") is not None:
            config["value_dim"] = number(config["value_dim"], "value_dim")

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        made = super().lower(layer, build)
        for value in attention_graph.asked(build) if build.keras3 else ():
            # Keras 3 takes the masks off what was attended to: later layers see none there.
            build.set_mask(value, None)
        return made

    def heads(self, layer: Layer) -> Heads:
        count, size = layer.config["num_heads"], layer.config["key_dim"]
        return Heads(count, count, size, layer.config.get("value_dim") or size)


class GroupedQueryAttention(_ManyHeads):
    name = "GroupedQueryAttention"
    aliases = ("GroupQueryAttention",)
    counts = ("head_dim", "num_query_heads", "num_key_value_heads")

    def heads(self, layer: Layer) -> Heads:
        size = layer.config["head_dim"]
        queries, keys = layer.config["num_query_heads"], layer.config["num_key_value_heads"]
        return Heads(queries, keys, size, size)

    def output_sizes(self, layer: Layer, query: Shape | None) -> list[int | None]:
        return [dim(query, -1)]
