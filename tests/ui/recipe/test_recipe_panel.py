"""The recipe editor as a person uses it: cards, fields, problems at their field, keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Augmentation, Phase, Recipe, Training
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.recipe.phase_card import PhaseCard
from ftgui.ui.recipe.recipe_panel import RecipePanel
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import finish, open_project, start_training

pytestmark = pytest.mark.slow


@pytest.fixture
def panel(window: MainWindow) -> RecipePanel:
    return window.recipe


def click(qtbot, widget) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(30, 8))


def type_into(qtbot, field, text: str) -> None:
    field.selectAll()
    field.insert(text)  # as typing does; key events know only Latin letters
    qtbot.keyClick(field, Qt.Key.Key_Return)


def choose_plan(panel: RecipePanel, title: str) -> None:
    next(action for action in panel.presets.menu().actions() if action.text() == title).trigger()


def open_cards(panel: RecipePanel) -> list[int]:
    return [index for index, card in enumerate(panel.cards) if card.body.isVisibleTo(panel)]


# --- cards ----------------------------------------------------------------------------------------------------------


def test_the_tree_shows_and_edits_the_selected_phase(qtbot, window, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    panel, plan = window.recipe, window.workspace.recipe_editor
    assert open_cards(panel) == [1] and "last stage, head" in panel.cards[1].layers.full
    assert window.layers.preset.currentText() == "Last stage + head"
    click(qtbot, panel.cards[0])
    assert open_cards(panel) == [0] and fake.last(m.SetTrainable).layers == ["head"]
    fake.answer_ticks()
    assert window.layers.preset.currentText() == "Head" and window.layers.whose.full == "phase 1: trainable layers"
    window.layers.model.toggle(0, True)
    assert fake.last(m.SetTrainable).layers == ["stem", "head"]
    fake.answer_ticks()
    assert [phase.train for phase in plan.recipe.phases] == [["stem", "head"], ["last stage", "head"]]
    window.workspace.saver.wait()
    assert recipe_file.load(window.workspace.project.recipe_path) == plan.recipe
    window.workspace.undo_stack.undo()
    assert fake.last(m.SetTrainable).layers == ["head"] and plan.recipe.phases[0].train == ["head"]


def test_a_late_answer_about_another_phase_is_not_taken_for_this_ones(window, fake: FakeEngine) -> None:
    fake.become_ready()
    workspace = window.workspace
    workspace.layer_ticks.tick(["stem"], "x")
    late = fake.last(m.SetTrainable).request
    workspace.recipe_editor.select(0)
    workspace.layer_ticks.tick(["stage 1"], "y")
    fake.tell(m.FreezingChanged(late, [0], ["stem"], 10, 66))
    assert [phase.train for phase in workspace.recipe.phases] == [["stage 1"], ["stem"]]


def test_adding_moving_duplicating_and_removing(panel: RecipePanel, workspace: Workspace) -> None:
    plan = workspace.recipe_editor
    panel.add_phase.click()
    assert len(panel.cards) == 3 and open_cards(panel) == [2] and panel.cards[2].hasFocus()
    assert not panel.cards[2].down.isEnabled() and panel.cards[2].up.isEnabled()
    panel.cards[2].up.click()
    assert plan.selected == 1 and open_cards(panel) == [1]
    panel.cards[1].copy.click()
    assert len(panel.cards) == 4 and plan.recipe.phases[1] == plan.recipe.phases[2] and plan.selected == 2
    panel.cards[2].remove.click()
    assert len(panel.cards) == 3
    for _ in range(4):
        workspace.undo_stack.undo()
    assert plan.recipe == Recipe() and len(panel.cards) == 2


def test_cards_by_keyboard(qtbot, panel: RecipePanel, workspace: Workspace) -> None:
    plan = workspace.recipe_editor
    panel.cards[1].setFocus()
    qtbot.keyClick(panel.cards[1], Qt.Key.Key_Up)
    assert plan.selected == 0 and panel.cards[0].hasFocus()
    qtbot.keyClick(panel.cards[0], Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert [phase.name for phase in plan.recipe.phases] == ["Last stage", "Head"]
    assert plan.selected == 1 and panel.cards[1].hasFocus()
    qtbot.keyClick(panel.cards[1], Qt.Key.Key_Delete)
    assert [phase.name for phase in plan.recipe.phases] == ["Last stage"] and not panel.cards[0].remove.isEnabled()
    qtbot.keyClick(panel.cards[0], Qt.Key.Key_Delete)
    assert len(plan.recipe.phases) == 1
    workspace.undo_stack.undo()
    panel.cards[1].name.setFocus()
    qtbot.keyClick(panel.cards[1].name, Qt.Key.Key_Up)
    assert plan.selected == 1, "a key typed into a field is the field's"


def test_a_phase_that_is_off_keeps_its_numbers_and_says_so(qtbot, panel: RecipePanel, workspace: Workspace) -> None:
    qtbot.mouseClick(panel.cards[0].enabled, Qt.MouseButton.LeftButton)
    recipe = workspace.recipe_editor.recipe
    assert not recipe.phases[0].enabled and recipe.phases[0].epochs == 15
    assert panel.cards[0].summary.full == "off · 15 epochs · 3e-3 · head"
    assert workspace.recipe_editor.selected == 1, "switching a phase does not take the person elsewhere"
    qtbot.mouseClick(panel.cards[1].enabled, Qt.MouseButton.LeftButton)
    assert panel.none_note.isVisibleTo(panel) and "Add a phase or switch one on" in panel.none_note.text.text()


def test_whole_plans_are_one_step(panel: RecipePanel, workspace: Workspace) -> None:
    choose_plan(panel, "Head, last stage, everything")
    phases = workspace.recipe_editor.recipe.phases
    assert [phase.name for phase in phases] == ["Head", "Last stage", "Everything"]
    assert phases[2].layer_decay == 0.5 and phases[2].lr < phases[1].lr
    assert all(action.toolTip() for action in panel.presets.menu().actions())
    workspace.undo_stack.undo()
    assert workspace.recipe_editor.recipe == Recipe()


# --- fields ---------------------------------------------------------------------------------------------------------


def test_editing_a_card(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    card = window.recipe.cards[1]
    rate = card.fields["lr"].editor
    type_into(qtbot, rate, "1.25e-3")
    card.fields["epochs"].editor.setValue(9)
    for nonsense in ("50", "fast", ""):
        type_into(qtbot, rate, nonsense)
        assert rate.text() == "1.25e-3"
    type_into(qtbot, rate, "2e-4")
    card.fields["layer_decay"].editor.stepBy(-2)
    type_into(qtbot, card.name, "最後 stage")
    window.workspace.saver.wait()
    saved = recipe_file.load(window.workspace.project.recipe_path).phases[1]
    assert (saved.epochs, saved.lr, saved.layer_decay, saved.name) == (9, 2e-4, 0.9, "最後 stage")
    type_into(qtbot, card.name, "  ")
    assert card.name.text() == "最後 stage", "a phase has a name"


def test_editing_what_all_phases_share(qtbot, panel: RecipePanel, workspace: Workspace) -> None:
    panel.training.toggle.click()
    fields = panel.training.fields
    fields["training.batch_size"].editor.setValue(16)
    fields["training.warmup"].editor.setValue(25)
    fields["training.label_smoothing"].editor.setValue(5)
    fields["training.weight_decay"].editor.setValue(0.05)
    fields["training.early_stop"].editor.setValue(0)
    fields["seed"].editor.setValue(3)
    for name, row in (("training.ema", 2), ("training.balance", 1)):
        fields[name].editor.setCurrentIndex(row)
        fields[name].editor.activated.emit(row)
    assert fields["training.early_stop"].editor.text() == "never"
    preset = panel.augmentation.fields["augmentation.preset"].editor
    preset.setCurrentText("strong")
    preset.activated.emit(preset.currentIndex())
    views = panel.augmentation.fields["augmentation.views"].editor
    assert views.currentText() == "automatic"
    views.setCurrentText("fresh every time")
    views.activated.emit(views.currentIndex())
    assert workspace.recipe_editor.recipe == Recipe(
        seed=3,
        training=Training(
            batch_size=16, warmup=0.25, label_smoothing=0.05, weight_decay=0.05, early_stop=0, ema=0.99, balance="loss"
        ),
        augmentation=Augmentation(preset="strong", views=0),
    )
    workspace.undo_stack.undo()
    assert workspace.recipe_editor.recipe.augmentation == Augmentation(preset="strong"), (
        "the number is the default again"
    )


def test_ctrl_z_in_a_field_undoes_the_last_edit(qtbot, window: MainWindow) -> None:
    window.activateWindow()
    editor = window.recipe.cards[1].fields["epochs"].editor
    editor.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    editor.stepBy(3)
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.workspace.recipe == Recipe() and editor.value() == 15


def test_the_wheel_scrolls_and_changes_nothing(panel: RecipePanel, workspace: Workspace) -> None:
    editor = panel.cards[1].fields["epochs"].editor
    panel.cards[1].setFocus()
    middle = QPointF(editor.rect().center())
    event = QWheelEvent(
        middle,
        editor.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(editor, event)
    assert workspace.recipe_editor.recipe == Recipe()


def test_every_field_teaches_and_says_its_range(panel: RecipePanel) -> None:
    fields = [*panel.cards[0].fields.values(), *panel.training.fields.values(), *panel.augmentation.fields.values()]
    assert len(fields) == 14
    for field in fields:
        lines = field.widget.toolTip().splitlines()
        assert len(lines) >= 2 and len(lines[0]) > 40 and field.widget.accessibleName()


def test_the_schedule_is_drawn_as_it_will_be_applied(panel: RecipePanel, workspace: Workspace) -> None:
    choose_plan(panel, "Head, last stage, everything")
    card = panel.cards[2]
    card.show_schedule(100, 4)
    first, *others = card.schedule.curves()
    assert max(first) == 1.0 and 0.08 < first.index(1.0) / (len(first) - 1) < 0.12
    assert first[0] < 0.2 and first[-1] == pytest.approx(0)
    assert [max(curve) for curve in others] == [0.5, 0.25, 0.125]
    workspace.recipe_editor.change("training", "warmup", 0.5)
    card.show_schedule(100, 4)
    assert card.schedule.curves()[0].index(1.0) == pytest.approx(48, abs=2)


# --- problems -------------------------------------------------------------------------------------------------------


def test_a_rate_that_does_not_suit_is_told_at_its_field_with_a_fix(
    qtbot, panel: RecipePanel, workspace: Workspace
) -> None:
    card = panel.cards[1]
    field = card.fields["lr"]
    assert not field.note.isVisibleTo(panel)
    type_into(qtbot, field.editor, "0.5")
    assert field.note.isVisibleTo(panel)
    assert field.note.text.text().startswith("A learning rate of 5e-1 is far above what suits pretrained layers")
    assert field.note.fix.text() == "Use 8e-5"
    workspace.recipe_editor.select(0)
    assert card.problem_mark.isVisibleTo(panel) and "far above" in card.problem_mark.toolTip(), (
        "a closed card has a mark"
    )
    workspace.recipe_editor.select(1)
    field.note.fix.click()
    assert workspace.recipe_editor.recipe.phases[1].lr == 8e-5 and field.editor.text() == "8e-5"
    assert not field.note.isVisibleTo(panel) and not card.problem_mark.isVisibleTo(panel)


def test_a_hand_written_recipe_shows_its_values_and_its_problems(window: MainWindow) -> None:
    panel = window.recipe
    bad = Phase(name="Bad", train=[], epochs=-3, lr=-1.0, layer_decay=2.0)
    training = Training(
        batch_size=0, warmup=1.5, label_smoothing=float("nan"), weight_decay=-1.0, early_stop=-2, ema=1.0, balance="yes"
    )
    recipe = Recipe(phases=[bad], training=training, augmentation=Augmentation(preset="wild", views=99))
    window.workspace.recipe_editor.take(recipe)
    card, shared = panel.cards[0], panel.training.fields | panel.augmentation.fields
    for note in (card.layers_note, *(field.note for field in card.fields.values())):
        assert note.isVisibleTo(card) and note.text.text()
    assert card.fields["epochs"].editor.value() == -3 and card.fields["layer_decay"].editor.value() == 2.0
    assert card.layers_note.text.text().startswith("Nothing would learn")
    for name, field in shared.items():
        assert (
            field.note.isVisibleTo(panel.training.content) == (name not in ("seed", "training.compile"))
            or "augmentation" in name
        )
    assert shared["augmentation.preset"].editor.currentText() == "wild"
    assert shared["augmentation.preset"].note.text.text().startswith("The augmentation is one of")
    assert shared["training.early_stop"].editor.text() == "-2 epochs", "not “never”"
    assert panel.training.problem_mark.isVisibleTo(panel.training)
    assert window.workspace.recipe == recipe, "showing it changes nothing"


# --- while a training runs ------------------------------------------------------------------------------------------


def test_cards_show_the_run_and_are_locked_but_ticks_steer(qtbot, window, fake: FakeEngine, make_dataset) -> None:
    open_project(qtbot, window, fake, make_dataset())
    workspace, panel = window.workspace, window.recipe
    workspace.recipe_editor.add()
    workspace.recipe_editor.change_phase(0, enabled=False)
    intended = workspace.recipe
    run = start_training(window, fake)

    def states(panel: RecipePanel = panel) -> list[str]:
        return [card.state for card in panel.cards]

    assert states() == ["waiting", "running", "waiting"], "counted in phases that are on"
    card: PhaseCard = panel.cards[2]
    for widget in (card.name, card.enabled, card.remove, *(field.widget for field in card.fields.values())):
        assert not widget.isEnabled()
    assert "Training is in progress" in card.fields["lr"].widget.toolTip() and not panel.presets.isEnabled()
    assert not panel.training.fields["seed"].widget.isEnabled()
    assert window.layers.whose.full == "trainable layers now"
    fake.tell(m.FreezingChanged(0, [5], ["head"], 6, 66))
    assert window.layers.preset.currentText() == "Head", "what the running phase ticked, not the selected one"
    steps = workspace.undo_stack.count()
    window.layers.model.toggle(0, True)
    run_adjusted = fake.last(m.SetTrainable)
    assert "stem" in run_adjusted.layers and fake.sent[-1] is run_adjusted
    fake.answer_ticks()
    assert workspace.recipe == intended and workspace.undo_stack.count() == steps
    workspace.recipe_editor.select(0)
    assert fake.last(m.SetTrainable) is run_adjusted, "looking at a card does not steer"
    fake.tell(m.PhaseStarted(1, "Last stage", 2, 5, 7, 1e-4, "aa"))
    assert states() == ["waiting", "done", "running"]
    finish(window, fake, run)
    assert states() == ["waiting", "done", "done"]
    assert fake.last(m.SetTrainable) is not run_adjusted, "the model goes back to what the selected phase says"
    assert panel.cards[2].name.isEnabled()
    panel.cards[1].fields["epochs"].editor.setValue(2)
    assert states() == ["waiting"] * 3, "these are not the phases that ran"


def test_undo_is_off_while_a_training_runs(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    window.workspace.recipe_editor.add()
    fake.state(EngineKind.TRAINING)
    assert not window.menu.undo.isEnabled()
    fake.state(EngineKind.READY)
    assert window.menu.undo.isEnabled()
