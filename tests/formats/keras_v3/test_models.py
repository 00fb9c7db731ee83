"""Whole models in archives that say wrong things of themselves: only errors of tfjs come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fuzz import assert_only_refusals
from tests.support.keras_damage import WRONG, set_wrong
from tests.support.whole_models import KINDS, write_archive
from tfjs.errors import CorruptFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_v3 import FORMAT


@pytest.mark.parametrize("case", WRONG)
def test_wrong_configuration(case: str, tmp_path: Path) -> None:
    folder = write_archive(WRONG[case][0], tmp_path / "model")
    set_wrong(folder, case)
    with pytest.raises(CorruptFileError):
        FORMAT.read(folder, ReadOptions())


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_configurations(kind: str, tmp_path: Path) -> None:
    folder = write_archive(kind, tmp_path / f"{kind}-archive")
    assert_only_refusals(folder, folder, "configuration", 60, save=True)


# The model of operations has no weights.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "operations"])
def test_damaged_weights(kind: str, tmp_path: Path) -> None:
    folder = write_archive(kind, tmp_path / f"{kind}-archive")
    assert_only_refusals(folder, folder, "listing", 35)
