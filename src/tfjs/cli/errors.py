"""Failures as a user sees them: the message, the exit code, and no traceback."""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from collections.abc import Iterator

import click

from tfjs.errors import TfjsError

INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h


def clean_up_on_sigterm() -> None:
    """Let SIGTERM end the process as an exception does, so that half-written files are removed."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


@contextlib.contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """Print what fails and exit with its code; with `debug`, its traceback too."""
    try:
        yield
    except TfjsError as error:
        _tell(str(error), debug=debug)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _tell("interrupted; nothing was changed", debug=False)
        sys.exit(130)
    except (click.exceptions.Exit, click.ClickException, BrokenPipeError):
        raise  # click itself ends these, a reader that went away (`| head`) in silence
    except Exception as error:  # noqa: BLE001 - whatever is left is a defect
        _tell(
            f"internal error: {type(error).__name__}: {error}\n"
            "  hint: this is a defect of tfjs; run again with --debug and report what it prints",
            debug=debug,
        )
        sys.exit(INTERNAL_ERROR)


def _tell(text: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    label = click.style("error:", fg="red", bold=True)
    click.echo(f"{label} {text}", err=True)
