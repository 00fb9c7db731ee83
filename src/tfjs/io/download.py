"""Download a file from the web, within bounds."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tfjs.errors import FormatError, UnsafeFileError
from tfjs.io.files import CHUNK

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

SCHEMES = ("http", "https")
_MOST_REDIRECTS = 10
_SECONDS = 60  # without an answer


def download(
    address: str, target: Path, *, most: int, where: str | None = None, hint: str | None = None
) -> None:
    """Download a file; redirects are followed, a few of them and only to the web.

    Args:
        address: its http or https address.
        target: where to write it.
        most: how many bytes it may have.
        where: what errors call it; the address when None.
        hint: what to do where the server does not have it.

    Raises:
        FormatError: it cannot be downloaded.
        UnsafeFileError: it is too large, or leads elsewhere than to the web.
    """
    import urllib.error  # noqa: PLC0415 - few need the web

    handle = where or address
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
                hint=hint,
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
    from urllib.request import HTTPRedirectHandler, Request, build_opener  # noqa: PLC0415

    class Redirects(HTTPRedirectHandler):
        max_redirections = _MOST_REDIRECTS

        def redirect_request(
            self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> Request | None:
            scheme = urlsplit(newurl).scheme.lower()
            if scheme not in SCHEMES or (req.type == "https" and scheme == "http"):
                raise UnsafeFileError(f"leads to {newurl!r}", where=handle)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return build_opener(Redirects)
