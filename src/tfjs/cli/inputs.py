"""Inputs of models as the command is given them: files, images, and values by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfjs.errors import FormatError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from tfjs.formats.base import Port
    from tfjs.ir.tensor import Array

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})
_MOST_PIXELS = 1 << 28
_HELP = (
    "What to feed: a .npy or .npz file, an image, or NAME=VALUE with any of these or JSON as the "
    "value. May be repeated; without NAME in the order of the inputs."
)

input_option = click.option("--input", "inputs", multiple=True, metavar="VALUE", help=_HELP)
range_option = click.option(
    "--range",
    "span",
    default="0,1",
    show_default=True,
    metavar="LOW,HIGH",
    help="What black and white of an image are for inputs of floats.",
)


def parse_inputs(
    given: Sequence[str], ports: Sequence[Port], span: tuple[float, float]
) -> dict[str, Array]:
    """The arrays that are fed, by name.

    Raises:
        UsageError: an input has no such name, is given twice or not at all.
        FormatError: a file cannot be read.
    """
    known = {port.name: port for port in ports}
    found: dict[str, Array] = {}
    for text in given:
        name, value = _named(text, known)
        if Path(value).suffix == ".npz":
            for key, array in archive(value).items():
                _put(found, key, array, known)
            continue
        if name is None:
            name = next((port.name for port in ports if port.name not in found), None)
        if name is None:
            raise UsageError(f"the model has {len(ports)} inputs, {text!r} is one more")
        port = known.get(name)
        if port is None:
            raise UsageError(f"there is no input {name!r}; there are {', '.join(known)}")
        _put(found, name, _value(value, port, span), known)
    missing = [port.name for port in ports if port.name not in found]
    if missing:
        raise UsageError(
            f"nothing is given for the input {missing[0]!r}", hint="add --input NAME=VALUE"
        )
    return found


def parse_range(text: str) -> tuple[float, float]:
    """`0,1` as two numbers; raises UsageError for anything else."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--range takes two numbers such as 0,1, not {text!r}") from None
    return low, high


def _put(found: dict[str, Array], name: str, array: Array, known: dict[str, Port]) -> None:
    if name not in known:
        raise UsageError(f"there is no input {name!r}; there are {', '.join(known)}")
    if name in found:
        raise UsageError(f"the input {name!r} is given twice")
    found[name] = array


def _named(text: str, known: dict[str, Port]) -> tuple[str | None, str]:
    name, equals, value = text.partition("=")
    if equals and (name in known or not Path(text).exists()):
        return name, value
    return None, text


def _value(text: str, port: Port, span: tuple[float, float]) -> Array:
    suffix = Path(text).suffix.lower()
    if suffix == ".npy":
        return _array(text)
    if suffix in _IMAGES:
        return _image(text, port, span)
    return _literal(text, port)


def _literal(text: str, port: Port) -> Array:
    import numpy as np  # noqa: PLC0415 - keeps `--help` fast

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if port.dtype != "string":
            raise UsageError(
                f"the input {port.name!r} takes {port.dtype}, and {text!r} is neither a file nor "
                "JSON",
            ) from None
        value = text
    dtype = object if port.dtype == "string" else None
    try:
        array = np.asarray(value, dtype=dtype)
    except ValueError as error:
        raise UsageError(f"the value of {port.name!r} makes no array: {error}") from None
    rank = None if port.shape is None else len(port.shape)
    # One example without the axis of the batch is what people write.
    while rank is not None and array.ndim < rank:
        array = array[np.newaxis]
    return array


def _array(path: str) -> Array:
    import numpy as np  # noqa: PLC0415

    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"cannot be read as an array: {error}", where=path) from None
    return array


def archive(path: str) -> dict[str, Array]:
    """The arrays of a `.npz` file by name; raises FormatError for anything else."""
    import zipfile  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    try:
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(f"cannot be read as arrays: {error}", where=path) from None


def _image(path: str, port: Port, span: tuple[float, float]) -> Array:
    import numpy as np  # noqa: PLC0415

    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingDependencyError(
            "images are read by Pillow, which is not installed", hint="pip install 'tfjs[run]'"
        ) from None
    shape = port.shape
    if shape is None or len(shape) not in (3, 4):
        raise UsageError(f"the input {port.name!r} takes no image: its shape is {shape}")
    *_, height, width, channels = shape
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise FormatError("has too many pixels", where=path)
            image = opened.convert(modes.get(channels or 3, "RGB"))
            image = image.resize((width or image.width, height or image.height))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise FormatError(f"cannot be read as an image: {error}", where=path) from None
    pixels = np.asarray(image).reshape((image.height, image.width, -1))
    if port.dtype.startswith("float"):
        low, high = span
        pixels = (low + pixels.astype(np.float32) * ((high - low) / 255.0)).astype(np.float32)
    return pixels[np.newaxis] if len(shape) == 4 else pixels
