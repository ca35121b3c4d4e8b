"""Patterns that people write: regular expressions whose time grows with the text and with nothing else.

Python's own need exponential time for some, e.g. ``(a+)+$``, hold the interpreter lock meanwhile and can't be interrupted: one
typed into a field stopped the window for good. RE2 (https://github.com/google/re2) has no such patterns, and therefore none
that look ahead or refer back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_MOST_LENGTH = 1000
"""Characters of a pattern."""

_UNICODE = {"w": r"\pL\pM\pN_", "d": r"\p{Nd}"}
"""RE2's own ``\\w`` and ``\\d`` are those of ASCII; names of files and classes are not."""


class PatternError(ValueError):
    """A pattern can't be used; the text is a sentence that says why."""


class Pattern:
    """A compiled pattern; see `compile_pattern`."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def find(self, text: str) -> str | None:
        """What it matches first in a text: its first group, or all of the match if it has none. None: nothing."""
        return self._found(self._compiled.search(_valid(text)))

    def match_all(self, text: str) -> str | None:
        """The same where it matches the whole text."""
        return self._found(self._compiled.fullmatch(_valid(text)))

    def _found(self, match: Any) -> str | None:
        if match is None:
            return None
        return match[1] or "" if self._compiled.groups else match[0]


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Pattern:
    """A pattern to look for.

    Raises:
        PatternError: it is not a regular expression, too long, or one that only slower engines understand.
    """
    import re2  # not at the start of the window, which rarely needs it

    if len(pattern) > _MOST_LENGTH:
        raise PatternError(f"A pattern may have {_MOST_LENGTH:,} characters, not {len(pattern):,}.")
    if re.search(r"(?<!\\)\{\d*,?\d{5,}", pattern):  # RE2 would look for the braces themselves
        raise PatternError(f"“{pattern}” is not a regular expression that can be used: it counts beyond 1,000.")
    options = re2.Options()
    options.log_errors = False
    try:
        return Pattern(re2.compile(_valid(_with_unicode(pattern)), options))
    except re2.error as error:
        said = error.args[0] if error.args else error
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        if re.search(r"\(\?<?[=!]|\\[1-9]|\(\?P=", pattern):
            why += "; looking ahead or behind and referring back are not supported"
        raise PatternError(f"“{pattern}” is not a regular expression that can be used: {why}.") from error


def _with_unicode(pattern: str) -> str:
    r"""The same pattern with ``\w`` and ``\d`` for letters and digits of all scripts."""
    parts: list[str] = []
    in_class = False
    at = 0
    while at < len(pattern):
        char, following = pattern[at], pattern[at + 1 : at + 2]
        if char == "\\" and following:
            all_scripts = _UNICODE.get(following)
            if all_scripts is None:
                parts.append(char + following)
            else:
                parts.append(all_scripts if in_class else f"[{all_scripts}]")
            at += 2
            continue
        if char == "[" and not in_class:
            in_class = True
            # A bracket that comes first in a class is one of its characters.
            first = re.match(r"\[\^?\]?", pattern[at:])
            assert first is not None
            parts.append(first[0])
            at += len(first[0])
            continue
        if char == "]":
            in_class = False
        parts.append(char)
        at += 1
    return "".join(parts)


def _valid(text: str) -> str:
    """Text that can be written as UTF-8, which names on a disk need not be."""
    return text.encode("utf-8", "replace").decode("utf-8")
