"""Modules of TensorFlow Hub: folders, archives, and handles on the web."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.tf_hub.read import read, signatures, sniff

FORMAT = Format(
    name="tf-hub",
    title="TensorFlow Hub module",
    sniff=sniff,
    read=read,
    options=frozenset({"signature", "tags"}),
    signatures=signatures,
)
