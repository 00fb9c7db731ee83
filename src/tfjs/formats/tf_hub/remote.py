"""Modules on the web, downloaded once into a cache.

The cache is laid out as the tensorflow_hub library does it, so that both share what is there: the
folder `TFHUB_CACHE_DIR`, in it a folder named by the SHA-1 of the handle, and beside that a file
`*.descriptor.txt` (tensorflow_hub/resolver.py, compressed_module_resolver.py).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tfjs.errors import FormatError, UsageError
from tfjs.formats.meta_graph import find
from tfjs.formats.tf_hub.archive import extract
from tfjs.formats.tf_hub.read import module_in
from tfjs.io.download import SCHEMES, download

_QUERY = "tf-hub-format=compressed"
_MOST_BYTES = 8 << 30
_HINT = "check the address; modules of tfhub.dev are now at kaggle.com/models"


def is_handle(text: str) -> bool:
    """Whether a source is the address of a module, not a path."""
    return text.lower().startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where modules are kept: `TFHUB_CACHE_DIR`, else `tfhub_modules` among temporary files."""
    told = environ.get("TFHUB_CACHE_DIR")
    return Path(told).expanduser() if told else Path(tempfile.gettempdir(), "tfhub_modules")


def fetched(handle: str, *, most_bytes: int = _MOST_BYTES) -> Path:
    """The folder of a module in the cache; it is downloaded where it is not there yet.

    Args:
        handle: its address, such as `https://tfhub.dev/google/imagenet/mobilenet_v2/feature/5`.
        most_bytes: how large a download may be.

    Raises:
        UsageError: the handle is no address, or the cache cannot be written to.
        FormatError: it cannot be downloaded.
        CorruptFileError: what was downloaded is no module.
        UnsafeFileError: it is too large, or no archive that may be unpacked.
    """
    address = _compressed(handle)
    cache = cache_folder()
    folder = cache / hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()
    if find(folder) is not None:
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        side = tempfile.TemporaryDirectory(prefix=".tfjs.", dir=cache)
    except OSError as error:
        raise UsageError(
            f"cannot be written to: {error.strerror}",
            where=str(cache),
            hint="set TFHUB_CACHE_DIR to a folder of yours",
        ) from None
    with side as made:
        archive, unpacked = Path(made, "module.tar.gz"), Path(made, "module")
        unpacked.mkdir()
        download(address, archive, most=most_bytes, where=handle, hint=_HINT)
        try:
            extract(archive, unpacked)
        except FormatError as error:
            raise type(error)(error.message, where=handle, hint=error.hint) from None
        return _keep(module_in(unpacked, handle), folder, handle)


def _keep(module: Path, folder: Path, handle: str) -> Path:
    try:
        module.rename(folder)
        Path(f"{folder}.descriptor.txt").write_text(f"Module: {handle}\nDownloader: tfjs\n")
    except OSError as error:
        # Another process may have been faster.
        if find(folder) is None:
            raise UsageError(f"cannot be kept: {error.strerror}", where=str(folder)) from None
    return folder


def _compressed(handle: str) -> str:
    try:
        parts = urlsplit(handle)
        good = parts.scheme.lower() in SCHEMES and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        good = False
    if not good or not handle.isprintable() or " " in handle:
        raise UsageError("is no http or https address", where=handle)
    query = parts.query if _QUERY in parts.query else f"{parts.query}&{_QUERY}".lstrip("&")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
