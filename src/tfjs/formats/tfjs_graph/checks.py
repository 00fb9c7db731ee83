"""What TF.js takes for granted of a graph, and would answer wrongly or not at all without.

The passes see to it; what is found here is a mistake of theirs (`runtime_contract.md` 1 and 7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tfjs.errors import ConversionError, UnsupportedError
from tfjs.formats.tfjs_graph.attrs import unknown_dtypes
from tfjs.ir.graph import Graph, GraphModel, Node, held
from tfjs.ir.tensor import Tensor
from tfjs.ops.support import DTYPES, tfjs_op, unsafe_name, usable


def place(graph: Graph, node: Node) -> str:
    """What messages call a node."""
    return f"node {node.name!r}" + (f" of the function {graph.name!r}" if graph.name else "")


def called(graph: Graph) -> Iterator[str]:
    """The names of the functions that the nodes of a graph refer to, in order."""
    # Nearly all nodes call none.
    calling = [node for node in graph.nodes.values() if held(node)]
    for node in graph.ordered() if len(calling) > 1 else calling:
        yield from (reference.name for reference in held(node))


def reached(graphs: Iterable[Graph], functions: Mapping[str, Graph]) -> list[Graph]:
    """The functions that graphs call, and those that they call in turn, each once.

    Raises:
        ConversionError: one is missing.
    """
    found: dict[str, Graph] = {}
    left = [*graphs]
    for graph in left:
        for name in called(graph):
            if name in found:
                continue
            if name not in functions:
                raise ConversionError(f"the function {name!r} is called, but is not there")
            found[name] = functions[name]
            left.append(functions[name])
    return list(found.values())


def check(model: GraphModel, graphs: Iterable[Graph], *, skip_op_check: bool) -> None:
    """See that TF.js can run the graphs.

    Args:
        model: the model.
        graphs: its main graph, initializer and functions, as far as they are written.
        skip_op_check: let operations pass that TF.js does not know.

    Raises:
        ConversionError: it cannot.
        UnsupportedError: it cannot have a key of the signature.
    """
    graphs = list(graphs)
    for graph in graphs:
        if graph.targets and graph is not model.initializer:
            raise ConversionError("TF.js runs no nodes but for their outputs", where=repr(graph))
        for node in graph.nodes.values():
            _check_node(graph, node, skip_op_check=skip_op_check)
        if graph is not model.initializer:
            _check_ports(graph)
    _check_weights(graphs)
    _check_keys(model)


def _check_node(graph: Graph, node: Node, *, skip_op_check: bool) -> None:
    problem = _problem(node, skip_op_check=skip_op_check)
    if problem is not None:
        raise ConversionError(problem, where=place(graph, node))


def _problem(node: Node, *, skip_op_check: bool) -> str | None:
    unsafe = unsafe_name(node.name)
    if unsafe is not None:
        return f"TF.js cannot have a node of this name: {unsafe}"
    if node.controls:
        return "waits for other nodes, which TF.js takes for inputs"
    if not usable(node.op):
        return None if skip_op_check else f"TF.js has no operation {node.op}"
    unknown = unknown_dtypes(node)
    if node.op == "Const":
        tensor = node.attrs.get("value")
        if not isinstance(tensor, Tensor):
            return "has no value"
        unknown += [tensor.dtype] if tensor.dtype not in DTYPES else []
    return f"TF.js has no dtype {unknown[0]}" if unknown else None


def _check_body(graph: Graph, node: Node) -> None:
    """What TF.js runs in the main graph only."""
    where = place(graph, node)
    op = tfjs_op(node.op)
    if op is not None and op.category == "hash_table":
        raise ConversionError(
            "TF.js finds no tables from within a function",
            where=where,
            hint="let --control-flow be auto or v1",
        )
    if not node.inputs and node.op != "Const":
        raise ConversionError(
            "reads nothing, and TF.js never starts such a node in a function", where=where
        )


def _check_ports(graph: Graph) -> None:
    inputs = set(graph.inputs)
    for value in graph.outputs if not graph.name else ():
        # TF.js looks outputs up by the key of the input; of constants it gives away its own copy.
        if value.node in inputs or value.node.op == "Const":
            raise ConversionError(
                f"is an output and {'an input' if value.node in inputs else 'a constant'}",
                where=place(graph, value.node),
            )
    for node, count in Counter(value.node for value in graph.outputs).items():
        if count > 1:
            raise ConversionError(
                "gives several outputs of the graph, of which TF.js keeps one",
                where=place(graph, node),
            )
    for node in graph.inputs:
        if node.inputs:
            raise ConversionError("is an input and reads something", where=place(graph, node))
    for node in graph.nodes.values() if graph.name else ():
        if node not in inputs:
            _check_body(graph, node)


def _check_weights(graphs: Iterable[Graph]) -> None:
    """TF.js has one map of weights for all graphs, and looks every node up in it."""
    weights: dict[str, Tensor] = {}
    for graph in graphs:
        for node in graph.nodes.values():
            if node.op == "Const":
                tensor = node.attrs["value"]
                if weights.setdefault(node.name, tensor) is not tensor:
                    raise ConversionError(f"two constants are named {node.name!r}")
    for graph in graphs:
        arguments = set(graph.inputs) if graph.name else set()
        for node in graph.nodes.values():
            if node.op != "Const" and node.name in weights and node not in arguments:
                raise ConversionError(
                    "has the name of a constant, whose value TF.js would take",
                    where=place(graph, node),
                )


def _check_keys(model: GraphModel) -> None:
    graph, signature = model.graph, model.signature
    for what, keys, count in (
        ("inputs", signature.inputs, len(graph.inputs)),
        ("outputs", signature.outputs, len(graph.outputs)),
    ):
        if len(keys) != count:
            raise ConversionError(f"the signature names {len(keys)} {what}, the graph has {count}")
        if len(set(keys)) != len(keys):
            raise ConversionError(f"two {what} of the signature have the same name")
        for key in keys:
            if key == "__proto__":
                raise UnsupportedError(f"TF.js cannot have {what} called {key!r}")
