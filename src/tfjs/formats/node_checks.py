"""Whether nodes are what the signatures of their operations, and of functions, ask for.

TensorFlow refuses other graphs when it loads them (tensorflow/core/framework/node_def_util.cc,
common_runtime/graph_constructor.cc); what comes after the reading relies on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfjs.ir.graph import Attrs, Dims, FuncRef, Graph, Node, Value
from tfjs.ir.tensor import Tensor
from tfjs.ops.definitions import Definition

_PYTHON: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "string": bytes,
    "type": str,
    "shape": Dims,
    "func": FuncRef,
    "tensor": Tensor,
}
_LOOPS = frozenset({"While", "StatelessWhile"})
_CHOICES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
# The functions that a node runs with what it is given.
RUNS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), ("f",)),
    **dict.fromkeys(_LOOPS, ("cond", "body")),
    **dict.fromkeys(("If", "StatelessIf"), ("then_branch", "else_branch")),
    **dict.fromkeys(("Case", "StatelessCase"), ("branches",)),
}


def check_attrs(op: str, known: Definition, attrs: Attrs, *, complete: bool) -> None:
    """Check that attributes are there and have the types that a signature tells.

    Args:
        op: the operation.
        known: its signature.
        attrs: the attributes with their defaults.
        complete: whether all must be there.

    Raises:
        ValueError: one is missing, or is something else.
    """
    for name, kind in known.attr_types.items():
        if name not in attrs:
            if complete:
                raise ValueError(f"has no attribute {name!r}, which {op} needs")
        elif not _is(attrs[name], kind):
            raise ValueError(f"has no {kind} as its attribute {name!r}")
    tensor = attrs.get("value")
    if op == "Const" and isinstance(tensor, Tensor) and tensor.dtype != _held(attrs.get("dtype")):
        raise ValueError(f"is a constant of dtype {attrs.get('dtype')} and holds {tensor.dtype}")


def check_inputs(node: Node, wanted: Sequence[str | None]) -> None:
    """Check the dtypes of what a node reads.

    Raises:
        ValueError: one is another than wanted; None stands for any.
    """
    for value, dtype in zip(node.inputs, wanted, strict=True):
        if None not in (value.dtype, dtype) and value.dtype != dtype:
            raise ValueError(f"takes {dtype}, but {value.name!r} gives {value.dtype}")


def check_functions(node: Node, functions: Mapping[str, Graph], *, dtypes: bool) -> None:
    """Check that a node fits the functions that it calls or chooses from.

    Args:
        node: any node.
        functions: all that it refers to.
        dtypes: whether dtypes must be the same too.

    Raises:
        ValueError: it hands over, or takes, other values than one of them.
    """
    bodies = [functions[name] for name in _run_by(node)]
    given = node.inputs[1:] if node.op in _CHOICES else node.inputs
    for place, body in enumerate(bodies):
        taken = [entry.output for entry in body.inputs]
        fits = _alike(given, taken, dtypes=dtypes)
        if node.op in _LOOPS and place == 0:
            fits = fits and len(body.outputs) == 1
        else:
            fits = fits and _alike(body.outputs, node.outputs, dtypes=dtypes)
        if not fits:
            raise ValueError(f"does not fit the function {body.name!r} that it runs")


def _run_by(node: Node) -> list[str]:
    names = []
    for key in RUNS.get(node.op, ()):
        found = node.attrs.get(key)
        references = found if isinstance(found, list) else [found]
        told = [item.name for item in references if isinstance(item, FuncRef)]
        if not told or len(told) < len(references):
            raise ValueError(f"has no function as its attribute {key!r}")
        names += told
    return names


def _alike(given: Sequence[Value], taken: Sequence[Value], *, dtypes: bool) -> bool:
    if len(given) != len(taken):
        return False
    pairs = zip(given, taken, strict=True)
    return not dtypes or all(
        None in (one.dtype, other.dtype) or one.dtype == other.dtype for one, other in pairs
    )


def _is(value: Any, kind: str) -> bool:
    if kind.startswith("list("):
        return isinstance(value, list) and all(_is(item, kind[5:-1]) for item in value)
    wanted = _PYTHON.get(kind)
    # A bool is an int to Python; signatures of a file's own may name types that nobody knows.
    return wanted is None or (
        isinstance(value, wanted) and (kind == "bool" or not isinstance(value, bool))
    )


def _held(dtype: Any) -> Any:
    """The dtype of the numbers of a constant: those of bfloat16 are read as float32."""
    return "float32" if dtype == "bfloat16" else dtype
