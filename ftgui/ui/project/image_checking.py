"""Decodes the open dataset's images for the first time and compares them with each other, in the background."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, QTimer, Signal, Slot

from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.checks.duplicates import find_lookalikes
from ftgui.data.checks.image_check import look_through
from ftgui.protocol.recipe import AUTO_INTENSITY, Intensity
from ftgui.ui.toolkit.background_task import Task

_SETTLE = 1500
"""Milliseconds after an edit before images are compared again: more may follow."""
_PATIENCE = 0.5
"""Seconds."""


class ImageChecking(QObject):
    """At most one check goes on; a new one takes the place of the old.

    Args:
        place: the catalog to check; None: there is none, or nothing may be written to it.
        scanning: whether images are still searched for, after which all are checked anyway.
        pool: whose threads do the work.
        parent: owner.
    """

    progress = Signal(str, object, object)
    """What is going on, done, total."""
    over = Signal()
    failed = Signal(object, str)
    """After `over`: the exception (None: an unexpected one), and why, in a sentence."""

    def __init__(
        self, place: Callable[[], Path | None], scanning: Callable[[], bool], pool: QThreadPool, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._place = place
        self._scanning = scanning
        self._pool = pool
        self._task: Task | None = None
        self.intensity: Intensity = AUTO_INTENSITY
        """How the recipe wants images of more than 8 bits read."""
        self._compare_wanted = False
        """An edit came while images were checked: what was found may be of classes and splits that are no more."""
        self._timer = QTimer(self, singleShot=True, interval=_SETTLE)
        self._timer.timeout.connect(self.compare)

    @property
    def working(self) -> bool:
        """Images are being decoded or compared."""
        return self._task is not None

    def start(self, decode: bool = True) -> None:
        """Check images that nobody has decoded yet, then compare all; without `decode` compare only."""
        self.cancel()
        place = self._place()
        if place is None:
            return
        self._compare_wanted = False
        self._task = Task(partial(_check, place, decode, self.intensity), self)
        self._task.progress.connect(self._progress)
        self._task.done.connect(self._done)
        self._task.failed.connect(self._failed)
        self._task.start(self._pool)

    @Slot()
    def compare(self) -> None:
        """After edits: whether a double is for checking too, or under another class, may be otherwise now."""
        self._compare_wanted = True
        if self._task is None and not self._scanning():
            self.start(decode=False)

    def compare_soon(self) -> None:
        """`compare`, when no more edits have followed for a moment."""
        self._timer.start()

    def make_way(self) -> None:
        """The person waits for an answer: what goes on in the background can wait for a moment."""
        if self._task is not None:
            self._task.job.hold(_PATIENCE)

    def cancel(self) -> None:
        """Give up what goes on."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def stop(self) -> None:
        """Give up what goes on and what was to follow."""
        self.cancel()
        self._timer.stop()

    @Slot(object, object)
    def _progress(self, done: int, total: int) -> None:
        if self.sender() is self._task:
            self.progress.emit("checking images" if total else "looking for duplicates", done, total)

    @Slot(object)
    def _done(self, _outcome: object) -> None:
        if self.sender() is self._task:
            self._over()

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        if self._task is not None and self.sender() is self._task:
            error = self._task.error
            self._over()
            self.failed.emit(error, f"The images could not be checked: {sentence}")

    def _over(self) -> None:
        self._task = None
        if self._compare_wanted and not self._scanning():
            self.start(decode=False)
        else:
            self.over.emit()


def _check(catalog_path: Path, decode: bool, intensity: Intensity, job: Job) -> None:
    with Catalog(catalog_path) as catalog:
        if decode:
            look_through(catalog, job, intensity)
        find_lookalikes(catalog, job)
