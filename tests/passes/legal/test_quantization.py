from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, floats
from tests.support.tfjs_runtime import TfjsRuntime

X = floats(4, 6) * 3
CLOSE: dict[str, Any] = {"rtol": 3e-6}
LOW, HIGH = (
    np.array([-1, -2, -0.1, -3, 0, -1], np.float32),
    np.array([1, 3, 2.2, 0.1, 1, 0], np.float32),
)
WIDTHS = ((8, False), (8, True), (4, False))

CASES = {
    **{
        f"by {op}, {bits} bits, narrow {narrow}": Case(
            lambda tf, x, op=op, bits=bits, narrow=narrow: getattr(tf.quantization, op)(
                x, -1.3, 2.7, bits, narrow
            ),
            X,
            rule="fake_quantization",
            **CLOSE,
        )
        for op in ("fake_quant_with_min_max_vars", "fake_quant_with_min_max_args")
        for bits, narrow in WIDTHS
    },
    **{
        f"by channels, {bits} bits, narrow {narrow}": Case(
            lambda tf, x, bits=bits, narrow=narrow: (
                tf.quantization.fake_quant_with_min_max_vars_per_channel(x, LOW, HIGH, bits, narrow)
            ),
            X,
            rule="fake_quantization",
            **CLOSE,
        )
        for bits, narrow in WIDTHS
    },
    "an empty range": Case(
        lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, 0.0, 0.0),
        X,
        rule="fake_quantization",
    ),
    **{
        f"and back, signed {signed}, {mode}": Case(
            lambda tf, x, signed=signed, mode=mode: tf.quantization.quantize_and_dequantize_v2(
                x,
                -1.3 if signed else 0.0,
                2.7,
                signed_input=signed,
                range_given=True,
                round_mode=mode,
            ),
            X,
            rule="quantization_and_back",
            **CLOSE,
        )
        for signed in (True, False)
        for mode in ("HALF_TO_EVEN", "HALF_UP")
    },
    "and back by an input of bits": Case(
        lambda tf, x: tf.raw_ops.QuantizeAndDequantizeV3(
            input=x, input_min=-1.0, input_max=2.0, num_bits=6
        ),
        X,
        rule="quantization_and_back",
        **CLOSE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
