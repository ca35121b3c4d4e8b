"""What is wrong with classes, and with the dataset as a whole."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from ftgui.data.catalog.problem_kinds import KINDS
from ftgui.protocol.problem import Problem

MIN_IMAGES_PER_CLASS = 10
"""Fewer training images in a class are warned about."""
IMBALANCE = 10
"""How many times as large as a class the largest may be before it is said."""
_ENOUGH = 10
"""Images of a class from which its light and size are judged."""
_BRIGHTNESS_STEPS = 30.0
_BRIGHTNESS_DEVIATIONS = 1.5
"""A class stands out by this many of 255 steps, and this many standard deviations within classes."""
_SIZE_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """What the images of a class have in common that has nothing to do with what is on them."""

    count: int
    brightness: float
    """Mean, 0 to 255."""
    brightness_squared: float
    """Mean of squares."""
    side: float
    """Mean of the shorter side, pixels."""


def class_problems(counts: dict[str, Counter[str]], complete: bool, looks: dict[str, Look]) -> list[Problem]:
    """All that can be said of classes.

    Args:
        counts: class name -> split -> usable images.
        complete: the scan is over; before that, what is missing may still come.
        looks: of classes whose images were decoded.
    """
    if not complete:
        return []
    trainable = {name: splits["train"] for name, splits in counts.items() if splits["train"]}
    found = [] if len(trainable) > 1 else [_one_class(list(trainable))]
    for name, splits in counts.items():
        problem = _size_problem(name, splits)
        if problem is not None:
            found.append(problem)
    largest = max(trainable, key=lambda name: trainable[name], default="")
    for name, size in trainable.items():
        if size >= MIN_IMAGES_PER_CLASS and trainable[largest] > IMBALANCE * size:
            text = f"Class “{name}” has {size:,} training images, “{largest}” {trainable[largest]:,}."
            found.append(_warning("imbalance", text, name))
    return found + _shortcuts({name: look for name, look in looks.items() if look.count >= _ENOUGH})


def _warning(kind: str, text: str, name: str, fix: str = "") -> Problem:
    return Problem("warning", kind, text, name, fix or KINDS[kind].fix)


def _one_class(trainable: list[str]) -> Problem:
    only = f" (“{trainable[0]}”)" if trainable else ""
    return Problem(
        "error",
        "one-class",
        f"There is {'only one class' if trainable else 'no class'} to learn{only}; telling things apart takes two.",
        fix="Drop the folder above, the one that holds a folder for each class.",
    )


def _size_problem(name: str, splits: Counter[str]) -> Problem | None:
    usable = splits.total()
    more = f"Add images; {MIN_IMAGES_PER_CLASS} or more work far better."
    if not splits["train"]:
        where = " and ".join(split for split in splits if splits[split]) or "no split"
        text = (
            f"Class “{name}” has images in {where} but none to train on; they are left out."
            if usable
            else f"Class “{name}” has no usable image; it is left out."
        )
        return _warning("class-unknown", text, name, "Add training images of it.")
    if usable == 1:
        text = f"Class “{name}” has one image: it can be used for training but not for validation."
        return _warning("class-too-small", text, name, more)
    if splits["train"] < MIN_IMAGES_PER_CLASS:
        text = f"Class “{name}” has only {splits['train']} training image{'s' if splits['train'] > 1 else ''}."
        return _warning("class-too-small", text, name, more)
    return None


def _shortcuts(looks: dict[str, Look]) -> list[Problem]:
    """Classes that could be told apart without looking at what is on the pictures."""
    found: list[Problem] = []
    if len(looks) < 2:
        return found
    total = sum(look.count for look in looks.values())
    within = sum(look.count * max(look.brightness_squared - look.brightness**2, 0.0) for look in looks.values())
    deviation = math.sqrt(within / total)
    for name, look in looks.items():
        others = [other for key, other in looks.items() if key != name]
        count = sum(other.count for other in others)
        brightness = sum(other.count * other.brightness for other in others) / count
        side = sum(other.count * other.side for other in others) / count
        apart = look.brightness - brightness
        if abs(apart) > max(_BRIGHTNESS_STEPS, _BRIGHTNESS_DEVIATIONS * deviation):
            text = (
                f"Images of “{name}” are much {'brighter' if apart > 0 else 'darker'} than the others: "
                f"{look.brightness:.0f} against {brightness:.0f} of 255 on average."
            )
            found.append(_warning("class-brightness", text, name))
        if not 1 / _SIZE_RATIO <= look.side / max(side, 1.0) <= _SIZE_RATIO:
            text = f"Images of “{name}” are {look.side:,.0f} pixels on their shorter side on average, the others {side:,.0f}."
            found.append(_warning("class-size", text, name))
    # Of two classes each stands out from the other: said once.
    return found if len(looks) > 2 else _first_of_each_kind(found)


def _first_of_each_kind(problems: list[Problem]) -> list[Problem]:
    return list({problem.kind: problem for problem in reversed(problems)}.values())[::-1]
