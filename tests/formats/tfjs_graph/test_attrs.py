"""Attributes as TF.js decodes them, each seen by what it computes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.drawing import Drawing, model_of
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import ConversionError, UnsupportedError
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.attrs import attrs_json, shape_json
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.dtypes import TO_NUMBER
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Shape, Type


def node(op: str, **attrs: Any) -> Node:
    return Graph().add(op, [], attrs, [Type("float32")], name="n")


def written(op: str, **attrs: Any) -> dict[str, Any]:
    return attrs_json(node(op, **attrs), "node 'n'")


def test_each_kind() -> None:
    assert written(
        "Mystery",
        an_int=-(2**62),
        a_float=0.5,
        a_bool=False,
        a_text=b"\xff\x00",
        a_dtype="float16",
        a_shape=Dims((None, 3)),
        a_function=FuncRef("f"),
        ints=[1, 2],
        texts=[b"a"],
        nothing=[],
        absent=None,
        _internal=1,
    ) == {
        "a_bool": {"b": False},
        "a_dtype": {"type": "DT_HALF"},
        "a_float": {"f": 0.5},
        "a_function": {"func": {"name": "f"}},
        "a_shape": {"shape": {"dim": [{"size": "-1"}, {"size": "3"}]}},
        "a_text": {"s": "/wA="},
        "an_int": {"i": "-4611686018427387904"},
        "ints": {"list": {"i": ["1", "2"]}},
        "nothing": {"list": {}},
        "texts": {"list": {"s": ["YQ=="]}},
    }


def test_the_signature_of_the_operation_tells_the_kind() -> None:
    # An int for a float would be read by parseInt, were it a text.
    assert written("LeakyRelu", T="float32", alpha=1)["alpha"] == {"f": 1.0}
    assert written("Squeeze", T="float32", squeeze_dims=[])["squeeze_dims"] == {"list": {}}


def test_what_is_written_of_an_operation() -> None:
    found = written(
        "Conv2D",
        T="float32",
        strides=[1, 1, 1, 1],
        padding=b"SAME",
        use_cudnn_on_gpu=True,
        explicit_paddings=[],
        data_format=b"NHWC",
        dilations=[1, 1, 1, 1],
        made_up=1,
    )
    # TF.js has no default for dilations, so that those are told although TensorFlow has one.
    assert sorted(found) == [
        *("T", "data_format", "dilations", "explicit_paddings", "padding", "strides")
    ]
    assert "use_cudnn_on_gpu" in written("Conv2D", use_cudnn_on_gpu=False)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        (None, {"unknownRank": True}),
        ((), {}),
        ((0, None), {"dim": [{"size": "0"}, {"size": "-1"}]}),
    ],
)
def test_shapes(shape: Shape, wanted: dict[str, Any]) -> None:
    assert shape_json(shape) == wanted


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_json_does_not_have(value: float) -> None:
    with pytest.raises(UnsupportedError, match=r"which a model\.json cannot say") as caught:
        written("LeakyRelu", T="float32", alpha=value)
    assert caught.value.where == "node 'n', attribute 'alpha'"


@pytest.mark.parametrize(
    ("op", "attrs", "words"),
    [
        ("LeakyRelu", {"alpha": b"much"}, r"is b'much', which cannot be written as float"),
        ("Conv2D", {"strides": 1}, "is 1, a list is needed"),
        ("Conv2D", {"strides": [0.5]}, "is 0.5, which cannot be written as int"),
        ("Cast", {"DstT": "float8"}, "is 'float8', which cannot be written as type"),
        ("Mystery", {"object": {}}, "is {}, which cannot be written as tensor"),
    ],
)
def test_values_of_the_wrong_type(op: str, attrs: dict[str, Any], words: str) -> None:
    with pytest.raises(ConversionError, match=words):
        written(op, **attrs)


def test_protobuf_reads_the_same(tensorflow: Any) -> None:
    """TensorFlow's own reader of the JSON form gives back each attribute."""
    from google.protobuf.json_format import ParseDict

    attrs = written(
        "Mystery",
        text=b"\xfe",
        count=2**40,
        ratio=0.1,
        flag=True,
        shape=Dims((2, None)),
        dtype="bool",
    )
    found = ParseDict({"name": "n", "op": "Mystery", "attr": attrs}, tensorflow.compat.v1.NodeDef())
    assert found.attr["text"].s == b"\xfe"
    assert found.attr["count"].i == 2**40
    assert found.attr["ratio"].f == np.float32(0.1)
    assert found.attr["flag"].b is True
    assert [dim.size for dim in found.attr["shape"].shape.dim] == [2, -1]
    assert found.attr["dtype"].type == TO_NUMBER["bool"]


# What TF.js makes of them ---------------------------------------------------------------------


def answer(draw: Drawing, tmp_path: Path, runtime: TfjsRuntime, op: str, *inputs: Any) -> Any:
    write(model_of(draw.graph), tmp_path, WriteOptions())
    return runtime.predict_graph(tmp_path, list(inputs))[0]


def test_numbers_texts_and_lists(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(1, 4, 4, 1))
    pooled = draw.op(
        "MaxPool",
        "pooled",
        x,
        T="float32",
        ksize=[1, 2, 2, 1],
        strides=[1, 2, 2, 1],
        padding=b"VALID",
        data_format=b"NHWC",
    )
    leaky = draw.op("LeakyRelu", "leaky", pooled, T="float32", alpha=0.25)
    flat = draw.op("Squeeze", "flat", leaky, T="float32", squeeze_dims=[0, 3])
    draw.gives(y=flat)
    value = -np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    found = answer(draw, tmp_path, tfjs_runtime, "MaxPool", value)
    assert found.tolist() == [[-0.0, -0.5], [-2.0, -2.5]]


def test_flags_and_dtypes(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(2, 3))
    gram = draw.op("MatMul", "gram", x, x, T="float32", transpose_a=False, transpose_b=True)
    whole = draw.op("Cast", "whole", gram, dtype="int32", SrcT="float32", DstT="int32")
    axis = draw.constant("axis", [1])
    kept = draw.op(
        "Sum", "kept", whole, axis, dtype="int32", T="int32", Tidx="int32", keep_dims=True
    )
    draw.gives(y=kept)
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = answer(draw, tmp_path, tfjs_runtime, "MatMul", value)
    assert found.dtype == np.int32
    assert found.tolist() == [[19], [64]]


def test_lists_of_texts(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(1, 2))
    kernel, bias = (
        draw.constant("kernel", [[1.0, -1.0], [1.0, -1.0]]),
        draw.constant("bias", [0.5, 0.5]),
    )
    fused = draw.op(
        "_FusedMatMul",
        "fused",
        x,
        kernel,
        bias,
        T="float32",
        fused_ops=[b"BiasAdd", b"Relu"],
        num_args=1,
    )
    draw.gives(y=fused)
    found = answer(draw, tmp_path, tfjs_runtime, "_FusedMatMul", np.ones((1, 2), np.float32))
    assert found.tolist() == [[2.5, 0]]


def test_an_operation_that_the_page_registers_gets_every_attribute(tmp_path: Path) -> None:
    draw = Drawing()
    x = draw.feed("x", shape=(2,))
    made = draw.op("MyOp", "made", x, T="int64", words=[b"A b"], ratio=0.5)
    model = model_of(draw.gives(y=made))
    with pytest.raises(ConversionError, match=r"TF\.js has no operation MyOp"):
        write(model, tmp_path, WriteOptions())
    write(model, tmp_path, WriteOptions(skip_op_check=True))
    text = (tmp_path / "model.json").read_text()
    assert base64.b64encode(b"A b").decode() in text
    assert '"T":{"type":"DT_INT64"}' in text
