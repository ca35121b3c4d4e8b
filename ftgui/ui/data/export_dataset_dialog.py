"""Writes the dataset as it is now for other programs: folders of classes, or a table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QThreadPool, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.dataset_export import Exported, export_folders, export_table
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Bar, button, label
from ftgui.ui.toolkit.file_choice import DATASETS, TABLES, choose_folder, choose_place
from ftgui.ui.toolkit.theme import Theme


class ExportDialog(QDialog):
    """Not modal.

    Args:
        catalog: path of the catalog.
        images: how many will be written.
        theme: for colours.
        parent: owner.
    """

    def __init__(self, catalog: Path, images: int, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Export dataset")
        self.setMinimumWidth(460)
        self._catalog = catalog
        self._task: Task | None = None
        self._pool = QThreadPool(self)
        layout = QVBoxLayout(self)
        layout.addWidget(
            label(
                f"{plural(images, 'image')} with the classes and splits they have now; excluded ones are left out. "
                "Your own files stay as they are.",
                "muted",
                wrap=True,
            )
        )
        self.copy = QRadioButton("Folders of classes, with copies of the files")
        self.link = QRadioButton("Folders of classes, with hard links: takes no space, but only on the same disk")
        self.table = QRadioButton("A table (CSV) with path, class and split")
        self.copy.setChecked(True)
        for choice in (self.copy, self.link, self.table):
            layout.addWidget(choice)
        self.bar = Bar(theme)
        self.bar.hide()
        self.said = label("", "muted", wrap=True)
        layout.addWidget(self.bar)
        layout.addWidget(self.said)
        row = QHBoxLayout()
        row.addStretch(1)
        self.go = button("Choose where…", "Asks for the folder or file, then writes", primary=True)
        self.end = button("Close", "Stops writing if it is still in progress")
        self.go.clicked.connect(self._choose)
        self.end.clicked.connect(self.close)
        row.addWidget(self.go)
        row.addWidget(self.end)
        layout.addLayout(row)

    @Slot()
    def _choose(self) -> None:
        if self.table.isChecked():
            path = choose_place(self, "Export table", TABLES, "metadata.csv", "CSV (*.csv)")
        else:
            path = choose_folder(self, "Choose an empty folder", DATASETS)
        if path is not None:
            self.write(path)

    def write(self, target: Path) -> None:
        """In the background."""
        self.go.setEnabled(False)
        self.said.setText("Writing…")
        self._task = Task(partial(_write, self._catalog, target, self.table.isChecked(), self.link.isChecked()), self)
        self._task.progress.connect(self._progress)
        self._task.done.connect(self._done)
        self._task.failed.connect(self._failed)
        self._task.start(self._pool)

    @Slot(object, object)
    def _progress(self, done: int, total: int) -> None:
        self.bar.setVisible(bool(total))
        self.bar.set_value(done / total if total else 0)

    @Slot(object)
    def _done(self, exported: Exported) -> None:
        self.go.setEnabled(True)
        self.bar.hide()
        copied = (
            f" {exported.copied:,} had to be copied: the folder is on another disk, or can't hold links."
            if exported.copied
            else ""
        )
        self.said.setText(f"{plural(exported.images, 'image')} written.{copied if self.link.isChecked() else ''}")

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        self.go.setEnabled(True)
        self.bar.hide()
        self.said.setText(sentence)

    def done(self, result: int) -> None:
        """However it is closed: writing stops."""
        if self._task is not None:
            self._task.cancel()
        self._pool.waitForDone()
        super().done(result)


def _write(catalog_path: Path, target: Path, table: bool, link: bool, job: Job) -> Exported:
    with CatalogReader(catalog_path) as catalog:
        return export_table(catalog, target) if table else export_folders(catalog, target, link, job)
