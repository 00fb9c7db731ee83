"""SavedModels of tf.keras: the layers by their Keras metadata, the weights by the checkpoint."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.keras_saved_model.read import read, sniff

FORMAT = Format(
    name="keras-saved-model", title="tf.keras SavedModel", sniff=sniff, read=read, write=None
)
