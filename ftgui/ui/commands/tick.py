"""Undoing a tick in the layer tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from ftgui.ui.workspace import Workspace


class TickCommand(QUndoCommand):
    """Lets other layers learn. Doing and undoing both go through the engine, which reports what is then true."""

    def __init__(self, workspace: Workspace, before: list[str], after: list[str], words: str) -> None:
        super().__init__(words)
        self._workspace = workspace
        self._before = before
        self._after = after

    def redo(self) -> None:
        self._workspace.send_ticks(self._after)

    def undo(self) -> None:
        self._workspace.send_ticks(self._before)
