"""What TensorFlow computes for a case of an operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from tests.support import graph_seeds
from tests.support.op_cases import Case, case
from tfjs.ir.graph import Dims
from tfjs.ir.tensor import Array
from tfjs.ops.definitions import definition

# What TensorFlow runs in graphs only: in those of a producer that still had it, or rewritten.
IN_OLD_GRAPHS = frozenset(
    {"AccumulateNV2", "BatchCholesky", "BatchMatrixBandPart", "BatchMatrixDeterminant"}
    | {"BatchMatrixDiag", "BatchMatrixDiagPart", "BatchMatrixInverse", "BatchMatrixSetDiag"}
    | {"BatchMatrixSolve", "BatchMatrixSolveLs", "BatchMatrixTriangularSolve"}
    | {"BatchNormWithGlobalNormalization", "BatchSelfAdjointEigV2", "BatchSvd"}
    | {"Conv3DBackpropFilter", "Conv3DBackpropInput", "QuantizeAndDequantize"}
)
# A producer before the first of them was removed, which was in version 9.
_OLD_PRODUCER = 8


def _with_sizes(given: Case, op: str) -> Case:
    """The case with the shape of its first input in the place of that input."""
    sizes = np.array(given.inputs[0].shape, np.int32)
    return replace(given, op=op, inputs=(sizes, *given.inputs[1:]))


_XLA_ONLY = "TensorFlow compiles it with XLA and has no kernel of it"
_GPU_ONLY = "TensorFlow's only kernel of it is for GPUs"
# What TensorFlow runs nowhere on a CPU -> why, and a case whose answers are the same.
TWINS: dict[str, tuple[str, Callable[[Case], Case]]] = {
    "TopK": (
        "TensorFlow 2.21 registers its kernel for an attribute that it does not have",
        lambda given: case("TopKV2", given.inputs[0], given.attrs["k"]),
    ),
    **{
        f"Segment{how}V2": (
            _XLA_ONLY,
            lambda given: replace(given, op="Unsorted" + given.op.removesuffix("V2")),
        )
        for how in ("Sum", "Prod", "Min", "Max")
    },
    **{
        f"Batch{kind}{suffix}": (
            _GPU_ONLY,
            lambda given: case(given.op.removeprefix("Batch"), given.inputs[0]),
        )
        for kind in ("FFT", "IFFT")
        for suffix in ("", "2D", "3D")
    },
    "Conv2DBackpropInputV2": (
        "TensorFlow's only kernel of it is for oneDNN",
        lambda given: _with_sizes(given, "Conv2DBackpropInput"),
    ),
}


def run_tensorflow(tensorflow: ModuleType, case: Case) -> list[Array]:
    """The outputs of TensorFlow's own kernel on the CPU; of that of a twin where it has none.

    Raises:
        ValueError: TensorFlow refuses it.
    """
    if case.op in TWINS:
        return run_eagerly(tensorflow, TWINS[case.op][1](case))
    if case.op in IN_OLD_GRAPHS:
        return run_old_graph(tensorflow, case)
    return run_eagerly(tensorflow, case)


def run_old_graph(tensorflow: ModuleType, case: Case) -> list[Array]:
    """The outputs of TensorFlow's kernel in a graph of a producer that still had it.

    Raises:
        ValueError: TensorFlow refuses it.
    """
    message = graph_seeds.graph_def()
    message.versions.producer = _OLD_PRODUCER
    names = [f"x{index}" for index in range(len(case.inputs))]
    for index, name in enumerate(names):
        graph_seeds.const(message.node, name, case.inputs[index], case.dtype(index))
    attrs = {name: _seed_attr(value) for name, value in case.attrs.items()}
    graph_seeds.node(message.node, case.op, "node", *names, **attrs)
    v1 = tensorflow.compat.v1
    with v1.Graph().as_default() as graph:
        try:
            v1.import_graph_def(v1.GraphDef.FromString(message.SerializeToString()), name="")
            with v1.Session() as session:
                found = session.run(list(graph.get_operation_by_name("node").outputs))
        except (tensorflow.errors.OpError, ValueError) as error:
            raise ValueError(str(error)) from None
    return [np.asarray(item) for item in found]


def _seed_attr(value: Any) -> Any:
    return tuple(value.dims or ()) if isinstance(value, Dims) else value


def run_eagerly(tensorflow: ModuleType, case: Case) -> list[Array]:
    """The outputs of TensorFlow's own kernel, as its eager mode has it.

    Raises:
        ValueError: TensorFlow refuses it.
    """
    from tensorflow.python.eager import context, execute

    known = definition(case.op)
    assert known is not None
    attrs: list[Any] = []
    for name, kind in known.attr_types.items():
        if name in case.attrs:
            attrs += [name, _attr(tensorflow, kind, case.attrs[name])]
    tensors = [
        tensorflow.constant(array, tensorflow.as_dtype(_tf_name(case.dtype(index))))
        for index, array in enumerate(case.inputs)
    ]
    count = len(known.output_dtypes(case.attrs))
    context.ensure_initialized()
    try:
        results = execute.quick_execute(
            case.op, count, tensors, attrs=tuple(attrs), ctx=context.context()
        )
    except (tensorflow.errors.OpError, TypeError) as error:
        raise ValueError(str(error)) from None
    return [_numbers(tensorflow, result) for result in results]


def _numbers(tensorflow: ModuleType, result: Any) -> Array:
    if result.dtype == tensorflow.bfloat16:
        result = tensorflow.cast(result, tensorflow.float32)
    return np.asarray(result.numpy(), object if result.dtype == tensorflow.string else None)


def _tf_name(dtype: str) -> str:
    return {"float16": "half"}.get(dtype, dtype)


def _attr(tensorflow: ModuleType, kind: str, value: Any) -> Any:
    if kind.startswith("list("):
        return [_attr(tensorflow, kind[5:-1], item) for item in value]
    if kind == "type":
        return tensorflow.as_dtype(_tf_name(value)).as_datatype_enum
    if kind == "shape":
        assert isinstance(value, Dims)
        return None if value.dims is None else [-1 if s is None else s for s in value.dims]
    return value
