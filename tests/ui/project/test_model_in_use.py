"""The run in use, as the window shows it and as the engine's memory follows it."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from ftgui.runs.model_in_use import read_choice, read_trained_run
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.runs.export_model_dialog import ExportModelDialog
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import Maker
from tests.made_runs import make_run
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project, start_training

pytestmark = pytest.mark.slow


@pytest.fixture
def dataset(make_dataset: Maker) -> Path:
    return make_dataset(count=10)


@pytest.fixture
def project(dataset: Path) -> Project:
    """Run 1 reached 96.1 %, run 2 diverged at 87.6 %."""
    made = Project.for_dataset(dataset)
    make_run(made.runs_folder, 1, accuracies=(0.9, 0.961))
    make_run(made.runs_folder, 2, accuracies=(0.876,), reason="exploded")
    return made


@pytest.fixture
def opened(qtbot, window: MainWindow, fake: FakeEngine, project: Project, dataset: Path) -> MainWindow:
    open_project(qtbot, window, fake, dataset)
    return window


def weights(fake: FakeEngine) -> str:
    """Name of the run whose model was asked for last."""
    asked = fake.last(m.LoadModel).trained_weights
    return Path(asked).parent.name if asked else ""


def train(window: MainWindow, fake: FakeEngine, accuracy: float, reason: str = "done", number: int = 3) -> Path:
    """A run of the open project, with its model, from the first step to its end."""
    folder = start_training(window, fake)
    shutil.rmtree(folder)
    made = make_run(folder.parent, number, accuracies=(accuracy,), reason=reason)
    made.replace(folder)
    known = read_trained_run(folder)
    event = m.TrainingFinished(str(folder), reason, "Over.", 1, accuracy, 9, 1.0, None, validation=known.validation)
    fake.tell(event)  # in the worker's order: the end, then that it is ready
    fake.state(EngineKind.READY)
    return folder


def answer(window: MainWindow, fake: FakeEngine, trained: bool) -> None:
    fake.answer_load()
    assert window.workspace.model.loaded is not None and window.workspace.model.is_trained == trained


def evaluated(fake: FakeEngine) -> list[str]:
    return [Path(c.run_folder).name for c in fake.sent if isinstance(c, m.EvaluateImages)]


def test_an_exploded_run_is_not_the_model_and_the_window_says_which_is(opened: MainWindow, fake: FakeEngine) -> None:
    assert weights(fake) == "0001-head"
    assert opened.status.model.text() == "model: run 1 (96.1 %)"
    assert "best finished run" in opened.status.model.toolTip()
    opened.workspace.prediction.ask(content=b"x")
    request = fake.last(m.Predict).request
    fake.tell(m.Prediction(request, [0.9, 0.1], ["blue", "red"], 5.0, True, 0))
    assert opened.predict_page.answer.timing.text() == "answered in 5 ms · by run 1 (96.1 %)"


def test_what_another_run_said_of_the_images_is_asked_again(
    qtbot, window: MainWindow, fake: FakeEngine, project: Project, dataset: Path
) -> None:
    """E.g. what a version before left: evaluated by the run that diverged."""
    project.take_in(dataset)
    with project.catalog() as catalog:
        catalog.forget_answers("0002-head")
        catalog.record_answers([(next(iter(catalog.entries()))[0], "red", 0.99, 5.0)])
    open_project(qtbot, window, fake, dataset)
    assert evaluated(fake) == ["0001-head"]
    with CatalogReader(project.catalog_path) as catalog:
        assert catalog.evaluated_by == "0001-head" and not len(catalog.answers().labels)


def test_a_worse_run_is_offered_not_used(qtbot, opened: MainWindow, fake: FakeEngine, project: Project) -> None:
    fake.sent.clear()
    folder = train(opened, fake, 0.93)
    sentence = "Run 3 reached 93.0 % on the validation images; run 1 (96.1 %) stays in use."
    assert sentence in opened.status.text.text() and sentence in opened.train_page.explanation.text()
    assert weights(fake) == "0001-head", "the engine's memory holds run 3"
    answer(opened, fake, trained=True)
    assert evaluated(fake) == [] and opened.workspace.model.run == project.runs_folder / "0001-head"
    assert opened.train_page.advisor.advice.action == "Use run 3"
    assert opened.status.use_run.isVisible() and opened.status.use_run.text() == "Use run 3"
    opened.status.use_run.click()
    assert weights(fake) == folder.name and read_choice(project) == "", "remembered when the engine has it"
    answer(opened, fake, trained=True)
    assert read_choice(project) == folder.name and evaluated(fake) == [folder.name]
    assert opened.status.text.text() == "Run 3 (93.0 %) is in use now." and not opened.status.use_run.isVisible()


def test_a_better_run_takes_the_place_and_says_what_it_replaced(opened: MainWindow, fake: FakeEngine) -> None:
    fake.sent.clear()
    folder = train(opened, fake, 0.97)
    assert opened.workspace.model.run == folder and evaluated(fake) == [folder.name]
    assert not [c for c in fake.sent if isinstance(c, m.LoadModel)], "the engine has it in memory"
    assert "97.0 % on the validation images; run 1 had 96.1 %" in opened.status.text.text()
    assert not opened.status.use_run.isVisible()


def test_the_choice_outlives_the_window_and_the_next_training(
    qtbot, window: MainWindow, fake: FakeEngine, project: Project, dataset: Path
) -> None:
    (project.folder / "model-in-use.json").write_text('{"run": "0002-head"}')
    open_project(qtbot, window, fake, dataset)
    assert weights(fake) == "0002-head" and window.status.model.text() == "model: run 2 (87.6 %, exploded)"
    train(window, fake, 0.99)
    assert weights(fake) == "0002-head" and "run 2 (87.6 %, exploded), which you chose" in window.status.text.text()
    answer(window, fake, trained=True)
    assert read_choice(project) == "0002-head"


def test_a_choice_that_can_not_be_loaded_changes_nothing(
    opened: MainWindow, fake: FakeEngine, project: Project
) -> None:
    """Neither its being evaluated nor its place in the project may wait for a model that is loaded later."""
    opened.workspace.model.use_run(project.runs_folder / "0002-head")
    command = fake.last(m.LoadModel)
    fake.tell(m.CommandFailed(command.request, "No memory."))
    assert opened.workspace.model.loaded is not None, "the engine still has the one before"
    assert opened.workspace.model.run == project.runs_folder / "0001-head" and read_choice(project) == ""
    assert not opened.workspace.readiness.obstacles()
    fake.sent.clear()
    opened.workspace.model.load()
    answer(opened, fake, trained=True)
    assert evaluated(fake) == [] and "in use now" not in opened.status.text.text()
    opened.workspace.model.choose_backbone(Backbone(name="resnet18"))
    answer(opened, fake, trained=False)
    opened.workspace.model.choose_backbone(Backbone())
    assert weights(fake) == "0001-head"
    answer(opened, fake, trained=True)
    assert evaluated(fake) == [] and "in use now" not in opened.status.text.text()


def test_damaged_weights_give_way_to_the_next_best(opened: MainWindow, fake: FakeEngine, project: Project) -> None:
    make_run(project.runs_folder, 3, accuracies=(0.8,))
    opened.workspace.model.use_run(project.runs_folder / "0003-head")
    for expected in ("0003-head", "0001-head"):
        assert weights(fake) == expected
        command = fake.last(m.LoadModel)
        event = msgspec.structs.replace(
            opened.workspace.model.loaded, request=command.request, trained=expected == "0001-head"
        )
        fake.tell(event)
    assert opened.workspace.model.run == project.runs_folder / "0001-head" and read_choice(project) == ""
    assert evaluated(fake) == []


def test_nothing_but_a_run_that_diverged_is_no_model(
    qtbot, window: MainWindow, fake: FakeEngine, dataset: Path, project: Project
) -> None:
    shutil.rmtree(project.runs_folder / "0001-head")
    open_project(qtbot, window, fake, dataset)
    assert weights(fake) == "" and window.status.model.text() == "" and not window.workspace.model.is_trained
    window.dialogs.export_model()
    fake.settle()
    dialog = window.findChild(ExportModelDialog)
    assert dialog.run.count() == 1 and "87.6 %, exploded" in dialog.run.currentText()


def test_a_first_run_that_was_stopped_answers_but_evaluates_nothing(
    qtbot, window: MainWindow, fake: FakeEngine, dataset: Path
) -> None:
    open_project(qtbot, window, fake, dataset)
    folder = train(window, fake, 0.9, reason="stopped", number=1)
    assert window.workspace.model.run == folder and evaluated(fake) == []
    assert window.status.model.text() == "model: run 1 (90.0 %, stopped)"


def test_a_run_the_disk_did_not_take_is_used_as_soon_as_it_is_saved(
    opened: MainWindow, fake: FakeEngine, project: Project
) -> None:
    folder = start_training(opened, fake)
    known = read_trained_run(project.runs_folder / "0001-head").validation
    event = m.TrainingFinished(
        str(folder), "failed", "Disk full.", 1, 0.99, 9, 1.0, None, unsaved=True, validation=known
    )
    fake.tell(event)
    fake.state(EngineKind.READY)
    assert weights(fake) == "0001-head" and not opened.status.use_run.isVisible()
    answer(opened, fake, trained=True)
    shutil.rmtree(folder)
    make_run(folder.parent, 4, accuracies=(0.99,)).replace(folder)
    opened.workspace.training.save_model(None)
    fake.tell(m.ModelSaved(fake.last(m.SaveModel).request, str(folder / "best")))
    assert weights(fake) == folder.name


def test_the_export_dialog_names_the_run_and_takes_another(
    opened: MainWindow, fake: FakeEngine, project: Project, tmp_path: Path
) -> None:
    opened.dialogs.export_model()
    fake.settle()
    dialog = opened.findChild(ExportModelDialog)
    texts = [dialog.run.itemText(place) for place in range(dialog.run.count())]
    assert [text.split(" · ")[0] for text in texts] == ["Run 2", "Run 1"]
    assert dialog.run.currentText() == texts[1] and "96.1 %" in texts[1] and texts[1].endswith("in use")
    assert any(part.startswith("20") and ":" in part for part in texts[1].split(" · ")), "when it was trained"
    dialog.run.setCurrentIndex(0)
    dialog.run.activated.emit(0)
    dialog.write(tmp_path)
    assert fake.last(m.Export).folder == str(project.runs_folder / "0002-head")
