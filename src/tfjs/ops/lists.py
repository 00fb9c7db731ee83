"""Lists and arrays of tensors, stacks and tables: only what shapes they give."""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.ir.graph import Node, Shape
from tfjs.ops.base import as_first, declare, unknown
from tfjs.ops.passing import attr_shape
from tfjs.ops.shapes import asked_shape, same_shape

# Lists -------------------------------------------------------------------------------------------


def _scalar(node: Node) -> list[Shape]:
    return [()]


declare(
    *("EmptyTensorList", "TensorListConcatLists", "TensorListFromTensor", "TensorListLength"),
    *("TensorListPushBack", "TensorListReserve", "TensorListResize", "TensorListScatter"),
    *("TensorListScatterIntoExistingList", "TensorListScatterV2", "TensorListSetItem"),
    "TensorListSplit",
    infer=_scalar,
)
declare("TensorListPushBackBatch", infer=as_first)
declare("TensorListElementShape", infer=unknown())
declare("TensorListGetItem", infer=lambda node: [asked_shape(node, 2)])
declare("TensorListPopBack", infer=lambda node: [(), asked_shape(node, 1)])


def _rows(count: int | None, element: Shape) -> list[Shape]:
    return [None if element is None else (count, *element)]


def _stacked(node: Node) -> list[Shape]:
    count = node.attrs.get("num_elements", -1)
    return _rows(None if count < 0 else count, asked_shape(node, 1))


def _gathered(node: Node) -> list[Shape]:
    indices = node.inputs[1].shape
    return _rows(indices[0] if indices else None, asked_shape(node, 2))


declare("TensorListStack", infer=_stacked)
declare("TensorListGather", infer=_gathered)


def _concatenated(element: Shape) -> list[Shape]:
    return [None if not element else (None, *element[1:]), (None,)]


declare("TensorListConcat", infer=lambda n: _concatenated(attr_shape(n.attrs, "element_shape")))
declare("TensorListConcatV2", infer=lambda node: _concatenated(asked_shape(node, 1)))


# Arrays ------------------------------------------------------------------------------------------


def _of_array(node: Node) -> Shape:
    """The shape of the elements, where the maker of the array is in sight."""
    maker = node.inputs[0].node
    made = maker.op.startswith("TensorArray") and not maker.op.startswith("TensorArrayGrad")
    return attr_shape(maker.attrs, "element_shape") if made else None


def _read(node: Node) -> list[Shape]:
    return [_of_array(node)]


def _array_gathered(node: Node) -> list[Shape]:
    indices = node.inputs[1].shape
    element = same_shape(attr_shape(node.attrs, "element_shape"), _of_array(node))
    return _rows(indices[0] if indices else None, element)


def _array_concatenated(node: Node) -> list[Shape]:
    rest = attr_shape(node.attrs, "element_shape_except0")
    return [None if rest is None else (None, *rest), (None,)]


for _version in ("", "V2", "V3"):
    # The handle of the first two is a name and a key.
    declare(
        f"TensorArray{_version}",
        infer=lambda node: [(2,), ()] if node.op == "TensorArrayV3" else [(2,)],
    )
    declare(f"TensorArrayRead{_version}", infer=_read)
    declare(f"TensorArrayGather{_version}", infer=_array_gathered)
    declare(f"TensorArrayConcat{_version}", infer=_array_concatenated)
    declare(
        *(f"TensorArray{what}{_version}" for what in ("Write", "Scatter", "Split", "Size")),
        infer=_scalar,
    )
    declare(f"TensorArrayClose{_version}", infer=lambda node: [])

# Stacks ------------------------------------------------------------------------------------------

declare("StackV2", infer=unknown())
declare("StackPushV2", infer=lambda node: [node.inputs[1].shape])
declare("StackPopV2", infer=unknown())
declare("StackCloseV2", infer=lambda node: [])

# Tables ------------------------------------------------------------------------------------------

_OF_SCALARS = frozenset({"HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2"})
declare("HashTable", "MutableHashTable", infer=lambda node: [(2,)])
declare(
    *("AnonymousHashTable", "AnonymousMutableDenseHashTable", "AnonymousMutableHashTable"),
    *("AnonymousMutableHashTableOfTensors", "HashTableV2", "MutableDenseHashTableV2"),
    *("MutableHashTableOfTensorsV2", "MutableHashTableV2"),
    infer=_scalar,
)


def _found(node: Node) -> list[Shape]:
    # Other tables have vectors as keys or values.
    scalars = node.inputs[0].node.op in _OF_SCALARS
    return [node.inputs[1].shape if scalars else None]


declare("LookupTableFind", "LookupTableFindV2", infer=_found)
declare("LookupTableSize", "LookupTableSizeV2", infer=_scalar)


def _exported(node: Node) -> Sequence[Shape]:
    return [(None,), (None,)] if node.inputs[0].node.op in _OF_SCALARS else [None, None]


declare("LookupTableExport", "LookupTableExportV2", infer=_exported)
declare(
    *("InitializeTable", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2"),
    *("InitializeTableV2", "LookupTableImport", "LookupTableImportV2", "LookupTableInsert"),
    *("LookupTableInsertV2", "LookupTableRemoveV2"),
    infer=lambda node: [],
)
