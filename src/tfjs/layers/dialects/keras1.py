"""Keras 1 (1.0 to 1.2): configurations as Keras 2 writes them.

Facts: keras/layers/*.py of the tags 1.0.0 to 1.2.2, and keras/legacy/interfaces.py of 2.2.4,
which tells what each argument has become.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.ir.layers_model import Config
from tfjs.layers.dialects.read import MODEL_CLASSES, damaged
from tfjs.layers.structure import MAX_DEPTH

_CLASSES = {
    "Convolution1D": "Conv1D",
    "AtrousConvolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "Convolution3D": "Conv3D",
    "TimeDistributedDense": "Dense",
}
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
}
_LOST = {
    "MaxoutDense": "Keras 2 has no MaxoutDense",
    "Highway": "Keras 2 has no Highway",
    "ParametricSoftplus": "Keras 2 has no ParametricSoftplus",
    "SReLU": "Keras 2 has no SReLU",
}

# Arguments of most layers: Keras 1 -> Keras 2.
_KEYS = {
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "U_regularizer": "recurrent_regularizer",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "bias": "use_bias",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "pool_length": "pool_size",
    "stride": "strides",
}
# Arguments whose meaning depends on the class.
_CLASS_KEYS = {
    "Dense": {"output_dim": "units"},
    "LSTM": {"output_dim": "units"},
    "GRU": {"output_dim": "units"},
    "SimpleRNN": {"output_dim": "units"},
    "Embedding": {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "PReLU": {"init": "alpha_initializer"},
    "Dropout": {"p": "rate"},
    "SpatialDropout1D": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate"},
    "SpatialDropout3D": {"p": "rate"},
    "GaussianDropout": {"p": "rate"},
    "GaussianNoise": {"sigma": "stddev"},
    "UpSampling1D": {"length": "size"},
    "SeparableConv2D": {"init": "depthwise_initializer"},
}
_DROPPED = frozenset({"forget_bias_init", "mode", "consume_less", "output_shape"})
_INPUT_SIZES = frozenset({"input_dim", "input_length"})
_ORDERINGS = {"tf": "channels_last", "th": "channels_first"}
_CONSUMING = {"cpu": 0, "mem": 1, "gpu": 2}
# Their configuration does not tell the order of the axes; it is that of the whole Keras.
_ORDERED = frozenset(
    {"UpSampling2D", "UpSampling3D", "ZeroPadding2D", "ZeroPadding3D", "Cropping2D", "Cropping3D"}
)
_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "ConvLSTM2D"})


def to_keras2(config: Any, where: str) -> Config:
    """The configuration of a whole model of Keras 1 in the words of Keras 2.

    Args:
        config: `{"class_name": "Sequential" | "Model", "config": ...}`; it is not changed.
        where: the file, for messages.

    Raises:
        CorruptFileError: it is no such configuration.
        UnsupportedError: it has layers that Keras 2 no longer has; all are listed.
    """
    with damaged(where):
        if not isinstance(config, dict) or config.get("class_name") not in MODEL_CLASSES:
            raise CorruptFileError("has no model configuration of Keras 1", where=where)
        converter = _Converter(where, _usual_ordering(config))
        result = converter.model(config, 0)
    if converter.problems:
        raise UnsupportedError(
            "the model has layers that ended with Keras 1",
            problems=converter.problems,
            where=where,
        )
    return result


def _usual_ordering(config: Config) -> str:
    found = Counter(ordering for ordering in _orderings(config, 0) if ordering in _ORDERINGS)
    return _ORDERINGS[found.most_common(1)[0][0]] if found else "channels_last"


def _orderings(value: Any, depth: int) -> Iterator[Any]:
    if depth > 8 * MAX_DEPTH:
        return
    if isinstance(value, dict):
        if isinstance(value.get("dim_ordering"), str):
            yield value["dim_ordering"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _orderings(item, depth + 1)


class _Converter:
    def __init__(self, where: str, ordering: str) -> None:
        self.where = where
        self.ordering = ordering
        self.problems: list[str] = []

    def model(self, entry: Config, depth: int) -> Config:
        if depth > MAX_DEPTH:
            raise CorruptFileError("models are nested beyond reason", where=self.where)
        config = entry["config"]
        if isinstance(config, list):
            if config and config[0]["class_name"] == "Merge" and config[0]["config"].get("layers"):
                return {**entry, **self._merged(str(entry.get("name") or "sequential"), config)}
            return {**entry, "config": [self.layer(item, depth) for item in config]}
        layers = [self.layer(item, depth) for item in config["layers"]]
        return {**entry, "config": {**config, "layers": layers}}

    def layer(self, entry: Config, depth: int) -> Config:
        if depth > MAX_DEPTH:
            raise CorruptFileError("layers are nested beyond reason", where=self.where)
        class_name, config = entry["class_name"], entry["config"]
        if class_name in MODEL_CLASSES:
            return self.model(entry, depth + 1)
        name = str(config.get("name"))
        if class_name in _LOST:
            self.problems.append(f"{name} ({class_name}): {_LOST[class_name]}")
            return entry
        if class_name == "Merge":
            return {**entry, **self._merge(config)}
        own = _CLASSES.get(class_name, str(class_name))
        result = self._config(own, config, name)
        if isinstance(config.get("layer"), dict):
            result["layer"] = self.layer(config["layer"], depth + 1)
        return {**entry, "class_name": own, "config": result}

    def _config(self, class_name: str, config: Config, name: str) -> Config:
        keys = {**_KEYS, **_CLASS_KEYS.get(class_name, {})}
        result: Config = {}
        for key, value in config.items():
            if key == "dim_ordering":
                result["data_format"] = _ORDERINGS.get(value, self.ordering)
            elif key == "input_dtype":
                # Of the data, not of the layer; an Embedding takes integers.
                if class_name == "InputLayer" and value is not None:
                    result["dtype"] = value
            elif key not in _DROPPED and (class_name == "Embedding" or key not in _INPUT_SIZES):
                new = keys.get(key, key)
                result[new] = _constraint(value) if new.endswith("_constraint") else value
        if class_name in _ORDERED:
            result.setdefault("data_format", self.ordering)
        _kernel_sizes(config, result)
        _recurrent(class_name, config, result)
        _padding(class_name, result)
        if class_name == "Embedding":
            result.pop("dropout", None)
        if class_name == "SeparableConv2D" and "depthwise_initializer" in result:
            result["pointwise_initializer"] = result["depthwise_initializer"]
        if class_name == "BatchNormalization" and config.get("mode", 0) != 0:
            self.problems.append(
                f"{name} (BatchNormalization): Keras 2 has no mode={config['mode']!r}, which uses "
                "the statistics of each batch or sample"
            )
        return result

    def _merge(self, config: Config) -> Config:
        name = str(config.get("name"))
        mode = config.get("mode")
        if config.get("mode_type", "raw") != "raw" or mode not in _MERGES:
            self.problems.append(f"{name} (Merge): Keras 2 has no merge mode {mode!r}")
            return {"class_name": "Add", "config": {"name": name}}
        result: Config = {"name": name, "trainable": config.get("trainable", True)}
        if mode == "concat":
            result["axis"] = config.get("concat_axis", -1)
        elif mode == "dot":
            result |= {"axes": config.get("dot_axes", -1), "normalize": False}
        return {"class_name": _MERGES[mode], "config": result}

    # A Sequential that begins by merging other Sequentials -------------------------------------

    def _merged(self, name: str, entries: list[Config]) -> Config:
        """As a Functional model; Keras 1 lists the layers of the branches with its own."""
        layers: dict[str, Config] = {}
        inputs: list[str] = []
        last = self._branches(entries, layers, inputs, 0)
        return {
            "class_name": "Model",
            "config": {
                "name": name,
                "layers": list(layers.values()),
                "input_layers": [[item, 0, 0] for item in inputs],
                "output_layers": [last],
            },
        }

    def _branches(
        self, entries: list[Config], layers: dict[str, Config], inputs: list[str], depth: int
    ) -> list[Any]:
        """Add a chain of layers; gives the reference to its end."""
        if depth > MAX_DEPTH:
            raise CorruptFileError("models are nested beyond reason", where=self.where)
        first, rest = entries[0], entries[1:]
        if first["class_name"] == "Merge":
            ends = []
            for branch in first["config"]["layers"]:
                if branch["class_name"] != "Sequential":
                    raise UnsupportedError(
                        f"merges a {branch['class_name']} as Keras 1 did; only Sequential models "
                        "merged so can be read",
                        where=self.where,
                    )
                ends.append(self._branches(branch["config"], layers, inputs, depth + 1))
        else:
            ends, rest = [self._entry(first, layers, inputs)], entries
        last = ends[0]
        if first["class_name"] == "Merge":
            last = _call(layers, self.layer(first, depth), ends)
        for item in rest:
            if item["class_name"] != "InputLayer":
                last = _call(layers, self.layer(item, depth), [last])
        return last

    def _entry(self, first: Config, layers: dict[str, Config], inputs: list[str]) -> list[Any]:
        config = first["config"]
        name = config["name"] if first["class_name"] == "InputLayer" else f"{config['name']}_input"
        kept = {"batch_input_shape": config.get("batch_input_shape")}
        if config.get("input_dtype") is not None:
            kept["dtype"] = config["input_dtype"]
        # A layer that two branches share is told by its name; each branch has its own input.
        unique, count = name, 1
        while unique in layers:
            count += 1
            unique = f"{name}_{count}"
        inputs.append(unique)
        layers[unique] = {
            "name": unique,
            "class_name": "InputLayer",
            "config": {"name": unique, **kept},
            "inbound_nodes": [],
        }
        return [unique, 0, 0]


def _call(layers: dict[str, Config], entry: Config, refs: list[list[Any]]) -> list[Any]:
    """Apply a layer once more, and add it the first time; gives the reference to its output."""
    name = entry["config"]["name"]
    known = layers.setdefault(name, {**entry, "name": name, "inbound_nodes": []})
    known["inbound_nodes"].append(refs)
    return [name, len(known["inbound_nodes"]) - 1, 0]


def _constraint(value: Any) -> Any:
    """`{"name": "MaxNorm", "m": 2}` as `{"class_name", "config"}`."""
    if not isinstance(value, dict) or "name" not in value:
        return value
    config = {
        "max_value" if key == "m" else key: item for key, item in value.items() if key != "name"
    }
    return {"class_name": value["name"], "config": config}


def _kernel_sizes(config: Config, result: Config) -> None:
    for keys in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if keys[0] in config:
            result["kernel_size"] = [config[key] for key in keys]
            for key in keys:
                result.pop(key, None)


def _recurrent(class_name: str, config: Config, result: Config) -> None:
    if class_name not in _RECURRENT:
        return
    if "consume_less" in config:
        result["implementation"] = _CONSUMING.get(config["consume_less"], 1)
    if class_name == "GRU":
        result["reset_after"] = False


def _padding(class_name: str, result: Config) -> None:
    padding = result.get("padding")
    if class_name == "ZeroPadding1D" and isinstance(padding, dict):
        result["padding"] = [padding.get("left_pad", 0), padding.get("right_pad", 0)]
    elif class_name == "ZeroPadding2D" and isinstance(padding, dict):
        sides = [padding.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
        result["padding"] = [sides[:2], sides[2:]]
    elif class_name == "ZeroPadding2D" and isinstance(padding, list) and len(padding) == 4:
        result["padding"] = [padding[:2], padding[2:]]
