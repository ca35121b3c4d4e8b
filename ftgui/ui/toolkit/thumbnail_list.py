"""A list of a few pictures with words below, loaded in the background."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QThreadPool, Slot
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem

from ftgui.base.job import Job
from ftgui.data.images.intensity import IntensityRange
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.pictures import load_thumbnail


class ThumbnailItems(QListWidget):
    """For some dozens; a whole collection is `ImageGrid`'s.

    Args:
        side: of the thumbnails, pixels.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side
        self.intensity: IntensityRange | None = None
        """With which images of more than 8 bits are read from now on."""
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self._tasks: dict[Task, QListWidgetItem] = {}
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(side, side))
        self.setUniformItemSizes(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setAcceptDrops(False)

    def add_picture(self, source: Path | bytes, text: str) -> QListWidgetItem:
        """One more at the end; its picture follows, if it can be read."""
        item = QListWidgetItem(text)
        item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
        blank = QPixmap(self._side, self._side)
        blank.fill(Qt.GlobalColor.transparent)
        item.setIcon(QIcon(blank))
        self.addItem(item)
        task = Task(partial(_load, source, round(self._side * self.devicePixelRatioF()), self.intensity), self)
        self._tasks[task] = item
        task.done.connect(self._loaded)
        task.start(self._pool)
        return item

    @property
    def loading(self) -> bool:
        """Pictures are still to come."""
        return bool(self._tasks)

    def forget(self) -> None:
        """Show none."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.clear()

    def close_threads(self) -> None:
        """Before the program ends."""
        self.forget()
        self._pool.waitForDone()

    @Slot(object)
    def _loaded(self, image: QImage) -> None:
        task = self.sender()
        item = self._tasks.pop(task, None) if isinstance(task, Task) else None
        if item is not None and not image.isNull() and self.row(item) >= 0:
            picture = QPixmap.fromImage(image)
            picture.setDevicePixelRatio(self.devicePixelRatioF())
            item.setIcon(QIcon(picture))


def _load(source: Path | bytes, side: int, intensity: IntensityRange | None, _job: Job) -> QImage:
    return load_thumbnail(source, side, intensity)
