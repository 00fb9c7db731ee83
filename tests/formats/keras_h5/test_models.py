"""Whole models in HDF5 that say wrong things of themselves: only errors of tfjs come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fuzz import assert_only_refusals
from tests.support.keras_damage import WRONG, set_wrong
from tests.support.whole_models import KERAS2_KINDS, KINDS, Dialect, write_h5
from tfjs.errors import CorruptFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_h5 import FORMAT

_DIALECTS: tuple[Dialect, ...] = ("keras2", "keras3")
_MODELS = [
    (kind, dialect)
    for kind in KINDS
    for dialect in _DIALECTS
    if dialect == "keras3" or kind in KERAS2_KINDS
]


@pytest.mark.parametrize("dialect", _DIALECTS)
@pytest.mark.parametrize("case", WRONG)
def test_wrong_configuration(case: str, dialect: Dialect, tmp_path: Path) -> None:
    path = write_h5(WRONG[case][0], tmp_path / "model", dialect)
    set_wrong(path.parent, case)
    with pytest.raises(CorruptFileError):
        FORMAT.read(path, ReadOptions())


@pytest.mark.parametrize(("kind", "dialect"), _MODELS)
def test_damaged_configurations(kind: str, dialect: Dialect, tmp_path: Path) -> None:
    path = write_h5(kind, tmp_path / f"{kind}-{dialect}", dialect)
    assert_only_refusals(path.parent, path, "configuration", 40)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_weights(kind: str, tmp_path: Path) -> None:
    path = write_h5(kind, tmp_path / kind, "keras3")
    assert_only_refusals(path.parent, path, "listing", 40)
