"""The HDF5 types that weights and attributes have, and what NumPy calls them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfjs.errors import UnsafeFileError


@dataclass(frozen=True, slots=True)
class Hdf5Type:
    """How elements are stored and read.

    Attributes:
        name: the logical dtype: NumPy's name, `bfloat16`, or `string`.
        dtype: the dtype of arrays that are read: little-endian; `uint16` with the raw bits for
            bfloat16, `S` for strings of fixed length, object (bytes) for other strings.
        size: bytes of an element in the file.
        native: whether the bytes in the file are those of `dtype`.
        memory: h5py's type to read into.
    """

    name: str
    dtype: np.dtype[Any]
    size: int
    native: bool
    memory: Any

    @property
    def is_string(self) -> bool:
        """Whether elements are strings, of fixed or variable length."""
        return self.name == "string"


class Hdf5Types:
    """Recognises types; each distinct type is looked at once in a file."""

    def __init__(self) -> None:
        self._known = dict(_plain_types())

    def find(self, type_id: Any, where: str) -> Hdf5Type:
        """What a type of the file means.

        Args:
            type_id: h5py's low-level type.
            where: the file and object, for the message.

        Raises:
            UnsafeFileError: it is no number, bool or string.
        """
        key = type_id.encode()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _recognise(type_id, where)
        return found


@functools.cache
def _plain_types() -> dict[bytes, Hdf5Type]:
    return {type_id.encode(): found for type_id, found in _table()}


def _table() -> Iterator[tuple[Any, Hdf5Type]]:
    """h5py's types of numbers and bools in both byte orders."""
    from h5py import h5t

    for name, code in (("float16", "F16"), ("float32", "F32"), ("float64", "F64")):
        yield from _both_orders(name, f"IEEE_{code}")
    for bits in (8, 16, 32, 64):
        yield from _both_orders(f"int{bits}", f"STD_I{bits}")
        yield from _both_orders(f"uint{bits}", f"STD_U{bits}")
    for name in ("bool", "complex64", "complex128"):
        dtype = np.dtype(name)
        type_id = h5t.py_create(dtype, logical=True)
        yield type_id, Hdf5Type(name, dtype, dtype.itemsize, True, type_id)
    # HDF5 2 has complex numbers of its own, with the same bytes as h5py's pairs.
    for name, code in (("complex64", "F32LE"), ("complex128", "F64LE")):
        own = getattr(h5t, f"COMPLEX_IEEE_{code}", None)
        if own is not None:
            dtype = np.dtype(name)
            yield own, Hdf5Type(name, dtype, dtype.itemsize, True, own)
    # bfloat16 as an HDF5 float: sign bit 15, eight bits of exponent from 7, seven of mantissa.
    brain = h5t.IEEE_F16LE.copy()
    brain.set_fields(15, 7, 8, 0, 7)
    brain.set_ebias(127)
    yield brain, Hdf5Type("bfloat16", np.dtype("<u2"), 2, True, brain)


def _both_orders(name: str, code: str) -> Iterator[tuple[Any, Hdf5Type]]:
    from h5py import h5t

    dtype = np.dtype(name).newbyteorder("<")
    little, big = getattr(h5t, f"{code}LE"), getattr(h5t, f"{code}BE")
    for type_id in (little, big):
        native = type_id is little or dtype.itemsize == 1
        yield type_id, Hdf5Type(name, dtype, dtype.itemsize, native, little)


def _recognise(type_id: Any, where: str) -> Hdf5Type:
    """A type that is not spelled as in the table."""
    from h5py import h5t

    for known, found in _table():
        if type_id.equal(known):
            return found
    size = type_id.get_size()
    if isinstance(type_id, h5t.TypeStringID):
        if type_id.is_variable_str():
            dtype = np.dtype(object)
            return Hdf5Type("string", dtype, size, False, h5t.py_create(type_id.dtype))
        return Hdf5Type("string", np.dtype(f"S{size}"), size, False, type_id)
    # How h5py stores ml_dtypes' bfloat16, its only type of two opaque bytes. Keras 3 adds the
    # attribute dtype="bfloat16" in .keras files and nothing in legacy .h5 files.
    if isinstance(type_id, h5t.TypeOpaqueID) and size == 2 and not type_id.get_tag():
        return Hdf5Type("bfloat16", np.dtype("<u2"), size, True, type_id)
    raise UnsafeFileError(
        f"is stored as {type(type_id).__name__} of {size} bytes, weights and attributes are "
        "numbers, bools or strings",
        where=where,
    )
