"""SavedModels and frozen graphs that we write, run by TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tests.support.protocol import Array
from tfjs.formats.base import WriteOptions, Written
from tfjs.formats.frozen_graph.write import write as write_frozen
from tfjs.formats.saved_model.write import write as write_saved_model
from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Signature, Type, Value
from tfjs.passes.to_tensorflow import to_tensorflow


def saved(model: GraphModel, folder: Path) -> Written:
    """Write a SavedModel of a graph as TF.js or TensorFlow has it."""
    to_tensorflow(model)
    return write_saved_model(model, folder, WriteOptions())


def frozen(model: GraphModel, file: Path) -> Written:
    """Write a frozen graph of one as TF.js or TensorFlow has it."""
    to_tensorflow(model)
    return write_frozen(model, file, WriteOptions())


def run_signature(
    tf: ModuleType, folder: Path, inputs: Mapping[str, Any], signature: str = "serving_default"
) -> dict[str, Array]:
    """What a signature answers, loaded by `tf.saved_model.load`."""
    function = tf.saved_model.load(str(folder)).signatures[signature]
    specs = function.structured_input_signature[1]
    fed = {key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()}
    return {key: value.numpy() for key, value in function(**fed).items()}


def run_frozen(
    tf: ModuleType, file: Path, inputs: Mapping[str, Any], outputs: Sequence[str]
) -> dict[str, Array]:
    """What nodes of a frozen graph give."""
    v1 = tf.compat.v1
    message = v1.GraphDef()
    message.ParseFromString(file.read_bytes())
    with v1.Graph().as_default() as graph:
        v1.import_graph_def(message, name="")
        with v1.Session(graph=graph) as session:
            fed = {f"{name}:0": value for name, value in inputs.items()}
            found = session.run([f"{name}:0" for name in outputs], fed)
    return {name: np.asarray(value) for name, value in zip(outputs, found, strict=True)}


class Building:
    """A graph as the reader of TF.js's files gives it: without types, with few attributes."""

    def __init__(self) -> None:
        self.graph = Graph()

    def input(self, name: str, shape: Sequence[int | None], dtype: str = "float32") -> Value:
        """Add an input."""
        type_ = Type(dtype, tuple(shape))
        attrs = {"dtype": dtype, "shape": Dims(type_.shape)}
        node = self.graph.add("Placeholder", [], attrs, [type_], name=name)
        self.graph.inputs.append(node)
        return node.output

    def constant(self, array: Any, name: str = "const") -> Value:
        """Add a constant."""
        return self.graph.constant(np.asarray(array), name=name)

    def node(
        self,
        op: str,
        *inputs: Value,
        name: str = "",
        dtypes: Sequence[str | None] = (None,),
        **attrs: Any,
    ) -> Node:
        """Add a node whose outputs have the dtypes that TF.js has."""
        types = [Type(dtype) for dtype in dtypes]
        return self.graph.add(op, inputs, attrs, types, name=name or op)

    def model(self, *outputs: Value) -> GraphModel:
        """The model with these outputs, each with its node's name as its key."""
        graph = self.graph
        graph.outputs = list(outputs)
        graph.output_names = [value.name for value in outputs]
        names = [node.name for node in graph.inputs]
        return GraphModel(graph, Signature(names, list(graph.output_names)))
