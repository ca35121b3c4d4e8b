"""Numbers as the window, the terminal and the report write them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def few(names: Sequence[str]) -> str:
    """The first three of some names: ``“ant”, “bee”, “cat” and 4 more``."""
    said = ", ".join(f"“{name}”" for name in names[:3])
    return said + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def rate(lr: float) -> str:
    """A learning rate: ``1e-3``, ``3.2e-4``."""
    if lr <= 0 or not math.isfinite(lr):
        return f"{lr:g}"
    exponent = math.floor(math.log10(lr) + 1e-9)
    mantissa = lr / 10**exponent
    return f"{mantissa:.4g}e{exponent}"


def plural(number: int, word: str) -> str:
    """``1 image``, ``2,062 images``, ``3 classes``."""
    many = word + ("es" if word.endswith("s") else "s")
    return f"{number:,} {word if number == 1 else many}"
