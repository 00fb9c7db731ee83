"""Modules as TensorFlow Hub has them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.saved_models import edit, save_v1


def of_tf1(tf: ModuleType, folder: Path) -> Path:
    """A module of TF 1: no tags, no saver, the signature `default`, parts of a variable."""

    def build(v1: Any) -> Any:
        x = v1.placeholder(v1.float32, [None, 4], name="x")
        parts = v1.fixed_size_partitioner(2)
        made = v1.constant_initializer(0.5)
        w = v1.get_variable("module/w", [4, 3], initializer=made, partitioner=parts)
        b = v1.get_variable("module/b", initializer=[1.0, 2.0, 3.0])
        return {"images": x}, {"default": v1.matmul(x, v1.identity(w)) + b}

    save_v1(tf, folder, build, tags=())
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")

    def change(graph: Any) -> None:
        graph.ClearField("saver_def")
        graph.signature_def["default"].CopyFrom(graph.signature_def.pop("serving_default"))

    return edit(folder, change)


def of_tf2(tf: ModuleType, folder: Path) -> Path:
    """A module of TF 2: a plain SavedModel."""

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.v = tf.Variable([1.5, 2.5], name="v")

        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def __call__(self, images: Any) -> Any:
            return images * self.v

    tf.saved_model.save(Module(), str(folder))
    return folder


def archive(folder: Path, name: str = ".") -> bytes:
    """A `.tar.gz` of a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.add(folder, name)
    return out.getvalue()
