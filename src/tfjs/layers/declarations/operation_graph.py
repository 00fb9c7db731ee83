"""Operations of `keras.ops` as graphs: which function computes which, and what they are given.

The functions stand in the modules `operation_graph_*`, each registered by `computes`; those of
`NO_GRAPH` have none. An operation is found by its class, whether TF.js's layers know it or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.layers_model import Layer
from tfjs.layers.base import CannotLower

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_WIDTH = {"complex64": 3, "float32": 2}
# More elements than this are not written out as a constant.
MOST_WRITTEN = 1 << 20

Compute = Callable[["Operands"], Value | Sequence[Value]]
_Function = TypeVar("_Function", bound=Compute)
_COMPUTES: dict[str, tuple[tuple[str, ...], Compute]] = {}


def computes(*names: str, given: str = "x") -> Callable[[_Function], _Function]:
    """Register a function for operations.

    Args:
        names: their classes in `keras.src.ops`.
        given: the names of the arguments of a call; the last with a `*` takes all the rest.
    """

    def register(function: _Function) -> _Function:
        for name in names:
            if name in _COMPUTES:
                raise ValueError(f"{name} is there twice")
            _COMPUTES[name] = (tuple(given.split()), function)
        return function

    return register


def computed() -> frozenset[str]:
    """The classes of all operations that have a form as a graph."""
    return frozenset(_COMPUTES)


def lower_operation(layer: Layer, build: Lowering) -> list[Value]:
    """An operation in TensorFlow's.

    Raises:
        CannotLower: it has no form as a graph.
    """
    found = _COMPUTES.get(layer.class_name)
    if found is None:
        raise CannotLower(NO_GRAPH.get(layer.class_name, "is no operation that is known here"))
    names, function = found
    made = function(Operands(build, names))
    return [made] if isinstance(made, Value) else list(made)


class Operands:
    """What an operation is given: tensors and constants of its call, and its settings.

    Attributes:
        build: the builder.
        named: all of them by name.
    """

    def __init__(self, build: Lowering, names: Sequence[str]) -> None:
        self.build = build
        args = list(build.call.args)
        plain = [name for name in names if not name.startswith("*")]
        rest = [name[1:] for name in names if name.startswith("*")]
        if len(args) > len(plain) and not rest:
            raise ValueError(f"{len(args)} arguments for {', '.join(names)}")
        self.named: dict[str, Any] = {**build.config, **build.call.kwargs}
        self.named.update(zip(plain, args, strict=False))
        if rest:
            self.named[rest[0]] = args[len(plain) :]

    def __getitem__(self, name: str) -> Any:
        """An argument or setting; raises KeyError where it is missing."""
        return self.named[name]

    def get(self, name: str, default: Any = None) -> Any:
        """An argument or setting; the default where there is none, or None."""
        value = self.named.get(name)
        return default if value is None else value

    def is_tensor(self, name: str) -> bool:
        """Whether the graph computes an argument: it is no constant."""
        return isinstance(self.named.get(name), Value)

    # Tensors ----------------------------------------------------------------------------------

    def tensor(self, name: str = "x", dtype: str | None = None) -> Value:
        """An argument as a tensor; a constant becomes one."""
        return self.value(self.named[name], dtype)

    def floats(self, name: str = "x") -> Value:
        """An argument as float32, or as the complex64 that it is."""
        value = self.tensor(name)
        return value if value.dtype == "complex64" else self.build.floats(value)

    def value(self, item: Any, dtype: str | None = None) -> Value:
        """A tensor, a number, or nested lists of both, as a tensor."""
        if isinstance(item, list | tuple) and _has_tensors(item):
            return self._packed(item, dtype)
        if not isinstance(item, Value):
            array = np.asarray(item)
            if array.dtype.kind not in "biufcSUO" or array.size > MOST_WRITTEN:
                raise ValueError(f"{item!r} is no constant")
            if dtype is not None:
                return self.build.constant(array.astype(dtype))
            if array.dtype.kind in "SUO":
                raise ValueError(f"{item!r} is no number")
            narrow = {"f": np.float32, "i": np.int32, "u": np.int32, "c": np.complex64}
            return self.build.constant(array.astype(narrow.get(array.dtype.kind, array.dtype)))
        return item if dtype is None else self.build.cast(item, dtype)

    def _packed(self, items: Sequence[Any], dtype: str | None) -> Value:
        alike = self.alike(items) if dtype is None else [self.value(item, dtype) for item in items]
        return self.build.op("Pack", *alike, attrs={"axis": 0, "N": len(alike)})

    def together(self, *names: str, least: str | None = None) -> list[Value]:
        """Several arguments in the dtype that Keras computes with; see `alike`."""
        return self.alike([self.named[name] for name in names], least=least)

    def alike(self, items: Iterable[Any], *, least: str | None = None) -> list[Value]:
        """Tensors and constants in one dtype.

        Args:
            items: the tensors and constants; numbers of Python take a tensor's dtype.
            least: "float32", where whole numbers are computed with as such; "int32", where
                booleans are.
        """
        items = list(items)
        dtype = common_dtype([_kind(item) for item in items] + ([least] if least else []))
        return [self.value(item, dtype) for item in items]

    # Settings ---------------------------------------------------------------------------------

    def axis(self, rank: int, name: str = "axis", default: int = -1) -> int:
        """A setting that is one axis, counted from the front."""
        return axis_in(self.get(name, default), rank)

    def axes(self, rank: int, name: str = "axis") -> list[int]:
        """A setting that is one axis, several, or (None) all."""
        return axes_in(self.named.get(name), rank)

    @property
    def keep(self) -> dict[str, bool]:
        """The attribute of a reduction for the setting `keepdims`."""
        return {"keep_dims": bool(self.get("keepdims", False))}


def axis_in(value: Any, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        ValueError: there is no such axis.
    """
    if type(value) is not int or not -rank <= value < rank:
        raise ValueError(f"axis {value!r} of {rank}")
    return value % rank


def axes_in(value: Any, rank: int) -> list[int]:
    """One axis, several, or (None) all, counted from the front."""
    if value is None:
        return list(range(rank))
    items = value if isinstance(value, list | tuple) else [value]
    return sorted({axis_in(item, rank) for item in items})


def common_dtype(kinds: Iterable[str]) -> str:
    """The dtype that numbers of several dtypes are computed in.

    Args:
        kinds: dtypes; "int" and "float" for numbers of Python, which take those of tensors.
    """
    found = {"float32" if kind in _FLOATS else kind for kind in kinds}
    if "complex64" in found:
        return "complex64"
    if found & {"float32", "float"}:
        return "float32"
    weak = "int" in found
    whole = sorted(found - {"int", "bool"})
    if not whole:
        return "int32" if weak else "bool"
    if len(whole) == 1:
        return whole[0]
    dtype = np.dtype(reduce(np.promote_types, [np.dtype(name) for name in whole]))
    return "float32" if dtype.kind == "f" else dtype.name


def _kind(item: Any) -> str:
    if isinstance(item, Value):
        return str(item.dtype)
    if isinstance(item, list | tuple):
        if _has_tensors(item):
            return common_dtype([_kind(part) for part in item])
        array = np.asarray(item)
        return {"b": "bool", "f": "float32", "c": "complex64"}.get(array.dtype.kind, "int32")
    if isinstance(item, bool):
        return "bool"
    return "int" if isinstance(item, int) else "float"


def _has_tensors(item: Any) -> bool:
    if isinstance(item, list | tuple):
        return any(_has_tensors(part) for part in item)
    return isinstance(item, Value)


def int32(*numbers: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A vector of int32, as operations take axes and sizes."""
    return np.array(numbers, np.int32)


def scalar(number: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A scalar of int32, as operations take an axis."""
    return np.array(number, np.int32)


# What has no form ----------------------------------------------------------------------------

_CODE = "runs Python code, which is never executed from a file"
_SOLVES = "TF.js factors no matrices: do it outside of the model"
_SIZES = "the size of what it gives depends on numbers, which a graph for TF.js cannot express"
_RANDOM = "draws random numbers in inference too"
_LOOPS = "takes a number of steps that depends on its numbers"
_BITS = "looks at the bits of numbers, which TF.js cannot reach"

# Operations without a form as a graph, with the reason.
NO_GRAPH: dict[str, str] = {
    **dict.fromkeys(
        ("Map", "Scan", "AssociativeScan", "Switch", "WhileLoop", "ForiLoop", "Cond"), _CODE
    ),
    **dict.fromkeys(("VectorizedMap", "JVP"), _CODE),
    **dict.fromkeys(("Eig", "Eigh", "Qr", "SVD", "LuFactor"), _SOLVES),
    **dict.fromkeys(("Lstsq", "MatrixRank", "Pinv"), _SOLVES),
    "Unique": _SIZES,
    **dict.fromkeys(("Gcd", "Lcm"), _LOOPS),
    **dict.fromkeys(("View", "Nextafter"), _BITS),
    "ElasticTransform": _RANDOM,
    "I0": "TF.js has no Bessel functions that are as exact",
    **dict.fromkeys(("CTCLoss", "CTCDecode"), _LOOPS),
    "MapCoordinates": "reads between the elements of a tensor at places that it computes",
    "PerspectiveTransform": "solves equations for each image, which TF.js cannot: use "
    "affine_transform with a projective matrix",
    "ScaleAndTranslate": "resizes by numbers that it computes: use image.resize",
    "SSIM": "is a metric of two images: compute it outside of the model",
    "SegmentReduction": "is the base of other operations",
}
