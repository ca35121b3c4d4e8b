"""From an image file to the pixels a model sees. Training, prediction and what is exported use these functions, no others.

This module and `ftgui.data.formats` stand on Pillow and numpy alone: an exported model takes them along.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ftgui.data.formats import load_rgb

MAX_ASPECT = 4
"""Of a longer strip only the middle is kept: its ends could never be in a crop anyway, and it would fill the cache."""

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, RGB."""

_INTERPOLATION = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


@dataclass(frozen=True)
class Preprocessing:
    """How a backbone wants its images, as it was pretrained."""

    size: int
    """Side of the square crop, pixels."""
    resize: int
    """The shorter side is brought to this before the crop, pixels."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Per channel, of values in 0…1."""
    interpolation: str

    @property
    def resampling(self) -> Image.Resampling:
        return _INTERPOLATION.get(self.interpolation, Image.Resampling.BICUBIC)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def seen_area(width: int, height: int, preprocessing: Preprocessing) -> tuple[float, float, float, float]:
    """What `decode` and `center_view` leave of an upright image: left, top, right, bottom as shares of its size.

    Outside 0 to 1 where the crop is larger than the resized image, so that black is put around it.
    """
    short = min(width, height)
    side = short * preprocessing.size / preprocessing.resize
    horizontal, vertical = side / width / 2, side / height / 2
    return 0.5 - horizontal, 0.5 - vertical, 0.5 + horizontal, 0.5 + vertical


def decode(source: Path | bytes, preprocessing: Preprocessing) -> Pixels:
    """Read an image and bring its shorter side to ``preprocessing.resize``.

    Raises:
        ImageError: see `ftgui.data.formats.load_rgb`.
    """
    image = load_rgb(source, preprocessing.resize)
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if long > short * MAX_ASPECT:
        cut = (long - short * MAX_ASPECT) // 2
        box = (
            (cut, 0, cut + short * MAX_ASPECT, height) if width > height else (0, cut, width, cut + short * MAX_ASPECT)
        )
        image = image.crop(box)
        width, height = image.size
    # torchvision's Resize truncates the longer side in the same way.
    scale = preprocessing.resize
    size = (scale, int(scale * height / width)) if width <= height else (int(scale * width / height), scale)
    return np.asarray(image.resize(size, preprocessing.resampling))


def center_view(pixels: Pixels, size: int) -> Pixels:
    """The middle square of side `size`; where the image is smaller, black is put around it as torchvision does."""
    height, width = pixels.shape[:2]
    pad_y, pad_x = max(size - height, 0), max(size - width, 0)
    if pad_y or pad_x:
        rows, columns = (pad_y // 2, pad_y - pad_y // 2), (pad_x // 2, pad_x - pad_x // 2)
        pixels = np.pad(pixels, (rows, columns, (0, 0)))
        height, width = pixels.shape[:2]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[top : top + size, left : left + size]
