"""What a SavedModel has beside its graph, so that Keras loads a model of layers from it.

The signature is a function that the main graph calls, the variables are named by the objects that
own them, and the objects are listed thrice: in `saved_model.pb` for TensorFlow, in the checkpoint
for whoever restores it, in `keras_metadata.pb` for Keras.
"""

from __future__ import annotations

from typing import Any

from tfjs.formats.saved_model.assembly import Assembly
from tfjs.formats.saved_model.function import enclose
from tfjs.formats.saved_model.keras_objects import CannotCarry, Variable, keras_objects
from tfjs.formats.saved_model.object_graph import ObjectGraph
from tfjs.ir.graph import Attrs, Dims, GraphModel, Type
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import Tensor


class KerasParts:
    """What Keras needs of a SavedModel.

    Args:
        model: the graph, such as `to_tensorflow` leaves it.
        layers: the model of layers that it was made from.

    Attributes:
        notes: what was left out.

    Raises:
        CannotCarry: Keras 2 cannot have the model, or not from a SavedModel.
    """

    def __init__(self, model: GraphModel, layers: LayersModel) -> None:
        self.notes: list[str] = []
        if model.initializer is not None:
            raise CannotCarry("it has tables, which the graph fills")
        self._objects = ObjectGraph(keras_objects(layers, self.notes))
        by_source = {id(variable.source): variable for variable in self._objects.keys}
        self._captured: dict[str, Variable] = {}
        for name, tensor in model.variables.items():
            found = by_source.get(id(tensor))
            if found is None or found.tensor.dtype != tensor.dtype:
                raise CannotCarry(f"the graph has another variable than the layers: {name}")
            self._captured[name] = found

    def fill(self, meta_graph: Any, assembly: Assembly, key: str) -> dict[str, str]:
        """Fill the object graph, and let the graph be as it tells; in place.

        Args:
            meta_graph: the MetaGraphDef.
            assembly: the graph and nothing else.
            key: the name of its signature.

        Returns:
            The keys of all variables in the checkpoint, by the nodes that make them.
        """
        function = enclose(assembly, key)
        self._objects.fill(meta_graph.object_graph_def, {key: function}, self._captured)
        nodes = dict(self._captured)
        made = set(nodes.values())
        for variable in self._objects.keys:
            if variable not in made:
                nodes[_add_handle(assembly, variable)] = variable
        return {name: self._objects.keys[variable] for name, variable in nodes.items()}

    def variables(self) -> dict[str, Tensor]:
        """The values of all variables by their keys in the checkpoint."""
        return {key: variable.tensor for variable, key in self._objects.keys.items()}

    def checkpoint(self) -> bytes:
        """What the checkpoint tells of its objects."""
        return self._objects.checkpoint()

    def metadata(self) -> bytes:
        """`keras_metadata.pb`."""
        return self._objects.metadata()


def _add_handle(assembly: Assembly, variable: Variable) -> str:
    """Make a variable that the graph does not read; gives the name of its node."""
    name = assembly.graph.unique(variable.name)
    attrs: Attrs = {"dtype": variable.tensor.dtype, "shape": Dims(variable.tensor.shape)}
    attrs["shared_name"] = name.encode()
    return assembly.graph.add("VarHandleOp", [], attrs, [Type("resource", ())], name=name).name
