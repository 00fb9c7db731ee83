"""HDF5 files with weights and no model: `save_weights` of every Keras."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.h5_weights.read import read, sniff
from tfjs.formats.h5_weights.write import write

FORMAT = Format(
    name="h5-weights",
    title="Keras HDF5 weights",
    sniff=sniff,
    read=read,
    write=write,
)
