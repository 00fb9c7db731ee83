"""SavedModels of TensorFlow 1 and 2: the graph behind one signature."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.saved_model.read import read, signatures, sniff
from tfjs.formats.saved_model.write import write

FORMAT = Format(
    name="saved-model",
    title="TensorFlow SavedModel",
    sniff=sniff,
    read=read,
    write=write,
    options=frozenset({"signature", "tags"}),
    signatures=signatures,
)
