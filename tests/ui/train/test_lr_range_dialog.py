"""The range test's dialog: live curve, a line to be moved by mouse, keys and field, and every way it can end."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

RATES = [1e-6, 1e-4, 1e-2, 1e-1, 1.0]
LOSSES = [2.0, 1.9, 0.7, 0.5, 4.0]


@pytest.fixture
def opened(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> MainWindow:
    assert not window.menu.find_learning_rate.isEnabled(), "no data and no model yet"
    open_project(qtbot, window, fake, make_dataset())
    return window


@pytest.fixture
def dialog(opened: MainWindow):
    from ftgui.ui.train.lr_range_dialog import RateTestDialog

    assert opened.menu.find_learning_rate.isEnabled()
    opened.dialogs.find_learning_rate()
    return opened.findChild(RateTestDialog)


def sent(fake: FakeEngine, kind: type) -> list[m.Command]:
    return [command for command in fake.sent if isinstance(command, kind)]


def play(qtbot, dialog, fake: FakeEngine) -> int:
    """Start, and some steps of the engine's."""
    dialog.start.click()
    request = sent(fake, m.FindLearningRate)[-1].request
    for lr, loss in zip(RATES[:3], LOSSES, strict=False):
        fake.tell(m.LearningRateTried(request, lr, loss))
    qtbot.waitUntil(lambda: dialog.plot.points == 3)
    return request


def finish(qtbot, dialog, fake: FakeEngine, suggestion: float = 1e-2, why: str = "It falls.") -> None:
    request = play(qtbot, dialog, fake)
    event = m.LearningRateFound(request, RATES, LOSSES, suggestion, why)
    fake.tell(event)
    qtbot.waitUntil(lambda: dialog.plot.has_line)


def test_it_tests_the_selected_phase_or_another(qtbot, dialog, opened: MainWindow, fake: FakeEngine) -> None:
    assert dialog.phases.currentText() == "2 Last stage (now 1e-3)"
    assert not dialog.use.isEnabled()
    play(qtbot, dialog, fake)
    question = fake.last(m.FindLearningRate)
    assert question.phase == 1 and question.recipe == opened.workspace.recipe
    assert question.catalog == str(opened.workspace.project.catalog_path)
    assert not dialog.phases.isEnabled() and dialog.start.text() == "Stop"
    dialog.start.click()
    fake.tell(m.LearningRateFound(question.request, [], [], 0.0, "Stopped."))
    qtbot.waitUntil(dialog.phases.isEnabled)
    dialog.phases.setCurrentIndex(0)
    dialog.phases.activated.emit(0)
    assert dialog.plot.points == 0
    play(qtbot, dialog, fake)
    assert fake.last(m.FindLearningRate).phase == 0


def test_the_suggestion_is_taken_in_one_undo_step(qtbot, dialog, opened: MainWindow, fake: FakeEngine) -> None:
    finish(qtbot, dialog, fake)
    assert dialog.verdict.text() == "It falls."
    assert dialog.plot.points == 5
    assert dialog.plot.line.label.toPlainText() == dialog.field.editor.text() == "1e-2"
    assert dialog.use.text() == "Use 1e-2 for phase Last stage"
    before = opened.workspace.undo_stack.count()
    dialog.use.click()
    assert opened.workspace.recipe.phases[1].lr == 1e-2
    assert opened.workspace.undo_stack.count() == before + 1
    assert not dialog.isVisible()
    opened.workspace.undo_stack.undo()
    assert opened.workspace.recipe.phases[1].lr == 1e-3


def test_line_field_and_keys_move_each_other(qtbot, dialog, fake: FakeEngine) -> None:
    finish(qtbot, dialog, fake)
    dialog.field.editor.selectAll()
    qtbot.keyClicks(dialog.field.editor, "4e-3")
    qtbot.keyClick(dialog.field.editor, Qt.Key.Key_Return)
    assert dialog.plot.rate == 4e-3 and dialog.use.text().startswith("Use 4e-3 ")
    assert dialog.isVisible(), "Enter in the field is for the field"
    dialog.plot.setFocus()
    qtbot.keyClick(dialog.plot, Qt.Key.Key_Left)
    assert dialog.plot.rate == 3.6e-3 and dialog.field.editor.text() == "3.6e-3"
    for _ in range(2):
        qtbot.keyClick(dialog.plot, Qt.Key.Key_Right)
    assert dialog.plot.rate == 4.5e-3
    dialog.field.edited.emit(5.0)
    assert dialog.field.editor.text() == "1e0", "what is used is what the plot shows"


def test_the_line_is_dragged_by_the_mouse(qtbot, dialog, fake: FakeEngine) -> None:
    finish(qtbot, dialog, fake)
    box = dialog.plot.getPlotItem().getViewBox()

    def at(exponent: float):
        return dialog.plot.mapFromScene(box.mapViewToScene(QPointF(exponent, 1.5)))

    view = dialog.plot.viewport()
    qtbot.wait(50)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at(-2))
    for step in range(1, 9):
        QTest.mouseMove(view, at(-2 - step / 8), 30)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at(-3))
    assert dialog.plot.rate == pytest.approx(1e-3, rel=0.1)
    assert dialog.use.text() == f"Use {dialog.field.editor.text()} for phase Last stage"


def test_without_a_suggestion_the_line_stands_at_the_present_rate(qtbot, dialog, fake: FakeEngine) -> None:
    finish(qtbot, dialog, fake, suggestion=0.0, why="The loss did not fall.")
    assert dialog.plot.rate == 1e-3
    assert dialog.verdict.text() == "The loss did not fall. The line marks the phase's current rate, 1e-3."


def test_closing_ends_the_test_once(qtbot, dialog, opened: MainWindow, fake: FakeEngine) -> None:
    play(qtbot, dialog, fake)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    opened.workspace.training_requests.stop_rate_test()
    assert len(sent(fake, m.CancelRequest)) == 1


def test_closing_when_nothing_runs_stops_nothing(qtbot, dialog, fake: FakeEngine) -> None:
    finish(qtbot, dialog, fake)
    dialog.close()
    assert not sent(fake, m.CancelRequest)


def test_a_training_ends_the_test_first(qtbot, dialog, opened: MainWindow, fake: FakeEngine) -> None:
    request = play(qtbot, dialog, fake)
    opened.workspace.training.start()
    kinds = [type(command) for command in fake.sent]
    assert kinds.index(m.CancelRequest) < kinds.index(m.Train), "afterwards it would end the training"
    fake.state(EngineKind.TRAINING)
    fake.tell(m.LearningRateFound(request, [], [], 0.0, "Stopped."))
    qtbot.waitUntil(lambda: "Training has started" in dialog.verdict.text())
    assert (
        not dialog.start.isEnabled() and not dialog.use.isEnabled() and not opened.menu.find_learning_rate.isEnabled()
    )
    dialog.close()
    assert len(sent(fake, m.CancelRequest)) == 1


def test_a_crash_in_the_middle_is_said(qtbot, dialog, fake: FakeEngine) -> None:
    play(qtbot, dialog, fake)
    fake.state(EngineKind.CRASHED, exit_code=-1)
    assert "engine ended" in dialog.verdict.text()
    assert not dialog.start.isEnabled() and not dialog.plot.has_line
    dialog.close()
    assert not sent(fake, m.CancelRequest)


def test_a_refusal_is_said_in_the_dialog_only(qtbot, dialog, opened: MainWindow, fake: FakeEngine) -> None:
    said: list[str] = []
    opened.workspace.progress.busy.connect(lambda what, _done, _total: said.append(what))
    request = play(qtbot, dialog, fake)
    fake.tell(m.CommandFailed(request, "There are not two classes."))
    assert dialog.verdict.text() == "There are not two classes."
    assert dialog.start.text() == "Start" and dialog.start.isEnabled()
    assert said[-2:] == ["trying learning rates", ""]


@pytest.mark.slow
def test_a_change_that_matters_makes_the_curve_void(qtbot, dialog, opened: MainWindow, fake: FakeEngine) -> None:
    finish(qtbot, dialog, fake)
    plan = opened.workspace.recipe_editor
    plan.change_phase(1, epochs=3)
    assert dialog.plot.has_line, "the length of a phase changes nothing"
    plan.tick(["head"], "Preset Head")
    assert not dialog.plot.has_line and "has changed" in dialog.verdict.text()
    finish(qtbot, dialog, fake)
    plan.change_phase(1, enabled=False)
    assert not dialog.plot.has_line and dialog.phases.count() == 1


def test_there_is_one_dialog_and_it_goes_with_the_project(qtbot, dialog, opened: MainWindow, make_dataset) -> None:
    opened.dialogs.find_learning_rate()
    from ftgui.ui.train.lr_range_dialog import RateTestDialog

    assert len(opened.findChildren(RateTestDialog)) == 1
    with qtbot.waitSignal(opened.workspace.project_changed):
        opened.workspace.open_dataset(make_dataset(name="others"))
    assert not dialog.isVisible()
    qtbot.waitUntil(lambda: not opened.workspace.checking)


@pytest.mark.slow
def test_the_plot_follows_the_theme(qtbot, dialog, opened: MainWindow, fake: FakeEngine) -> None:
    finish(qtbot, dialog, fake)
    for scheme in ("dark", "light"):
        opened.theme.choose(scheme)
        colors = opened.theme.colors
        assert dialog.plot.backgroundBrush().color() == QColor(colors.card)
        assert dialog.plot.curve.opts["pen"].color() == QColor(colors.accent)
        assert dialog.plot.line.pen.color() == QColor(colors.second)
