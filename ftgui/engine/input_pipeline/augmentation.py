"""How training images are varied: drawn per (seed, image, view), so that a view is the same whenever it is asked for.

Nothing here keeps a random state. That is what lets views be cached, runs go on after a crash bit for bit, and threads
work in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from ftgui.data.images.preprocessing import Pixels


@dataclass(frozen=True)
class Strength:
    """One preset in numbers."""

    scale: tuple[float, float]
    """Share of the image's area that a random crop keeps. ImageNet training uses 0.08 upwards; with few images of one
    kind such small crops often miss what the picture is of."""
    ratio: tuple[float, float]
    """Width to height of the crop, before it is stretched to a square."""
    color: float = 0.0
    """Brightness, contrast and saturation are each multiplied by a factor of up to 1 ± this."""


PRESETS = {
    "light": Strength(scale=(0.7, 1.0), ratio=(0.9, 1.1)),
    "standard": Strength(scale=(0.35, 1.0), ratio=(3 / 4, 4 / 3)),
    "strong": Strength(scale=(0.2, 1.0), ratio=(3 / 4, 4 / 3), color=0.35),
}

_TRIES = 10


@dataclass(frozen=True)
class View:
    """What is done to one image once."""

    box: tuple[float, float, float, float]
    """Left, top, width, height of the crop, as shares of the image's width and height."""
    flip: bool
    color: tuple[float, float, float]
    """Factors of brightness, contrast, saturation; 1 = as it is."""


def draw(preset: str, size: tuple[int, int], seed: int, image: int, number: int) -> View:
    """The view with this number of an image.

    Args:
        preset: a key of `PRESETS`.
        size: width and height of the image; only their ratio matters.
        seed: the run's.
        image: its index in the sample list.
        number: from 0; an epoch, or the place in the cache.
    """
    strength = PRESETS[preset]
    # Philox is counter-based: a key gives an independent stream at once, with nothing to warm up (Salmon et al. 2011).
    random = np.random.Generator(np.random.Philox(key=[seed, (image << 24) | number]))
    box = _crop(random, strength, size[0] / size[1])
    flip = bool(random.random() < 0.5)
    spread = strength.color
    brightness, contrast, saturation = random.uniform(1 - spread, 1 + spread, 3).tolist()
    return View(box, flip, (brightness, contrast, saturation))


def _crop(random: np.random.Generator, strength: Strength, aspect: float) -> tuple[float, float, float, float]:
    """A random box of some area and shape that lies in the image (Szegedy et al. 2015, arXiv 1409.4842, section 6)."""
    low, high = (math.log(bound) for bound in strength.ratio)
    for _ in range(_TRIES):
        area = random.uniform(*strength.scale)
        ratio = math.exp(random.uniform(low, high))
        width, height = math.sqrt(area * ratio / aspect), math.sqrt(area / ratio * aspect)
        if width <= 1 and height <= 1:
            return random.uniform(0, 1 - width), random.uniform(0, 1 - height), width, height
    # Very long or very tall: the largest box of an allowed shape in the middle.
    ratio = min(max(aspect, strength.ratio[0]), strength.ratio[1])
    width, height = min(1.0, ratio / aspect), min(1.0, aspect / ratio)
    return (1 - width) / 2, (1 - height) / 2, width, height


def apply(pixels: Pixels, view: View, size: int) -> Pixels:
    """Cut, stretch, flip and colour.

    Pillow does it in one pass and without the interpreter lock; torch's own resize would start its threads in every
    one of ours.

    Args:
        pixels: (H, W, 3) uint8.
        view: what to do.
        size: side of the result.

    Returns:
        (size, size, 3) uint8.
    """
    height, width = pixels.shape[:2]
    left, top = view.box[0] * width, view.box[1] * height
    box = (left, top, min(left + view.box[2] * width, width), min(top + view.box[3] * height, height))
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box=box)
    if view.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for enhance, factor in zip(enhancers, view.color, strict=True):
        if factor != 1:
            image = enhance(image).enhance(factor)
    return np.asarray(image)
