"""Long work off the main thread: a function with a `Job`, answered by signals."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from ftgui.base.files import refusal
from ftgui.base.job import Cancelled, Job
from ftgui.data.catalog.errors import CatalogError, as_catalog_error
from ftgui.data.images.decoding import ImageError
from ftgui.data.scanning.found import DatasetError
from ftgui.protocol.recipe import RecipeError

log = logging.getLogger(__name__)


class Task(QObject):
    """One piece of work. Signals arrive on the thread this object was made on.

    Args:
        work: called as ``work(job)`` on a thread of the pool.
        parent: keeps the object alive.
    """

    progress = Signal(object, object)
    """done, total (0 while not known); not ints of 32 bits."""
    done = Signal(object)
    failed = Signal(str)
    """A sentence. A cancelled task emits neither `done` nor `failed`."""
    _over = Signal()

    def __init__(self, work: Callable[[Job], Any], parent: QObject) -> None:
        super().__init__(parent)
        self._work = work
        self.job = Job(self.progress.emit)
        self.error: Exception | None = None
        """Of `failed`."""
        self._over.connect(self.deleteLater)

    def start(self, pool: QThreadPool) -> None:
        """Begin as soon as the pool has a thread."""
        pool.start(_Runner(self))

    def cancel(self) -> None:
        """Stop soon, and say nothing any more."""
        self.job.cancel()

    def run(self) -> None:
        """On the pool's thread."""
        self._run()
        self._over.emit()

    def _run(self) -> None:
        try:
            outcome = self._work(self.job)
        except Cancelled:
            return
        except (DatasetError, RecipeError, CatalogError, ImageError) as error:
            self._fail(error)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            log.warning("background work failed", exc_info=True)
            self._fail(as_catalog_error(error))
        except OSError as error:
            log.warning("background work failed", exc_info=True)
            self.error = error
            self._tell(self.failed, refusal(error))
        except Exception as error:
            log.exception("background work failed")
            self._tell(self.failed, f"Unexpected {type(error).__name__}: {error}")
        else:
            self._tell(self.done, outcome)

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._tell(self.failed, str(error))

    def _tell(self, signal: Any, value: object) -> None:
        if not self.job.cancelled:
            signal.emit(value)


class _Runner(QRunnable):
    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task

    def run(self) -> None:
        self._task.run()
