"""Short work on the disk, off the window's thread and in the order it was asked for: a drive that hangs freezes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from ftgui.base.files import refusal
from ftgui.base.job import Job
from ftgui.ui.toolkit.background_task import Task

log = logging.getLogger(__name__)


class TaskQueue(QObject):
    """One after the other, on one thread: what is written first is there for what is read later.

    Args:
        parent: owner.
    """

    finished = Signal()
    """One more is over, and `working` may be another."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._answers: dict[QObject, tuple[Callable[[Any], None] | None, Callable[[str], None] | None]] = {}
        """What comes after each, on this thread: a plain function would be called on the pool's."""
        self._kept: set[QObject] = set()

    @property
    def working(self) -> bool:
        """Something is not over."""
        return bool(self._answers)

    def do(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None] | None = None,
        failed: Callable[[str], None] | None = None,
        kept: bool = False,
    ) -> None:
        """Work on the thread; what it returns comes back to this one.

        Args:
            work: called on the thread.
            then: called with what it returned.
            failed: called with a sentence; None: nobody depends on it, and the log says why.
            kept: the answer is wanted even after `forget`.
        """

        def guarded(_job: Job) -> tuple[Any, str]:
            try:
                return work(), ""
            except OSError as error:
                return None, refusal(error)

        task = Task(guarded, self)
        self._answers[task] = (then, failed)
        if kept:
            self._kept.add(task)
        task.done.connect(self._done)
        task.failed.connect(self._failed)
        task.start(self._pool)

    def forget(self) -> None:
        """Nobody waits any more for what was asked for so far, e.g. of a project that was closed. The work is done all the
        same: what was to be written is written."""
        self._answers |= dict.fromkeys(self._answers.keys() - self._kept, (None, None))

    def close(self) -> None:
        """Do what was asked for, and answer nobody; blocks until then."""
        self._kept.clear()
        self.forget()
        self._pool.waitForDone()

    @Slot(object)
    def _done(self, outcome: tuple[Any, str]) -> None:
        value, why = outcome
        if why:
            self._failed(why)
            return
        then, _ = self._over()
        if then is not None:
            then(value)
        self.finished.emit()

    @Slot(str)
    def _failed(self, why: str) -> None:
        _, failed = self._over()
        if failed is not None:
            failed(why)
        else:
            log.warning("%s", why)
        self.finished.emit()

    def _over(self) -> tuple[Callable[[Any], None] | None, Callable[[str], None] | None]:
        task = self.sender()
        self._kept.discard(task)
        return self._answers.pop(task)
