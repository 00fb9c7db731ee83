"""From the compact schemas to protobuf's file descriptors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from tfjs.wire.schemas import PACKAGES

_SCALARS = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}
_FIELD = re.compile(
    r"  (?P<number>\d+) (?P<name>\w+) "
    r"(?:map<(?P<key>\w+), (?P<value>[\w.]+)>|(?P<type>[\w.]+)(?P<mark>[*?]?))"
    r"(?: \| (?P<oneof>\w+))?"
)


def file_descriptors() -> Iterator[FileDescriptorProto]:
    """One file descriptor for each package, those that others import first."""
    for package, texts in PACKAGES.items():
        yield _Package(package, "\n".join(texts)).file


class _Package:
    """Builds the descriptor of one package's file."""

    def __init__(self, package: str, text: str) -> None:
        self.file = FileDescriptorProto(
            name=f"tfjs/{package}.proto", package=package, syntax="proto3"
        )
        self._enums = set(re.findall(r"^enum ([\w.]+)$", text, re.MULTILINE))
        self._messages: dict[str, DescriptorProto] = {}
        self._fill(text.splitlines())

    def _fill(self, lines: list[str]) -> None:
        # Nested types must find the message that holds them, so all messages come first.
        for line in sorted(line for line in lines if re.fullmatch(r"[A-Z][\w.]*", line)):
            outer, _, name = line.rpartition(".")
            siblings = self._messages[outer].nested_type if outer else self.file.message_type
            self._messages[line] = siblings.add(name=name)
        message: DescriptorProto | None = None
        enum: EnumDescriptorProto | None = None
        for line in lines:
            if line.startswith("enum "):
                message, enum = None, self._add_enum(line.removeprefix("enum "))
            elif line in self._messages:
                message, enum = self._messages[line], None
            elif enum is not None:
                for number, name in re.findall(r"(\d+) (\w+)", line):
                    enum.value.add(name=name, number=int(number))
            elif message is not None and line:
                self._add_field(message, line)

    def _add_enum(self, full_name: str) -> EnumDescriptorProto:
        outer, _, name = full_name.rpartition(".")
        siblings = self._messages[outer].enum_type if outer else self.file.enum_type
        return siblings.add(name=name)

    def _add_field(self, message: DescriptorProto, line: str) -> None:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ValueError(f"no line of a schema: {line!r}")
        name = match["name"]
        repeated = match["key"] is not None or match["mark"] == "*"
        field = message.field.add(
            name=name,
            number=int(match["number"]),
            label=FieldDescriptorProto.LABEL_REPEATED
            if repeated
            else FieldDescriptorProto.LABEL_OPTIONAL,
        )
        if match["key"]:
            # A map is a repeated message of a name that protobuf prescribes.
            entry = message.nested_type.add(name=_camel_case(name) + "Entry")
            entry.options.map_entry = True
            self._add_field(entry, f"  1 key {match['key']}")
            self._add_field(entry, f"  2 value {match['value']}")
            path = next(key for key, known in self._messages.items() if known is message)
            field.type = FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = f".{self.file.package}.{path}.{entry.name}"
        else:
            self._set_type(field, match["type"])
        if match["oneof"]:
            field.oneof_index = _oneof(message, match["oneof"])
        elif match["mark"] == "?":
            field.proto3_optional = True
            field.oneof_index = _oneof(message, f"_{name}")

    def _set_type(self, field: FieldDescriptorProto, name: str) -> None:
        scalar = _SCALARS.get(name)
        if scalar is not None:
            field.type = scalar
        elif name.startswith("google.protobuf."):
            field.type = FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = f".{name}"
            if "tfjs/google.protobuf.proto" not in self.file.dependency:
                self.file.dependency.append("tfjs/google.protobuf.proto")
        else:
            is_enum = name in self._enums
            field.type = (
                FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
            )
            field.type_name = f".{self.file.package}.{name}"


def _oneof(message: DescriptorProto, name: str) -> int:
    """Index of a oneof of the message, added where it is new."""
    names = [oneof.name for oneof in message.oneof_decl]
    if name not in names:
        message.oneof_decl.add(name=name)
        names.append(name)
    return names.index(name)


def _camel_case(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
