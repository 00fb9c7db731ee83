"""Fingerprints against those of TensorFlow."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from tfjs.ops.fingerprints import fingerprint64

# Below 2^63, so that hardly a bit of a fingerprint is lost.
_BUCKETS = (1 << 62) + 12345


def test_fingerprints_of_every_length_are_those_of_tensorflow(tensorflow: ModuleType) -> None:
    rng = np.random.default_rng(0)
    sizes = [*range(200), 255, 256, 257, 1000]
    texts = [rng.integers(0, 256, size, np.uint8).tobytes() for size in sizes]
    theirs = tensorflow.raw_ops.StringToHashBucketFast(
        input=tensorflow.constant(texts), num_buckets=_BUCKETS
    )
    assert [fingerprint64(text) % _BUCKETS for text in texts] == theirs.numpy().tolist()
