"""Which suites can run here, and the frameworks and runtimes that they share.

A test says what it needs by the fixture that it asks for, or by the marker of the same suite:

=============  ==============  ================================================
fixture        marker          what it is
=============  ==============  ================================================
tensorflow     tensorflow      the module
keras          keras           the module, Keras 3 on the JAX backend
tf_keras       tf_keras        the module, the Keras 2 line
tfjs_runtime   node            the real TF.js in Node
in_node        node            the same, where tfjs itself finds it
browser        browser         the real TF.js in headless Chromium
shared_models  models          the folder ../shared/models
=============  ==============  ================================================

A suite whose tool is absent is skipped. With TFJS_FULL=1, which tools/test.py sets, it is an
error instead, except that the models may be absent.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

from tests.support.browser import Browser
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.tools import JS_FOLDER, SHARED_MODELS, missing

# Both must be set before Keras or TensorFlow is imported. JAX, because it starts much faster, and
# because tf_keras, which needs TensorFlow, may share the process.
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A loaded machine is no defect of ours. The full run tries the same examples each time, so that it
# says of a commit always the same; runs by hand look for new ones.
hypothesis.settings.register_profile(
    "tfjs", deadline=None, derandomize=os.environ.get("TFJS_FULL") == "1"
)
hypothesis.settings.load_profile("tfjs")

_MARKER_OF_FIXTURE = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "tf_keras": "tf_keras",
    "tfjs_runtime": "node",
    "in_node": "node",
    "browser": "browser",
    "shared_models": "models",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives a test the marker of each suite whose fixture it uses."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            marker = _MARKER_OF_FIXTURE.get(fixture)
            if marker is not None and item.get_closest_marker(marker) is None:
                item.add_marker(marker)


def _need(marker: str) -> None:
    """Skips where the tool of a suite is absent; with TFJS_FULL=1 that is an error."""
    reason = missing(marker)
    if reason is None:
        return
    if os.environ.get("TFJS_FULL") == "1" and marker != "models":
        pytest.fail(f"TFJS_FULL=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Sees to the tools before anything else of a test is set up."""
    for marker in sorted(set(_MARKER_OF_FIXTURE.values())):
        if item.get_closest_marker(marker) is not None:
            _need(marker)


def _framework(name: str) -> ModuleType:
    # A test may also ask for it by request.getfixturevalue, past the hook above.
    _need(name)
    return importlib.import_module(name)


@pytest.fixture(scope="session")
def tensorflow() -> ModuleType:
    """TensorFlow."""
    return _framework("tensorflow")


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    """Keras 3 on the JAX backend."""
    return _framework("keras")


@pytest.fixture(scope="session")
def tf_keras() -> ModuleType:
    """tf_keras, the Keras 2 line, on TensorFlow."""
    return _framework("tf_keras")


@pytest.fixture(scope="session")
def tfjs_runtime() -> Iterator[TfjsRuntime]:
    """The real TF.js in Node."""
    with TfjsRuntime() as runtime:
        yield runtime


@pytest.fixture
def in_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets tfjs find TF.js for Node, whatever the current folder."""
    monkeypatch.setenv("NODE_PATH", str(JS_FOLDER / "node_modules"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The real TF.js in headless Chromium."""
    with Browser() as running:
        yield running


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of real models."""
    return SHARED_MODELS
