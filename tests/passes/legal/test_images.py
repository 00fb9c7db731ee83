from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
X = floats(2, 7, 6, 3)
IMAGES = integers(0, 256, 2, 7, 6, 3, dtype="uint8")
BLOCKS = floats(2, 4, 6, 8)
COLOURS = np.random.default_rng(0).random((2, 5, 5, 3)).astype(np.float32)
# Grey and pure colours are the corners of the formulas.
COLOURS[0, 0, 0], COLOURS[0, 0, 1], COLOURS[0, 0, 2] = 0.5, 0, (1, 0, 0)
TURN = np.array([[1, 0.1, -0.37, 0.05, 1, 0.3, 0.001, 0]], np.float32)


def _resize(op: str, size: tuple[int, int], rule: str | None, **options: bool) -> Case:
    return Case(
        lambda tf, x: getattr(tf.raw_ops, op)(images=x, size=size, **options),
        X,
        free=[[None, 7, 6, 3]],
        rule=rule,
        **CLOSE,
    )


def _turned(fill: str, way: str, turns: np.ndarray, **options: Any) -> Case:
    return Case(
        lambda tf, x: tf.raw_ops.ImageProjectiveTransformV3(
            images=x,
            transforms=turns,
            output_shape=(7, 6),
            interpolation=way,
            fill_value=0.5,
            fill_mode=fill,
        ),
        X,
        rule="transform_of_batches",
        **CLOSE,
        **options,
    )


SIZES = ((14, 12), (3, 4), (10, 5))
CASES = {
    **{
        f"bicubic {size}, {option}": _resize(
            "ResizeBicubic", size, "resize_bicubic", **({option: True} if option else {})
        )
        for size in SIZES
        for option in ("", "align_corners", "half_pixel_centers")
    },
    **{
        f"area {size}, {corners}": _resize("ResizeArea", size, "resize_area", align_corners=corners)
        for size in SIZES
        for corners in (False, True)
    },
    **{
        f"{method}, antialias {antialias}": Case(
            lambda tf, x, method=method, antialias=antialias: tf.image.resize(
                x, (4, 9), method, antialias=antialias
            ),
            X,
            rule="scale_and_translate",
            **CLOSE,
        )
        for method, antialias in (
            ("lanczos3", False),
            ("lanczos5", True),
            ("gaussian", True),
            ("mitchellcubic", False),
            ("bilinear", True),
            ("bicubic", True),
        )
    },
    "bilinear of bytes": Case(
        lambda tf, x: tf.raw_ops.ResizeBilinear(images=x, size=(5, 9), half_pixel_centers=True),
        IMAGES,
        rule="resized_integers",
        rtol=1e-5,
        atol=1e-3,
    ),
    "nearest of bytes": Case(
        lambda tf, x: tf.raw_ops.ResizeNearestNeighbor(
            images=x, size=(5, 9), half_pixel_centers=True
        ),
        IMAGES,
        rule="resized_integers_nearest",
    ),
    "crops of bytes": Case(
        lambda tf, x: tf.image.crop_and_resize(
            x, [[0, 0, 1, 1], [0.2, 0.1, 0.7, 0.9]], [0, 1], (4, 5)
        ),
        IMAGES,
        rule="resized_integers",
        rtol=1e-5,
        atol=1e-3,
    ),
    **{
        f"turned, {way}, {fill}": _turned(fill, way, TURN)
        for way in ("BILINEAR", "NEAREST")
        for fill in ("WRAP", "CONSTANT", "NEAREST")
    },
    # wasm reflects in another way.
    "turned, reflected": _turned("REFLECT", "BILINEAR", TURN, backends=["cpu"]),
    "each turned in its own way": _turned(
        "CONSTANT", "BILINEAR", np.concatenate([TURN, TURN * np.float32(0.9)])
    ),
    "first form of turning": Case(
        lambda tf, x: tf.raw_ops.ImageProjectiveTransformV2(
            images=x, transforms=TURN, output_shape=(7, 6), interpolation="BILINEAR"
        ),
        X,
        free=[[None, 7, 6, 3]],
        rule="projective_transform",
        **CLOSE,
    ),
    "space to depth": Case(
        lambda tf, x: tf.nn.space_to_depth(x, 2),
        BLOCKS,
        free=[[None, None, None, 8]],
        rule="space_to_depth",
    ),
    "space to depth, channels first": Case(
        lambda tf, x: tf.nn.space_to_depth(x, 2, "NCHW"),
        floats(2, 3, 4, 6),
        oracle=lambda tf, x: tf.transpose(
            tf.nn.space_to_depth(tf.transpose(x, [0, 2, 3, 1]), 2), [0, 3, 1, 2]
        ),
        rule="space_to_depth",
    ),
    "depth to space, channels first": Case(
        lambda tf, x: tf.nn.depth_to_space(x, 2, "NCHW"),
        floats(2, 8, 3, 4),
        oracle=lambda tf, x: tf.transpose(
            tf.nn.depth_to_space(tf.transpose(x, [0, 2, 3, 1]), 2), [0, 3, 1, 2]
        ),
        rule="depth_to_space",
    ),
    "depth to space of integers": Case(
        lambda tf, x: tf.nn.depth_to_space(x, 2),
        integers(0, 99, 2, 4, 6, 8),
        rule="depth_to_space",
    ),
    **{
        f"patches, {padding}": Case(
            lambda tf, x, padding=padding: tf.image.extract_patches(
                x, [1, 3, 2, 1], [1, 2, 1, 1], [1, 1, 2, 1], padding
            ),
            X,
            free=[[None, 7, 6, None]],
            rule="image_patches",
        )
        for padding in ("SAME", "VALID")
    },
    "hues": Case(lambda tf, x: tf.image.rgb_to_hsv(x), COLOURS, rule="hues_of_colours", **CLOSE),
    "colours": Case(lambda tf, x: tf.image.hsv_to_rgb(x), COLOURS, rule="colours_of_hues", **CLOSE),
    "contrast": Case(
        lambda tf, x: tf.image.adjust_contrast(x, 1.7), COLOURS, rule="adjust_contrast", **CLOSE
    ),
    "another hue": Case(
        lambda tf, x: tf.image.adjust_hue(x, 0.2), COLOURS, rule="adjust_colours", **CLOSE
    ),
    "more colour": Case(
        lambda tf, x: tf.image.adjust_saturation(x, 1.7), COLOURS, rule="adjust_colours", **CLOSE
    ),
    "transformed integers": Case(
        lambda tf, x: tf.raw_ops.ImageProjectiveTransformV3(
            images=x,
            transforms=tf.constant([[1.0, 0.2, 0.5, 0, 0.9, 0.3, 0, 0]]),
            output_shape=[4, 4],
            fill_value=2.0,
            interpolation="NEAREST",
        ),
        integers(0, 99, 2, 5, 6, 3),
        rule="transformed_integers",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
