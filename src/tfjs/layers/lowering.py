"""A model of layers as a graph in TensorFlow's operations.

What a layer computes stands in its own declaration (`LayerSpec.lower`); here is what they build
with, and what holds for all of them. The graph computes what Keras computes in inference: what
TF.js lacks or takes otherwise is the matter of `passes/legal`.

Weights are variables (`VarHandleOp` and `ReadVariableOp`), so that a SavedModel can hold them; for
TF.js they are frozen. Whatever the policy of a layer, numbers are float32, as in TF.js.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.ir.graph import Dims, FuncRef, Graph, GraphModel, Node, Signature, Type, Value
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
from tfjs.ir.tensor import Array, DerivedTensor, Tensor
from tfjs.layers.base import CannotLower, LayerSpec, UnknownShape, find
from tfjs.layers.ports import inputs_of, names_of
from tfjs.layers.registry import spec_of
from tfjs.layers.structure import ordered_calls
from tfjs.ops.build import Builder
from tfjs.ops.definitions import definition

# Of a layer that cannot be lowered: more than any gives.
_MOST_OUTPUTS = 8
_FLOATS = frozenset({"float16", "bfloat16", "float64"})


def lower(model: LayersModel) -> GraphModel:
    """The graph of a model.

    Args:
        model: the model as it was read; it is not changed.

    Raises:
        UnsupportedError: some layers cannot be expressed; all of them are listed.
        CorruptFileError: arguments or weights of a layer make no sense.
    """
    graph = Graph()
    names = names_of(model.inputs)
    outputs = names_of(model.outputs)
    result = GraphModel(graph, Signature(names, outputs))
    result.producer = model.producer
    result.metadata = dict(model.metadata or {})
    state = _State(result)
    fed = []
    ports = zip(flatten(model.inputs), names, inputs_of(model), strict=True)
    for ref, name, (_, dtype, shape) in ports:
        type_ = Type("float32" if dtype in _FLOATS else dtype, shape)
        attrs = {"dtype": type_.dtype, "shape": Dims(type_.shape)}
        node = graph.add("Placeholder", [], attrs, [type_], name=name, origin=[ref.layer])
        graph.inputs.append(node)
        fed.append(node.output)
    graph.outputs = _lower_model(model, fed, state, "")
    graph.output_names = list(outputs)
    if state.problems:
        count = len(state.problems)
        raise UnsupportedError(
            f"{count} layer{'s' if count > 1 else ''} cannot be expressed as a graph",
            problems=state.problems,
        )
    return result


class _State:
    """What all layers of a model share while it is lowered."""

    def __init__(self, model: GraphModel) -> None:
        self.model = model
        self.problems: list[str] = []
        self.stand_ins: set[Node] = set()
        self.masks: dict[Value, Value | None] = {}
        # By id() of the Weight, which is kept for its id: shared layers share their variables.
        self.variables: dict[int, tuple[Weight, Value]] = {}
        # By id() of the weights of a layer, kept for their id: those of what stands in its place.
        self.stand_for: dict[int, tuple[list[Weight], list[Weight]]] = {}
        # Sizes that only a run tells, by the graph that looks at them.
        self.sizes: dict[tuple[str, Value, int], Value] = {}


def _lower_model(model: LayersModel, fed: Sequence[Value], state: _State, path: str) -> list[Value]:
    inputs = flatten(model.inputs)
    if len(inputs) != len(fed):
        raise CorruptFileError(
            f"takes {len(inputs)} tensors and is called with {len(fed)}",
            where=f"model {model.name!r}",
        )
    values: dict[TensorRef, Value] = dict(zip(inputs, fed, strict=True))
    for layer, index in ordered_calls(model):
        call = layer.calls[index]
        if TensorRef(layer.name, index) in values and layer.class_name == "InputLayer":
            continue
        missing = [ref for ref in call.inputs() if ref not in values]
        if missing:
            raise CorruptFileError(
                f"refers to output {missing[0].tensor} of layer {missing[0].layer!r}, which has "
                "fewer",
                where=f"layer {layer.name!r}",
            )
        given = Call(
            tuple(map_refs(item, values.__getitem__) for item in call.args),
            {key: map_refs(item, values.__getitem__) for key, item in call.kwargs.items()},
        )
        made = Lowering(state, layer, f"{path}{layer.name}", given, state.model.graph).run()
        for tensor, value in enumerate(made):
            values[TensorRef(layer.name, index, tensor)] = value
    return [values[ref] for ref in flatten(model.outputs)]


class Lowering(Builder):
    """What the declaration of a layer builds one call of it with.

    Attributes:
        layer: the layer.
        call: its arguments; `Value`s stand where tensors go in.
        inputs: the tensors among the arguments in order, those of masks not among them.
        config: the configuration of the layer.
    """

    def __init__(self, state: _State, layer: Layer, path: str, call: Call, graph: Graph) -> None:
        super().__init__(graph, path, [path])
        self._state = state
        self.layer = layer
        self.call = call
        self.config: Config = layer.config
        kwargs = {key: item for key, item in call.kwargs.items() if key != "mask"}
        self.inputs: list[Value] = _values([*call.args, *kwargs.values()])

    def run(self) -> list[Value]:
        """The outputs of the call; those of a layer that cannot be lowered are placeholders."""
        if self.layer.model is not None:
            return _lower_model(self.layer.model, self.inputs, self._state, f"{self.name}/")
        spec = spec_of(self.layer)
        try:
            if spec is None:
                raise CannotLower("is no Keras layer, and its code is not in the file")
            with np.errstate(all="ignore"):
                made = spec.lower(self.layer, self)
        except CannotLower as refusal:
            # What follows from a layer that is told already is no problem of its own.
            follows = isinstance(refusal, UnknownShape) and self._reads_stand_in()
            where = f"{self.name} ({self.layer.class_name})"
            if not follows and not any(line.startswith(where) for line in self._state.problems):
                self._state.problems.append(f"{where}: {refusal}")
            return self._stand_ins(spec)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if self._reads_stand_in():
                # It is for what stands in for a layer that cannot be lowered.
                return self._stand_ins(spec)
            raise CorruptFileError(
                f"the layer {self.name!r} ({self.layer.class_name}) has a configuration or "
                f"arguments that make no sense: {error}"
            ) from error
        if spec.supports_masking and made and made[0] not in self._state.masks:
            mask = self.mask()
            if mask is not None:
                self._state.masks[made[0]] = mask
        return made

    def _reads_stand_in(self) -> bool:
        return any(value.node in self._state.stand_ins for value in self.inputs)

    def _stand_ins(self, spec: LayerSpec | None) -> list[Value]:
        # Nothing is written once a problem is found: they only let the others be looked at.
        known = [] if spec is None else spec.infer(self.layer, [each.shape for each in self.inputs])
        dtype = self.inputs[0].dtype if self.inputs else "float32"
        made = []
        for shape in [*known, *[None] * _MOST_OUTPUTS][:_MOST_OUTPUTS]:
            node = self.graph.add("Placeholder", [], {}, [Type(dtype, shape)], name=self.name)
            if shape is None or self._reads_stand_in():
                self._state.stand_ins.add(node)
            made.append(node.output)
        return made

    # What the layer has -----------------------------------------------------------------------

    def weight(self, name: str) -> Value:
        """A weight of the layer by Keras's name; float32 where it is a number of any precision.

        Raises:
            CorruptFileError: the layer has no such weight.
        """
        found = next((entry for entry in self.layer.weights if entry.name == name), None)
        if found is None:
            raise CorruptFileError(f"has no weight {name!r}", where=f"layer {self.name!r}")
        made = self._state.variables.get(id(found))
        tensor = _single(found.tensor)
        type_ = Type(tensor.dtype, tensor.shape)
        main = self._state.model.graph
        if made is not None:
            handle = made[1]
        else:
            full = f"{self.name}/{name}"
            attrs = {"dtype": type_.dtype, "shape": Dims(type_.shape), "shared_name": full.encode()}
            node = main.add("VarHandleOp", [], attrs, [Type("resource", ())], name=full)
            handle = node.output
            self._state.variables[id(found)] = (found, handle)
            self._state.model.variables[node.name] = tensor
        name = f"{handle.node.name}/Read"
        attrs = {"dtype": type_.dtype}
        return main.add("ReadVariableOp", [handle], attrs, [type_], name=name).output

    @property
    def keras3(self) -> bool:
        """Whether Keras 3 wrote the model, where it computes otherwise than Keras 2 and TF.js."""
        return str(self._state.model.producer).startswith("keras 3")

    def has_weight(self, name: str) -> bool:
        """Whether the layer has a weight of that name."""
        return any(entry.name == name for entry in self.layer.weights)

    def argument(self, name: str, place: int, default: Any = None) -> Any:
        """An argument of the call: a `Value`, a constant, or a structure of them."""
        if len(self.call.args) > place:
            return self.call.args[place]
        return self.call.kwargs.get(name, default)

    def mask(self, index: int = 0) -> Value | None:
        """The mask of time steps that comes with the call: the one told, or the input's own."""
        told = self.call.kwargs.get("mask")
        if told is not None:
            masks = told if isinstance(told, list | tuple) else [told]
            return masks[index] if index < len(masks) else None
        return self.mask_of(self.inputs[index]) if index < len(self.inputs) else None

    def mask_of(self, value: Value) -> Value | None:
        """The mask that layers have put on a tensor."""
        return self._state.masks.get(value)

    def set_mask(self, value: Value, mask: Value | None) -> None:
        """Put a mask, [batch, steps] of bool, on a tensor; None keeps the input's off it."""
        self._state.masks[value] = mask

    def note(self, text: str) -> None:
        """Tell the user something of the layer; once, however often it is called."""
        line = f"{self.name}: {text}"
        if line not in self._state.model.notes:
            self._state.model.notes.append(line)

    def child(self, layer: Layer, *inputs: Value, call: Call | None = None) -> list[Value]:
        """What a wrapped layer (one of `layer.children`) gives for some tensors.

        Args:
            layer: the wrapped layer.
            inputs: its only arguments, where `call` is None.
            call: its arguments, with `Value`s in them.
        """
        return self.of(layer, call or Call(inputs)).run()

    def of(self, layer: Layer, call: Call) -> Lowering:
        """What builds one call of a wrapped layer, which it does not run; see `child`."""
        attribute = next((key for key, own in self.layer.children.items() if own is layer), None)
        path = f"{self.name}/{attribute or layer.name}"
        return Lowering(self._state, layer, path, call, self.graph)

    def in_place(self, other: Layer) -> Lowering:
        """What builds this call with a layer that computes the same from weights of its own.

        All calls of the layer share those that the first has made.
        """
        own = self.layer.weights
        _, weights = self._state.stand_for.setdefault(id(own), (own, other.weights))
        return self.of(replace(other, weights=weights), self.call)

    def within(self, graph: Graph) -> Lowering:
        """The same layer, building in the body of a function."""
        return Lowering(self._state, self.layer, self.name, self.call, graph)

    # What is built ----------------------------------------------------------------------------

    def ops(
        self,
        op: str,
        *inputs: Value | npt.ArrayLike,
        attrs: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> list[Value]:
        """As `Builder.ops`; attributes that tell dtypes and numbers of inputs need not be given."""
        like = next((value.dtype for value in inputs if isinstance(value, Value)), None)
        values = [self._value(item, like) for item in inputs]
        told = definition(op)
        found = dict(attrs or {})
        if told is not None:
            found = told.attrs_of([value.dtype for value in values], found)
            found = {**told.defaults, **found}
        return super().ops(op, *values, attrs=found, name=name)

    def floats(self, value: Value) -> Value:
        """A tensor as float32, as Keras takes whole numbers and booleans in computations."""
        return self.cast(value, "float32")

    def activate(self, value: Value, activation: Any) -> Value:
        """An activation, as a configuration has it: a name, an object, or None for none."""
        if activation in (None, "linear"):
            return value
        if isinstance(activation, dict):
            config = dict(activation.get("config") or {})
            layer = Layer(str(activation.get("class_name")), self.layer.name, config)
        else:
            layer = Layer("Activation", self.layer.name, {"activation": activation})
        spec = find(layer.class_name)
        if spec is None:
            raise CannotLower(f"has the activation {layer.class_name!r}, which is not Keras's")
        inner = Lowering(self._state, layer, self.name, Call((value,)), self.graph)
        return spec.lower(layer, inner)[0]

    def loop(
        self,
        steps: int | Value,
        state: Sequence[Value],
        body: Callable[[Lowering, Value, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """A While loop over `0 .. steps - 1`.

        Args:
            steps: how many steps; an int32 scalar where only the run tells.
            state: what the first step gets.
            body: given what builds in the body, the number of the step and the state, gives the
                next state. It may read values of this graph, which go in as they are.

        Returns:
            The state after the last step.
        """
        count = steps if isinstance(steps, Value) else self.constant(np.array(steps, np.int32))
        given = [self.constant(np.array(0, np.int32)), count, *state]
        cond, run = self._function("cond", given), self._function("body", given)
        inner = self.within(cond)
        cond.outputs = [inner.op("Less", cond.inputs[0].output, cond.inputs[1].output)]
        cond.output_names = ["verdict"]
        inner = self.within(run)
        step, most, *values = (node.output for node in run.inputs)
        made = list(body(inner, step, values))
        run.outputs = [inner.op("AddV2", step, np.array(1, np.int32)), most, *made]
        # What changes its shape from step to step has none that is known.
        for index, (before, after) in enumerate(zip(given, run.outputs, strict=True)):
            if before.shape != after.shape:
                run.inputs[index].output.shape = None
        for value in _outer(run):
            given.append(value)
            self._parameter(cond, value)
            own = self._parameter(run, value).output
            _let_read(run, value, own)
            run.outputs.append(own)
        run.output_names = [f"output_{index}" for index in range(len(run.outputs))]
        types = [value.type for value in run.outputs]
        attrs = {
            "T": [value.dtype for value in given],
            "output_shapes": [Dims(type_.shape) for type_ in types],
            "cond": FuncRef(cond.name),
            "body": FuncRef(run.name),
            "parallel_iterations": 1,
        }
        node = self.graph.add(
            "StatelessWhile", given, attrs, types, name=f"{self.name}/while", origin=self.origin
        )
        return node.outputs[2 : 2 + len(state)]

    def _function(self, what: str, given: Sequence[Value]) -> Graph:
        functions = self._state.model.functions
        name = first = f"{self.name}/{what}".replace("/", "_")
        count = 0
        while name in functions:
            count += 1
            name = f"{first}_{count}"
        graph = functions[name] = Graph(name)
        for value in given:
            self._parameter(graph, value)
        return graph

    @staticmethod
    def _parameter(graph: Graph, value: Value) -> Node:
        attrs = {"dtype": value.dtype, "shape": Dims(value.shape)}
        name = f"input_{len(graph.inputs)}"
        node = graph.add("Placeholder", [], attrs, [value.type], name=name)
        graph.inputs.append(node)
        return node

    def table(self, keys: Array, values: Array, default: Any) -> Callable[[Value], Value]:
        """A hash table that is filled before the first run.

        Args:
            keys: what is looked up, all different: int32 or text.
            values: what is found for each.
            default: what is found for all others.

        Returns:
            What looks the elements of a tensor up.
        """
        model = self._state.model
        if model.initializer is None:
            model.initializer = Graph("initializer")
        first = model.initializer
        dtypes = ["string" if item.dtype == object else item.dtype.name for item in (keys, values)]
        attrs: dict[str, Any] = {"key_dtype": dtypes[0], "value_dtype": dtypes[1], "container": b""}
        attrs |= {"shared_name": f"{self.name}/table".encode(), "use_node_name_sharing": False}
        handle = model.graph.add(
            "HashTableV2", [], attrs, [Type("resource", ())], name=f"{self.name}/table"
        )
        name = handle.name
        twin = first.add("HashTableV2", [], attrs, [Type("resource", ())], name=name)
        given = [twin.output, first.constant(keys, name=f"{name}/keys")]
        given.append(first.constant(values, name=f"{name}/values"))
        told = {"Tin": dtypes[0], "Tout": dtypes[1]}
        first.targets.append(
            first.add("LookupTableImportV2", given, told, [], name=f"{name}/import")
        )
        missing = self.constant(np.asarray(default, values.dtype))

        def look_up(value: Value) -> Value:
            node = self.graph.add(
                "LookupTableFindV2",
                [handle.output, value, missing],
                told,
                [Type(dtypes[1], value.shape)],
                name=f"{self.name}/LookupTableFindV2",
                origin=self.origin,
            )
            return node.output

        return look_up

    # Shapes -----------------------------------------------------------------------------------

    def shape(self, value: Value) -> tuple[int | None, ...]:
        """The sizes of a tensor, None where free.

        Raises:
            CannotLower: its rank is unknown.
        """
        if value.shape is None:
            raise UnknownShape("the number of axes of its input is unknown")
        return value.shape

    def fixed(self, value: Value, axis: int) -> int:
        """The size of an axis; raises CannotLower where it is not known before the model runs."""
        size = self.shape(value)[axis]
        if size is None:
            raise UnknownShape(f"the size of axis {axis} of its input is unknown")
        return size

    def rank(self, value: Value) -> int:
        """The number of axes of a tensor; raises CannotLower where unknown."""
        return len(self.shape(value))

    def size(self, value: Value, axis: int) -> int | Value:
        """The size of an axis: a number, or an int32 scalar where it is free."""
        sizes = self.shape(value)
        found = sizes[axis]
        if found is not None:
            return found
        key = (self.graph.name, value, axis % len(sizes))
        if key not in self._state.sizes:
            whole = self.op("Shape", value, attrs={"out_type": "int32"})
            start, one = np.array([axis % len(sizes)], np.int32), np.array([1], np.int32)
            attrs = {"shrink_axis_mask": 1}
            size = self.op("StridedSlice", whole, start, start + one, one, attrs=attrs)
            self._state.sizes[key] = size
        return self._state.sizes[key]

    def sizes(self, items: Sequence[int | Value]) -> Value:
        """An int32 vector of sizes, some of which may be known only when the graph runs."""
        if not any(isinstance(item, Value) for item in items):
            return self.constant(np.array(items, np.int32))
        packed = [item if isinstance(item, Value) else np.array(item, np.int32) for item in items]
        return self.op("Pack", *packed, attrs={"axis": 0})

    def reshaped(self, value: Value, items: Sequence[int | Value]) -> Value:
        """A tensor in another shape; one size may be -1, others known only at run time."""
        return self.op("Reshape", value, self.sizes(items))


def _values(structure: Any) -> list[Value]:
    if isinstance(structure, Value):
        return [structure]
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, list | tuple):
        return [value for item in structure for value in _values(item)]
    return []


def _outer(body: Graph) -> list[Value]:
    """The values of other graphs that the body of a function reads, each once."""
    read = [value for node in body.nodes.values() for value in node.inputs]
    values = dict.fromkeys([*read, *body.outputs])
    return [value for value in values if body.nodes.get(value.node.name) is not value.node]


def _let_read(body: Graph, outer: Value, own: Value) -> None:
    for node, index in list(outer.uses):
        if body.nodes.get(node.name) is node:
            body.set_input(node, index, own)
    body.outputs = [own if value is outer else value for value in body.outputs]


def _single(tensor: Tensor) -> Tensor:
    """Numbers of another precision as float32."""
    if tensor.dtype not in _FLOATS:
        return tensor
    return DerivedTensor(
        "float32", tensor.shape, lambda: np.asarray(tensor.array(), dtype=np.float32)
    )
