"""The tree of errors. Every failure that a user can cause is one of these.

* TfjsError
  - UsageError                  exit 2: the call itself is wrong
  - FormatError                 exit 3: the input is not what it should be
    - UnknownFormatError        no reader recognises it
    - CorruptFileError          recognised, but damaged
    - UnsafeFileError           refused: it reaches outside, or expands beyond reason
  - UnsupportedError            exit 4: valid, but the target cannot express it
  - ConversionError             exit 5: a rewrite or a write failed
  - VerificationError           exit 6: the result answers something else than the source
  - MissingDependencyError      exit 7: an optional package is needed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class TfjsError(Exception):
    """A failure with one line of cause, the place, and what to do.

    Args:
        message: what happened, in one line that a user understands.
        where: the file, layer, node or weight that it concerns.
        hint: what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = self.message
        if self.where:
            text = f"{self.where}: {text}"
        if self.hint:
            text = f"{text}\n  hint: {self.hint}"
        return text


class UsageError(TfjsError):
    """The call is wrong: an unknown option, a bad value, an output path that is a file."""

    exit_code = 2


class FormatError(TfjsError):
    """The input is not a model that can be read."""

    exit_code = 3


class UnknownFormatError(FormatError):
    """No reader recognises the input."""


class CorruptFileError(FormatError):
    """The format is recognised, but the contents are damaged, truncated or inconsistent."""


class UnsafeFileError(FormatError):
    """The file is refused: a path leaves its folder, or it expands beyond reason."""


class UnsupportedError(TfjsError):
    """The model is valid, but the target cannot express it.

    Args:
        problems: every occurrence, one line each, named by layer or node.
    """

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[str] = (),
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        text = self.message if not self.where else f"{self.where}: {self.message}"
        lines = [text, *(f"  - {problem}" for problem in self.problems)]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ConversionError(TfjsError):
    """A rewrite or a write failed."""

    exit_code = 5


class VerificationError(TfjsError):
    """The result answers something else than the source."""

    exit_code = 6


class MissingDependencyError(TfjsError):
    """An optional package is needed; the hint names the extra to install."""

    exit_code = 7
