"""Undoing an edit of the catalog: classes, splits, exclusions, added images. Written on another thread, in order."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QUndoCommand, QUndoStack

from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.errors import CatalogError, as_catalog_error

log = logging.getLogger(__name__)

PATIENCE_FOR_A_LOCK = 10.0
"""Seconds that an edit waits for whoever else writes to the catalog; then it is said and not done."""

Step = Callable[[Catalog], "Step"]
"""Does something and returns what undoes it."""


class CatalogSwap:
    """Goes back and forth between two states of a catalog; used on one thread, one call after the other.

    Args:
        catalog_path: of the catalog.
        step: the first to take.
        adds: images come or go.
    """

    def __init__(self, catalog_path: Path, step: Step, adds: bool = False) -> None:
        self.catalog_path = catalog_path
        self.adds = adds
        self._step = step
        self._skip = False
        """The undo stack says that it was taken, but it could not be: the next one is only the stack's."""

    def take(self) -> CatalogError | None:
        """The next step.

        Returns:
            why it was not taken; the data are then as they were.
        """
        if self._skip:
            self._skip = False
            return None
        try:
            with Catalog(self.catalog_path, patience=PATIENCE_FOR_A_LOCK) as catalog:
                self._step = self._step(catalog)
        except (sqlite3.Error, CatalogError) as error:
            log.warning("edit failed", exc_info=True)
            self._skip = True
            return error if isinstance(error, CatalogError) else as_catalog_error(error)
        return None


class EditCatalog(QUndoCommand):
    """On the stack as soon as it is asked for, so that Ctrl+Z means it from then on. Who pushes it takes the first step.

    Args:
        words: for the Undo menu, e.g. ``"Relabel 12 images to bees"``.
        swap: undoes and does again.
        queue: has the next step taken, after all that were asked for before.
    """

    def __init__(self, words: str, swap: CatalogSwap, queue: Callable[[CatalogSwap], None]) -> None:
        super().__init__(words)
        self.swap = swap
        self._queue: Callable[[CatalogSwap], None] | None = queue
        self._pushed = False

    def redo(self) -> None:
        if self._pushed:
            self._take_step()
        self._pushed = True

    def undo(self) -> None:
        self._take_step()

    def _take_step(self) -> None:
        if self._queue is not None:
            self._queue(self.swap)

    def make_void(self) -> None:
        """It changed nothing, so it is no step: undoing it takes it from the stack, and does nothing else."""
        self._queue = None
        self.setObsolete(True)


def command_of(stack: QUndoStack, swap: CatalogSwap) -> tuple[EditCatalog, int] | None:
    """The command of a swap, and its place on the stack; None if it is no longer there."""
    for place in range(stack.count()):
        command = stack.command(place)
        if isinstance(command, EditCatalog) and command.swap is swap:
            return command, place
    return None


def take_away(stack: QUndoStack, swap: CatalogSwap) -> None:
    """An edit that changed nothing. One that others lie upon is taken away when it is come to."""
    found = command_of(stack, swap)
    if found is not None:
        command, place = found
        command.make_void()
        if place == stack.index() - 1:
            stack.undo()


def bring_into_step(stack: QUndoStack, swap: CatalogSwap) -> None:
    """After a step back or forth that failed: the stack says again what is so, and the step can be tried once more. Where
    others were taken since, the stack is left as it is: the step that failed is then skipped."""
    found = command_of(stack, swap)
    if found is not None and found[1] == stack.index():
        stack.redo()
    elif found is not None and found[1] == stack.index() - 1:
        stack.undo()
