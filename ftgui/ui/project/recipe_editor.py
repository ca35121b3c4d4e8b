"""The recipe while it is edited: which phase is selected, what changes, and how it is undone. No widgets, no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from ftgui.protocol.layer_names import PORTABLE
from ftgui.protocol.recipe import FROM_SCRATCH, HEAD, LAST_STAGE, PRETRAINED, Backbone, Intensity, Phase, Recipe
from ftgui.ui.project.recipe_presets import Template, new_phase, phase_name

_EDITED = ("dataset", "backbone", "seed", "phases", "augmentation", "training", "threshold")
"""What undo gives back. The device is chosen elsewhere and stays as it is."""


class RecipeEditor(QObject):
    """Every edit by a person is one step of the undo stack.

    Args:
        undo_stack: where the steps go.
        parent: owner.
    """

    changed = Signal()
    """The recipe, or which phase is selected."""
    backbone_changing = Signal()
    """A step, done or undone, is about to take another model…"""
    refused = Signal(str)
    """An edit was not made, why."""
    backbone_changed = Signal()
    """… and has done so; `changed` came between."""

    def __init__(self, undo_stack: QUndoStack, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = undo_stack
        self._recipe = Recipe()
        self._selected = _last_enabled(self._recipe)
        self.locked = ""
        """Why nothing may be edited; empty: everything may."""

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        return self._recipe

    @property
    def selected(self) -> int:
        """Index of the phase whose layers the tree shows; -1 when there is no phase."""
        return self._selected

    @property
    def phase(self) -> Phase | None:
        """The selected one."""
        return self._recipe.phases[self._selected] if self._selected >= 0 else None

    @property
    def ticks(self) -> list[str]:
        """What the selected phase lets learn."""
        return self.phase.train if self.phase is not None else []

    # --- not undone -------------------------------------------------------------------------------------------------

    def take(self, recipe: Recipe) -> None:
        """Another project's recipe. What was edited before can't be undone any more."""
        self.undo_stack.clear()
        self._show(recipe, _last_enabled(recipe))

    def replace(self, **changes: object) -> None:
        """Set what is no part of the editor, e.g. the device."""
        self._show(msgspec.structs.replace(self._recipe, **changes), self._selected)

    def select(self, index: int) -> None:
        """Show a phase's layers in the tree."""
        if 0 <= index < len(self._recipe.phases):
            self._show(self._recipe, index)

    def restore(self, state: State) -> None:
        """What `EditRecipe` does and undoes."""
        recipe, selected = state
        edited = {name: getattr(recipe, name) for name in _EDITED}
        other = recipe.backbone != self._recipe.backbone
        if other:
            self.backbone_changing.emit()
        self._show(msgspec.structs.replace(self._recipe, **edited), selected)
        if other:
            self.backbone_changed.emit()

    def _show(self, recipe: Recipe, selected: int) -> None:
        if (recipe, selected) != (self._recipe, self._selected):
            self._recipe, self._selected = recipe, selected
            self.changed.emit()

    # --- undone by Ctrl+Z -------------------------------------------------------------------------------------------

    def tick(self, layers: list[str], words: str) -> None:
        """Let exactly these layers learn in the selected phase; in a new one if there is none."""
        if self.phase is None:
            self._push([_with_layers(new_phase(), layers)], 0, words)
        else:
            self._push(self._with(_with_layers(self.phase, layers)), self._selected, words)

    def change_phase(self, index: int, **changes: Any) -> None:
        """Set fields of a phase."""
        phases = list(self._recipe.phases)
        phases[index] = msgspec.structs.replace(phases[index], **changes)
        (name,) = changes
        field = "" if name == "enabled" else f"phases.{index}.{name}"
        words = f"{'Switch' if name == 'enabled' else 'Change'} {phases[index].name}"
        self._push(phases, index if name != "enabled" else self._selected, words, field)

    def change(self, section: str, name: str, value: object) -> None:
        """Set a field of ``"training"`` or ``"augmentation"``, or with an empty section of the recipe itself."""
        if section:
            value = msgspec.structs.replace(getattr(self._recipe, section), **{name: value})
        after = msgspec.structs.replace(self._recipe, **{section or name: value})
        self._push_recipe(after, self._selected, f"Change {name.replace('_', ' ')}", f"{section}.{name}")

    def split(self, val: float, test: float, seed: int, group_by: str) -> None:
        """Another division into train, val and test."""
        dataset = msgspec.structs.replace(
            self._recipe.dataset, val_fraction=val, test_fraction=test, split_seed=seed, group_by=group_by
        )
        self._push_recipe(
            msgspec.structs.replace(self._recipe, dataset=dataset), self._selected, "Change split", "split"
        )

    def read_with(self, intensity: Intensity) -> None:
        """Another intensity range for images of more than 8 bits."""
        dataset = msgspec.structs.replace(self._recipe.dataset, intensity=intensity)
        after = msgspec.structs.replace(self._recipe, dataset=dataset)
        self._push_recipe(after, self._selected, "Change intensity range", "intensity")

    def add(self) -> None:
        """A new phase after all others, selected."""
        self._push([*self._recipe.phases, new_phase()], len(self._recipe.phases), "Add phase")

    def duplicate(self, index: int) -> None:
        """A copy behind a phase, selected."""
        phases = list(self._recipe.phases)
        phases.insert(index + 1, phases[index])
        self._push(phases, index + 1, f"Duplicate {phases[index].name}")

    def remove(self, index: int) -> None:
        """Take a phase away; the last one left stays, for the tree needs one to show."""
        phases = list(self._recipe.phases)
        if len(phases) > 1:
            gone = phases.pop(index)
            selected = self._selected - (self._selected > index or self._selected == len(phases))
            self._push(phases, selected, f"Remove {gone.name}")

    def move(self, index: int, by: int) -> None:
        """Earlier (-1) or later (+1)."""
        phases = list(self._recipe.phases)
        if 0 <= index + by < len(phases):
            phases.insert(index + by, phases.pop(index))
            self._push(phases, index + by, f"Move {phases[index + by].name}")

    def use(self, template: Template) -> None:
        """Another set of phases altogether."""
        phases = list(template.phases)
        self._push(phases, len(phases) - 1, f"Use preset {template.title}")

    def choose_backbone(self, backbone: Backbone) -> None:
        """Another model. Phases keep their numbers, but layers ticked by name are of the old tree."""
        if backbone == self._recipe.backbone:
            return
        phases = [_for_any_model(phase) for phase in self._recipe.phases]
        after = msgspec.structs.replace(self._recipe, backbone=backbone, phases=phases)
        self._push_recipe(after, self._selected, f"Choose {_short(backbone)}", "")

    def go_back(self, before: Recipe) -> None:
        """The model just taken, by a choice, undo or redo, can't be had: take the one of `before` again.

        Nothing is lost by it. Where nothing happened since, the steps are undone (or done again), and the way to the model
        that could not be had stays one press away; edits that were made meanwhile stay, and going back is a step after them.
        """
        stack, index, wanted = self.undo_stack, self.undo_stack.index(), before.backbone
        if self._recipe.backbone == wanted:
            return
        if (steps := self._steps_to(wanted, range(index - 1, -1, -1), undone=True)) > 0:
            for _ in range(steps):
                stack.undo()
        elif (steps := self._steps_to(wanted, range(index, stack.count()), undone=False)) > 0:
            for _ in range(steps):
                stack.redo()
        else:
            after = msgspec.structs.replace(
                self._recipe, backbone=wanted, phases=[_as_before(phase, before) for phase in self._recipe.phases]
            )
            self._push_recipe(after, self._selected, f"Go back to {_short(wanted)}", "")

    def _steps_to(self, wanted: Backbone, places: range, undone: bool) -> int:
        """How many steps at these places of the undo stack lead to a model, if they change nothing but the model; else 0."""
        for steps, place in enumerate(places, 1):
            command = self.undo_stack.command(place)
            if not isinstance(command, EditRecipe) or not command.changes_model:
                return 0
            if command.backbone(undone) == wanted:
                return steps
        return 0

    def use_recipe(self, recipe: Recipe, words: str) -> None:
        """All of another recipe, its model too; but the dataset and the device stay, for they are what is here now."""
        after = msgspec.structs.replace(recipe, dataset=self._recipe.dataset, device=self._recipe.device)
        self._push_recipe(after, _last_enabled(after), words, "")

    def _with(self, phase: Phase) -> list[Phase]:
        phases = list(self._recipe.phases)
        phases[self._selected] = phase
        return phases

    def _push(self, phases: list[Phase], selected: int, words: str, field: str = "") -> None:
        self._push_recipe(msgspec.structs.replace(self._recipe, phases=phases), selected, words, field)

    def _push_recipe(self, after: Recipe, selected: int, words: str, field: str) -> None:
        if self.locked:
            self.refused.emit(self.locked)
        elif after != self._recipe:
            before = (self._recipe, self._selected)
            self.undo_stack.push(EditRecipe(self, before, (after, selected), words, field))


def _for_any_model(phase: Phase) -> Phase:
    """Layers ticked by name are of one model's tree."""
    return phase if PORTABLE.issuperset(phase.train) else _with_layers(phase, [LAST_STAGE, HEAD])


def _as_before(phase: Phase, before: Recipe) -> Phase:
    """With the layers that a phase had before another model was chosen, if they are ticked otherwise only for that."""
    for earlier in before.phases:
        if _for_any_model(earlier).train == phase.train and earlier.epochs == phase.epochs and earlier.lr == phase.lr:
            return _with_layers(phase, earlier.train)
    return _for_any_model(phase)


def _short(backbone: Backbone) -> str:
    """For the Undo menu: its name, and the file of weights of one's own."""
    own = backbone.weights not in (PRETRAINED, FROM_SCRATCH)
    return f"{backbone.name} with {Path(backbone.weights).name}" if own else backbone.name


def _last_enabled(recipe: Recipe) -> int:
    enabled = [index for index, phase in enumerate(recipe.phases) if phase.enabled]
    return enabled[-1] if enabled else len(recipe.phases) - 1


def _with_layers(phase: Phase, layers: list[str]) -> Phase:
    """Its name goes along, unless the person has given it one."""
    own = phase.name != phase_name(phase.train)
    return msgspec.structs.replace(phase, train=layers, name=phase.name if own else phase_name(layers))


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

    def __init__(self, plan: RecipeEditor, before: State, after: State, words: str, field: str = "") -> None:
        super().__init__(words)
        self._recipe_editor = plan
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
        self._recipe_editor.restore(self._after)

    def undo(self) -> None:
        self._recipe_editor.restore(self._before)
