"""What can be held by machine of the words a person reads: one spelling of each sign, and no word that was given up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
READ = [*sorted((ROOT / "ftgui").rglob("*.py")), ROOT / "packaging" / "start.py"]

GIVEN_UP = (
    "take away",
    "falloff",
    "the rate test",
    "judged by",
    "looked through",
    "by heart",
    "anew",
    "no image file but",
)
"""From before the field's words were taken: not to come back on the screen."""


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is no docstring; placeholders of f-strings left out."""
    tree = ast.parse(source)
    documentation = {
        id(statement.value)
        for node in ast.walk(tree)
        for statement in (getattr(node, "body", None) if isinstance(getattr(node, "body", None), list) else []) or []
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
        if is_text:
            yield node.lineno, node.value


def found(pattern: str, source: str) -> list[int]:
    return [line for line, text in literals(source) if re.search(pattern, text)]


PATTERNS = {
    "three dots for an ellipsis": r"\w ?\.\.\.(?![\w/.])",
    "a typographic apostrophe beside the straight one": "\N{RIGHT SINGLE QUOTATION MARK}",
    "straight quotes around a name": r'(?<![=\\\[(,:"])\s"[A-Z][a-z]+"[ .,]',
    "a word that was given up": "|".join(rf"\b{re.escape(word)}\b" for word in GIVEN_UP),
}
NOT_READ = {
    "ftgui/engine/export/training_script.py",
    "ftgui/engine/export/standalone_code.py",
    "ftgui/data/catalog/schema.py",
    "ftgui/base/typed_numbers.py",
    "ftgui/protocol/recipe_file.py",
}
"""Hold program text, the signs that people part thousands with, and the old name of a recipe's field."""


@pytest.mark.parametrize("what", PATTERNS)
def test_every_sentence_keeps_to_it(what: str) -> None:
    bad = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in READ
        if path.relative_to(ROOT).as_posix() not in NOT_READ
        for line in found(PATTERNS[what], path.read_text(encoding="utf-8"))
    ]
    assert bad == [], what


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("three dots for an ellipsis", "Loading ..."),
        ("three dots for an ellipsis", "Open folder..."),
        ("three dots for an ellipsis", "Wait..."),
        ("three dots for an ellipsis", "(7 more...)"),
        ("a typographic apostrophe beside the straight one", "it can\N{RIGHT SINGLE QUOTATION MARK}t be read"),
        ("straight quotes around a name", 'The class "Bees" is gone'),
        ("a word that was given up", "Scan the folder anew"),
    ],
)
def test_and_what_does_not_is_found(what: str, text: str) -> None:
    assert found(PATTERNS[what], f"say({text!r})\nsay(f'{{x}} ' {text!r})") != []
    assert found(PATTERNS[what], f'"""{text.replace(chr(34), chr(39))}"""\n') == [], "documentation is another matter"
