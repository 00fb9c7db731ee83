from __future__ import annotations

import re
from types import ModuleType

import numpy as np
import pytest

from tests.support.graph_roundtrip import Converted, floats
from tfjs.errors import UnsupportedError

X = floats(3, 3)
TEXTS = np.array([b"A b"], object)

REFUSED = {
    "lower case": (lambda tf, x: tf.strings.lower(x), TEXTS, "work on texts.*in JavaScript"),
    "joined": (lambda tf, x: tf.strings.join([x, x]), TEXTS, "work on texts.*in JavaScript"),
    "numbers of texts": (lambda tf, x: tf.strings.to_number(x), TEXTS, "bytes or texts"),
    "log gamma": (lambda tf, x: tf.math.lgamma(x), X, "nothing that is as exact"),
    "Cholesky": (lambda tf, x: tf.linalg.cholesky(x), X, "solves nothing"),
    "inverse": (lambda tf, x: tf.linalg.inv(x), X, "solves nothing"),
    "stateless": (
        lambda tf, x: x + tf.random.stateless_uniform([3, 3], [1, 2]),
        X,
        "follow from a seed.*feed random numbers",
    ),
    "shuffled": (lambda tf, x: tf.random.shuffle(x), X, "draws no such random numbers"),
    "images": (
        lambda tf, x: tf.io.decode_jpeg(x[0]),
        TEXTS,
        "decodes no image files.*fromPixels",
    ),
    "examples": (
        lambda tf, x: tf.io.parse_example(x, {"a": tf.io.FixedLenFeature([2], tf.float32)})["a"],
        TEXTS,
        "serialized examples; choose a signature",
    ),
    "Python": (
        lambda tf, x: tf.numpy_function(lambda item: item, [x], tf.float32),
        X,
        "it calls Python",
    ),
    "a range of the numbers": (
        lambda tf, x: tf.raw_ops.QuantizeAndDequantizeV2(
            input=x, input_min=0.0, input_max=1.0, range_given=False
        ),
        X,
        "range from the numbers themselves",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_once_with_advice(tensorflow: ModuleType, name: str) -> None:
    function, x, message = REFUSED[name]
    with pytest.raises(UnsupportedError) as raised:
        Converted(tensorflow, lambda tensor: function(tensorflow, tensor), [x])
    assert re.search(message, "\n".join(raised.value.problems))
    assert "no such operation" not in str(raised.value)


def test_a_free_size_is_refused_with_what_to_do(tensorflow: ModuleType) -> None:
    tf = tensorflow
    free = tf.TensorSpec([None, None, 4, 2], tf.float32)
    with pytest.raises(UnsupportedError, match="unknown; convert with inputs of fixed shape"):
        Converted(tf, lambda x: tf.raw_ops.ResizeBicubic(images=x, size=(2, 2)), [free])
