"""Variables and tables of TF1 become those of TF2, and large constants variables."""

from __future__ import annotations

from collections.abc import Container, Iterable

from tfjs.ir.graph import Attrs, Dims, Graph, GraphModel, Node, Type
from tfjs.ir.tensor import FLOATS, Tensor
from tfjs.ops.definitions import definition
from tfjs.passes.freeze import REFERENCES
from tfjs.passes.inline import inline_calls
from tfjs.passes.rules import Problem

# Constants of fewer elements stay in the graph: bounds, scales, small biases.
LEAST_STORED = 1024
# Those that take a reference to change what it refers to.
_WRITES = ("Assign", "Scatter", "CountUpTo", "Apply", "SparseApply", "DestroyTemporaryVariable")
_OF_TABLES = frozenset(
    {"HashTable", "MutableHashTable", "InitializeTable", "InitializeTableFromTextFile"}
    | {"LookupTableFind", "LookupTableImport", "LookupTableInsert", "LookupTableSize"}
    | {"LookupTableExport"}
)
# What fills a table at once: which takes a table that never changes, and which any other.
_FILLS = {
    "InitializeTableV2": ("LookupTableImportV2", {"Tkey": "Tin", "Tval": "Tout"}),
    "LookupTableImportV2": ("InitializeTableV2", {"Tin": "Tkey", "Tout": "Tval"}),
    "LookupTableInsertV2": ("InitializeTableV2", {"Tin": "Tkey", "Tout": "Tval"}),
}
_FIXED = "HashTableV2"


def settle_assets(model: GraphModel) -> None:
    """Let the paths of files stand in constants, in place.

    TensorFlow 2 puts them into variables of its initializer. Only where a constant names a file
    does a loader put in where the file is.
    """
    names = {name.encode() for name in model.assets}
    held = {name for name, tensor in model.variables.items() if _names_one(tensor, names)}
    if not held:
        return
    # Functions get such variables handed over.
    inline_calls(model)
    graphs = [model.graph] if model.initializer is None else [model.graph, model.initializer]
    for graph in graphs:
        for name in sorted(held & graph.nodes.keys()):
            _put_constant(graph, graph.nodes[name], model.variables[name])
    model.variables = {name: it for name, it in model.variables.items() if name not in held}


def _names_one(tensor: Tensor, names: Container[bytes]) -> bool:
    if tensor.dtype != "string" or tensor.size != 1:
        return False
    return tensor.array().reshape(-1)[0] in names


def _put_constant(graph: Graph, handle: Node, tensor: Tensor) -> None:
    constant = graph.constant(tensor, name=f"{handle.name}/path", origin=handle.origin)
    for reader, _ in list(handle.output.uses):
        if reader.op == "ReadVariableOp":
            graph.replace(reader.output, constant)


def settle_resources(model: GraphModel) -> list[Problem]:
    """Let variables and tables be resources.

    Returns:
        The variables that cannot be, as the graph changes them.
    """
    problems = []
    graphs = [model.graph, *model.functions.values()]
    for graph in graphs if model.initializer is None else [*graphs, model.initializer]:
        for node in list(graph.nodes.values()):
            if node.op in REFERENCES:
                problems += _refer_no_more(graph, node)
            elif node.op in _OF_TABLES:
                _settle_table(node)
        for node in graph.nodes.values():
            _settle_filling(node)
    return problems


def _refer_no_more(graph: Graph, node: Node) -> list[Problem]:
    writers = [reader for reader, _ in node.output.uses if reader.op.startswith(_WRITES)]
    if writers:
        reason = f"is changed by {writers[0].name!r} when the model runs"
        return [Problem(node.op, node.name, reason, "export the model for inference")]
    dtype, shape = node.attrs.get("dtype"), node.attrs.get("shape")
    attrs: Attrs = {"dtype": dtype, "shape": shape if isinstance(shape, Dims) else Dims(None)}
    attrs["shared_name"] = node.attrs.get("shared_name") or node.name.encode()
    value = _read(graph, node, attrs, node.output.type)
    node.op, node.attrs = "VarHandleOp", attrs
    node.output.dtype, node.output.shape = "resource", ()
    graph.set_inputs(value, [node.output])
    return []


def _read(graph: Graph, node: Node, attrs: Attrs, type_: Type) -> Node:
    """A ReadVariableOp, to which all readers of a node turn."""
    name = f"{node.name}/Read/ReadVariableOp"
    made = graph.add("ReadVariableOp", [], {"dtype": attrs["dtype"]}, [type_], name=name)
    graph.replace(node.output, made.output)
    return made


def _settle_table(node: Node) -> None:
    """The second version of operations on tables, whose handles are resources."""
    node.op = f"{node.op}V2"
    known = definition(node.op)
    if known is not None and known.outputs and known.outputs[0].dtype == "resource":
        node.output.dtype = "resource"


def _settle_filling(node: Node) -> None:
    fixed = bool(node.inputs) and node.inputs[0].node.op == _FIXED
    other = _FILLS.get(node.op)
    if other is None or fixed == (node.op == "InitializeTableV2"):
        return
    node.op, names = other
    node.attrs = {names.get(name, name): value for name, value in node.attrs.items()}


def store_constants(model: GraphModel) -> int:
    """Make the large float constants of the main graph variables, in place.

    A graph cannot hold more than 2 GB, a checkpoint can; and tools of TensorFlow look for a
    model's weights among its variables.

    Returns:
        How many.
    """
    graph = model.graph
    found = list(_large(graph))
    for node in found:
        tensor = node.attrs["value"]
        attrs: Attrs = {"dtype": node.attrs["dtype"], "shape": Dims(tensor.shape)}
        attrs["shared_name"] = node.name.encode()
        value = _read(graph, node, attrs, Type(node.attrs["dtype"], tensor.shape))
        node.op, node.attrs = "VarHandleOp", attrs
        node.output.dtype, node.output.shape = "resource", ()
        graph.set_inputs(value, [node.output])
        model.variables[node.name] = tensor
    return len(found)


def _large(graph: Graph) -> Iterable[Node]:
    for node in graph.nodes.values():
        tensor = node.attrs.get("value") if node.op == "Const" else None
        # One that waits for others may be in a loop, which a variable cannot be.
        if node.controls:
            continue
        if tensor is not None and tensor.size >= LEAST_STORED and tensor.dtype in FLOATS:
            yield node
