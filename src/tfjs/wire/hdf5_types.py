"""The HDF5 types that weights and attributes have, and what NumPy calls them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.errors import UnsafeFileError
from tfjs.wire.hdf5_heap import REFERENCE


@dataclass(frozen=True, slots=True)
class Hdf5Type:
    """How elements are stored and read.

    Attributes:
        name: the logical dtype: NumPy's name, `bfloat16`, or `string`.
        dtype: the dtype of arrays that are read: little-endian; `uint16` with the raw bits for
            bfloat16, `S` for strings of fixed length, object (bytes) for other strings.
        stored: the dtype of the bytes in the file; for strings of variable length, of the
            references to them.
    """

    name: str
    dtype: np.dtype[Any]
    stored: np.dtype[Any]

    @property
    def is_variable(self) -> bool:
        """Whether the elements are strings of variable length."""
        return self.dtype == np.dtype(object)

    @property
    def is_mappable(self) -> bool:
        """Whether the bytes in the file are those of `dtype`."""
        return self.name != "string" and (self.dtype == self.stored or self.name == "bool")

    def convert(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array of `dtype` from one of `stored`; not for strings of variable length."""
        if self.name == "bool":
            return stored.astype(bool)
        return stored.astype(self.dtype, copy=False)


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
    bools = np.dtype(bool)
    yield h5t.py_create(bools, logical=True), Hdf5Type("bool", bools, np.dtype(np.uint8))
    for name, code in (("complex64", "F32LE"), ("complex128", "F64LE")):
        dtype = np.dtype(name).newbyteorder("<")
        yield h5t.py_create(dtype), Hdf5Type(name, dtype, dtype)
        # HDF5 2 has complex numbers of its own, with the same bytes as h5py's pairs.
        own = getattr(h5t, f"COMPLEX_IEEE_{code}", None)
        if own is not None:
            yield own, Hdf5Type(name, dtype, dtype)
    # bfloat16 as an HDF5 float: sign bit 15, eight bits of exponent from 7, seven of mantissa.
    brain = h5t.IEEE_F16LE.copy()
    brain.set_fields(15, 7, 8, 0, 7)
    brain.set_ebias(127)
    yield brain, _BFLOAT16


def _both_orders(name: str, code: str) -> Iterator[tuple[Any, Hdf5Type]]:
    from h5py import h5t

    dtype = np.dtype(name)
    little, big = dtype.newbyteorder("<"), dtype.newbyteorder(">")
    yield getattr(h5t, f"{code}LE"), Hdf5Type(name, little, little)
    yield getattr(h5t, f"{code}BE"), Hdf5Type(name, little, big)


def _recognise(type_id: Any, where: str) -> Hdf5Type:
    """A type that is not spelled as in the table."""
    from h5py import h5t

    for known, found in _table():
        if type_id.equal(known):
            return found
    size = type_id.get_size()
    if isinstance(type_id, h5t.TypeStringID):
        if type_id.is_variable_str():
            return Hdf5Type("string", np.dtype(object), np.dtype(f"V{REFERENCE.size}"))
        return Hdf5Type("string", np.dtype(f"S{size}"), np.dtype(f"S{size}"))
    # How h5py stores ml_dtypes' bfloat16, its only type of two opaque bytes. Keras 3 adds the
    # attribute dtype="bfloat16" in .keras files and nothing in legacy .h5 files.
    if isinstance(type_id, h5t.TypeOpaqueID) and size == 2 and not type_id.get_tag():
        return _BFLOAT16
    kind = type(type_id).__name__.removeprefix("Type").removesuffix("ID").lower()
    raise UnsafeFileError(
        f"is stored as {kind} of {size} bytes",
        where=where,
        hint="weights and attributes are numbers, bools or strings",
    )


_BFLOAT16 = Hdf5Type("bfloat16", np.dtype("<u2"), np.dtype("<u2"))
