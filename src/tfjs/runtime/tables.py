"""Hash tables, which live as long as what runs the model.

Tables of one name, or of one shared name, are one table. TF.js goes by the name of the node alone,
gives what it finds as a vector whatever shape the keys have, and replaces the contents of a table
by what is imported (tfjs-converter 4.22, executor/hash_table.ts).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node
from tfjs.ir.tensor import Array
from tfjs.passes.tables import read_vocabulary
from tfjs.runtime.modes import Mode
from tfjs.runtime.values import Handle, Kernel, dtype_of

MAKERS = frozenset(
    {"HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2"}
    | {"AnonymousHashTable", "AnonymousMutableHashTable"}
)
# What gives a table its contents.
IMPORTS = frozenset(
    {"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"}
)
FROM_FILES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
# A NaN is no key of a dict that would be found again.
_NAN = object()


class Table(Handle):
    """A table of scalars, or of vectors by scalar keys.

    Args:
        key_dtype: the dtype of its keys.
        value_dtype: the dtype of its values.
    """

    __slots__ = ("key_dtype", "places", "value_dtype", "values")

    def __init__(self, key_dtype: str, value_dtype: str) -> None:
        self.key_dtype = key_dtype
        self.value_dtype = value_dtype
        self.places: dict[Any, int] = {}
        self.values: Array | None = None

    def fill(self, keys: Array, values: Array) -> None:
        """Put keys and values in the place of what it held.

        Raises:
            ValueError: their dtypes are others, or they are not as many.
        """
        self._check(keys, values)
        flat = _flat(keys)
        if values.ndim < 1 or len(flat) != len(values):
            raise ValueError(f"{len(flat)} keys for values of shape {list(values.shape)}")
        self.places = {key: place for place, key in enumerate(flat)}
        self.values = values

    def find(self, keys: Array, default: Array) -> Array:
        """The value of each key, on a single first axis; the default where there is none."""
        self._check(keys, default)
        found = [self.places.get(key, -1) for key in _flat(keys)]
        rest = () if self.values is None else self.values.shape[1:]
        result = np.empty((len(found), *rest), default.dtype)
        result[...] = default
        if self.values is not None and self.places:
            places = np.array(found, np.int64)
            there = places >= 0
            result[there] = self.values[places[there]]
        return result

    def _check(self, keys: Array, values: Array) -> None:
        told = (self.key_dtype, self.value_dtype)
        given = (dtype_of(keys), dtype_of(values))
        if given != told:
            raise ValueError(f"{' and '.join(given)} for a table of {' and '.join(told)}")


def _flat(keys: Array) -> list[Any]:
    items = keys.reshape(-1).tolist()
    if keys.dtype.kind != "f":
        return items
    return [key if key == key else _NAN for key in items]


class Tables:
    """All tables of a model.

    Args:
        mode: how the model is computed.
        assets: the files that tables are filled from, by what the graph calls them.
    """

    def __init__(self, mode: Mode, assets: Mapping[str, Path]) -> None:
        self._mode = mode
        self._assets = assets
        self._named: dict[tuple[str, bytes], Table] = {}

    def kernel(self, node: Node) -> Kernel | None:
        """What an operation on tables computes; None for any other."""
        if node.op in MAKERS:
            table = self._of(node)
            return lambda attrs, *inputs: table
        if node.op in FROM_FILES:
            return lambda attrs, table, file: self._read(node, table, file)
        if node.op in IMPORTS:
            return _import
        if node.op in ("LookupTableFind", "LookupTableFindV2"):
            return _find_tfjs if self._mode.as_tfjs else _find
        if node.op in ("LookupTableSize", "LookupTableSizeV2"):
            return _size_tfjs if self._mode.as_tfjs else _size
        return None

    def _of(self, node: Node) -> Table:
        names = [("node", node.name.encode())]
        shared = node.attrs.get("shared_name")
        if isinstance(shared, bytes) and shared:
            names.append(("shared", shared))
        table = next((self._named[name] for name in names if name in self._named), None)
        if table is None:
            dtypes = [str(node.attrs.get(name)) for name in ("key_dtype", "value_dtype")]
            table = Table(*(self._mode.dtype(dtype) for dtype in dtypes))
        for name in names:
            self._named[name] = table
        return table

    def _read(self, node: Node, table: Table, file: Array) -> tuple[Any, ...]:
        name = bytes(file.item()).decode(errors="replace") if file.size == 1 else ""
        path = self._assets.get(name)
        if path is None:
            raise ValueError(f"the file {name!r} is not among the assets")
        # The table itself tells the dtypes, wherever it was made.
        found = read_vocabulary(path, node.attrs, (table.key_dtype, table.value_dtype))
        table.fill(*found)
        return ()


def _import(attrs: Attrs, table: Table, keys: Array, values: Array) -> tuple[Any, ...]:
    table.fill(keys, values)
    return (table,)


def _find(attrs: Attrs, table: Table, keys: Array, default: Array) -> Array:
    found = table.find(keys, default)
    return found.reshape(keys.shape + found.shape[1:])


def _find_tfjs(attrs: Attrs, table: Table, keys: Array, default: Array) -> Array:
    if not keys.size:
        raise ValueError("TF.js finds nothing for no keys at all")
    return table.find(keys, default)


def _size(attrs: Attrs, table: Table) -> Array:
    return np.array(len(table.places), np.int64)


def _size_tfjs(attrs: Attrs, table: Table) -> Array:
    return np.array(len(table.places), np.int32)
