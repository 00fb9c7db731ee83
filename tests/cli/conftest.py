"""Commands run in this process, and the small models that they convert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.protocol import Array
from tests.support.tiny_models import write_dense_model
from tfjs.cli.converter import converter, explicit
from tfjs.cli.main import cli

Run = Callable[..., Result]


@pytest.fixture
def tfjs() -> Run:
    """Runs `tfjs` with these arguments."""
    return lambda *words: CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def official() -> Run:
    """Runs `tensorflowjs_converter` with these arguments."""
    return lambda *words: CliRunner().invoke(converter, explicit([str(word) for word in words]))


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A TF.js layers model of one Dense layer, `d`, 3 inputs to 2 outputs."""
    return write_dense_model(tmp_path / "web")[0]


@pytest.fixture
def web_weights(web: Path) -> dict[str, Array]:
    """The weights of `web`."""
    return write_dense_model(web)[1]
