"""What typing does and does not do to labels: keys that edit, the way to the search, and the notice with its way back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from ftgui.ui.data.data_page import DataPage
from ftgui.ui.shell.main_window import DATA, EVALUATE, PREDICT, RUNS, TRAIN, MainWindow
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


@pytest.fixture
def page(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> DataPage:
    open_project(qtbot, window, fake, make_dataset(count=10))
    window.show_page(DATA)
    window.activateWindow()
    return window.data_page


def choose(page: DataPage, *places: int) -> list[int]:
    ids = [page.grid.images.ids[place] for place in places]
    page.grid.choose(ids, ids[0])
    return ids


def labels(window: MainWindow) -> dict[str, str]:
    return {path: name for path, name, _ in window.workspace.catalog.entries()}


def test_a_name_typed_into_the_grid_chooses_no_other_image(page: DataPage, window: MainWindow) -> None:
    """As people do who look for an image: the digit at its end would relabel whatever the letters had led to."""
    choose(page, 0)
    before, current = labels(window), page.grid.currentIndex().row()
    page.grid.setFocus()
    for name in ("red", "blue", "r", "b"):
        QTest.keyClicks(page.grid, name)
        assert page.grid.currentIndex().row() == current
        assert page.grid.chosen() == [page.grid.images.ids[0]]
    assert labels(window) == before


@pytest.mark.parametrize("number", [DATA, TRAIN, EVALUATE, PREDICT])
@pytest.mark.parametrize("key", ["/", "Ctrl+F"])
def test_the_search_of_images_is_one_key_away(qtbot, page: DataPage, window: MainWindow, number: int, key: str) -> None:
    before = labels(window)
    choose(page, 3)
    window.show_page(number)
    front: QWidget = page.grid if number == DATA else window.pages.currentWidget()
    front.setFocus()
    if key == "/":
        QTest.keyClick(window, Qt.Key.Key_Slash)
    else:
        QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is page.bar.search)
    assert window.pages.currentIndex() == DATA
    QTest.keyClicks(QApplication.focusWidget(), "blue/blue12x")
    assert page.bar.search.text() == "blue/blue12x" and labels(window) == before
    assert not window.workspace.undo_stack.canUndo()
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(QApplication.focusWidget(), "red")
    assert page.bar.search.text() == "red", "what is typed replaces what was searched for before"
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 10)
    QTest.keyClick(page.bar.search, Qt.Key.Key_Down)
    assert QApplication.focusWidget() is page.grid


def test_the_search_of_runs_is_the_one_on_the_runs_page(qtbot, page: DataPage, window: MainWindow) -> None:
    window.show_page(RUNS)
    window.runs_page.list.table.setFocus()
    QTest.keyClick(window, Qt.Key.Key_Slash)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.runs_page.list.search)
    assert window.pages.currentIndex() == RUNS


def test_searching_leaves_the_viewer(qtbot, page: DataPage, window: MainWindow) -> None:
    page.browser.open_viewer(page.grid.images.ids[0])
    QTest.keyClick(page.viewer, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    window.start_search()
    assert page.viewer.isHidden() and QApplication.focusWidget() is page.bar.search


def test_without_images_the_search_says_so(window: MainWindow) -> None:
    window.start_search()
    assert "no images to search" in window.status.text.text()


# --- the notice -----------------------------------------------------------------------------------------------------


def test_every_edit_says_what_it_did_to_how_many_and_is_undone_by_a_click(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine
) -> None:
    notice, before = window.notice, labels(window)
    choose(page, 0, 1, 2)
    page.grid.setFocus()
    QTest.keyClick(page.grid, Qt.Key.Key_2)
    fake.settle()
    assert notice.isVisible() and notice.text.full == "Relabel 3 images to red"
    assert notice.geometry().bottom() < window.pages.height() and notice.geometry().left() > 0
    notice.undo.click()
    fake.settle()
    assert labels(window) == before and notice.isHidden()
    assert QApplication.focusWidget() is page.grid, "the keyboard stays with the images"
    for wanted, words in (
        (lambda: page.grid.exclude_wanted.emit(True), "Exclude 3 images"),
        (lambda: page.grid.move_wanted.emit("test"), "Move 3 images to test"),
        (lambda: page.classes.renamed.emit("blue", "violet"), "Rename blue to violet"),
        (lambda: window.workspace.dataset_editor.create_class("green"), "New class green"),
    ):
        wanted()
        fake.settle()
        assert notice.isVisible() and notice.text.full == words


def test_only_what_really_changes_counts(qtbot, page: DataPage, window: MainWindow, fake: FakeEngine) -> None:
    names = [page.grid.images.row(place).class_name for place in range(20)]
    choose(page, 0, names.index("red"))
    page.grid.relabel_wanted.emit("red")
    fake.settle()
    assert window.notice.text.full == "Relabel 1 image to red"
    window.notice.hide()
    page.grid.relabel_wanted.emit("red")
    fake.settle()
    assert "already the case" in window.status.text.text() and window.notice.isHidden()
    window.workspace.undo_stack.undo()
    assert not window.workspace.undo_stack.canUndo(), "an edit that changed nothing is no step"


def test_the_notice_never_undoes_another_step(qtbot, page: DataPage, window: MainWindow, fake: FakeEngine) -> None:
    choose(page, 0)
    page.grid.exclude_wanted.emit(True)
    fake.settle()
    assert window.notice.isVisible()
    window.workspace.recipe_editor.change_phase(0, name="other")
    assert window.notice.isHidden()
    window.workspace.undo_stack.undo()
    assert window.notice.isHidden() and window.workspace.contents is not None


def test_the_notice_goes_by_itself_but_not_from_under_the_mouse(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine
) -> None:
    notice = window.notice
    timer = notice.findChild(QTimer)
    choose(page, 0)
    page.grid.exclude_wanted.emit(True)
    fake.settle()
    assert timer.isActive() and timer.interval() == 8000
    middle = QPointF(5, 5)
    QApplication.sendEvent(notice, QEnterEvent(middle, middle, middle))
    assert not timer.isActive() and notice.isVisible()
    timer.timeout.emit()
    assert notice.isHidden()
