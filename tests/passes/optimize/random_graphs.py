"""Random graphs of what TF.js runs, with whatever rules look for in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from tfjs.ir.graph import Dims, Graph, Shape, Type, Value
from tfjs.ir.tensor import Array
from tfjs.ops.build import Builder

_UNARY = ("Relu", "Relu6", "Elu", "Sigmoid", "Tanh", "Neg", "Abs", "Square", "Softplus", "Identity")
_BINARY = ("Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "SquaredDifference")
_NICE = (0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 6.0, 1 / 6)
_MOST_NUMBERS = 4000
_NHWC = b"NHWC"


class RandomGraph:
    """A graph that grows step by step.

    Attributes:
        graph: the graph, with one to three outputs once it is closed.
    """

    def __init__(self, random: Random) -> None:
        self.graph = Graph()
        self._random = random
        self._count = 0
        batch = random.choice([None, None, 1, 2])
        self._values = [self._input(batch, random) for _ in range(random.choice([1, 1, 2]))]

    def _input(self, batch: int | None, random: Random) -> Value:
        sizes = [random.choice([1, 2, 4, 5, 6]) for _ in range(random.choice([1, 2, 3, 3, 3]))]
        shape = (batch, *sizes)
        attrs = {"dtype": "float32", "shape": Dims(shape)}
        name = f"x{len(self.graph.inputs)}"
        node = self.graph.add("Placeholder", [], attrs, [Type("float32", shape)], name=name)
        self.graph.inputs.append(node)
        return node.output

    def grow(self, steps: int) -> None:
        """Add that many steps, of one node or a few."""
        for _ in range(steps):
            step = self._random.choice(STEPS)
            value = self._picked()
            self._count += 1
            build = Builder(self.graph, f"s{self._count}", (f"s{self._count}",))
            made = step(build, value, self)
            self._values += [entry for entry in made if _is_usable(entry)]

    def close(self) -> None:
        """Let the last value and perhaps others be what is asked for."""
        found = [self._values[-1]]
        for _ in range(self._random.choice([0, 0, 1, 2])):
            found.append(self._random.choice(self._values))
        found = [value for value in dict.fromkeys(found) if value.node.op != "Placeholder"]
        if not found:
            build = Builder(self.graph, "last", ("last",))
            found = [build.op("Relu", self._values[-1], attrs={"T": "float32"})]
        self.graph.outputs = found
        self.graph.output_names = [f"out{i}" for i in range(len(found))]
        self.graph.prune()

    def _picked(self) -> Value:
        """A value to go on from: mostly the last."""
        if self._random.random() < 0.75:
            return self._values[-1]
        return self._random.choice(self._values)

    # For steps -------------------------------------------------------------------------------

    def one_of(self, *items: Any) -> Any:
        return self._random.choice(items)

    def chance(self, part: float) -> bool:
        return self._random.random() < part

    def numbers(self, shape: Sequence[int]) -> Array:
        """Numbers: all the same, nice ones, or any."""
        kind = self._random.random()
        if kind < 0.3:
            return np.full(shape, self._random.choice(_NICE), np.float32)
        if kind < 0.5:
            nice = [self._random.choice(_NICE) for _ in range(int(np.prod(shape)))]
            return np.array(nice, np.float32).reshape(shape)
        rng = np.random.default_rng(self._random.randrange(1 << 30))
        return rng.uniform(-1.5, 1.5, shape).astype(np.float32)

    def alike(self, shape: Shape) -> list[Value]:
        """Values of a shape."""
        return [value for value in self._values if value.shape == shape]

    def sub(self, size: int) -> tuple[int, int]:
        """A part of an axis: where it begins, and how long it is."""
        length = self._random.randint(1, size)
        return self._random.randint(0, size - length), length

    def permutation(self, rank: int) -> list[int]:
        axes = list(range(rank))
        self._random.shuffle(axes)
        return axes


def _is_usable(value: Value) -> bool:
    shape = value.shape
    if value.dtype != "float32" or not shape or None in shape[1:] or 0 in shape or len(shape) > 5:
        return False
    return int(np.prod([size or 1 for size in shape])) <= _MOST_NUMBERS


def _sizes(value: Value) -> list[int]:
    """The sizes behind the first axis, which are all known."""
    assert value.shape is not None
    return [size for size in value.shape[1:] if size is not None]


Step = Callable[[Builder, Value, RandomGraph], Sequence[Value]]
STEPS: list[Step] = []


def _step(weight: int) -> Callable[[Step], Step]:
    def register(step: Step) -> Step:
        STEPS.extend([step] * weight)
        return step

    return register


F: dict[str, Any] = {"T": "float32"}


@_step(6)
def _unary(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    op = some.one_of(*_UNARY)
    return [build.op(op, x, attrs=F)]


@_step(1)
def _leaky(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    return [build.op("LeakyRelu", x, attrs={**F, "alpha": some.one_of(0.125, 0.25, 0.0)})]


@_step(12)
def _with_constant(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    last = sizes[-1] if sizes else 1
    ones = [1] * len(sizes)
    shape = some.one_of([], [1], [last], [*ones, last], sizes, [1, *sizes], [*ones, 1])
    constant = build.constant(some.numbers(shape))
    op = some.one_of(*_BINARY)
    pair = [x, constant]
    if some.chance(0.3) and op != "RealDiv":
        pair.reverse()
    if op == "RealDiv":
        array = some.numbers(shape)
        pair[1] = build.constant(np.where(np.abs(array) < 0.25, np.float32(2), array))
    return [build.op(op, *pair, attrs=F)]


@_step(5)
def _with_another(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    other = some.one_of(*some.alike(x.shape))
    op = some.one_of("AddV2", "Sub", "Mul", "Maximum", "Minimum")
    return [build.op(op, x, other, attrs=F)]


@_step(3)
def _bias(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if not sizes:
        return []
    bias = build.constant(some.numbers(sizes[-1:]))
    return [build.op("BiasAdd", x, bias, attrs={**F, "data_format": _NHWC})]


@_step(6)
def _convolution(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if len(sizes) != 3:
        return []
    channels, size = sizes[2], some.one_of(1, 1, 2, 3)
    padding = some.one_of(b"SAME", b"VALID")
    if padding == b"VALID" and min(sizes[:2]) < size:
        return []
    step = some.one_of(1, 1, 2)
    attrs = {**F, "strides": [1, step, step, 1], "padding": padding, "data_format": _NHWC}
    attrs |= {"dilations": [1, 1, 1, 1], "explicit_paddings": []}
    if some.chance(0.4):
        filters = some.numbers([size, size, channels, some.one_of(1, 1, 2)])
        return [build.op("DepthwiseConv2dNative", x, build.constant(filters), attrs=attrs)]
    filters = some.numbers([size, size, channels, some.one_of(1, 2, 4)])
    return [build.op("Conv2D", x, build.constant(filters), attrs=attrs)]


@_step(3)
def _batch_norm(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if len(sizes) != 3:
        return []
    scale, offset, mean = (build.constant(some.numbers(sizes[-1:])) for _ in range(3))
    variance = build.constant(np.abs(some.numbers(sizes[-1:])) + np.float32(0.5))
    attrs = {**F, "U": "float32", "epsilon": 1e-3, "is_training": False, "data_format": _NHWC}
    return build.ops("FusedBatchNormV3", x, scale, offset, mean, variance, attrs=attrs)[:1]


@_step(2)
def _pool(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if len(sizes) != 3:
        return []
    size, step = some.one_of(1, 2, 3), some.one_of(1, 2)
    padding = some.one_of(b"SAME", b"VALID")
    if padding == b"VALID" and min(sizes[:2]) < size:
        return []
    attrs = {**F, "ksize": [1, size, size, 1], "strides": [1, step, step, 1]}
    attrs |= {"padding": padding, "data_format": _NHWC}
    return [build.op(some.one_of("MaxPool", "AvgPool"), x, attrs=attrs)]


@_step(2)
def _pad(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    places = [[0, 0], *([some.one_of(0, 1, 2), some.one_of(0, 0, 1)] for _ in sizes)]
    if len(sizes) == 3 and some.chance(0.7):
        places[3] = [0, 0]
    amounts = build.constant(np.array(places, np.int32))
    return [build.op("Pad", x, amounts, attrs={**F, "Tpaddings": "int32"})]


@_step(4)
def _reshape(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    total = int(np.prod(sizes))
    divisors = [n for n in (1, 2, 3, 4, 5, 6) if total % n == 0]
    first = some.one_of(*divisors)
    second = some.one_of(*[n for n in divisors if total // first % n == 0])
    shapes = (
        [-1, total],
        [-1, first, total // first],
        [-1, first, second, total // first // second],
    )
    assert x.shape is not None
    if x.shape[0] is not None and some.chance(0.3):
        shapes = tuple([x.shape[0], *shape[1:]] for shape in shapes)  # type: ignore[assignment]
    target = build.constant(np.array(some.one_of(*shapes), np.int32))
    return [build.op("Reshape", x, target, attrs={**F, "Tshape": "int32"})]


@_step(4)
def _transpose(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    rank = len(_sizes(x)) + 1
    if rank < 3:
        return []
    common = {3: [[0, 2, 1]], 4: [[0, 3, 1, 2], [0, 2, 3, 1]]}.get(rank, [])
    axes = [0, *(axis + 1 for axis in some.permutation(rank - 1))]
    order = build.constant(np.array(some.one_of(axes, *common), np.int32))
    return [build.op("Transpose", x, order, attrs={**F, "Tperm": "int32"})]


@_step(2)
def _views(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if 1 in sizes and some.chance(0.6):
        attrs = {**F, "squeeze_dims": [sizes.index(1) + 1]}
        return [build.op("Squeeze", x, attrs=attrs)]
    axis = build.constant(np.array(some.one_of(1, -1, len(sizes) + 1), np.int32))
    return [build.op("ExpandDims", x, axis, attrs={**F, "Tdim": "int32"})]


@_step(4)
def _concat(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if not sizes:
        return []
    axis = some.one_of(len(sizes), some.one_of(*range(1, len(sizes) + 1)))
    parts = [x, *(some.one_of(*some.alike(x.shape)) for _ in range(some.one_of(1, 2)))]
    end = build.constant(np.array(axis, np.int32))
    attrs = {**F, "N": len(parts), "Tidx": "int32"}
    return [build.op("ConcatV2", *parts, end, attrs=attrs)]


@_step(2)
def _pack(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    axis = some.one_of(*range(1, len(_sizes(x)) + 2))
    parts = [x, *(some.one_of(*some.alike(x.shape)) for _ in range(some.one_of(1, 2)))]
    return [build.op("Pack", *parts, attrs={**F, "N": len(parts), "axis": axis})]


@_step(3)
def _parts(build: Builder, x: Value, some: RandomGraph) -> Sequence[Value]:
    sizes = _sizes(x)
    if not sizes:
        return []
    axis = some.one_of(*range(len(sizes)))
    size = sizes[axis]
    count = some.one_of(*[n for n in (1, 2, 3, 4, 5) if size % n == 0])
    if some.chance(0.3):
        return build.ops("Unpack", x, attrs={**F, "num": size, "axis": axis + 1})
    at = build.constant(np.array(axis + 1, np.int32))
    if some.chance(0.5):
        return build.ops("Split", at, x, attrs={**F, "num_split": count})
    first = some.one_of(*range(1, size + 1))
    told = np.array([first, size - first] if size > first else [size], np.int32)
    attrs = {**F, "num_split": len(told), "Tlen": "int32"}
    return build.ops("SplitV", x, build.constant(told), at, attrs=attrs)


@_step(4)
def _slice(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    cuts = [some.sub(size) if some.chance(0.6) else (0, size) for size in sizes]
    if some.chance(0.4):
        begin = build.constant(np.array([0, *(cut[0] for cut in cuts)], np.int32))
        size = build.constant(np.array([-1, *(cut[1] for cut in cuts)], np.int32))
        return [build.op("Slice", x, begin, size, attrs={**F, "Index": "int32"})]
    steps = [some.one_of(1, 1, 1, 2) for _ in cuts]
    shrink = 0
    if len(sizes) > 1 and some.chance(0.3):
        axis = some.one_of(*range(len(sizes)))
        cuts[axis], steps[axis], shrink = (cuts[axis][0], 1), 1, 1 << axis + 1
    ends = [cut[0] + cut[1] for cut in cuts]
    vectors = ([0, *(cut[0] for cut in cuts)], [0, *ends], [1, *steps])
    told = [build.constant(np.array(vector, np.int32)) for vector in vectors]
    masks = {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": shrink}
    masks |= {"ellipsis_mask": 0, "new_axis_mask": 0}
    return [build.op("StridedSlice", x, *told, attrs={**F, "Index": "int32", **masks})]


@_step(1)
def _tile(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    times = [1, *(some.one_of(1, 1, 2, 3) for _ in _sizes(x))]
    told = build.constant(np.array(times, np.int32))
    return [build.op("Tile", x, told, attrs={**F, "Tmultiples": "int32"})]


@_step(2)
def _gather(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if not sizes:
        return []
    axis = some.one_of(*range(len(sizes)))
    size = sizes[axis]
    repeated = [place for place in range(size) for _ in range(2)]
    places = some.one_of(repeated, list(range(size)), [some.one_of(*range(size)), 0])
    told = build.constant(np.array(places, np.int32))
    at = build.constant(np.array(axis + 1, np.int32))
    attrs = {"Tparams": "float32", "Tindices": "int32", "Taxis": "int32", "batch_dims": 0}
    return [build.op("GatherV2", x, told, at, attrs=attrs)]


@_step(5)
def _product(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    size, made = sizes[-1] if sizes else 1, some.one_of(1, 2, 3, 4)
    turned = some.chance(0.3)
    weights = build.constant(some.numbers([made, size] if turned else [size, made]))
    if len(sizes) == 1:
        attrs = {**F, "transpose_a": False, "transpose_b": turned}
        return [build.op("MatMul", x, weights, attrs=attrs)]
    if len(sizes) < 2:
        return []
    return [build.op("BatchMatMulV2", x, weights, attrs={**F, "adj_x": False, "adj_y": turned})]


@_step(3)
def _reduce(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    sizes = _sizes(x)
    if not sizes:
        return []
    axes = [axis + 1 for axis in range(len(sizes)) if some.chance(0.5)] or [len(sizes)]
    if len(sizes) == 3 and some.chance(0.4):
        axes = [1, 2]
    told = build.constant(np.array(axes, np.int32))
    keep = some.chance(0.5) or len(axes) == len(sizes)
    attrs = {**F, "Tidx": "int32", "keep_dims": keep}
    return [build.op(some.one_of("Mean", "Mean", "Sum", "Max"), x, told, attrs=attrs)]


@_step(1)
def _softmax(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    return [build.op(some.one_of("Softmax", "LogSoftmax"), x, attrs=F)]


@_step(4)
def _spelled_out(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    """Activations of their parts."""

    def op(name: str, *inputs: Value | float) -> Value:
        told = [np.float32(each) if isinstance(each, float) else each for each in inputs]
        return build.op(name, *told, attrs=F)

    kinds: dict[str, Callable[[], Value]] = {
        "swish": lambda: op("Mul", x, op("Sigmoid", x)),
        "hard swish": lambda: op("Mul", x, op("Mul", op("Relu6", op("AddV2", x, 3.0)), 1 / 6)),
        "gelu": lambda: op(
            "Mul", op("Mul", x, 0.5), op("AddV2", op("Erf", op("Mul", x, 0.70710678)), 1.0)
        ),
        "gelu of tanh": lambda: op(
            "Mul",
            op("Mul", x, 0.5),
            op("AddV2", op("Tanh", op("Mul", op("AddV2", x, op("Mul", x, 0.05)), 0.8)), 1.0),
        ),
        "clip": lambda: op(
            "Minimum", op("Maximum", x, some.one_of(-1.0, 0.0)), some.one_of(1.0, 6.0)
        ),
        "relu6": lambda: op("Minimum", op("Relu", x), 6.0),
        "sigmoid": lambda: op(
            "RealDiv", build.constant(1.0), op("AddV2", op("Exp", op("Neg", op("Tanh", x))), 1.0)
        ),
        "leaky": lambda: op("Maximum", x, op("Mul", x, 0.2)),
        "prelu": lambda: op(
            "Sub",
            op("Relu", x),
            op("Mul", build.constant(some.numbers(_sizes(x)[-1:])), op("Relu", op("Neg", x))),
        ),
        "power": lambda: op("Pow", x, 2.0),
        "root": lambda: op("RealDiv", x, op("Sqrt", op("AddV2", op("Square", x), 0.5))),
        "chosen": lambda: build.op(
            "SelectV2", op("Greater", x, 0.0), x, op("Mul", x, 0.1), attrs=F
        ),
    }
    return [kinds[some.one_of(*kinds)]()]


@_step(2)
def _normalized(build: Builder, x: Value, some: RandomGraph) -> list[Value]:
    """Layer normalization, softmax and the like, of their parts."""
    last = build.constant(np.array([-1], np.int32))
    over = {**F, "Tidx": "int32", "keep_dims": True}
    if some.chance(0.4):
        most = build.op("Max", x, last, attrs=over)
        raised = build.op("Exp", build.op("Sub", x, most, attrs=F), attrs=F)
        return [build.op("RealDiv", raised, build.op("Sum", raised, last, attrs=over), attrs=F)]
    mean = build.op("Mean", x, last, attrs=over)
    apart = build.op("Mean", build.op("SquaredDifference", x, mean, attrs=F), last, attrs=over)
    root = build.op("Rsqrt", build.op("AddV2", apart, np.float32(0.5), attrs=F), attrs=F)
    if some.chance(0.5):
        scaled = build.op("Mul", root, build.constant(some.numbers(_sizes(x)[-1:])), attrs=F)
        moved = build.op(
            "Sub", build.constant(np.float32(0.3)), build.op("Mul", mean, scaled, attrs=F), attrs=F
        )
        return [build.op("AddV2", build.op("Mul", x, scaled, attrs=F), moved, attrs=F)]
    return [build.op("Mul", build.op("Sub", x, mean, attrs=F), root, attrs=F)]


def random_graph(random: Random, steps: int) -> Graph:
    """A graph of so many steps."""
    some = RandomGraph(random)
    some.grow(steps)
    some.close()
    return some.graph
