"""Operations that only TF.js has, run by TensorFlow after they are expressed in its own."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import floats
from tests.support.tensorflow_files import Building, frozen, run_frozen
from tfjs.errors import UnsupportedError
from tfjs.ir.graph import GraphModel
from tfjs.passes.to_tensorflow import to_tensorflow

X, W, DEPTH = floats(2, 5, 5, 3), floats(3, 3, 3, 4, seed=1), floats(3, 3, 3, 2, seed=2)
BIAS, SLOPE = floats(4, seed=3), floats(4, seed=4)
CONV = {"strides": [1, 1, 1, 1], "padding": b"SAME"}


def ops_of(model: GraphModel) -> set[str]:
    return {node.op for node in model.graph.nodes.values()}


def fused(op: str, data: Any, kernel: Any, *args: Any, **attrs: Any) -> GraphModel:
    building = Building()
    x = building.input("x", (None, *data.shape[1:]))
    values = [building.constant(item, f"c{index}") for index, item in enumerate((kernel, *args))]
    return building.model(building.node(op, x, *values, name="y", **attrs).output)


ACTIVATIONS = {
    "Relu": lambda tf, y: tf.nn.relu(y),
    "Relu6": lambda tf, y: tf.nn.relu6(y),
    "Elu": lambda tf, y: tf.nn.elu(y),
    "Sigmoid": lambda tf, y: tf.sigmoid(y),
    "Tanh": lambda tf, y: tf.tanh(y),
    "LeakyRelu": lambda tf, y: tf.nn.leaky_relu(y, 0.3),
    "Prelu": lambda tf, y: tf.where(y < 0, y * SLOPE, y),
    "Linear": lambda tf, y: y,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
class TestWhatIsFused:
    def _check(
        self, tf: ModuleType, name: str, model: GraphModel, data: Any, plain: Any, file: Path
    ) -> None:
        frozen(model, file)
        found = run_frozen(tf, file, {"x": data}, ["y"])["y"]
        wanted = np.asarray(ACTIVATIONS[name](tf, plain))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        assert not any("used" in op for op in ops_of(model))

    def _attrs(self, name: str) -> tuple[list[Any], dict[str, Any]]:
        args = [BIAS, SLOPE] if name == "Prelu" else [BIAS]
        told = {"fused_ops": [b"BiasAdd", name.encode()], "num_args": len(args)}
        return args, {**told, "leakyrelu_alpha": 0.3}

    def test_conv(self, name: str, tensorflow: ModuleType, tmp_path: Path) -> None:
        args, attrs = self._attrs(name)
        model = fused("_FusedConv2D", X, W, *args, **CONV, **attrs)
        plain = tensorflow.nn.conv2d(X, W, 1, "SAME") + BIAS
        self._check(tensorflow, name, model, X, plain, tmp_path / "m.pb")

    def test_depthwise(self, name: str, tensorflow: ModuleType, tmp_path: Path) -> None:
        args, attrs = self._attrs(name)
        kernel = DEPTH[:, :, :2]
        model = fused("FusedDepthwiseConv2dNative", X[..., :2], kernel, *args, **CONV, **attrs)
        plain = tensorflow.nn.depthwise_conv2d(X[..., :2], kernel, [1, 1, 1, 1], "SAME") + BIAS
        self._check(tensorflow, name, model, X[..., :2], plain, tmp_path / "m.pb")

    def test_matmul(self, name: str, tensorflow: ModuleType, tmp_path: Path) -> None:
        args, attrs = self._attrs(name)
        data, kernel = floats(2, 3), floats(4, 3, seed=5)
        model = fused("_FusedMatMul", data, kernel, *args, transpose_b=True, **attrs)
        plain = data @ kernel.T + BIAS
        self._check(tensorflow, name, model, data, plain, tmp_path / "m.pb")


@pytest.mark.parametrize(
    ("steps", "args", "reason"),
    [
        ([b"FusedBatchNorm"], [BIAS] * 4, "'FusedBatchNorm' is fused into it"),
        ([b"BiasAdd", b"Prelu"], [BIAS], "has no input for the 'prelu'"),
        ([b"BiasAdd"], [BIAS, SLOPE], "has 1 inputs that nothing"),
    ],
)
def test_what_cannot_be_taken_apart(steps: list[bytes], args: list[Any], reason: str) -> None:
    model = fused("_FusedConv2D", X, W, *args, **CONV, fused_ops=steps, num_args=len(args))
    with pytest.raises(UnsupportedError, match=reason) as caught:
        to_tensorflow(model)
    assert caught.value.problems[0].startswith("_FusedConv2D: ")


def test_a_prelu_by_itself(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x = building.input("x", (None, 4))
    model = building.model(building.node("Prelu", x, building.constant(SLOPE), name="y").output)
    frozen(model, tmp_path / "m.pb")
    data = np.array([[-2.0, 0.0, np.inf, 3.0], [-1.0, -0.5, 1e30, np.nan]], np.float32)
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": data}, ["y"])["y"]
    np.testing.assert_array_equal(found, np.where(data < 0, data * SLOPE, data))


@pytest.mark.parametrize("layout", ["NWC", "NCW"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_a_convolution_of_one_axis(
    layout: str, stride: int, dilation: int, tensorflow: ModuleType, tmp_path: Path
) -> None:
    data, kernel = floats(2, 9, 3), floats(3, 3, 4, seed=1)
    building = Building()
    x = building.input("x", (None, 9, 3) if layout == "NWC" else (None, 3, 9))
    told: dict[str, Any] = {"stride": stride, "dilation": dilation, "padding": b"VALID"}
    node = building.node(
        "Conv1D", x, building.constant(kernel), name="y", data_format=layout.encode(), **told
    )
    model = building.model(node.output)
    wanted = tensorflow.nn.conv1d(data, kernel, stride, "VALID", dilations=dilation).numpy()
    frozen(model, tmp_path / "m.pb")
    if layout == "NCW":
        # TensorFlow has kernels with channels first for GPUs; the shapes tell that it is meant.
        assert model.graph.outputs[0].shape == (None, 4, wanted.shape[1])
        return
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": data}, ["y"])["y"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_other_name_of_a_depthwise_convolution(tensorflow: ModuleType, tmp_path: Path) -> None:
    model = fused("DepthwiseConv2d", X, DEPTH, **CONV, dilations=[1, 1, 1, 1])
    frozen(model, tmp_path / "m.pb")
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": X}, ["y"])["y"]
    wanted = tensorflow.nn.depthwise_conv2d(X, DEPTH, [1, 1, 1, 1], "SAME").numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("dilations", [(2, 2), (1, 3)])
@pytest.mark.parametrize("op", ["DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"])
def test_dilations_of_a_depthwise_convolution(
    op: str, dilations: tuple[int, int], padding: str, tensorflow: ModuleType, tmp_path: Path
) -> None:
    data = floats(2, 9, 8, 3)
    attrs = {"strides": [1, 1, 1, 1], "padding": padding.encode()}
    model = fused(op, data, DEPTH, **attrs, dilations=[1, *dilations, 1])
    frozen(model, tmp_path / "m.pb")
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": data}, ["y"])["y"]
    wanted = tensorflow.nn.depthwise_conv2d(
        data, DEPTH, [1, 1, 1, 1], padding, dilations=dilations
    ).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", ["Conv3D", "Conv2DBackpropInput", "Conv3DBackpropInputV2"])
def test_dilations_of_other_convolutions(op: str, tensorflow: ModuleType, tmp_path: Path) -> None:
    # A filter with the zeros in it tells the answer.
    rank = 3 if "3D" in op else 2
    back = "Backprop" in op
    data, kernel = floats(1, *[6] * rank, 4 if back else 2), floats(*[2] * rank, 2, 4, seed=1)
    spread = np.zeros((*[4] * rank, 2, 4), np.float32)
    spread[(slice(None, None, 3),) * rank] = kernel
    building = Building()
    x = building.input("x", (None, *data.shape[1:]))
    filters = building.constant(kernel)
    values = [x, filters]
    if back:
        sizes = building.constant(np.array([1, *[6] * rank, 2], np.int32), "sizes")
        values = [sizes, filters, x]
    attrs: dict[str, Any] = {"strides": [1] * (rank + 2), "padding": b"SAME"}
    dilations = [1, *[3] * rank, 1]
    model = building.model(
        building.node(op, *values, name="y", dilations=dilations, **attrs).output
    )
    frozen(model, tmp_path / "m.pb")
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": data}, ["y"])["y"]
    raw = getattr(tensorflow.raw_ops, op)
    given = {"input_sizes": [1, *[6] * rank, 2], "out_backprop": data} if back else {"input": data}
    wanted = raw(**given, filter=spread, strides=attrs["strides"], padding="SAME").numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_strides_that_differ() -> None:
    attrs = {"strides": [1, 1, 2, 1], "padding": b"SAME"}
    with pytest.raises(UnsupportedError, match="DepthwiseConv2dNative: its strides differ"):
        to_tensorflow(fused("DepthwiseConv2dNative", X, DEPTH, **attrs))


@pytest.mark.parametrize(("op", "number"), [("Ones", 1), ("Zeros", 0)])
def test_ones_and_zeros(op: str, number: int, tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    shape = building.input("shape", (2,), "int32")
    model = building.model(building.node(op, shape, name="y", T="int32").output)
    frozen(model, tmp_path / "m.pb")
    fed = {"shape": np.array([2, 3], np.int32)}
    found = run_frozen(tensorflow, tmp_path / "m.pb", fed, ["y"])["y"]
    assert found.dtype == np.int32
    assert found.tolist() == [[number] * 3] * 2


def test_what_tensorflow_does_not_have() -> None:
    building = Building()
    x = building.input("x", (None, 4))
    first = building.node("SimpleMLInferenceOpWithHandle", x, name="forest")
    model = building.model(building.node("MyOp", first.output, name="own").output)
    with pytest.raises(UnsupportedError) as caught:
        to_tensorflow(model)
    assert caught.value.problems == (
        "MyOp: TensorFlow has no such operation (own)",
        "SimpleMLInferenceOpWithHandle: TensorFlow has no such operation (forest)",
    )


def test_what_a_library_brings_is_kept_when_asked() -> None:
    building = Building()
    x = building.input("x", (None, 4))
    model = building.model(building.node("MyOp", x, name="own", alpha=1.5).output)
    to_tensorflow(model, skip_op_check=True)
    assert model.graph.nodes["own"].attrs == {"alpha": 1.5}
