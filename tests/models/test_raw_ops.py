"""Each operation of TF.js by itself: TensorFlow's raw operation against what TF.js makes of it.

The cases are those by which our own kernels are tested. Each becomes a graph of placeholders and
the one operation, goes through the whole pipeline, and runs in the real TF.js.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.models.raw_op_tables import (
    CONSTANT,
    DIFFERENT,
    FREE_DIFFERENT,
    FREE_REFUSED,
    NOT_OF,
    NOT_TENSORFLOW,
    RANDOM,
    REFUSED,
    REFUSED_CASES,
    UNSOUND,
    Differs,
)
from tests.models.test_raw_stateful import RUN
from tests.support.op_cases import Case, all_cases
from tests.support.op_oracle import (
    IN_OLD_GRAPHS,
    TWINS,
    run_eagerly,
    run_old_graph,
    run_tensorflow,
)
from tests.support.protocol import JsError
from tests.support.raw_ops import (
    BACKENDS,
    RawOp,
    channels_first,
    convert,
    difference,
    first_order,
    retyped,
)
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError
from tfjs.ir.tensor import Array
from tfjs.ops.definitions import definition
from tfjs.ops.support import all_tfjs_ops

_REFUSED_OPS = {op: reason for reason, ops in REFUSED.items() for op in ops.split()}
_DOCS = Path(__file__).parents[2].joinpath("docs", "formats.md")
_DTYPES = ("int32", "uint8", "bool", "complex64", "string")


def _with_constants(case: Case) -> Case:
    inputs = CONSTANT.get(case.op, ())
    return replace(case, fixed=case.fixed | {index for index in inputs if index < len(case.inputs)})


def _has_outputs(case: Case) -> bool:
    known = definition(case.op)
    assert known is not None
    return bool(known.output_dtypes(case.attrs))


def _told_apart(cases: list[Case]) -> list[Case]:
    """The cases with labels that make all their names differ."""
    seen: Counter[str] = Counter()
    result = []
    for case in cases:
        name = case.id
        seen[name] += 1
        label = f"{case.label}#{seen[name]}"
        result.append(case if seen[name] == 1 else replace(case, label=label))
    return result


_ALL = [_with_constants(case) for case in _told_apart(all_cases()) if _has_outputs(case)]
CASES = [case for case in _ALL if case.op not in _REFUSED_OPS]
_OPS = sorted({case.op for case in CASES})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh folder each time that it is asked, all within one."""
    root = tmp_path_factory.mktemp("raw_ops")
    return (root / str(number) for number in count())


def _answers(raw: RawOp, runtime: TfjsRuntime, backend: str) -> list[Array] | str:
    try:
        return raw.run(runtime, backend)
    except JsError as error:
        return error.message
    except ValueError as error:  # fewer numbers than the shape tells
        return str(error)


def _wrong(raw: RawOp, case: Case, wanted: list[Array], runtime: TfjsRuntime, backend: str) -> str:
    """What is wrong with TF.js's answers; "" where nothing is."""
    found = _answers(raw, runtime, backend)
    if isinstance(found, str):
        return found
    assert len(found) == len(raw.outputs)
    for ours, index in zip(found, raw.outputs, strict=True):
        theirs = wanted[index]
        if case.op in RANDOM:
            low, high = RANDOM[case.op]
            if ours.shape != theirs.shape or ours.min() < low or ours.max() > high:
                return f"{ours.shape}, from {ours.min()} to {ours.max()}"
            continue
        told = difference(ours, theirs)
        if told is not None:
            return f"output {index}: {told}"
    return ""


def _wrong_backends(
    raw: RawOp, case: Case, tensorflow: ModuleType, runtime: TfjsRuntime, backends: tuple[str, ...]
) -> dict[str, str]:
    wanted = run_tensorflow(tensorflow, case)
    runs = (name for name in backends if name not in raw.missing)
    found = {name: _wrong(raw, case, wanted, runtime, name) for name in runs}
    return {name: text for name, text in found.items() if text}


def _check(wrong: dict[str, str], known: Differs | None, raw: RawOp) -> None:
    """Assert that TF.js differs where a table says so only, and that the user is told."""
    backends = known.backends.split() if known is not None else []
    certain = {name for name in backends if not name.endswith("?")}
    assert certain <= set(wrong) <= {name.rstrip("?") for name in backends}, wrong
    if known is not None and known.note:
        assert any(known.note in note for note in raw.notes), raw.notes
    elif known is not None:
        assert known.docs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_tfjs_answers_as_tensorflow_does(
    case: Case, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, folders: Iterator[Path]
) -> None:
    if case.id in REFUSED_CASES:
        with pytest.raises(UnsupportedError, match=REFUSED_CASES[case.id]):
            convert(case, next(folders))
        return
    raw = convert(case, next(folders))
    wrong = _wrong_backends(raw, case, tensorflow, tfjs_runtime, BACKENDS)
    _check(wrong, DIFFERENT.get(case.id), raw)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_sizes_may_be_free(
    case: Case, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, folders: Iterator[Path]
) -> None:
    if case.id in REFUSED_CASES:
        return
    try:
        raw = convert(case, next(folders), free=True)
    except UnsupportedError as error:
        if FREE_REFUSED.get(case.op, "?") not in str(error):
            raise
        return
    wrong = _wrong_backends(raw, case, tensorflow, tfjs_runtime, BACKENDS)
    _check(wrong, FREE_DIFFERENT.get(case.id, DIFFERENT.get(case.id)), raw)


def _other_dtypes(op: str, tensorflow: ModuleType) -> Iterator[tuple[str, Case, list[Array]]]:
    """The first case of an operation that TensorFlow computes, for each of the other dtypes."""
    for dtype in _DTYPES:
        for case in CASES:
            other = retyped(case, dtype) if case.op == op else None
            if other is None or (op, dtype) in UNSOUND or any(x.size == 0 for x in other.inputs):
                continue
            try:
                yield dtype, other, run_tensorflow(tensorflow, other)
            except (ValueError, tensorflow.errors.OpError):
                continue
            break


@pytest.mark.parametrize("op", _OPS)
def test_other_dtypes_answer_alike(
    op: str, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, folders: Iterator[Path]
) -> None:
    refused = set()
    for dtype, case, wanted in _other_dtypes(op, tensorflow):
        try:
            raw = convert(case, next(folders))
        except UnsupportedError:
            refused.add(dtype)
            continue
        for backend in BACKENDS:
            if backend not in raw.missing:
                wrong = _wrong(raw, case, wanted, tfjs_runtime, backend)
                assert not wrong, (case.id, backend, wrong)
    assert refused == {dtype for dtype, ops in NOT_OF.items() if op in ops.split()}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.inputs and channels_first(case) and case.id not in DIFFERENT],
    ids=lambda case: case.id,
)
def test_channels_may_stand_first(
    case: Case, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, folders: Iterator[Path]
) -> None:
    first = channels_first(case)
    assert first is not None
    if case.id in REFUSED_CASES:
        with pytest.raises(UnsupportedError, match=REFUSED_CASES[case.id]):
            convert(first, next(folders))
        return
    raw = convert(first, next(folders))
    plain = run_tensorflow(tensorflow, case)[0]
    wanted = [np.transpose(plain, first_order(plain.ndim))]
    for backend in BACKENDS:
        assert not _wrong(raw, first, wanted, tfjs_runtime, backend), backend


@pytest.mark.parametrize("op", sorted(_REFUSED_OPS))
def test_these_are_refused_by_name(op: str, folders: Iterator[Path]) -> None:
    cases = [case for case in _ALL if case.op == op]
    assert cases
    for case in cases:
        with pytest.raises(UnsupportedError) as caught:
            convert(case, next(folders))
        assert op in str(caught.value)
        assert _REFUSED_OPS[op] in str(caught.value)


@pytest.mark.parametrize("op", sorted(FREE_REFUSED))
def test_these_are_refused_where_sizes_are_free(op: str, folders: Iterator[Path]) -> None:
    cases = [case for case in CASES if case.op == op and case.id not in REFUSED_CASES]

    def convert_all() -> None:
        for case in cases:
            convert(case, next(folders), free=True)

    with pytest.raises(UnsupportedError, match=FREE_REFUSED[op]):
        convert_all()


@pytest.mark.parametrize("op", sorted(CONSTANT))
def test_these_want_constants(op: str, folders: Iterator[Path]) -> None:
    fed = [
        replace(case, fixed=case.fixed - {*CONSTANT[op]})
        for case in all_cases()
        if case.op == op and not {*CONSTANT[op]} <= case.fixed
    ]
    assert fed
    for case in fed:
        with pytest.raises(UnsupportedError, match="constant"):
            convert(case, next(folders))


@pytest.mark.parametrize("op", sorted(TWINS.keys() | IN_OLD_GRAPHS))
def test_tensorflow_runs_these_no_longer(op: str, tensorflow: ModuleType) -> None:
    """So that their answers are those of an old graph, or of a twin."""
    cases = [case for case in _ALL if case.op == op]
    assert cases
    for case in cases:
        with pytest.raises(ValueError, match=op):
            run_eagerly(tensorflow, case)
        if op in TWINS:
            with pytest.raises(ValueError, match=op):
                run_old_graph(tensorflow, case)


def test_every_operation_of_tfjs_is_run_or_told_why_not() -> None:
    listed = {op.name for op in all_tfjs_ops()}
    ours = {case.op for case in _ALL}
    assert {op for op in listed if definition(op) is None} == {*NOT_TENSORFLOW}
    assert listed - ours - {*NOT_TENSORFLOW} == RUN & listed


def test_the_tables_name_cases_that_exist() -> None:
    ids = {case.id for case in CASES}
    for table in (DIFFERENT, FREE_DIFFERENT, REFUSED_CASES):
        assert set(table) <= ids, set(table) - ids
    ops = {case.op for case in CASES}
    assert {*FREE_REFUSED, *RANDOM} <= ops
    for refused in NOT_OF.values():
        assert {*refused.split()} <= ops


def test_what_differs_is_told() -> None:
    """By a note, which is asserted beside each case, or in the documentation."""
    documented = " ".join(_DOCS.read_text().split())
    for known in (*DIFFERENT.values(), *FREE_DIFFERENT.values()):
        assert {name.rstrip("?") for name in known.backends.split()} <= {*BACKENDS}
        assert bool(known.note) != bool(known.docs)
        assert known.docs in documented, known
