"""Load a model in Python: its layers, its weights as NumPy arrays, and saving it again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Unpack

from tfjs._convert import Opened, Report, converted, kept, local, output_path, read
from tfjs._options import Reading, Writing, check_known, read_options, write_options
from tfjs.formats.base import Content, Format
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
        self, dest: str | os.PathLike[str], *, to: str | None = None, **options: Unpack[Writing]
    ) -> Report:
        """Save the model; arguments and errors are those of `tfjs.convert`."""
        check_known(options, Writing, "save")
        source = Opened(kept(self.content), self._source, self.format)
        return converted(source, output_path(dest), to, write_options(options))

    def __repr__(self) -> str:
        return f"<tfjs.Model {self.name!r} from {self.format}, {len(self.weights)} weights>"


def load(
    path: str | os.PathLike[str], *, from_: str | None = None, **options: Unpack[Reading]
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
    check_known(options, Reading, "load")
    source = local(path)
    reader = reader_of(source, from_)
    content = read(source, reader, read_options(options))
    return Model(content, str(source), reader)


def _tensors(content: Content) -> dict[str, Tensor]:
    if isinstance(content, LayersModel):
        return {f"{path}/{weight.name}": weight.tensor for path, weight in content.weights()}
    if isinstance(content, GraphModel):
        constants = (n for n in content.graph.nodes.values() if n.op == "Const")
        return {**content.variables, **{node.name: node.attrs["value"] for node in constants}}
    return {entry.name: entry.tensor for entry in content.tensors()}
