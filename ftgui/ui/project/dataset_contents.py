"""What the open dataset's catalog holds, in figures, read anew in the background after every change."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, QTimer, Signal, Slot

from ftgui.base.job import Job
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Contents
from ftgui.ui.toolkit.background_task import Task

_REFRESH = 1000
"""Milliseconds between two looks at the catalog's figures while it fills."""


class ContentsRefresh(QObject):
    """Reads `Contents` one after the other; what changes meanwhile is read once more at the end.

    Args:
        pool: whose threads do the work.
        parent: owner.
    """

    wanted = Signal()
    """Time is up since `soon`: call `start`."""
    read = Signal(Contents)
    failed = Signal(object, str)
    """The exception (None: an unexpected one), and why, in a sentence."""

    def __init__(self, pool: QThreadPool, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = pool
        self._task: Task | None = None
        self._stale = False
        self._timer = QTimer(self, singleShot=True, interval=_REFRESH)
        self._timer.timeout.connect(self.wanted)

    @property
    def working(self) -> bool:
        """Figures are being read."""
        return self._task is not None

    def soon(self) -> None:
        """Read them within a second; more may change until then."""
        if not self._timer.isActive():
            self._timer.start()

    def start(self, catalog_path: Path) -> None:
        """Read them now, or, if they are being read, once more after that."""
        if self._task is not None:
            self._stale = True
            return
        self._stale = False
        self._task = Task(partial(contents_of, catalog_path), self)
        self._task.done.connect(self._done)
        self._task.failed.connect(self._failed)
        self._task.start(self._pool)

    def cancel(self) -> None:
        """What is being read is no longer wanted."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._timer.stop()

    @Slot(object)
    def _done(self, contents: Contents) -> None:
        if self.sender() is self._task:
            self._task = None
            self.read.emit(contents)
            if self._stale:
                self.wanted.emit()

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        if self._task is not None and self.sender() is self._task:
            error, self._task = self._task.error, None
            self.failed.emit(error, sentence)


def contents_of(catalog_path: Path, job: Job) -> Contents:
    """Read them from the file.

    Raises:
        CatalogError: it can't be read.
        Cancelled: through `job`.
    """
    job.progress(0)
    with CatalogReader(catalog_path) as catalog:
        return catalog.contents()
