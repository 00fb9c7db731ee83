"""The graph of a signature as a function that the main graph calls, as TensorFlow 2 has it."""

from __future__ import annotations

import re
from typing import NamedTuple

from tfjs.formats.saved_model.assembly import Assembly, Ports
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Value
from tfjs.passes.to_tensorflow.names import accepted

_CALL = "StatefulPartitionedCall"
_OUTPUT = "output_"


class Function(NamedTuple):
    """What stands for a signature.

    Attributes:
        name: the name of the function.
        ports: what the signature takes and gives; the function has them sorted by key.
        captures: the nodes of the variables that go in behind the inputs.
    """

    name: str
    ports: Ports
    captures: list[Node]


def enclose(assembly: Assembly, key: str) -> Function:
    """Move all nodes into a function, except those that make variables; in place.

    Args:
        assembly: one model; its variables are read by the main graph only.
        key: the name of its signature.
    """
    whole, ports = assembly.graph, assembly.signatures[key]
    name = f"__inference_{accepted(key)}"
    while name in assembly.functions:
        name += "_"
    body, main = Graph(name), Graph()
    body.nodes = whole.nodes
    handles = [node for node in whole.nodes.values() if node.op == "VarHandleOp"]
    captures = [node for node in handles if node.output.uses]
    for node in handles:
        del body.nodes[node.name]
        main.nodes[node.name] = node
    _name_inputs(body, ports)
    for node in captures:
        _hand_over(body, node)
    body.outputs = [ports.outputs[each] for each in sorted(ports.outputs)]
    body.output_names = [_OUTPUT + str(place) for place in range(len(body.outputs))]
    fed = {each: _placeholder(main, key, each, value) for each, value in ports.inputs.items()}
    call = main.add(
        _CALL,
        [*(fed[each] for each in sorted(fed)), *(node.output for node in captures)],
        {
            "Tin": [node.output.dtype for node in body.inputs],
            "Tout": [value.dtype for value in body.outputs],
            "f": FuncRef(name),
        },
        [value.type for value in body.outputs],
        name=_CALL,
    )
    given = dict(zip(sorted(ports.outputs), call.outputs, strict=True))
    given = {each: given[each] for each in ports.outputs}
    assembly.graph, assembly.signatures[key] = main, Ports(fed, given)
    assembly.functions[name] = body
    return Function(name, assembly.signatures[key], captures)


def _name_inputs(body: Graph, ports: Ports) -> None:
    """Make the inputs arguments: sorted by key, and named as arguments may be."""
    body.inputs = [ports.inputs[key].node for key in sorted(ports.inputs)]
    for node, key in zip(body.inputs, sorted(ports.inputs), strict=True):
        argument = re.sub(r"[^a-z0-9_]", "_", key.lower())
        name = argument if argument[:1].isalpha() else f"x{argument}"
        if node.name != name:
            body.rename(node, name)


def _hand_over(body: Graph, handle: Node) -> None:
    """Let the body read a variable by an argument."""
    attrs = {"dtype": "resource", "shape": Dims(())}
    name = f"unknown_{len(body.inputs)}"
    argument = body.add("Placeholder", [], attrs, [handle.output.type], name=name)
    body.replace(handle.output, argument.output)
    body.inputs = [*body.inputs, argument]


def _placeholder(main: Graph, key: str, port: str, value: Value) -> Value:
    attrs = {"dtype": value.dtype, "shape": Dims(value.shape)}
    name = accepted(f"{key}_{port}")
    return main.add("Placeholder", [], attrs, [value.type], name=name).output
