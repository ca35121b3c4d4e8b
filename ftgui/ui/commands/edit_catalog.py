"""Undoing an edit of the catalog: classes, splits, exclusions, added images."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoCommand

Step = Callable[[], "Step"]
"""Does something and returns what undoes it."""


class EditCatalog(QUndoCommand):
    """Already done when pushed: an exception in a `redo` that Qt calls would be printed and lost.

    Args:
        words: for the Undo menu, e.g. ``"Relabel 12 images to bees"``.
        undo: how it is undone; returns how it is done again.
    """

    def __init__(self, words: str, undo: Step) -> None:
        super().__init__(words)
        self._step = undo
        self._pushed = False

    def redo(self) -> None:
        if self._pushed:
            self._step = self._step()
        self._pushed = True

    def undo(self) -> None:
        self._step = self._step()
