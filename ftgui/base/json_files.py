"""JSON that others may have written or damaged: either what was expected, or a `ValueError`."""

from __future__ import annotations

import json
import math
from typing import Any


def decode_object(content: str | bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is none, or nested deeper than anything that ftgui writes.
    """
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def text(value: object) -> str:
    """A JSON value that should be text.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str):
        raise ValueError("a value that should be a text is not")
    return value


def texts(value: object) -> list[str]:
    """A JSON value that should be a list of texts.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, list):
        raise ValueError("a value that should be a list is not")
    return [text(one) for one in value]


def number(value: object, otherwise: float = math.nan) -> float:
    """A JSON value as a figure; `otherwise` if it is none, or too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    try:
        return float(value)
    except OverflowError:
        return otherwise
