"""Seeded stratified splitting, for datasets whose folders do not say what is for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def stratified(samples: Iterable[tuple[str, str]], val_fraction: float, seed: int) -> dict[str, str]:
    """Put `val_fraction` of every class into ``val``, the rest into ``train``.

    The order within a class is that of a keyed hash of the path, so the outcome depends on the seed and on the
    class's own files only, not on the order of listing or on other classes.

    Args:
        samples: pairs (path, class name); paths are unique.
        val_fraction: share of each class, 0 to 1; rounded to images, but at least one for training, and at least
            one for validation where a class has two or more.
        seed: another seed, another split.

    Returns:
        path -> ``"train"`` or ``"val"``, for every path.
    """
    by_class: dict[str, list[str]] = {}
    for path, class_name in samples:
        by_class.setdefault(class_name, []).append(path)
    key = str(seed).encode()
    outcome: dict[str, str] = {}
    for paths in by_class.values():
        ordered = sorted(
            paths, key=lambda path: hashlib.blake2b(path.encode("utf-8", "surrogateescape"), key=key).digest()
        )
        count = len(ordered)
        val = min(max(round(count * val_fraction), 1), count - 1) if count > 1 else 0
        for position, path in enumerate(ordered):
            outcome[path] = "val" if position < val else "train"
    return outcome
