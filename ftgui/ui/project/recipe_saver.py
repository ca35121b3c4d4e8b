"""Saves the recipe after every edit, off the window's thread: a flushed write may take a second on a busy disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, Signal

from ftgui.base.files import reason
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe

log = logging.getLogger(__name__)


class RecipeSaver(QObject):
    """Writing begins at once; what is edited while it goes on is written together, after it.

    Args:
        parent: owner.
        may_write: asked on a thread of its own before a file is written; another window may have taken the project over.
    """

    failed = Signal(str)
    """A sentence. The recipe is kept, and written with the next one or at `close`."""

    def __init__(self, parent: QObject, may_write: Callable[[Path], bool] = lambda _path: True) -> None:
        super().__init__(parent)
        self._may_write = may_write
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._lock = threading.Lock()
        self._waiting: dict[Path, Recipe] = {}
        """The newest recipe for each file."""
        self._writing = False

    def save(self, recipe: Recipe, path: Path) -> None:
        """Returns at once."""
        with self._lock:
            self._waiting[path] = recipe
        self._begin()

    def wait(self) -> None:
        """Until all that was given to `save` is on the disk, or could not be written; from any thread."""
        self._pool.waitForDone()

    def close(self) -> None:
        """Write what is left, once more what could not be written; blocks until then."""
        self.wait()
        self._begin()
        self.wait()

    def _begin(self) -> None:
        with self._lock:
            if self._writing or not self._waiting:
                return
            self._writing = True
        self._pool.start(self._write_all)

    def _write_all(self) -> None:
        """On the pool's thread."""
        refused: dict[Path, Recipe] = {}
        while True:
            with self._lock:
                if not self._waiting:
                    self._waiting = refused
                    self._writing = False
                    return
                path, recipe = self._waiting.popitem()
            refused.pop(path, None)
            if not self._may_write(path):
                log.info("%s is another window's now and not written", path)
                continue
            try:
                recipe_file.save(recipe, path)
            except OSError as error:
                log.warning("the recipe can't be saved", exc_info=True)
                refused[path] = recipe
                self.failed.emit(f"The recipe could not be saved: {reason(error)}")
