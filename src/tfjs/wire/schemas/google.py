"""The two messages of protobuf itself that TensorFlow's refer to."""

SCHEMA = """
Any
  1 type_url string
  2 value bytes

BoolValue
  1 value bool
"""
