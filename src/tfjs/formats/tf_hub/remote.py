"""Modules on the web, downloaded once into a cache.

The cache is laid out as the tensorflow_hub library does it, so that both share what is there: the
folder `TFHUB_CACHE_DIR`, in it a folder named by the SHA-1 of the handle, and beside that a file
`*.descriptor.txt` (tensorflow_hub/resolver.py, compressed_module_resolver.py).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from tfjs.errors import FormatError, UnsafeFileError, UsageError
from tfjs.formats.meta_graph import find
from tfjs.formats.tf_hub.archive import extract
from tfjs.formats.tf_hub.read import module_in
from tfjs.io.files import CHUNK

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_SCHEMES = ("http", "https")
_QUERY = "tf-hub-format=compressed"
_MOST_BYTES = 8 << 30
_MOST_REDIRECTS = 10
_SECONDS = 60  # without an answer


def is_handle(text: str) -> bool:
    """Whether a source is the address of a module, not a path."""
    return text.lower().startswith(tuple(f"{scheme}://" for scheme in _SCHEMES))


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
        _download(address, handle, archive, most_bytes)
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
        good = parts.scheme.lower() in _SCHEMES and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        good = False
    if not good or not handle.isprintable() or " " in handle:
        raise UsageError("is no http or https address", where=handle)
    query = parts.query if _QUERY in parts.query else f"{parts.query}&{_QUERY}".lstrip("&")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _download(address: str, handle: str, target: Path, most: int) -> None:
    import urllib.error

    try:
        with _opener(handle).open(address, timeout=_SECONDS) as answer, target.open("wb") as file:
            told = answer.headers.get("Content-Length", "")
            expected = int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else None
            if expected is not None and expected > most:
                raise _too_large(handle, most)
            done = _copy(answer, file, handle, most)
    except urllib.error.HTTPError as error:
        with error:
            raise FormatError(
                f"the server answers {error.code} {error.reason}",
                where=handle,
                hint="check the address; modules of tfhub.dev are now at kaggle.com/models",
            ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise FormatError(f"cannot be downloaded: {reason}", where=handle) from None
    if expected is not None and done != expected:
        raise FormatError(f"the download ended after {done} of {expected} bytes", where=handle)


def _copy(answer: IO[bytes], file: IO[bytes], handle: str, most: int) -> int:
    done = 0
    while data := answer.read(CHUNK):
        done += len(data)
        if done > most:
            raise _too_large(handle, most)
        file.write(data)
    return done


def _too_large(handle: str, most: int) -> UnsafeFileError:
    return UnsafeFileError(f"is larger than {most} bytes", where=handle)


def _opener(handle: str) -> OpenerDirector:
    """What opens addresses: follows few redirects, and only to the web."""
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Redirects(HTTPRedirectHandler):
        max_redirections = _MOST_REDIRECTS

        def redirect_request(
            self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> Request | None:
            scheme = urlsplit(newurl).scheme.lower()
            if scheme not in _SCHEMES or (req.type == "https" and scheme == "http"):
                raise UnsafeFileError(f"leads to {newurl!r}", where=handle)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return build_opener(Redirects)
