"""The wiring of a model: references are checked and calls ordered before anything else.

TF.js spins for ever on a reference to a missing layer, to a call that does not exist, or on a
cycle (`runtime_contract.md` 3.1), so every reader runs `check` on what it has read.
"""

from __future__ import annotations

from collections import Counter, deque

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef, flatten

MAX_DEPTH = 32  # nested models and wrappers; real ones have a handful


def check(model: LayersModel, where: str, depth: int = 0) -> None:
    """Check names and references of a model and of all nested ones.

    Raises:
        CorruptFileError: a layer name occurs twice or is empty, a reference names a missing layer
            or call, a layer is called on nothing, the calls form a cycle, or models are nested
            beyond reason.
    """
    if depth > MAX_DEPTH:
        raise CorruptFileError(f"models are nested more than {MAX_DEPTH} deep", where=where)
    here = f"{where}, model {model.name!r}"
    counts = Counter(layer.name for layer in model.layers)
    for name, count in counts.items():
        if not name or count > 1:
            problem = f"{count} layers are named {name!r}" if name else "a layer has no name"
            raise CorruptFileError(problem, where=here)
    calls = {layer.name: len(layer.calls) for layer in model.layers}
    for layer in model.layers:
        for call in layer.calls:
            for ref in call.inputs():
                _check_ref(ref, calls, f"{here}, layer {layer.name!r}")
            if layer.class_name != "InputLayer" and not _is_fed(call):
                raise CorruptFileError(f"calls the layer {layer.name!r} on nothing", where=here)
    for ref in [*flatten(model.inputs), *flatten(model.outputs)]:
        _check_ref(ref, calls, f"{here}, inputs and outputs")
    if not flatten(model.outputs):
        raise CorruptFileError("has no outputs", where=here)
    ordered_calls(model, where=here)
    for layer in model.layers:
        for inner in _nested(layer):
            check(inner, where, depth + 1)


def _is_fed(call: Call) -> bool:
    """Whether a tensor goes into the layer besides masks."""
    return any(flatten(value) for value in call.args) or any(
        flatten(value) for key, value in call.kwargs.items() if key != "mask"
    )


def _nested(layer: Layer) -> list[LayersModel]:
    found = [] if layer.model is None else [layer.model]
    for child in layer.children.values():
        found += _nested(child)
    return found


def _check_ref(ref: TensorRef, calls: dict[str, int], where: str) -> None:
    if ref.layer not in calls:
        raise CorruptFileError(f"refers to a layer {ref.layer!r} that is not there", where=where)
    if not 0 <= ref.node < calls[ref.layer] or ref.tensor < 0:
        raise CorruptFileError(
            f"refers to call {ref.node} of layer {ref.layer!r}, which has {calls[ref.layer]}",
            where=where,
        )


def ordered_calls(model: LayersModel, where: str = "") -> list[tuple[Layer, int]]:
    """Every call of every layer, each after the calls that it depends on; otherwise in order.

    Raises:
        CorruptFileError: the calls form a cycle.
    """
    waiting: dict[tuple[str, int], int] = {}
    users: dict[tuple[str, int], list[tuple[Layer, int]]] = {}
    ready: deque[tuple[Layer, int]] = deque()
    for layer in model.layers:
        for index, call in enumerate(layer.calls):
            needs = {(ref.layer, ref.node) for ref in call.inputs()}
            waiting[layer.name, index] = len(needs)
            for need in needs:
                users.setdefault(need, []).append((layer, index))
            if not needs:
                ready.append((layer, index))
    ordered: list[tuple[Layer, int]] = []
    while ready:
        layer, index = ready.popleft()
        ordered.append((layer, index))
        for user, at in users.get((layer.name, index), ()):
            waiting[user.name, at] -= 1
            if not waiting[user.name, at]:
                ready.append((user, at))
    if len(ordered) != len(waiting):
        stuck = sorted({name for (name, _), count in waiting.items() if count})
        raise CorruptFileError(
            f"the layers {', '.join(stuck[:5])} wait for each other: the graph has a cycle",
            where=where or None,
        )
    return ordered
