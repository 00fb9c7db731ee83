"""What TF.js makes of TensorFlow's operations: what it reads of them, and where they run.

The table in `data/tfjs_4_22.json` is made by `tools/facts/tfjs_ops.mjs` from the npm packages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal, NamedTuple

# The dtypes that tensors have in TF.js (`runtime_contract.md` 1.3).
DTYPES = frozenset({"float32", "int32", "bool", "string", "complex64"})
# What TF.js makes of the others that it knows; numbers are neither wrapped nor rounded.
TAKEN_FOR = {
    "float16": "float32",
    "float64": "float32",
    "int64": "int32",
    "int8": "int32",
    "uint8": "int32",
    "complex128": "complex64",
}
# What passes handles and lists along.
HANDLES = frozenset({"resource", "variant"})

# Names that every JavaScript object has; TF.js takes nodes of these names for weights.
_INHERITED = frozenset(
    {"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"}
    | {"toString", "valueOf", "__proto__", "__defineGetter__", "__defineSetter__"}
    | {"__lookupGetter__", "__lookupSetter__"}
)
# Answers that are kept for inputs of nodes that are alike.
_MOST_KEPT = 1 << 12
_HOST_READ = frozenset({"number", "number[]", "shape", "bool[]"})


class TfjsInput(NamedTuple):
    """An input that TF.js reads.

    Attributes:
        name: its name in TF.js.
        kind: "tensor" or "tensors"; any other is read on the host, as "number[]" or "shape".
        start: its index; negative counts from the end.
        end: index behind its last value, 0 for all; None for a single one.
    """

    name: str
    kind: str
    start: int
    end: int | None = None

    @property
    def host_read(self) -> bool:
        """Whether TF.js waits for its numbers, which stalls a GPU unless they are constant."""
        return self.kind in _HOST_READ


class TfjsAttr(NamedTuple):
    """An attribute that TF.js reads.

    Attributes:
        name: its name in TF.js.
        kind: such as "number", "string[]" or "dtype".
        default: what TF.js takes where it is absent; None for nothing.
    """

    name: str
    kind: str
    default: Any = None


class Restriction(NamedTuple):
    """What an operation does otherwise in TF.js than in TensorFlow.

    Attributes:
        text: what it is, in one line.
        backends: where; all of them where empty.
        silent: whether the answer is wrong without an error.
    """

    text: str
    backends: tuple[str, ...]
    silent: bool


@dataclass(frozen=True, slots=True)
class TfjsOp:
    """What TF.js makes of an operation.

    Attributes:
        name: TensorFlow's name.
        category: TF.js's group of it, such as "convolution".
        run: "sync"; "dynamic" and "promise" make a model that only `executeAsync` and
            `predictAsync` run (`execute` refuses the first at once, the second when it gets
            there); None for what is listed but not mapped.
        inputs: what it reads.
        attrs: the attributes that it reads, by TensorFlow's name.
        kernels: the kernels that it calls.
        missing: which of them a backend lacks.
        unusable: why it does not work although it is listed; None where it does.
        restrictions: what it does otherwise than in TensorFlow.
    """

    name: str
    category: str
    run: Literal["sync", "dynamic", "promise"] | None
    inputs: tuple[TfjsInput, ...]
    attrs: Mapping[str, TfjsAttr]
    kernels: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    unusable: str | None
    restrictions: tuple[Restriction, ...]

    def host_reads(self, index: int, count: int) -> bool:
        """Whether an input is read on the host.

        Args:
            index: which input.
            count: how many the node has.
        """
        for entry in self.inputs:
            start = entry.start if entry.start >= 0 else count + entry.start
            if entry.end is None:
                found = index == start
            else:
                end = entry.end if entry.end > 0 else count + entry.end
                found = start <= index < end
            if found and entry.host_read:
                return True
        return False


@lru_cache(_MOST_KEPT)
def read_on_host(op: str, index: int, count: int) -> bool:
    """Whether TF.js reads an input of an operation on the host; see `TfjsOp.host_reads`."""
    found = tfjs_op(op)
    return found is not None and found.host_reads(index, count)


@cache
def tfjs_op(name: str) -> TfjsOp | None:
    """What TF.js makes of an operation; None for one that it does not list."""
    return _parsed(name) if name in _table()["ops"] else None


def all_tfjs_ops() -> list[TfjsOp]:
    """Every operation that TF.js lists, by name."""
    return [_parsed(name) for name in _table()["ops"]]


def backends() -> tuple[str, ...]:
    """The backends that the table knows."""
    return tuple(_table()["backends"])


def usable(name: str) -> bool:
    """Whether TF.js runs an operation: it lists some that it cannot run."""
    op = tfjs_op(name)
    return op is not None and op.unusable is None


def is_dynamic(name: str) -> bool:
    """Whether an operation makes a model that only `executeAsync` runs."""
    op = tfjs_op(name)
    return op is not None and op.run in ("dynamic", "promise")


def missing_backends(name: str) -> tuple[str, ...]:
    """The backends that lack a kernel which an operation calls."""
    op = tfjs_op(name)
    return () if op is None else tuple(op.missing)


def unsafe_name(name: str) -> str | None:
    """Why TF.js cannot have a node of that name; None where it can.

    It splits references at ":", keeps nodes and weights in objects that sort numbers first, and
    takes what such objects inherit for a weight (`runtime_contract.md` 1.1, rule F7).
    """
    if not name:
        return "it is empty"
    if ":" in name:
        return "it holds ':'"
    if name.startswith("^"):
        return "it starts with '^'"
    if name.isascii() and name.isdigit():
        return "it is a number"
    if name in _INHERITED:
        return "every JavaScript object has something of that name"
    return None


@cache
def _table() -> dict[str, Any]:
    file = resources.files("tfjs.ops").joinpath("data", "tfjs_4_22.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@cache
def _restrictions() -> dict[str, list[Restriction]]:
    found: dict[str, list[Restriction]] = {}
    for entry in _table()["restrictions"]:
        for op in entry["ops"]:
            restriction = Restriction(
                entry["text"], tuple(entry.get("backends", ())), entry.get("silent", False)
            )
            found.setdefault(op, []).append(restriction)
    return found


def _parsed(name: str) -> TfjsOp:
    entry = _table()["ops"][name]
    return TfjsOp(
        name=name,
        category=entry["category"],
        run=entry["run"],
        inputs=tuple(TfjsInput(*told) for told in entry["inputs"]),
        attrs={key: TfjsAttr(*told) for key, told in entry["attrs"].items()},
        kernels=tuple(entry["kernels"]),
        missing={backend: tuple(names) for backend, names in entry["missing"].items()},
        unusable=entry.get("unusable"),
        restrictions=tuple(_restrictions().get(name, ())),
    )
