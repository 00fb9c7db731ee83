"""What TensorFlow computes for a case of an operation."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from tests.support.op_cases import Case
from tfjs.ir.graph import Dims
from tfjs.ir.tensor import Array
from tfjs.ops.definitions import definition


def run_tensorflow(tensorflow: ModuleType, case: Case) -> list[Array]:
    """The outputs of TensorFlow's own kernel on the CPU.

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
