"""Functions of TensorFlow as graphs, through the passes, and into the real TF.js."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.formats.base import WriteOptions
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import GraphModel, Signature
from tfjs.ops.support import is_dynamic as dynamic
from tfjs.passes.control import resolve_control_flow, tie_to_branches
from tfjs.passes.control.resolve import Form
from tfjs.passes.dtypes import map_dtypes
from tfjs.passes.finalize import finalize
from tfjs.passes.fold import fold
from tfjs.passes.freeze import freeze
from tfjs.passes.inline import inline_calls
from tfjs.wire.protobuf import message_class


def model_of(graph_def: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> GraphModel:
    """A GraphDef with the named placeholders and fetches, folded as before control flow."""
    proto = message_class("tensorflow.GraphDef")()
    proto.ParseFromString(graph_def)
    reader = GraphReader(proto, [], "test")
    graph = reader.graph(outputs, ())
    by_name = {node.name: node for node in graph.inputs}
    graph.inputs = [by_name[name] for name in inputs if name in by_name]
    signature = Signature(list(inputs), [f"output_{index}" for index in range(len(outputs))])
    model = GraphModel(graph, signature, functions=reader.functions([graph]))
    inline_calls(model)
    tie_to_branches(model.graph)
    freeze(model)
    fold(model)
    return model


def traced(function: Any, *specs: Any) -> GraphModel:
    """A Python function that TensorFlow traces, with its variables as constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    if concrete.captured_inputs:
        concrete = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    data = concrete.graph.as_graph_def().SerializeToString()
    inputs = [tensor.op.name for tensor in concrete.inputs]
    return model_of(data, inputs, [tensor.name for tensor in concrete.outputs])


def resolved(model: GraphModel, form: Form = "auto") -> list[str]:
    """Resolve the control flow as the pipeline does; the notes."""
    notes = resolve_control_flow(model, form)
    fold(model)
    return notes


def ops(model: GraphModel) -> Counter[str]:
    """How often each operation stands in the main graph and its functions."""
    graphs = [model.graph, *model.functions.values()]
    return Counter(node.op for graph in graphs for node in graph.nodes.values())


def written(model: GraphModel, folder: Path) -> Path:
    """The model as TF.js reads it, from control flow that is resolved."""
    for graph in [model.graph, *model.functions.values()]:
        map_dtypes(graph)
    fold(model)
    finalize(model, [f"output_{index}" for index in range(len(model.graph.outputs))])
    write(model, folder, WriteOptions())
    return folder


def is_dynamic(model: GraphModel) -> bool:
    """Whether only `executeAsync` runs a model."""
    return any(dynamic(op) for op in ops(model))


def run(
    model: GraphModel, folder: Path, runtime: TfjsRuntime, *calls: Sequence[Array]
) -> list[list[Array]]:
    """The answers of the real TF.js, by `predict` where that will do; it must leak nothing."""
    path = written(model, folder)
    method = "executeAsync" if is_dynamic(model) else "predict"
    found = runtime.run_graph(path, *[list(call) for call in calls], method=method)
    assert found.leaked == 0
    return found.calls


def assert_same(found: Sequence[Array], wanted: Sequence[Any]) -> None:
    """The numbers of TF.js are those of TensorFlow."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        array = np.asarray(other)
        assert one.shape == array.shape
        np.testing.assert_allclose(one, array, rtol=1e-5, atol=1e-6)


def traced_v1(build: Any, *specs: Any) -> tuple[GraphModel, Any]:
    """A function built into a TF1 graph, with TF1's own control flow.

    Args:
        build: takes the placeholders and gives the outputs.
        specs: `tf.TensorSpec` of each placeholder.

    Returns:
        The model, and what runs the graph in TensorFlow.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    enabled = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            names = [f"in_{index}" for index in range(len(specs))]
            fed = [
                v1.placeholder(spec.dtype, spec.shape, name)
                for spec, name in zip(specs, names, strict=True)
            ]
            fetches = tf.nest.flatten(build(*fed))
    finally:
        if enabled:
            v1.enable_control_flow_v2()

    def in_tensorflow(*values: Array) -> list[Array]:
        with v1.Session(graph=graph) as session:
            found: list[Array] = session.run(fetches, dict(zip(fed, values, strict=True)))
        return found

    data = graph.as_graph_def().SerializeToString()
    return model_of(data, names, [fetch.name for fetch in fetches]), in_tensorflow
