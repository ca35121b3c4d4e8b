"""Image files as Qt's images."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps
from PySide6.QtGui import QImage

from ftgui.data.images.decoding import ImageError, load_rgb, one_image
from ftgui.data.images.intensity import IntensityRange


def load_thumbnail(source: Path | bytes, side: int, intensity: IntensityRange | None) -> QImage:
    """The middle square of an image at `side` pixels; null if it can't be decoded."""
    try:
        with one_image():
            return _to_qimage(_square(source, side, intensity))
    except ImageError:
        return QImage()


def _square(source: Path | bytes, side: int, intensity: IntensityRange | None) -> Image.Image:
    """The middle of an image; raises `ImageError`."""
    return ImageOps.fit(load_rgb(source, side, intensity), (side, side))


@one_image()
def load_picture(source: Path | bytes, longest: int, intensity: IntensityRange | None) -> QImage:
    """A whole image, at most `longest` pixels on either side; raises `ImageError`."""
    picture = load_rgb(source, longest, intensity)
    picture.thumbnail((longest, longest))
    return _to_qimage(picture)


def _to_qimage(picture: Image.Image) -> QImage:
    width, height = picture.size
    return QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
