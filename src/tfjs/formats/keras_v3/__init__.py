"""`.keras` archives: Keras 3, and tf.keras from 2.12 on."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.keras_v3.read import read, sniff
from tfjs.formats.keras_v3.write import write

FORMAT = Format(
    name="keras",
    title="Keras 3 archive",
    sniff=sniff,
    read=read,
    write=write,
)
