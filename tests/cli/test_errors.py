from __future__ import annotations

import click
import pytest

from tfjs import errors
from tfjs.cli.errors import reported

CODES = {
    errors.TfjsError: 1,
    errors.UsageError: 2,
    errors.FormatError: 3,
    errors.UnknownFormatError: 3,
    errors.CorruptFileError: 3,
    errors.UnsafeFileError: 3,
    errors.UnsupportedError: 4,
    errors.ConversionError: 5,
    errors.VerificationError: 6,
    errors.MissingDependencyError: 7,
}


def fail(error: BaseException, *, debug: bool = False) -> int | str | None:
    with pytest.raises(SystemExit) as failure, reported(debug=debug):
        raise error
    return failure.value.code


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_an_error_is_its_text_and_its_code(
    kind: type[errors.TfjsError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fail(kind("is broken", where="m.h5", hint="mend it")) == CODES[kind]
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: m.h5: is broken\n  hint: mend it\n"


def test_every_problem_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.UnsupportedError(
        "TF.js cannot express 2 layers", problems=["a: no", "b: neither"], hint="use a graph model"
    )
    assert fail(error) == 4
    assert capsys.readouterr().err.splitlines() == [
        "error: TF.js cannot express 2 layers",
        "  - a: no",
        "  - b: neither",
        "  hint: use a graph model",
    ]


def test_debug_shows_where_it_was_raised(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(errors.ConversionError("is broken"), debug=True) == 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "tfjs.errors.ConversionError: is broken"
    assert lines[-1] == "error: is broken"


@pytest.mark.parametrize("debug", [False, True])
def test_a_defect_asks_to_be_reported(debug: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(KeyError("weights"), debug=debug) == 70
    err = capsys.readouterr().err
    assert "error: internal error: KeyError: 'weights'\n" in err
    assert "run again with --debug and report what it prints" in err
    assert ("Traceback" in err) is debug


def test_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "error: interrupted; nothing was changed\n"


@pytest.mark.parametrize("error", [click.UsageError("no"), click.exceptions.Exit(0)])
def test_what_click_raises_is_for_click(error: Exception) -> None:
    with pytest.raises(type(error)), reported(debug=False):
        raise error


def test_a_reader_that_went_away_is_no_defect(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BrokenPipeError), reported(debug=False):
        raise BrokenPipeError
    assert capsys.readouterr().err == ""
