"""Makes one of the models that the optimizer is measured with, as a SavedModel of random weights.

.venv-test/bin/python benchmarks/make_optimizer_models.py NAME DEST_SAVED_MODEL HIGHEST

HIGHEST is the end of the range of an image's values: 1, or 255 where the model itself scales them.
Those of keras.applications, the recurrent and the detecting one are made with tf_keras, the others
with Keras 3: the two export different nodes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras
from keras import layers
from random_weights import calibrate, randomize

WORDS = 1000
# Spread of the logits: the answers of a softmax that saturates would tell nothing.
LOGITS = 2.0

Array = npt.NDArray[Any]


def application(class_name: str, highest: float) -> Any:
    """A model of keras.applications, its logits scaled."""
    make = getattr(tf_keras.applications, class_name)
    # Names are counted from one again.
    tf_keras.backend.clear_session()
    logits = make(weights=None, classifier_activation=None)
    randomize(logits)
    shape = (4, *(size or 224 for size in logits.input_shape[1:]))
    images = np.random.default_rng(1).random(shape, np.float32) * highest
    calibrate(logits, images)
    factor = LOGITS / np.std(logits.predict(images, verbose=0))
    weights = logits.get_weights()
    tf_keras.backend.clear_session()
    model = make(weights=None)
    # The last two are the kernel and the bias of the classifier.
    model.set_weights([*weights[:-2], *(weight * factor for weight in weights[-2:])])
    return model


def feed_forward(x: Any, width: int, *, activation: Any) -> Any:
    """The two dense layers of a transformer's block."""
    return layers.Dense(width)(layers.Dense(4 * width, activation=activation)(x))


def embedded(ids: Any, width: int) -> Any:
    """Embeddings of words and positions."""
    positions = keras.ops.arange(ids.shape[1])[None]
    return layers.Embedding(WORDS, width)(ids) + layers.Embedding(ids.shape[1], width)(positions)


def bert_encoder() -> Any:
    """Two layers as of a small BERT: norms behind, the exact GELU, padding masked."""
    width = 128
    ids = keras.Input((64,), dtype="int32", name="ids")
    mask = keras.ops.not_equal(ids, 0)[:, None, :]
    x = layers.LayerNormalization(epsilon=1e-12)(embedded(ids, width))
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, width // 4)(x, x, attention_mask=mask)
        x = layers.LayerNormalization(epsilon=1e-12)(layers.Dropout(0.1)(attended) + x)
        x = layers.LayerNormalization(epsilon=1e-12)(
            feed_forward(x, width, activation=partial(keras.activations.gelu, approximate=False))
            + x
        )
    pooled = layers.Dense(width, activation="tanh")(x[:, 0])
    return keras.Model(ids, layers.Dense(10, activation="softmax")(pooled))


def gpt_decoder() -> Any:
    """Two blocks as of GPT-2: norms before, a causal mask, GELU by tanh; the logits of words."""
    width = 128
    ids = keras.Input((32,), dtype="int32", name="ids")
    x = embedded(ids, width)
    for _ in range(2):
        normed = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.MultiHeadAttention(4, width // 4)(normed, normed, use_causal_mask=True)
        normed = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + feed_forward(
            normed, width, activation=partial(keras.activations.gelu, approximate=True)
        )
    x = layers.LayerNormalization(epsilon=1e-5)(x)
    return keras.Model(ids, layers.Dense(WORDS, use_bias=False)(x))


def unet() -> Any:
    """Three levels; up by a transposed convolution, by nearest pixels and bilinearly."""

    def block(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    image = keras.Input((128, 128, 3), name="image")
    x, kept = layers.Rescaling(2.0, offset=-1.0)(image), []
    for filters in (16, 32, 64):
        x = block(x, filters)
        kept.append(x)
        x = layers.MaxPooling2D()(x)
    x = block(x, 128)
    ups = (
        layers.Conv2DTranspose(64, 2, strides=2),
        layers.UpSampling2D(),
        layers.UpSampling2D(interpolation="bilinear"),
    )
    for up, filters in zip(ups, (64, 32, 16), strict=True):
        x = block(layers.Concatenate()([up(x), kept.pop()]), filters)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


def lstm_classifier() -> Any:
    """One LSTM over the embeddings of words."""
    ids = tf_keras.Input((30,), dtype="int32", name="ids")
    x = tf_keras.layers.Embedding(WORDS, 32)(ids)
    x = tf_keras.layers.LSTM(64)(x)
    return tf_keras.Model(ids, tf_keras.layers.Dense(5, activation="softmax")(x))


def gru_classifier() -> Any:
    """Two GRUs over a signal, the first in both directions."""
    signal = tf_keras.Input((30, 8), name="signal")
    forth = tf_keras.layers.GRU(32, return_sequences=True)
    x = tf_keras.layers.GRU(32)(tf_keras.layers.Bidirectional(forth)(signal))
    return tf_keras.Model(signal, tf_keras.layers.Dense(5, activation="softmax")(x))


class Detector(tf.Module):  # type: ignore[misc]
    """Heads as of SSD on a small MobileNetV2: boxes from anchors, then the best that are apart."""

    CLASSES = 5
    ANCHORS = 3
    SIZE = 128

    def __init__(self) -> None:
        super().__init__()
        backbone = tf_keras.applications.MobileNetV2(
            (self.SIZE, self.SIZE, 3), alpha=0.35, include_top=False, weights=None
        )
        maps = [backbone.get_layer("block_13_expand_relu").output, backbone.output]
        outputs = []
        for width in (4, self.CLASSES):
            found = []
            for x in maps:
                x = tf_keras.layers.SeparableConv2D(32, 3, padding="same", activation="relu6")(x)
                x = tf_keras.layers.Conv2D(self.ANCHORS * width, 1)(x)
                found.append(tf_keras.layers.Reshape((-1, width))(x))
            outputs.append(tf_keras.layers.Concatenate(axis=1)(found))
        self.model = tf_keras.Model(backbone.input, outputs)
        randomize(self.model)
        rng = np.random.default_rng(2)
        # Centres and sizes.
        self.anchors = rng.uniform(0.1, 0.9, (self.model.output_shape[0][1], 4)).astype(np.float32)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32, name="image")]
    )
    def detect(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Corners, scores and classes of what is seen."""
        codes, logits = self.model((image / 0.5) - 1.0, training=False)
        middle, size = tf.split(self.anchors, 2, axis=-1)
        centre = tf.tanh(codes[0, :, :2]) * 0.1 * size + middle
        half = tf.exp(tf.clip_by_value(codes[0, :, 2:] * 0.2, -1.0, 1.0)) * size / 2
        boxes = tf.concat([centre - half, centre + half], axis=-1)
        scores = tf.sigmoid(logits[0])
        best = tf.reduce_max(scores, axis=-1)
        chosen, kept = tf.image.non_max_suppression_with_scores(boxes, best, 20, 0.5, 0.1)
        classes = tf.gather(tf.argmax(scores, axis=-1, output_type=tf.int32), chosen)
        return {"boxes": tf.gather(boxes, chosen), "scores": kept, "classes": classes}


APPLICATIONS = {
    "mobilenet_v1": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3_small": "MobileNetV3Small",
    "efficientnet_b0": "EfficientNetB0",
    "efficientnet_v2_b0": "EfficientNetV2B0",
    "resnet50": "ResNet50",
    "resnet50_v2": "ResNet50V2",
    "densenet121": "DenseNet121",
    "nasnet_mobile": "NASNetMobile",
    "inception_v3": "InceptionV3",
    "convnext_tiny": "ConvNeXtTiny",
}
OTHERS: dict[str, Callable[[], Any]] = {
    "bert_encoder": bert_encoder,
    "gpt_decoder": gpt_decoder,
    "unet": unet,
    "lstm_classifier": lstm_classifier,
    "gru_classifier": gru_classifier,
    "ssd_head": Detector,
}


def save(model: Any, dest: str) -> None:
    """Writes a model as what serves it."""
    if isinstance(model, Detector):
        tf.saved_model.save(model, dest, {"serving_default": model.detect})
        return
    model.export(dest, **({"verbose": False} if isinstance(model, keras.Model) else {}))


def check(dest: str, highest: float) -> None:
    """Sees to it that the answers depend on the input, and are numbers.

    Raises:
        ValueError: they do not, or are not.
    """
    function = tf.saved_model.load(dest).signatures["serving_default"]
    ((name, spec),) = function.structured_input_signature[1].items()
    shape = [1, *(size or 224 for size in spec.shape[1:])]
    rng = np.random.default_rng(3)
    if spec.dtype == tf.float32:
        feeds = [rng.random(shape, np.float32) * highest for _ in range(2)]
    else:
        feeds = [rng.integers(1, 100, shape, np.int32) for _ in range(2)]
    first, second = ([y.numpy() for y in function(**{name: x}).values()] for x in feeds)
    if not all(np.all(np.isfinite(y)) for y in first + second):
        raise ValueError("answers that are not finite")
    if all(same(a, b) for a, b in zip(first, second, strict=True)):
        raise ValueError("the answers do not depend on the input")


def same(a: Array, b: Array) -> bool:
    """Whether two answers hardly differ."""
    return a.shape == b.shape and bool(np.max(np.abs(a - b)) < 1e-3 * np.max(np.abs(a)))


def main(name: str, dest: str, highest: float) -> None:
    """Writes the model; under another name first, so that a model in the cache is whole."""
    whole = Path(dest)
    part = whole.with_name(f"part-{whole.name}")
    if name in APPLICATIONS:
        model = application(APPLICATIONS[name], highest)
    else:
        model = OTHERS[name]()
        if not isinstance(model, Detector):
            randomize(model)
    save(model, str(part))
    check(str(part), highest)
    part.rename(whole)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
