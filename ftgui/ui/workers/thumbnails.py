"""Small pictures for lists, decoded in bounded threads, kept while memory allows."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from PIL import ImageOps
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from ftgui.data.formats import ImageError, load_rgb

KEPT_BYTES = 200_000_000
"""Thumbnails in memory; at 156 pixels 2,000 of them, on a screen of twice the density 500."""


class Thumbnails(QObject):
    """Asked for a thumbnail, answers at once or later with `arrived`.

    Decoding goes through `ftgui.data.formats.load_rgb`, as training's does: what is shown is what is learned from,
    in orientation and in colours.

    Args:
        side: of the square thumbnails, device pixels.
        parent: owner.
    """

    arrived = Signal(str)
    """The path whose thumbnail can now be had (or is known to be impossible)."""
    _decoded = Signal(str, QImage)

    def __init__(self, side: int, parent: QObject) -> None:
        super().__init__(parent)
        self.side = side
        self._kept_at_most = KEPT_BYTES // (4 * side * side)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self._kept: OrderedDict[str, QPixmap] = OrderedDict()
        self._pending: set[str] = set()
        self._decoded.connect(self._take)

    def get(self, path: Path) -> QPixmap | None:
        """The thumbnail, a null pixmap if the file can't be decoded, or None while it is being decoded."""
        key = str(path)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._pending:
            self._pending.add(key)
            # The newest request first: what was asked for last is what is on the screen now.
            self._pool.start(_Decode(self, key), len(self._pending))
        return None

    def forget(self) -> None:
        """Drop everything, e.g. when another dataset is opened."""
        self._pool.clear()
        self._pending.clear()
        self._kept.clear()

    def close(self) -> None:
        """Wait for the threads."""
        self._pool.clear()
        self._pool.waitForDone()

    @Slot(str, QImage)
    def _take(self, key: str, image: QImage) -> None:
        if key not in self._pending:
            return
        self._pending.discard(key)
        self._kept[key] = QPixmap.fromImage(image)
        while len(self._kept) > self._kept_at_most:
            self._kept.popitem(last=False)
        self.arrived.emit(key)


class _Decode(QRunnable):
    def __init__(self, owner: Thumbnails, key: str) -> None:
        super().__init__()
        self._owner = owner
        self._key = key

    def run(self) -> None:
        image = load_thumbnail(Path(self._key), self._owner.side)
        self._owner._decoded.emit(self._key, image)


def load_thumbnail(source: Path | bytes, side: int) -> QImage:
    """The middle square of an image at `side` pixels; null if it can't be decoded."""
    try:
        picture = ImageOps.fit(load_rgb(source, side), (side, side))
    except ImageError:
        return QImage()
    return QImage(picture.tobytes(), side, side, 3 * side, QImage.Format.Format_RGB888).copy()


def load_picture(source: Path | bytes, longest: int) -> QImage:
    """A whole image, at most `longest` pixels on either side; raises `ImageError`."""
    picture = load_rgb(source, longest)
    picture.thumbnail((longest, longest))
    width, height = picture.size
    return QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
