"""A recipe's text as people write it: what is wrong with it said in a sentence, with the way to put it right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

MOST = 2**63 - 1
"""No whole number of a recipe may be larger: messages and files hold 64 bits."""

_WINDOWS_PATH = re.compile(r'^\s*(?P<field>\w+)\s*=\s*"(?P<path>(?:[A-Za-z]:\\|\\\\)[^"\n]*)"', re.MULTILINE)


class UnreadableText(ValueError):
    """No recipe can be made of a text or of a value in it; the message is a sentence."""


def parse(text: str) -> dict[str, Any]:
    """TOML text as plain values; the mark that Notepad and PowerShell put first is taken off.

    Raises:
        UnreadableText: it is no TOML, or says something else than whoever wrote it meant.
    """
    text = text.removeprefix("\ufeff")
    for found in _WINDOWS_PATH.finditer(text):
        if "\\" in found["path"].replace("\\\\", ""):
            path = found["path"]
            raise UnreadableText(
                f"{found['field']}: between double quotes, \\ starts an escape sequence (\\t is a tab). Write "
                f"\"{path.replace(chr(92), '/')}\", or put the path between single quotes: '{path}'."
            )
    try:
        plain: Any = msgspec.toml.decode(text)
    except RecursionError as error:
        raise UnreadableText("This is not a recipe: values are nested too deeply.") from error
    except (msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise UnreadableText(f"This is not a recipe: {error}") from error
    _check(plain, "")
    return dict(plain)


def _check(value: Any, field: str) -> None:
    """What is valid TOML but can't be kept or passed on."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _check(inner, f"{field}.{key}" if field else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check(inner, f"{field}.{number}")
    elif isinstance(value, int) and not -MOST <= value <= MOST:
        raise UnreadableText(f"{field} is {value}, which is too large; whole numbers go up to {MOST:,}.")
    elif isinstance(value, str) and "\0" in value:
        raise UnreadableText(f"{field} contains a zero byte, which no name can have.")


def whole_path(base: Path, written: str, field: str) -> str:
    """A path as a recipe has it, from the recipe's own folder; ``~`` is the user's home.

    Raises:
        UnreadableText: it names a user that this computer does not know.
    """
    try:
        return str(base / Path(written).expanduser())
    except RuntimeError as error:
        user = Path(written).parts[0]
        raise UnreadableText(
            f"{field}: {user} stands for the home folder of a user that this computer does not know. Write the full path."
        ) from error
