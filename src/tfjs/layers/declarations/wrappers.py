"""Layers that wrap another one: Bidirectional and TimeDistributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Call, Config, Layer, TensorRef
from tfjs.layers.base import Apply, CannotLower, LayerSpec, Shape, dim
from tfjs.layers.declarations import gru_unroll, recurrent, recurrent_graph
from tfjs.layers.registry import spec_of
from tfjs.layers.shapes import output_shapes

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_PLAIN = frozenset({"SimpleRNN", "LSTM", "GRU"})
_MERGES = {"concat": "Concatenate", "sum": "Add", "ave": "Average", "mul": "Multiply"}

# What the forward and the backward layer must share for TF.js, which makes one from the other.
_SHARED_KEYS = (
    *("units", "filters", "kernel_size", "strides", "padding", "dilation_rate", "data_format"),
    *("activation", "recurrent_activation", "use_bias", "reset_after"),
    *("return_sequences", "return_state", "stateful"),
)


class Bidirectional(LayerSpec):
    """Its children in the normal form: `forward_layer` and `backward_layer`."""

    name = "Bidirectional"
    children = ("forward_layer", "backward_layer")
    supports_masking = True
    uses_mask = True
    takes_initial_state = True

    def normalize_children(self, layer: Layer, dialect: str) -> None:
        """Keras 2 names what is wrapped `x` and writes it once; Keras 3 names it `forward_x`."""
        inner = layer.children.pop("layer", None) or layer.children.pop("forward_layer", None)
        if inner is None:
            raise CorruptFileError("wraps no layer", where=layer.name)
        backward = layer.children.pop("backward_layer", None)
        given = inner.name
        plain = given.removeprefix("forward_") if dialect == "keras3" else given
        inner.name = f"forward_{plain}"
        if backward is None:
            backward = _mirrored(inner)
            backward.name = f"backward_{given.removeprefix('backward_')}"
        elif dialect != "keras3":
            backward.name = f"backward_{backward.name}"
        layer.children = {"forward_layer": inner, "backward_layer": backward}

    def normalize(self, config: Config, dialect: str) -> None:
        for key in ("layer", "backward_layer", "num_constants"):
            if config.get(key, ...) is None:
                del config[key]
        mode = config.setdefault("merge_mode", "concat")
        if mode not in (*_MERGES, None):
            raise ValueError(f"merge_mode is {mode!r}")

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        forward, backward = (
            output_shapes(layer.children[key], inputs[:1]) for key in self.children
        )
        first, other, states = forward[0], backward[0], [*forward[1:], *backward[1:]]
        mode = layer.config["merge_mode"]
        if mode is None:
            return [first, other, *states]
        if mode != "concat" or first is None or other is None:
            return [first, *states]
        last, more = first[-1], other[-1]
        joined = None if last is None or more is None else last + more
        return [(*first[:-1], joined), *states]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        forward, backward = (_plain(layer.children[key], build) for key in self.children)
        if forward is None or backward is None:
            names = " and ".join(sorted({child.class_name for child in layer.children.values()}))
            return build.refuse(layer, f"it wraps {names}, which TF.js cannot run both ways")
        why = recurrent.obstacle(layer, build) or next(
            filter(None, (recurrent.inner_obstacle(item, build) for item in (forward, backward))),
            None,
        )
        if why:
            return build.refuse(layer, why)
        if forward.class_name not in _PLAIN and not _mirrors(forward, backward):
            return build.refuse(layer, "its backward layer is no mirror of the forward one")
        if _mirrors(forward, backward) and not forward.config.get("reset_after"):
            return _kept(layer, forward, backward, build)
        return _apart(layer, forward, backward, build)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x, *given = build.inputs
        mask = recurrent_graph.mask_of_call(build)
        half = len(given) // 2
        outputs, states = [], []
        for key, own in zip(self.children, (given[:half], given[half:]), strict=True):
            child = layer.children[key]
            sequences = bool(child.config.get("return_sequences"))
            # Keras has both directions put out zeros at masked steps.
            config = {**child.config, "zero_output_for_mask": sequences}
            kwargs = {"mask": mask, "initial_state": own}
            output, *more = build.child(replace(child, config=config), call=Call((x,), kwargs))
            if sequences and key == "backward_layer":
                axis = 0 if child.config.get("time_major") else 1
                output = build.op("ReverseV2", output, np.array([axis], np.int32))
            outputs.append(output)
            if child.config.get("return_state"):
                states += more
        merged = _merged(build, layer.config["merge_mode"], outputs)
        sequences = bool(layer.children["forward_layer"].config.get("return_sequences"))
        for output in merged:
            build.set_mask(output, mask if sequences else None)
        return [*merged, *states]


def _merged(build: Lowering, mode: str | None, outputs: list[Value]) -> list[Value]:
    """What both directions put out, taken together."""
    if mode is None:
        return outputs
    if mode == "concat":
        return [build.op("ConcatV2", *outputs, np.array(-1, np.int32))]
    result = build.op("Mul" if mode == "mul" else "AddV2", *outputs)
    return [build.op("Mul", result, 0.5) if mode == "ave" else result]


def _mirrored(inner: Layer) -> Layer:
    """The layer that runs the other way, without weights."""
    config = {**inner.config, "go_backwards": not inner.config.get("go_backwards", False)}
    children = {key: _copy(child) for key, child in inner.children.items()}
    return replace(inner, config=config, weights=[], calls=[], children=children)


def _copy(layer: Layer) -> Layer:
    children = {key: _copy(child) for key, child in layer.children.items()}
    return replace(layer, config=dict(layer.config), weights=[], calls=[], children=children)


def _plain(child: Layer, build: Builder) -> Layer | None:
    """A wrapped layer as SimpleRNN, LSTM, GRU or ConvLSTM; None for anything else."""
    if child.class_name == "RNN":
        cells = recurrent.cells_of(child)
        return recurrent.as_layer(child, cells[0], child.name) if len(cells) == 1 else None
    rnn = recurrent.plain_rnn(child)
    if rnn.class_name in _PLAIN or rnn.class_name == "ConvLSTM2D":
        return rnn
    return None


def _mirrors(forward: Layer, backward: Layer) -> bool:
    if forward.class_name != backward.class_name:
        return False
    turned = bool(forward.config.get("go_backwards")) != bool(backward.config.get("go_backwards"))
    return turned and all(
        forward.config.get(key) == backward.config.get(key) for key in _SHARED_KEYS
    )


def _kept(layer: Layer, forward: Layer, backward: Layer, build: Builder) -> Apply:
    children = {
        "forward_layer": recurrent.wrapped(forward, build),
        "backward_layer": recurrent.wrapped(backward, build),
    }
    # TF.js names both after the layer that it is given.
    inner = forward.name.removeprefix("forward_")
    children["forward_layer"].name = f"forward_{inner}"
    children["backward_layer"].name = f"backward_{inner}"
    return build.keep(layer, children=children)


# Two layers of their own ---------------------------------------------------------------------


def _apart(layer: Layer, forward: Layer, backward: Layer, build: Builder) -> Apply:
    """Both directions as layers of their own, since TF.js cannot wrap them together."""
    if build.is_masked(layer):
        return build.refuse(
            layer,
            "TF.js runs both directions by one configuration, and two layers in its place would "
            f"not treat the mask alike: {gru_unroll.ADVICE}",
        )
    ways = []
    for rnn, key in ((forward, "forward"), (backward, "backward")):
        way = _direction(rnn, build, key)
        if isinstance(way, str):
            return build.refuse(layer, way)
        ways.append(way)
    build.note(layer, "Bidirectional as two layers and a merge")
    mode = layer.config["merge_mode"]
    merge = None
    if mode is not None:
        config: Config = {"axis": -1} if mode == "concat" else {}
        merge = build.apply(build.new(_MERGES[mode], config, name=layer.name), 1)

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        outputs: list[TensorRef] = []
        states: list[TensorRef] = []
        half = len(tensors) // 2
        for way, given in zip(ways, (tensors[1 : 1 + half], tensors[1 + half :]), strict=True):
            output, *more = way([tensors[0], *given])
            outputs.append(output)
            states += more
        return [*(merge(outputs) if merge else outputs), *states]

    return call


def _direction(rnn: Layer, build: Builder, way: str) -> Apply | str:
    """One direction, its sequence in the order that Bidirectional merges; or why it cannot be."""
    config = rnn.config
    turn = way == "backward" and bool(config.get("return_sequences"))
    part = Layer(rnn.class_name, f"{build.current.name}_{way}", config, rnn.weights)
    if config.get("reset_after"):
        steps = dim(build.input_shape(build.current), 1)
        stateful = bool(config.get("stateful"))
        why = gru_unroll.obstacle(masked=False, stateful=stateful, steps=steps)
        if why is not None or steps is None:
            return why or ""
        recurrent.check_weights(rnn)
        return gru_unroll.express(part, build, steps, turn=turn)
    kept = recurrent.wrapped(part, build)
    layer = build.new(kept.class_name, kept.config, name=part.name, weights=kept.weights)
    states = len(recurrent.state_sizes(rnn) or ()) if config.get("return_state") else 0
    run = build.apply(layer, 1 + states)
    if not turn:
        return run
    turned = build.apply(recurrent.passing(build, recurrent.units_of(rnn)), 1)

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        output, *more = run(tensors)
        return [*turned([output]), *more]

    return call


class TimeDistributed(LayerSpec):
    name = "TimeDistributed"
    children = ("layer",)
    supports_masking = True

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        inner = output_shapes(_inner(layer), [_one_step(shape)])[:1]
        return [
            None if item is None or shape is None else (item[0], dim(shape, 1), *item[1:])
            for item in inner
        ]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        inner, shape = _inner(layer), build.input_shape(layer)
        spec = spec_of(inner)
        if build.is_masked(layer) and spec is not None and spec.uses_mask:
            return build.refuse(layer, "it hands a mask on to what it wraps, TF.js does not")
        return build.keep(layer, children={"layer": build.child(inner, _one_step(shape))})

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x, mask = build.inputs[0], build.mask()
        if build.rank(x) < 3:
            raise CannotLower("its input has no axes behind that of the steps")
        steps = build.size(x, 1)
        flat = _without_steps(build, x)
        # What is wrapped sees the mask of what is within a step.
        inner = None
        if mask is not None and build.rank(mask) > 2:
            inner = _without_steps(build, mask)
            mask = build.op("Any", mask, np.arange(2, build.rank(mask), dtype=np.int32))
        build.set_mask(flat, inner)
        result = []
        for made in build.child(_inner(layer), flat):
            left = build.mask_of(made)
            value = _with_steps(build, made, x, steps)
            result.append(value)
            # Keras 2 asks what is wrapped for the mask, Keras 3 hands its own on.
            if left is not None and left is not inner and not build.keras3:
                build.set_mask(value, _with_steps(build, left, x, steps))
            else:
                build.set_mask(value, mask)
        return result


def _without_steps(build: Lowering, value: Value) -> Value:
    """Batch and steps as one axis."""
    return build.reshaped(
        value, [-1, *(build.size(value, at) for at in range(2, build.rank(value)))]
    )


def _with_steps(build: Lowering, value: Value, like: Value, steps: int | Value) -> Value:
    """Batch and steps apart again, as they are in another tensor."""
    inner = [build.size(value, axis) for axis in range(1, build.rank(value))]
    batch = build.shape(like)[0]
    return build.reshaped(value, [-1 if batch is None else batch, steps, *inner])


def _inner(layer: Layer) -> Layer:
    if "layer" not in layer.children:
        raise CorruptFileError("wraps no layer", where=layer.name)
    return layer.children["layer"]


def _one_step(shape: Shape | None) -> Shape | None:
    return None if shape is None or len(shape) < 2 else (shape[0], *shape[2:])
