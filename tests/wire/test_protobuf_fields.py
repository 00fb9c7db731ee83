from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileOptions
from hypothesis import given
from hypothesis import strategies as st

from tfjs.errors import CorruptFileError
from tfjs.wire.protobuf_fields import first_field


def message() -> bytes:
    """A message with a text, two messages and one more of another number."""
    fields = [FieldDescriptorProto(name=name, number=300) for name in ("a", "b")]
    return DescriptorProto(name="m", field=fields, reserved_name=["r"]).SerializeToString()


def test_the_first_of_several() -> None:
    found = first_field(message(), 2)
    assert found is not None
    assert FieldDescriptorProto.FromString(bytes(found)).name == "a"


def test_a_field_that_is_not_there() -> None:
    assert first_field(message(), 7) is None
    assert first_field(b"", 1) is None


def test_numbers_are_passed() -> None:
    # A varint of two bytes, a fixed64 and a fixed32.
    data = b"\x08\xac\x02" + b"\x11" + bytes(8) + b"\x1d" + bytes(4) + b"\x22\x02hi"
    assert bytes(first_field(data, 4) or b"") == b"hi"
    # As a number is neither message nor text.
    assert first_field(data, 1) is None
    options = FileOptions(java_multiple_files=True, go_package="g").SerializeToString()
    assert bytes(first_field(options, 11) or b"") == b"g"


def test_the_search_ends() -> None:
    field, wanted = b"\x08\x01", b"\x12\x01x"
    assert bytes(first_field(field * 9_999 + wanted, 2) or b"") == b"x"
    assert first_field(field * 10_000 + wanted, 2) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\x0a",
        b"\x0a\x05abc",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x09abc",
        b"\x0d",
        b"\x08",
        b"\x0b",
        b"\x0e",
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(CorruptFileError):
        first_field(data, 3)


@given(st.binary(max_size=40), st.integers(1, 5))
def test_any_bytes(data: bytes, number: int) -> None:
    try:
        found = first_field(data, number)
    except CorruptFileError:
        return
    assert found is None or bytes(found) in data
