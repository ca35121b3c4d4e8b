"""Small pictures for lists: decoded in a few threads, newest wish first, kept in memory and, size-limited, on disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, QThread, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from ftgui.base import paths
from ftgui.data.images.decoding import ImageError, one_image
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.thumbnail_store import ThumbnailStore
from ftgui.ui.toolkit.pictures import _square, _to_qimage

KEPT_BYTES = 80_000_000
"""Thumbnails in memory; at 156 pixels 800 of them, on a screen of twice the density 200: some screens full."""
MOST_WAITING = 256
"""Wishes; of more the oldest are dropped: they have been scrolled past, and are asked for again if they come back."""
_THREADS = 2


class Wish(NamedTuple):
    """One thumbnail that somebody waits for."""

    key: str
    """The file's path."""
    side: int
    intensity: IntensityRange | None
    generation: int


class Thumbnails(QObject):
    """Asked for a thumbnail, answers at once or later with `arrived`.

    Decoding goes through `ftgui.data.images.decoding.load_rgb`, as training's does: what is shown is what is learned from,
    in orientation and in colours.

    Args:
        side: of the square thumbnails, device pixels.
        parent: owner.
        threads: that decode.
    """

    arrived = Signal(str)
    """The path whose thumbnail can now be had (or is known to be impossible)."""
    decoded = Signal(str, object, QImage)
    """From a decoder: path, generation of the `Wish`, thumbnail (a null image: it can't be had)."""

    def __init__(self, side: int, parent: QObject, threads: int = _THREADS) -> None:
        super().__init__(parent)
        self.side = side
        self.intensity: IntensityRange | None = None
        """With which images of more than 8 bits are read."""
        self._generation = 0
        """Of wishes: what was decoded for an earlier one is of another size, range or dataset."""
        self._kept_at_most = KEPT_BYTES // (4 * side * side)
        self._kept: OrderedDict[str, tuple[float, QPixmap]] = OrderedDict()
        """Path -> time of the file's last change, thumbnail."""
        self._time_of: dict[str, float] = {}
        """Of the files that are being decoded."""
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._running: set[str] = set()
        self._wanted = threading.Condition()
        self._over = False
        self._thread_count = threads
        self._threads: list[_Decoder] = []
        self.decoded.connect(self._take)

    def set_side(self, side: int) -> None:
        """Another size; all are decoded anew."""
        if side != self.side:
            self.side = side
            self._kept_at_most = KEPT_BYTES // (4 * side * side)
            self.forget()

    def set_intensity(self, intensity: IntensityRange | None) -> None:
        """Another range; all are decoded anew."""
        if intensity != self.intensity:
            self.intensity = intensity
            self.forget()

    def waits_for(self, path: Path) -> bool:
        """It is being decoded, and `arrived` will tell."""
        return str(path) in self._time_of

    def get(self, path: Path, mtime: float) -> QPixmap | None:
        """The thumbnail, a null pixmap if the file can't be decoded, or None while it is being decoded for the first time.

        Args:
            path: of the image.
            mtime: when it changed last; of one that changed since, the old thumbnail is shown until the new one is there.
        """
        key = str(path)
        time, kept = self._kept.get(key, (mtime, None))
        if kept is not None:
            self._kept.move_to_end(key)
            if time == mtime:
                return kept
        self._time_of[key] = mtime
        with self._wanted:
            if key not in self._running:
                self._waiting[key] = None
                self._waiting.move_to_end(key)
                while len(self._waiting) > MOST_WAITING:
                    self._time_of.pop(self._waiting.popitem(last=False)[0], None)
                self._wanted.notify()
        if not self._threads and not self._over:
            self._threads = [_Decoder(self) for _ in range(self._thread_count)]
            for thread in self._threads:
                thread.start(QThread.Priority.LowPriority)
        return kept

    def forget(self) -> None:
        """Drop everything, e.g. when another dataset is opened."""
        with self._wanted:
            self._waiting.clear()
            self._running.clear()
            self._generation += 1
        self._kept.clear()
        self._time_of.clear()

    def close(self) -> None:
        """Wait for the threads."""
        with self._wanted:
            self._over = True
            self._waiting.clear()
            self._wanted.notify_all()
        for thread in self._threads:
            thread.wait()
        self._threads = []

    def next_wish(self) -> Wish | None:
        """On a decoder's thread: what to decode next; waits for a wish. None: it is over."""
        with self._wanted:
            while not self._waiting and not self._over:
                self._wanted.wait()
            if self._over:
                return None
            key, _ = self._waiting.popitem(last=True)
            self._running.add(key)
            return Wish(key, self.side, self.intensity, self._generation)

    @Slot(str, object, QImage)
    def _take(self, key: str, generation: int, image: QImage) -> None:
        with self._wanted:
            if generation != self._generation or key not in self._running:
                return  # of a dataset that is no longer open
            self._running.discard(key)
        self._kept[key] = (self._time_of.pop(key, 0.0), QPixmap.fromImage(image))
        while len(self._kept) > self._kept_at_most:
            self._kept.popitem(last=False)
        self.arrived.emit(key)


class _Decoder(QThread):
    def __init__(self, owner: Thumbnails) -> None:
        super().__init__(owner)
        self.setObjectName("thumbnails")
        self._owner = owner

    def run(self) -> None:
        store = ThumbnailStore(paths.cache_dir() / "thumbnails.sqlite")
        try:
            while (wish := self._owner.next_wish()) is not None:
                image = stored_thumbnail(store, Path(wish.key), wish.side, wish.intensity)
                self._owner.decoded.emit(wish.key, wish.generation, image)
        finally:
            store.close()


def stored_thumbnail(store: ThumbnailStore, file: Path, side: int, intensity: IntensityRange | None) -> QImage:
    """From the disk's store, or decoded and put there; null if it can't be decoded."""
    try:
        with one_image():
            kept = store.get(file, side, intensity)
            if kept is not None:
                image = QImage.fromData(kept)
                if not image.isNull():
                    return image
            picture = _square(file, side, intensity)
            store.put(file, side, picture, intensity)
            return _to_qimage(picture)
    except ImageError:
        return QImage()
