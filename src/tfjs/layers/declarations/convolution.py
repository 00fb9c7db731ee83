"""Convolutions: ordinary, depthwise and separable ones.

TF.js leaves out what Keras has in `groups`, in causal padding, in `channels_first` over one axis,
and in the dilation of depthwise kernels (`runtime_contract.md` 3.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from tfjs.ir.layers_model import Config, Layer
from tfjs.layers.base import Apply, LayerSpec, Shape, Slot
from tfjs.layers.declarations import kernels
from tfjs.layers.declarations.activations import keep_and_activate
from tfjs.layers.declarations.convolution_graph import (
    check_groups,
    convolved,
    kernel_of,
    over_space,
    separable,
)
from tfjs.layers.declarations.rewriting import Rewriting, apply_all, spaces
from tfjs.layers.declarations.space import (
    Size,
    Space,
    data_format,
    dilated,
    is_first,
    number,
    numbers,
    product,
    shapes_in,
    window_length,
    word,
)

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

TOO_LARGE = f"would have more than {kernels.LARGEST >> 20} MiB with the zeros that TF.js needs"
# What the base class of convolutions writes in some releases of TF.js; the class tells it too.
OF_THE_BASE = frozenset({"rank"})


class Convolution(LayerSpec):
    """What all convolutions share.

    Attributes:
        rank: the number of axes of space.
        paddings: what `padding` may be.
    """

    rank: ClassVar[int] = 0
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")
    inert = OF_THE_BASE

    def normalize(self, config: Config, dialect: str) -> None:
        config["kernel_size"] = numbers(config["kernel_size"], self.rank, "kernel_size")
        for key in ("strides", "dilation_rate"):
            value = config.get(key)
            config[key] = numbers(1 if value is None else value, self.rank, key)
        word(config, "padding", self.paddings, "valid")
        data_format(config)
        for key in ("filters", "groups", "depth_multiplier"):
            if key in config:
                config[key] = number(config[key], key)
        config["use_bias"] = bool(config.get("use_bias", True))
        config.setdefault("activation", "linear")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        space = self.space(layer, inputs)
        channels = None if space is None else space.channels
        found = self.kernel_slots(layer.config, channels)
        if layer.config["use_bias"]:
            found.append(Slot("bias", (self.channels_out(layer.config, channels),)))
        return found

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        space = self.space(layer, inputs)
        if space is None:
            return [None]
        sizes = self.sizes_out(layer.config, space.sizes)
        channels = self.channels_out(layer.config, space.channels)
        return [space.resized(sizes).recoloured(channels).shape()]

    def space(self, layer: Layer, inputs: Sequence[Shape | None]) -> Space | None:
        """The input, taken apart; None where it is unknown."""
        return Space.of(inputs[0] if inputs else None, self.rank, layer.config)

    def kernel_slots(self, config: Config, channels: Size) -> list[Slot]:
        """The kernels, from the channels that go in."""
        raise NotImplementedError

    def channels_out(self, config: Config, channels: Size) -> Size:
        """The channels that come out."""
        return int(config["filters"])

    def sizes_out(self, config: Config, sizes: Sequence[Size]) -> list[Size]:
        """The extent that comes out."""
        return [
            window_length(size, dilated(kernel, dilation), stride, config["padding"])
            for size, kernel, stride, dilation in zip(
                sizes,
                config["kernel_size"],
                config["strides"],
                config["dilation_rate"],
                strict=True,
            )
        ]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shapes = shapes_in(build, layer)
        for shape in shapes:
            if shape is not None and len(shape) != self.rank + 2:
                axes = len(shape) - 2
                return build.refuse(layer, f"its input has {axes} axes of space, not {self.rank}")
        if self.is_plain(layer.config):
            gone = dict.fromkeys(self.unwritten(layer.config), ...)
            return keep_and_activate(layer, build, gone)
        forms: dict[Shape | None, Rewriting] = {}
        for shape in shapes:
            form = forms.get(shape) or self._rewritten(layer, build, shape)
            if isinstance(form, str):
                return build.refuse(layer, form)
            forms[shape] = form
        if any(form.config != forms[shapes[0]].config for form in forms.values()):
            return build.refuse(layer, "its inputs differ in size, for which TF.js needs 2 kernels")
        return apply_all(forms)

    def _rewritten(self, layer: Layer, build: Builder, shape: Shape | None) -> Rewriting | str:
        """The layer for inputs of one shape; or why it cannot be."""
        found = spaces(layer, self.rank, shape, self.infer(layer, [shape])[0])
        if found is None:
            return "the shape of its input is unknown, which its options need"
        for slot, weight in zip(self.slots(layer, [shape]), layer.weights, strict=False):
            kernels.check(weight, slot.shape, f"layer {layer.name!r}")
        form = Rewriting(layer, build, *found)
        for key in self.unwritten(layer.config):
            form.config.pop(key, None)
        return self.rewrite(form) or form

    def unwritten(self, config: Config) -> list[str]:
        """Keys that are not to be written."""
        return []

    def is_plain(self, config: Config) -> bool:
        """Whether TF.js computes the layer as it stands, but for its activation."""
        raise NotImplementedError

    def rewrite(self, form: Rewriting) -> str | None:
        """Bring a layer that is not plain into TF.js's terms; or why it cannot be."""
        raise NotImplementedError


def _strides_or_gaps(config: Config) -> bool:
    """Whether strides, dilation or both are all 1: TF.js takes no more."""
    return 1 in (max(config["strides"]), max(config["dilation_rate"]))


class _Conv(Convolution):
    """A convolution over all channels, or over groups of them."""

    def kernel_slots(self, config: Config, channels: Size) -> list[Slot]:
        inner = None if channels is None else channels // int(config.get("groups", 1))
        return [Slot("kernel", (*config["kernel_size"], inner, config["filters"]))]

    def is_plain(self, config: Config) -> bool:
        return (
            config.get("groups", 1) == 1
            and config["padding"] != "causal"
            and _strides_or_gaps(config)
            and not (self.rank == 1 and is_first(config))
            and not self._skips(config)
        )

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        def change(x: Value) -> Value:
            check_groups(build.shape(x)[-1], layer.config)
            return convolved(build, x, kernel_of(build, "kernel", self.rank))

        return over_space(build, self.rank, change)

    def rewrite(self, form: Rewriting) -> str | None:
        if self.rank == 1:
            form.channels_last()
            form.causal()
        why = None if form.config.get("groups", 1) == 1 else self._ungroup(form)
        return why or self._without_gaps(form)

    def _ungroup(self, form: Rewriting) -> str | None:
        config, channels = form.config, form.space.channels or 0
        groups = config["groups"]
        if channels % groups or config["filters"] % groups:
            return f"{channels} channels and {config['filters']} filters are no {groups} groups"
        if groups == channels and self.rank < 3:
            self._as_depthwise(form)
            return None
        shape = (*config["kernel_size"], channels, config["filters"])
        if not kernels.fits(shape):
            return f"its kernel has {groups} groups, which TF.js lacks; as one group it {TOO_LARGE}"
        form.change("kernel", lambda weight: kernels.ungrouped(weight, groups))
        config["groups"] = 1
        form.note("convolution in groups as one with zeros between the groups")
        form.build.warn(
            f"{form.layer.name}: the kernel of a convolution in {groups} groups is written as an "
            f"ordinary one, {groups} times as large and as slow"
        )
        return None

    def _as_depthwise(self, form: Rewriting) -> None:
        """As many groups as channels: a depthwise convolution, its kernel in the same order."""
        config, channels = form.config, form.space.channels or 1
        multiplier = config.pop("filters") // channels
        del config["groups"]
        for key in ("initializer", "regularizer", "constraint"):
            config[f"depthwise_{key}"] = config.pop(f"kernel_{key}", None)
        config["depth_multiplier"] = multiplier
        shape = (*config["kernel_size"], channels, multiplier)
        form.change("kernel", lambda weight: kernels.reshaped(weight, shape))
        form.class_name = "DepthwiseConv2D"
        if self.rank == 1:
            form.as_image("DepthwiseConv2D", ["kernel"], form.numbers("strides")[0])
        form.note("convolution with a group a channel as DepthwiseConv2D")

    def _without_gaps(self, form: Rewriting) -> str | None:
        """Zeros in the kernel for what TF.js does not compute: some dilations and paddings."""
        config = form.config
        after = self._after(config, form.space.sizes)
        if after is None:
            return (
                "its strides are greater than its kernel and the size of its input is unknown: "
                "TF.js pads that otherwise"
            )
        depthwise = form.class_name == "DepthwiseConv2D" and max(config["dilation_rate"]) > 1
        if depthwise or not _strides_or_gaps(config) or any(after):
            if not form.spread("kernel", after):
                return f"its kernel {TOO_LARGE}"
            form.note("kernel written with zeros in it, for a dilation or padding TF.js lacks")
        return None

    def _skips(self, config: Config) -> bool:
        """Whether windows leave gaps, where TF.js takes padding below 0 over three axes."""
        return self.rank == 3 and config["padding"] == "same" and any(self._gaps(config))

    def _gaps(self, config: Config) -> list[bool]:
        sizes = zip(config["kernel_size"], config["dilation_rate"], config["strides"], strict=True)
        return [dilated(kernel, dilation) < stride for kernel, dilation, stride in sizes]

    def _after(self, config: Config, sizes: Sequence[Size]) -> list[int] | None:
        """Zeros behind the kernel that make the padding of TF.js 0 where it would be less."""
        if not self._skips(config):
            return [0] * len(config["kernel_size"])
        found = []
        for at, gap in enumerate(self._gaps(config)):
            size, stride = sizes[at], config["strides"][at]
            if gap and size is None:
                return None
            windows = -(-(size or 0) // stride)
            extent = dilated(config["kernel_size"][at], config["dilation_rate"][at])
            reach = (windows - 1) * stride + extent
            found.append(max(0, (size or 0) - reach) if gap else 0)
        return found


class Conv1D(_Conv):
    name = "Conv1D"
    aliases = ("Convolution1D",)
    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(_Conv):
    name = "Conv2D"
    aliases = ("Convolution2D",)
    rank = 2


class Conv3D(_Conv):
    name = "Conv3D"
    aliases = ("Convolution3D",)
    rank = 3


class _Depthwise(Convolution):
    """A convolution of each channel by itself."""

    # tf_keras writes `groups` of its base class, which the layer does not use.
    inert = OF_THE_BASE | {"groups"}

    def kernel_slots(self, config: Config, channels: Size) -> list[Slot]:
        shape = (*config["kernel_size"], channels, config["depth_multiplier"])
        return [Slot("kernel", shape, keras2="depthwise_kernel")]

    def channels_out(self, config: Config, channels: Size) -> Size:
        return product([channels, config["depth_multiplier"]])

    def unwritten(self, config: Config) -> list[str]:
        return ["groups"]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        def change(x: Value) -> Value:
            return convolved(build, x, kernel_of(build, "kernel", self.rank), depthwise=True)

        return over_space(build, self.rank, change)

    def is_plain(self, config: Config) -> bool:
        return self.rank == 2 and max(config["dilation_rate"]) == 1

    def rewrite(self, form: Rewriting) -> str | None:
        if self.rank == 1:
            form.channels_last()
            form.as_image("DepthwiseConv2D", ["kernel"], form.numbers("strides")[0])
        if max(form.config["dilation_rate"]) > 1:
            if not form.spread("kernel"):
                return f"its kernel {TOO_LARGE}"
            form.note("dilated depthwise kernel written with zeros in its gaps")
        return None


class DepthwiseConv1D(_Depthwise):
    name = "DepthwiseConv1D"
    rank = 1


class DepthwiseConv2D(_Depthwise):
    name = "DepthwiseConv2D"
    rank = 2


class _Separable(Convolution):
    """A depthwise convolution and one across channels behind it."""

    # tf_keras writes what its base class has; the layer's own kernels have keys of their own.
    inert = OF_THE_BASE | {"groups", "kernel_initializer"}

    def kernel_slots(self, config: Config, channels: Size) -> list[Slot]:
        multiplier = config["depth_multiplier"]
        between = product([channels, multiplier])
        ones = (1,) * self.rank
        return [
            Slot("depthwise_kernel", (*config["kernel_size"], channels, multiplier)),
            Slot("pointwise_kernel", (*ones, between, config["filters"])),
        ]

    def unwritten(self, config: Config) -> list[str]:
        # TF.js throws on the first three.
        kernel = ["kernel_initializer", "kernel_regularizer", "kernel_constraint"]
        return [*kernel, "groups", "pointwise_initializer"]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return over_space(build, self.rank, lambda x: separable(build, x, self.rank))

    def is_plain(self, config: Config) -> bool:
        return self.rank == 2 and not is_first(config) and _strides_or_gaps(config)

    def rewrite(self, form: Rewriting) -> str | None:
        form.channels_last()
        if self.rank == 1:
            form.causal()
            names = ["depthwise_kernel", "pointwise_kernel"]
            form.as_image("SeparableConv2D", names, form.numbers("strides")[0])
        if not _strides_or_gaps(form.config):
            if not form.spread("depthwise_kernel"):
                return f"its kernel {TOO_LARGE}"
            form.note("kernel written with zeros in it, for a dilation or padding TF.js lacks")
        return None


class SeparableConv1D(_Separable):
    name = "SeparableConv1D"
    aliases = ("SeparableConvolution1D",)
    rank = 1
    paddings = ("valid", "same", "causal")


class SeparableConv2D(_Separable):
    name = "SeparableConv2D"
    aliases = ("SeparableConvolution2D",)
    rank = 2
