"""What the Train page says of a run that is over, and the buttons beside it, with an engine that the test plays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import EVALUATE, TRAIN, MainWindow
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project
from tests.ui.train.test_run_controls import train


@pytest.fixture
def opened(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> MainWindow:
    open_project(qtbot, window, fake, make_dataset())
    window.show_page(TRAIN)
    return window


def end(window: MainWindow, fake: FakeEngine, run: Path, reason: str = "done", train_accuracy: float = 1.0) -> None:
    """A run of two phases whose second gained nothing, that memorised, and in which “red” lags behind."""
    recipe_file.save(window.workspace.training.recipe, run / "recipe.toml")
    figures = {"kind": "epoch", "train_accuracy": train_accuracy, "val_accuracy": 0.75, "val_loss": 0.5, "seconds": 1.0}
    epochs = [{**figures, "phase": phase, "epoch": 2 * phase + n, "step": 1} for phase in (0, 1) for n in (1, 2)]
    lines = [*epochs, {"kind": "phase-end", "phase": 1, "early": True}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    evaluation = {"class_names": ["blue", "red"], "confusion": [[50, 0], [25, 25]], "loss": 0.3, "accuracy": 0.75}
    result = {"reason": reason, "best_accuracy": 0.75, "best_epoch": 1, "evaluation": evaluation}
    (run / "result.json").write_text(json.dumps(result), encoding="utf-8")
    (run / "best").mkdir(exist_ok=True)
    (run / "best" / "model.safetensors").touch()
    fake.tell(m.TrainingFinished(str(run), reason, "A sentence.", 1, 0.75, 20, 9.0, None))
    fake.state(EngineKind.READY)


def test_the_first_three_are_said_in_place_of_the_preview(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    page = opened.train_page
    end(opened, fake, train(opened, fake))
    qtbot.waitUntil(lambda: bool(page.verdicts.verdicts))
    assert page.verdicts.isVisible() and page.words.preview_place.isHidden()
    assert [one.kind for one in page.verdicts.verdicts] == ["memorised", "phase gained nothing", "class drags"]
    assert page.verdicts.certainty.text().startswith("75 of 100 validation images are classified correctly.")

    opened.train_or_pause()
    fake.state(EngineKind.TRAINING)
    assert not page.verdicts.isVisible() and page.words.preview_place.isVisible()


def test_each_button_does_what_it_says_and_can_be_undone(qtbot, opened: MainWindow, fake: FakeEngine) -> None:
    page, workspace = opened.train_page, opened.workspace
    end(opened, fake, train(opened, fake))
    qtbot.waitUntil(lambda: bool(page.verdicts.buttons))
    augmentation, phase, mistakes = page.verdicts.buttons
    before = workspace.recipe

    augmentation.click()
    assert workspace.recipe.augmentation.preset == "strong" and not augmentation.isEnabled()
    assert phase.isEnabled(), "the phases are as they were"
    phase.click()
    assert [one.enabled for one in workspace.recipe.phases] == [True, False] and not phase.isEnabled()
    workspace.undo_stack.undo()
    workspace.undo_stack.undo()
    assert workspace.recipe == before and augmentation.isEnabled() and phase.isEnabled()

    mistakes.click()
    assert opened.pages.currentIndex() == EVALUATE
    title = opened.evaluate_page.browser.title
    qtbot.waitUntil(lambda: title.text().startswith("“red” taken for something else"))


def test_what_a_damaged_folder_does_not_say_is_not_said(qtbot, opened: MainWindow, fake: FakeEngine, caplog) -> None:
    run = train(opened, fake)
    (run / "metrics.jsonl").unlink(missing_ok=True)
    fake.tell(m.TrainingFinished(str(run), "done", "A sentence.", 1, 0.75, 20, 9.0, None))
    fake.state(EngineKind.READY)
    qtbot.waitUntil(lambda: "can't be said" in caplog.text)
    assert opened.train_page.verdicts.verdicts == [] and opened.train_page.words.preview_place.isVisible()


def test_the_best_epoch_is_marked_and_the_status_line_forgets_the_last(opened: MainWindow, fake: FakeEngine) -> None:
    page = opened.train_page
    run = train(opened, fake)
    for epoch, accuracy, best in ((1, 0.5, True), (2, 0.75, True), (3, 0.6, False)):
        fake.tell(m.EpochFinished(0, epoch, 10 * epoch, 0.5, 0.9, 1 - accuracy, accuracy, best, 1.0, []))
    for plot, value in ((page.loss, 0.25), (page.accuracy, 0.75)):
        assert plot.best == (20, value)
    assert "60.0 %" in opened.status.score.text()
    end(opened, fake, run)
    assert opened.status.score.text() == "", "the model in use is that of the best epoch"
    opened.train_or_pause()
    fake.state(EngineKind.TRAINING)
    assert page.accuracy.best is None
