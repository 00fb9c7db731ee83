"""What `convert`, `freeze`, `load` and `Model.save` can be told, each option in one place.

Defaults stand in `ReadOptions` and `WriteOptions`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from tfjs.errors import UsageError
from tfjs.formats.base import QuantizationMap, ReadOptions, WriteOptions

# Whether what is written is run beside the source, and whether by the real TF.js.
Verify = bool | Literal["tfjs"]


class Reading(TypedDict, total=False):
    """How to read; see `convert`."""

    weights: str | os.PathLike[str] | None
    signature: str | None
    saved_model_tags: Sequence[str] | None
    output_node_names: Sequence[str]


class Writing(TypedDict, total=False):
    """How to write; see `convert`. None stands for the default."""

    quantize: QuantizationMap | None
    dequantize: bool
    shard_size: int
    split_weights_by_layer: bool
    metadata: Mapping[str, Any] | None
    custom_layers: Literal["refuse", "keep"]
    control_flow: Literal["auto", "v1", "v2"]
    skip_op_check: bool
    strip_debug_ops: bool
    structured_outputs: bool
    optimize: bool
    numerics: Literal["exact", "reassociating"]
    disable_passes: Sequence[str]
    dump_after: Sequence[str]
    check_passes: bool
    max_error: float | None
    progress: Callable[[int, int], None] | None


class Options(Reading, Writing, total=False):
    """All of `convert`."""

    from_: str | None
    to: str | None
    verify: Verify


def check_known(options: Mapping[str, Any], known: type, function: str) -> None:
    """Refuse keyword arguments that a function does not have, as Python itself does.

    Raises:
        TypeError: there is one.
    """
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def read_options(options: Mapping[str, Any]) -> ReadOptions:
    """The options of readers among some options."""
    weights, tags = options.get("weights"), options.get("saved_model_tags")
    return ReadOptions(
        weights=Path(weights) if weights else None,
        signature=options.get("signature"),
        tags=None if tags is None else tuple(tags),
        output_node_names=tuple(options.get("output_node_names", ())),
    )


def write_options(options: Mapping[str, Any]) -> WriteOptions:
    """The options of writers among some options.

    Raises:
        UsageError: the shard size is none.
    """
    given = {name: options.get(name) for name in Writing.__annotations__}
    for name in ("disable_passes", "dump_after"):
        given[name] = tuple(given[name] or ())
    found = WriteOptions(**{name: value for name, value in given.items() if value is not None})
    if found.shard_size < 1:
        raise UsageError(f"the shard size must be at least 1 byte, not {found.shard_size}")
    return found
