"""Undoing an edit of the catalog: classes, splits, exclusions, added images."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from PySide6.QtGui import QUndoCommand

Step = Callable[[], "Step"]
"""Does something and returns what undoes it."""


class EditCatalog(QUndoCommand):
    """Already done when pushed: an exception in a `redo` that Qt calls would be printed and lost.

    Args:
        words: for the Undo menu, e.g. ``"Relabel 12 images to bees"``.
        undo: how it is undone; returns how it is done again.
        failed: told when the catalog can't be written. The step is then gone from the stack and the data as it was: kept, it
            would do the opposite of its words from then on.
    """

    def __init__(self, words: str, undo: Step, failed: Callable[[str, sqlite3.Error], None]) -> None:
        super().__init__(words)
        self._step = undo
        self._failed = failed
        self._pushed = False

    def redo(self) -> None:
        if self._pushed:
            self._take_step()
        self._pushed = True

    def undo(self) -> None:
        self._take_step()

    def _take_step(self) -> None:
        try:
            self._step = self._step()
        except sqlite3.Error as error:
            self.setObsolete(True)
            self._failed(self.text(), error)
