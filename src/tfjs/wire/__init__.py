"""Codecs without model meaning: protobuf, tables, checksums, zip and HDF5 offsets."""
