"""What a user feeds, checked against what the graph takes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.errors import UsageError
from tfjs.ir.graph import GraphModel, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.runtime.modes import Mode
from tfjs.runtime.values import described, shown

_STRINGS = "OSU"


class Inputs:
    """The inputs of a model.

    Args:
        model: the model.
        mode: how it is computed.
    """

    def __init__(self, model: GraphModel, mode: Mode) -> None:
        self._mode = mode
        self._keys = dict(zip(model.signature.inputs, model.graph.inputs, strict=False))
        self._own = model.graph.inputs
        self._nodes = model.graph.nodes
        self._key_of = {node: key for key, node in self._keys.items()}

    def take(
        self, feeds: Mapping[str, npt.ArrayLike], wanted: Mapping[Node, bool]
    ) -> dict[Node, Array]:
        """What is fed to each node.

        Args:
            feeds: arrays by key of the signature, or by name of the node.
            wanted: the nodes that the plan needs, and whether they can do without.

        Raises:
            UsageError: an input is missing, unknown, fed twice, or does not take what is fed.
        """
        found: dict[Node, Array] = {}
        for name, given in feeds.items():
            node = self._node(name, wanted)
            if node in found:
                raise UsageError(f"the input {self._told(node)} is fed twice")
            found[node] = self._array(node, given)
        missing = [
            self._told(node)
            for node, optional in wanted.items()
            if not optional and node not in found
        ]
        if missing:
            plural = "s" if len(missing) > 1 else ""
            raise UsageError(
                f"nothing is fed to the input{plural} {', '.join(missing)}",
                hint=f"the inputs are {', '.join(self._all(wanted))}",
            )
        return found

    def _node(self, name: str, wanted: Mapping[Node, bool]) -> Node:
        node = self._keys.get(name) or self._nodes.get(name.removesuffix(":0"))
        if node is not None and (node in wanted or node in self._own):
            return node
        keys = [*self._keys, *(node.name for node in self._own)]
        near = difflib.get_close_matches(name, keys, 1)
        raise UsageError(
            f"the model has no input {name!r}",
            hint=f"did you mean {near[0]!r}?"
            if near
            else f"the inputs are {', '.join(self._all(wanted)) or 'none'}",
        )

    def _all(self, wanted: Mapping[Node, bool]) -> list[str]:
        return [self._told(node) for node in dict.fromkeys([*self._own, *wanted])]

    def _told(self, node: Node) -> str:
        key = self._key_of.get(node, node.name)
        return f"{key!r} ({node.output.dtype}{shown(self._shape(node))})"

    def _shape(self, node: Node) -> Shape:
        shape = node.output.shape
        # Old graphs of TensorFlow say so where nothing is known.
        if shape == () and node.op == "Placeholder" and not self._mode.as_tfjs:
            return None
        return shape

    def _array(self, node: Node, given: npt.ArrayLike) -> Array:
        dtype = node.output.dtype
        array = _as_array(given)
        if array is None:
            raise UsageError(
                f"the input {self._told(node)} cannot take a {type(given).__name__}",
                hint="feed an array, or nested lists of numbers that make one",
            )
        shape = self._shape(node)
        fits = shape is None or (
            len(shape) == array.ndim
            and all(size in (None, there) for size, there in zip(shape, array.shape, strict=True))
        )
        if not fits:
            raise UsageError(
                f"the input {self._told(node)} cannot take shape {list(array.shape)}",
                hint=_advice(shape, array.shape),
            )
        if dtype is None:
            return array
        wanted = "string" if dtype == "string" else self._mode.dtype(dtype)
        taken = _cast(array, wanted)
        if taken is None:
            raise UsageError(
                f"the input {self._told(node)} cannot take {described(array)}",
                hint=f"cast it to {wanted} first, so that it is clear what is lost",
            )
        return taken


def _as_array(given: Any) -> Array | None:
    """What is fed as an array; None for what makes none."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError):  # nested lists of unequal lengths
        return None
    if array.dtype.kind not in _STRINGS:
        return array if array.dtype.kind in "biufc" else None
    items = np.empty(array.size, object)
    for index, item in enumerate(array.reshape(-1).tolist()):
        if not isinstance(item, str | bytes):
            return None
        items[index] = item.encode() if isinstance(item, str) else item
    return items.reshape(array.shape)


def _cast(array: Array, dtype: str) -> Array | None:
    """An array in another dtype, where that keeps its numbers; None where it might not.

    Floating point numbers may lose digits, but none may become infinite.
    """
    if (array.dtype.kind == "O") != (dtype == "string"):
        return None
    if dtype == "string" or array.dtype == dtype:
        return array
    try:
        wanted = np.dtype(dtype)
    except TypeError:  # handles
        return None
    if np.can_cast(array.dtype, wanted, "safe"):
        return array.astype(wanted)
    kinds = array.dtype.kind + wanted.kind
    if kinds not in ("ff", "cc", "ii", "iu", "ui", "uu", "if", "uf"):
        return None
    with np.errstate(all="ignore"):
        result = array.astype(wanted)
    if wanted.kind in "fc" and array.dtype.kind in "fc":
        kept = bool(np.array_equal(np.isfinite(array), np.isfinite(result)))
    else:
        # Integers in range; and as floating point numbers, those that have a place there.
        kept = bool(np.array_equal(array, result)) and _in_range(array, result)
    return result if kept else None


def _in_range(array: Array, result: Array) -> bool:
    if result.dtype.kind == "f" or not array.size:
        return True
    limits = np.iinfo(result.dtype)
    return int(array.min()) >= limits.min and int(array.max()) <= limits.max


def _advice(shape: Shape, given: tuple[int, ...]) -> str | None:
    if shape is not None and len(shape) == len(given) + 1:
        return "the first axis counts the examples: x[np.newaxis] makes a batch of one"
    return None
