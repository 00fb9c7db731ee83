"""Damage to what TensorFlow's files mean: messages, indices of checkpoints, archives."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf import json_format, text_format
from google.protobuf.message import Message

from tests.support.graph_changes import change_graph
from tests.support.protocol import JsonObject
from tests.wire.table_writer import table as write_table
from tfjs.wire.protobuf import message_class
from tfjs.wire.table import read_table

Change = Callable[[bytes, Random], tuple[bytes, str]]

_INTS = (0, 1, -1, 2, 7, 100, 255, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, 2**63 - 1, -(2**63))
_TEXTS = ("", "x", ":", "^x", "x:0", "x:output:0", "../x", "/etc/passwd", "a" * 300, "é\0")
_CHANGES = 3


def of_graphs(file: Path) -> Change | None:
    """What damages a file of TensorFlow's own formats; None for other files."""
    if file.name == "saved_model.pb":
        return damaged_message("tensorflow.SavedModel")
    if file.name == "saved_model.pbtxt":
        return damaged_text("tensorflow.SavedModel")
    if file.suffix == ".pbtxt":
        return damaged_text("tensorflow.GraphDef")
    if file.name == "frozen.pb":
        return damaged_message("tensorflow.GraphDef")
    if file.name.endswith(".index"):
        return damaged_index
    return damaged_archive if file.name.endswith(".tar.gz") else None


def damaged_message(full_name: str) -> Change:
    """Changes, removes, doubles and exchanges fields anywhere in a message."""

    def change(data: bytes, rng: Random) -> tuple[bytes, str]:
        message: Any = message_class(full_name)()
        message.ParseFromString(data)
        what = _damage_any(message, rng)
        return message.SerializeToString(), what

    return change


def damaged_text(full_name: str) -> Change:
    """The same of a message in text form."""

    def change(data: bytes, rng: Random) -> tuple[bytes, str]:
        message: Any = message_class(full_name)()
        text_format.Parse(data.decode(), message, descriptor_pool=message.DESCRIPTOR.file.pool)
        what = _damage_any(message, rng)
        return text_format.MessageToString(message).encode(), what

    return change


def damaged_index(data: bytes, rng: Random) -> tuple[bytes, str]:
    """Damages entries of the index of a checkpoint, whose own checksums are right again."""
    entries = list(read_table(data))
    place = rng.randrange(len(entries))
    key, value = entries[place]
    if rng.random() < 0.2:
        del entries[place]
        return write_table(entries), f"{key!r} removed"
    kind = "BundleEntryProto" if key else "BundleHeaderProto"
    entries[place] = key, (found := damaged_message(f"tensorflow.{kind}")(value, rng))[0]
    return write_table(entries), f"{key!r}: {found[1]}"


def damaged_archive(data: bytes, rng: Random) -> tuple[bytes, str]:
    """Damages headers of a tar archive."""
    tar = bytearray(gzip.decompress(data))
    headers = [at for at in range(0, len(tar), 512) if tar[at + 257 : at + 262] == b"ustar"]
    at = rng.choice(headers)
    place = at + rng.choice((0, 100, 124, 136, 156, 157, 345)) + rng.randrange(8)
    tar[place] = rng.choice((0, 0x30, 0x31, 0x32, 0x35, 0x4C, 0x53, 0x78, 0x67, 0x80, 0xFF, 0x2F))
    total = 8 * 32 + sum(tar[at : at + 148]) + sum(tar[at + 156 : at + 512])
    tar[at + 148 : at + 156] = f"{total:06o}\0 ".encode()
    return gzip.compress(bytes(tar), mtime=0), f"the header at {at} changed at {place - at}"


def damaged_graph_json(document: JsonObject, rng: Random) -> str:
    """Changes the graph in a parsed `model.json`; tells what it did."""
    graph: Any = json_format.ParseDict(
        document["modelTopology"],
        message_class("tensorflow.GraphDef")(),
        ignore_unknown_fields=True,
    )
    what = change_graph(graph, rng)
    document["modelTopology"] = json_format.MessageToDict(graph)
    return what


def _damage_any(message: Any, rng: Random) -> str:
    """Damages fields anywhere, or changes what the graph in the message means."""
    graph = message
    if message.DESCRIPTOR.name == "SavedModel" and message.meta_graphs:
        graph = rng.choice(message.meta_graphs).graph_def
    if graph.DESCRIPTOR.name != "GraphDef" or rng.random() < 0.35:
        return _damage(message, rng)
    return "; ".join(change_graph(graph, rng) for _ in range(rng.choice((1, 1, 1, 2, 4))))


def _damage(message: Any, rng: Random) -> str:
    done = []
    for _ in range(rng.randrange(1, _CHANGES + 1)):
        places = list(_places(message, ()))
        if not places:
            break
        owner, field, path = rng.choice(places)
        done.append(f"{path}: {_change(owner, field, places, rng)}")
    return "; ".join(done)


def _places(message: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any, str]]:
    """All fields that are set, with the message that has each."""
    for field, value in message.ListFields():
        here = (*path, field.name)
        yield message, field, ".".join(here)
        if field.message_type is None:
            continue
        if _is_map(field):
            inner = [item for item in value.values() if isinstance(item, Message)]
        else:
            inner = list(value) if _is_repeated(field) else [value]
        for index, item in enumerate(inner):
            yield from _places(item, (*here, str(index)))


def _change(owner: Any, field: Any, places: list[tuple[Any, Any, str]], rng: Random) -> str:
    value = getattr(owner, field.name)
    if _is_map(field):
        key = rng.choice(sorted(value, key=str))
        del value[key]
        return f"{key!r} removed"
    if _is_repeated(field):
        return _change_list(owner, field, value, rng)
    if field.message_type is not None:
        others = [
            getattr(other, one.name)
            for other, one, _ in places
            if one.message_type is field.message_type and not _is_repeated(one)
        ]
        if rng.random() < 0.5:
            owner.ClearField(field.name)
            return "cleared"
        value.CopyFrom(rng.choice(others))
        return "exchanged"
    new = _scalar(field, value, places, rng)
    setattr(owner, field.name, new)
    return f"{value!r} is {new!r}"[:120]


def _change_list(owner: Any, field: Any, values: Any, rng: Random) -> str:
    place = rng.randrange(len(values))
    action = rng.choice(("removed", "doubled", "changed", "cut off"))
    if action == "cut off":
        del values[place:]
    elif action == "removed":
        del values[place]
    elif field.message_type is not None:
        values.add().CopyFrom(values[place])
    elif action == "doubled":
        values.append(values[place])
    else:
        values[place] = _scalar(field, values[place], [], rng)
    return f"[{place}] {action}"


def _scalar(field: Any, value: Any, places: list[tuple[Any, Any, str]], rng: Random) -> Any:
    if field.enum_type is not None:
        return rng.choice((*range(27), 101, 120, 999))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        low, high = _range(field)
        fitting = [number for number in _INTS if low <= number <= high]
        return rng.choice([number for number in (*fitting, value + 1) if low <= number <= high])
    if isinstance(value, float):
        return rng.choice((0.0, -1.0, 1e30, float("nan")))
    if isinstance(value, bytes):
        return rng.choice((b"", value[:-1], value + b"\xff", value[::-1]))
    others = [
        getattr(other, one.name)
        for other, one, _ in places
        if one.cpp_type == one.CPPTYPE_STRING and one.type == one.TYPE_STRING
        if not _is_repeated(one)
    ]
    return rng.choice((*_TEXTS, rng.choice(others) if others else "y"))


def _range(field: Any) -> tuple[int, int]:
    if field.cpp_type == field.CPPTYPE_INT32:
        return -(2**31), 2**31 - 1
    if field.cpp_type == field.CPPTYPE_UINT32:
        return 0, 2**32 - 1
    return (0, 2**64 - 1) if field.cpp_type == field.CPPTYPE_UINT64 else (-(2**63), 2**63 - 1)


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_map(field: Any) -> bool:
    kind = field.message_type
    return kind is not None and bool(kind.GetOptions().map_entry)
