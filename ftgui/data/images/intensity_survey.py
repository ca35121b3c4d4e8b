"""Which intensity range suits a set of images: all, or a fair sample, of those with more than 8 bits are looked at.

What was seen is kept in the catalog until other images come; what is chosen from it goes into the run and its model.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.data.images.decoding import ImageError, one_image, open_values
from ftgui.data.images.intensity import IntensityRange
from ftgui.protocol.recipe import AUTO_INTENSITY, Intensity

if TYPE_CHECKING:
    pass  # it keeps what is found here

ALWAYS_8_BITS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".bmp", ".dib", ".webp", ".heic", ".heif", ".hif", ".avif"}
    | {".avifs", ".qoi", ".ico", ".icns"}
)
"""Endings of files that are not opened for this; one with another content than its name says is found by the check."""

MOST_OPENED = 400
"""Files whose kind is looked at, spread over the set."""
MOST_DECODED = 200
MOST_PIXELS = 1_500_000_000
"""Decoded in all: some ten seconds. A number of pixels, not of seconds: a set has one range, on every computer."""
_PIXELS_KEPT = 20_000
"""Of an image."""

_RARE = 0.01
"""Percent of all pixels at either end that may be a camera's broken ones."""
_FAR = 8
"""Where the rarest pixels lie so many times as far out as all others, they do not count."""


@dataclass(frozen=True)
class IntensitySurvey:
    """What was seen of the images with more than 8 bits."""

    seen_of: str
    """`ftgui.data.catalog.reading.CatalogReader.content_identity` of the set then."""
    images: int
    """Looked at."""
    low: float
    high: float
    """Least and greatest value stored."""
    suits: IntensityRange
    """The range that shows them."""

    def words(self, used: IntensityRange | None) -> str:
        """E.g. ``"16 images of more than 8 bits examined: values 12 to 4,095; shown and trained as 0 to 4,095"``."""
        how = range_words(used) if used is not None else "the full range of their files"
        looked = f"{plural(self.images, 'image')} with more than 8 bits examined"
        return f"{looked}: values {range_words((self.low, self.high))}; shown and trained as {how}"


def range_words(range_: IntensityRange) -> str:
    """E.g. ``"0 to 4,095"``, ``"-0.69 to 0.57"``."""
    return " to ".join(f"{value:,.0f}" if value == int(value) else f"{value:.4g}" for value in range_)


def resolved(setting: Intensity, survey: IntensitySurvey | None) -> IntensityRange | None:
    """The range that a recipe's setting means for these images; None: the full range of the files' type."""
    if isinstance(setting, str):
        return survey.suits if setting == AUTO_INTENSITY and survey is not None else None
    return setting


Candidate = tuple[str, str | None]
"""Path of an image and its mode, where that is known from the check."""


def survey(root: Path, candidates: Sequence[Candidate], identity: str, job: Job) -> IntensitySurvey | None:
    """Evaluate images that may have more than 8 bits.

    Args:
        root: that paths are relative to.
        candidates: see `ftgui.data.catalog.reading.CatalogReader.deep_candidates`.
        identity: of the set.
        job: progress in images; cancelled between two.

    Returns:
        None where none has.

    Raises:
        Cancelled: through `job`.
    """
    known = [path for path, mode in candidates if mode is not None]
    unknown = [path for path, mode in candidates if mode is None and not _surely_8_bits(path)]
    chosen = _spread(known, MOST_DECODED) + _spread(unknown, MOST_OPENED)
    values: dict[str, list[npt.NDArray[np.float64]]] = {"f": [], "i": []}
    decoded = looked = 0
    for number, path in enumerate(chosen):
        job.progress(number, len(chosen))
        if looked >= MOST_DECODED or decoded >= MOST_PIXELS:
            break
        try:
            with one_image():
                seen = open_values(root / path)
                kept = None if seen is None else _some_of(seen)
        except ImageError:
            continue  # the check says what is wrong with it
        if seen is None or kept is None:
            continue
        looked += 1
        decoded += seen.size
        if kept.size:
            values["f" if seen.dtype.kind == "f" else "i"].append(kept)
    of_most = max(values.values(), key=len)
    if not of_most:
        return None
    pixels = np.concatenate(of_most)
    return IntensitySurvey(identity, looked, float(pixels.min()), float(pixels.max()), suitable_range(pixels))


def _some_of(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """A fair sample of an image's finite values, with their least and greatest; empty: there are none."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)
    if not finite.size:
        return np.empty(0, np.float64)
    step = max(1, finite.size // _PIXELS_KEPT)
    return np.concatenate([finite[::step], [finite.min(), finite.max()]]).astype(np.float64)


def _surely_8_bits(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in ALWAYS_8_BITS  # noqa: PTH122 - asked of every image


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many, evenly from first to last."""
    if len(items) <= most:
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]


def suitable_range(pixels: npt.NDArray[np.float64]) -> IntensityRange:
    """The range that pixels of a set want.

    Whole numbers from about 0 are those of a camera with 8 to 32 bits: the range is all that so many bits can say, so that
    another evening's pictures with it mean the same. Numbers of 0…1, -1…1 and 0…255 are taken for what they look like. All
    else is taken from the least to the greatest value.

    Args:
        pixels: (N,) of all images, at least one.
    """
    lowest, highest = float(pixels.min()), float(pixels.max())
    common_low, common_high = (float(value) for value in np.percentile(pixels, [_RARE, 100 - _RARE]))
    width = common_high - common_low
    low = lowest if common_high - lowest <= _FAR * width else common_low
    high = highest if highest - common_low <= _FAR * width else common_high
    if bool(np.all(pixels == np.rint(pixels))):
        if low >= 0 and high > 1 and (low <= high - low or low == high):
            bits = max(8, int(high).bit_length())
            return 0.0, float(2**bits - 1)
        low, high = math.floor(low), math.ceil(high)
    elif low >= 0 and high <= 1:
        return 0.0, 1.0
    elif low >= -1 and high <= 1:
        return -1.0, 1.0
    elif low >= 0 and 1 < high <= 255:
        return 0.0, 255.0
    return (low, high) if high > low else (low, low + 1)
