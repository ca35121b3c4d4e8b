"""Folders, archives and images that the person chooses from the disk."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from ftgui.data.images.decoding import EXTENSIONS
from ftgui.data.scanning.found import ARCHIVES


class FileDialogs(QObject):
    """The system's dialogs; nothing is said of one that is cancelled.

    Args:
        window: over which they open.
    """

    dataset_chosen = Signal(Path)
    """A folder or an archive to open."""
    evaluation_folder_chosen = Signal(Path)
    question_chosen = Signal(list)
    """Paths of images, or of one folder of them, that the model is asked about."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window

    @Slot()
    def choose_folder(self) -> None:
        """A dataset."""
        folder = QFileDialog.getExistingDirectory(self._window, "Open a folder of images")
        if folder:
            self.dataset_chosen.emit(Path(folder))

    @Slot()
    def choose_archive(self) -> None:
        """A dataset in a zip or tar."""
        patterns = " ".join(f"*{ending}" for ending in ARCHIVES)
        path, _ = QFileDialog.getOpenFileName(self._window, "Open a zip or tar of images", "", f"Archives ({patterns})")
        if path:
            self.dataset_chosen.emit(Path(path))

    @Slot()
    def choose_evaluation_folder(self) -> None:
        """Labelled images that the model is evaluated on."""
        folder = QFileDialog.getExistingDirectory(self._window, "Evaluate the model on a folder of labelled images")
        if folder:
            self.evaluation_folder_chosen.emit(Path(folder))

    @Slot()
    def choose_images(self) -> None:
        """Images that the model is asked about."""
        patterns = " ".join(f"*{ending}" for ending in sorted(EXTENSIONS))
        paths, _ = QFileDialog.getOpenFileNames(
            self._window, "Ask about images", "", f"Images ({patterns});;All files (*)"
        )
        if paths:
            self.question_chosen.emit([Path(path) for path in paths])

    @Slot()
    def choose_folder_to_ask(self) -> None:
        """A folder full of images that the model is asked about."""
        folder = QFileDialog.getExistingDirectory(self._window, "Ask about all images in a folder")
        if folder:
            self.question_chosen.emit([Path(folder)])
