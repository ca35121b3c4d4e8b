"""Pictures of more than 8 bits a channel: their values as stored, and the range of them that becomes black to white.

A microscope's 12 bits lie in files of 16, a CT in signed numbers, a measurement in floating point: what is black and what is
white is not in the file. One **intensity range** is therefore chosen for a whole set (`ftgui.data.images.intensity_survey`),
goes with the model, and every later picture is read with it; a picture is never stretched by itself, so that a dark one stays
darker than a light one. Pictures of 8 bits are not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

IntensityRange = tuple[float, float]
"""The stored values that become 0 and 255; what lies outside is clipped."""


def checked_range(given: Any) -> IntensityRange:
    """A range as a file or a person gives it.

    Raises:
        TypeError, ValueError: it is none.
    """
    low, high = (float(value) for value in given)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"an intensity range goes from a lower to a higher number, not from {low:g} to {high:g}")
    return low, high


_TIFF_BITS, _TIFF_SAMPLE_FORMAT = 258, 339
_UNSIGNED = 1
_SWAPPED = str.maketrans({"B": "L", "L": "B", "N": "B"} if np.little_endian else {"B": "L", "L": "B", "N": "L"})


@dataclass(frozen=True)
class DeepImage:
    """A picture with more than 8 bits a channel."""

    values: npt.NDArray[Any]
    """(H, W) grey or (H, W, 3) RGB, as stored: unsigned 16 or 32 bits, signed 32 bits, or float."""
    alpha: npt.NDArray[np.uint8] | None = None
    """(H, W); None: nothing is transparent."""
    full: IntensityRange | None = None
    """What the file itself says its values can be, where that is not 16 bits."""

    def to_rgb(self, intensity: IntensityRange | None) -> Image.Image:
        """As 8-bit RGB, transparent parts on white.

        Args:
            intensity: None: the full range of the type, see `_full_range`.
        """
        used = intensity or self.full
        pixels = _full_range(self.values) if used is None else _mapped(self.values, used)
        picture = Image.fromarray(pixels).convert("RGB")
        if self.alpha is None:
            return picture
        white = Image.new("RGB", picture.size, (255, 255, 255))
        return Image.composite(picture, white, Image.fromarray(self.alpha))


def deep_mode(image: Image.Image) -> str | None:
    """What an opened image of more than 8 bits a channel has: Pillow's mode, or that with ``;16`` where Pillow reads the
    upper 8 bits. None: 8 bits. Nothing is decoded for that."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return image.mode
    return f"{image.mode};16" if _is_deep_colour(image) else None


def deep_image(image: Image.Image, reopen: Callable[[], Image.Image]) -> DeepImage | None:
    """Decode an image's values as stored.

    Args:
        image: opened; decoded by this.
        reopen: opens the same file again.

    Returns:
        None for an image of 8 bits a channel, which is left undecoded.

    Raises:
        what Pillow raises for a damaged file.
    """
    if deep_mode(image) is None:
        return None
    if _is_deep_colour(image):
        return _deep_colour(image, reopen)
    # Asked before decoding: Pillow drops what a PNG says of transparency when it is converted, and tiles when it is read.
    transparent = image.info.get("transparency")
    tags: Any = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    bits = (tags.get(_TIFF_BITS) or (16,))[0]
    unsigned = (tags.get(_TIFF_SAMPLE_FORMAT) or (_UNSIGNED,))[0] == _UNSIGNED
    full = None
    if image.mode == "I" and bits == 32 and unsigned and tags:
        values = values.view(np.uint32)  # Pillow has no mode for it: large values would be negative, and black
        full = (0.0, float(2**32 - 1))
    elif image.mode.startswith("I;16") and 8 < bits < 16:
        full = (0.0, float(2**bits - 1))
    alpha = None
    if isinstance(transparent, int):
        alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
    return DeepImage(values, alpha, full)


def _raw_mode(image: Image.Image) -> str:
    tile: Any = getattr(image, "tile", None)
    if not tile:
        return ""
    args = tile[0][3]
    found = args[0] if isinstance(args, tuple) and args else args
    return found if isinstance(found, str) else ""


def _is_deep_colour(image: Image.Image) -> bool:
    return image.mode in ("RGB", "RGBA", "LA") and image.format in ("PNG", "TIFF") and ";16" in _raw_mode(image)


def _deep_colour(image: Image.Image, reopen: Callable[[], Image.Image]) -> DeepImage:
    """Pillow keeps the upper byte of 16-bit colours; told that the bytes are the other way round, it keeps the lower one."""
    transparent = image.info.get("transparency")
    with reopen() as again:
        tiles: Any = again
        tiles.tile = [(*tile[:3], _swapped(tile[3])) for tile in tiles.tile]
        low = np.asarray(again)
    high = np.asarray(image)
    values = high.astype(np.uint16) * 256 + low
    alpha = None
    if image.mode != "RGB":
        alpha, values = high[:, :, -1], values[:, :, :-1]
    elif isinstance(transparent, tuple):
        alpha = np.where((values == transparent).all(2), 0, 255).astype(np.uint8)
    return DeepImage(values[:, :, 0] if values.shape[2] == 1 else values, alpha)


def _swapped(args: Any) -> Any:
    if isinstance(args, tuple):
        return (_swapped(args[0]), *args[1:])
    name, _, depth = args.partition(";")
    return f"{name};{depth.translate(_SWAPPED)}"


def _mapped(values: npt.NDArray[Any], intensity: IntensityRange) -> npt.NDArray[np.uint8]:
    """`intensity` to 0…255, rounded and clipped; NaN is black."""
    if values.dtype.itemsize == 2 and values.dtype.kind == "u":
        # A table takes a fraction of the time and memory of reckoning with every pixel.
        return np.take(_scaled(np.arange(2**16), intensity), values)
    return _scaled(values, intensity)


def _scaled(values: npt.NDArray[Any], intensity: IntensityRange) -> npt.NDArray[np.uint8]:
    low, high = intensity
    finite = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    return np.rint((finite - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)


def _full_range(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """As every version before intensity ranges read them, and models of that time still do: 16-bit values keep their upper
    8 bits (grey: value / 257, colour: value / 256), 32-bit ones count as 16-bit and are clipped, float ones are 0…1 if
    nothing exceeds 1, else 0…255."""
    if values.ndim == 3:
        return (values >> 8).astype(np.uint8)
    if values.dtype.kind == "f":
        known = np.nan_to_num(values.astype(np.float64))
        scale = 255.0 if not known.size or known.max() <= 1.0 else 1.0
        return (known * scale).clip(0, 255).astype(np.uint8)
    return (values.astype(np.int64) // 257).clip(0, 255).astype(np.uint8)
