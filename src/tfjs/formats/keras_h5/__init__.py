"""Whole Keras models in HDF5: Keras 1 and 2, tf.keras, and what Keras 3 calls legacy."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.keras_h5.read import read, sniff
from tfjs.formats.keras_h5.write import write

FORMAT = Format(
    name="keras-h5",
    title="Keras HDF5 model",
    sniff=sniff,
    read=read,
    write=write,
)
