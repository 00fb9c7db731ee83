"""Protobuf messages from our own schemas, in a descriptor pool of our own.

No generated code, which ties a package to one protobuf runtime, and not the shared pool, where the
same messages collide with those of a user's TensorFlow.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

from tfjs.errors import CorruptFileError

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message


@functools.cache
def message_class(full_name: str) -> type[Message]:
    """The class of a message, such as `tensorflow.SavedModel`.

    Raises:
        KeyError: the schemas have no message of this name.
    """
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(full_name))


def parse(full_name: str, data: bytes | memoryview, where: str | None) -> Any:
    """Decode a message.

    Args:
        full_name: name of the message with its package.
        data: the whole message.
        where: the file, for the message of an error.

    Returns:
        The `Message`; its fields are attributes, which static types do not know.

    Raises:
        CorruptFileError: the bytes are no such message.
    """
    from google.protobuf.message import DecodeError

    message = message_class(full_name)()
    try:
        message.ParseFromString(data)  # type: ignore[arg-type]  # every runtime takes views too
    except (DecodeError, ValueError, RecursionError) as error:
        raise CorruptFileError(_complaint(full_name, error), where=where) from error
    return message


def parse_text(full_name: str, text: str | bytes, where: str | None) -> Any:
    """Decode a message in protobuf's text format, such as a `.pbtxt`; see `parse`.

    A field that the schemas do not know is an error, not skipped.
    """
    from google.protobuf import text_format

    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        with warnings.catch_warnings():
            # Python warns of escapes that are none, and protobuf lets it.
            warnings.filterwarnings("error", "invalid .*escape", DeprecationWarning)
            return text_format.Parse(text, message_class(full_name)(), descriptor_pool=_pool())
    except (text_format.ParseError, ValueError, RecursionError, DeprecationWarning) as error:
        raise CorruptFileError(_complaint(full_name, error), where=where) from error


def parse_json(full_name: str, value: Any, where: str | None) -> Any:
    """Make a message of a parsed JSON value in protobuf's JSON form; see `parse`.

    Fields that the schemas do not know are skipped.
    """
    from google.protobuf import json_format

    message = message_class(full_name)()
    try:
        return json_format.ParseDict(value, message, ignore_unknown_fields=True)
    except (
        json_format.ParseError,
        AttributeError,
        OverflowError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise CorruptFileError(_complaint(full_name, error), where=where) from error


def _complaint(full_name: str, error: Exception) -> str:
    return f"is no {full_name.rpartition('.')[2]} message: {error or 'it nests too deeply'}"


@functools.cache
def _pool() -> DescriptorPool:
    from google.protobuf.descriptor_pool import DescriptorPool

    from tfjs.wire.protobuf_schema import file_descriptors

    pool = DescriptorPool()
    for file in file_descriptors():
        pool.AddSerializedFile(file.SerializeToString())
    return pool
