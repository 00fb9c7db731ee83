"""A model of any kind as a graph that runs."""

from __future__ import annotations

from tfjs.errors import UnsupportedError
from tfjs.formats.base import Content
from tfjs.ir.graph import GraphModel
from tfjs.ir.layers_model import LayersModel
from tfjs.layers.lowering import lower
from tfjs.passes.inline import copied_model
from tfjs.passes.pipeline import freeze_whole


def runnable(content: Content) -> GraphModel:
    """A graph of its own, with variables as constants; what was given is not changed.

    Raises:
        UnsupportedError: it is weights alone, or a layer cannot be expressed as a graph.
        CorruptFileError: the model makes no sense.
    """
    if isinstance(content, LayersModel):
        model = lower(content)
    elif isinstance(content, GraphModel):
        model = copied_model(content)
    else:
        raise UnsupportedError("are weights without a model, which cannot be run")
    freeze_whole(model)
    model.graph.prune()
    return model
