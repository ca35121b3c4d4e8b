"""Steering on the Train page: marks, steer bar, advice and comparison, with an engine that the test plays."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import FROM_SCRATCH, Recipe
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import TRAIN, MainWindow
from ftgui.ui.toolkit.curve_plot import CurvePlot
from ftgui.ui.toolkit.theme import Theme
from tests.conftest import Maker, leave_checkpoint
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project


@pytest.fixture
def opened(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> MainWindow:
    open_project(qtbot, window, fake, make_dataset())
    window.show_page(TRAIN)
    return window


def begin(window: MainWindow, fake: FakeEngine, step: int = 0, lr: float = 1e-3) -> Path:
    """The command has been sent; now the engine begins."""
    command = next(c for c in reversed(fake.sent) if isinstance(c, m.Train | m.Continue))
    fake.state(EngineKind.TRAINING)
    fake.tell(m.FreezingChanged(0, [5], ["head"], 6, 66))
    phases = ["Head", "Last stage"]
    fake.tell(m.TrainingStarted(command.run_folder, 1, phases, 13, 10, 2, "cpu", step))
    fake.tell(m.PhaseStarted(0, "Head", 0, 5, 13, lr, "aa"))
    return Path(command.run_folder)


def train(window: MainWindow, fake: FakeEngine) -> Path:
    window.train_or_pause()
    return begin(window, fake)


def steps(fake: FakeEngine, first: int, count: int = 10, groups: tuple[m.GroupRate, ...] = ()) -> None:
    many = list(range(first, first + count))
    values = [0.5] * count
    fake.tell(m.StepMetrics(many, values, values, values, 0, 1, 99.0, 9.0, list(groups)))


def run_adjusted(window: MainWindow, kind: str, text: str, step: int = 5, request: int = 1) -> None:
    window.workspace.training_requests.run_adjusted.emit(m.RunAdjusted(request, step, kind, text))


def finish(window: MainWindow, fake: FakeEngine, run: Path, reason: str = "done", accuracy: float = 0.875, **more):
    """As the engine and its worker do it: the folder's files, the event, then the state."""
    evaluation = m.Evaluation(["blue", "red"], [[3, 1], [0, 4]], 0.3, accuracy)
    recipe_file.save(window.workspace.training.recipe, run / "recipe.toml")
    (run / "result.json").write_text(json.dumps({"reason": reason, "best_accuracy": accuracy}), encoding="utf-8")
    if reason == "done":
        (run / "best").mkdir(exist_ok=True)
        (run / "best" / "model.safetensors").touch()
    event = m.TrainingFinished(str(run), reason, "A sentence.", 1, accuracy, 20, 9.0, evaluation, **more)
    fake.tell(event)
    fake.state(EngineKind.READY)


# --- marks on the plots ---------------------------------------------------------------------------------------------


def test_steering_and_pauses_are_marked_on_all_plots(opened: MainWindow, fake: FakeEngine) -> None:
    train(opened, fake)
    steps(fake, 1)
    run_adjusted(opened, "rate", "rate 3e-4")
    fake.tell(m.Paused(7))
    fake.tell(m.Resumed(7))
    for plot in opened.train_page.plots:
        assert [(mark.step, mark.text) for mark in plot.marks.steering] == [
            (5, "rate 3e-4"),
            (7, "paused"),
            (7, "resumed"),
        ]
        phase, steering = plot.marks.phases[0].line, plot.marks.steering[0].line
        assert phase.pen.style() != steering.pen.style(), "told apart without colour"
        assert phase.label.orthoPos > 0.5 > steering.label.orthoPos
        assert "step 5: rate 3e-4" in plot.plot.accessibleDescription()


def test_labels_of_close_marks_do_not_overlap(qtbot, theme: Theme) -> None:
    plot = CurvePlot("Loss", theme)
    qtbot.addWidget(plot)
    plot.resize(400, 300)
    plot.show()
    qtbot.waitExposed(plot)
    plot.plot.setXRange(0, 1000)
    for number in range(6):
        plot.mark_steering(100 + number, f"rate {number}e-4")
    plot.mark_steering(550, "layers {odd}")
    marks = plot.marks.steering
    assert [bool(mark.shown) for mark in marks] == [True, True, True, False, False, False, True]
    assert marks[2].shown == "rate 2e-4 +3", "what is hidden is counted"
    assert marks[-1].shown == "layers {odd}"
    plot.grab()  # graphics items know their places when they have been painted
    # Without the empty margin that a QTextDocument has.
    labels = [mark.line.label.sceneBoundingRect().adjusted(4, 4, -4, -4) for mark in marks if mark.shown]
    assert not any(a.intersects(b) for i, a in enumerate(labels) for b in labels[:i])
    assert "rate 5e-4" in marks[0].line.toolTip()
    plot.plot.setXRange(100, 106)
    assert all(mark.shown == mark.text for mark in marks[:6]), "closer by, there is room for all"


def test_a_continued_run_shows_its_curves_from_the_beginning(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    opened.train_or_pause()
    command = fake.last(m.Train)
    lines = [{"kind": "phase", "phase": 0, "name": "Head", "step": 0}]
    lines += [{"kind": "step", "step": n, "loss": 2.0, "accuracy": 0.1, "lr": 2e-3} for n in range(1, 7)]
    lines += [{"kind": "epoch", "step": 4, "val_loss": 1.5, "val_accuracy": 0.3}]
    lines += [{"kind": "run_adjusted", "step": 5, "what": "rate", "text": "rate 2e-3"}]
    folder = Path(command.run_folder)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    begin(opened, fake, step=5)
    steps(fake, 6, count=2)  # may arrive before what was is read
    page = opened.train_page
    qtbot.waitUntil(lambda: page.loss.steps.size == 7)
    assert page.loss.steps.x.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert page.loss.steps.y.tolist() == [2.0] * 5 + [0.5] * 2
    assert page.lr.steps.y.tolist() == pytest.approx([2.0] * 5 + [500.0] * 2), "in thousandths, once"
    assert (page.accuracy.val.x.tolist(), page.accuracy.val.y.tolist()) == ([4], [0.3])
    shown = [(mark.kind, mark.step, mark.text) for mark in page.loss.marks.all]
    assert shown == [("phase", 0, "Head"), ("steering", 5, "rate 2e-3")], "each once"
    left, right = page.loss.plot.getPlotItem().getViewBox().viewRange()[0]
    assert left <= 0 < 7 <= right


def test_a_run_that_was_continued_and_stopped_at_once_is_not_thrown_away(
    qtbot, opened: MainWindow, fake: FakeEngine
) -> None:
    """Its folder was made for a training that the engine did not survive."""
    folder = train(opened, fake)
    fake.state(EngineKind.CRASHED)
    fake.state(EngineKind.READY)
    fake.tell(m.TrainingFinished(str(folder), "stopped", "", 0, float("nan"), 0, 1.0, None))
    assert folder.is_dir()


def test_curves_that_are_lost_are_said_to_be(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    opened.train_or_pause()
    with qtbot.waitSignal(opened.workspace.message, check_params_cb=lambda kind, _: kind == "warning") as said:
        begin(opened, fake, step=5)
    assert "The earlier curves can't be shown" in said.args[1]


# --- the steer bar --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_rate_is_what_the_engine_says(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    train(opened, fake)
    bar = opened.train_page.steer
    assert bar.rate_field.isVisible() and not bar.scratch.isVisible()
    assert bar.rate_field.text() == "1e-3"
    bar.rate_field.selectAll()
    qtbot.keyClicks(bar.rate_field, "3,7e-4")
    steps(fake, 1, groups=(m.GroupRate("head", 1e-3, 5e-4),))
    qtbot.waitUntil(lambda: bar.rates.full != "")
    assert bar.rate_field.text() == "3,7e-4", "half a typed number is left alone"
    qtbot.keyClick(bar.rate_field, Qt.Key.Key_Return)
    asked = fake.last(m.ChangeRate)
    assert asked.lr == 3.7e-4
    assert "Requested: rate 3.7e-4" in bar.note.full
    run_adjusted(opened, "rate", "rate 4e-4", request=asked.request)
    assert not bar.note.isVisible()
    groups = (m.GroupRate("stage 7", 1e-4, 6e-5), m.GroupRate("head", 2e-4, 1.2e-4))
    steps(fake, 11, groups=groups)
    qtbot.waitUntil(lambda: bar.rate_field.text() == "2e-4")
    assert bar.rates.full == "stage 7: 6e-5 of 1e-4 · head: 1.2e-4 of 2e-4"
    bar.rate_field.setText("a lot")
    sent = len(fake.sent)
    qtbot.mouseClick(bar.set_rate, Qt.MouseButton.LeftButton)
    assert len(fake.sent) == sent and "“a lot” is not a number" in bar.note.full


@pytest.mark.slow
def test_what_was_refused_is_no_longer_asked_for(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    train(opened, fake)
    bar = opened.train_page.steer
    bar.rate_field.setText("2e-4")
    qtbot.keyClick(bar.rate_field, Qt.Key.Key_Return)
    first = fake.last(m.ChangeRate)
    qtbot.mouseClick(bar.finish, Qt.MouseButton.LeftButton)
    assert bar.note.full.startswith("Requested: rate 2e-4, end the phase.")
    fake.fail(m.FinishPhase, "Not now.")
    assert bar.note.full.startswith("Requested: rate 2e-4.") and bar.finish.isEnabled()
    fake.tell(m.CommandFailed(first.request, "Not this."))
    assert not bar.note.isVisible()


def test_early_stop_is_sent_once_and_follows_the_engine(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    train(opened, fake)
    bar = opened.train_page.steer
    assert bar.patience.value() == Recipe().training.early_stop
    asked = lambda: [c for c in fake.sent if isinstance(c, m.ChangeEarlyStop)]  # noqa: E731
    bar.patience_timer.setInterval(60_000)
    for _ in range(2):
        bar.patience.stepUp()
        assert bar.patience_timer.remainingTime() > 10_000, (
            "it waits for the last click, and not the value's milliseconds"
        )
    assert not asked()
    bar.patience_timer.timeout.emit()
    assert [command.epochs for command in asked()] == [7]
    run_adjusted(opened, "early-stop", "early stop after 6")
    assert bar.patience.value() == 6
    run_adjusted(opened, "early-stop", "early stop off")
    assert bar.patience.text() == "never"
    assert not bar.patience_timer.isActive() and len(asked()) == 1, "what the engine says is not sent back to it"


def test_finishing_a_phase_and_steering_while_paused(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    train(opened, fake)
    bar = opened.train_page.steer
    fake.tell(m.Paused(3))
    assert "at the first step after resuming" in bar.note.full
    qtbot.mouseClick(bar.finish, Qt.MouseButton.LeftButton)
    assert fake.last(m.FinishPhase) and not bar.finish.isEnabled()
    assert bar.note.full.startswith("Requested: end the phase. Paused")
    request = fake.last(m.FinishPhase).request
    fake.tell(m.Resumed(3))
    run_adjusted(opened, "finish-phase", "phase ended by hand", request=request)
    assert not bar.note.isVisible()
    fake.tell(m.PhaseStarted(1, "Last stage", 4, 8, 12, 3e-4, "bb"))
    assert bar.finish.isEnabled() and bar.rate_field.text() == "3e-4"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (m.FrozenFeaturesCached(0, True, 4, 12_000_000, False, "", 1.0), "frozen layers cached, 4 views, 12 MB"),
        (m.FrozenFeaturesCached(0, True, 1, 1_300_000, True, "", 1.0), "frozen layers cached, 1 view, 1.3 MB on disk"),
        (m.FrozenFeaturesCached(0, False, 0, 0, False, "it would not fit", 0), "nothing cached: it would not fit"),
    ],
)
def test_the_prefix_is_told(opened: MainWindow, fake: FakeEngine, event: m.FrozenFeaturesCached, text: str) -> None:
    train(opened, fake)
    opened.workspace.training_requests.features_cached.emit(event)
    assert opened.train_page.steer.prefix.full == text
    assert "very fast" in opened.train_page.steer.prefix.toolTip()


# --- advice ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_crashed_run_is_offered_and_continued(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    run = train(opened, fake)
    page = opened.train_page
    leave_checkpoint(run, opened.workspace.recipe, early_stop=9)
    fake.state(EngineKind.CRASHED, exit_code=-1)
    assert not page.banner.isVisible(), "there is no engine to do it"
    fake.become_ready()
    assert page.banner.sentence.text() == "Run 1 stopped at step 1,240 before it was finished."
    assert page.banner.action.text() == "Continue run 1 from step 1,240"
    assert "Run 1 stopped at step 1,240" in opened.status.text.text()
    qtbot.mouseClick(page.banner.action, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: any(isinstance(command, m.Continue) for command in fake.sent))
    (continued,) = [command for command in fake.sent if isinstance(command, m.Continue)]
    assert continued.run_folder == str(run)
    begin(opened, fake, step=1240)
    assert not page.banner.isVisible() and page.steer.patience.value() == 9
    steps(fake, 1241)
    assert "Run 1 continued" in opened.status.text.text()
    qtbot.waitUntil(lambda: not page.dirty)
    assert page.loss.plot.viewRange()[0][0] > 1200, "no gap from 0"
    assert not page.loss.has_ghost


@pytest.mark.slow
def test_a_run_that_can_not_be_continued_is_not_offered_again(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    run = train(opened, fake)
    leave_checkpoint(run, opened.workspace.recipe)
    fake.state(EngineKind.CRASHED, exit_code=-1)
    fake.become_ready()
    banner = opened.train_page.banner
    qtbot.mouseClick(banner.action, Qt.MouseButton.LeftButton)
    fake.state(EngineKind.TRAINING)
    refused = m.CommandFailed(fake.last(m.Continue).request, "The images are not those the run started with.")
    fake.tell(refused)
    fake.state(EngineKind.READY)
    assert not banner.isVisible() and "The images are not those" in opened.status.text.text()
    opened.workspace.model.load()
    fake.answer_load()
    assert not banner.isVisible()


@pytest.mark.slow
def test_advice_can_be_dismissed(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    run = train(opened, fake)
    leave_checkpoint(run, opened.workspace.recipe)
    fake.state(EngineKind.CRASHED, exit_code=-1)
    fake.become_ready()
    qtbot.mouseClick(opened.train_page.banner.dismiss, Qt.MouseButton.LeftButton)
    opened.workspace.model.load()
    fake.answer_load()
    assert not opened.train_page.banner.isVisible()
    assert opened.train_page.steer.go_on.text() == "Continue run 1", "it still can be continued"


@pytest.mark.slow
def test_after_an_explosion_a_lower_rate_is_offered(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    opened.workspace.recipe_editor.change_phase(0, enabled=False)  # phases are counted without it by the engine
    run = train(opened, fake)
    finish(opened, fake, run, "exploded", math.nan, phase=0, suggested_lr=3e-5)
    page = opened.train_page
    assert not page.banner.action.isEnabled(), "the engine forgets first what the run left in its memory"
    fake.answer_load()
    assert page.headline.text() == "Training diverged."
    assert opened.status.text.text().startswith("A sentence. Run 1 diverged"), (
        "and stays, though the engine is ready again"
    )
    assert page.banner.action.text() == "Train again at 3e-5" and page.banner.action.isEnabled()
    qtbot.mouseClick(page.banner.action, Qt.MouseButton.LeftButton)
    assert [phase.lr for phase in opened.workspace.recipe.phases] == [3e-3, 3e-5]
    assert fake.last(m.Train).recipe.phases[1].lr == 3e-5
    begin(opened, fake)
    assert not page.banner.isVisible()


@pytest.mark.slow
def test_a_model_that_the_disk_did_not_take_can_be_saved_again_or_elsewhere(
    qtbot, opened: MainWindow, fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(opened, fake)
    finish(opened, fake, run, "failed", 0.9, unsaved=True)
    fake.answer_load()  # the model in use again; what is not saved stays in memory beside it
    banner = opened.train_page.banner
    assert banner.isVisible() and "still in memory" in banner.sentence.text()

    qtbot.mouseClick(banner.action, Qt.MouseButton.LeftButton)
    again = fake.last(m.SaveModel)
    assert again.folder == ""
    fake.tell(m.CommandFailed(again.request, "The model can't be written to there."))
    assert banner.isVisible() and "can't be written" in opened.status.text.text()

    (tmp_path / run.name).mkdir()  # what is there already is left alone
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    qtbot.mouseClick(banner.elsewhere, Qt.MouseButton.LeftButton)
    elsewhere = fake.last(m.SaveModel)
    assert Path(elsewhere.folder) == tmp_path / f"{run.name}-2"
    fake.tell(m.ModelSaved(elsewhere.request, elsewhere.folder))
    assert not banner.isVisible() and elsewhere.folder in opened.status.text.text()


# --- comparison -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_last_run_stays_as_a_ghost(qtbot, opened: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    loss = opened.train_page.loss
    run = train(opened, fake)
    steps(fake, 1, 4)
    assert "last run" not in loss.legend.text()
    finish(opened, fake, run)
    train(opened, fake)
    assert loss.has_ghost and loss.ghost.xData.tolist() == [1, 2, 3, 4]
    assert loss.steps.size == 0 and "last run" in loss.legend.text()
    fake.state(EngineKind.READY)
    open_project(qtbot, opened, fake, make_dataset(name="other"))
    assert not loss.has_ghost and "last run" not in loss.legend.text()


@pytest.mark.slow
def test_a_comparison_from_scratch_leaves_the_project_as_it_was(qtbot, opened, fake: FakeEngine) -> None:
    workspace, page = opened.workspace, opened.train_page
    pretrained = train(opened, fake)
    finish(opened, fake, pretrained, accuracy=0.954)
    before = workspace.recipe
    qtbot.mouseClick(page.steer.scratch, Qt.MouseButton.LeftButton)
    assert fake.last(m.Train).recipe.backbone.weights == FROM_SCRATCH
    assert fake.last(m.Train).recipe == msgspec.structs.replace(before, backbone=fake.last(m.Train).recipe.backbone)
    run = begin(opened, fake)
    assert run.name == "0002-scratch-head-last-stage"
    assert "from scratch" in page.explanation.text()
    finish(opened, fake, run, accuracy=0.612)
    assert "From scratch: 61.2 %; pretrained: 95.4 %." in page.explanation.text()
    load = fake.last(m.LoadModel)
    assert load.backbone == before.backbone
    assert load.trained_weights == str(pretrained / "best"), "not the newest run's"
    assert workspace.recipe == before
    fake.answer_load()
    workspace.training.start()
    begin(opened, fake)
    assert not workspace.training.comparing
