"""TF.js weights without a model: a manifest by itself, or a model.json without a topology."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.weights_only.read import read, sniff
from tfjs.formats.weights_only.write import write

FORMAT = Format(
    name="tfjs-weights",
    title="TF.js weights",
    sniff=sniff,
    read=read,
    write=write,
)
