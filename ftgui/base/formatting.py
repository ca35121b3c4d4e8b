"""Numbers as the window, the terminal and the report write them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import date


def few(names: Sequence[str]) -> str:
    """The first three of some names: ``“ant”, “bee”, “cat” and 4 more``."""
    said = ", ".join(f"“{name}”" for name in names[:3])
    return said + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def plural(number: int, word: str) -> str:
    """``1 image``, ``2,062 images``, ``3 classes``."""
    many = word + ("es" if word.endswith("s") else "s")
    return f"{number:,} {word if number == 1 else many}"


def clock(seconds: float) -> str:
    """E.g. ``"1:05"``, ``"1:02:05"``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def percent(share: float) -> str:
    """E.g. ``"95.4 %"``; a dash for NaN."""
    return "–" if math.isnan(share) else f"{share * 100:.1f} %"


def megabytes(done: int, total: int) -> str:
    """E.g. ``"12 of 98 MB"``; small files keep a digit, or they would stand at 0."""
    digits = 0 if total >= 10e6 else 1
    return f"{done / 1e6:,.{digits}f} of {total / 1e6:,.{digits}f} MB"


def count(number: int) -> str:
    """A parameter count in three digits or so: ``928``, ``1.4 k``, ``16.0 k``, ``1.50 M``."""
    if number < 1000:
        return str(number)
    if number < 999_950:
        return f"{number / 1e3:.1f} k"
    return f"{number / 1e6:.2f} M" if number < 1e9 else f"{number / 1e9:.2f} G"


def shape(output: list[int]) -> str:
    """Of a layer's output for one image, as people say it: channels last for maps (``112×112×32``)."""
    if len(output) == 3 and output[1] == output[2]:
        output = [*output[1:], output[0]]
    return "×".join(map(str, output))


def duration(seconds: float) -> str:
    """An estimate, in two figures or so: ``0.4 s``, ``3.1 s``, ``48 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 9.95:
        return f"{max(seconds, 0.1):.1f} s" if seconds else "0 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def day(when: float, now: float | None = None) -> str:
    """Of a moment, in the past as people say it: ``today, 14:05``, ``yesterday``, ``3 days ago``, ``12 March``,
    ``12 March 2025``.

    Args:
        when: seconds since 1970.
        now: likewise; None: this moment.
    """
    then, today = date.fromtimestamp(when), date.fromtimestamp(time.time() if now is None else now)
    days = (today - then).days
    if days <= 0:
        return f"today, {time.strftime('%H:%M', time.localtime(when))}"
    if days < 7:
        return "yesterday" if days == 1 else f"{days} days ago"
    written = f"{then.day} {_MONTHS[then.month - 1]}"
    return written if then.year == today.year else f"{written} {then.year}"


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]  # not those of the system's language, in which the rest is not


def file_size(amount: int) -> str:
    """Of a file, in bytes: ``812 bytes``, ``23 kB``, ``1.4 MB``."""
    if amount < 1000:
        return plural(amount, "byte")
    return f"{amount / 1e3:.0f} kB" if amount < 999_500 else f"{amount / 1e6:,.1f} MB"


def size(amount: int) -> str:
    """Of memory, in bytes: ``640 MB``, ``1.1 GB``."""
    return f"{amount / 1e6:.0f} MB" if amount < 999_500_000 else f"{amount / 1e9:.1f} GB"
