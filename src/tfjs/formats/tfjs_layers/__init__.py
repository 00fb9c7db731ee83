"""TF.js layers models: a `model.json` with topology and manifest, and its weight files."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.tfjs_layers.read import read, sniff
from tfjs.formats.tfjs_layers.write import write

FORMAT = Format(
    name="tfjs-layers",
    title="TF.js layers model",
    sniff=sniff,
    read=read,
    write=write,
)
