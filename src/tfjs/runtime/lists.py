"""Lists of tensors.

In TensorFlow a list is a value: what changes one gives another (tensorflow/core/kernels/
list_kernels.cc). TF.js changes the list itself, whoever else holds it, knows no items before they
are written, and throws where one is missing (tfjs-converter 4.22, executor/tensor_list.ts and
operations/executors/control_executor.ts).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Dims, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.passing import attr_shape
from tfjs.runtime.values import (
    Handle,
    Kernel,
    dtype_of,
    known,
    merged,
    must_know,
    number,
    numbers,
    shown,
    told_shape,
    zeros,
)

# More items than this no model has; a graph that asks for them is damaged.
MOST_ITEMS = 1 << 24

_Item = Any  # an array, another list, or None where nothing was written
_GONE = object()


class TensorList(Handle):
    """A list at one point of a run.

    Only the newest of the lists that come from one another holds the items. Older ones hold what
    brings theirs back, so that writing an item takes the same time however long the list is.

    Args:
        items: the items; None where nothing was written.
        dtype: the dtype of all.
        shape: the shape of each, as far as it is known.
        most: how many items it may have; -1 for any number.
        in_place: whether changes change this list, and give no other.
    """

    __slots__ = ("_items", "_newer", "_undo", "dtype", "in_place", "most", "shape")

    def __init__(
        self,
        items: list[_Item],
        dtype: str,
        shape: Shape,
        *,
        most: int = -1,
        in_place: bool = False,
    ) -> None:
        self._items: list[_Item] | None = items
        self._newer: TensorList | None = None
        self._undo: tuple[int, _Item] = (0, None)
        self.dtype = dtype
        self.shape = shape
        self.most = most
        self.in_place = in_place

    def items(self) -> list[_Item]:
        """All items, for reading."""
        chain: list[TensorList] = []
        node = self
        while node._newer is not None:
            chain.append(node)
            node = node._newer
        for older in reversed(chain):
            items = node._items
            assert items is not None
            node._items, node._newer, node._undo = None, older, _change(items, *older._undo)
            older._items, older._newer = items, None
            node = older
        assert self._items is not None
        return self._items

    def put(self, index: int, item: _Item) -> TensorList:
        """The list with another item in a place, or behind the last one."""
        items = self.items()
        undo = _change(items, index, item)
        if self.in_place:
            return self
        newer = self.like(items)
        self._items, self._newer, self._undo = None, newer, undo
        return newer

    def popped(self) -> TensorList:
        """The list without its last item."""
        return self.put(len(self.items()) - 1, _GONE)

    def like(self, items: list[_Item]) -> TensorList:
        """A list of other items of the same kind."""
        return TensorList(items, self.dtype, self.shape, most=self.most, in_place=self.in_place)


def _change(items: list[_Item], index: int, item: _Item) -> tuple[int, _Item]:
    """Change items in place; gives the change that undoes it."""
    if index == len(items):
        items.append(item)
        return index, _GONE
    old = items[index]
    if item is _GONE:
        items.pop()
    else:
        items[index] = item
    return index, old


def list_kernels(*, as_tfjs: bool) -> dict[str, Kernel]:
    """What operations on lists compute."""
    ops = _TfjsLists() if as_tfjs else _Lists()
    return {
        "EmptyTensorList": ops.empty,
        "TensorListConcat": ops.concat,
        "TensorListConcatLists": ops.concat_lists,
        "TensorListConcatV2": ops.concat,
        "TensorListElementShape": ops.element_shape,
        "TensorListFromTensor": ops.from_tensor,
        "TensorListGather": ops.gather,
        "TensorListGetItem": ops.get_item,
        "TensorListLength": ops.length,
        "TensorListPopBack": ops.pop_back,
        "TensorListPushBack": ops.push_back,
        "TensorListReserve": ops.reserve,
        "TensorListResize": ops.resize,
        "TensorListScatter": ops.scatter,
        "TensorListScatterIntoExistingList": ops.scatter_into,
        "TensorListScatterV2": ops.scatter,
        "TensorListSetItem": ops.set_item,
        "TensorListSplit": ops.split,
        "TensorListStack": ops.stack,
    }


class _Lists:
    """Lists as TensorFlow has them."""

    in_place = False

    # Making ----------------------------------------------------------------------------------

    def empty(self, attrs: Attrs, shape: Array, most: Array) -> TensorList:
        return self._new([], attrs["element_dtype"], told_shape(shape), number(most))

    def reserve(self, attrs: Attrs, shape: Array, count: Array) -> TensorList:
        return self._new([None] * _size(number(count)), attrs["element_dtype"], told_shape(shape))

    def from_tensor(self, attrs: Attrs, tensor: Array, shape: Array) -> TensorList:
        if tensor.ndim < 1:
            raise ValueError("a list is made of a scalar")
        told = told_shape(shape)
        merged(told, tensor.shape[1:])
        self._check_dtype(attrs, tensor)
        return self._new(rows(tensor), dtype_of(tensor), told)

    def split(self, attrs: Attrs, tensor: Array, shape: Array, lengths: Array) -> TensorList:
        sizes = numbers(lengths)
        told = told_shape(shape)
        items = [self._piece(piece, told) for piece in pieces(tensor, sizes)]
        return self._new(items, dtype_of(tensor), told)

    def scatter(
        self, attrs: Attrs, tensor: Array, indices: Array, shape: Array, *count: Array
    ) -> TensorList:
        places = numbers(indices)
        most = number(count[0]) if count else -1
        if tensor.ndim < 1 or len(places) != len(tensor):
            raise ValueError(f"{len(places)} places for a tensor of shape {shown(tensor.shape)}")
        size = max(places, default=-1) + 1
        if 0 <= most < size:
            raise ValueError(f"place {size - 1} in a list of {most} items")
        made = self._new([], dtype_of(tensor), told_shape(shape), most)
        return self._written(made, places, tensor, size if self.in_place else max(size, most))

    def resize(self, attrs: Attrs, items: TensorList, size: Array) -> TensorList:
        wanted = _size(number(size))
        found = items.items()[:wanted]
        return items.like(found + [None] * (wanted - len(found)))

    def concat_lists(self, attrs: Attrs, one: TensorList, other: TensorList) -> TensorList:
        return one.like([*one.items(), *other.items()])

    # Changing --------------------------------------------------------------------------------

    def set_item(self, attrs: Attrs, items: TensorList, index: Array, item: _Item) -> TensorList:
        place = number(index)
        self._check_item(items, item)
        count = len(items.items())
        if place >= count and attrs.get("resize_if_index_out_of_bounds"):
            for between in range(count, _size(place)):
                items = items.put(between, None)
        elif not 0 <= place < count:
            raise ValueError(f"item {place} of a list of {count}")
        return items.put(place, item)

    def push_back(self, attrs: Attrs, items: TensorList, item: _Item) -> TensorList:
        self._check_item(items, item)
        count = len(items.items())
        if count in (items.most, MOST_ITEMS):
            raise ValueError(f"the list is full: it has {count} items")
        return items.put(count, item)

    def pop_back(self, attrs: Attrs, items: TensorList, shape: Array) -> tuple[Any, ...]:
        last = len(items.items()) - 1
        if last < 0:
            raise ValueError("the list is empty")
        item = self._item(items, last, told_shape(shape))
        return items.popped(), item

    def scatter_into(
        self, attrs: Attrs, items: TensorList, tensor: Array, indices: Array
    ) -> TensorList:
        places = numbers(indices)
        if tensor.ndim < 1 or len(places) != len(tensor):
            raise ValueError(f"{len(places)} places for a tensor of shape {shown(tensor.shape)}")
        return self._written(items, places, tensor, max(places, default=-1) + 1)

    # Reading ---------------------------------------------------------------------------------

    def length(self, attrs: Attrs, items: TensorList) -> Array:
        return np.array(len(items.items()), np.int32)

    def element_shape(self, attrs: Attrs, items: TensorList) -> Array:
        dtype = attrs.get("shape_type", "int32")
        if items.shape is None:
            return np.array(-1, dtype)
        return np.array([-1 if size is None else size for size in items.shape], dtype)

    def get_item(self, attrs: Attrs, items: TensorList, index: Array, shape: Array) -> _Item:
        self._check_read(attrs, items)
        return self._item(items, number(index), told_shape(shape))

    def stack(self, attrs: Attrs, items: TensorList, shape: Array) -> Array:
        self._check_read(attrs, items)
        count, wanted = len(items.items()), attrs.get("num_elements", -1)
        if wanted not in (-1, count):
            raise ValueError(f"a list of {wanted} items was expected, and it has {count}")
        return self._stacked(items, range(count), told_shape(shape))

    def gather(self, attrs: Attrs, items: TensorList, indices: Array, shape: Array) -> Array:
        self._check_read(attrs, items)
        return self._stacked(items, numbers(indices), told_shape(shape))

    def concat(
        self, attrs: Attrs, items: TensorList, *told: Array
    ) -> tuple[Array, Array] | tuple[Array]:
        """TensorListConcatV2 is told the shape of the items, and the sizes of those missing."""
        shape = told_shape(told[0]) if told else attr_shape(attrs, "element_shape")
        rest = None if shape is None else (None, *shape[1:])
        sizes = numbers(told[1]) if len(told) > 1 else []
        found = []
        for index, item in enumerate(items.items()):
            if item is None and index < len(sizes):
                wanted = merged(items.shape, rest)
                row = None if wanted is None else (sizes[index], *wanted[1:])
                item = zeros(known(row), items.dtype)
            found.append(self._item(items, index, rest) if item is None else item)
        lengths = np.array([_rows(item) for item in found], np.int64)
        if not found:
            inner = merged(items.shape, rest)
            return zeros((0, *must_know(inner)[1:]), items.dtype), lengths
        return np.concatenate(found), lengths

    # Parts -----------------------------------------------------------------------------------

    def _new(self, items: list[_Item], dtype: str, shape: Shape, most: int = -1) -> TensorList:
        return TensorList(items, dtype, shape, most=most, in_place=self.in_place)

    def _written(
        self, items: TensorList, places: Sequence[int], tensor: Array, size: int
    ) -> TensorList:
        found = list(items.items())
        found += [None] * (_size(size) - len(found))
        for place, item in zip(places, rows(tensor), strict=True):
            if place < 0:
                raise ValueError(f"item {place} of a list")
            found[place] = item
        return items.like(found)

    def _item(self, items: TensorList, index: int, told: Shape) -> _Item:
        found = items.items()
        if not 0 <= index < len(found):
            raise ValueError(f"item {index} of a list of {len(found)}")
        item = found[index]
        if item is None:
            return zeros(self._shape(items, told), items.dtype)
        if isinstance(item, np.ndarray):
            merged(told, item.shape)
        return item

    def _shape(self, items: TensorList, told: Shape) -> tuple[int, ...]:
        """The shape of items that nothing was written to."""
        shape = merged(items.shape, told)
        if known(shape) is None:
            for item in items.items():
                if isinstance(item, np.ndarray):
                    shape = merged(shape, item.shape)
        return must_know(shape)

    def _stacked(self, items: TensorList, indices: Iterable[int], told: Shape) -> Array:
        found = [self._item(items, index, told) for index in indices]
        if not found:
            return zeros((0, *self._shape(items, told)), items.dtype)
        return np.stack(found)

    def _piece(self, piece: Array, told: Shape) -> Array:
        merged(told, piece.shape)
        return piece

    def _check_item(self, items: TensorList, item: _Item) -> None:
        if isinstance(item, np.ndarray):
            merged(items.shape, item.shape)

    def _check_dtype(self, attrs: Attrs, tensor: Array) -> None:
        """TensorFlow's graphs hold what their attributes tell."""

    def _check_read(self, attrs: Attrs, items: TensorList) -> None:
        """The same."""


class _TfjsLists(_Lists):
    """Lists as TF.js has them."""

    in_place = True

    def reserve(self, attrs: Attrs, shape: Array, count: Array) -> TensorList:
        return self._new([], attrs["element_dtype"], told_shape(shape))

    def set_item(self, attrs: Attrs, items: TensorList, index: Array, item: _Item) -> TensorList:
        place = number(index)
        self._check_item(items, item)
        if place < 0 or (items.most != -1 and place >= items.most):
            raise ValueError(f"item {place} of a list of at most {items.most}")
        found = items.items()
        if place > len(found):
            found += [None] * (_size(place) - len(found))
        return items.put(place, item)

    def pop_back(self, attrs: Attrs, items: TensorList, shape: Array) -> tuple[Any, ...]:
        """The item alone, as its first output."""
        self._check_read(attrs, items)
        _, item = super().pop_back(attrs, items, shape)
        return (item,)

    def stack(self, attrs: Attrs, items: TensorList, shape: Array) -> Array:
        self._check_read(attrs, items)
        if not items.items():
            raise ValueError("TF.js stacks no empty list")
        return self._stacked(items, range(len(items.items())), told_shape(shape))

    def gather(self, attrs: Attrs, items: TensorList, indices: Array, shape: Array) -> Array:
        """No more items than the list has; of none it makes float32."""
        self._check_read(attrs, items)
        places = numbers(indices)[: len(items.items())]
        if not places:
            return np.zeros((0, *self._shape(items, told_shape(shape))), np.float32)
        return self._stacked(items, places, told_shape(shape))

    def concat(
        self, attrs: Attrs, items: TensorList, *told: Array
    ) -> tuple[Array, Array] | tuple[Array]:
        """It reads the attribute `element_shape`, and takes all items for equally large."""
        if not isinstance(attrs.get("element_shape"), Dims):
            raise ValueError("TF.js needs the attribute element_shape")
        shape = self._shape(items, attr_shape(attrs, "element_shape"))
        found = [self._item(items, index, shape) for index in range(len(items.items()))]
        if not found:
            return (np.zeros((0, *shape), np.float32),)
        return (np.concatenate(found),)

    def _item(self, items: TensorList, index: int, told: Shape) -> _Item:
        found = items.items()
        if not 0 <= index < len(found) or found[index] is None:
            raise ValueError(f"item {index} of a list of {len(found)} was never written")
        item: Array = found[index]
        merged(merged(items.shape, told), item.shape)
        return item

    def _piece(self, piece: Array, told: Shape) -> Array:
        """It leaves out the size of the piece itself."""
        shape = must_know(merged(piece.shape[1:], told))
        return piece.reshape(shape)

    def _check_item(self, items: TensorList, item: _Item) -> None:
        if dtype_of(item) != items.dtype:
            raise ValueError(f"a {dtype_of(item)} is written to a list of {items.dtype}")
        super()._check_item(items, item)

    def _check_dtype(self, attrs: Attrs, tensor: Array) -> None:
        told = attrs.get("element_dtype")
        if told is not None and told != dtype_of(tensor):
            raise ValueError(f"a list of {told} is made of {dtype_of(tensor)}")

    def _check_read(self, attrs: Attrs, items: TensorList) -> None:
        told = attrs.get("element_dtype")
        if told is not None and told != items.dtype:
            raise ValueError(f"{told} is read from a list of {items.dtype}")


def rows(tensor: Array) -> list[Array]:
    """A tensor taken apart along its first axis."""
    return [tensor[index, ...] for index in range(len(tensor))]


def pieces(tensor: Array, sizes: Sequence[int]) -> list[Array]:
    """A tensor cut along its first axis.

    Raises:
        ValueError: the sizes are not those of the axis.
    """
    if tensor.ndim < 1 or sum(sizes) != len(tensor) or any(size < 0 for size in sizes):
        raise ValueError(f"a tensor of shape {shown(tensor.shape)} has no pieces of {sizes[:10]}")
    starts = np.cumsum([0, *sizes]).tolist()
    return [tensor[start : start + size] for start, size in zip(starts, sizes, strict=False)]


def _size(count: int) -> int:
    if not 0 <= count <= MOST_ITEMS:
        raise ValueError(f"a list of {count} items")
    return count


def _rows(item: _Item) -> int:
    if not isinstance(item, np.ndarray) or item.ndim < 1:
        raise ValueError("items that are scalars have no rows to put together")
    return len(item)
