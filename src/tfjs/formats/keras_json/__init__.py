"""Architecture JSON (`model.to_json()`) with a file of weights beside it."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.keras_json.read import read, sniff

FORMAT = Format(
    name="keras-json",
    title="Keras architecture JSON with weights",
    sniff=sniff,
    read=read,
    options=frozenset({"weights"}),
)
