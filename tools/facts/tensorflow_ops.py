#!/usr/bin/env python3
"""Writes src/tfjs/ops/data/tensorflow.json: the signature of every operation of TensorFlow.

Run it with TensorFlow installed: `.venv-test/bin/python tools/facts/tensorflow_ops.py`.
The source is the registry of TensorFlow itself (`TF_GetAllOpList`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEST = Path(__file__).parents[2] / "src/tfjs/ops/data/tensorflow.json"
# Operations that only a compiler, a TPU, a training loop or a collective uses.
LEFT_OUT = ("Xla", "TPU", "Collective", "Nccl", "_Mkl", "_Tpu", "_XLA", "Dataset", "Iterator")


def argument(arg: Any) -> list[str]:
    """`[name, kind, value]`: a dtype, or the attribute that tells dtype, number or dtypes."""
    from tensorflow.core.framework import types_pb2

    if arg.type_list_attr:
        return [arg.name, "types", arg.type_list_attr]
    name = types_pb2.DataType.Name(arg.type)
    kind = ["type", arg.type_attr] if arg.type_attr else ["dtype", name]
    return [arg.name, *kind, *([arg.number_attr] if arg.number_attr else [])]


def default(attr: Any) -> Any:
    """The default of an attribute in JSON; None where it has none that we read."""
    from google.protobuf import json_format

    if not attr.HasField("default_value"):
        return None
    return json_format.MessageToDict(attr.default_value)


def main() -> None:
    """Reads the registry and writes the file."""
    import tensorflow as tf
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    ops = op_def_pb2.OpList()
    buffer = pywrap_tf_session.TF_GetAllOpList()
    ops.ParseFromString(pywrap_tf_session.TF_GetBuffer(buffer))
    table = {}
    for op in sorted(ops.op, key=lambda op: op.name):
        if any(word in op.name for word in LEFT_OUT):
            continue
        entry: dict[str, Any] = {
            "inputs": [argument(arg) for arg in op.input_arg],
            "outputs": [argument(arg) for arg in op.output_arg],
            "attrs": {
                attr.name: [attr.type, *([default(attr)] if default(attr) is not None else [])]
                for attr in op.attr
            },
        }
        if op.is_stateful:
            entry["stateful"] = True
        table[op.name] = entry
    lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in table.items()]
    meta = json.dumps({"tensorflow": tf.__version__})
    text = '{"meta": ' + meta + ',\n"ops": {\n' + ",\n".join(lines) + "\n}}\n"
    DEST.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
