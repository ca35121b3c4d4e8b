"""Every edit of the recipe, and that Ctrl+Z undoes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtGui import QUndoStack

from ftgui.protocol.recipe import Backbone, Phase, Recipe
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.project.recipe_presets import TEMPLATES, phase_name


@pytest.fixture
def stack(qapp) -> QUndoStack:
    return QUndoStack()


@pytest.fixture
def plan(stack: QUndoStack) -> RecipeEditor:
    return RecipeEditor(stack)


def names(plan: RecipeEditor) -> list[str]:
    return [phase.name for phase in plan.recipe.phases]


EDITS: dict[str, Callable[[RecipeEditor], None]] = {
    "tick": lambda plan: plan.tick(["stem", "head"], "Tick stem"),
    "epochs": lambda plan: plan.change_phase(0, epochs=9),
    "rate": lambda plan: plan.change_phase(1, lr=1e-5),
    "layer_decay": lambda plan: plan.change_phase(1, layer_decay=0.5),
    "name": lambda plan: plan.change_phase(0, name="First"),
    "switch": lambda plan: plan.change_phase(0, enabled=False),
    "add": lambda plan: plan.add(),
    "duplicate": lambda plan: plan.duplicate(0),
    "remove": lambda plan: plan.remove(1),
    "move": lambda plan: plan.move(0, 1),
    "template": lambda plan: plan.use(TEMPLATES[3]),
    "training": lambda plan: plan.change("training", "batch_size", 8),
    "augmentation": lambda plan: plan.change("augmentation", "preset", "strong"),
    "seed": lambda plan: plan.change("", "seed", 7),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_every_edit_is_one_undo_step(
    plan: RecipeEditor, stack: QUndoStack, edit: Callable[[RecipeEditor], None]
) -> None:
    before = (plan.recipe, plan.selected)
    edit(plan)
    after = (plan.recipe, plan.selected)
    assert after[0] != before[0] and stack.count() == 1 and stack.undoText()
    stack.undo()
    assert (plan.recipe, plan.selected) == before
    stack.redo()
    assert (plan.recipe, plan.selected) == after


def test_stepping_one_field_is_one_step_and_back_is_none(plan: RecipeEditor, stack: QUndoStack) -> None:
    for epochs in (6, 7, 8):
        plan.change_phase(0, epochs=epochs)
    plan.change_phase(1, epochs=3)
    assert stack.count() == 2, "another phase's epochs are another field"
    stack.undo()
    stack.undo()
    assert plan.recipe == Recipe()
    plan.change_phase(0, epochs=6)
    began = Recipe().phases[0].epochs
    plan.change_phase(0, epochs=began)
    assert stack.count() == 0, "back where it began"
    plan.change_phase(0, epochs=began)
    assert stack.count() == 0, "nothing has changed"


def test_switching_twice_is_two_steps(plan: RecipeEditor, stack: QUndoStack) -> None:
    plan.change_phase(0, enabled=False)
    plan.change_phase(0, enabled=True)
    assert stack.count() == 2


def test_undo_leaves_the_device_as_it_is(plan: RecipeEditor, stack: QUndoStack) -> None:
    plan.change_phase(0, epochs=9)
    plan.replace(device="cpu")
    stack.undo()
    assert plan.recipe == Recipe(device="cpu")


def test_the_last_enabled_phase_is_selected(plan: RecipeEditor) -> None:
    phases = [Phase(name=str(i), train=["head"], epochs=1, lr=1e-3, enabled=i < 2) for i in range(4)]
    plan.take(Recipe(phases=phases))
    assert plan.selected == 1
    plan.take(Recipe(phases=[]))
    assert plan.selected == -1 and plan.ticks == []
    plan.tick(["head"], "Tick head")
    assert plan.ticks == ["head"] and plan.selected == 0, "a tick makes the phase it needs"


def test_selection_follows_what_is_moved_and_removed(plan: RecipeEditor) -> None:
    plan.add()
    assert plan.selected == 2
    plan.move(2, -2)
    assert names(plan)[0] == "Last stage" and plan.selected == 0
    plan.select(1)
    plan.remove(0)
    assert plan.selected == 0 and names(plan)[0] == "Head", "the same phase, now the first"
    plan.select(1)
    plan.remove(1)
    assert plan.selected == 0
    plan.remove(0)
    assert len(plan.recipe.phases) == 1, "the last one stays"
    plan.move(0, -1)
    plan.select(5)
    assert plan.selected == 0


def test_selecting_is_no_undo_step(plan: RecipeEditor, stack: QUndoStack) -> None:
    plan.select(0)
    assert plan.ticks == ["head"] and stack.count() == 0


def test_a_name_follows_the_ticks_until_the_person_gives_one(plan: RecipeEditor) -> None:
    plan.tick(["blocks.6.0"], "Tick")
    assert names(plan)[1] == "Ticked layers"
    plan.tick(["stage 7"], "Tick")
    assert names(plan)[1] == "Stage 7" and plan.ticks == ["stage 7"]
    plan.change_phase(1, name="Mine")
    plan.tick(["everything"], "Preset")
    assert names(plan)[1] == "Mine"


def test_names_that_fit_any_model_are_kept(plan: RecipeEditor) -> None:
    plan.tick(["stage 3"], "Tick")
    plan.choose_backbone(Backbone(name="resnet18"))
    assert plan.ticks == ["last stage", "head"], "the new model may have no stage 3"
    assert plan.recipe.phases[1].epochs == 15 and plan.recipe.backbone.name == "resnet18"


def test_plans_have_no_problems_and_name_their_phases(plan: RecipeEditor) -> None:
    for template in TEMPLATES:
        plan.use(template)
        assert not plan.recipe.validate()
        assert all(phase.name == phase_name(phase.train) for phase in template.phases)


def test_choosing_a_model_is_a_step_and_empties_nothing(plan: RecipeEditor) -> None:
    plan.tick(["stage 3"], "Tick")
    ticked = plan.recipe
    plan.choose_backbone(Backbone(name="resnet18"))
    plan.change_phase(0, epochs=7)
    stack = plan.undo_stack
    assert [stack.text(at) for at in range(stack.count())][1] == "Choose resnet18"
    stack.undo()
    stack.undo()
    assert plan.recipe == ticked, "the old model's own layers are ticked again"
    stack.redo()
    assert plan.recipe.backbone.name == "resnet18" and plan.ticks == ["last stage", "head"]
    plan.choose_backbone(plan.recipe.backbone)
    assert stack.canRedo(), "the same model again is no step"


def test_going_back_from_a_model_that_can_not_be_had_loses_no_step(plan: RecipeEditor) -> None:
    stack = plan.undo_stack
    plan.tick(["stage 3"], "Tick")
    before = plan.recipe
    plan.choose_backbone(Backbone(name="resnet18"))
    plan.choose_backbone(Backbone(name="resnet50", weights="/x/own.pth"))
    assert stack.undoText() == "Choose resnet50 with own.pth"
    plan.go_back(before)
    assert plan.recipe == before and stack.canUndo() and stack.count() == 3
    plan.go_back(before)
    assert plan.recipe == before and stack.index() == 1, "already there: nothing else is undone"
    # By redo to the model, and back by undo; then the other way round.
    stack.redo()
    plan.go_back(before)
    assert plan.recipe == before and stack.index() == 1
    stack.redo()
    chosen = plan.recipe
    stack.undo()
    plan.go_back(chosen)
    assert plan.recipe == chosen and stack.index() == 2


def test_going_back_keeps_edits_made_meanwhile(plan: RecipeEditor) -> None:
    stack = plan.undo_stack
    plan.tick(["stage 3"], "Tick")
    before = plan.recipe
    plan.choose_backbone(Backbone(name="resnet18"))
    plan.change("training", "batch_size", 7)
    plan.go_back(before)
    assert plan.recipe.training.batch_size == 7 and plan.recipe.backbone == before.backbone
    assert plan.recipe.phases == before.phases, "with the layers of its own that were ticked"
    assert stack.undoText().startswith("Go back to ") and stack.count() == 4
    for _ in range(3):
        stack.undo()
    assert plan.recipe == before
