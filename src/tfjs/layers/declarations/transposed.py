"""Transposed convolutions.

TF.js leaves out `output_padding` and `dilation_rate` (`runtime_contract.md` 3.5). Both are put
into the kernel: a kernel with zeros behind it reaches further, and what is too much is cropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfjs.ir.layers_model import Config
from tfjs.layers.base import Slot
from tfjs.layers.declarations.convolution import OF_THE_BASE, TOO_LARGE, Convolution
from tfjs.layers.declarations.convolution_graph import over_space, spread_kernel, transposed
from tfjs.layers.declarations.planes import CROP, UNKNOWN_SIZES
from tfjs.layers.declarations.rewriting import Rewriting
from tfjs.layers.declarations.space import Size, dilated, numbers

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.ir.layers_model import Layer
    from tfjs.layers.base import Apply
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering


class _Transposed(Convolution):
    # tf_keras writes `groups` of its base class, which the layer does not use.
    inert = OF_THE_BASE | {"groups"}

    def normalize(self, config: Config, dialect: str) -> None:
        super().normalize(config, dialect)
        padding = config.get("output_padding")
        if padding is not None:
            config["output_padding"] = numbers(padding, self.rank, "output_padding", lowest=0)

    def kernel_slots(self, config: Config, channels: Size) -> list[Slot]:
        return [Slot("kernel", (*config["kernel_size"], config["filters"], channels))]

    def sizes_out(self, config: Config, sizes: Sequence[Size]) -> list[Size]:
        found: list[Size] = []
        for at, size in enumerate(sizes):
            stride, extra = config["strides"][at], self._extra(config, at)
            found.append(None if size is None else (size - 1) * stride + extra)
        return found

    def _kernel(self, config: Config, axis: int) -> int:
        return dilated(config["kernel_size"][axis], config["dilation_rate"][axis])

    def _extra(self, config: Config, axis: int) -> int:
        """What the output has beyond `(size - 1) * stride`."""
        kernel, stride = self._kernel(config, axis), config["strides"][axis]
        if config.get("output_padding") is None:
            return int(stride if config["padding"] == "same" else max(kernel, stride))
        base = kernel % 2 if config["padding"] == "same" else kernel
        return int(base + config["output_padding"][axis])

    def _left(self, config: Config, axis: int) -> int:
        """What Keras cuts off before the first element, where it has `output_padding`."""
        if config["padding"] == "valid":
            return 0
        kernel = self._kernel(config, axis)
        total = kernel + kernel % 2 - 2 + int(config["output_padding"][axis])
        return kernel - 1 - min(-(-total // 2), kernel - 1)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        config, axes = layer.config, range(self.rank)
        extra = [self._extra(config, axis) for axis in axes]
        told = config.get("output_padding") is not None
        left = [self._left(config, axis) if told else 0 for axis in axes]

        def change(x: Value) -> Value:
            return transposed(build, x, spread_kernel(build, self.rank), extra, left)

        return over_space(build, self.rank, change)

    def unwritten(self, config: Config) -> list[str]:
        return ["groups", "output_padding"]

    def is_plain(self, config: Config) -> bool:
        return (
            self.rank > 1
            and config.get("output_padding") is None
            and max(config["dilation_rate"]) == 1
            and not self._skips(config)
        )

    def _skips(self, config: Config) -> bool:
        """Whether strides exceed the kernel, where TF.js takes padding below 0 over three axes."""
        return (
            self.rank == 3
            and config["padding"] == "same"
            and any(k < s for k, s in zip(config["kernel_size"], config["strides"], strict=True))
        )

    def rewrite(self, form: Rewriting) -> str | None:
        if self.rank == 1:
            form.channels_last()
        config = dict(form.layer.config)
        axes = range(self.rank)
        kernel = [self._kernel(config, axis) for axis in axes]
        strides = config["strides"]
        cropping = [[0, 0] for _ in axes]
        after = [0 for _ in axes]
        if config.get("output_padding") is not None:
            ends = [self._left(config, axis) + self._extra(config, axis) for axis in axes]
            after = [max(0, ends[axis] - kernel[axis]) for axis in axes]
            reach = [max(kernel[axis] + after[axis], strides[axis]) for axis in axes]
            cropping = [[self._left(config, axis), reach[axis] - ends[axis]] for axis in axes]
            form.config["padding"] = "valid"
            form.note("output_padding by zeros in the kernel and by cropping")
        elif self._skips(config):
            after = [max(0, strides[axis] - kernel[axis]) for axis in axes]
            form.note("kernel written with zeros in it, for a dilation or padding TF.js lacks")
        if max(config["dilation_rate"]) > 1:
            form.note("kernel written with zeros in it, for a dilation or padding TF.js lacks")
        if not form.spread("kernel", after):
            return f"its kernel {TOO_LARGE}"
        return self._place(form, cropping)

    def _place(self, form: Rewriting, cropping: list[list[int]]) -> str | None:
        """Put the cropping behind, and a layer over one axis on a column."""
        if self.rank == 1:
            form.as_image("Conv2DTranspose", ["kernel"], 1)
        if not any(map(any, cropping)):
            return None
        if self.rank == 1:
            form.behind.insert(0, CROP.piece(cropping[0], CROP.neutral))
            return None
        whole = [
            None if size is None else size + sum(cut)
            for size, cut in zip(form.outcome.sizes, cropping, strict=True)
        ]
        pieces = CROP.pieces(form.outcome.resized(whole), cropping, form.outcome.sizes)
        if pieces is None:
            return UNKNOWN_SIZES
        form.behind = [*pieces, *form.behind]
        return None


class Conv1DTranspose(_Transposed):
    name = "Conv1DTranspose"
    aliases = ("Convolution1DTranspose",)
    rank = 1


class Conv2DTranspose(_Transposed):
    name = "Conv2DTranspose"
    aliases = ("Convolution2DTranspose",)
    rank = 2


class Conv3DTranspose(_Transposed):
    name = "Conv3DTranspose"
    aliases = ("Convolution3DTranspose",)
    rank = 3

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        build.warn("Conv3DTranspose computes wrong numbers on the wasm backend of TF.js 4.22")
        return super().legalize(layer, build)
