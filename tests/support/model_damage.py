"""Damage to model files: to their bytes, and to what the bytes mean (JSON, HDF5, zip, metadata)."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Literal

import h5py
import numpy as np

from tests.support.graph_damage import damaged_graph_json, of_graphs
from tests.support.keras_damage import damage_configuration, damage_listing
from tfjs.wire.protobuf import message_class

Level = Literal["bytes", "structure", "configuration", "listing"]
# Those that any file can be damaged at; the others are of whole Keras models.
LEVELS: tuple[Level, ...] = ("bytes", "structure")

_Change = Callable[[bytes, Random], tuple[bytes, str]]

_KERAS_METADATA = "third_party.tensorflow.python.keras.protobuf.SavedMetadata"
_HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
_NUMBERS = (0, 1, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def damage(folder: Path, level: Level, rng: Random) -> str:
    """Damages one file of a model in place.

    Returns:
        What was done.
    """
    if level == "configuration":
        return damage_configuration(folder, rng)
    if level == "listing":
        return damage_listing(folder, rng)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if level == "structure":
        files = [file for file in files if _structure(file)] or files
    file = rng.choice(files)
    if level == "structure" and rng.random() < 0.05:
        return f"{file.name}: {_damage_file(file, files, rng)}"
    change = _structure(file) if level == "structure" else None
    data, what = (change or damaged_bytes)(file.read_bytes(), rng)
    file.write_bytes(data)
    return f"{file.name}: {what}"


def _structure(file: Path) -> _Change | None:
    """What damages the meaning of a file, None where its bytes are only weights."""
    if file.name == "keras_metadata.pb":
        return _damaged_metadata
    of_graph = of_graphs(file)
    if of_graph is not None:
        return of_graph
    with file.open("rb") as opened:
        return _structure_of(opened.read(8))


def _structure_of(head: bytes) -> _Change | None:
    return next((change for mark, change in _STRUCTURES if head.startswith(mark)), None)


# Bytes


def damaged_bytes(data: bytes, rng: Random) -> tuple[bytes, str]:
    """Flips, cuts, insertions and numbers that are dear to parsers."""
    result = bytearray(data)
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        change = rng.choice((_flip, _flip, _number, _number, _cut, _splice, _repeat, _fill))
        at = _place(result, rng)
        change(result, at, rng)
        done.append(f"{change.__name__[1:]} at {at}")
    return bytes(result), ", ".join(done)


def _place(data: bytearray, rng: Random) -> int:
    """A position, preferably one that means something: files of HDF5 are mostly zeros."""
    at = 0
    for _ in range(8):
        at = rng.randrange(len(data) or 1)
        if at < len(data) and data[at]:
            break
    return at


def _flip(data: bytearray, at: int, rng: Random) -> None:
    if data:
        data[at] ^= 1 << rng.randrange(8)


def _number(data: bytearray, at: int, rng: Random) -> None:
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(_NUMBERS) % (1 << 8 * size)
    data[at : at + size] = value.to_bytes(size, "little")


def _cut(data: bytearray, at: int, rng: Random) -> None:
    del data[at : None if rng.random() < 0.5 else at + rng.randrange(1, 64)]


def _splice(data: bytearray, at: int, rng: Random) -> None:
    data[at:at] = rng.randbytes(rng.randrange(1, 16))


def _repeat(data: bytearray, at: int, rng: Random) -> None:
    size = rng.randrange(1, 256)
    data[at:at] = data[at : at + size]


def _fill(data: bytearray, at: int, rng: Random) -> None:
    size = min(rng.randrange(1, 64), len(data) - at)
    data[at : at + size] = bytes([rng.choice((0, 0x20, 0xFF))]) * size


# Files


def _damage_file(file: Path, files: list[Path], rng: Random) -> str:
    what = rng.choice(("missing", "empty", "a web page", "another file"))
    if what == "missing":
        file.unlink()
    elif what == "another file":
        file.write_bytes(rng.choice(files).read_bytes())
    else:
        file.write_bytes(b"" if what == "empty" else _HTML)
    return what


# JSON


def _values(rng: Random) -> Any:
    deep: Any = []
    for _ in range(rng.choice((40, 3000))):
        deep = [deep] if rng.random() < 0.5 else {"config": deep}
    return rng.choice(
        (
            *(None, True, False, 0, 1, -1, 2, 7, 2**31, 2**40, 2**53, 2**63, 2**64, -(2**70)),
            *(
                10**400,
                0.5,
                -2.5,
                1e308,
                math.nan,
                math.inf,
                "",
                "x",
                "a" * 5000,
                "\x00",
                "ß",
                "\ud800",
            ),
            *("../../../etc/passwd", "/etc/passwd", "Dense", "float64", "int32", "uint8", "relu"),
            *([], {}, [[]], [None, None], [None] * 300, [0, 0, 0], ["x", 0, 0], [1, 2, 3], deep),
            {"class_name": "Dense", "config": {}},
            {"class_name": "Sequential", "config": {"layers": []}},
            {"class_name": "__lambda__", "config": {"value": "4wEAAA=="}},
            {"module": "os", "class_name": "system", "config": "true", "registered_name": "x"},
            {"class_name": "__tensor__", "config": {"value": [[1.0]], "dtype": "float32"}},
        )
    )


def _slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document, as a container and a key."""
    todo = [value]
    while todo:
        container = todo.pop()
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for key, item in items:
            yield container, key
            if isinstance(item, dict | list):
                todo.append(item)


def _damaged_document(value: Any, rng: Random) -> tuple[Any, str]:
    """A JSON document with wrong types, lost and foreign parts."""
    document = copy.deepcopy(value)
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not isinstance(document, dict | list) or not document:
            break
        slots = list(_slots(document))
        container, key = rng.choice(slots)
        other_container, other = rng.choice(slots)
        what = rng.choice(("value", "value", "lost", "foreign", "foreign", "renamed", "nudged"))
        done.append(f"{what} {key!r}")
        if what == "lost":
            del container[key]
        elif what == "foreign":
            with contextlib.suppress(RecursionError):
                container[key] = copy.deepcopy(other_container[other])
        elif what == "renamed" and isinstance(container, dict):
            container[str(other)] = container.pop(key)
        elif what == "nudged" and type(container[key]) in (int, float):
            container[key] = rng.choice((-1, 2, 0.5, 10**9)) * container[key] + rng.choice(
                (0, 1, -1)
            )
        else:
            container[key] = _values(rng)
    return document, ", ".join(done)


def _damaged_json(data: bytes, rng: Random) -> tuple[bytes, str]:
    text, what = _damaged_text(data.decode(), rng)
    return text.encode("utf-8", "surrogatepass"), what


def _damaged_text(text: str, rng: Random) -> tuple[str, str]:
    original = json.loads(text)
    if _has_graph(original) and rng.random() < 0.6:
        what = damaged_graph_json(original, rng)
        return json.dumps(original), what
    document, what = _damaged_document(original, rng)
    try:
        return json.dumps(document, ensure_ascii=rng.random() < 0.5), what
    except RecursionError:
        return "[" * 100_000, "nested deeply"


def _has_graph(document: Any) -> bool:
    topology = document.get("modelTopology") if isinstance(document, dict) else None
    return isinstance(topology, dict) and "node" in topology


# Zip archives


def _damaged_zip(data: bytes, rng: Random) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    index = rng.randrange(len(members))
    name, content = members[index]
    what = rng.choice(("content", "content", "content", "content", "lost", "name", "twice"))
    if what == "content":
        change = _structure_of(content) if rng.random() < 0.8 else None
        content, detail = (change or damaged_bytes)(content, rng)
        members[index] = (name, content)
        what = f"{name}: {detail}"
    elif what == "lost":
        del members[index]
    elif what == "name":
        members[index] = (
            rng.choice(("../x", "/x", "x", "config.json/x", "C:x", name[:-1])),
            content,
        )
    else:
        members.append((f"{name}/more" if rng.random() < 0.5 else f"{name} ", content))
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue(), what


# HDF5


def _damaged_hdf5(data: bytes, rng: Random) -> tuple[bytes, str]:
    image = io.BytesIO(data)
    with h5py.File(image, "r+") as file:
        objects = [file]
        file.visititems(lambda name, item: objects.append(item))
        target = rng.choice(objects)
        changes = [_change_attribute] * 4 if target.attrs else []
        if target != file:
            changes += [_lose, _replace, _link]
        change = rng.choice(changes or [_add])
        what = f"{target.name}: {change(file, target, rng)}"
    return image.getvalue(), what


def _change_attribute(file: h5py.File, target: h5py.Group, rng: Random) -> str:
    name = rng.choice(list(target.attrs))
    value = target.attrs[name]
    text = value.decode() if isinstance(value, bytes) else value
    if isinstance(text, str) and text.startswith("{") and rng.random() < 0.9:
        text, what = _damaged_text(text, rng)
        with contextlib.suppress(OSError):  # an attribute has 64 KiB at most
            target.attrs[name] = np.bytes_(text.encode("utf-8", "surrogatepass"))
        return f"{name}: {what}"
    if rng.random() < 0.2:
        del target.attrs[name]
        return f"{name} lost"
    other = rng.choice(list(target.attrs))
    target.attrs[name] = rng.choice(
        (
            *(0, -1, 2**63 - 1, 0.5, math.nan, True, "", "x", "a/../b", b"\xff\xfe", [b"x", b"x"]),
            *([], [""], ["/"], [b"d/kernel:0"], np.zeros((2, 2)), [1, 2], target.attrs[other]),
            *(np.array(["a", "b"], dtype=h5py.string_dtype()), h5py.Empty("S1"), np.void(b"x")),
        )
    )
    return f"{name} is something else"


def _lose(file: h5py.File, target: Any, rng: Random) -> str:
    del file[target.name]
    return "lost"


def _replace(file: h5py.File, target: Any, rng: Random) -> str:
    name = target.name
    shape = target.shape if isinstance(target, h5py.Dataset) else (2, 3)
    del file[name]
    what = rng.choice(
        ("dtype", "shape", "absurd", "strings", "compound", "group", "empty", "packed")
    )
    if what == "dtype":
        dtype = rng.choice(("<f8", ">f4", "<i8", "<u1", "<f2", "V2", "?", "<c8", "V7", "<f16"))
        file.create_dataset(name, shape, dtype)
    elif what == "shape":
        file.create_dataset(
            name, rng.choice(((), (0,), (1,), (2, 2), shape[::-1], (1,) * 20)), "<f4"
        )
    elif what == "absurd":
        size = rng.choice(((1 << 40,), (1 << 20, 1 << 20), (3, 1 << 61), (1 << 31, 0)))
        chunks = tuple(min(entry or 1, 16) for entry in size)
        file.create_dataset(name, size, "<f4", chunks=chunks, maxshape=(None,) * len(size))
    elif what == "strings":
        file.create_dataset(name, data=["a", "ß"], dtype=h5py.string_dtype())
    elif what == "compound":
        file.create_dataset(name, (2,), np.dtype([("a", "<f4"), ("b", "<i4")]))
    elif what == "group":
        file.create_group(name)
    elif what == "empty":
        file[name] = h5py.Empty("f4")
    else:
        file.create_dataset(
            name, shape or (1,), "<f4", chunks=True, compression="gzip", shuffle=True
        )
    return what


def _link(file: h5py.File, target: Any, rng: Random) -> str:
    name = target.name
    del file[name]
    what = rng.choice(("soft", "loop", "root", "external", "external data", "virtual"))
    if what == "external":
        file[name] = h5py.ExternalLink("/etc/passwd", "/x")
    elif what == "external data":
        file.create_dataset(name, (2, 2), "<f4", external=[("/etc/passwd", 0, 16)])
    elif what == "virtual":
        layout = h5py.VirtualLayout((2, 2), "<f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2, 2))
        file.create_virtual_dataset(name, layout)
    elif what == "root":
        file[name] = file["/"]
    else:
        file[name] = h5py.SoftLink(name if what == "loop" else "/nothing")
    return what


def _add(file: h5py.File, target: Any, rng: Random) -> str:
    file.create_dataset("more/vars/0", data=np.zeros((2, 2), "<f4"))
    return "more/vars/0"


# Metadata of Keras in SavedModels


def _damaged_metadata(data: bytes, rng: Random) -> tuple[bytes, str]:
    """`keras_metadata.pb` with damage to the JSON of one object, or to its path."""
    message: Any = message_class(_KERAS_METADATA)()
    message.ParseFromString(data)
    node = rng.choice(message.nodes)
    if rng.random() < 0.15:
        node.node_path = rng.choice(("root", "", "root.layer-0", "root.layer_with_weights-9", "."))
        return message.SerializeToString(), "node_path"
    text, what = _damaged_text(node.metadata, rng)
    node.metadata = text.encode("utf-8", "replace").decode()
    return message.SerializeToString(), f"{node.node_path}: {what}"


_STRUCTURES: tuple[tuple[bytes, _Change], ...] = (
    (b"{", _damaged_json),
    (b"[", _damaged_json),
    (b"\x89HDF\r\n\x1a\n", _damaged_hdf5),
    (b"PK\x03\x04", _damaged_zip),
)
