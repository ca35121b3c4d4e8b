"""The Runs page, with an engine that the test plays and runs that were never trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QFile, Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QMessageBox

from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone, Phase, Recipe, Training
from ftgui.runs.model_in_use import read_trained_run
from ftgui.runs.notes import write_words
from ftgui.runs.run_folders import OpenRun, run_number
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.runs import run_table
from ftgui.ui.runs.compare_datasets_dialog import CompareDialog
from ftgui.ui.runs.note_dialog import NoteDialog
from ftgui.ui.runs.runs_page import RunsPage
from ftgui.ui.shell.main_window import EVALUATE, RUNS, TRAIN, MainWindow
from tests.conftest import Maker, plain
from tests.made_runs import make_run
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.slow


@pytest.fixture
def dataset(make_dataset: Maker) -> Path:
    return make_dataset(count=10)


@pytest.fixture
def runs_folder(dataset: Path) -> Path:
    """Three runs: 1 good, 2 of another recipe and better, 3 stopped with a checkpoint."""
    runs = Project.for_dataset(dataset).runs_folder
    make_run(runs, 1, accuracies=(0.5, 0.75))
    other = msgspec.structs.replace(Recipe(seed=4), training=Training(batch_size=64))
    make_run(runs, 2, name="head-last-stage", accuracies=(0.5, 0.875, 0.75), recipe=other)
    make_run(runs, 3, accuracies=(0.25,), reason="stopped", checkpoint=True)
    return runs


@pytest.fixture
def page(qtbot, window: MainWindow, fake: FakeEngine, dataset: Path, runs_folder: Path) -> RunsPage:
    return opened(qtbot, window, fake, dataset)


def opened(qtbot, window: MainWindow, fake: FakeEngine, dataset: Path) -> RunsPage:
    workspace = window.workspace
    with qtbot.waitSignal(workspace.project_changed):
        workspace.open_dataset(dataset)
    qtbot.waitUntil(lambda: not workspace.checking)
    window.show_page(RUNS)
    fake.become_ready()
    page = window.runs_page
    qtbot.waitUntil(lambda: page.runs.read)
    settled(qtbot, page)
    return page


def settled(qtbot, page: RunsPage) -> None:
    qtbot.waitUntil(lambda: not page.busy)


def select(qtbot, page: RunsPage, *numbers: int) -> None:
    selection = page.list.table.selectionModel()
    selection.clearSelection()
    for row, record in enumerate(page.list.model.rows):
        if record.number in numbers:
            selection.select(
                page.list.model.index(row, 0), selection.SelectionFlag.Select | selection.SelectionFlag.Rows
            )
    settled(qtbot, page)


def column(page: RunsPage, number: int) -> list[str]:
    model = page.list.model
    return [model.index(row, number).data() for row in range(model.rowCount())]


def differences(page: RunsPage) -> dict[str, list[str]]:
    table = page.differences.table
    return {
        table.item(row, 0).text(): [table.item(row, c).text() for c in range(1, table.columnCount())]
        for row in range(table.rowCount())
    }


def answer(monkeypatch: pytest.MonkeyPatch, yes: bool) -> list[str]:
    asked: list[str] = []

    def question(_parent, _title, text):
        asked.append(text)
        return QMessageBox.StandardButton.Yes if yes else QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def trash_into(monkeypatch: pytest.MonkeyPatch, bin_: Path) -> None:
    """In place of the system's."""
    monkeypatch.setattr(QFile, "moveToTrash", lambda path: bool(shutil.move(path, bin_ / Path(path).name)))
    bin_.mkdir()


# --- the list -------------------------------------------------------------------------------------------------------


def test_every_run_with_its_figures_the_newest_first(page: RunsPage) -> None:
    assert column(page, run_table.NUMBER) == ["3", "2", "1"]
    assert column(page, run_table.NAME) == ["head", "head last stage", "head"]
    assert column(page, run_table.ACCURACY) == ["25.0 %", "87.5 %", "75.0 %"]
    assert column(page, run_table.DATA) == ["2 · 8"] * 3 and column(page, run_table.DURATION) == ["1:05"] * 3
    assert column(page, run_table.ENDED) == ["stopped", "done", "done"]
    assert page.list.said.full == "3 runs"


def test_it_is_sorted_by_a_click_and_found_by_typing(qtbot, page: RunsPage) -> None:
    select(qtbot, page, 1)
    header = page.list.table.horizontalHeader()
    x = header.sectionViewportPosition(run_table.ACCURACY) + 20
    place = header.viewport().rect().center()
    place.setX(x)
    for expected in (["3", "1", "2"], ["2", "1", "3"]):
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert column(page, run_table.NUMBER) == expected
    assert [record.number for record in page.list.chosen()] == [1], "what was selected stays so"
    qtbot.keyClicks(page.list.search, "last stage")
    assert column(page, run_table.NUMBER) == ["2"] and page.list.said.full == "1 of 3 runs"
    page.list.search.setText("stopped")
    assert column(page, run_table.NUMBER) == ["3"]
    page.list.search.setText("no such run")
    assert page.list.said.full == "0 of 3 runs" and not page.buttons["report"].isEnabled()


def test_without_runs_it_says_what_to_do(qtbot, window: MainWindow, fake: FakeEngine, dataset: Path) -> None:
    window.show_page(RUNS)
    page = window.runs_page
    assert page.empty_title.text() == "No dataset is open" and page.stack.currentIndex() == 0
    opened(qtbot, window, fake, dataset)
    assert page.empty_title.text() == "No runs yet" and "press Train" in page.empty_text.text()


def test_a_run_half_deleted_is_a_sentence(
    qtbot, window: MainWindow, fake: FakeEngine, dataset: Path, runs_folder: Path
) -> None:
    (runs_folder / "0002-head-last-stage" / "recipe.toml").unlink()
    shutil.rmtree(runs_folder / "0002-head-last-stage" / "best")
    page = opened(qtbot, window, fake, dataset)
    select(qtbot, page, 2)
    table = page.differences.table
    said = [table.item(row, 1).text() for row in range(table.rowCount()) if table.item(row, 0).text() == "Problem"]
    assert said == ["recipe.toml is missing.", "Its model is gone: best/model.safetensors is missing."]
    assert page.buttons["use"].toolTip() == "Run 2 left no model."
    assert page.buttons["recipe"].toolTip() == "The recipe of run 2 can't be read."
    tip = page.list.model.index(1, run_table.NAME).data(Qt.ItemDataRole.ToolTipRole)
    assert "recipe.toml is missing." in tip and "Its model is gone" in tip


# --- what is selected -----------------------------------------------------------------------------------------------


def test_curves_of_selected_runs_and_what_differs(qtbot, page: RunsPage) -> None:
    select(qtbot, page, 1, 2)
    curves = {tuple(item.yData) for item in page.curves.plot.getPlotItem().listDataItems()}
    assert curves == {(0.5, 0.75), (0.5, 0.875, 0.75)}
    styles = {item.opts["pen"].style() for item in page.curves.plot.getPlotItem().listDataItems()}
    assert len(styles) == 2, "told apart without colour"
    assert [name.full for name in page.curves.names] == ["2 · head last stage", "1 · head"]
    found = differences(page)
    assert found["seed"] == ["4", "0"] and found["training.batch_size"] == ["64", "32"]
    assert "backbone.name" not in found and "data, against run 2" not in found
    page.curves.chips["Loss"].click()
    assert {tuple(item.yData) for item in page.curves.plot.getPlotItem().listDataItems()} == {
        (0.5, 0.25),
        (0.5, 0.125, 0.25),
    }


def test_one_run_in_words(qtbot, page: RunsPage) -> None:
    select(qtbot, page, 1)
    assert page.differences.title.text() == "Run 1"
    said = differences(page)
    assert said["Ended"] == ["It was done."] and said["Phase 1: Head"] == ["head; up to 2 epochs at 1e-3"]
    select(qtbot, page)
    assert "Select two or more" in page.differences.said.text() and "Select runs above" in page.curves.said.text()


def test_more_runs_than_can_be_told_apart(
    qtbot, window: MainWindow, fake: FakeEngine, dataset: Path, runs_folder: Path
) -> None:
    for number in range(4, 10):
        make_run(runs_folder, number)
    page = opened(qtbot, window, fake, dataset)
    select(qtbot, page, *range(1, 10))
    assert len(page.curves.plot.getPlotItem().listDataItems()) == 6
    assert page.curves.said.text() == "The first 6 of 9 selected runs; more could not be told apart."


# --- the person's words ---------------------------------------------------------------------------------------------


def test_rename_in_its_cell_with_f2(qtbot, page: RunsPage, runs_folder: Path) -> None:
    select(qtbot, page, 2)
    page.actions_["rename"].trigger()
    editor = page.list.table.findChild(QLineEdit)
    assert editor.text() == "head last stage"
    editor.setText("Größer 頭")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: column(page, run_table.NAME)[1] == "Größer 頭")
    assert json.loads((runs_folder / "0002-head-last-stage" / "about.json").read_text("utf-8"))["name"] == "Größer 頭"
    assert [record.number for record in page.list.chosen()] == [2]


def test_keys_do_their_work_in_the_table_only(qtbot, page: RunsPage, window: MainWindow) -> None:
    window.activateWindow()
    select(qtbot, page, 1, 2)
    page.list.table.setFocus()
    qtbot.keyClick(page.list.table, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: column(page, run_table.STAR) == ["☆", "★", "★"])
    page.list.search.setFocus()
    qtbot.keyClicks(page.list.search, "s")
    settled(qtbot, page)
    assert page.list.search.text() == "s"
    page.list.search.clear()
    page.curves.chips["Loss"].setFocus()
    qtbot.keyClick(page.curves.chips["Loss"], Qt.Key.Key_S)
    settled(qtbot, page)
    assert column(page, run_table.STAR) == ["☆", "★", "★"]
    rect = page.list.table.visualRect(page.list.model.index(2, run_table.STAR))
    qtbot.mouseClick(page.list.table.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    qtbot.waitUntil(lambda: column(page, run_table.STAR) == ["☆", "★", "☆"])


def test_typing_in_the_table_chooses_no_other_run(qtbot, page: RunsPage) -> None:
    """One of its letters would then be a key that edits that run."""
    select(qtbot, page, 1)
    page.list.table.setFocus()
    texts = {text.lower() for number in (run_table.NUMBER, run_table.NAME) for text in column(page, number)}
    for typed in sorted({text[0] for text in texts} - {"s"}):
        qtbot.keyClicks(page.list.table, typed)
    assert [record.number for record in page.list.chosen()] == [1]


def test_a_note(qtbot, page: RunsPage) -> None:
    select(qtbot, page, 1)
    page.actions_["note"].trigger()
    dialog = page.findChild(NoteDialog)
    assert not dialog.isModal()
    dialog.text.setPlainText("tried\nmore")
    dialog.keep()
    qtbot.waitUntil(lambda: "Note" in differences(page))
    assert differences(page)["Note"] == ["tried\nmore"]
    page.list.search.setText("tried")
    assert column(page, run_table.NUMBER) == ["1"]


# --- the trash ------------------------------------------------------------------------------------------------------


def test_trash_asks_and_moves_the_folders(
    qtbot, page: RunsPage, fake: FakeEngine, runs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trash_into(monkeypatch, tmp_path / "bin")
    select(qtbot, page, 2)
    assert not page.actions_["trash"].isEnabled(), "it is in use"
    use(qtbot, page, fake, 3)
    select(qtbot, page, 1, 2)
    asked = answer(monkeypatch, yes=False)
    page.actions_["trash"].trigger()
    assert "Move 2 runs to the system's trash" in asked[0] and len(list(runs_folder.glob("0*"))) == 3
    answer(monkeypatch, yes=True)
    page.actions_["trash"].trigger()
    qtbot.waitUntil(lambda: column(page, run_table.NUMBER) == ["3"])
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["0001-head", "0002-head-last-stage"]
    assert (tmp_path / "bin" / "0001-head" / "best" / "model.safetensors").exists()


def test_the_run_in_use_or_in_training_is_not_thrown_away(
    qtbot, page: RunsPage, window: MainWindow, fake: FakeEngine, runs_folder: Path
) -> None:
    select(qtbot, page, 2)
    assert page.runs.present == runs_folder / "0002-head-last-stage", "the best that was done"
    trash = page.actions_["trash"]
    assert not trash.isEnabled() and trash.toolTip().startswith("Run 2's model is the one in use.")
    select(qtbot, page, 1)
    assert trash.isEnabled()
    start(window, fake, runs_folder / "0001-head")
    settled(qtbot, page)
    assert not trash.isEnabled() and trash.toolTip() == "Run 1 is training. Stop it first."


def test_what_can_not_be_moved_is_said(
    qtbot, page: RunsPage, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFile, "moveToTrash", lambda path: False)
    answer(monkeypatch, yes=True)
    select(qtbot, page, 1)
    page.actions_["trash"].trigger()
    qtbot.waitUntil(lambda: "Not moved to the trash: run 1" in window.status.text.text())
    assert column(page, run_table.NUMBER) == ["3", "2", "1"]


# --- using an old run -----------------------------------------------------------------------------------------------


def test_a_chosen_runs_model_is_asked_until_another_is_chosen(
    qtbot, page: RunsPage, window: MainWindow, fake: FakeEngine, runs_folder: Path
) -> None:
    select(qtbot, page, 1)
    page.buttons["use"].click()
    command = fake.last(m.LoadModel)
    assert command.trained_weights == str(runs_folder / "0001-head" / "best")
    answer_trained(fake)
    assert window.status.text.text() == "Run 1 (75.0 %) is in use now."
    assert isinstance(fake.last(m.EvaluateImages), m.EvaluateImages), (
        "what another model said of the images no longer counts"
    )
    assert page.buttons["use"].toolTip() == "Run 1's model is the one in use."
    qtbot.waitUntil(lambda: plain(window.evaluate_page.summary.detail).startswith("Run 1 on the validation images"))
    window.workspace.model.load()
    assert fake.last(m.LoadModel).trained_weights == str(runs_folder / "0001-head" / "best"), "remembered"
    answer_trained(fake)
    newest = make_run(runs_folder, 4)
    start(window, fake, newest)
    finish(fake, newest)
    assert page.runs.present == runs_folder / "0001-head", "a training does not undo what the person chose"
    assert fake.last(m.LoadModel).trained_weights == str(runs_folder / "0001-head" / "best"), "not in memory any more"
    answer_trained(fake)
    page.actions_["best"].trigger()
    assert fake.last(m.LoadModel).trained_weights == str(runs_folder / "0002-head-last-stage" / "best")
    answer_trained(fake)
    assert not page.actions_["best"].isEnabled() and page.in_use.text() == "In use: run 2 (87.5 %)"


def test_a_model_of_another_backbone_takes_its_recipe_along(
    qtbot,
    window: MainWindow,
    fake: FakeEngine,
    dataset: Path,
    runs_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resnet = Recipe(backbone=Backbone(name="resnet18"), seed=9)
    make_run(runs_folder, 4, recipe=resnet)
    page = opened(qtbot, window, fake, dataset)
    workspace, before = window.workspace, window.workspace.recipe
    loads = sum(isinstance(command, m.LoadModel) for command in fake.sent)
    select(qtbot, page, 4)
    asked = answer(monkeypatch, yes=False)
    page.buttons["use"].click()
    fake.settle()
    assert "Run 4 used resnet18" in asked[0] and "current recipe is for tf_efficientnet_lite0" in asked[0]
    assert sum(isinstance(command, m.LoadModel) for command in fake.sent) == loads
    answer(monkeypatch, yes=True)
    page.buttons["use"].click()
    command = fake.last(m.LoadModel)
    assert command.backbone.name == "resnet18" and command.trained_weights == str(runs_folder / "0004-head" / "best")
    assert sum(isinstance(c, m.LoadModel) for c in fake.sent) == loads + 1, "loaded once"
    assert workspace.recipe.seed == 9 and workspace.recipe.dataset == before.dataset
    answer_trained(fake)
    workspace.undo_stack.undo()
    assert workspace.recipe == before and fake.last(m.LoadModel).backbone.name == "tf_efficientnet_lite0"
    assert fake.last(m.LoadModel).trained_weights == str(runs_folder / "0002-head-last-stage" / "best")


def test_an_old_recipe_whose_model_can_not_be_loaded_gives_the_present_one_back(
    qtbot, window: MainWindow, fake: FakeEngine, dataset: Path, runs_folder: Path
) -> None:
    everything = Phase(name="All", train=["everything"], epochs=2, lr=1e-4)
    make_run(runs_folder, 4, recipe=Recipe(backbone=Backbone(name="resnet18"), phases=[everything]))
    page = opened(qtbot, window, fake, dataset)
    before = window.workspace.recipe
    select(qtbot, page, 4)
    page.buttons["recipe"].click()
    assert not any(isinstance(command, m.SetTrainable) for command in fake.sent), "the old model need not know of it"
    request = fake.last(m.LoadModel).request
    fake.tell(m.CommandFailed(request, "It is not on this computer."))
    assert window.workspace.recipe == before and not window.workspace.readiness.obstacles()


def test_a_model_for_other_classes_is_refused_in_a_sentence(
    qtbot, window: MainWindow, fake: FakeEngine, dataset: Path, runs_folder: Path
) -> None:
    make_run(runs_folder, 4, classes=("ants", "blue"))
    page = opened(qtbot, window, fake, dataset)
    loads = sum(isinstance(command, m.LoadModel) for command in fake.sent)
    select(qtbot, page, 4)
    page.use_model(page.list.chosen()[0])
    fake.settle()
    said = window.status.text.text()
    assert said == (
        "Run 4's model is for other classes: it knows “ants”, which the data no longer has and it has never seen “red”."
    )
    assert sum(isinstance(command, m.LoadModel) for command in fake.sent) == loads


def test_its_recipe_becomes_the_present_one_as_one_step(
    qtbot, page: RunsPage, window: MainWindow, fake: FakeEngine
) -> None:
    workspace, before = window.workspace, window.workspace.recipe
    select(qtbot, page, 2)
    page.buttons["recipe"].click()
    fake.settle()
    assert (workspace.recipe.seed, workspace.recipe.training.batch_size) == (4, 64)
    assert workspace.recipe.dataset == before.dataset, "what is here now"
    workspace.saver.wait()
    assert recipe_file.load(workspace.project.recipe_path).seed == 4
    assert workspace.undo_stack.undoText() == "Use recipe of run 2" and workspace.undo_stack.count() == 1
    workspace.undo_stack.undo()
    assert workspace.recipe == before


def test_only_what_was_not_done_can_be_continued(
    qtbot, page: RunsPage, window: MainWindow, fake: FakeEngine, runs_folder: Path
) -> None:
    select(qtbot, page, 2)
    assert not page.buttons["continue"].isEnabled()
    assert page.buttons["continue"].toolTip() == "Run 2 has finished, or left nothing to continue from."
    make_run(runs_folder, 4)  # so that it is not the newest
    select(qtbot, page, 3)
    page.buttons["continue"].click()
    assert fake.last(m.Continue).run_folder == str(runs_folder / "0003-head")
    assert window.pages.currentIndex() == TRAIN


# --- trainings ------------------------------------------------------------------------------------------------------


def test_it_follows_a_training(qtbot, page: RunsPage, window: MainWindow, fake: FakeEngine, runs_folder: Path) -> None:
    run = make_run(runs_folder, 4, accuracies=(0.5,), reason="", model=False)
    start(window, fake, run)
    qtbot.waitUntil(lambda: column(page, run_table.NUMBER) == ["4", "3", "2", "1"])
    assert column(page, run_table.ENDED)[0] == "training" and column(page, run_table.ACCURACY)[0] == "50.0 %"
    select(qtbot, page, 4)
    assert page.buttons["report"].toolTip() == "It is training."
    shutil.rmtree(run)
    make_run(runs_folder, 4, accuracies=(0.5, 0.625), reason="", model=False)
    fake.tell(epoch())
    qtbot.waitUntil(lambda: column(page, run_table.ACCURACY)[0] == "62.5 %")
    settled(qtbot, page)
    assert tuple(page.curves.plot.getPlotItem().listDataItems()[0].yData) == (0.5, 0.625), "its curve too"
    fake.state(EngineKind.CRASHED, exit_code=-1)
    qtbot.waitUntil(lambda: column(page, run_table.ENDED)[0] == "crashed")


def test_a_run_that_is_about_to_begin_has_not_crashed(
    qtbot, page: RunsPage, window: MainWindow, fake: FakeEngine
) -> None:
    window.train_or_pause()
    assert fake.last(m.Train)  # by now the disk has made its folder
    window.show_page(RUNS)
    qtbot.waitUntil(lambda: column(page, run_table.NUMBER)[0] == "4")
    assert column(page, run_table.ENDED)[0] == "training" and page.runs.training is not None
    fake.state(EngineKind.TRAINING)
    fake.state(EngineKind.READY)
    fake.tell(m.CommandFailed(fake.last(m.Train).request, "No."))
    page.runs.refresh()
    qtbot.waitUntil(lambda: column(page, run_table.NUMBER) == ["3", "2", "1"])
    assert page.runs.training is None


def test_another_program_may_have_trained(qtbot, page: RunsPage, window: MainWindow, runs_folder: Path) -> None:
    write_words(make_run(runs_folder, 4), name="from a terminal")
    window.show_page(EVALUATE)
    window.show_page(RUNS)
    qtbot.waitUntil(lambda: column(page, run_table.NAME)[0] == "from a terminal")


# --- taking away ----------------------------------------------------------------------------------------------------


def test_a_report_is_written_and_offered(
    qtbot, page: RunsPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, shown = tmp_path / "my report.html", []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown.append(url.toLocalFile()))
    select(qtbot, page, 2)
    page.buttons["report"].click()
    qtbot.waitUntil(page.open_report.isVisible)
    assert "Run 2 · head last stage" in target.read_text(encoding="utf-8") and shown == []
    page.open_report.click()
    assert shown == [str(target)]


def test_a_report_that_can_not_be_written_is_said(
    qtbot, page: RunsPage, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "file" / "r.html"), ""))
    select(qtbot, page, 2)
    page.buttons["report"].click()
    qtbot.waitUntil(lambda: window.status.text.text().startswith("That did not work"))
    assert not page.open_report.isVisible()


@pytest.mark.filterwarnings("ignore")  # TensorBoard's own
def test_event_files(
    qtbot, page: RunsPage, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "tb"))
    select(qtbot, page, 1, 2)
    page.actions_["tensorboard"].trigger()
    qtbot.waitUntil(lambda: "2 runs written" in window.status.text.text())
    assert len(list((tmp_path / "tb").glob("*/events*"))) == 2


def test_comparing_data_begins_with_the_two(qtbot, page: RunsPage, fake: FakeEngine) -> None:
    assert not page.actions_["data"].isEnabled()
    select(qtbot, page, 1, 2)
    page.actions_["data"].trigger()
    fake.settle()
    dialog = page.findChild(CompareDialog)
    assert (dialog.before.currentText(), dialog.after.currentText()) == ("1 · head", "2 · head-last-stage")


def test_everything_can_be_reached_and_has_a_name(page: RunsPage, window: MainWindow) -> None:
    assert window.top.tabs[RUNS].accessibleName() == "Runs"
    for made in (*page.buttons.values(), page.more, page.list.search, page.list.table, page.curves.plot):
        assert (made.accessibleName() and made.focusPolicy() & Qt.FocusPolicy.TabFocus) or made is page.curves.plot
    menu = {action.text() for action in page.more.menu().actions() if action.text()}
    more = {
        "Use the best run",
        "Export…",
        "Rename",
        "Note…",
        "Star",
        "Compare data…",
        "TensorBoard files…",
        "Move to trash…",
    }
    assert menu == more | {made.text() for made in page.buttons.values()}
    assert all(action.toolTip() for action in page.actions_.values())


@pytest.mark.parametrize("size", [(1100, 700), (1440, 900)])
def test_two_hundred_runs_with_long_names_fit(
    qtbot, window: MainWindow, fake: FakeEngine, dataset: Path, runs_folder: Path, size: tuple[int, int]
) -> None:
    for number in range(4, 200):
        folder = make_run(runs_folder, number, name="x" * 40, accuracies=(0.5,))
        if number % 9 == 0:
            write_words(folder, name="A name that says all of what was tried " * 4)
    window.resize(*size)
    page = opened(qtbot, window, fake, dataset)
    QApplication.processEvents()
    assert window.width() == size[0], "nothing widens the window"
    table = page.list.table
    assert not table.horizontalScrollBar().isVisible() and table.columnWidth(run_table.NAME) > 110
    for made in (*page.buttons.values(), page.more):
        assert made.width() >= made.sizeHint().width() and made.geometry().right() <= page.list.width()
    assert page.curves.plot.height() >= 70 and table.height() >= 5 * 28


def test_in_the_smallest_window_the_buttons_are_in_the_menu(qtbot, page: RunsPage, window: MainWindow) -> None:
    window.resize(900, 560)
    qtbot.waitUntil(lambda: not page.buttons["use"].isVisible())
    assert window.size().width() == 900 and page.more.isVisible()
    qtbot.waitUntil(lambda: page.list.search.width() > 90)
    assert not page.list.table.horizontalScrollBar().isVisible()
    window.resize(1100, 700)
    qtbot.waitUntil(page.buttons["use"].isVisible)


def use(qtbot, page: RunsPage, fake: FakeEngine, number: int) -> None:
    select(qtbot, page, number)
    page.actions_["use"].trigger()
    answer_trained(fake)
    settled(qtbot, page)


# --- what the engine would say --------------------------------------------------------------------------------------


def answer_trained(fake: FakeEngine) -> None:
    from tests.ui.fake_engine import loaded

    command = fake.last(m.LoadModel)
    event = loaded([5], tuple(command.class_names), command.request)
    fake.tell(msgspec.structs.replace(event, trained=True, backbone=command.backbone))


def start(window: MainWindow, fake: FakeEngine, run: Path) -> None:
    window.workspace.training.continue_run(OpenRun(run, run_number(run), 1, False))
    assert fake.last(m.Continue).run_folder == str(run)
    fake.state(EngineKind.TRAINING)
    fake.tell(
        m.TrainingStarted(
            run_folder=str(run), run=4, phases=["Head"], epochs=2, train_samples=4, val_samples=4, device="cpu"
        )
    )


def epoch() -> m.EpochFinished:
    return m.EpochFinished(0, 2, 16, 0.5, 0.9, 0.4, 0.625, True, 1.0, [0.5, 0.75])


def finish(fake: FakeEngine, run: Path) -> None:
    fake.tell(
        m.TrainingFinished(
            str(run), "done", "Training is done.", 2, 0.75, 16, 65.0, None, validation=read_trained_run(run).validation
        )
    )
    fake.state(EngineKind.READY)
