"""Strings of variable length, read without the HDF5 library.

The file holds references: length, address of a collection, number of the object in it. The
library reserves and clears whatever length a reference claims, and runs in circles in a damaged
collection, so we follow the references ourselves (HDF5 File Format Specification, III.E, IV.A).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tfjs.errors import CorruptFileError, FormatError
from tfjs.wire.hdf5_window import Hdf5Bytes

REFERENCE = struct.Struct("<IQI")  # length, address, number
_COLLECTION = struct.Struct("<4sB3xQ")  # signature, version, size
_OBJECT = struct.Struct("<HHIQ")  # number, reference count, -, size

_HEADER_V1 = struct.Struct("<BxHII4x")  # version, messages, references, size
_MESSAGE_V1 = struct.Struct("<HHB3x")  # type, size, flags
_MESSAGE_V2 = struct.Struct("<BHB")  # type, size, flags
_TIMES, _PHASE_CHANGE, _TRACK_ORDER = 0x20, 0x10, 0x04
_CONTINUATION, _ATTRIBUTE = 0x10, 0x0C
_SHARED = 0x02
_CHECKSUM = 4
_ATTRIBUTE_HEADER = struct.Struct("<BBHHH")  # version, flags, sizes of name, type and space
_MOST_BLOCKS = 4096


class Strings:
    """Reads strings of variable length from the global heap."""

    def __init__(self, content: Hdf5Bytes) -> None:
        self._content = content
        # Address of a collection -> number of an object -> where it begins, its size.
        self._collections: dict[int, dict[int, tuple[int, int]]] = {}
        self._parsed = 0

    def read(self, references: bytes | memoryview, count: int) -> list[bytes]:
        """The strings that `count` references lead to.

        The sum of their lengths is at most the size of the file, since each stands in it once.

        Raises:
            CorruptFileError: there are fewer references, or one leads nowhere.
        """
        if len(references) < count * REFERENCE.size:
            raise self._error(f"has {len(references)} bytes for {count} strings")
        strings = []
        total = 0
        for index in range(count):
            length, address, number = REFERENCE.unpack_from(references, index * REFERENCE.size)
            if length == 0 or address == 0:
                strings.append(b"")
                continue
            start, size = self._objects(address).get(number, (0, -1))
            total += length
            if length > size or total > self._content.size:
                raise self._error(f"has a string of {length} bytes that is not there")
            # Some writers count the NUL at the end.
            strings.append(bytes(self._content.piece(start, length)).partition(b"\0")[0])
        return strings

    def _objects(self, address: int) -> dict[int, tuple[int, int]]:
        """The objects of the collection at an address."""
        found = self._collections.get(address)
        if found is not None:
            return found
        start = address + self._content.origin
        signature, version, size = _COLLECTION.unpack(self._content.piece(start, _COLLECTION.size))
        if (signature, version) != (b"GCOL", 1):
            raise self._error(f"has no heap at {address}")
        block = self._content.piece(start, size)
        self._parsed += size
        if self._parsed > self._content.size:  # each is looked at once, so they overlap
            raise self._error("has heaps that overlap")
        objects: dict[int, tuple[int, int]] = {}
        position = _COLLECTION.size
        while position + _OBJECT.size <= size:
            number, _, _, length = _OBJECT.unpack_from(block, position)
            if number == 0:  # the free space, which is last
                break
            position += _OBJECT.size
            if length > size - position:
                raise self._error(f"has an object of {length} bytes in a heap of {size}")
            objects[number] = start + position, length
            position += (length + 7) // 8 * 8
        self._collections[address] = objects
        return objects

    def _error(self, message: str) -> CorruptFileError:
        return CorruptFileError(message, where=self._content.where)


def attribute_data(content: Hdf5Bytes, address: int, name: bytes) -> memoryview:
    """The stored elements of an attribute.

    Args:
        content: the file.
        address: where the object that has the attribute begins.
        name: the attribute's name.

    Raises:
        FormatError: the attributes stand in a heap of their own, as in no file of Keras.
        CorruptFileError: the object's header is damaged.
    """
    for kind, flags, data in _messages(content, address + content.origin):
        if kind == _ATTRIBUTE and not flags & _SHARED:
            found_name, elements = _attribute(content, data)
            if found_name == name:
                return elements
    raise FormatError(
        f"the attribute {name.decode('utf-8', 'replace')!r} is stored apart from its object",
        where=content.where,
        hint="save the model again with h5py's own settings for files",
    )


def _messages(content: Hdf5Bytes, start: int) -> Iterator[tuple[int, int, memoryview]]:
    """Type, flags and data of each message in an object's header."""
    second = bytes(content.piece(start, 4)) == b"OHDR"
    if second:
        offset, length, message_size = _second_header(content, start)
    else:
        version, _, _, length = _HEADER_V1.unpack(content.piece(start, _HEADER_V1.size))
        if version != 1:
            raise CorruptFileError(f"has no object at {start}", where=content.where)
        offset, message_size = start + _HEADER_V1.size, _MESSAGE_V1.size
    head = _MESSAGE_V2 if second else _MESSAGE_V1
    blocks = [(offset, length)]
    for offset, length in blocks:  # grows while it is walked
        block = content.piece(offset, length)
        position = 0
        while position + message_size <= length:
            kind, size, flags = head.unpack_from(block, position)
            position += message_size
            data = block[position : position + size]
            position += size
            if kind == _CONTINUATION:
                blocks.append(_continuation(content, data, second=second))
                if len(blocks) > _MOST_BLOCKS:
                    raise CorruptFileError(
                        f"the object at {start} has too many pieces", where=content.where
                    )
            else:
                yield kind, flags, data


def _second_header(content: Hdf5Bytes, start: int) -> tuple[int, int, int]:
    """Offset and length of the first block in a header of version 2; bytes before a message."""
    flags = content.piece(start + 5, 1)[0]
    offset = start + 6 + (16 if flags & _TIMES else 0) + (4 if flags & _PHASE_CHANGE else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(content.piece(offset, width), "little")
    message_size = _MESSAGE_V2.size + (2 if flags & _TRACK_ORDER else 0)
    return offset + width, length, message_size


def _continuation(content: Hdf5Bytes, data: memoryview, *, second: bool) -> tuple[int, int]:
    """Offset and length of the messages in a continuation block."""
    if len(data) < 16:
        raise CorruptFileError("an object's header is cut off", where=content.where)
    address, length = struct.unpack_from("<QQ", data)
    offset = address + content.origin
    if second:  # between a signature and a checksum
        return offset + 4, max(0, length - 4 - _CHECKSUM)
    return offset, length


def _attribute(content: Hdf5Bytes, data: memoryview) -> tuple[bytes, memoryview]:
    """Name and stored elements of an attribute message."""
    if len(data) < _ATTRIBUTE_HEADER.size:
        raise CorruptFileError("an attribute is cut off", where=content.where)
    version, _, name_size, type_size, space_size = _ATTRIBUTE_HEADER.unpack_from(data)
    position = _ATTRIBUTE_HEADER.size + (1 if version == 3 else 0)  # the name's character set
    sizes = [name_size, type_size, space_size]
    if version == 1:  # padded
        sizes = [(size + 7) // 8 * 8 for size in sizes]
    name = bytes(data[position : position + name_size]).rstrip(b"\0")
    return name, data[position + sum(sizes) :]
