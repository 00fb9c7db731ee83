"""SavedModels: metagraphs, signatures, collections, savers, the fingerprint."""

SCHEMA = """
SavedModel
  1 saved_model_schema_version int64
  2 meta_graphs MetaGraphDef*

MetaGraphDef
  1 meta_info_def MetaGraphDef.MetaInfoDef
  2 graph_def GraphDef
  3 saver_def SaverDef
  4 collection_def map<string, CollectionDef>
  5 signature_def map<string, SignatureDef>
  6 asset_file_def AssetFileDef*
  7 object_graph_def SavedObjectGraph

MetaGraphDef.MetaInfoDef
  1 meta_graph_version string
  2 stripped_op_list OpList
  3 any_info google.protobuf.Any
  4 tags string*
  5 tensorflow_version string
  6 tensorflow_git_version string
  7 stripped_default_attrs bool
  8 function_aliases map<string, string>

CollectionDef
  1 node_list CollectionDef.NodeList | kind
  2 bytes_list CollectionDef.BytesList | kind
  3 int64_list CollectionDef.Int64List | kind
  4 float_list CollectionDef.FloatList | kind
  5 any_list CollectionDef.AnyList | kind

CollectionDef.NodeList
  1 value string*

CollectionDef.BytesList
  1 value bytes*

CollectionDef.Int64List
  1 value int64*

CollectionDef.FloatList
  1 value float*

CollectionDef.AnyList
  1 value google.protobuf.Any*

VariableDef
  1 variable_name string
  6 initial_value_name string
  2 initializer_name string
  3 snapshot_name string
  4 save_slice_info_def SaveSliceInfoDef
  5 is_resource bool
  7 trainable bool
  8 synchronization VariableSynchronization
  9 aggregation VariableAggregation

SaveSliceInfoDef
  1 full_name string
  2 full_shape int64*
  3 var_offset int64*
  4 var_shape int64*

SignatureDef
  1 inputs map<string, TensorInfo>
  2 outputs map<string, TensorInfo>
  3 method_name string
  4 defaults map<string, TensorProto>

TensorInfo
  1 name string | encoding
  4 coo_sparse TensorInfo.CooSparse | encoding
  5 composite_tensor TensorInfo.CompositeTensor | encoding
  2 dtype DataType
  3 tensor_shape TensorShapeProto

TensorInfo.CooSparse
  1 values_tensor_name string
  2 indices_tensor_name string
  3 dense_shape_tensor_name string

TensorInfo.CompositeTensor
  1 type_spec TypeSpecProto
  2 components TensorInfo*

AssetFileDef
  1 tensor_info TensorInfo
  2 filename string

SaverDef
  1 filename_tensor_name string
  2 save_tensor_name string
  3 restore_op_name string
  4 max_to_keep int32
  5 sharded bool
  6 keep_checkpoint_every_n_hours float
  7 version SaverDef.CheckpointFormatVersion

enum SaverDef.CheckpointFormatVersion
  0 LEGACY, 1 V1, 2 V2

FingerprintDef
  1 saved_model_checksum uint64
  2 graph_def_program_hash uint64
  3 signature_def_hash uint64
  4 saved_object_graph_hash uint64
  5 checkpoint_hash uint64
  7 uuid string
  6 version VersionDef
"""
