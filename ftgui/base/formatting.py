"""Numbers as the window, the terminal and the report write them."""

from __future__ import annotations

from collections.abc import Sequence

from ftgui.protocol.rates import rate as rate


def few(names: Sequence[str]) -> str:
    """The first three of some names: ``“ant”, “bee”, “cat” and 4 more``."""
    said = ", ".join(f"“{name}”" for name in names[:3])
    return said + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def plural(number: int, word: str) -> str:
    """``1 image``, ``2,062 images``, ``3 classes``."""
    many = word + ("es" if word.endswith("s") else "s")
    return f"{number:,} {word if number == 1 else many}"
