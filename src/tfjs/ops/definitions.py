"""The signatures of TensorFlow's operations: arguments, attributes, defaults.

The table in `data/tensorflow.json` is made by `tools/facts/tensorflow_ops.py` from TensorFlow's own
registry. Files bring signatures of their own for operations that it does not know.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from tfjs.ir.dtypes import BY_ENUM
from tfjs.ir.graph import Attrs, Dims

# No operation has more outputs than this; a file that says so is damaged.
MOST_OUTPUTS = 1 << 16


class Argument(NamedTuple):
    """One argument of an operation, which may stand for several values.

    Attributes:
        name: its name.
        dtype: its dtype where that is fixed.
        dtype_attr: the attribute that holds its dtype.
        number_attr: the attribute that tells how many values it is.
        dtypes_attr: the attribute with the dtype of each of its values.
    """

    name: str
    dtype: str | None = None
    dtype_attr: str | None = None
    number_attr: str | None = None
    dtypes_attr: str | None = None

    def dtypes(self, attrs: Mapping[str, Any]) -> list[str | None]:
        """The dtype of each value that it stands for.

        Raises:
            ValueError: the attributes do not tell how many there are.
        """
        if self.dtypes_attr is not None:
            found = attrs.get(self.dtypes_attr)
            if not isinstance(found, list):
                raise ValueError(f"has no list of dtypes {self.dtypes_attr}")
            return list(found)
        dtype = self.dtype if self.dtype_attr is None else attrs.get(self.dtype_attr)
        count = 1 if self.number_attr is None else attrs.get(self.number_attr)
        if type(count) is not int or not 0 <= count <= MOST_OUTPUTS:
            raise ValueError(f"has {self.number_attr}={count!r}")
        return [dtype if isinstance(dtype, str) else None] * count


@dataclass(frozen=True, slots=True)
class Definition:
    """The signature of an operation.

    Attributes:
        name: its name.
        inputs: its arguments.
        outputs: what it gives.
        attr_types: the type of each attribute, as "int" or "list(shape)".
        defaults: the attributes that nodes may leave out.
        stateful: whether it does more than compute its outputs.
    """

    name: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    attr_types: Mapping[str, str]
    defaults: Attrs
    stateful: bool = False

    def output_dtypes(self, attrs: Mapping[str, Any]) -> list[str | None]:
        """The dtype of each output of a node; raises ValueError for attributes that do not fit."""
        return _dtypes(self.outputs, attrs)

    def input_dtypes(self, attrs: Mapping[str, Any]) -> list[str | None]:
        """The dtype of each input of a node; raises ValueError for attributes that do not fit."""
        return _dtypes(self.inputs, attrs)

    def attrs_of(self, dtypes: Sequence[str | None], attrs: Mapping[str, Any]) -> Attrs:
        """Attributes with those that the inputs tell: their dtypes, and how many they are.

        Args:
            dtypes: of the inputs.
            attrs: what is given; it stays as it is.
        """
        found = dict(attrs)
        several = [entry for entry in self.inputs if entry.number_attr or entry.dtypes_attr]
        # Which of two lists an input belongs to, only the attributes tell.
        spare = len(dtypes) - (len(self.inputs) - len(several)) if len(several) == 1 else 1
        index = 0
        for entry in self.inputs:
            count = spare if entry in several else 1
            own = list(dtypes[index : index + count])
            index += count
            if entry.number_attr is not None:
                found.setdefault(entry.number_attr, count)
            if entry.dtypes_attr is not None:
                found.setdefault(entry.dtypes_attr, own)
            if entry.dtype_attr is not None and own:
                found.setdefault(entry.dtype_attr, own[0])
        return found

    def first_output(self, argument: str, attrs: Mapping[str, Any]) -> int:
        """Index of the first output of an argument, for references such as `node:argument:0`.

        Raises:
            ValueError: there is no such argument.
        """
        index = 0
        for entry in self.outputs:
            if entry.name == argument:
                return index
            index += len(entry.dtypes(attrs))
        raise ValueError(f"has no output {argument!r}")


def _dtypes(arguments: Sequence[Argument], attrs: Mapping[str, Any]) -> list[str | None]:
    if len(arguments) == 1:
        return arguments[0].dtypes(attrs)
    return [dtype for argument in arguments for dtype in argument.dtypes(attrs)]


@cache
def definition(op: str) -> Definition | None:
    """The signature of one of TensorFlow's operations; None for one that it does not have."""
    return _parsed(op) if op in _table() else None


@cache
def built_definition(op: str) -> Definition | None:
    """The signature of an operation that a graph for TF.js can be built of.

    TF.js has a few that TensorFlow has not, under a name of their own or at all.
    """
    if op == "FusedDepthwiseConv2dNative":
        return _parsed(f"_{op}")
    if op == "Prelu":
        return replace(_parsed("Maximum"), name=op)
    return definition(op)


def all_definitions() -> Iterator[Definition]:
    """Every signature."""
    return (_parsed(name) for name in _table())


def default_of(kind: str, value: Mapping[str, Any]) -> Any:
    """A default in the JSON form of an AttrValue, as an attribute.

    Args:
        kind: the type of the attribute.
        value: such as `{"i": "1"}` or `{"list": {"type": ["DT_FLOAT"]}}`.
    """
    if kind.startswith("list("):
        items: Sequence[Any] = next(iter(value.get("list", {}).values()), [])
        return [_scalar(kind[5:-1], item) for item in items]
    return _scalar(kind, next(iter(value.values())))


def _scalar(kind: str, value: Any) -> Any:
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "string":
        return base64.b64decode(value)
    if kind == "type":
        return BY_ENUM.get(value)
    if kind == "shape":
        if value.get("unknownRank"):
            return Dims(None)
        sizes = [int(dim.get("size", 0)) for dim in value.get("dim", [])]
        return Dims(tuple(None if size < 0 else size for size in sizes))
    return value


@cache
def _table() -> dict[str, Any]:
    file = resources.files("tfjs.ops").joinpath("data", "tensorflow.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["ops"]
    return found


def _parsed(op: str) -> Definition:
    entry = _table()[op]
    kinds = {name: told[0] for name, told in entry["attrs"].items()}
    return Definition(
        name=op,
        inputs=tuple(_argument(*told) for told in entry["inputs"]),
        outputs=tuple(_argument(*told) for told in entry["outputs"]),
        attr_types=kinds,
        defaults={
            name: default_of(told[0], told[1])
            for name, told in entry["attrs"].items()
            if len(told) > 1
        },
        stateful=entry.get("stateful", False),
    )


def _argument(name: str, kind: str, value: str, number: str | None = None) -> Argument:
    if kind == "types":
        return Argument(name, dtypes_attr=value)
    if kind == "type":
        return Argument(name, dtype_attr=value, number_attr=number)
    return Argument(name, dtype=BY_ENUM.get(value), number_attr=number)
