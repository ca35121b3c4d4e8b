"""Undoing any edit of the recipe: a tick, a field, a phase added, moved, removed or switched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from ftgui.protocol.recipe import Backbone, Recipe
    from ftgui.ui.project.recipe_editor import Plan

State = tuple["Recipe", int]
"""A recipe and which of its phases is selected."""


class EditRecipe(QUndoCommand):
    """From one state of the plan to another.

    Args:
        plan: does and undoes it.
        before: state now.
        after: state wanted.
        words: for the Undo menu.
        field: consecutive edits of the same one are one undo step: nobody wants to undo a spin box tick by tick.
            Empty: always a step of its own.
    """

    def __init__(self, plan: Plan, before: State, after: State, words: str, field: str = "") -> None:
        super().__init__(words)
        self._plan = plan
        self._before = before
        self._after = after
        self._field = field

    def id(self) -> int:
        return 1  # lets Qt ask `mergeWith`; -1 would not

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, EditRecipe) or not self._field or other._field != self._field:
            return False
        self._after = other._after
        self.setObsolete(self._after[0] == self._before[0])  # back where it began: nothing is left to undo
        return True

    @property
    def changes_model(self) -> bool:
        return self._before[0].backbone != self._after[0].backbone

    def backbone(self, undone: bool) -> Backbone:
        """The model that it leads to."""
        return (self._before if undone else self._after)[0].backbone

    def redo(self) -> None:
        self._plan.restore(self._after)

    def undo(self) -> None:
        self._plan.restore(self._before)
