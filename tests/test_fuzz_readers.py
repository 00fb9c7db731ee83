"""Thousands of damaged models through every reader: only errors of tfjs come out, in bounds.

Each test runs in a process with bounded memory, a case has 5 s of computing (`support/fuzz.py`).
The cases are the same each time; `support/fuzz.py` tells how to look at one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfjs
from tests.support.fuzz import assert_only_refusals
from tests.support.keras_models import made
from tests.support.model_damage import LEVELS, Level
from tests.support.seeds import GRAPHS, SEEDS
from tfjs.formats.registry import all_formats

CASES = 180
GRAPH_CASES = {"bytes": 80, "structure": 160}
# A format reads models of another that hold what it looks for.
ALSO_READ = {
    ("keras-h5", "h5-weights"),  # a model holds weights as well
    ("saved-model", "tf-hub"),
    ("tf-hub", "saved-model"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Of each seed its folder and the path to load."""
    root = tmp_path_factory.mktemp("seeds")
    return {name: (root / name, build(root / name)) for name, (_, build) in SEEDS.items()}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", [kind for kind in SEEDS if kind not in GRAPHS])
def test_a_damaged_model(kind: str, level: Level, sources: dict[str, tuple[Path, Path]]) -> None:
    folder, entry = sources[kind]
    assert_only_refusals(folder, entry, level, CASES)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", GRAPHS)
def test_a_damaged_graph(kind: str, level: Level, sources: dict[str, tuple[Path, Path]]) -> None:
    """It is converted, with all passes that make it one for TF.js."""
    folder, entry = sources[kind]
    # A checksum finds each flipped bit of an archive; hardly a text is another that is right.
    loads = level == "structure" or kind not in ("hub-archive", "frozen-text", "saved-text")
    assert_only_refusals(folder, entry, level, GRAPH_CASES[level], save=True, loads=loads)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["dense", "recurrent"])
def test_a_damaged_saved_model(
    kind: str, level: Level, tf_keras: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / f"saved-{kind}"
    made(kind, tf_keras).save(str(folder), save_format="tf")
    # The graph of a recurrent model is large, and read where the metadata are no longer there.
    assert_only_refusals(folder, folder, level, CASES if kind == "dense" else CASES // 4)


@pytest.mark.parametrize(
    "kind", ["layers-recurrent", "layers-branching", "h5-keras1", "keras-recurrent"]
)
def test_what_can_be_loaded_can_be_written_or_is_refused(
    kind: str, sources: dict[str, tuple[Path, Path]]
) -> None:
    folder, entry = sources[kind]
    assert_only_refusals(folder, entry, "structure", CASES, save=True)


@pytest.mark.parametrize("name", sorted(all_formats()))
@pytest.mark.parametrize("kind", SEEDS)
def test_a_model_of_another_format(
    kind: str, name: str, sources: dict[str, tuple[Path, Path]]
) -> None:
    path = sources[kind][1]
    if name == SEEDS[kind][0]:
        assert tfjs.load(path, from_=name).format == name
        return
    if (SEEDS[kind][0], name) in ALSO_READ and kind != "hub-archive":
        assert len(tfjs.load(path, from_=name).weights) > 0
        return
    with pytest.raises(tfjs.TfjsError) as failure:
        tfjs.load(path, from_=name)
    assert path.name in str(failure.value)


@pytest.mark.parametrize("name", [None, *sorted(all_formats())])
def test_things_that_are_no_files(name: str | None, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    for path in (
        "pipe",
        "loop",
        "folder",
        "x" * 300,
        "folder/\0",
        "/dev/null",
        "/dev/zero",
        "/proc",
    ):
        with pytest.raises(tfjs.FormatError):
            tfjs.load(tmp_path / path, from_=name)


_KEYS = (
    *("class_name", "config", "name", "layers", "units", "inbound_nodes", "batch_input_shape"),
    *("input_layers", "output_layers", "paths", "weights", "shape", "dtype", "activation"),
)
_TEXTS = ("Dense", "Sequential", "d", "x", "float32", "relu", "", "../x", "group1.bin")
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.floats(allow_nan=False)
    | st.sampled_from(_TEXTS)
)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6)
    ),
    max_leaves=30,
)
_QUICK = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def refused_or_read(path: Path, from_: str | None) -> None:
    try:
        model = tfjs.load(path, from_=from_)
    except tfjs.TfjsError:
        return
    for name in model.weights:
        model.weights[name]


class TestAnything:
    """Documents and bytes that no seed is near to."""

    @_QUICK
    @given(config=_ANY, manifest=_ANY)
    def test_a_topology(self, config: Any, manifest: Any, tmp_path_factory: Any) -> None:
        path = tmp_path_factory.getbasetemp() / "model.json"
        sequential = {"class_name": "Sequential", "config": config}
        for topology in (config, sequential, {"model_config": sequential}):
            document = {"modelTopology": topology, "weightsManifest": manifest}
            path.write_text(json.dumps({"format": "layers-model", **document}))
            refused_or_read(path, None)

    @_QUICK
    @given(config=_ANY, version=_ANY)
    def test_an_architecture(self, config: Any, version: Any, tmp_path_factory: Any) -> None:
        path = tmp_path_factory.getbasetemp() / "architecture.json"
        for name in ("Sequential", "Functional"):
            document = {"class_name": name, "config": config, "keras_version": version}
            path.write_text(json.dumps(document))
            refused_or_read(path, "keras-json")

    @_QUICK
    @given(
        head=st.sampled_from(
            [b"", b"{", b"[", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08"]
        ),
        rest=st.binary(max_size=300),
        name=st.sampled_from([None, *sorted(all_formats())]),
        suffix=st.sampled_from(["", ".h5", ".keras", ".json", ".weights.json", ".pb"]),
    )
    def test_bytes(
        self, head: bytes, rest: bytes, name: str | None, suffix: str, tmp_path_factory: Any
    ) -> None:
        path = tmp_path_factory.getbasetemp() / f"file{suffix}"
        path.write_bytes(head + rest)
        refused_or_read(path, name)
        path.unlink()
