"""Whether this window may write to the open project, or another one does. No widgets."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, QTimer, Signal, Slot

from ftgui.base.job import Job
from ftgui.data.project_lock import LOCK_FILE, WINDOW, ProjectLocks
from ftgui.ui.toolkit.background_task import Task

LOOK_MILLISECONDS = 2000
"""Between two looks whether another window has taken the project over."""

LOOK_ONLY = "This project is open in another window; here it can only be viewed."


class Entry(Enum):
    """How a project is to be opened."""

    ASK = auto()
    """To write to it; where another window does, the person is asked."""
    LOOK = auto()
    """Only to be looked at."""
    TAKE_OVER = auto()
    """To write to it, whoever does so now."""


class ProjectAccess(QObject):
    """Holds the lock of the open project."""

    changed = Signal()
    """`look_only`."""
    taken_over = Signal()
    """Another window writes to the project from now on."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.locks = ProjectLocks(WINDOW)
        self.look_only = False
        self._folder: Path | None = None
        self._looking: Task | None = None
        self._pool = QThreadPool(self)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MILLISECONDS)
        self._timer.timeout.connect(self.look)

    def opened(self, folder: Path, look_only: bool) -> None:
        """Another project is open; its lock was taken before, unless it is only to be looked at."""
        self._forget_look()
        self._folder = folder
        others = self.locks.others(None if look_only else folder)
        if others:

            def give_back(_job: Job) -> None:
                self.locks.give_back(others)

            Task(give_back, self).start(self._pool)
        self.look_only = look_only
        self._timer.stop() if look_only else self._timer.start()
        self.changed.emit()

    def close(self) -> None:
        """Give it back."""
        self._timer.stop()
        self._forget_look()
        self._pool.waitForDone()
        self.locks.keep_only(None)

    def may_write(self, file: Path) -> bool:
        """Whether a file of the project may be written; from any thread."""
        return self.locks.holds(file.parent)

    @Slot()
    def look(self) -> None:
        """On a thread of its own: the project may lie on a drive that is gone."""
        if self._looking is None and self._folder is not None:
            folder = self._folder

            def holds(_job: Job) -> bool:
                return self.locks.holds(folder) or not (folder / LOCK_FILE).exists()

            self._looking = Task(holds, self)
            self._looking.done.connect(self._looked)
            self._looking.start(self._pool)

    @Slot(object)
    def _looked(self, still: bool) -> None:
        if self.sender() is not self._looking:
            return
        self._looking = None
        if not still and not self.look_only:
            self._timer.stop()
            self.look_only = True
            self.taken_over.emit()
            self.changed.emit()

    def _forget_look(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
