"""The protobuf messages of TensorFlow's files, and of ONNX, as compact text.

A line at the margin opens a message, or an enum where it starts with `enum`; its full name is the
package's name and this one. An indented line is a field: number, name, type, then `| oneof` where
it belongs to one. A type ends in `*` when the field is repeated and in `?` when a scalar knows
whether it is set; `map<key, value>` is a map. A type is a scalar, an enum or message of the same
package by its name, or one of `google.protobuf`. Lines of an enum are `number NAME` pairs with
commas between them. Field numbers and types are facts of the formats: a test holds every one of
TensorFlow's against its own descriptors.
"""

from __future__ import annotations

from tfjs.wire.schemas import (
    checkpoint,
    google,
    graph,
    keras,
    object_graph,
    onnx,
    saved_model,
)

# Package -> the texts that make it up; a package comes behind those that it refers to.
PACKAGES: dict[str, tuple[str, ...]] = {
    "google.protobuf": (google.SCHEMA,),
    "tensorflow": (
        graph.SCHEMA,
        saved_model.SCHEMA,
        object_graph.SCHEMA,
        checkpoint.SCHEMA,
    ),
    # SavedModels name no package; tf.keras and tf_keras declare the same messages under two.
    "third_party.tensorflow.python.keras.protobuf": (keras.SCHEMA,),
    "onnx": (onnx.SCHEMA,),
}
