"""The objects of a TF2 SavedModel and the structured values in their functions' signatures."""

SCHEMA = """
SavedObjectGraph
  1 nodes SavedObject*
  2 concrete_functions map<string, SavedConcreteFunction>

SavedObject
  1 children TrackableObjectGraph.TrackableObject.ObjectReference*
  15 dependencies TrackableObjectGraph.TrackableObject.ObjectReference*
  3 slot_variables TrackableObjectGraph.TrackableObject.SlotVariableReference*
  4 user_object SavedUserObject | kind
  5 asset SavedAsset | kind
  6 function SavedFunction | kind
  7 variable SavedVariable | kind
  8 bare_concrete_function SavedBareConcreteFunction | kind
  9 constant SavedConstant | kind
  10 resource SavedResource | kind
  12 captured_tensor CapturedTensor | kind
  11 saveable_objects map<string, SaveableObject>
  13 registered_name string
  14 serialized_user_proto google.protobuf.Any
  16 registered_saver string

SavedUserObject
  1 identifier string
  2 version VersionDef
  3 metadata string

SavedAsset
  1 asset_file_def_index int32

SavedFunction
  1 concrete_functions string*
  2 function_spec FunctionSpec

CapturedTensor
  1 name string
  2 concrete_function string

SavedConcreteFunction
  2 bound_inputs int32*
  3 canonicalized_input_signature StructuredValue
  4 output_signature StructuredValue

SavedBareConcreteFunction
  1 concrete_function_name string
  2 argument_keywords string*
  3 allowed_positional_arguments int64
  4 function_spec FunctionSpec

SavedConstant
  1 operation string

SavedVariable
  1 dtype DataType
  2 shape TensorShapeProto
  3 trainable bool
  4 synchronization VariableSynchronization
  5 aggregation VariableAggregation
  6 name string
  7 device string
  8 experimental_distributed_variable_components SavedVariable*

enum VariableSynchronization
  0 VARIABLE_SYNCHRONIZATION_AUTO, 1 VARIABLE_SYNCHRONIZATION_NONE
  2 VARIABLE_SYNCHRONIZATION_ON_WRITE, 3 VARIABLE_SYNCHRONIZATION_ON_READ

enum VariableAggregation
  0 VARIABLE_AGGREGATION_NONE, 1 VARIABLE_AGGREGATION_SUM, 2 VARIABLE_AGGREGATION_MEAN
  3 VARIABLE_AGGREGATION_ONLY_FIRST_REPLICA

FunctionSpec
  1 fullargspec StructuredValue
  2 is_method bool
  5 input_signature StructuredValue
  6 jit_compile FunctionSpec.JitCompile

enum FunctionSpec.JitCompile
  0 DEFAULT, 1 ON, 2 OFF

SavedResource
  1 device string

SaveableObject
  2 save_function int32
  3 restore_function int32

StructuredValue
  1 none_value NoneValue | kind
  11 float64_value double | kind
  12 int64_value sint64 | kind
  13 string_value string | kind
  14 bool_value bool | kind
  31 tensor_shape_value TensorShapeProto | kind
  32 tensor_dtype_value DataType | kind
  33 tensor_spec_value TensorSpecProto | kind
  34 type_spec_value TypeSpecProto | kind
  35 bounded_tensor_spec_value BoundedTensorSpecProto | kind
  51 list_value ListValue | kind
  52 tuple_value TupleValue | kind
  53 dict_value DictValue | kind
  54 named_tuple_value NamedTupleValue | kind
  55 tensor_value TensorProto | kind
  56 numpy_value TensorProto | kind

NoneValue

ListValue
  1 values StructuredValue*

TupleValue
  1 values StructuredValue*

DictValue
  1 fields map<string, StructuredValue>

PairValue
  1 key string
  2 value StructuredValue

NamedTupleValue
  1 name string
  2 values PairValue*

TensorSpecProto
  1 name string
  2 shape TensorShapeProto
  3 dtype DataType

BoundedTensorSpecProto
  1 name string
  2 shape TensorShapeProto
  3 dtype DataType
  4 minimum TensorProto
  5 maximum TensorProto

TypeSpecProto
  1 type_spec_class TypeSpecProto.TypeSpecClass
  2 type_state StructuredValue
  3 type_spec_class_name string
  4 num_flat_components int32

enum TypeSpecProto.TypeSpecClass
  0 UNKNOWN, 1 SPARSE_TENSOR_SPEC, 2 INDEXED_SLICES_SPEC, 3 RAGGED_TENSOR_SPEC
  4 TENSOR_ARRAY_SPEC, 5 DATA_DATASET_SPEC, 6 DATA_ITERATOR_SPEC, 7 OPTIONAL_SPEC
  8 PER_REPLICA_SPEC, 9 VARIABLE_SPEC, 10 ROW_PARTITION_SPEC, 12 REGISTERED_TYPE_SPEC
  13 EXTENSION_TYPE_SPEC
"""
