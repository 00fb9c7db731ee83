"""Makes a SavedModel of twelve matrices and a given size, with TensorFlow.

.venv-test/bin/python benchmarks/make_saved_model.py MEBIBYTES DEST_WITHOUT_SUFFIX

It takes as much memory as the model has, once more while TensorFlow writes.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

LAYERS = 12


def main(mebibytes: int, dest: str) -> None:
    """Writes the model; under another name first, so that a model in the cache is whole."""
    units = math.isqrt(mebibytes * 2**20 // 4 // LAYERS)
    model = tf.Module()
    model.kernels = [
        tf.Variable(tf.random.stateless_normal((units, units), (0, layer)) / units**0.5)
        for layer in range(LAYERS)
    ]

    def run(x: tf.Tensor) -> tf.Tensor:
        for kernel in model.kernels:
            x = tf.nn.relu(tf.matmul(x, kernel))
        return x

    argument = tf.TensorSpec((None, units), tf.float32, name="x")
    signature = tf.function(run).get_concrete_function(argument)
    whole = Path(f"{dest}_saved_model")
    part = whole.with_name(f"part-{whole.name}")
    tf.saved_model.save(model, str(part), {"serving_default": signature})
    part.rename(whole)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
