"""Who is for training, validation and test, where the folders do not say: seeded, stratified, stable, whole groups."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from ftgui.base.patterns import compile_pattern
from ftgui.data.scanning.names import split_name
from ftgui.protocol.recipe import why_no_pattern

HELD_OUT = ("val", "test")
BY_FOLDER = "folder"
"""Groups are the innermost folders below the class folders."""


class SplitError(Exception):
    """Nothing can be drawn; the text says why."""


@dataclass(frozen=True, slots=True)
class Splitting:
    """How to split. Kept with the outcome: the same again changes nothing."""

    val: float = 0.2
    """Share of each class, above 0 and below 1."""
    test: float = 0.0
    """Likewise; 0: no test images but those the folders name."""
    seed: int = 0
    group_by: str = ""
    """Empty: every image for itself; `BY_FOLDER`; or a regular expression on the path, of which the first group in
    parentheses (or else all that it matches) names what is in the picture: pictures of one thing stay together."""

    @property
    def shares(self) -> dict[str, float]:
        return {"val": self.val, "test": self.test}

    def why_not(self) -> str:
        """Why nothing can be drawn by it, in a sentence; empty: it can. Recipes are edited by hand too."""
        for split, share in self.shares.items():
            if not 0 <= share < 1:  # nor is not-a-number
                return f"The share of {split} images must be at least 0 and below 1, not {share:g}."
        return why_no_pattern(self.group_by)


class Member(NamedTuple):
    """One image, as splitting sees it."""

    path: str
    class_name: str
    split: str = ""
    """What it is already, and stays; empty: to be decided."""


def assign(members: Iterable[Member], splitting: Splitting, shares: dict[str, float] | None = None) -> dict[str, str]:
    """Decide for those that are undecided.

    Within a class the order is that of a keyed hash of the path, so the outcome depends on the seed and on the class's own
    files only, not on the order of listing or on other classes. What is decided already counts: new images fill up what
    is missing, and nobody moves.

    Args:
        members: all images of the classes; paths are unique.
        splitting: seed and groups, and the shares if none are given.
        shares: ``"val"`` and ``"test"`` -> share of each class; a split without a share gets nothing.

    Returns:
        path -> ``"train"``, ``"val"`` or ``"test"``, for the undecided. Each class's shares are rounded to images, but
        at least one is left for training, and one for validation where a class has two or more.

    Raises:
        SplitError: nothing can be drawn by this `splitting`.
    """
    if why := splitting.why_not():
        raise SplitError(why)
    shares = splitting.shares if shares is None else shares
    key = str(splitting.seed).encode()
    if splitting.group_by:
        return _assign_groups(list(members), splitting.group_by, shares, key)
    by_class: dict[str, list[Member]] = {}
    for member in members:
        by_class.setdefault(member.class_name, []).append(member)
    outcome: dict[str, str] = {}
    for own in by_class.values():
        had = Counter(member.split for member in own)
        wanted = targets(len(own), shares)
        waiting = sorted((member.path for member in own if not member.split), key=lambda path: _place(path, key))
        position = 0
        for split in HELD_OUT:
            # Those already decided may leave nothing to learn from: the first new one is for training then.
            room = len(waiting) - position - (had["train"] == 0)
            count = max(min(wanted[split] - had[split], room), 0)
            outcome |= dict.fromkeys(waiting[position : position + count], split)
            position += count
        outcome |= dict.fromkeys(waiting[position:], "train")
    return outcome


def targets(count: int, shares: dict[str, float]) -> dict[str, int]:
    """How many of a class with `count` images go where: val, test, and the rest train."""
    val, test = shares.get("val", 0.0), shares.get("test", 0.0)
    for_val = min(max(round(count * val), 1), count - 1) if val and count > 1 else 0
    for_test = min(max(round(count * test), 1), count - for_val - 1) if test and count > 2 else 0
    return {"val": for_val, "test": for_test, "train": count - for_val - for_test}


def _place(path: str, key: bytes) -> bytes:
    return hashlib.blake2b(path.encode("utf-8", "surrogateescape"), key=key, digest_size=16).digest()


def group_of(path: str, group_by: str) -> str:
    """What is in the picture, as its path tells; the path itself where it tells nothing.

    Args:
        path: of the image.
        group_by: as in a `Splitting` that can be used.
    """
    if group_by == BY_FOLDER:
        parts = PurePosixPath(path).parts
        # class/thing/image.jpg or train/class/thing/image.jpg: the folder of a class itself is no group.
        return parts[-2] if len(parts) > 2 + bool(split_name(parts[0]).split) else path
    return compile_pattern(group_by).find(path) or path


def _assign_groups(members: list[Member], group_by: str, shares: dict[str, float], key: bytes) -> dict[str, str]:
    """Whole groups, in the order of their hashes, each to where its classes miss most in relation to what they should have."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(group_of(member.path, group_by), []).append(member)
    sizes = Counter(member.class_name for member in members)
    goal = {name: targets(size, shares) for name, size in sizes.items()}
    have = {name: Counter[str]() for name in sizes}
    for member in members:
        if member.split:
            have[member.class_name][member.split] += 1
    outcome: dict[str, str] = {}
    for _, group in sorted(groups.items(), key=lambda pair: _place(pair[0], key)):
        waiting = [member for member in group if not member.split]
        if not waiting:
            continue
        decided = Counter(member.split for member in group if member.split)
        split = decided.most_common(1)[0][0] if decided else _neediest(waiting, goal, have)
        for member in waiting:
            outcome[member.path] = split
            have[member.class_name][split] += 1
    return outcome


def _neediest(group: list[Member], goal: dict[str, dict[str, int]], have: dict[str, Counter[str]]) -> str:
    classes = Counter(member.class_name for member in group)
    if any(not have[name]["train"] for name in classes):
        return "train"  # first of all, something to learn each class from

    def need(split: str) -> float:
        # Overshooting a small split hurts more than leaving it short, so what does not fit counts against it.
        score = 0.0
        for name, count in classes.items():
            wanted = goal[name][split]
            if wanted:
                score += count * (wanted - have[name][split] - count / 2) / wanted
            else:
                score -= count
        return score

    return max(("train", *HELD_OUT), key=need)
