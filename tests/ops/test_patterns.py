"""Regular expressions against RE2, which TensorFlow uses, and against JavaScript's rules."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.support.op_cases import case
from tests.support.op_oracle import run_tensorflow
from tfjs.ops.base import evaluate
from tfjs.ops.patterns import Pattern

_TEXTS = [
    *("", "a", "abc", "xaab abb", "aaa", "a1b22c333", "foo bar\tbaz", "line\nbreak\n", "$5.00"),
    *(
        "ABC abc",
        "x-y_z",
        "<br />text<br />",
        "äöü é",
        "日本語 text",
        "a,b;c",
        "((nested))",
        "abcabc",
    ),
]
# Pattern and replacement.
_REPLACED = [
    ("a", "-"),
    ("a*", "-"),
    ("x*", "-"),
    ("(a|ab)(c|bcd)?", r"[\1|\2]"),
    ("[^a-z ]+", ""),
    (r"\s+", "_"),
    (r"\S+?", "."),
    (r"\bb", "B"),
    (r"\Bb", "B"),
    (r"\d{2,}", r"<\0>"),
    (r"\w{2}", r"\\"),
    (r"[[:alpha:][:digit:]]+", "W"),
    (r"[[:^alpha:]]", "."),
    (r"[\d\-_]", "d"),
    (r"[]a]", "]"),
    (r"(?i)abc", "z"),
    (r"(?i:A)b", "z"),
    (r"(?s).+", "all"),
    (r".+", "line"),
    (r"(?m)^", "> "),
    (r"(?m)$", "<"),
    (r"^", "> "),
    (r"$", "<"),
    (r"\A.|.\z", "#"),
    (r"<br />", " "),
    (r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']", ""),
    (r"(?P<first>.)(?:.)", r"\1"),
    (r"a{0}b", "c"),
    (r"a{,2}", "literal"),
    (r"(a*)*", "s"),
    (r"(a*)+b", "s"),
    (r"(?:a|b|c)+?c", "t"),
    (r"\Qa.b\E|\x61|\x{62}", "q"),
    (r"[^\s\w]", ""),
    (r"\D", "n"),
    ("日|本", "x"),
    ("(b)|(c)", r"\1\2!"),
]


@pytest.mark.parametrize(("pattern", "rewrite"), _REPLACED)
@pytest.mark.parametrize("every", [True, False])
def test_texts_are_replaced_as_in_re2(
    tensorflow: ModuleType, pattern: str, rewrite: str, every: bool
) -> None:
    told = case(
        "StaticRegexReplace",
        np.array([text.encode() for text in _TEXTS], object),
        pattern=pattern.encode(),
        rewrite=rewrite.encode(),
        replace_global=every,
    )
    (ours,), (theirs,) = evaluate(told.node(), told.inputs), run_tensorflow(tensorflow, told)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize(
    "pattern", ["abc", "a|abc", "a*", "(a|ab)(c|bcd)", ".*", "[^,]*", "a+?", "", r"\w+", "^abc$"]
)
def test_whole_texts_match_as_in_re2(tensorflow: ModuleType, pattern: str) -> None:
    texts = np.array([text.encode() for text in _TEXTS], object)
    told = case("StaticRegexFullMatch", texts, pattern=pattern.encode())
    (ours,), (theirs,) = evaluate(told.node(), told.inputs), run_tensorflow(tensorflow, told)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", ")", "[a", "*a", "a**", "a{2}{3}", "(?=a)", "(?!a)", "(?<=a)", r"(a)\1", r"\p{L}"),
        *("(?", "[b-a]", "a{1001}", "a{3,2}", "[[:none:]]", "(?P<n", r"\x{110000}", "\\", "(?Z)"),
        *("((a{500}){500}){500}", "(" * 60 + ")" * 60),
    ],
)
def test_what_is_no_pattern_or_not_had_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|character|invalid literal"):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*)(.*)(.*)b"])
def test_no_pattern_takes_exponential_time(pattern: str) -> None:
    # A search of more steps than there are in 16 looks at the text by each part is refused.
    known, text = Pattern(pattern), "a" * 400
    known.begin(text)
    assert known.search(text, 0) is None


def test_searches_that_take_too_long_end() -> None:
    # Each match is followed by a look at all the rest of the text.
    text = np.array([b"a" * 3000], object)
    told = case("StaticRegexReplace", text, pattern=b"a.*b|a", rewrite=b"")
    with pytest.raises(ValueError, match="too long"):
        evaluate(told.node(), told.inputs)


@pytest.mark.parametrize(
    ("pattern", "rewrite", "text", "expected"),
    [
        # By the rules of String.prototype.replace.
        ("x*", "-", "abxd", "-a-b--d-"),
        ("(a)(b)", "$2$1$$$&$3", "xaby", "xba$ab$3y"),
        ("A", "B", "aA", "bA"),
        (r"[^]", "", "a]", None),
        (r"\s", "", "a\u00a0b\v", "ab"),
        (".", "x", "a\u2028\r\n", "x\u2028\r\n"),
    ],
)
def test_tfjs_reads_patterns_as_javascript_in_lower_case(
    pattern: str, rewrite: str, text: str, expected: str | None
) -> None:
    told = case(
        "StaticRegexReplace",
        np.array([text.encode()], object),
        pattern=pattern.encode(),
        rewrite=rewrite.encode(),
    )
    if expected is None:
        with pytest.raises(ValueError, match="pattern has a class of nothing"):
            evaluate(told.node(), told.inputs, as_tfjs=True)
        return
    (found,) = evaluate(told.node(), told.inputs, as_tfjs=True)
    assert found.tolist() == [expected.encode()]
