"""SavedModels, frozen graphs and modules of TensorFlow Hub to TF.js graph models.

Loops take the form that TF.js runs best, unless `control_flow_v2` asks for functions; `experiments`
is taken and changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import tfjs
from tfjs.errors import UnsupportedError
from tfjs.formats.base import DEFAULT_SHARD_SIZE

_Path = str | os.PathLike[str]


def convert_tf_saved_model(
    saved_model_dir: _Path,
    output_dir: _Path,
    signature_def: str = "serving_default",
    saved_model_tags: str = "serve",
    quantization_dtype_map: Mapping[Any, Any] | None = None,
    skip_op_check: bool = False,
    strip_debug_ops: bool = False,
    use_structured_outputs_names: bool = False,
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE,
    control_flow_v2: bool = False,
    experiments: bool = False,
    metadata: Mapping[str, Any] | None = None,
    frozen_graph_dir: _Path | None = None,
) -> None:
    """Convert a SavedModel of TensorFlow 1 or 2.

    Args:
        saved_model_dir: its folder.
        output_dir: folder for `model.json` and the weight files.
        signature_def: the signature.
        saved_model_tags: comma-separated tags of the metagraph; may be empty.
        quantization_dtype_map: which weights to store in fewer bytes.
        skip_op_check: keep operations that TF.js does not know, for a page that registers them.
        strip_debug_ops: leave out operations that only print.
        use_structured_outputs_names: let `predict` answer with an object by output name.
        weight_shard_size_bytes: largest size of a weight file.
        control_flow_v2: keep branches and loops as functions.
        experiments: changes nothing.
        metadata: user-defined metadata.
        frozen_graph_dir: not supported.

    Raises:
        FormatError: the source is missing, damaged or unsafe.
        UnsupportedError: TF.js cannot compute the graph, or `frozen_graph_dir` is given.
        UsageError: the folder is a file, or there is no such signature.
    """
    if frozen_graph_dir is not None:
        raise UnsupportedError(
            "frozen_graph_dir is not supported: no frozen GraphDef is made on the way",
            hint="leave it out; the graph model in output_dir holds the frozen graph",
        )
    tfjs.convert(
        saved_model_dir,
        output_dir,
        from_="saved-model",
        to="tfjs-graph",
        signature=signature_def,
        saved_model_tags=_names(saved_model_tags),
        structured_outputs=use_structured_outputs_names,
        control_flow=_control_flow(control_flow_v2),
        **_common(
            quantization_dtype_map,
            skip_op_check,
            strip_debug_ops,
            weight_shard_size_bytes,
            metadata,
        ),
    )


def convert_tf_frozen_model(
    frozen_model_path: _Path,
    output_node_names: str,
    output_dir: _Path,
    quantization_dtype_map: Mapping[Any, Any] | None = None,
    skip_op_check: bool = False,
    strip_debug_ops: bool = False,
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE,
    experiments: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Convert a frozen graph of TensorFlow 1.

    Args:
        frozen_model_path: the `.pb` file.
        output_node_names: comma-separated names of its output nodes.
        output_dir: as in `convert_tf_saved_model`, as are the others.
        quantization_dtype_map: which weights to store in fewer bytes.
        skip_op_check: keep operations that TF.js does not know.
        strip_debug_ops: leave out operations that only print.
        weight_shard_size_bytes: largest size of a weight file.
        experiments: changes nothing.
        metadata: user-defined metadata.

    Raises:
        FormatError: the source is missing or damaged, or has no such node.
        UnsupportedError: TF.js cannot compute the graph.
        UsageError: the folder is a file.
    """
    tfjs.convert(
        frozen_model_path,
        output_dir,
        from_="frozen-graph",
        to="tfjs-graph",
        output_node_names=_names(output_node_names),
        **_common(
            quantization_dtype_map,
            skip_op_check,
            strip_debug_ops,
            weight_shard_size_bytes,
            metadata,
        ),
    )


def convert_tf_hub_module(
    module_handle: _Path,
    output_dir: _Path,
    signature: str = "default",
    saved_model_tags: str = "serve",
    quantization_dtype_map: Mapping[Any, Any] | None = None,
    skip_op_check: bool = False,
    strip_debug_ops: bool = False,
    use_structured_outputs_names: bool = False,
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE,
    control_flow_v2: bool = False,
    experiments: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Convert a module of TensorFlow Hub.

    Args:
        module_handle: its folder or archive, or its address on the web.
        output_dir: as in `convert_tf_saved_model`, as are the others.
        signature: the signature; "default" stands for the usual one of the module.
        saved_model_tags: comma-separated tags of the metagraph; "serve" stands for the usual one.
        quantization_dtype_map: which weights to store in fewer bytes.
        skip_op_check: keep operations that TF.js does not know.
        strip_debug_ops: leave out operations that only print.
        use_structured_outputs_names: let `predict` answer with an object by output name.
        weight_shard_size_bytes: largest size of a weight file.
        control_flow_v2: keep branches and loops as functions.
        experiments: changes nothing.
        metadata: user-defined metadata.

    Raises:
        FormatError: the module is missing, damaged or unsafe.
        UnsupportedError: TF.js cannot compute the graph.
        UsageError: the folder is a file, or there is no such signature.
    """
    tfjs.convert(
        module_handle,
        output_dir,
        from_="tf-hub",
        to="tfjs-graph",
        # A module of TF 2 has its usual signature and metagraph under other names than one of TF 1.
        signature=None if signature == "default" else signature,
        saved_model_tags=None if saved_model_tags == "serve" else _names(saved_model_tags),
        structured_outputs=use_structured_outputs_names,
        control_flow=_control_flow(control_flow_v2),
        **_common(
            quantization_dtype_map,
            skip_op_check,
            strip_debug_ops,
            weight_shard_size_bytes,
            metadata,
        ),
    )


def _common(
    quantization: Mapping[Any, Any] | None,
    skip_op_check: bool,
    strip_debug_ops: bool,
    shard_size: int,
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "quantize": quantization,
        "skip_op_check": skip_op_check,
        "strip_debug_ops": strip_debug_ops,
        "shard_size": shard_size,
        "metadata": metadata,
    }


def _control_flow(v2: bool) -> Literal["auto", "v2"]:
    return "v2" if v2 else "auto"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
