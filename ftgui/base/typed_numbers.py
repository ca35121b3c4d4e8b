"""Numbers as people type and paste them, in any country's writing; and as the program writes them into a field.

A point and a comma are both understood as what they can only be. Where a text can be read as two numbers, it is refused: a
wrong number that looks like the right one would be learned with and saved.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal

_MINUS = "-−‐‑‒–﹣－"
_PLUS = "+＋﹢"
_POINT, _COMMA = ".．", ",，،"
_DECIMAL_ONLY = "٫"
_GROUPS_ONLY = " \u00a0\u2007\u2008\u2009\u202f'’ʼ＇٬⹁"
"""Spaces of all widths, Swiss apostrophes, the Arabic and the Adlam thousands separator: they part thousands and nothing else."""
_UNSEEN = dict.fromkeys(map(ord, "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2068\u2069\ufeff"))
"""Marks of writing direction, which some locales put before a minus sign, and other signs of no width."""

_PLAIN = {
    **dict.fromkeys(map(ord, _MINUS), "-"),
    **dict.fromkeys(map(ord, _PLUS), "+"),
    **dict.fromkeys(map(ord, _POINT), "."),
    **dict.fromkeys(map(ord, _COMMA), ","),
    **dict.fromkeys(map(ord, _GROUPS_ONLY), "_"),
    ord(_DECIMAL_ONLY): ";",
    ord(";"): "?",
    ord("_"): "?",
    **_UNSEEN,
}
"""To one sign for each meaning: ``_`` only groups, ``;`` is only a decimal separator, ``.`` and ``,`` may be either."""

_FORM = re.compile(
    r"(?P<sign>[-+]?)(?P<digits>(?:[0-9]+(?:[.,_;][0-9]+)*[.,;]?|[.,;][0-9]+))(?:(?:[eEеЕ]|[×·]10\^)(?P<power>[-+]?[0-9]+))?"
)
"""The Ukrainian keyboard's E is a Cyrillic one; Scandinavia and Iran write ×10^."""
_SEPARATOR = re.compile(r"[.,_;]")
_MOST_POWER = 400
"""Beyond the numbers that a computer's floating point holds; a larger power would only take time to compute."""
_MOST_QUOTED = 30
"""Signs of a text that a sentence repeats: somebody may have pasted a page."""


class NotUnderstood(ValueError):
    """A text is not a number, or could be two; the message is a sentence that says which and what to write."""


def read_number(text: str) -> float:
    """The number that a text can only mean.

    A single point or comma with three digits behind it and one to three before (``1.500``) is one and a half in one country
    and fifteen hundred in another, so it is refused. An exponent settles it (``1.500e3``): what has one is not grouped.

    Raises:
        NotUnderstood: it is not a number, beyond those a computer holds, or could be two.
    """
    sign, digits, power = _taken_apart(text)
    separators = _SEPARATOR.findall(digits)
    if not power and len(separators) == 1 and separators[0] in ".," and _grouped(digits, separators[0]):
        readings = [
            write_number(float(sign + mantissa))
            for mantissa in (digits.replace(separators[0], "."), digits.replace(separators[0], ""))
        ]
        raise NotUnderstood(f"{_quoted(text)} can mean {readings[0]} or {readings[1]}: write one of these.")
    return float(_value(text, sign + _mantissa(text, digits, separators), power))


def read_whole(text: str) -> int:
    """The whole number that a text can only mean.

    Where only whole numbers make sense nobody writes decimals, so a separator can only part thousands: ``4,096`` and ``4.096``
    are both 4096, and ``8.0`` is refused.

    Raises:
        NotUnderstood: it is not a whole number.
    """
    sign, digits, power = _taken_apart(text)
    separators = _SEPARATOR.findall(digits)
    mantissa = digits
    if power:
        mantissa = _mantissa(text, digits, separators)
    elif separators and ";" not in separators and _grouped(digits, separators[0]):
        mantissa = digits.replace(separators[0], "")
    elif separators:
        raise NotUnderstood(_no_whole(text))
    value = _value(text, sign + mantissa, power)
    if value != value.to_integral_value():
        raise NotUnderstood(_no_whole(text))
    return int(value)


def write_number(value: float, least_decimals: int = 0) -> str:
    """A number with a point and all the decimals it has, such that `read_number` gives it back in every country: ``0.05``,
    ``1.2340`` (for ``1.234`` could be read as a thousand), ``1e-9``.

    Args:
        least_decimals: with zeros, if it has fewer.
    """
    if not math.isfinite(value):
        return str(value)
    exact = Decimal(str(value)).normalize()
    if exact and not -7 <= exact.adjusted() < 16:
        return write_power(value)
    whole, _, decimals = f"{exact:f}".partition(".")
    decimals = decimals.ljust(least_decimals, "0")
    text = f"{whole}.{decimals}" if decimals else whole
    return f"{text}0" if _grouped(text.lstrip("-"), ".") else text


def write_power(value: float) -> str:
    """A number in powers of ten with all the digits it has: ``1e-3``, ``3.25e-4``. `read_number` gives it back."""
    exact = Decimal(str(value)).normalize()
    if not exact.is_finite() or not exact:
        return f"{value:g}"
    power = exact.adjusted()
    return f"{exact.scaleb(-power):f}e{power}"


def without_percent(text: str) -> str:
    """A text without the sign for per cent behind it."""
    return text.translate(_UNSEEN).strip().rstrip("%٪").strip()


def times(value: float, factor: float) -> float:
    """A product as people compute it, in tenths: 0.07 times 100 is 7, not 7.000000000000001."""
    return float(Decimal(str(value)) * Decimal(str(factor)))


def divided(value: float, by: float) -> float:
    """What `times` takes back."""
    return float(Decimal(str(value)) / Decimal(str(by)))


def plus(value: float, more: float) -> float:
    """A sum as people compute it: 0.1 and 0.2 are 0.3."""
    return float(Decimal(str(value)) + Decimal(str(more)))


def _taken_apart(text: str) -> tuple[str, str, str]:
    """Sign, digits with separators, power of ten.

    Raises:
        NotUnderstood: no number is made up like this.
    """
    plain = text.translate(_UNSEEN).strip().translate(_PLAIN)
    plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in plain)
    found = _FORM.fullmatch(plain)
    if found is None:
        said = f"{_quoted(text)} is not a number" if text.strip() else "There is no number here"
        raise NotUnderstood(f"{said}: write digits, e.g. 0.05 or 12.")
    return found["sign"], found["digits"], found["power"] or ""


def _grouped(digits: str, separator: str) -> bool:
    """Whether a separator parts thousands properly, as in Europe (1.234.567) or India (12,34,567)."""
    first, *groups = digits.split(separator)
    if not groups or not 1 <= len(first) <= 3 or first.startswith("0"):
        return False
    if not all(group.isdecimal() for group in groups) or len(groups[-1]) != 3:
        return False
    sizes = {len(group) for group in groups[:-1]}
    return sizes <= {3} or (sizes == {2} and len(first) <= 2)


def _mantissa(text: str, digits: str, separators: list[str]) -> str:
    """The digits as Python writes them, with separators that say what they are.

    Raises:
        NotUnderstood: they stand where no country puts them.
    """
    last = separators[-1] if separators else ""
    before, after = digits, ""
    if last and last != "_" and separators.count(last) == 1:
        before, _, after = digits.rpartition(last)
        separators = separators[:-1]
    if separators:
        if ";" in separators or not _grouped(before, separators[0]):
            raise NotUnderstood(f"{_quoted(text)} is not a number: its separators are in the wrong places.")
        before = before.replace(separators[0], "")
    return f"{before or '0'}.{after or '0'}"


def _value(text: str, mantissa: str, power: str) -> Decimal:
    """Exactly.

    Raises:
        NotUnderstood: it would become infinite, or 0 though it is not.
    """
    if len(power.lstrip("+-0")) <= 3 and abs(int(power or "0")) <= _MOST_POWER:
        exact = Decimal(f"{mantissa}e{power or 0}")
        if math.isfinite(float(exact)) and bool(float(exact)) == bool(exact):
            return exact if exact else Decimal(0)
    raise NotUnderstood(f"{_quoted(text)} is outside the range that can be used here.")


def _no_whole(text: str) -> str:
    return f"{_quoted(text)} is not a whole number: write one without decimals, e.g. 12."


def _quoted(text: str) -> str:
    text = text.strip()
    return f"“{text[:_MOST_QUOTED]}…”" if len(text) > _MOST_QUOTED else f"“{text}”"
