"""TF.js models on the web: `model.json` and the weight files that it names, downloaded."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit

from tfjs.errors import CorruptFileError
from tfjs.formats.manifest_read import weight_paths
from tfjs.formats.model_json import read_model_json
from tfjs.io.download import SCHEMES, download
from tfjs.io.paths import inside

_MOST_JSON = 1 << 30
_MOST_BYTES = 8 << 30
# What was downloaded is kept as long as this process runs: weights stay in their files.
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def is_address(text: str) -> bool:
    """Whether a source is the address of a `model.json`."""
    parts = urlsplit(text) if text.lower().startswith(SCHEMES) else None
    return parts is not None and parts.scheme in SCHEMES and parts.path.endswith(".json")


def fetched(address: str) -> Path:
    """The JSON file of a model, downloaded with its weight files beside it.

    Raises:
        FormatError: something cannot be downloaded.
        CorruptFileError: the JSON is damaged.
        UnsafeFileError: it is too large, or a weight path leaves the folder.
    """
    made = tempfile.TemporaryDirectory(prefix="tfjs-")
    _KEPT.append(made)
    folder = Path(made.name)
    file = folder / "model.json"
    download(address, file, most=_MOST_JSON)
    _, data = read_model_json(file)
    manifest = data.get("weightsManifest") if isinstance(data, dict) else None
    left = _MOST_BYTES
    # As TF.js: weights lie beside the JSON, and what follows "?" goes with each of them.
    place, mark, rest = address.partition("?")
    base, query = place[: place.rindex("/") + 1], mark + rest
    for path in weight_paths(manifest or [], address):
        target = inside(folder, path, where=address)
        if target == file:
            raise CorruptFileError("names itself as a weight file", where=address)
        target.parent.mkdir(parents=True, exist_ok=True)
        download(f"{base}{quote(path)}{query}", target, most=left)
        left -= target.stat().st_size
    return file
