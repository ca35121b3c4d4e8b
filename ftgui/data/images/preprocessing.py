"""From an image file to the pixels a model sees. Training, prediction and what is exported use these functions, no others.

This module and `ftgui.data.images.decoding` stand on Pillow and numpy alone: an exported model takes them along.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ftgui.data.images.decoding import load_rgb, one_image
from ftgui.data.images.intensity import IntensityRange, checked_range

CROP_MODES = ("center", "squash", "border")

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
    crop_mode: str = "center"
    """timm's: ``"center"`` resizes the shorter side and takes the middle; ``"squash"`` resizes both sides to `resize`,
    whatever the picture's shape; ``"border"`` resizes the longer side and puts the mean colour around the picture."""
    intensity: IntensityRange | None = None
    """Stored values that become black and white in images of more than 8 bits; None: the full range of the file's type."""

    @property
    def resampling(self) -> Image.Resampling:
        return _INTERPOLATION.get(self.interpolation, Image.Resampling.BICUBIC)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> Preprocessing:
        """What `as_dict` gave, perhaps through JSON and from an earlier version.

        Raises:
            ValueError: it is something else; what.
        """
        try:
            known = {field.name: plain[field.name] for field in fields(Preprocessing) if field.name in plain}
            intensity = known.get("intensity")
            mean, std = (tuple(float(value) for value in known[name]) for name in ("mean", "std"))
            made = Preprocessing(
                **known
                | {"size": int(known["size"]), "resize": int(known["resize"]), "mean": mean, "std": std}
                | {"intensity": None if intensity is None else checked_range(intensity)}
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"its preprocessing can't be understood ({type(error).__name__}: {error})") from error
        if made.size < 1 or made.resize < 1 or made.crop_mode not in CROP_MODES or len(mean) != 3 or len(std) != 3:
            raise ValueError("its preprocessing describes an input that no image can be turned into")
        return made


def seen_area(width: int, height: int, preprocessing: Preprocessing) -> tuple[float, float, float, float]:
    """What `decode` and `center_view` leave of an upright image: left, top, right, bottom as shares of its size.

    Outside 0 to 1 where the crop is larger than the resized image, so that black is put around it.
    """
    if preprocessing.crop_mode == "squash":
        half = preprocessing.size / preprocessing.resize / 2
        return 0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half
    whole = max(width, height) if preprocessing.crop_mode == "border" else min(width, height)
    side = whole * preprocessing.size / preprocessing.resize
    horizontal, vertical = side / width / 2, side / height / 2
    return 0.5 - horizontal, 0.5 - vertical, 0.5 + horizontal, 0.5 + vertical


@one_image()
def decode(source: Path | bytes, preprocessing: Preprocessing) -> Pixels:
    """Read an image and bring its shorter side to ``preprocessing.resize``, or as its crop mode says.

    Raises:
        ImageError: as `ftgui.data.images.decoding.load_rgb`.
    """
    image = load_rgb(source, preprocessing.resize, preprocessing.intensity)
    if preprocessing.crop_mode == "squash":
        return np.asarray(image.resize((preprocessing.resize, preprocessing.resize), preprocessing.resampling))
    if preprocessing.crop_mode == "border":
        return _bordered(image, preprocessing)
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


def _bordered(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """The whole picture with the mean colour around it, as timm's ``ResizeKeepRatio(longest=1)`` and ``CenterCropOrPad``."""
    ratio = preprocessing.resize / max(image.size)
    width, height = (max(1, round(side * ratio)) for side in image.size)
    pixels = np.asarray(image.resize((width, height), preprocessing.resampling))
    wide, high = max(width, preprocessing.size), max(height, preprocessing.size)
    canvas = np.empty((high, wide, 3), np.uint8)
    canvas[:] = [round(255 * value) for value in preprocessing.mean]
    top, left = (high - height) // 2, (wide - width) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas


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
