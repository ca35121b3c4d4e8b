"""The training images that are most like the one asked about."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QListView, QListWidgetItem, QVBoxLayout, QWidget

from ftgui.protocol import messages as m
from ftgui.ui.toolkit.basics import label
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.thumbnail_list import ThumbnailItems

_SIDE = 84
"""Pixels, of a picture."""


class SimilarImagesList(ThumbnailItems):
    """The training images most like an image, most alike first."""

    look_wanted = Signal(Path)

    def __init__(self) -> None:
        super().__init__(_SIDE)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setGridSize(QSize(_SIDE + 16, _SIDE + 44))
        self.setWordWrap(True)
        self.setAccessibleName("Training images most like this one")
        self.itemActivated.connect(self._activated)

    def show_neighbors(self, root: Path, event: m.SimilarImages) -> None:
        """Other ones."""
        self.forget()
        for neighbor in event.neighbors:
            words = f"{neighbor.class_name}\n{neighbor.similarity:.0%} similar"
            item = self.add_picture(root / neighbor.path, words)
            item.setToolTip(as_plain(f"{neighbor.path}\n{neighbor.class_name}\nDouble-click to ask about it."))
            item.setData(Qt.ItemDataRole.UserRole, str(root / neighbor.path))

    @Slot(QListWidgetItem)
    def _activated(self, item: QListWidgetItem) -> None:
        self.look_wanted.emit(Path(item.data(Qt.ItemDataRole.UserRole)))


class SimilarImagesView(QWidget):
    """The images, and above them a sentence: what they are, or why there are none."""

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.words = label("", "muted", wrap=True)
        self.images = SimilarImagesList()
        layout.addWidget(self.words)
        layout.addWidget(self.images, 1)

    @Slot(str)
    def clear(self, words: str = "") -> None:
        """No images; say this instead."""
        self.images.forget()
        self.words.setText(words)

    def show_found(self, root: Path, event: m.SimilarImages) -> None:
        """What was found; paths are below `root`."""
        words = "The training images that the model finds most similar to this one, most similar first."
        self.words.setText(words if event.neighbors else "There is no training image to compare with.")
        self.images.show_neighbors(root, event)
