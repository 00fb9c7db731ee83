"""Regular expressions as RE2 and JavaScript read them, searched in bounded time.

A pattern becomes a small program. It is run with a memory of what was tried, so that a search takes
at most the length of the program times that of the text. What the two languages have beyond the
common ground (looking around, references back, classes of Unicode) is refused.

Source: RE2's syntax page and its documented semantics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

# RE2 refuses more repetitions; programs longer than this are refused here.
_MOST_REPEATED, _MOST_STEPS = 1000, 10_000
_MOST_DEPTH = 50
# A text may be searched as often as this, each time through the whole program at every place.
_MOST_SEARCHES, _MOST_TRIED = 16, 1 << 24

_ALL = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]

_DIGITS: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACES: Ranges = ((9, 10), (12, 13), (32, 32))
_SPACES_JS: Ranges = (
    *((9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_NAMED: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGITS,
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11}


class _Set(NamedTuple):
    """Characters, or all others."""

    ranges: Ranges
    negated: bool = False
    fold: bool = False

    def has(self, char: str) -> bool:
        """Whether a character is one of them."""
        forms = {char, char.lower(), char.upper()} if self.fold else {char}
        codes = [ord(form) for form in forms if len(form) == 1]
        return self.negated != any(
            low <= code <= high for code in codes for low, high in self.ranges
        )


class _Step(NamedTuple):
    """One step of a program.

    Attributes:
        kind: "char" reads a character of `chars`; "split" goes on at `first`, or else at `second`;
            "jump" goes on at `first`; "save" notes the place as number `first`; "check" goes on
            where `place` holds; "match" ends.
        chars: see `kind`.
        place: see `kind`.
        first: see `kind`.
        second: see `kind`.
    """

    kind: str
    chars: _Set | None = None
    place: Callable[[str, int], bool] | None = None
    first: int = 0
    second: int = 0


_Code = list[_Step]  # whose targets are relative to the step
_Saved = tuple[int | None, ...]  # begin and end of each group


class Pattern:
    """A regular expression.

    Args:
        text: what stands for it.
        javascript: whether JavaScript reads it; RE2 where not.

    Raises:
        ValueError: it is none, or needs what is not had here.
    """

    def __init__(self, text: str, *, javascript: bool = False) -> None:
        reader = _Reader(text, javascript)
        self._code: _Code = [
            *(_Step("save", first=0), *reader.read(), _Step("save", first=1), _Step("match"))
        ]
        self.groups = reader.groups
        self._left = 0

    def begin(self, text: str) -> None:
        """Start with another text."""
        self._left = min(_MOST_TRIED, _MOST_SEARCHES * len(self._code) * (len(text) + 1))

    def search(self, text: str, start: int) -> list[int | None] | None:
        """The first match at or behind a place of the text that was begun.

        Returns:
            Begin and end of it, then of each group.

        Raises:
            ValueError: it takes too long.
        """
        tried: set[tuple[int, int]] = set()
        for begin in range(start, len(text) + 1):
            found = self._match(text, begin, tried)
            if found is not None:
                return found
        return None

    def covers(self, text: str) -> bool:
        """Whether it matches a whole text.

        Raises:
            ValueError: it takes too long.
        """
        self.begin(text)
        return self._match(text, 0, set(), whole=True) is not None

    def _match(
        self, text: str, begin: int, tried: set[tuple[int, int]], *, whole: bool = False
    ) -> list[int | None] | None:
        left: list[tuple[int, int, _Saved]] = [(0, begin, (None,) * (2 + 2 * self.groups))]
        while left:
            at, place, saved = left.pop()
            if (at, place) in tried:
                continue
            tried.add((at, place))
            self._left -= 1
            if self._left < 0:
                raise ValueError("a text takes too long to be searched")
            step = self._code[at]
            if step.kind == "match":
                if not whole or place == len(text):
                    return list(saved)
            elif step.kind == "split":
                left.append((at + step.second, place, saved))
                left.append((at + step.first, place, saved))
            elif step.kind == "jump":
                left.append((at + step.first, place, saved))
            elif step.kind == "save":
                changed = (*saved[: step.first], place, *saved[step.first + 1 :])
                left.append((at + 1, place, changed))
            elif step.place is not None:
                if step.place(text, place):
                    left.append((at + 1, place, saved))
            elif step.chars is not None and place < len(text) and step.chars.has(text[place]):
                left.append((at + 1, place + 1, saved))
        return None


# What holds at a place ---------------------------------------------------------------------------


def _at_begin(text: str, at: int) -> bool:
    return at == 0


def _at_end(text: str, at: int) -> bool:
    return at == len(text)


def _at_line(text: str, at: int) -> bool:
    return at == 0 or text[at - 1] == "\n"


def _at_line_end(text: str, at: int) -> bool:
    return at == len(text) or text[at] == "\n"


def _at_word(text: str, at: int) -> bool:
    word = _Set(_WORD)
    return (at > 0 and word.has(text[at - 1])) != (at < len(text) and word.has(text[at]))


# Reading -----------------------------------------------------------------------------------------


class _Reader:
    """Makes a program of a pattern."""

    def __init__(self, text: str, javascript: bool) -> None:
        self._text, self._at = text, 0
        self._javascript = javascript
        self._flags = frozenset[str]()
        self._depth = 0
        self.groups = 0

    def read(self) -> _Code:
        """The program of the whole pattern."""
        code = self._choice()
        if self._at < len(self._text):
            raise ValueError("a pattern has a ) too many")
        return code

    def _next(self, text: str) -> bool:
        """Whether something stands here; it is passed then."""
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _take(self) -> str:
        if self._at >= len(self._text):
            raise ValueError("a pattern ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _until(self, end: str) -> str:
        stop = self._text.find(end, self._at)
        if stop < 0:
            raise ValueError(f"a pattern lacks a {end}")
        found = self._text[self._at : stop]
        self._at = stop + len(end)
        return found

    def _choice(self) -> _Code:
        code = self._sequence()
        while self._next("|"):
            other = self._sequence()
            code = [
                _Step("split", first=1, second=len(code) + 2),
                *code,
                _Step("jump", first=len(other) + 1),
                *other,
            ]
        return code

    def _sequence(self) -> _Code:
        code: _Code = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            code += self._repeated(self._atom())
            if len(code) > _MOST_STEPS:
                raise ValueError("a pattern is too long")
        return code

    def _repeated(self, code: _Code) -> _Code:
        bounds = self._bounds()
        if bounds is None:
            return code
        low, high = bounds
        lazy = self._next("?")
        if self._bounds() is not None:
            raise ValueError("a pattern repeats a repetition")
        if max(low, high or 0) > _MOST_REPEATED or (high is not None and high < low):
            raise ValueError(f"a pattern repeats {low} to {high} times")
        if len(code) * max(low, high or 0, 1) > _MOST_STEPS:
            raise ValueError("a pattern is too long")
        made = code * low
        if high is None:
            ahead, out = 1, len(code) + 2
            return [*made, _split(ahead, out, lazy), *code, _Step("jump", first=-len(code) - 1)]
        rest = high - low
        for left in range(rest, 0, -1):
            made = [*made, _split(1, left * (len(code) + 1), lazy), *code]
        return made

    def _bounds(self) -> tuple[int, int | None] | None:
        """How often what came before is repeated, where that is told."""
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._next(sign):
                return bounds
        start = self._at
        if self._next("{"):
            stop = self._text.find("}", start)
            low, comma, high = self._text[start + 1 : max(start, stop)].partition(",")
            if _is_number(low) and (not high or _is_number(high)):
                self._at = stop + 1
                return int(low), (None if comma and not high else int(high or low))
            self._at = start
        return None

    def _atom(self) -> _Code:
        char = self._take()
        if char in "*+?":
            raise ValueError("a pattern repeats nothing")
        if char == "(":
            return self._group()
        if char == "[":
            return [self._set(*self._class())]
        if char == ".":
            lines = ((10, 10), (13, 13), (0x2028, 0x2029)) if self._javascript else ((10, 10),)
            return [_Step("char", _Set(() if "s" in self._flags else lines, negated=True))]
        if char in "^$":
            lines_too = "m" in self._flags
            begin = _at_line if lines_too else _at_begin
            end = _at_line_end if lines_too else _at_end
            return [_Step("check", place=begin if char == "^" else end)]
        if char == "\\":
            return self._escaped()
        return [self._set(_one(char))]

    def _set(self, ranges: Ranges, negated: bool = False) -> _Step:
        return _Step("char", _Set(ranges, negated, "i" in self._flags))

    def _group(self) -> _Code:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ValueError("a pattern is nested too deeply")
        flags, number = self._flags, None
        if not self._next("?"):
            number = self.groups = self.groups + 1
        elif (self._next("P<") and not self._javascript) or self._named():
            self._until(">")
            number = self.groups = self.groups + 1
        elif not self._next(":") and self._options():
            self._depth -= 1
            return []
        code = self._choice()
        if not self._next(")"):
            raise ValueError("a pattern lacks a )")
        self._flags = flags
        self._depth -= 1
        if number is None:
            return code
        return [_Step("save", first=2 * number), *code, _Step("save", first=2 * number + 1)]

    def _named(self) -> bool:
        ahead = self._text[self._at : self._at + 2]
        return ahead[:1] == "<" and ahead[1:] not in ("=", "!", "") and self._next("<")

    def _options(self) -> bool:
        """Read flags; whether they stand alone, for the rest of the group."""
        on, wanted = True, set(self._flags)
        while True:
            char = self._take()
            if char in ":)" and not self._javascript:
                self._flags = frozenset(wanted)
                return char == ")"
            if char == "-" and on:
                on = False
            elif char in "ims" and not self._javascript:
                (wanted.add if on else wanted.discard)(char)
            else:
                raise ValueError(f"a pattern has a group (?{char}")

    def _escaped(self) -> _Code:
        char = self._take()
        if char in "bB":
            # What is no boundary is everywhere else.
            place = _at_word if char == "b" else lambda text, at: not _at_word(text, at)
            return [_Step("check", place=place)]
        if char in "Az" and not self._javascript:
            return [_Step("check", place=_at_begin if char == "A" else _at_end)]
        if char == "Q" and not self._javascript:
            return [self._set(_one(item)) for item in self._until("\\E")]
        return [self._set(*self._escaped_set(char))]

    def _escaped_set(self, char: str) -> tuple[Ranges, bool]:
        """The characters that a letter behind a backslash stands for, and whether all others."""
        spaces = _SPACES_JS if self._javascript else _SPACES
        known = {"d": _DIGITS, "w": _WORD, "s": spaces}.get(char.lower())
        if known is not None:
            return known, char.isupper()
        if char == "x":
            digits = self._until("}") if self._next("{") else self._take() + self._take()
            code = int(digits, 16)
            if code > _ALL:
                raise ValueError(f"no character {digits}")
            return ((code, code),), False
        if char in _CONTROLS:
            return ((_CONTROLS[char],) * 2,), False
        if char.isalnum():
            raise ValueError(f"a pattern has a \\{char}")
        return _one(char), False

    def _class(self) -> tuple[Ranges, bool]:
        negated = self._next("^")
        found: list[tuple[int, int]] = []
        first = True
        while first or not self._next("]"):
            if first and self._javascript and self._text[self._at : self._at + 1] == "]":
                raise ValueError("a pattern has a class of nothing")
            first = False
            item = self._class_item()
            if len(item) == 1 and self._ranges_on():
                last = self._class_item()
                if len(last) != 1 or last[0][0] < item[0][0]:
                    raise ValueError("a pattern has a range that goes backwards")
                item = ((item[0][0], last[0][0]),)
            found += item
        return tuple(found), negated

    def _ranges_on(self) -> bool:
        ahead = self._text[self._at : self._at + 2]
        return ahead[:1] == "-" and ahead[1:] not in ("]", "") and self._next("-")

    def _class_item(self) -> Ranges:
        if not self._javascript and self._next("[:"):
            negated = self._next("^")
            name = self._until(":]")
            if name not in _NAMED:
                raise ValueError(f"a pattern has a class [:{name}:]")
            return tuple(_others(_NAMED[name])) if negated else _NAMED[name]
        char = self._take()
        if char != "\\":
            return _one(char)
        char = self._take()
        if char == "b" and self._javascript:
            return ((8, 8),)
        ranges, negated = self._escaped_set(char)
        return tuple(_others(ranges)) if negated else ranges


def _one(char: str) -> Ranges:
    return ((ord(char), ord(char)),)


def _others(ranges: Ranges) -> Iterator[tuple[int, int]]:
    start = 0
    for low, high in ranges:
        if start < low:
            yield start, low - 1
        start = high + 1
    yield start, _ALL


def _split(ahead: int, out: int, lazy: bool) -> _Step:
    return _Step("split", first=out if lazy else ahead, second=ahead if lazy else out)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6
