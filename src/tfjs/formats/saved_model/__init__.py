"""SavedModels of TensorFlow 1 and 2: the graph behind one signature."""

from __future__ import annotations

from pathlib import Path

from tfjs.formats.base import Content, Format, WriteOptions, Written
from tfjs.formats.saved_model.read import read, signatures, sniff


def _write(content: Content, path: Path, options: WriteOptions) -> Written:
    # The passes behind it take long to import, and most conversions need none of them.
    from tfjs.formats.saved_model.write import write

    return write(content, path, options)


FORMAT = Format(
    name="saved-model",
    title="TensorFlow SavedModel",
    sniff=sniff,
    read=read,
    write=_write,
    options=frozenset({"signature", "tags"}),
    signatures=signatures,
)
