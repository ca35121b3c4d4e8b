"""Numbers and durations as the window writes them."""

from __future__ import annotations

import math


def count(number: int) -> str:
    """A parameter count in three digits or so: ``928``, ``1.4 k``, ``16.0 k``, ``1.50 M``."""
    if number < 1000:
        return str(number)
    if number < 999_950:
        return f"{number / 1e3:.1f} k"
    return f"{number / 1e6:.2f} M" if number < 1e9 else f"{number / 1e9:.2f} G"


def rate(lr: float) -> str:
    """A learning rate: ``1e-3``, ``3.2e-4``."""
    if lr <= 0 or not math.isfinite(lr):
        return f"{lr:g}"
    exponent = math.floor(math.log10(lr) + 1e-9)
    mantissa = lr / 10**exponent
    return f"{mantissa:.4g}e{exponent}"


def shape(output: list[int]) -> str:
    """Of a layer's output for one image, as people say it: channels last for maps (``112×112×32``)."""
    if len(output) == 3 and output[1] == output[2]:
        output = [*output[1:], output[0]]
    return "×".join(map(str, output))


def plural(number: int, word: str) -> str:
    """``1 image``, ``2,062 images``, ``3 classes``."""
    many = word + ("es" if word.endswith("s") else "s")
    return f"{number:,} {word if number == 1 else many}"
