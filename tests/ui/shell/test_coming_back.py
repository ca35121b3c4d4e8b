"""The next day: recent projects, the one that was open comes back, and what was looked at with it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from ftgui.base.files import temporary_name
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.project import Project
from ftgui.data.project_lock import WINDOW, ProjectLocks
from ftgui.data.recent_projects import read_open, read_recent
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.project.sample_dataset import sample_place
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.shell.main_window import DATA, PREDICT, TRAIN, MainWindow
from ftgui.ui.shell.questions import Choice
from ftgui.ui.shell.view_memory import VIEW_FILE
from ftgui.ui.toolkit.theme import Theme
from tests.conftest import Maker, picture
from tests.made_runs import make_run
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project, start_training

pytestmark = pytest.mark.slow

Start = Callable[[], MainWindow]


@pytest.fixture
def start(qtbot, theme: Theme) -> Iterator[Start]:
    """``start()``: the program begins; the window of before, if there is one, is closed first."""
    open_now: list[MainWindow] = []

    def end() -> None:
        for window in open_now:
            window.close()
            window.deleteLater()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        open_now.clear()

    def begin() -> MainWindow:
        end()
        fake = FakeEngine()
        workspace = Workspace(EngineClient(fake))
        fake.disk_works = lambda: workspace.disk_tasks.working
        window = MainWindow(workspace, theme)
        workspace.setParent(window)
        window.resize(1200, 800)
        window.show()
        qtbot.waitExposed(window)
        with qtbot.waitSignal(window.recent.changed):
            window.recent.begin()
        open_now.append(window)
        return window

    yield begin
    end()


def opened(qtbot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: window.workspace.project is not None and not window.workspace.checking)
    qtbot.waitUntil(lambda: not window.workspace.disk_tasks.working and not window.data_page.browser.finding)


def open_folder(qtbot, window: MainWindow, folder: Path) -> None:
    with qtbot.waitSignal(window.workspace.project_changed):
        window.workspace.open_dataset(folder)
    opened(qtbot, window)


def listed(window: MainWindow) -> list[str]:
    items = window.data_page.start.recent
    return [items.item(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(items.count())]


def test_at_first_there_is_nothing_to_come_back_to(start: Start) -> None:
    window = start()
    page = window.data_page.start
    assert not page.recent_card.isVisible() and page.recent.count() == 0
    assert not window.menu.recent.isEnabled() and window.workspace.project is None


def test_what_was_open_is_open_again_as_it_was(qtbot, start: Start, make_dataset: Maker) -> None:
    folder = make_dataset(classes=("red", "green", "blue"), count=5)
    window = start()
    open_folder(qtbot, window, folder)
    bar, grid = window.data_page.bar, window.data_page.grid
    bar.choose_class("green")
    bar.order.setCurrentText("By date")
    bar.direction.setChecked(True)
    qtbot.waitUntil(lambda: len(grid.images.ids) == 5 and not window.data_page.browser.finding)
    grid.choose(list(grid.images.ids)[1:3])
    chosen = grid.chosen()
    window.show_page(PREDICT)

    window = start()
    opened(qtbot, window)
    assert window.workspace.contents.root == folder and window.pages.currentIndex() == PREDICT
    bar, grid = window.data_page.bar, window.data_page.grid
    assert (bar.class_name, bar.order.currentText(), bar.direction.isChecked()) == ("green", "By date", True)
    qtbot.waitUntil(lambda: grid.chosen() == chosen)


def test_what_a_killed_window_left_half_written_goes(qtbot, start: Start, make_dataset: Maker) -> None:
    folder = make_dataset()
    mine = temporary_name(Project.for_dataset(folder).recipe_path)
    left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", "-4194303-"))  # of a process that is no more
    left.write_text("half", encoding="utf-8")
    window = start()
    open_folder(qtbot, window, folder)
    assert not left.exists()


def test_a_folder_that_is_dropped_begins_with_its_images(qtbot, start: Start, make_dataset: Maker) -> None:
    """As against one that comes back: who drops one wants to see what is in it."""
    first, second = make_dataset(name="first"), make_dataset(name="second")
    window = start()
    for folder in (first, second):
        open_folder(qtbot, window, folder)
        window.show_page(PREDICT)
    open_folder(qtbot, window, first)
    assert window.pages.currentIndex() == DATA


def test_the_list_says_what_each_is_and_opens_it(qtbot, start: Start, make_dataset: Maker) -> None:
    ants, bees = make_dataset(name="ants", count=4), make_dataset(name="bees & more", count=3)
    window = start()
    open_folder(qtbot, window, ants)
    make_run(window.workspace.project.runs_folder, 1, accuracies=(0.5, 0.75))
    open_folder(qtbot, window, bees)
    qtbot.waitUntil(lambda: [each.text() for each in window.menu.recent.actions()] == ["ants"])
    window.menu.close_project.trigger()
    qtbot.waitUntil(lambda: window.data_page.start.recent_card.isVisible() and len(listed(window)) == 2)
    first, second = listed(window)
    assert first.startswith("bees & more, 2 classes · 6 images · not trained yet, today, ")
    assert second.startswith("ants, 2 classes · 8 images · 75.0 % accuracy, today, ")
    qtbot.waitUntil(lambda: [each.text() for each in window.menu.recent.actions()] == ["bees && more", "ants"])
    items = window.data_page.start.recent
    QTest.mouseClick(items.viewport(), Qt.MouseButton.LeftButton, pos=items.visualItemRect(items.item(1)).center())
    opened(qtbot, window)
    assert window.workspace.contents.root == ants

    window = start()
    opened(qtbot, window)
    assert window.workspace.contents.root == ants
    window.menu.recent.actions()[0].trigger()
    qtbot.waitUntil(lambda: window.workspace.contents.root == bees)


def test_enter_opens_too_and_one_can_be_left_out(qtbot, start: Start, make_dataset: Maker) -> None:
    window = start()
    folders = [make_dataset(name=name, count=2) for name in ("one", "two", "three")]
    for folder in folders:
        open_folder(qtbot, window, folder)
    window.recent.close_open()
    qtbot.waitUntil(lambda: len(listed(window)) == 3)
    window.recent.leave_out(window.recent.facts[0].recent)
    qtbot.waitUntil(lambda: len(listed(window)) == 2)
    assert all(folder.is_dir() for folder in folders) and len(read_recent()) == 2
    items = window.data_page.start.recent
    items.setFocus()
    items.setCurrentRow(1)
    QTest.keyClick(items, Qt.Key.Key_Return)
    opened(qtbot, window)
    assert window.workspace.contents.root == folders[0]


def test_what_the_person_closed_stays_closed(qtbot, start: Start, make_dataset: Maker) -> None:
    window = start()
    open_folder(qtbot, window, make_dataset())
    window.recent.close_open()
    assert window.workspace.project is None and not window.top.train.isEnabled()
    assert (window.top.project.text(), window.top.summary.text()) == ("ftgui", "")
    qtbot.waitUntil(lambda: not window.workspace.disk_tasks.working)
    assert read_open() is None
    window = start()
    assert window.workspace.project is None and not window.workspace.dataset.opening
    assert window.data_page.start.recent_card.isVisible()


def test_not_while_it_trains(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    start_training(window, fake)
    window.recent.close_open()
    assert window.workspace.project is not None and "Stop it before" in window.status.text.text()


def test_a_folder_that_is_gone_is_not_opened_but_looked_for(
    qtbot, start: Start, make_dataset: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_dataset()
    window = start()
    open_folder(qtbot, window, folder)
    project = window.workspace.project.folder
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    window = start()
    assert window.workspace.project is None and not window.workspace.dataset.opening
    assert listed(window)[0].startswith("pictures, The folder is not where it was. Find it…")
    window.recent.open(window.recent.facts[0].recent)
    qtbot.waitUntil(lambda: bool(window.findChildren(Choice)))
    monkeypatch.setattr("ftgui.ui.toolkit.file_choice.QFileDialog.getExistingDirectory", lambda *_: str(moved))
    (question,) = window.findChildren(Choice)
    next(b for b in question.buttons() if "Find" in b.text() or "Choose" in b.text()).click()
    opened(qtbot, window)
    assert window.workspace.project.folder == project and window.workspace.contents.root == moved
    window.recent.refresh()
    qtbot.waitUntil(lambda: [each.recent.dataset for each in window.recent.facts] == [moved])


def test_open_in_another_window_the_start_asks_nothing(qtbot, start: Start, make_dataset: Maker) -> None:
    window = start()
    open_folder(qtbot, window, make_dataset())
    project = window.workspace.project.folder
    window.close()
    other = ProjectLocks(WINDOW)
    other.take(project)
    window = start()
    assert not window.findChildren(Choice) and not window.workspace.dataset.opening
    assert window.data_page.start.recent_card.isVisible()
    other.keep_only(None)


def test_the_sample_is_drawn_again_where_the_cache_was_emptied(qtbot, start: Start) -> None:
    window = start()
    with qtbot.waitSignal(window.workspace.project_changed, timeout=20_000):
        window.workspace.open_sample()
    opened(qtbot, window)
    window.recent.close_open()
    qtbot.waitUntil(lambda: len(listed(window)) == 1)
    shutil.rmtree(sample_place())
    window.recent.open(window.recent.facts[0].recent)
    opened(qtbot, window)
    assert sample_place().is_dir()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"page": 99}', b'{"page": -3, "data": {"filters": {"order": "By luck"}}}', b'{"data": "\xff"}'],
)
def test_a_damaged_view_is_the_usual_one(qtbot, start: Start, make_dataset: Maker, content: bytes) -> None:
    window = start()
    open_folder(qtbot, window, make_dataset())
    project = window.workspace.project.folder
    window.close()
    (project / VIEW_FILE).write_bytes(content)
    window = start()
    opened(qtbot, window)
    assert window.workspace.project is not None and window.data_page.grid.images.rowCount() == 12


def test_images_that_are_gone_are_not_selected(qtbot, start: Start, make_dataset: Maker) -> None:
    folder = make_dataset(count=3)
    window = start()
    open_folder(qtbot, window, folder)
    grid = window.data_page.grid
    grid.choose(list(grid.images.ids)[:2])
    with CatalogReader(window.workspace.project.catalog_path) as catalog:
        gone = catalog.rows(list(grid.images.ids)[:1])[0].path
    window.close()
    kept = json.loads(
        (window.workspace.project or Project(read_recent()[0].folder)).folder.joinpath(VIEW_FILE).read_text()
    )
    assert len(kept["data"]["chosen"]) == 2
    (folder / gone).unlink()
    window = start()
    opened(qtbot, window)
    grid = window.data_page.grid
    qtbot.waitUntil(lambda: len(grid.images.ids) == 5 and len(grid.chosen()) == 1)


def test_the_curves_of_the_last_run_are_there_and_what_it_meant(qtbot, start: Start, make_dataset: Maker) -> None:
    folder = make_dataset(count=8)
    window = start()
    open_folder(qtbot, window, folder)
    runs = window.workspace.project.runs_folder
    make_run(runs, 1, accuracies=(0.5, 0.6))
    make_run(runs, 2, accuracies=(0.5, 0.55, 0.6, 0.7))
    window.show_page(TRAIN)
    window = start()
    opened(qtbot, window)
    page = window.train_page
    assert window.pages.currentIndex() == TRAIN
    qtbot.waitUntil(lambda: page.loss.steps.size == 32 and page.accuracy.val.size == 4)
    assert page.headline.text() == "Last trained: run 2 (70.0 %)."
    (left, right), _ = page.loss.plot.viewRange()
    assert left <= 1 and 32 <= right < 40, "all of it, and not more"
    qtbot.waitUntil(lambda: bool(page.verdicts.verdicts))
    window.recent.close_open()
    assert page.loss.steps.size == 0 and page.headline.text().startswith("No training is in progress")


def test_pictures_stand_for_a_project(qtbot, start: Start, make_dataset: Maker) -> None:
    window = start()
    folder = make_dataset(count=2)
    picture((10, 10, 10), 5, (3000, 2000)).save(folder / "red" / "large.jpg")
    open_folder(qtbot, window, folder)
    window.recent.close_open()
    items = window.data_page.start.recent
    qtbot.waitUntil(lambda: items.count() == 1 and items.item(0).data(Qt.ItemDataRole.UserRole + 1) is not None)
    drawn = items.item(0).data(Qt.ItemDataRole.UserRole + 1).toImage()
    assert len({drawn.pixelColor(x, y).name() for x in (8, 40) for y in (8, 40)}) >= 3, "several of its images"


def test_dialogs_begin_where_that_kind_was_last(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    answers = iter(["/photos/ants/train", "/elsewhere/x.jpg", ""])

    def folder(_parent: object, _title: str, start: str) -> str:
        begun.append(start)
        return next(answers)

    def files(_parent: object, _title: str, start: str, _patterns: str) -> tuple[list[str], str]:
        begun.append(start)
        return [next(answers)], ""

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", folder)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", files)
    window.menu.open_folder.trigger()
    window.menu.open_images.trigger()
    window.menu.open_folder.trigger()
    assert begun == ["", "", str(Path("/photos/ants"))]
