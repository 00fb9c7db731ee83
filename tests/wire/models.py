"""Where the real models are; a test that needs one is skipped where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

MODELS = Path(__file__).parents[3] / "shared" / "models"


def model_path(name: str) -> Path:
    """A file or folder of the real models."""
    if not MODELS.is_dir():
        pytest.skip(f"the real models are not in {MODELS}")
    return MODELS / name
