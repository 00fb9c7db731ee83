"""Recurrent layers, exported by Keras 3 and saved by tf_keras, in the real TF.js."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.passes.control.graphs import is_dynamic
from tests.passes.control.recurrent import build, names
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.tools import REPO
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.saved_model.read import read
from tfjs.formats.tfjs_graph.write import write
from tfjs.passes.control.resolve import Form
from tfjs.passes.pipeline import legalize


@pytest.fixture(scope="module")
def exported(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of Keras 3."""
    folder = tmp_path_factory.mktemp("recurrent")
    command = [sys.executable, "-m", "tests.passes.control.recurrent", str(folder)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True, timeout=600)
    return folder


def check(
    source: Path, fed: Array, wanted: Array, form: Form, runtime: TfjsRuntime, folder: Path
) -> bool:
    """Whether a converted model that answers as its source is for `executeAsync` alone."""
    model = read(source, ReadOptions())
    legalize(model, control_flow=form)
    write(model, folder, WriteOptions())
    dynamic = is_dynamic(model)
    method = "executeAsync" if dynamic else "predict"
    found = runtime.run_graph(folder, [fed], [fed], method=method)
    assert found.leaked == 0
    for call in found.calls:
        np.testing.assert_allclose(call[0], wanted, rtol=1e-4, atol=1e-5)
    return dynamic


@pytest.mark.parametrize("form", ["auto", "v1"])
@pytest.mark.parametrize("name", names())
def test_keras_3_exports_run(
    name: str, form: Form, exported: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    with np.load(exported / f"{name}.npz") as golden:
        fed, wanted = golden["fed"], golden["answer"]
    dynamic = check(exported / name, fed, wanted, form, tfjs_runtime, tmp_path / "model")
    assert dynamic == name.endswith("any")


@pytest.mark.parametrize("name", names())
def test_saved_models_of_tf_keras_run(
    name: str,
    tf_keras: ModuleType,
    tensorflow: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    layer, _, steps = name.rpartition("_")
    model, fed = build(tf_keras, layer, 7 if steps == "fixed" else None)
    tensorflow.saved_model.save(model, str(tmp_path / "saved"))
    wanted = model(fed).numpy()
    dynamic = check(tmp_path / "saved", fed, wanted, "auto", tfjs_runtime, tmp_path / "model")
    assert dynamic == (steps == "any")
