"""Conversions here are held against their oracles by the tests themselves."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what conversions end with, which would double the time; tests/models has it."""
    monkeypatch.setattr("tfjs._convert.VERIFIES", False)
