"""The objects of a SavedModel and of its checkpoint as messages.

tensorflow/core/protobuf/{saved_object_graph,trackable_object_graph,struct}.proto; identifiers and
versions are those of tf_keras/src/saving/legacy/saved_model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tfjs.formats.graph_proto import dtype_number
from tfjs.formats.saved_model.function import Function
from tfjs.formats.saved_model.keras_objects import LIST, Object, Variable
from tfjs.formats.tensor_proto import shape_proto
from tfjs.ir.dtypes import TO_NUMBER
from tfjs.ir.graph import Value
from tfjs.wire.protobuf import message_class

_KERAS_MESSAGE = "third_party.tensorflow.python.keras.protobuf.SavedMetadata"
_VALUE = "VARIABLE_VALUE"
_METADATA_VERSION = {"producer": 2, "min_consumer": 1}
_VERSION = {"producer": 1, "min_consumer": 1}


class ObjectGraph:
    """Numbers the objects of a model, and tells them to each file that lists them.

    Args:
        root: the model.

    Attributes:
        keys: the key of each variable in the checkpoint.
    """

    def __init__(self, root: Object) -> None:
        self._paths = {each: path for path, each in root.walk()}
        self._numbers = {each: number for number, each in enumerate(self._paths)}
        self.keys: dict[Variable, str] = {}
        for each, path in self._paths.items():
            if each.variable is not None:
                steps = "/".join(path.split(".")[1:])
                self.keys[each.variable] = f"{steps}/.ATTRIBUTES/{_VALUE}"

    def metadata(self) -> bytes:
        """`keras_metadata.pb`."""
        message: Any = message_class(_KERAS_MESSAGE)()
        for each, number in self._numbers.items():
            if each.metadata is not None:
                message.nodes.add(
                    node_id=number,
                    node_path=self._paths[each],
                    identifier=each.identifier,
                    metadata=json.dumps(each.metadata, separators=(",", ":")),
                    version=_METADATA_VERSION,
                )
        return message.SerializeToString(deterministic=True)  # type: ignore[no-any-return]

    def checkpoint(self) -> bytes:
        """The TrackableObjectGraph of the checkpoint."""
        message: Any = message_class("tensorflow.TrackableObjectGraph")()
        for each in self._numbers:
            node = message.nodes.add()
            self._add_children(node, each)
            if each.variable is not None:
                node.attributes.add(
                    name=_VALUE,
                    full_name=each.variable.name,
                    checkpoint_key=self.keys[each.variable],
                )
                node.has_checkpoint_values.value = True
        return message.SerializeToString(deterministic=True)  # type: ignore[no-any-return]

    def fill(
        self, message: Any, signatures: Mapping[str, Function], captured: Mapping[str, Variable]
    ) -> None:
        """Fill the SavedObjectGraph.

        Args:
            message: the message.
            signatures: the functions of the signatures by their names.
            captured: the variable of each node that functions capture.
        """
        numbers = {each.variable: number for each, number in self._numbers.items()}
        for each in self._numbers:
            node = message.nodes.add()
            self._add_children(node, each)
            if each.variable is None:
                _fill_object(node, each.identifier)
            else:
                _fill_variable(node.variable, each.variable)
        variables = [each.variable for each in self._numbers if each.variable is not None]
        lists = {
            "variables": variables,
            "trainable_variables": [each for each in variables if each.trained],
        }
        for name, listed in lists.items():
            node = _added(message, 0, name)
            _fill_object(node, LIST)
            for place, variable in enumerate(listed):
                node.children.add(node_id=numbers[variable], local_name=str(place))
        node = _added(message, 0, "signatures")
        _fill_object(node, "signature_map")
        owner = len(message.nodes) - 1
        for name, function in signatures.items():
            bare = _added(message, owner, name).bare_concrete_function
            bare.concrete_function_name = function.name
            bare.argument_keywords.extend(sorted(function.ports.inputs))
            bare.allowed_positional_arguments = len(function.ports.inputs)
            bound = [numbers[captured[handle.name]] for handle in function.captures]
            _fill_function(message.concrete_functions[function.name], function, bound)

    def _add_children(self, message: Any, owner: Object) -> None:
        for name, child in owner.children.items():
            message.children.add(node_id=self._numbers[child], local_name=name)


def _added(message: Any, owner: int, name: str) -> Any:
    message.nodes[owner].children.add(node_id=len(message.nodes), local_name=name)
    return message.nodes.add()


def _fill_object(message: Any, identifier: str) -> None:
    message.user_object.identifier = identifier
    message.user_object.version.CopyFrom(message_class("tensorflow.VersionDef")(**_VERSION))


def _fill_variable(message: Any, variable: Variable) -> None:
    message.dtype = TO_NUMBER[variable.tensor.dtype]
    message.shape.CopyFrom(shape_proto(variable.tensor.shape))
    message.trainable = variable.trainable
    message.name = variable.name


def _fill_function(message: Any, function: Function, bound: list[int]) -> None:
    message.bound_inputs.extend(bound)
    arguments = message.canonicalized_input_signature.tuple_value
    arguments.values.add().tuple_value.SetInParent()
    arguments.values.add().dict_value.SetInParent()
    _fill_specs(arguments.values[1].dict_value, function.ports.inputs)
    message.output_signature.dict_value.SetInParent()
    _fill_specs(message.output_signature.dict_value, function.ports.outputs)


def _fill_specs(message: Any, values: Mapping[str, Value]) -> None:
    for key, value in values.items():
        spec = message.fields[key].tensor_spec_value
        spec.name = key
        spec.dtype = dtype_number(value)
        spec.shape.CopyFrom(shape_proto(value.shape))
