"""Weights as Keras 3 stores them, by the objects that hold them: `layers/dense/vars/0`.

Files: `model.weights.h5` in `.keras` archives, `NAME.weights.h5`, and `NAME.weights.json` with
several `.weights.h5` beside it. Source: keras/src/saving/saving_lib.py, and for tf.keras 2.12 to
2.15 keras/src/saving/saving_lib.py of those tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs.errors import CorruptFileError
from tfjs.formats.hdf5 import tensor_at
from tfjs.io.json import read_json
from tfjs.io.paths import inside
from tfjs.ir.layers_model import Layer, LayersModel, OptimizerWeight, Weight
from tfjs.ir.tensor import Tensor
from tfjs.layers.dialects.read import damaged
from tfjs.layers.registry import is_operation, spec_of
from tfjs.layers.slots import Place, layer_groups, model_places, snake_case, weight_of

if TYPE_CHECKING:
    from tfjs.wire.hdf5 import Hdf5File

OPTIMIZER = "optimizer"
# How tf.keras 2.12 and 2.13 call what is `layers` since.
_OLD_LAYERS = "_layer_checkpoint_dependencies"
# Objects of layers and models whose variables are no weights.
NO_WEIGHTS = frozenset(
    {OPTIMIZER, "metrics", "_metrics", "compile_metrics", "_compile_metrics", "loss_tracker"}
    | {"_loss_tracker", "seed_generator", "_seed_generator", "random_generator"}
    | {"_random_generator", "_compile_loss", "compile_loss"}
)


@dataclass(slots=True)
class Variables:
    """What one object holds.

    Attributes:
        name: its own name, which recent releases of Keras tell.
        tensors: its variables by number, as text.
    """

    name: str | None = None
    tensors: dict[str, Tensor] = field(default_factory=dict)


# Variables by the path of the object; "" is the model.
Store = dict[str, Variables]


def read_store(files: Iterable[Hdf5File], *, mapped: bool = True) -> Store:
    """All variables of one file, or of the several that a large model is cut into.

    Args:
        files: the files.
        mapped: whether they stay where they are, so that datasets can be mapped.

    Raises:
        FormatError: the files are damaged, or a variable is in two of them.
    """
    store: Store = {}
    for file in files:
        for dataset in file.walk_datasets():
            group, _, number = dataset.path.rpartition("/")
            holder, _, last = group.rpartition("/")
            if last != "vars":
                raise CorruptFileError(
                    f"the dataset {dataset.path!r} belongs to no object", where=str(file.path)
                )
            found = store.setdefault(holder, Variables())
            if number in found.tensors:
                raise CorruptFileError(f"{dataset.path!r} is in two files", where=str(file.path))
            name = file.attrs(group).get("name") if found.name is None else found.name
            found.name = name if isinstance(name, str) else None
            found.tensors[number] = tensor_at(file, dataset.path, mapped=mapped)
    return store


def open_store(path: Path) -> Store:
    """All variables of `NAME.weights.h5`, or of the files that `NAME.weights.json` names.

    Raises:
        FormatError: a file is missing or damaged.
    """
    from tfjs.wire.hdf5 import Hdf5File

    if path.suffix != ".json":
        return read_store([Hdf5File.open(path)])
    where = str(path)
    names = shard_names(read_json(path), where)
    files = [inside(path.parent, name, where=where) for name in names]
    return read_store(Hdf5File.open(file) for file in files)


def shard_names(index: Any, where: str) -> list[str]:
    """The files that `NAME.weights.json` names, each once, in order.

    Raises:
        CorruptFileError: it is no such index.
    """
    weights = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weights, dict):
        raise CorruptFileError("has no weight_map", where=where)
    names: list[str] = []
    for value in weights.values():
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) for name in found):
            raise CorruptFileError("its weight_map names no files", where=where)
        names += found
    return list(dict.fromkeys(names))


def load_store(model: LayersModel, store: Store, where: str) -> list[OptimizerWeight]:
    """Give the variables to the layers of a model.

    Args:
        model: the model.
        store: all variables; those that are given away are taken out of it.
        where: the file, for messages.

    Returns:
        The state of the optimizer, in order.

    Raises:
        CorruptFileError: variables are missing, have another shape, or belong to no layer.
    """
    with damaged(where):
        _rename(store, dict(_moved(model, store, "", "")))
        places = model_places(model)
    for layer, own in places:
        for place in own:
            _give(place, store, f"{where}, layer {layer.name!r} ({layer.class_name})")
    for layer, group in custom_layers(model):
        _keep(layer, group, store)
    state = store.pop(OPTIMIZER, Variables())
    left = [
        f"{group}/vars/{number}"
        for group, variables in sorted(store.items())
        if not NO_WEIGHTS & set(group.split("/"))
        for number in variables.tensors
    ]
    if left:
        raise CorruptFileError(
            f"has {len(left)} variables that the model lacks: {', '.join(left[:5])}", where=where
        )
    return [OptimizerWeight(number, tensor) for number, tensor in ordered(state)]


def custom_weights(layer: Layer, group: str) -> Iterator[tuple[str, Tensor]]:
    """The variables of a class that is not Keras's, with the paths where they are stored.

    Its own are counted, those that are trained first; what it holds deeper keeps its path.
    """
    count = 0
    for weight in sorted(layer.weights, key=lambda weight: not weight.trainable):
        holder, _, number = weight.name.rpartition("/")
        if holder and number.isdigit():
            yield f"{group}/{holder}/vars/{number}", weight.tensor
        else:
            yield f"{group}/vars/{count}", weight.tensor
            count += 1


def _give(place: Place, store: Store, where: str) -> None:
    slot = place.slot
    parent, _, last = place.group.rpartition("/")
    # tf.keras keeps the parts of MultiHeadAttention under private names.
    variables = store.get(place.group) or store.get(f"{parent}/_{last}") or Variables()
    tensor = variables.tensors.pop(str(place.index), None)
    if tensor is None:
        raise CorruptFileError(
            f"the variable {place.layer.name}/{slot.name} is not in the file ({place.path})",
            where=where,
        )
    fits = len(tensor.shape) == len(slot.shape) and all(
        want is None or want == size for want, size in zip(slot.shape, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ["?" if size is None else size for size in slot.shape]
        raise CorruptFileError(
            f"{place.layer.name}/{slot.name} has the shape {wanted}, but {place.path} has "
            f"{list(tensor.shape)}",
            where=where,
        )
    place.layer.weights.append(weight_of(place, tensor, where))


def custom_layers(model: LayersModel, group: str = "") -> Iterator[tuple[Layer, str]]:
    """The layers of classes that are not Keras's, however deep, with the paths of each."""
    for layer, path in layer_groups(model, group):
        yield from _custom_below(layer, path)


def _custom_below(layer: Layer, path: str) -> Iterator[tuple[Layer, str]]:
    if layer.model is not None:
        yield from custom_layers(layer.model, path)
    elif spec_of(layer) is None:
        yield layer, path
    else:
        for attribute, child in layer.children.items():
            if "/" not in attribute:
                yield from _custom_below(child, f"{path}/{attribute}")


def _keep(layer: Layer, group: str, store: Store) -> None:
    """Give a layer of a class that is not Keras's all that is stored for it, by its path."""
    below = f"{group}/"
    for path in sorted(path for path in store if path == group or path.startswith(below)):
        inner = path[len(below) :]
        if NO_WEIGHTS & set(inner.split("/")):
            continue
        for number, tensor in ordered(store.pop(path)):
            layer.weights.append(Weight(f"{inner}/{number}" if inner else number, tensor))


def ordered(variables: Variables) -> list[tuple[str, Tensor]]:
    """The variables of an object by their numbers."""
    return sorted(
        variables.tensors.items(), key=lambda item: (not item[0].isdigit(), len(item[0]), item[0])
    )


# Where a layer is, in files that count otherwise --------------------------------------------------


def _rename(store: Store, moved: dict[str, str]) -> None:
    """Put objects below the paths that they would have today."""
    renamed: Store = {}
    for path in list(store):
        parts = path.split("/")
        for end in range(len(parts), 0, -1):
            new = moved.get("/".join(parts[:end]))
            if new is not None:
                renamed["/".join((new, *parts[end:]))] = store.pop(path)
                break
    store.update(renamed)


def _moved(model: LayersModel, store: Store, old: str, new: str) -> Iterator[tuple[str, str]]:
    """The path of each layer in the file, with the one that it has by today's count."""
    find = _by_name(model, store, old) or _by_old_count(model, store, old)
    for layer, group in layer_groups(model, new):
        here = find(layer) if find else _join(old, group.removeprefix(new).lstrip("/"))
        yield here, group
        yield from _moved_below(layer, store, here, group)


def _moved_below(layer: Layer, store: Store, old: str, new: str) -> Iterator[tuple[str, str]]:
    if layer.model is not None:
        yield from _moved(layer.model, store, old, new)
    for attribute, child in layer.children.items():
        if "/" not in attribute:
            yield from _moved_below(child, store, f"{old}/{attribute}", f"{new}/{attribute}")


def _by_name(model: LayersModel, store: Store, group: str) -> Callable[[Layer], str] | None:
    """By the names that recent releases tell, which hold whatever the order of layers."""
    below = _join(group, "layers/")
    named = {
        variables.name: path
        for path, variables in store.items()
        if variables.name is not None and path.startswith(below) and "/" not in path[len(below) :]
    }
    names = {layer.name for layer in model.layers}
    weighed = [layer for layer in model.layers if _holds_own(layer)]
    if not named or not set(named) <= names or any(layer.name not in named for layer in weighed):
        return None
    paths = {layer.name: path for layer, path in layer_groups(model, group)}
    return lambda layer: named.get(layer.name, paths[layer.name])


def _holds_own(layer: Layer) -> bool:
    """Whether variables are stored for the layer itself, not for objects below it."""
    if layer.model is not None:
        return False
    spec = spec_of(layer)
    return spec is not None and any(not slot.holder for slot in spec.slots(layer, []))


def _by_old_count(model: LayersModel, store: Store, group: str) -> Callable[[Layer], str] | None:
    """tf.keras 2.12 and 2.13 list a layer with weights twice, and so count it twice."""
    below = _join(group, f"{_OLD_LAYERS}/")
    if not any(path.startswith(below) for path in store):
        return None
    paths: dict[str, str] = {}
    counts: dict[str, int] = {}
    for layer in model.layers:
        if is_operation(layer):
            continue
        name = snake_case(layer.class_name)
        count = counts.get(name, 0)
        path = f"{below}{name}_{count}" if count else f"{below}{name}"
        weighed = any(found == path or found.startswith(f"{path}/") for found in store)
        counts[name] = count + (2 if weighed else 1)
        paths[layer.name] = path
    return lambda layer: paths[layer.name]


def _join(group: str, name: str) -> str:
    return f"{group}/{name}" if group else name
