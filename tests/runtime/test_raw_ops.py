"""Each operation by itself: what the runner answers, beside TensorFlow's raw operation.

As the converter writes it for TF.js, and as TensorFlow has it. The cases and what is refused or
different in TF.js stand in `tests/models/test_raw_ops.py`, which runs them in the real TF.js.
"""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.models.raw_op_tables import DIFFERENT, RANDOM, REFUSED_CASES
from tests.models.test_raw_ops import CASES
from tests.support.op_cases import Case
from tests.support.op_oracle import run_tensorflow
from tests.support.raw_ops import difference, fed, model_of, narrow
from tfjs.errors import UnsupportedError
from tfjs.ir.graph import GraphModel, Node
from tfjs.ir.tensor import Array
from tfjs.ops.base import find
from tfjs.ops.support import all_tfjs_ops
from tfjs.passes.pipeline import legalize
from tfjs.runtime.engine import Runner
from tfjs.runtime.kernels import Kernels
from tfjs.runtime.modes import Mode
from tfjs.runtime.tables import Tables


def _run(model: GraphModel, arrays: list[Array], *, as_tfjs: bool) -> list[Array]:
    runner = Runner(model, as_tfjs=as_tfjs)
    return runner.run(dict(zip(model.signature.inputs, arrays, strict=True)))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.id not in REFUSED_CASES], ids=lambda case: case.id
)
def test_it_answers_as_tensorflow(case: Case, tensorflow: ModuleType) -> None:
    wanted = run_tensorflow(tensorflow, case)
    model, chosen = model_of(case)
    declared = find(case.op)
    if case.op not in RANDOM and (declared is None or declared.kernel is None):
        # Only the converter knows what to make of it.
        with pytest.raises(UnsupportedError, match=case.op):
            Runner(model, as_tfjs=False)
        as_it_is = None
    else:
        as_it_is = _run(model, fed(case), as_tfjs=False)
    legalize(model)
    as_tfjs = _run(model, [narrow(array) for array in fed(case)], as_tfjs=True)
    for found in (as_tfjs,) if as_it_is is None else (as_tfjs, as_it_is):
        assert len(found) == len(chosen)
        for ours, index in zip(found, chosen, strict=True):
            theirs = wanted[index]
            if case.op in RANDOM:
                low, high = RANDOM[case.op]
                assert ours.shape == theirs.shape
                assert low <= ours.min() <= ours.max() <= high
            elif case.id not in DIFFERENT or found is as_it_is:
                assert ours.dtype == theirs.dtype or found is as_tfjs
                assert difference(narrow(ours), theirs) is None


def test_every_operation_of_tfjs_is_run() -> None:
    """Also those that hold something, for which there are no cases here."""
    mode = Mode("float32", as_tfjs=True)
    kernels = Kernels(mode, Tables(mode, {}))
    missing = {
        op.name
        for op in all_tfjs_ops()
        if op.unusable is None and kernels.of(Node(op.name, "node", {}, ())) is None
    }
    steps = {"Enter", "Exit", "If", "Merge", "NextIteration", "StatelessIf", "StatelessWhile"}
    assert missing == {"Const", "NoOp", "Placeholder", "Switch", "While", *steps}
