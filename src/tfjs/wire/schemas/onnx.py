"""ONNX models, as far as ONNX Runtime is handed them: https://github.com/onnx/onnx, onnx.proto."""

SCHEMA = """
ModelProto
  1 ir_version int64
  2 producer_name string
  7 graph GraphProto
  8 opset_import OperatorSetIdProto*

OperatorSetIdProto
  1 domain string
  2 version int64

GraphProto
  1 node NodeProto*
  2 name string
  5 initializer TensorProto*
  11 input ValueInfoProto*
  12 output ValueInfoProto*

NodeProto
  1 input string*
  2 output string*
  3 name string
  4 op_type string
  5 attribute AttributeProto*
  7 domain string

AttributeProto
  1 name string
  2 f float
  3 i int64
  4 s bytes
  7 floats float*
  8 ints int64*
  20 type AttributeProto.AttributeType

enum AttributeProto.AttributeType
  0 UNDEFINED, 1 FLOAT, 2 INT, 3 STRING, 4 TENSOR, 5 GRAPH, 6 FLOATS, 7 INTS, 8 STRINGS

ValueInfoProto
  1 name string
  2 type TypeProto

TypeProto
  1 tensor_type TypeProto.Tensor | value

TypeProto.Tensor
  1 elem_type int32
  2 shape TensorShapeProto

TensorShapeProto
  1 dim TensorShapeProto.Dimension*

TensorShapeProto.Dimension
  1 dim_value int64 | value
  2 dim_param string | value

TensorProto
  1 dims int64*
  2 data_type int32
  8 name string
  9 raw_data bytes
  13 external_data StringStringEntryProto*
  14 data_location TensorProto.DataLocation

enum TensorProto.DataLocation
  0 DEFAULT, 1 EXTERNAL

StringStringEntryProto
  1 key string
  2 value string
"""
