"""Patterns that people write: as Python's where both understand them, and never slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftgui.base.patterns import PatternError, compile_pattern

USUAL = [
    r"(patient\d+)_",
    r"^([^_]+)_",
    r"(\w+?)[\s._-]*\d+",
    r"[\w-]+",
    r"[^\d]+",
    r"(?i)case(\d{2,4})",
    r"(?P<plate>P\d)/(\d)",
    r"[]x]",
    r"[^]]+",
    r"\[(\d)\]",
    r"(a)|b",
]


@pytest.mark.parametrize("pattern", USUAL)
@pytest.mark.parametrize("text", ["patient12_3", "Käfer_007", "x-y_1", "CASE123", "P1/2", "[4]", "b", "", "٣ птица"])
def test_what_both_understand_means_the_same(pattern: str, text: str) -> None:
    ours, theirs = compile_pattern(pattern), re.compile(pattern)
    for found, match in ((ours.find(text), theirs.search(text)), (ours.match_all(text), theirs.fullmatch(text))):
        expected = None if match is None else (match[1] or "") if theirs.groups else match[0]
        assert found == expected


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", ".*.*.*.*.*.*.*x", "(a?){40}a{40}$"])
@pytest.mark.timeout(60)  # Python's own would need longer than the world is old
def test_none_hangs(pattern: str) -> None:
    for _ in range(20):
        assert compile_pattern(pattern).find("a" * 5000 + "!") in (None, "")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "missing"),
        ("[", "missing"),
        ("a{2,1}", "repetition"),
        ("a{1001}", "repetition"),
        ("a{99999999999}", "counts beyond 1,000"),
        ("x" * 1001, "may have 1,000 characters, not 1,001"),
        (r"(?=a)b", "looking ahead or behind and referring back are not supported"),
        (r"(a)\1", "referring back are not supported"),
    ],
)
def test_what_can_not_be_used_is_a_sentence(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=re.escape(why)) as caught:
        compile_pattern(pattern)
    assert str(caught.value).endswith(".")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_pattern_or_a_sentence(pattern: str, text: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        assert str(error).endswith(".")
        return
    assert compiled.find(text) is None or isinstance(compiled.find(text), str)


def test_names_that_are_no_text_are_looked_at_all_the_same() -> None:
    assert compile_pattern(r"(a\d)").find("\udcff a1") == "a1"
