"""The images asked about, side by side, each with its answer; a click shows one large."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QModelIndex, QSize, Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem

from ftgui.data.job import Job
from ftgui.ui.workers.tasks import Task
from ftgui.ui.workers.thumbnails import load_thumbnail
from ftgui.ui.workspace import Asked

MOST = 200
"""Images kept; more at a time are a folder's business."""
_SIDE = 72


@dataclass
class _Entry:
    asked: Asked
    item: QListWidgetItem


class AnswerStrip(QListWidget):
    """Left to right as they were asked about."""

    chosen = Signal(Asked)
    """Show this one."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[_Entry] = []
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self._tasks: dict[Task, QListWidgetItem] = {}
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setGridSize(QSize(_SIDE + 20, _SIDE + 26))
        self.setUniformItemSizes(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFixedHeight(_SIDE + 48)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setAcceptDrops(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Images asked about")
        self.setToolTip("A click shows the image and its answer again")
        self.clicked.connect(self._clicked)
        self.activated.connect(self._clicked)

    def add(self, asked: Asked) -> None:
        """One more at the end; the one asked about again moves nowhere."""
        for entry in self._entries:
            if (entry.asked.path, entry.asked.content) == (asked.path, asked.content):
                entry.asked = asked
                self.setCurrentItem(entry.item)
                return
        item = QListWidgetItem("…")
        item.setToolTip(asked.path or "from the clipboard")
        item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
        blank = QPixmap(_SIDE, _SIDE)
        blank.fill(Qt.GlobalColor.transparent)
        item.setIcon(QIcon(blank))
        self.addItem(item)
        self._entries.append(_Entry(asked, item))
        if len(self._entries) > MOST:
            self.takeItem(0)
            self._entries.pop(0)
        self.setCurrentItem(item)
        self.scrollToItem(item)
        self._load(asked, item)

    def say(self, request: int, answer: str) -> None:
        """What the model said of one."""
        for entry in self._entries:
            if entry.asked.request == request:
                entry.item.setText(answer)
                entry.item.setToolTip(f"{entry.asked.path or 'from the clipboard'}\n{answer}")

    def forget(self) -> None:
        """None were asked about."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._entries.clear()
        self.clear()

    def close_threads(self) -> None:
        """Before the program ends."""
        self.forget()
        self._pool.waitForDone()

    def _load(self, asked: Asked, item: QListWidgetItem) -> None:
        source: Path | bytes = Path(asked.path) if asked.path else asked.content
        side = round(_SIDE * self.devicePixelRatioF())

        def load(_job: Job) -> QImage:
            return load_thumbnail(source, side)

        task = Task(load, self)
        self._tasks[task] = item
        task.done.connect(self._loaded)
        task.start(self._pool)

    @Slot(object)
    def _loaded(self, image: QImage) -> None:
        task = self.sender()
        item = self._tasks.pop(task, None) if isinstance(task, Task) else None
        if item is not None and not image.isNull() and self.row(item) >= 0:
            picture = QPixmap.fromImage(image)
            picture.setDevicePixelRatio(self.devicePixelRatioF())
            item.setIcon(QIcon(picture))

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        if 0 <= index.row() < len(self._entries):
            self.chosen.emit(self._entries[index.row()].asked)
