"""Undoing an edit of the catalog: classes, splits, exclusions, added images."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from PySide6.QtGui import QUndoCommand, QUndoStack

Step = Callable[[], "Step"]
"""Does something and returns what undoes it."""


class EditCatalog(QUndoCommand):
    """Already done when pushed: an exception in a `redo` that Qt calls would be printed and lost.

    Args:
        words: for the Undo menu, e.g. ``"Relabel 12 images to bees"``.
        undo: how it is undone; returns how it is done again.
        failed: told when the catalog can't be written. The data are then as they were, while the stack has moved on; so the
            next step back is only the stack's.
    """

    def __init__(self, words: str, undo: Step, failed: Callable[[str, sqlite3.Error], None]) -> None:
        super().__init__(words)
        self._step = undo
        self._failed = failed
        self._pushed = False
        self.out_of_step = False
        """The stack says that it was undone (or done again), but it could not be."""

    def redo(self) -> None:
        if self._pushed:
            self._take_step()
        self._pushed = True

    def undo(self) -> None:
        self._take_step()

    def _take_step(self) -> None:
        if self.out_of_step:
            self.out_of_step = False
            return
        try:
            self._step = self._step()
        except sqlite3.Error as error:
            self.out_of_step = True
            self._failed(self.text(), error)


def bring_into_step(stack: QUndoStack) -> None:
    """After a step that failed: the stack says again what is so, and the step can be tried once more."""
    index = stack.index()
    undone, done = stack.command(index), stack.command(index - 1) if index else None
    if isinstance(undone, EditCatalog) and undone.out_of_step:
        stack.redo()
    elif isinstance(done, EditCatalog) and done.out_of_step:
        stack.undo()
