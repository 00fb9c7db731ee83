"""Load a model in Python: its layers, its weights as NumPy arrays, and saving it again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tfjs._convert import Opened, Report, converted, kept, local, output_path, read
from tfjs.formats.base import (
    DEFAULT_SHARD_SIZE,
    Content,
    Format,
    QuantizationMap,
    ReadOptions,
    WriteOptions,
)
from tfjs.formats.registry import reader_of
from tfjs.ir.graph import GraphModel
from tfjs.ir.layers_model import Layer, LayersModel
from tfjs.ir.tensor import Array, Tensor


class Weights(Mapping[str, Array]):
    """The weights of a model by name, read when they are asked for."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> Array:
        return self._tensors[name].array()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def tensor(self, name: str) -> Tensor:
        """The lazy tensor of that name: dtype and shape without reading."""
        return self._tensors[name]


class Model:
    """A loaded model.

    Attributes:
        content: the model in tfjs's own representation.
        format: name of the format that it was read from.
        weights: the weights by name (`dense/kernel`; nested layers by path).
    """

    def __init__(self, content: Content, source: str, reader: Format) -> None:
        self.content = content
        self.format = reader.name
        self._source = source
        self.weights = Weights(_tensors(content))

    @property
    def layers(self) -> list[Layer]:
        """The layers in the source's order; none where the source has only weights."""
        return self.content.layers if isinstance(self.content, LayersModel) else []

    @property
    def name(self) -> str:
        """The model's name; the source's path where it has none."""
        return self.content.name if isinstance(self.content, LayersModel) else self._source

    def save(
        self,
        dest: str | os.PathLike[str],
        *,
        to: str | None = None,
        quantize: QuantizationMap | None = None,
        dequantize: bool = False,
        shard_size: int = DEFAULT_SHARD_SIZE,
        split_weights_by_layer: bool = False,
        metadata: Mapping[str, Any] | None = None,
        custom_layers: Literal["refuse", "keep"] = "refuse",
        control_flow: Literal["auto", "v1", "v2"] = "auto",
        skip_op_check: bool = False,
        strip_debug_ops: bool = True,
        structured_outputs: bool = False,
    ) -> Report:
        """Save the model; arguments and errors are those of `tfjs.convert`."""
        path = output_path(dest)
        options = WriteOptions(
            shard_size=shard_size,
            split_weights_by_layer=split_weights_by_layer,
            quantize=quantize or {},
            dequantize=dequantize,
            metadata=metadata or {},
            custom_layers=custom_layers,
            control_flow=control_flow,
            skip_op_check=skip_op_check,
            strip_debug_ops=strip_debug_ops,
            structured_outputs=structured_outputs,
        )
        source = Opened(kept(self.content), self._source, self.format)
        return converted(source, path, to, options)

    def __repr__(self) -> str:
        return f"<tfjs.Model {self.name!r} from {self.format}, {len(self.weights)} weights>"


def load(
    path: str | os.PathLike[str],
    *,
    from_: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    signature: str | None = None,
    saved_model_tags: Sequence[str] | None = None,
    output_node_names: Sequence[str] = (),
) -> Model:
    """Load a model of any format that tfjs reads; weights stay in the file until used.

    Args:
        path: the file or folder, or the address of a TensorFlow Hub module.
        from_: its format; recognised when None.
        weights: the weights file of an architecture JSON; found beside it when None.
        signature: the signature of a SavedModel; `serving_default`, or the only one, when None.
        saved_model_tags: the tags of its metagraph; "serve" when None.
        output_node_names: the outputs of a frozen graph; found when empty.

    Raises:
        FormatError: it is missing, damaged or unsafe, or no reader recognises it.
        UsageError: an argument means nothing to the format.
    """
    source = local(path)
    reader = reader_of(source, from_)
    options = ReadOptions(
        weights=Path(weights) if weights else None,
        signature=signature,
        tags=None if saved_model_tags is None else tuple(saved_model_tags),
        output_node_names=tuple(output_node_names),
    )
    content = read(source, reader, options)
    return Model(content, str(source), reader)


def _tensors(content: Content) -> dict[str, Tensor]:
    if isinstance(content, LayersModel):
        return {f"{path}/{weight.name}": weight.tensor for path, weight in content.weights()}
    if isinstance(content, GraphModel):
        constants = (n for n in content.graph.nodes.values() if n.op == "Const")
        return {**content.variables, **{node.name: node.attrs["value"] for node in constants}}
    return {entry.name: entry.tensor for entry in content.tensors()}
