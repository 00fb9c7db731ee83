"""What the vocabulary says of one layer class: the base of every declaration.

A declaration is a subclass of `LayerSpec` in one of the modules beside this one; defining it
registers it. It tells the layer's names and configuration keys in the dialects, its weights and
where each format keeps them, the shapes that come out, and how TF.js can express it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from tfjs.ir.layers_model import Config, Layer, TensorRef

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# Sizes with the batch first; None is a size known only when the model runs.
Shape = tuple[int | None, ...]
# Applies a (rewritten) layer to the tensors of one call and gives the tensors that come out.
Apply = Callable[[list[TensorRef]], list[TensorRef]]


class CannotLower(Exception):  # noqa: N818 - it is an answer of a layer, not a user's error
    """A layer's answer where a graph cannot compute what it computes.

    Args:
        reason: why, such as "runs Python code, which is never executed from a file".
    """


class UnknownShape(CannotLower):
    """A layer's answer where it must know the shape of its input."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one variable of a layer.

    Attributes:
        name: Keras 3's name of the variable, as `Weight.name`.
        shape: its shape; None for a size that depends on an unknown input.
        trainable: whether it is among the trainable variables of a trainable layer.
        keras2: its name in Keras 2 and TF.js where that differs.
        holder: path of attributes from the layer to the object that owns the variable ("cell").
    """

    name: str
    shape: Shape
    trainable: bool = True
    keras2: str | None = None
    holder: str = ""

    @property
    def legacy_name(self) -> str:
        """The name in Keras 2 files and TF.js manifests."""
        return self.keras2 or self.name


class LayerSpec:
    """Declaration of a layer class; subclasses with a `name` register themselves.

    Attributes:
        name: Keras 3's class name.
        aliases: names that the same layer has in older releases.
        keras2_keys: configuration keys that Keras 2 and TF.js call otherwise: Keras 3 -> Keras 2.
        inert: keys that never change what the layer answers in inference.
        children: attributes of wrapped layers; a list attribute `cells` gives `cells/0` and so on.
        supports_masking: whether Keras hands the mask of the input on to the output.
        uses_mask: whether Keras's answer depends on the mask of the input.
        takes_initial_state: whether further inputs of a call are the states of an RNN.
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    keras2_keys: ClassVar[dict[str, str]] = {}
    inert: ClassVar[frozenset[str]] = frozenset()
    children: ClassVar[tuple[str, ...]] = ()
    supports_masking: ClassVar[bool] = False
    uses_mask: ClassVar[bool] = False
    takes_initial_state: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        if cls.__dict__.get("name"):
            spec = cls()
            for name in (cls.name, *cls.aliases):
                _SPECS[name] = spec

    def owns(self, layer: Layer) -> bool:
        """Whether a layer of that class name is Keras's, and not a class that a user named so."""
        return True

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        """The layer's own variables in Keras's order (those of `children` not among them).

        Args:
            layer: the layer with its configuration.
            inputs: shapes of the tensors of its first call; None where unknown.
        """
        return []

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        """Shapes of the outputs of one call; None where unknown. Default: as the first input."""
        return [inputs[0] if inputs else None]

    def normalize(self, config: Config, dialect: str) -> None:
        """Bring what this layer has of its own in a dialect into the normal form, in place.

        Called after keys are renamed, defaults filled in, and objects normalised.

        Args:
            config: the configuration.
            dialect: "keras2", "keras3" or "tfjs".
        """

    def defaults(self, dialect: str) -> Config:
        """Keys that files of a dialect leave out with another meaning than today's default."""
        return {}

    def normalize_children(self, layer: Layer, dialect: str) -> None:
        """Bring the wrapped layers into the normal form, in place; called before `normalize`."""

    def successor(self, layer: Layer) -> Layer:
        """What a layer of an ended class is today, its weights with it; itself where it lives."""
        return layer

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        """Express the layer in TF.js: keep it, rewrite it, or refuse it with a reason."""
        return build.keep(layer)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        """The layer in TensorFlow's operations, as Keras computes it in inference.

        Args:
            layer: the layer; its configuration and weights.
            build: what builds one call of it; it has the arguments.

        Returns:
            The tensors that come out.

        Raises:
            CannotLower: no graph computes what the layer does.
        """
        raise CannotLower("has no form as a graph")


_SPECS: dict[str, LayerSpec] = {}


def find(class_name: str) -> LayerSpec | None:
    """The declaration of a layer class, by any of its names; None for one that is not Keras's."""
    _load()
    return _SPECS.get(class_name)


def all_specs() -> dict[str, LayerSpec]:
    """Every declaration under Keras 3's name, sorted."""
    _load()
    return {spec.name: spec for spec in sorted(set(_SPECS.values()), key=lambda spec: spec.name)}


@cache
def _load() -> None:
    from tfjs.layers import declarations  # noqa: F401, PLC0415 - registers all specs


def dim(shape: Shape | None, axis: int) -> int | None:
    """Size of one axis of a shape that may be unknown."""
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    return shape[axis]
