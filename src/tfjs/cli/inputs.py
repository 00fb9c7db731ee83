"""Inputs of models as the command is given them: files, images, and values by name."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from tfjs.errors import FormatError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from tfjs.formats.base import Port
    from tfjs.ir.tensor import Array

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})
_MOST_PIXELS = 1 << 28
_MOST_TEXT = 60
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
            count = "1 input" if len(ports) == 1 else f"{len(ports)} inputs"
            raise UsageError(f"the model has {count}, {_short(text)} is one more")
        port = known.get(name)
        if port is None:
            raise _unknown(name, known)
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
        low = high = math.nan
    if not math.isfinite(high - low):
        raise UsageError(f"--range takes two numbers such as 0,1, not {text!r}")
    return low, high


def shape_text(port: Port) -> str:
    """A shape as `[?,28,28,1]`."""
    if port.shape is None:
        return "unknown"
    return "[" + ",".join("?" if size is None else str(size) for size in port.shape) + "]"


def _short(text: str) -> str:
    return repr(text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}...")


def _unknown(name: str, known: Collection[str]) -> UsageError:
    there = "there is" if len(known) == 1 else "there are"
    return UsageError(f"there is no input {name!r}; {there} {', '.join(known) or 'none'}")


def _put(found: dict[str, Array], name: str, array: Array, known: dict[str, Port]) -> None:
    if name not in known:
        raise _unknown(name, known)
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
    if suffix in _IMAGES and port.dtype != "string":
        return _image(text, port, span)
    return _literal(text, port)


def _literal(text: str, port: Port) -> Array:
    import numpy as np  # noqa: PLC0415 - keeps `--help` fast

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if port.dtype != "string":
            raise UsageError(
                f"the input {port.name!r} takes {port.dtype}, and {_short(text)} is neither a file "
                "nor JSON",
            ) from None
        value = text
    dtype = object if port.dtype == "string" else None
    try:
        array = np.asarray(value, dtype=dtype)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"the value of {port.name!r} makes no array: {error}") from None
    if dtype is None and array.dtype.kind not in "bif":
        raise UsageError(f"the value of {port.name!r} makes no array of {port.dtype}")
    rank = None if port.shape is None else len(port.shape)
    # One example without the axis of the batch is what people write.
    while rank is not None and array.ndim < rank:
        array = array[np.newaxis]
    return array


def _array(path: str) -> Array:
    import numpy as np  # noqa: PLC0415

    with _reading(path) as file:
        found: Array = np.lib.format.read_array(file, allow_pickle=False)
    return found


@contextmanager
def _reading(path: str) -> Iterator[IO[bytes]]:
    """Open a file of NumPy; what is wrong with it becomes a FormatError."""
    import zipfile  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    damaged = (OSError, ValueError, EOFError, MemoryError, RuntimeError)
    try:
        with open(path, "rb") as file:
            yield file
    except (*damaged, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"cannot be read as arrays: {error}", where=path) from None


def archive(path: str) -> dict[str, Array]:
    """The arrays of a `.npz` file by name; raises FormatError for anything else."""
    import numpy as np  # noqa: PLC0415

    with _reading(path) as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise ValueError(f"{name!r} is no array")
        return arrays


def _image(path: str, port: Port, span: tuple[float, float]) -> Array:
    import numpy as np  # noqa: PLC0415

    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingDependencyError(
            "images are read by Pillow, which is not installed", hint="pip install 'tfjs[run]'"
        ) from None
    shape = port.shape
    *_, height, width, channels = shape if shape and len(shape) in (3, 4) else (None, None, 0)
    mode = {None: "RGB", 1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None or shape is None:
        raise UsageError(f"the input {port.name!r} takes no image: its shape is {shape_text(port)}")
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise FormatError("has too many pixels", where=path)
            image = opened.convert(mode)
            image = image.resize((width or image.width, height or image.height))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"cannot be read as an image: {error}", where=path) from None
    pixels = np.asarray(image).reshape((image.height, image.width, -1))
    if port.dtype.startswith("float"):
        low, high = span
        pixels = (low + pixels.astype(np.float32) * ((high - low) / 255.0)).astype(np.float32)
    return pixels[np.newaxis] if len(shape) == 4 else pixels
