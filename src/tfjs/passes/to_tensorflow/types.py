"""Attributes and dtypes become those that TensorFlow's signatures ask for.

TF.js has no integers of 64 bits and looks at few attributes, so that its graphs lack some, have
others that do not fit, and read int32 where TensorFlow gives int64. What a node gives in TF.js's
dtype it gives here too: where TensorFlow gives another, or wants another, a Cast stands between.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Type, Value, held
from tfjs.ops.build import Builder
from tfjs.ops.definitions import Argument, Definition, definition
from tfjs.passes.fold import infer
from tfjs.passes.rules import CannotExpress, Problem

# What TF.js computes with where dtypes differ: the later one.
_WIDER = ("bool", "int32", "float32", "complex64")
_LOOPS = frozenset({"While", "StatelessWhile"})
_CHOICES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
_RUNS = _LOOPS | _CHOICES | {"PartitionedCall", "StatefulPartitionedCall"}


def settle_types(model: GraphModel, graph: Graph, *, skip_op_check: bool) -> list[Problem]:
    """Settle the types of one graph; those of the functions that it runs are settled.

    Returns:
        The nodes that TensorFlow does not have, or that lack what only their source could tell.
    """
    problems = []
    inputs = set(graph.inputs)
    for node in graph.ordered():
        known = definition(node.op)
        try:
            if known is None:
                if skip_op_check:
                    continue
                raise CannotExpress("TensorFlow has no such operation")
            if node in inputs:
                _settle_input(node)
            else:
                _Settling(model, graph, node, known).settle()
        except CannotExpress as refusal:
            place = f"{graph.name}/{node.name}" if graph.name else node.name
            problems.append(Problem(node.op, place, refusal.reason, refusal.advice))
    return problems


def _settle_input(node: Node) -> None:
    value = node.output
    if value.dtype is None:
        raise CannotExpress("an input of unknown dtype")
    told = node.attrs.get("shape")
    shape = told if isinstance(told, Dims) else Dims(value.shape)
    node.op, node.attrs = "Placeholder", {"dtype": value.dtype, "shape": shape}


class _Settling:
    """Settles one node."""

    def __init__(self, model: GraphModel, graph: Graph, node: Node, known: Definition) -> None:
        self._model = model
        self._graph = graph
        self._node = node
        self._known = known
        self._build = Builder(graph, node.name, node.origin)

    def settle(self) -> None:
        node = self._node
        self._drop_foreign()
        if node.op in _RUNS:
            self._fit_functions()
        self._settle_inputs()
        self._check_complete()
        self._settle_outputs()

    def _drop_foreign(self) -> None:
        """TensorFlow refuses attributes that an operation does not have."""
        node = self._node
        kinds = self._known.attr_types
        node.attrs = {name: value for name, value in node.attrs.items() if name in kinds}

    # Inputs ----------------------------------------------------------------------------------

    def _settle_inputs(self) -> None:
        node, attrs = self._node, self._node.attrs
        bound: dict[str, list[int]] = {}
        for argument, places in self._arguments():
            if argument.number_attr is not None:
                attrs[argument.number_attr] = len(places)
            if argument.dtypes_attr is not None:
                attrs[argument.dtypes_attr] = self._listed(argument.dtypes_attr, places)
            elif argument.dtype_attr is not None:
                bound.setdefault(argument.dtype_attr, []).extend(places)
            elif argument.dtype is not None:
                for place in places:
                    self._cast(place, argument.dtype)
        for name, alike in bound.items():
            dtype = self._common(name, alike)
            if dtype is not None:
                attrs[name] = dtype
                for place in alike:
                    self._cast(place, dtype)
        if node.op == "Const":
            attrs["dtype"] = attrs.get("dtype") or node.output.dtype

    def _arguments(self) -> Iterator[tuple[Argument, range]]:
        """The arguments with the indices of their values."""
        start, arguments = 0, self._known.inputs
        for index, argument in enumerate(arguments):
            count = self._count(argument, len(arguments) - index - 1, start)
            yield argument, range(start, start + count)
            start += count
        if start != len(self._node.inputs):
            raise CannotExpress(f"has {len(self._node.inputs)} inputs, it takes {start}")

    def _count(self, argument: Argument, behind: int, start: int) -> int:
        """How many values an argument has: as told, else all but what those behind it take."""
        if argument.number_attr is None and argument.dtypes_attr is None:
            return 1 if start < len(self._node.inputs) else 0
        told = self._node.attrs.get(argument.number_attr or argument.dtypes_attr or "")
        variadic = [item for item in self._known.inputs if item.number_attr or item.dtypes_attr]
        if len(variadic) > 1 and isinstance(told, int | list):
            return told if isinstance(told, int) else len(told)
        if len(variadic) > 1:
            raise CannotExpress("nothing tells how many inputs each argument has")
        return max(0, len(self._node.inputs) - behind - start)

    def _listed(self, name: str, places: range) -> list[str | None]:
        told = self._node.attrs.get(name)
        known = told if isinstance(told, list) and len(told) == len(places) else None
        found = [self._node.inputs[place].dtype for place in places]
        if None in found and known is not None:
            return [own or other for own, other in zip(found, known, strict=True)]
        if None in found:
            raise CannotExpress("reads a value of unknown dtype")
        return found

    def _common(self, name: str, places: list[int]) -> str | None:
        """The dtype of inputs that must be alike; None where nothing is known of them."""
        found = {self._node.inputs[place].dtype for place in places} - {None}
        if len(found) < 2:
            return next(iter(found), None)
        if not found <= set(_WIDER):
            dtypes = ", ".join(sorted(map(str, found)))
            raise CannotExpress(f"reads values of different dtypes as its {name}: {dtypes}")
        return max(map(str, found), key=_WIDER.index)

    def _cast(self, place: int, dtype: str) -> None:
        value = self._node.inputs[place]
        if value.dtype not in (dtype, None):
            made = self._converted(value, dtype)
            self._graph.set_input(self._node, place, made)

    def _converted(self, value: Value, dtype: str) -> Value:
        made = _converted(self._build, value, dtype)
        if made is None:
            raise CannotExpress(f"takes {dtype}, but {value.name!r} gives {value.dtype}")
        return made

    # Functions -------------------------------------------------------------------------------

    def _fit_functions(self) -> None:
        """Hand functions what they take, and let them all give what the node gives."""
        node = self._node
        bodies = [self._model.functions[reference.name] for reference in held(node)]
        offset = 1 if node.op in _CHOICES else 0
        for place, parameter in enumerate(bodies[0].inputs if bodies else ()):
            if parameter.output.dtype is not None and place + offset < len(node.inputs):
                self._cast(place + offset, parameter.output.dtype)
        if node.op in _LOOPS:
            body = self._model.functions[node.attrs["body"].name]
            wanted = [parameter.output.dtype for parameter in body.inputs]
            bodies = [body]
        else:
            wanted = [value.dtype for value in bodies[0].outputs] if bodies else []
            node.attrs["Tout"] = wanted
        for body in bodies:
            _give(body, wanted)

    # Outputs ---------------------------------------------------------------------------------

    def _check_complete(self) -> None:
        attrs, known = self._node.attrs, self._known
        for name in known.attr_types:
            if attrs.get(name) is None and name in known.defaults:
                attrs[name] = known.defaults[name]
        lacking = [name for name in known.attr_types if attrs.get(name) is None]
        if lacking:
            raise CannotExpress(f"has no attribute {lacking[0]!r}")

    def _settle_outputs(self) -> None:
        node = self._node
        outputs = [
            (argument, dtype)
            for argument in self._known.outputs
            for dtype in argument.dtypes(node.attrs)
        ]
        for index in range(len(node.outputs), len(outputs)):
            # An operation that the reader did not know has only those that something reads.
            node.outputs.append(Value(node, index, Type(None)))
        casts = []
        for value, (argument, dtype) in zip(node.outputs, outputs, strict=False):
            told, value.dtype = value.dtype, dtype
            if argument.dtype is not None and told not in (None, dtype):
                casts.append((value, told))
        infer(node)
        for value, told in casts:
            if value.uses or self._graph.is_output(value):
                self._graph.replace(value, self._converted(value, told))


def _give(body: Graph, wanted: list[str | None]) -> None:
    """Let a body give values of some dtypes."""
    for index, (value, dtype) in enumerate(zip(body.outputs, wanted, strict=True)):
        if value.dtype is None or dtype is None or value.dtype == dtype:
            continue
        build = Builder(body, value.node.name, value.node.origin)
        made = _converted(build, value, dtype)
        if made is None:
            raise CannotExpress(f"its functions give {value.dtype} and {dtype} in one place")
        body.outputs[index] = made


def _converted(build: Builder, value: Value, dtype: str) -> Value | None:
    """A value in another dtype; None where it cannot be had."""
    if dtype == "string" and value.node.op == "Const" and value.dtype != "string":
        # TF.js looks at no dtypes here, and any number will do where no text is yet.
        texts = np.empty(value.node.attrs["value"].shape, object)
        texts[...] = b""
        return build.constant(texts)
    if {value.dtype, dtype} & {"string", "resource", "variant"}:
        return None
    return build.cast(value, dtype)
