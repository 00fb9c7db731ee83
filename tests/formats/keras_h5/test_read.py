"""HDF5 models of all ages, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support.damage import damaged, survives
from tests.support.fixtures import DATA, assert_weights
from tests.support.keras_files import counted, dense, entry, sequential, write_h5
from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError, UnsupportedError
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_h5 import FORMAT
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import SpanTensor

TWO = sequential(entry("Dense", "a", units=3), entry("Dense", "b", units=2))
WEIGHTS = {"a": dense("a", 4, 3), "b": dense("b", 3, 2, start=50)}


def read(path: Path) -> LayersModel:
    model = FORMAT.read(path, ReadOptions())
    assert isinstance(model, LayersModel)
    return model


def refused(path: Path) -> str:
    with pytest.raises(CorruptFileError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize("file", sorted((DATA / "keras2").glob("*.h5")), ids=lambda f: f.stem)
def test_weights_of_old_releases(file: Path) -> None:
    """Keras 2.0.8 and 2.2.4, and kernels that Theano had turned around."""
    assert FORMAT.sniff(file)
    model = read(file)
    assert_weights(model, file)
    assert model.training is not None
    assert model.training.config["loss"] == "mse"
    assert model.training.state_format == "keras-h5"


def test_gru_of_a_release_that_had_no_choice() -> None:
    gru = read(DATA / "keras2" / "mixed-tensorflow-2.0.8.h5").layer("gru")
    assert gru.config["reset_after"] is False


def test_weights_are_mapped(tmp_path: Path) -> None:
    model = read(write_h5(tmp_path / "m.h5", TWO, WEIGHTS))
    assert model.producer == "keras 2.15.0"
    for name, values in WEIGHTS.items():
        weights = model.layer(name).weights
        assert [weight.name for weight in weights] == ["kernel", "bias"]
        for weight, (_, value) in zip(weights, values, strict=True):
            assert isinstance(weight.tensor, SpanTensor)
            np.testing.assert_array_equal(weight.tensor.array(), value)


def test_names_in_several_attributes(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    with h5py.File(file, "r+") as opened:
        group = opened["model_weights"]
        del group.attrs["layer_names"], group["a"].attrs["weight_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = [b"a"], [b"b"]
        group["a"].attrs["weight_names0"] = [b"a/kernel:0"]
        group["a"].attrs["weight_names1"] = [b"a/bias:0"]
    np.testing.assert_array_equal(read(file).layer("a").weights[1].tensor.array(), counted(3))


def test_compressed_and_big_endian_weights(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    kernel = counted(4, 3)
    with h5py.File(file, "r+") as opened:
        group = opened["model_weights/a/a"]
        del group["kernel:0"], group["bias:0"]
        group.create_dataset("kernel:0", data=kernel, chunks=(1, 2), compression="gzip")
        group.create_dataset("bias:0", data=counted(3).astype(">f4"))
    tensors = [weight.tensor for weight in read(file).layer("a").weights]
    np.testing.assert_array_equal(tensors[0].array(), kernel)
    assert b"".join(bytes(chunk) for chunk in tensors[0].chunks(16)) == kernel.tobytes()
    assert b"".join(bytes(chunk) for chunk in tensors[1].chunks()) == counted(3).tobytes()
    assert max(block.size for block in tensors[0].blocks(24)) == 6


@pytest.mark.parametrize(
    ("version", "config", "major"),
    [
        ("2.2.4-tf", {}, 2),
        ("3.6.0", {}, 3),
        (None, {"batch_shape": [None, 4]}, 3),
        (None, {}, 2),
    ],
)
def test_dialects(tmp_path: Path, version: str | None, config: Any, major: int) -> None:
    first = entry("Dense", "a", units=3, activation="hard_sigmoid")
    model = sequential(first)
    model["config"]["layers"][0]["config"].update(config)
    file = write_h5(tmp_path / "m.h5", model, {"a": dense("a", 4, 3)}, version=version)
    wanted = "hard_sigmoid" if major == 3 else "keras2_hard_sigmoid"
    assert read(file).layer("a").config["activation"] == wanted


def test_flags_when_the_file_was_written_count(tmp_path: Path) -> None:
    """Frozen layers of a nested model come last; the shapes alone would not tell."""
    frozen = entry("Dense", "p", units=4, trainable=False)
    inner = sequential(frozen, entry("Dense", "q", units=4))
    inner["config"]["name"] = "inner"
    p, q = dense("p", 4, 4), dense("q", 4, 4, start=50)
    for first, second in (("p", "q"), ("x", "y")):
        # Named as the layers, or in a way that tells nothing of them.
        stored = [
            *((f"{second}/{key.rsplit('/', 1)[1]}", value) for key, value in q),
            *((f"{first}/{key.rsplit('/', 1)[1]}", value) for key, value in p),
        ]
        file = write_h5(tmp_path / "m.h5", sequential(inner), {"inner": stored})
        layers = dict(read(file).walk())
        assert layers["inner/p"].weights[0].tensor.array()[0, 0] == 0
        assert layers["inner/q"].weights[0].tensor.array()[0, 0] == 50


def test_names_of_inner_layers_count_more_than_the_order(tmp_path: Path) -> None:
    inner = sequential(entry("Dense", "p", units=4), entry("Dense", "q", units=4))
    inner["config"]["name"] = "inner"
    stored = [*dense("q", 4, 4, start=50), *dense("p", 4, 4)]
    file = write_h5(tmp_path / "m.h5", sequential(inner), {"inner": stored})
    layers = dict(read(file).walk())
    assert layers["inner/q"].weights[0].tensor.array()[0, 0] == 50


def test_names_that_tensorflow_made_unique(tmp_path: Path) -> None:
    stored = {"a": [("a_1/kernel_1:0", counted(4, 3)), ("a_1/bias_1:0", counted(3))]}
    file = write_h5(tmp_path / "m.h5", sequential(entry("Dense", "a", units=3)), stored)
    assert [weight.name for weight in read(file).layer("a").weights] == ["kernel", "bias"]


def test_layers_under_other_names_are_taken_in_order(tmp_path: Path) -> None:
    stored = {"dense_7": dense("dense_7", 4, 3), "dense_8": dense("dense_8", 3, 2, start=50)}
    model = read(write_h5(tmp_path / "m.h5", TWO, stored))
    assert model.layer("b").weights[0].tensor.array()[0, 0] == 50


def test_custom_layers_keep_their_weights(tmp_path: Path) -> None:
    config = sequential(entry("Dense", "a", units=3), entry("Mine", "mine", size=3))
    stored = [("mine/w:0", counted(2)), ("mine/deep/v:0", counted(3))]
    file = write_h5(tmp_path / "m.h5", config, {"a": dense("a", 4, 3), "mine": stored})
    names = [weight.name for weight in read(file).layer("mine").weights]
    assert names == ["w", "v"]
    stored = [("mine/one/w:0", counted(2)), ("mine/two/w:0", counted(3))]
    file = write_h5(tmp_path / "m.h5", config, {"a": dense("a", 4, 3), "mine": stored})
    names = [weight.name for weight in read(file).layer("mine").weights]
    assert names == ["one/w", "two/w"]


def test_custom_layers_inside_a_nested_model(tmp_path: Path) -> None:
    inner = sequential(entry("Dense", "p", units=4), entry("Mine", "mine"))
    inner["config"]["name"] = "inner"
    stored = [*dense("p", 4, 4), ("mine/w:0", counted(2))]
    file = write_h5(tmp_path / "m.h5", sequential(inner), {"inner": stored})
    layers = dict(read(file).walk())
    assert [weight.name for weight in layers["inner/p"].weights] == ["kernel", "bias"]
    assert [weight.name for weight in layers["inner/mine"].weights] == ["w"]


def test_cudnn_weights_in_a_plain_layer(tmp_path: Path) -> None:
    config = sequential(entry("LSTM", "r", units=2), shape=(5, 3))
    stored = [
        ("r/kernel:0", counted(3, 8)),
        ("r/recurrent_kernel:0", counted(2, 8)),
        ("r/bias:0", counted(16)),
    ]
    weights = read(write_h5(tmp_path / "m.h5", config, {"r": stored})).layer("r").weights
    assert weights[2].tensor.shape == (8,)
    np.testing.assert_array_equal(weights[2].tensor.array(), np.arange(8) * 2 + 8)


def test_input_shape_from_the_first_weights(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], list[tuple[str, Any]], list[int | None]]] = [
        (entry("Dense", "a", units=3), dense("a", 4, 3), [None, 4]),
        (
            entry("Conv2D", "a", filters=2, kernel_size=[2, 2], groups=2),
            [("a/kernel:0", counted(2, 2, 3, 2)), ("a/bias:0", counted(2))],
            [None, None, None, 6],
        ),
        (
            entry("Conv1D", "a", filters=2, kernel_size=[2], data_format="channels_first"),
            [("a/kernel:0", counted(2, 3, 2)), ("a/bias:0", counted(2))],
            [None, 3, None],
        ),
        (
            entry("Embedding", "a", input_dim=7, output_dim=2),
            [("a/embeddings:0", counted(7, 2))],
            [None, None],
        ),
        (
            entry("SimpleRNN", "a", units=2),
            [
                ("a/kernel:0", counted(3, 2)),
                ("a/recurrent_kernel:0", counted(2, 2)),
                ("a/bias:0", counted(2)),
            ],
            [None, None, 3],
        ),
    ]
    for layer, stored, shape in cases:
        layers = [entry("Dropout", "d", rate=0.5), layer]
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
        model = read(write_h5(tmp_path / "m.h5", config, {"d": [], "a": stored}))
        assert model.layers[0].config["batch_shape"] == shape


def test_optimizer_state_keeps_its_names_and_order(tmp_path: Path) -> None:
    training = {
        "optimizer_config": {"class_name": "Adam", "config": {"lr": 0.1}},
        "loss": "mse",
        "metrics": ["mae"],
    }
    told = json.dumps(training).encode()
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS, training_config=told)
    names = [b"training/Adam/iterations:0", b"training/Adam/b:0", b"training/Adam/a:0"]
    with h5py.File(file, "r+") as opened:
        group = opened.create_group("optimizer_weights")
        group.attrs["weight_names"] = names
        for index, name in enumerate(names):
            group[name] = np.float32(index)
    state = read(file).training
    assert state is not None
    assert state.config["optimizer"] == training["optimizer_config"]
    assert [weight.name for weight in state.optimizer_weights] == [
        "training/Adam/iterations",
        "training/Adam/b",
        "training/Adam/a",
    ]
    assert [float(weight.tensor.array()) for weight in state.optimizer_weights] == [0, 1, 2]


# What is wrong ---------------------------------------------------------------------------------


def test_layer_without_its_weights(tmp_path: Path) -> None:
    text = refused(write_h5(tmp_path / "m.h5", TWO, {"a": WEIGHTS["a"]}))
    assert "the model has 2 layers with weights, the file 1; not in the file: b" in text


def test_weights_for_layers_that_are_not_there(tmp_path: Path) -> None:
    text = refused(write_h5(tmp_path / "m.h5", TWO, {**WEIGHTS, "c": dense("c", 2, 2)}))
    assert "not in the model: c" in text


def test_too_many_weights(tmp_path: Path) -> None:
    stored = {**WEIGHTS, "b": [*WEIGHTS["b"], ("b/more:0", counted(1))]}
    text = refused(write_h5(tmp_path / "m.h5", TWO, stored))
    assert "layer 'b' (Dense)" in text
    assert "has 2 variables (b/kernel, b/bias), but 3 are stored" in text


def test_weights_of_another_shape(tmp_path: Path) -> None:
    stored = {**WEIGHTS, "b": [("b/kernel:0", counted(3, 5)), ("b/bias:0", counted(2))]}
    text = refused(write_h5(tmp_path / "m.h5", TWO, stored))
    assert "layer 'b' (Dense)" in text
    assert "b/kernel has the shape [3, 2], but 'b/kernel'" in text
    assert text.endswith("has [3, 5]")


def test_weights_of_the_same_shapes_under_names_of_others(tmp_path: Path) -> None:
    config = sequential(entry("BatchNormalization", "n"))
    names = ("beta", "gamma", "moving_variance", "moving_mean")
    stored = {"n": [(f"n/{name}:0", counted(4)) for name in names]}
    text = refused(write_h5(tmp_path / "m.h5", config, stored))
    assert "what is stored for it is called n/beta, n/gamma" in text


def test_names_are_missing(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    with h5py.File(file, "r+") as opened:
        del opened["model_weights/b"].attrs["weight_names"]
    assert "does not tell the names of the weights in 'model_weights/b'" in refused(file)
    with h5py.File(file, "r+") as opened:
        del opened["model_weights"].attrs["layer_names"]
    with pytest.raises(CorruptFileError, match="nb_layers"):
        read(file)


def test_dataset_is_missing(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    with h5py.File(file, "r+") as opened:
        del opened["model_weights/b/b/kernel:0"]
    assert "model_weights/b/b/kernel:0" in refused(file)


def test_a_name_twice(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    with h5py.File(file, "r+") as opened:
        opened["model_weights"].attrs["layer_names"] = [b"a", b"b", b"a"]
    assert "lists the layer 'a' twice" in refused(file)


def test_variables_of_the_model_itself(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    with h5py.File(file, "r+") as opened:
        group = opened["model_weights"].create_group("top_level_model_weights")
        group.attrs["weight_names"] = [b"mine:0"]
        group["mine:0"] = counted(1)
    with pytest.raises(UnsupportedError, match="belong to no layer"):
        read(file)


def test_external_data(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    with h5py.File(file, "r+") as opened:
        del opened["model_weights/b/b/kernel:0"]
        opened["model_weights/b/b/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")
    with pytest.raises(UnsafeFileError, match="another file"):
        read(file)


def test_configuration_that_is_not_json(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    with h5py.File(file, "r+") as opened:
        opened.attrs["model_config"] = b'{"class_name": '
    assert "model_config: is not valid JSON" in refused(file)
    with h5py.File(file, "r+") as opened:
        opened.attrs["model_config"] = 7
    assert "its attribute model_config is no text" in refused(file)


def test_subclassed_model(tmp_path: Path) -> None:
    config = {"class_name": "MyModel", "config": {"layers": []}}
    with pytest.raises(UnsupportedError, match="MyModel"):
        read(write_h5(tmp_path / "m.h5", config, {}))


def test_sniff(tmp_path: Path) -> None:
    whole = write_h5(tmp_path / "m.h5", TWO, WEIGHTS)
    assert FORMAT.sniff(whole)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole.read_bytes()[:3000])
    assert FORMAT.sniff(cut)
    with pytest.raises(FormatError):
        read(cut)
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = [b"a"]
    assert not FORMAT.sniff(tmp_path / "weights.h5")
    assert not FORMAT.sniff(tmp_path)
    assert not FORMAT.sniff(tmp_path / "missing.h5")
    (tmp_path / "text.h5").write_text("text")
    assert not FORMAT.sniff(tmp_path / "text.h5")


def _read_all(path: Path) -> None:
    if FORMAT.sniff(path):
        for _, weight in read(path).weights():
            weight.tensor.array()


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files(seed: int, tmp_path: Path) -> None:
    source = DATA / ("keras1/nested-1.2.2.h5", "keras2/mixed-tensorflow-2.2.4.h5")[seed]
    copies = damaged(source.read_bytes(), 400, seed)
    assert survives(_read_all, tmp_path / "m.h5", copies) > 30


def test_damaged_configurations(tmp_path: Path) -> None:
    with h5py.File(DATA / "keras2" / "mixed-tensorflow-2.2.4.h5") as file:
        text = file.attrs["model_config"]
    data = text if isinstance(text, bytes) else str(text).encode()
    copy = tmp_path / "m.h5"
    copy.write_bytes((DATA / "keras2" / "mixed-tensorflow-2.2.4.h5").read_bytes())
    refusals = 0
    for changed in damaged(data, 300, seed=5):
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = np.void(changed) if b"\0" in changed else changed
        try:
            _read_all(copy)
        except TfjsError:
            refusals += 1
    assert refusals > 100
