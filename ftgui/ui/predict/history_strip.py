"""The images asked about, side by side, each with its answer; a click shows one large."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QListView, QListWidgetItem

from ftgui.ui.project.prediction import Asked
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.thumbnail_list import ThumbnailItems

MOST = 200
"""Images kept; more at a time are a folder's business."""
_SIDE = 72


@dataclass
class _Entry:
    asked: Asked
    item: QListWidgetItem


class AnswerStrip(ThumbnailItems):
    """Left to right as they were asked about."""

    chosen = Signal(Asked)
    """Show this one."""

    def __init__(self) -> None:
        super().__init__(_SIDE)
        self._entries: list[_Entry] = []
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setGridSize(QSize(_SIDE + 20, _SIDE + 26))
        self.setFixedHeight(_SIDE + 48)
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
        item = self.add_picture(Path(asked.path) if asked.path else asked.content, "…")
        item.setToolTip(as_plain(asked.path or "from the clipboard"))
        self._entries.append(_Entry(asked, item))
        if len(self._entries) > MOST:
            self.takeItem(0)
            self._entries.pop(0)
        self.setCurrentItem(item)
        self.scrollToItem(item)

    def say(self, request: int, answer: str) -> None:
        """What the model said of one."""
        for entry in self._entries:
            if entry.asked.request == request:
                entry.item.setText(answer)
                entry.item.setToolTip(as_plain(f"{entry.asked.path or 'from the clipboard'}\n{answer}"))

    def forget(self) -> None:
        self._entries.clear()
        super().forget()

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        if 0 <= index.row() < len(self._entries):
            self.chosen.emit(self._entries[index.row()].asked)
