"""TensorFlow's answer for a function, against TF.js's for what it is converted to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.protocol import TfjsHost
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.formats.base import WriteOptions
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel, Signature, Type
from tfjs.passes.pipeline import Outcome, legalize
from tfjs.wire.protobuf import parse

Array = npt.NDArray[Any]
BACKENDS = ("cpu", "wasm")


class Converted:
    """A function of TensorFlow as a TF.js graph model.

    Args:
        tf: the module.
        function: of tensors; it gives a tensor or several.
        specs: for each input an array, whose shape it then has, or a `tf.TensorSpec`.

    Attributes:
        model: the converted graph.
        outcome: what became of it.
        ops: how many nodes of each operation there are.
    """

    def __init__(self, tf: ModuleType, function: Callable[..., Any], specs: Sequence[Any]) -> None:
        self._tf = tf
        specs = [
            tf.TensorSpec(item.shape, tf.as_dtype(item.dtype if item.dtype != object else "string"))
            if isinstance(item, np.ndarray)
            else item
            for item in specs
        ]
        concrete = tf.function(
            function, input_signature=specs, autograph=False
        ).get_concrete_function()
        self.concrete = concrete
        proto = parse("tensorflow.GraphDef", concrete.graph.as_graph_def().SerializeToString(), "")
        reader = GraphReader(proto, [], "test")
        graph = reader.graph([tensor.name for tensor in concrete.outputs])
        _with_inputs(graph, concrete)
        names = [node.name for node in graph.inputs]
        outputs = [f"out{index}" for index in range(len(graph.outputs))]
        graph.output_names = outputs
        signature = Signature(names, outputs)
        self.model = GraphModel(graph, signature, reader.functions([graph]))
        self.outcome: Outcome = legalize(self.model)
        self.ops: dict[str, int] = {}
        for node in graph.nodes.values():
            self.ops[node.op] = self.ops.get(node.op, 0) + 1

    def tensorflow(self, *inputs: Array) -> list[Array]:
        """TensorFlow's answer, in TF.js's dtypes."""
        answer = self.concrete(*[self._tf.constant(item) for item in inputs])
        found = self._tf.nest.flatten(answer)
        return [_narrow(np.asarray(item.numpy())) for item in found]

    def tfjs(
        self, runtime: TfjsHost, *inputs: Array, backend: str = "cpu", dynamic: bool = False
    ) -> list[Array]:
        """The answer of the real TF.js."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            write(self.model, path, WriteOptions())
            method = "executeAsync" if dynamic else "predict"
            fed = [_narrow(item) for item in inputs]
            return runtime.predict_graph(path, fed, backend=backend, method=method)


def _with_inputs(graph: Graph, concrete: Any) -> None:
    by_name = {node.name: node for node in graph.inputs}
    graph.inputs = []
    for tensor in concrete.inputs:
        name = tensor.op.name
        node = by_name.get(name)
        if node is None:
            shape = tuple(tensor.shape) if tensor.shape.rank is not None else None
            attrs = {"dtype": tensor.dtype.name, "shape": Dims(shape)}
            type_ = Type(tensor.dtype.name, shape)
            node = graph.add("Placeholder", [], attrs, [type_], name=name)
        graph.inputs.append(node)


def _narrow(array: Array) -> Array:
    kinds = {"f": np.float32, "i": np.int32, "u": np.int32, "c": np.complex64, "S": object}
    kind = kinds.get(array.dtype.kind)
    return array if kind is None else array.astype(kind)


def check(
    tf: ModuleType,
    runtime: TfjsRuntime,
    function: Callable[..., Any],
    *inputs: Array,
    specs: Sequence[Any] | None = None,
    oracle: Callable[..., Any] | None = None,
    backends: Sequence[str] = BACKENDS,
    dynamic: bool = False,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Converted:
    """Assert that TF.js answers as TensorFlow does.

    Args:
        tf: the module.
        runtime: the real TF.js.
        function: of tensors.
        inputs: what it is called with.
        specs: what it is traced with; the shapes of the inputs where None.
        oracle: gives the answer in another way, where TensorFlow's CPU has no kernel.
        backends: where it is run.
        dynamic: whether it takes `executeAsync`.
        rtol: as `numpy.testing.assert_allclose` takes it; 0 asks for the same bits.
        atol: the same.
    """
    converted = Converted(tf, function, inputs if specs is None else specs)
    if oracle is None:
        wanted = converted.tensorflow(*inputs)
    else:
        found = tf.nest.flatten(oracle(*[tf.constant(item) for item in inputs]))
        wanted = [_narrow(np.asarray(item)) for item in found]
    for backend in backends:
        answers = converted.tfjs(runtime, *inputs, backend=backend, dynamic=dynamic)
        assert len(answers) == len(wanted)
        for ours, theirs in zip(answers, wanted, strict=True):
            assert ours.shape == theirs.shape, (backend, ours.shape, theirs.shape)
            assert ours.dtype == theirs.dtype, (backend, ours.dtype, theirs.dtype)
            if theirs.dtype == object:
                assert ours.tolist() == theirs.tolist()
                continue
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=backend)
    return converted


class Case:
    """A function of TensorFlow with inputs, for a table of tests.

    Args:
        function: gets the module and the tensors.
        inputs: what it is called with.
        rule: the name of a rule that must have been applied; None where none is asked for.
        free: shapes for the tracing, in place of those of the inputs.
        options: for `check`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *inputs: npt.ArrayLike,
        rule: str | None = None,
        free: Sequence[Sequence[int | None]] | None = None,
        **options: Any,
    ) -> None:
        self.function = function
        self.inputs = [np.asarray(item) for item in inputs]
        self.rule = rule
        self.free = free
        self.options = options

    def run(self, tf: ModuleType, runtime: TfjsRuntime) -> Converted:
        """Assert that TF.js answers as TensorFlow does, and that the rule was applied."""
        options = dict(self.options)
        if self.free is not None:
            options["specs"] = [
                tf.TensorSpec(shape, tf.as_dtype(array.dtype))
                for shape, array in zip(self.free, self.inputs, strict=True)
            ]
        oracle = options.pop("oracle", None)
        if oracle is not None:
            options["oracle"] = lambda *tensors: oracle(tf, *tensors)
        converted = check(
            tf, runtime, lambda *tensors: self.function(tf, *tensors), *self.inputs, **options
        )
        assert self.rule is None or self.rule in {
            entry.rule for entry in converted.outcome.rewrites
        }
        return converted


def floats(*shape: int, seed: int = 0) -> Array:
    """Normal float32 numbers, the same each time."""
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def integers(low: int, high: int, *shape: int, dtype: str = "int32", seed: int = 0) -> Array:
    """Integers from `low` up to and without `high`, the same each time."""
    source = np.random.default_rng([seed, *shape])
    return source.integers(low, high, size=shape).astype(dtype)


def booleans(*shape: int, seed: int = 0) -> Array:
    """Booleans, the same each time."""
    return integers(0, 2, *shape, seed=seed).astype(bool)
