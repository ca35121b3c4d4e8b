"""Two windows on one project: the second is told, may look or take over, and nothing of either is overwritten."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QFile, Qt
from PySide6.QtWidgets import QMessageBox

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.project import Project
from ftgui.data.project_lock import TERMINAL, ProjectHeld, ProjectLocks
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone
from ftgui.runs.model_in_use import TrainedRun
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.access import LOOK_ONLY, Entry
from ftgui.ui.project.dataset_opening import Wish
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.runs.run_actions import Runs, SeenRun
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.shell.questions import Choice
from tests.conftest import Maker
from tests.made_runs import make_run
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project, start_training

pytestmark = pytest.mark.slow


@pytest.fixture
def second(qapp) -> Iterator[Workspace]:
    """The other window's; locks know it from the first by the token, not by the process."""
    made = Workspace(EngineClient(FakeEngine()))
    yield made
    made.close()


def opened_in(qtbot, workspace: Workspace, folder: Path, entry: Entry) -> None:
    with qtbot.waitSignal(workspace.dataset.held) as held:
        workspace.open_dataset(folder)
    wish, reason = held.args
    assert isinstance(wish, Wish) and isinstance(reason, ProjectHeld) and "open in another window" in str(reason)
    assert workspace.project is None
    with qtbot.waitSignal(workspace.dataset.scanned):
        workspace.dataset.open_again(replace(wish, entry=entry))


def test_who_only_looks_changes_nothing(qtbot, window, fake, second: Workspace, make_dataset: Maker) -> None:
    folder = make_dataset()
    open_project(qtbot, window, fake, folder)
    first = window.workspace
    first.recipe_editor.change("", "seed", 5)
    first.saver.wait()
    opened_in(qtbot, second, folder, Entry.LOOK)
    assert second.access.look_only and not first.access.look_only
    assert second.recipe.seed == 5 and second.contents.counts.keys() == first.contents.counts.keys()
    said: list[str] = []
    second.message.connect(lambda _severity, sentence: said.append(sentence))
    second.recipe_editor.change("", "seed", 9)
    second.dataset_editor.relabel([1], "blue")
    second.dataset_editor.create_class("new")
    assert said == ["This project is open in another window; here it can only be viewed."] * 3
    assert second.readiness.obstacles()[0].kind == "look-only"
    second.saver.wait()
    assert recipe_file.load(first.project.recipe_path).seed == 5 and second.recipe.seed == 5
    with CatalogReader(first.project.catalog_path) as catalog:
        assert "new" not in catalog.contents().counts
    first.dataset_editor.create_class("mine")
    qtbot.waitUntil(lambda: not first.disk_tasks.working)
    with CatalogReader(first.project.catalog_path) as catalog:
        assert "mine" in catalog.contents().counts


def everything(folder: Path) -> dict[str, bytes]:
    """What lies in a project, but the database's own bookkeeping of who reads it."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_who_only_looks_is_told_so_whatever_is_tried(
    qtbot, window, fake, second: Workspace, make_dataset: Maker, monkeypatch
) -> None:
    folder = make_dataset(count=4)
    for number in (1, 2):
        make_run(Project.for_dataset(folder).runs_folder, number)
    open_project(qtbot, window, fake, folder)
    first = window.workspace
    first.dataset_editor.create_class("of the first")
    opened_in(qtbot, second, folder, Entry.LOOK)
    runs = Runs(second, second)
    qtbot.waitUntil(lambda: runs.read)
    qtbot.waitUntil(lambda: not first.checking)
    record = runs.records[0]
    monkeypatch.setattr(QFile, "moveToTrash", lambda _path: pytest.fail("moved to the trash"))
    said: list[str] = []
    runs.said.connect(lambda _severity, sentence: said.append(sentence))
    second.message.connect(lambda _severity, sentence: said.append(sentence))
    before = everything(first.project.folder)
    tried = [
        lambda: runs.say(record, starred=True),
        lambda: runs.say(record, note="a note"),
        lambda: runs.say(record, name="a name"),
        lambda: runs.trash([record]),
        lambda: runs.use_model(record, SeenRun("", None, TrainedRun(record.path, "done"))),
        lambda: second.model.use_run(record.path),
        lambda: second.model.use_run(None),
        lambda: runs.use_recipe(record),
        lambda: second.dataset_editor.relabel([1], "blue"),
        lambda: second.dataset_editor.exclude([1]),
        lambda: second.dataset_editor.move([1], "val"),
        lambda: second.dataset_editor.rename_class("blue", "navy"),
        lambda: second.dataset_editor.add([folder / "x.png"], "blue"),
        lambda: second.dataset_editor.should_be(b"x", "blue"),
        lambda: second.recipe_editor.change("", "seed", 9),
        lambda: second.model.choose_backbone(Backbone(name="resnet18")),
    ]
    for number, do in enumerate(tried):
        do()
        assert said == [LOOK_ONLY] * (number + 1), f"attempt {number}"
    assert {runs.why_no_trash([record]), runs.why_no_model(record), runs.why_no_best()} == {LOOK_ONLY}
    assert {runs.why_no_words(), runs.why_no_recipe(record), runs.why_no_continuing(record)} >= {LOOK_ONLY}
    runs.close_threads()
    second.saver.wait()
    assert everything(first.project.folder) == before


def test_taken_over_the_first_window_only_looks(qtbot, window, fake, second: Workspace, make_dataset: Maker) -> None:
    folder = make_dataset()
    open_project(qtbot, window, fake, folder)
    first = window.workspace
    opened_in(qtbot, second, folder, Entry.TAKE_OVER)
    qtbot.waitUntil(lambda: not second.checking)
    second.recipe_editor.change("training", "batch_size", 7)
    second.saver.wait()
    # Before the first window has noticed, it does not write any more either.
    first.recipe_editor.change("", "seed", 3)
    first.saver.wait()
    saved = recipe_file.load(second.project.recipe_path)
    assert (saved.training.batch_size, saved.seed) == (7, 0)
    with qtbot.waitSignal(first.access.taken_over):
        first.access.look()
    assert window.look_only.isVisible() and "taken this project over" in window.status.text.text()
    assert not window.top.train.isEnabled() and not window.recipe.cards[0].fields["epochs"].editor.isEnabled()
    assert not first.undo_stack.canUndo()
    first.dataset_editor.create_class("late")
    with CatalogReader(second.project.catalog_path) as catalog:
        assert "late" not in catalog.contents().counts
    # And back.
    with qtbot.waitSignal(first.dataset.scanned):
        qtbot.mouseClick(window.look_only.take_over, Qt.MouseButton.LeftButton)
    assert not window.look_only.isVisible() and first.recipe.training.batch_size == 7
    qtbot.waitUntil(lambda: not first.checking)


def test_the_window_asks_and_offers_no_taking_over_from_a_terminal(
    qtbot, window, workspace, fake, make_dataset: Maker
) -> None:
    folder = make_dataset()
    open_project(qtbot, window, fake, folder)
    project = workspace.project
    open_project(qtbot, window, fake, make_dataset(name="others"))
    terminal = ProjectLocks(TERMINAL)
    terminal.take(project.folder)
    with qtbot.waitSignal(workspace.dataset.held):
        workspace.open_dataset(folder)
    (question,) = window.findChildren(Choice)
    assert question.text().startswith("This project is open in a training run in a terminal")
    answers = {button.text().replace("&", ""): button for button in question.buttons()}
    assert set(answers) == {"View only", "Cancel"}
    with qtbot.waitSignal(workspace.dataset.scanned):
        answers["View only"].click()
    assert workspace.access.look_only and workspace.project == project and window.look_only.isVisible()
    terminal.keep_only(None)


def test_another_dataset_gives_the_project_back(qtbot, window, fake, second: Workspace, make_dataset: Maker) -> None:
    folder = make_dataset()
    open_project(qtbot, window, fake, folder)
    open_project(qtbot, window, fake, make_dataset(name="others"))
    with qtbot.waitSignal(second.dataset.scanned):
        second.open_dataset(folder)
    assert not second.access.look_only
    qtbot.waitUntil(lambda: not second.checking)


# --- closing while it trains ------------------------------------------------------------------------------------------


def question_of(window: MainWindow) -> dict[str, QMessageBox]:
    (question,) = [choice for choice in window.findChildren(Choice) if choice.isVisible()]
    assert question.text() == "Run 1 is training."
    return {button.text().replace("&", ""): button for button in question.buttons()}


@pytest.fixture
def training(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch) -> Iterator[Path]:
    open_project(qtbot, window, fake, make_dataset())
    with monkeypatch.context() as patch:
        patch.setattr(window.workspace, "close", lambda: None)  # its own fixture closes it
        yield start_training(window, fake)


def test_closing_while_it_trains_asks_once_and_stops(qtbot, window, fake: FakeEngine, training: Path) -> None:
    assert not window.close() and not window.close()
    answers = question_of(window)
    assert set(answers) == {"Stop and close", "Keep training"}
    answers["Keep training"].click()
    assert window.isVisible() and not any(isinstance(command, m.CancelRequest) for command in fake.sent)
    qtbot.waitUntil(lambda: not window.findChildren(Choice))
    window.close()
    question_of(window)["Stop and close"].click()
    assert fake.last(m.CancelRequest) and window.isVisible()
    fake.state(EngineKind.STOPPING)
    fake.tell(m.TrainingFinished(str(training), "stopped", "Stopped.", 1, math.nan, 2, 1.0, None))
    fake.state(EngineKind.READY)
    qtbot.waitUntil(lambda: not window.isVisible())


def test_asked_twice_by_ctrl_c_the_window_does_not_wait(window, fake: FakeEngine, training: Path) -> None:
    window.closing.stop_and_close()
    assert window.isVisible() and fake.last(m.CancelRequest)
    window.closing.stop_and_close()
    assert not window.isVisible()
