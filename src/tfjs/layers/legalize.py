"""A model as TF.js can run it: layers are kept, rewritten exactly, or refused with a reason.

What a layer needs stands in its own declaration (`LayerSpec.legalize`); here is what they build
with, and what holds for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.io.json import first_not_finite
from tfjs.ir.layers_model import (
    Call,
    Config,
    Layer,
    LayersModel,
    TensorRef,
    Weight,
    flatten,
    map_refs,
)
from tfjs.layers import masked, objects
from tfjs.layers.base import Apply, LayerSpec, Shape, find
from tfjs.layers.call_order import settle_calls
from tfjs.layers.masks import MaskFlow, State, feeds_only
from tfjs.layers.naming import rename_for_tfjs
from tfjs.layers.registry import spec_of
from tfjs.layers.rnn_runs import repeated_layers, spilled_states
from tfjs.layers.shapes import Shapes, common_shapes, infer_shapes
from tfjs.layers.structure import ordered_calls
from tfjs.layers.vocabulary import KERAS, has_layer, layer_keys, says_nothing

CustomLayers = Literal["refuse", "keep"]

GRAPH_ADVICE = (
    "a TF.js graph model can hold more than a layers model: use --to tfjs-graph, or leave --to out"
)

_TRAINS = (
    "is called with training=True: TF.js answers as in inference, as predict() of Keras 3 does "
    "and tf_keras does not"
)

# Keys that never change an answer in inference, whatever the layer.
INERT = frozenset(
    {"trainable", "dtype", "seed", "implementation", "unroll", "synchronized", "use_cudnn"}
    | {"quantization_config", "lora_rank", "lora_alpha", "autocast", "fused", "sparse", "ragged"}
    | {
        "optional",
        "input_dtype",
        "activity_regularizer",
        "experimental_autocast",
        "flash_attention",
    }
    | {"renorm", "renorm_clipping", "renorm_momentum", "virtual_batch_size", "adjustment"}
)


@dataclass(slots=True)
class Legalized:
    """The outcome of `legalize`.

    Attributes:
        model: a model that TF.js loads and computes exactly.
        rewrites: what was changed, each with the layers that it concerns.
        warnings: what a user should know.
    """

    model: LayersModel
    rewrites: dict[str, list[str]]
    warnings: list[str]


@dataclass(slots=True)
class _Findings:
    rewrites: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    custom_layers: CustomLayers = "refuse"
    masked: set[int] = field(default_factory=set)
    spilled: set[int] = field(default_factory=set)
    repeated: set[int] = field(default_factory=set)


def legalize(model: LayersModel, *, custom_layers: CustomLayers = "refuse") -> Legalized:
    """Express a model in the layers of TF.js 4.22.

    Args:
        model: the model as it was read; it is not changed.
        custom_layers: "keep" passes classes that are not Keras's through by name; the page must
            register them.

    Raises:
        UnsupportedError: some layers cannot be expressed; all of them are listed.
    """
    findings = _Findings(custom_layers=custom_layers, masked=masked.masked_layers(model))
    findings.spilled = spilled_states(model, masked=bool(findings.masked))
    findings.repeated = repeated_layers(model)
    result = _legalize_model(model, findings, None, "")
    if findings.problems:
        count = len(findings.problems)
        raise UnsupportedError(
            f"{count} layer{'s' if count > 1 else ''} cannot be expressed in a TF.js layers model",
            problems=findings.problems,
            hint=GRAPH_ADVICE,
        )
    settle_calls(result)
    renamed = rename_for_tfjs(result)
    for old, new in renamed.items():
        findings.rewrites.setdefault("renamed, as TF.js needs it", []).append(f"{old} -> {new}")
    return Legalized(result, findings.rewrites, findings.warnings)


def _legalize_model(
    model: LayersModel,
    findings: _Findings,
    inputs: Sequence[Shape | None] | None,
    path: str,
    arriving_masks: Sequence[State] = (),
) -> LayersModel:
    flow = MaskFlow(active=bool(findings.masked), arriving=list(arriving_masks))
    build = Builder(model, findings, infer_shapes(model, inputs), path, flow)
    values: dict[TensorRef, TensorRef] = {}
    applies: dict[str, Apply] = {}
    for layer, index in ordered_calls(model):
        build.current, build.call = layer, index
        arriving = [_built(values, ref) for ref in build.tensors_in(layer, index)]
        if layer.name not in applies:
            applies[layer.name] = build.express(layer, arriving)
        for tensor, ref in enumerate(applies[layer.name](arriving)):
            values[TensorRef(layer.name, index, tensor)] = ref
    return build.finish(values)


def _trains(layer: Layer, call: int) -> bool:
    """Whether a call behaves as in training; an RNN does not differ then without dropout."""
    if not layer.calls[call].kwargs.get("training"):
        return False
    spec = spec_of(layer)
    recurrent = spec is not None and spec.takes_initial_state and not layer.children
    rates = [layer.config.get(key) for key in ("dropout", "recurrent_dropout")]
    return not recurrent or any(rates)


def _built(values: Mapping[TensorRef, TensorRef], ref: TensorRef) -> TensorRef:
    if ref not in values:
        raise CorruptFileError(
            f"the model refers to output {ref.tensor} of layer {ref.layer!r}, which has fewer"
        )
    return values[ref]


class Builder:
    """What declarations build with. One for each model; nested models have their own.

    Attributes:
        current: the layer that is being expressed.
        call: which of its calls is being made, from 0.
        findings: rewrites, warnings and problems so far.
    """

    def __init__(
        self,
        model: LayersModel,
        findings: _Findings,
        shapes: Shapes,
        path: str,
        flow: MaskFlow,
    ) -> None:
        self._model = model
        self._shapes = shapes
        self._path = path
        self._flow = flow
        self._order = {layer.name: index for index, layer in enumerate(model.layers)}
        self._names = set(self._order)
        self._outputs = {ref.layer for ref in flatten(model.outputs)}
        self._tensors = dict.fromkeys(self._order, 1)  # how many each layer gives
        for ref in shapes:
            self._tensors[ref.layer] = max(self._tensors[ref.layer], ref.tensor + 1)
        self._made: list[tuple[int, Layer]] = []
        self._mask_operations = masked.mask_operations(model)
        self.findings = findings
        self.current = model.layers[0]
        self.call = 0

    # What the model says ---------------------------------------------------------------------

    def input_shapes(self, layer: Layer, call: int = 0) -> list[Shape | None]:
        """Shapes of the tensors that go into one call of a layer."""
        return [self._shapes.get(ref) for ref in layer.calls[call].inputs()]

    def input_shape(self, layer: Layer) -> Shape | None:
        """Shape of the first tensor of the first call; None where the calls differ or unknown."""
        found = {tuple(self.input_shapes(layer, index)[:1]) for index in range(len(layer.calls))}
        return next(iter(found))[0] if len(found) == 1 and next(iter(found)) else None

    def output_shape(self, layer: Layer) -> Shape | None:
        """Shape of the first output of the first call."""
        return self._shapes.get(TensorRef(layer.name))

    def tensors_in(self, layer: Layer, call: int) -> list[TensorRef]:
        """Tensors of the original model that go into one call, without dropped masks."""
        entry = layer.calls[call]
        kwargs = {key: value for key, value in entry.kwargs.items() if key != "mask"}
        return [*flatten(entry.args), *flatten(kwargs)]

    def source(self, ref: TensorRef) -> Layer:
        """The layer of the original model that gives a tensor of it."""
        return self._model.layers[self._order[ref.layer]]

    def is_masked(self, layer: Layer) -> bool:
        """Whether a mask of time steps comes with the input of some call of a layer."""
        return id(layer) in self.findings.masked

    def feeds_only(self, layer: Layer, classes: frozenset[str]) -> bool:
        """Whether a layer is no output of the model and all that use it are of some classes."""
        return feeds_only(self._model.layers, self._outputs, layer.name, classes)

    def spills_state(self, layer: Layer) -> bool:
        """Whether TF.js would hand the initial state of a layer on to another RNN."""
        return id(layer) in self.findings.spilled

    def is_repeated(self, layer: Layer) -> bool:
        """Whether TF.js would run some call of a layer more than once."""
        return id(layer) in self.findings.repeated

    # What is said of it ----------------------------------------------------------------------

    def note(self, layer: Layer, what: str) -> None:
        """Record a rewrite, in words such as "Subtract as Add of the negated input"."""
        self.findings.rewrites.setdefault(what, []).append(self._path + layer.name)

    def warn(self, text: str) -> None:
        """Record what a user should know; once."""
        if text not in self.findings.warnings:
            self.findings.warnings.append(text)

    def refuse(self, layer: Layer, why: str) -> Apply:
        """Record that a layer cannot be expressed; the tensors pass through meanwhile."""
        self.findings.problems.append(f"{self._path}{layer.name} ({layer.class_name}): {why}")
        return self._nothing(layer)

    # What is built ---------------------------------------------------------------------------

    def express(self, layer: Layer, arriving: Sequence[TensorRef] = ()) -> Apply:
        """The layer in TF.js's terms, as something to apply to the tensors of each call.

        Args:
            layer: the layer.
            arriving: the built tensors of its first call.
        """
        if any(_trains(layer, index) for index in range(len(layer.calls))):
            self.warn(f"{self._path}{layer.name} {_TRAINS}")
        if layer.model is not None:
            calls = range(len(layer.calls))
            shapes = common_shapes([self.input_shapes(layer, call) for call in calls])
            path = f"{self._path}{layer.name}/"
            states = [self._flow.state(ref) for ref in arriving]
            inner = _legalize_model(layer.model, self.findings, shapes, path, states)
            return self.apply(self.new(inner.class_name, {}, name=layer.name, model=inner))
        if layer.name in self._mask_operations:
            return self._nothing(layer)
        spec = spec_of(layer)
        if spec is None:
            return self._custom(layer)
        return spec.legalize(layer, self)

    def keep(
        self,
        layer: Layer,
        config: Config | None = None,
        *,
        class_name: str | None = None,
        weights: Sequence[Weight] | None = None,
        children: Mapping[str, Layer] | None = None,
    ) -> Apply:
        """Keep the layer under its name, with some configuration keys changed.

        Keys that TF.js does not read must be at the default or inert; others are refused.

        Args:
            layer: the layer.
            config: keys to change; a value of `...` removes the key.
            class_name: another class that computes the same.
            weights: other weights.
            children: other wrapped layers.
        """
        kept = self.rewritten(
            layer, config, class_name=class_name, weights=weights, children=children
        )
        self._add(kept, self.current)
        return self.apply(kept)

    def rewritten(
        self,
        layer: Layer,
        config: Config | None = None,
        *,
        class_name: str | None = None,
        weights: Sequence[Weight] | None = None,
        children: Mapping[str, Layer] | None = None,
    ) -> Layer:
        """A layer as `keep` would have it, but wrapped by another: it is in no model itself."""
        merged = {**layer.config, **(config or {})}
        merged = {key: value for key, value in merged.items() if value is not ...}
        kept = Layer(
            class_name=class_name or layer.class_name,
            name=layer.name,
            config=merged,
            weights=list(layer.weights if weights is None else weights),
            children=dict(layer.children if children is None else children),
        )
        for problem in self._unread(kept):
            self.refuse(layer, problem)
        self._objects(kept)
        self._check_finite(kept)
        return kept

    def new(
        self,
        class_name: str,
        config: Config,
        *,
        suffix: str = "",
        name: str | None = None,
        weights: Sequence[Weight] = (),
        children: Mapping[str, Layer] | None = None,
        model: LayersModel | None = None,
    ) -> Layer:
        """A new layer beside the current one, named `<current>_<suffix>` unless `name` is given."""
        layer = Layer(
            class_name=class_name,
            name=name or self._unique(f"{self.current.name}_{suffix}"),
            config={"trainable": self.current.config.get("trainable", True), **config},
            weights=list(weights),
            children=dict(children or {}),
            model=model,
        )
        self._check_finite(layer)
        self._add(layer, self.current)
        return layer

    def apply(self, layer: Layer, outputs: int | None = None) -> Apply:
        """What calls a built layer with the tensors of a call."""
        count = outputs or self._tensors[self.current.name]

        def call(tensors: list[TensorRef]) -> list[TensorRef]:
            tensors = self._flow.prepare(layer, tensors, self)
            argument: Any = tensors[0] if len(tensors) == 1 else list(tensors)
            layer.calls.append(Call(args=(argument,) if tensors else ()))
            node = len(layer.calls) - 1
            results = [TensorRef(layer.name, node, tensor) for tensor in range(count)]
            self._flow.record(layer, tensors, results)
            return results

        return call

    def chain(self, *steps: Layer | Apply) -> Apply:
        """One after the other, each on the single output of the one before."""
        applies = [self.apply(step, 1) if isinstance(step, Layer) else step for step in steps]

        def call(tensors: list[TensorRef]) -> list[TensorRef]:
            for apply in applies:
                tensors = apply(tensors)
            return tensors

        return call

    def drop(self, layer: Layer, why: str) -> Apply:
        """Leave the layer out; where it ends the model, an identity keeps its name."""
        self.note(layer, why)
        if layer.name in self._outputs:
            return self.apply(self.new("Activation", {"activation": "linear"}, name=layer.name))
        return lambda tensors: tensors[:1]

    def child(self, layer: Layer, shape: Shape | None) -> Layer:
        """A wrapped layer in TF.js's terms: itself, or a model where it takes several layers."""
        entry = Layer(
            "InputLayer",
            f"{layer.name}_input",
            {"batch_shape": None if shape is None else list(shape), "dtype": "float32"},
            calls=[Call()],
        )
        calls = [Call(args=(TensorRef(entry.name),))]
        wrapped = Layer(
            layer.class_name,
            layer.name,
            layer.config,
            layer.weights,
            calls,
            layer.children,
            layer.model,
            layer.module,
            layer.registered_name,
        )
        single = LayersModel(
            f"{layer.name}_model",
            "Sequential",
            [entry, wrapped],
            TensorRef(entry.name),
            TensorRef(layer.name),
        )
        path = f"{self._path}{self.current.name}/"
        model = _legalize_model(single, self.findings, [shape], path)
        if len(model.layers) == 2:
            return model.layers[1]
        return Layer(model.class_name, model.name, model=model)

    def finish(self, values: Mapping[TensorRef, TensorRef]) -> LayersModel:
        """The model of what was built, in the source's order."""
        outputs = map_refs(self._model.outputs, self._distinct(values))
        layers = [layer for _, layer in sorted(self._made, key=lambda item: item[0]) if layer.calls]
        source = self._model
        model = LayersModel(
            name=source.name,
            class_name="Functional",
            layers=layers,
            inputs=map_refs(source.inputs, lambda ref: _built(values, ref)),
            outputs=outputs,
            trainable=source.trainable,
            training=source.training,
            metadata=source.metadata,
            producer=source.producer,
        )
        if source.class_name == "Sequential" and _is_chain(layers) and not _crops_unknown(model):
            model.class_name, model.layers = "Sequential", _in_chain_order(layers)
        return model

    def _distinct(self, values: Mapping[TensorRef, TensorRef]) -> Callable[[TensorRef], TensorRef]:
        """The built tensor of an output; TF.js throws when one tensor is two outputs."""
        seen: set[TensorRef] = set()

        def change(ref: TensorRef) -> TensorRef:
            built = _built(values, ref)
            if built in seen:
                self.current = self.source(ref)
                copy = self.new("Activation", {"activation": "linear"}, suffix="copy")
                built = self.apply(copy, 1)([built])[0]
            seen.add(built)
            return built

        return change

    # Details ---------------------------------------------------------------------------------

    def _add(self, layer: Layer, beside: Layer) -> None:
        self._names.add(layer.name)
        self._made.append((self._order[beside.name], layer))

    def _nothing(self, layer: Layer) -> Apply:
        """Stands for a layer whose outputs nobody uses: what goes in passes through."""
        # A wrapped layer is in no model itself: it stands for one tensor.
        count = self._tensors.get(layer.name, 1)
        return lambda tensors: [*(tensors[:1] or [TensorRef(layer.name)])] * count

    def _unique(self, name: str) -> str:
        candidate, count = name, 1
        while candidate in self._names:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    def _custom(self, layer: Layer) -> Apply:
        declared = find(layer.class_name) is not None
        if not declared and any(has_layer(dialect, layer.class_name) for dialect in KERAS):
            return self.refuse(layer, "TF.js has no such layer, and nothing that computes the same")
        if self.findings.custom_layers == "refuse":
            return self.refuse(
                layer,
                "is no Keras layer and its code is not in the file "
                "(--custom-layers keep passes it on by name to a page that registers it)",
            )
        if "_" in layer.class_name:
            return self.refuse(
                layer, "TF.js never finds a class with an underscore in its name: rename it"
            )
        self.warn(
            f"the page must register the class {layer.class_name} with "
            "tf.serialization.registerClass before it loads the model"
        )
        kept = Layer(
            layer.class_name,
            layer.name,
            dict(layer.config),
            list(layer.weights),
            children=dict(layer.children),
            registered_name=layer.registered_name or layer.class_name,
        )
        self._check_finite(kept)
        self._add(kept, layer)
        return self.apply(kept)

    def _check_finite(self, layer: Layer) -> None:
        """Leave out or refuse what Python's JSON can say and a browser's cannot."""
        for key, value in layer.config.items():
            place = first_not_finite({key: value})
            if place is None:
                continue
            if objects.kind_of(key) in ("initializers", "regularizers", "constraints"):
                layer.config[key] = None
                self.note(layer, f"{key} dropped: it is infinite or NaN, which JSON has not")
            else:
                self.refuse(
                    self.current, f"its {place} is infinite or NaN, which a model.json cannot say"
                )

    def _unread(self, layer: Layer) -> list[str]:
        """Keys with a meaning that TF.js does not read."""
        spec = spec_of(layer) or LayerSpec()
        read = set(layer_keys("tfjs", layer.class_name)) | INERT | spec.inert
        return [
            f"TF.js has no {key}={value!r}"
            for key, value in layer.config.items()
            if spec.keras2_keys.get(key, key) not in read
            and key not in read
            and objects.kind_of(key) not in ("initializers", "regularizers", "constraints")
            and not says_nothing(layer.class_name, key, value)
        ]

    def _objects(self, layer: Layer) -> None:
        """Regularizers and constraints as TF.js can have them; they play no part in inference."""
        for key, value in layer.config.items():
            if value is None:
                continue
            kind = objects.kind_of(key)
            if kind == "constraints":
                layer.config[key] = None
                self.note(layer, "constraint dropped, since TF.js would apply it when loading")
            elif key == "activity_regularizer":
                layer.config[key] = None
                self.note(layer, "activity regularizer dropped, it acts in training only")
            elif kind == "regularizers" and objects.for_tfjs(value, key) is None:
                layer.config[key] = None
                self.note(layer, f"regularizer {value['class_name']} dropped, TF.js lacks it")
            elif kind == "regularizers" and value["class_name"] != "L1L2":
                self.note(layer, f"regularizer {value['class_name']} written as L1L2")


def _is_chain(layers: Sequence[Layer]) -> bool:
    # An input that was refused is not there.
    if sum(not layer.calls[0].args for layer in layers) != 1:
        return False
    used: dict[TensorRef, int] = {}
    for layer in layers:
        if len(layer.calls) != 1 or len(layer.calls[0].inputs()) > 1:
            return False
        for ref in layer.calls[0].inputs():
            used[ref] = used.get(ref, 0) + 1
    return all(count == 1 and ref.tensor == 0 for ref, count in used.items())


def _crops_unknown(model: LayersModel) -> bool:
    """Whether TF.js's Cropping2D makes sizes below 0 of unknown ones, which Sequential refuses."""
    crops = [layer for layer in model.layers if layer.class_name == "Cropping2D"]
    shapes = infer_shapes(model) if crops else {}
    return any(None in (shapes.get(TensorRef(crop.name)) or (None, None))[1:] for crop in crops)


def _in_chain_order(layers: Sequence[Layer]) -> list[Layer]:
    after = {layer.calls[0].inputs()[0].layer: layer for layer in layers if layer.calls[0].args}
    ordered = [next(layer for layer in layers if not layer.calls[0].args)]
    while ordered[-1].name in after:
        ordered.append(after[ordered[-1].name])
    return ordered
