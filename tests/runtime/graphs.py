"""Graphs for the runtime: as TensorFlow has them, and as TF.js gets them."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from tests.support.protocol import Array
from tfjs.formats.graph_def import GraphReader
from tfjs.ir.graph import GraphModel, Signature
from tfjs.passes.control.resolve import Form
from tfjs.passes.inline import copied_model
from tfjs.passes.pipeline import legalize
from tfjs.runtime.engine import Runner
from tfjs.wire.protobuf import parse


def model_of(graph_def: Any, inputs: Sequence[str], outputs: Sequence[str]) -> GraphModel:
    """A GraphDef of TensorFlow with the named placeholders and fetches, as it is."""
    proto = parse("tensorflow.GraphDef", graph_def.SerializeToString(), "test")
    reader = GraphReader(proto, [], "test")
    graph = reader.graph(outputs)
    by_name = {node.name: node for node in graph.inputs}
    graph.inputs = [by_name[name] for name in inputs if name in by_name]
    keys = [node.name for node in graph.inputs]
    graph.output_names = [f"output_{index}" for index in range(len(outputs))]
    signature = Signature(keys, list(graph.output_names))
    return GraphModel(graph, signature, functions=reader.functions([graph]))


def traced(tf: ModuleType, function: Any, *specs: Any) -> GraphModel:
    """A function of TensorFlow 2; its control flow runs functions."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    inputs = [tensor.op.name for tensor in concrete.inputs]
    outputs = [tensor.name for tensor in concrete.outputs]
    return model_of(concrete.graph.as_graph_def(), inputs, outputs)


def traced_v1(tf: ModuleType, build: Any, *specs: Any) -> tuple[GraphModel, Any]:
    """A graph of TF1 with its own control flow, and what runs it in TensorFlow."""
    v1 = tf.compat.v1
    enabled = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            fed = [
                v1.placeholder(spec.dtype, spec.shape, f"in_{index}")
                for index, spec in enumerate(specs)
            ]
            fetches = tf.nest.flatten(build(*fed))
    finally:
        if enabled:
            v1.enable_control_flow_v2()

    def in_tensorflow(*values: Array) -> list[Array]:
        with v1.Session(graph=graph) as session:
            found: list[Array] = session.run(fetches, dict(zip(fed, values, strict=True)))
        return found

    names = [tensor.op.name for tensor in fed]
    return model_of(graph.as_graph_def(), names, [item.name for item in fetches]), in_tensorflow


def converted(model: GraphModel, form: Form = "auto") -> GraphModel:
    """A copy that TF.js runs."""
    copy = copied_model(model)
    legalize(copy, control_flow=form)
    return copy


def fed(model: GraphModel, call: Sequence[Array]) -> dict[str, Array]:
    """Arrays in the order of the inputs, by their names."""
    return dict(zip(model.signature.inputs, call, strict=False))


def assert_answers(runner: Runner, feeds: dict[str, Array], wanted: Sequence[Any]) -> None:
    """The runner's numbers are those of TensorFlow, in the dtypes of the one that computes."""
    found = runner.run(feeds)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        array = np.asarray(theirs)
        assert ours.shape == array.shape
        assert ours.dtype.kind == array.dtype.kind
        if array.dtype == object:
            assert ours.tolist() == array.tolist()
        else:
            # In double precision, what thousands of steps round away stays.
            rtol = 1e-4 if ours.dtype == np.float64 else 1e-5
            np.testing.assert_allclose(ours, array, rtol=rtol, atol=1e-6)
