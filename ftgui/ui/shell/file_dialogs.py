"""Folders, archives and images that the person chooses from the disk."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from ftgui.data.images.decoding import EXTENSIONS
from ftgui.data.scanning.found import ARCHIVES
from ftgui.ui.toolkit.file_choice import DATASETS, IMAGES, choose_file, choose_files, choose_folder


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
        folder = choose_folder(self._window, "Open a folder of images", DATASETS)
        if folder is not None:
            self.dataset_chosen.emit(folder)

    @Slot()
    def choose_archive(self) -> None:
        """A dataset in a zip or tar."""
        patterns = " ".join(f"*{ending}" for ending in ARCHIVES)
        path = choose_file(self._window, "Open a zip or tar of images", DATASETS, f"Archives ({patterns})")
        if path is not None:
            self.dataset_chosen.emit(path)

    @Slot()
    def choose_evaluation_folder(self) -> None:
        """Labelled images that the model is evaluated on."""
        folder = choose_folder(self._window, "Evaluate the model on a folder of labelled images", DATASETS)
        if folder is not None:
            self.evaluation_folder_chosen.emit(folder)

    @Slot()
    def choose_images(self) -> None:
        """Images that the model is asked about."""
        patterns = " ".join(f"*{ending}" for ending in sorted(EXTENSIONS))
        paths = choose_files(self._window, "Ask about images", IMAGES, f"Images ({patterns});;All files (*)")
        if paths:
            self.question_chosen.emit(paths)

    @Slot()
    def choose_folder_to_ask(self) -> None:
        """A folder full of images that the model is asked about."""
        folder = choose_folder(self._window, "Ask about all images in a folder", IMAGES)
        if folder is not None:
            self.question_chosen.emit([folder])
