"""Notices that the files of the open dataset change, or that its folder goes or comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QThreadPool, QTimer, Signal, Slot

from ftgui.data.scanning.walk import count_images
from ftgui.ui.toolkit.background_task import Task

_SETTLE = 1500
"""Milliseconds after a change on disk before it is looked into: more may follow."""
_THERE = 5000
"""Milliseconds between two looks whether the images are where they were."""
MOST_WATCHED = 1000
"""Folders; operating systems allow a limited number of watches."""


class DatasetWatch(QObject):
    """Watches folders, and looks now and then whether there are images in the dataset's.

    Args:
        busy: whether the folder is being looked through anyway, so that looking whether it is there can wait.
        pool: whose threads look.
        parent: owner.
    """

    changed = Signal()
    """The folder is to be looked through."""

    def __init__(self, busy: Callable[[], bool], pool: QThreadPool, parent: QObject) -> None:
        super().__init__(parent)
        self._busy = busy
        self._pool = pool
        self._root = Path()
        self._there = True
        """At the last look there were images in the folder."""
        self._looking: Task | None = None
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self.soon)
        self._settle_timer = QTimer(self, singleShot=True, interval=_SETTLE)
        self._settle_timer.timeout.connect(self.changed)
        self._there_timer = QTimer(self, singleShot=True, interval=_THERE)
        self._there_timer.timeout.connect(self._look)

    def watch(self, folders: Sequence[Path]) -> None:
        """Also these, unless they are too many."""
        known = set(self._watcher.directories())
        new = [str(folder) for folder in folders if str(folder) not in known]
        if new and len(folders) <= MOST_WATCHED:
            self._watcher.addPaths(new)

    @Slot()
    def soon(self) -> None:
        """Say `changed` when nothing more has followed for a moment."""
        self._settle_timer.start()

    def keep_looking(self, root: Path, there: bool) -> None:
        """From now on look whether images are in this folder, as they are now or are not."""
        self._root, self._there = root, there
        self._there_timer.start()

    def look_every(self, milliseconds: int) -> None:
        """Another time between two looks than 5 s."""
        self._there_timer.setInterval(milliseconds)

    def pause(self) -> None:
        """No more looks and no `changed` for now; folders stay watched."""
        self._settle_timer.stop()
        self._there_timer.stop()

    def let_go(self) -> None:
        """Forget all folders."""
        self.pause()
        self._forget_folders()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _forget_folders(self) -> None:
        if watched := self._watcher.directories():
            self._watcher.removePaths(watched)

    @Slot()
    def _look(self) -> None:
        """No system tells of a folder that is moved with those around it, or of a drive that comes back."""
        if self._looking is not None:
            return
        if self._busy():
            self._there_timer.start()
            return
        root = self._root
        self._looking = Task(lambda job: count_images(root, job, enough=1) > 0, self)
        self._looking.done.connect(self._looked)
        self._looking.failed.connect(self._could_not_look)
        self._looking.start(self._pool)

    @Slot(object)
    def _looked(self, there: bool) -> None:
        if self.sender() is not self._looking:
            return
        self._looking = None
        self._there_timer.start()
        if there != self._there:
            self._there = there
            self._forget_folders()  # perhaps of another file system than is mounted now
            self.changed.emit()

    @Slot(str)
    def _could_not_look(self, _sentence: str) -> None:
        if self.sender() is self._looking:
            self._looking = None
