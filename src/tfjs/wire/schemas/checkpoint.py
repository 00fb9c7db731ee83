"""The entries of a checkpoint's index (TensorBundle) and the objects behind its keys."""

SCHEMA = """
BundleHeaderProto
  1 num_shards int32
  2 endianness BundleHeaderProto.Endianness
  3 version VersionDef

enum BundleHeaderProto.Endianness
  0 LITTLE, 1 BIG

BundleEntryProto
  1 dtype DataType
  2 shape TensorShapeProto
  3 shard_id int32
  4 offset int64
  5 size int64
  6 crc32c fixed32
  7 slices TensorSliceProto*

TensorSliceProto
  1 extent TensorSliceProto.Extent*

TensorSliceProto.Extent
  1 start int64
  2 length int64 | has_length_hack

TrackableObjectGraph
  1 nodes TrackableObjectGraph.TrackableObject*

TrackableObjectGraph.TrackableObject
  1 children TrackableObjectGraph.TrackableObject.ObjectReference*
  2 attributes TrackableObjectGraph.TrackableObject.SerializedTensor*
  3 slot_variables TrackableObjectGraph.TrackableObject.SlotVariableReference*
  4 registered_saver RegisteredSaver
  5 has_checkpoint_values google.protobuf.BoolValue

TrackableObjectGraph.TrackableObject.ObjectReference
  1 node_id int32
  2 local_name string

TrackableObjectGraph.TrackableObject.SerializedTensor
  1 name string
  2 full_name string
  3 checkpoint_key string

TrackableObjectGraph.TrackableObject.SlotVariableReference
  1 original_variable_node_id int32
  2 slot_name string
  3 slot_variable_node_id int32

RegisteredSaver
  1 name string
  2 object_name string
"""
