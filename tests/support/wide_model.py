"""A TF.js layers model whose weights take much room, but none on the disk."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.tiny_models import dense_layer, sequential

INPUTS = 1024


def write_wide_model(folder: Path, size: int) -> Path:
    """Writes a model of one Dense layer, whose kernel is all zeros in a file that is a hole.

    Args:
        folder: where to write to.
        size: bytes of the kernel, a multiple of 4096.

    Returns:
        Its folder.
    """
    units = size // 4 // INPUTS
    config = dense_layer("d", units, inputs=INPUTS)
    config["config"]["use_bias"] = False
    spec = {"name": "d/kernel", "shape": [INPUTS, units], "dtype": "float32"}
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(
        json.dumps(
            {
                "format": "layers-model",
                "modelTopology": sequential([config]),
                "weightsManifest": [{"paths": ["weights.bin"], "weights": [spec]}],
            }
        )
    )
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(INPUTS * units * 4)
    return folder
