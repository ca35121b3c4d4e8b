"""The Data page: edits by keys, menu and real drop events; undo; problems and their fixes; the viewer; the split."""

from __future__ import annotations

import shutil
import threading
from array import array
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QInputDialog, QMessageBox, QWidget

from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.query import Query
from ftgui.data.catalog.split import BY_FOLDER, Splitting
from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.runs.run_folders import new_run_folder
from ftgui.ui.data.columns_dialog import TableDialog
from ftgui.ui.data.data_page import DataPage
from ftgui.ui.data.export_dataset_dialog import ExportDialog
from ftgui.ui.data.layout_dialog import LayoutDialog
from ftgui.ui.data.split_dialog import SplitEditor
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.images.image_list import IMAGES_MIME
from ftgui.ui.runs.compare_datasets_dialog import CompareDialog
from ftgui.ui.shell.main_window import DATA, MainWindow
from tests.conftest import Maker, picture
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import drop, hover, open_project, urls

pytestmark = pytest.mark.slow


@pytest.fixture
def page(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> DataPage:
    open_project(qtbot, window, fake, make_dataset(count=10))
    window.show_page(DATA)
    return window.data_page


def counts(page: DataPage) -> dict[str, int]:
    contents = page.window().workspace.contents
    return {name: splits.total() for name, splits in contents.counts.items()}


def undo_action(window: MainWindow, name: str = "Undo") -> QAction:
    """The one of the menu, which also says what is undone."""
    return next(action for action in window.findChildren(QAction) if action.text().split(" ")[0] == name)


def choose(page: DataPage, *places: int) -> list[int]:
    ids = [page.grid.images.ids[place] for place in places]
    page.grid.choose(ids, ids[0])
    return ids


def drop_on(widget: QWidget, where, mime: QMimeData) -> None:
    """Enter, move and drop, as Qt delivers them to the widget below the mouse."""
    common = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    for kind in (QDragEnterEvent, QDragMoveEvent):
        event = kind(where, *common)
        QApplication.sendEvent(widget, event)
        assert event.isAccepted()
    QApplication.sendEvent(widget, QDropEvent(QPointF(where), *common))


def row_middle(page: DataPage, row: int):
    return page.classes.visualItemRect(page.classes.item(row)).center()


# --- editing --------------------------------------------------------------------------------------------------------


def test_keys_relabel_and_exclude_and_undo_gives_back(qtbot, page: DataPage, window: MainWindow) -> None:
    grid, stack = page.grid, window.workspace.undo_stack
    ids = choose(page, 0, 1, 2)  # blue ones
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: counts(page) == {"blue": 7, "red": 13})
    assert stack.undoText() == "Relabel 3 images to red"
    assert grid.chosen() == ids, "the selection survives"
    QTest.keyClick(grid, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: counts(page) == {"blue": 7, "red": 10})
    assert "3 excluded" in page.split.text()
    QTest.keyClick(grid, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: counts(page) == {"blue": 7, "red": 13})
    assert stack.undoText() == "Include 3 images"
    for _ in range(3):
        stack.undo()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 10, "red": 10})
    stack.redo()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 7, "red": 13})


def test_images_are_dragged_onto_a_class(qtbot, page: DataPage, window: MainWindow) -> None:
    choose(page, 0, 1)
    mime = page.grid.images.mimeData(page.grid.selectedIndexes())
    assert [Path(url.toLocalFile()).name for url in mime.urls()] == ["blue0.jpg", "blue1.jpg"]
    drop_on(page.classes.viewport(), row_middle(page, 1), mime)
    qtbot.waitUntil(lambda: counts(page) == {"blue": 8, "red": 12})
    assert window.workspace.undo_stack.undoText() == "Relabel 2 images to red"
    assert page.classes.drop_row == -1


def test_files_from_elsewhere_are_dropped_on_a_class(qtbot, page: DataPage, window: MainWindow, tmp_path: Path) -> None:
    files = [tmp_path / f"extra {n}.png" for n in range(4)]
    for number, file in enumerate(files):
        picture((200, 0, 0), number).save(file)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    drop_on(page.classes.viewport(), row_middle(page, 1), mime)
    qtbot.waitUntil(lambda: counts(page) == {"blue": 10, "red": 14})
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert {sample.path for sample in window.workspace.catalog.samples()} >= set(files)
    window.workspace.undo_stack.undo()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 10, "red": 10})
    assert all(file.exists() for file in files)
    drop_on(page.classes.viewport(), row_middle(page, 1), mime)
    qtbot.waitUntil(lambda: counts(page)["red"] == 14)
    drop_on(page.classes.viewport(), row_middle(page, 1), mime)
    qtbot.waitUntil(lambda: "4 files left out" in window.status.text.text())
    assert not window.workspace.undo_stack.canRedo()
    assert counts(page)["red"] == 14


def test_what_a_class_can_not_use_is_left_to_the_window(page: DataPage, tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    event = QDragEnterEvent(
        row_middle(page, 0), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    page.classes.dragEnterEvent(event)
    assert not event.isAccepted()


def test_a_class_is_renamed_in_place_and_merged(qtbot, page: DataPage, fake: FakeEngine) -> None:
    item = page.classes.item(1)
    item.setText("rouge")
    qtbot.waitUntil(lambda: counts(page) == {"blue": 10, "rouge": 10})
    qtbot.waitUntil(lambda: fake.last(m.LoadModel).class_names == ["blue", "rouge"])
    assert page.classes.names() == ["blue", "rouge"]
    page.classes.item(1).setText("blue")
    qtbot.waitUntil(lambda: counts(page) == {"blue": 20})
    assert page.window().workspace.undo_stack.undoText() == "Merge rouge into blue"
    assert any(
        problem.kind == "one-class"
        for problem in page.window().workspace.readiness.obstacles()
        if problem.kind != "loading"
    )
    page.window().workspace.undo_stack.undo()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 10, "rouge": 10})


def test_an_empty_name_changes_nothing(page: DataPage) -> None:
    page.classes.item(1).setText("   ")
    assert page.classes.item(1).text() == "red" and not page.window().workspace.undo_stack.canUndo()


def test_a_new_class(qtbot, page: DataPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QInputDialog, "getText", lambda *_a, **_k: ("  green ", True))
    page.classes.new_wanted.emit()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 10, "green": 0, "red": 10})
    assert page.window().workspace.contents.class_names == ["blue", "red"], "nothing can be learned of it yet"
    choose(page, 0)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_a, **_k: ("violet", True))
    page.grid.new_class_wanted.emit()
    qtbot.waitUntil(lambda: counts(page).get("violet") == 1)


def test_every_menu_entry_does_what_it_says(qtbot, page: DataPage, window: MainWindow) -> None:
    choose(page, 0)
    menu = page.grid.make_menu()
    texts = {action.text().split("\t")[0]: action for action in menu.actions()}
    splits = texts["Move to"].menu()
    next(action for action in splits.actions() if action.text() == "test").trigger()
    qtbot.waitUntil(lambda: window.workspace.contents.counts["blue"]["test"] == 1)
    labels = texts["Relabel to"].menu()
    next(action for action in labels.actions() if action.text().startswith("red")).trigger()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 9, "red": 11})
    texts["Exclude"].trigger()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 9, "red": 10})
    texts["Include again"].trigger()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 9, "red": 11})
    page.grid.clearSelection()
    again = {action.text().split("\t")[0]: action for action in page.grid.make_menu().actions()}
    assert not again["Exclude"].isEnabled() and not again["Move to trash…"].isEnabled()


def test_edits_in_mid_training_are_kept_and_can_be_undone(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine
) -> None:
    window.workspace.recipe_editor.change("training", "batch_size", 8)
    fake.state(EngineKind.TRAINING)
    assert not undo_action(window).isEnabled(), "the recipe can't change now"
    choose(page, 0)
    page.grid.exclude_wanted.emit(True)
    assert undo_action(window).isEnabled() and undo_action(window).text() == "Undo Exclude 1 image"
    undo_action(window).trigger()
    assert not undo_action(window).isEnabled() and undo_action(window, "Redo").isEnabled()


def test_a_full_disk_is_said_and_nothing_is_half_done(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    def full(*_args):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    choose(page, 0)
    monkeypatch.setattr("ftgui.data.catalog.edits.relabel", full)
    page.grid.relabel_wanted.emit("red")
    fake.settle()
    assert "“Relabel 1 image to red” could not be saved" in window.status.text.text()
    assert not window.workspace.undo_stack.canUndo() and counts(page) == {"blue": 10, "red": 10}


# --- what is wrong --------------------------------------------------------------------------------------------------


def test_the_same_picture_in_train_and_val_is_found_and_put_right(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    root = make_dataset(count=12, splits=("train", "val"))
    for number in range(3):
        shutil.copy(root / "val" / "red" / f"red{number}.jpg", root / "train" / "red" / f"copy{number}.jpg")
    open_project(qtbot, window, fake, root)
    page = window.data_page
    texts = [page.problems.tree.topLevelItem(i).text(0) for i in range(page.problems.tree.topLevelItemCount())]
    assert texts == ["6 images in more than one split", "6 images with duplicates"]
    page.problems.chosen.emit("leak")
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 6)
    assert page.banner.fix.text() == "Exclude the copies in train"
    page.banner.fix.click()
    qtbot.waitUntil(lambda: window.workspace.contents.excluded == 3)
    assert window.workspace.contents.counts["red"] == {"train": 12, "val": 12}
    qtbot.waitUntil(lambda: not window.workspace.contents.groups, timeout=10_000)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 51)
    assert not page.banner.isVisibleTo(page), "nothing is left to show"


def test_copies_are_excluded_but_one_of_each(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    root = make_dataset(count=12, splits=("train", "val"))
    for number in range(3):
        shutil.copy(root / "train" / "red" / "red0.jpg", root / "train" / "red" / f"copy{number}.jpg")
    open_project(qtbot, window, fake, root)
    page = window.data_page
    page.problems.chosen.emit("duplicate")
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 4)
    page.banner.fix.click()
    qtbot.waitUntil(lambda: window.workspace.contents.excluded == 3)
    assert window.workspace.contents.counts["red"]["train"] == 12


# --- looking --------------------------------------------------------------------------------------------------------


def test_the_viewer_steps_zooms_edits_and_goes_back(qtbot, page: DataPage, window: MainWindow) -> None:
    viewer = page.viewer
    page.grid.look_wanted.emit(0)
    qtbot.waitUntil(lambda: viewer.canvas.shown)
    assert viewer.name.full == "blue/blue0.jpg" and viewer.place.text() == "1 of 20"
    assert "80 × 64" in viewer.facts.text() and "JPEG, RGB" in viewer.facts.text()
    QTest.keyClick(viewer, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: viewer.canvas.shown)
    assert viewer.name.full == "blue/blue1.jpg"
    QTest.keyClick(viewer, Qt.Key.Key_Plus)
    QTest.keyClick(viewer, Qt.Key.Key_Plus)
    assert viewer.canvas.zoom > 1.5
    QTest.keyClick(viewer, Qt.Key.Key_0)
    assert viewer.canvas.zoom == 1
    QTest.keyClick(viewer, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: counts(page) == {"blue": 9, "red": 11})
    qtbot.waitUntil(lambda: "Its folder says" in viewer.facts.text())
    QTest.keyClick(viewer, Qt.Key.Key_Left)
    QTest.keyClick(viewer, Qt.Key.Key_Left)
    assert viewer.name.full == "blue/blue0.jpg", "before the first there is none"
    QTest.keyClick(viewer, Qt.Key.Key_Escape)
    assert not viewer.isVisible() and page.grid.chosen() == [page.grid.images.ids[0]]


def test_the_place_under_the_mouse_stays_there_when_zooming(qtbot, page: DataPage) -> None:
    page.grid.look_wanted.emit(0)
    canvas = page.viewer.canvas
    qtbot.waitUntil(lambda: canvas.shown)
    at = QPointF(canvas.width() * 0.4, canvas.height() * 0.6)
    before = canvas.area()
    share = ((at.x() - before.x()) / before.width(), (at.y() - before.y()) / before.height())
    canvas.zoom_by(3, at)
    after = canvas.area()
    assert after.width() == pytest.approx(3 * before.width())
    now = ((at.x() - after.x()) / after.width(), (at.y() - after.y()) / after.height())
    assert now == pytest.approx(share)


def test_an_image_that_can_not_be_shown_says_why(qtbot, page: DataPage) -> None:
    root = page.window().workspace.contents.root
    (root / "blue" / "blue0.jpg").write_bytes(b"broken")
    page.grid.look_wanted.emit(0)
    qtbot.waitUntil(lambda: "not an image" in page.viewer.canvas.text)


def test_the_selection_survives_sorting_and_filtering(qtbot, page: DataPage) -> None:
    ids = choose(page, 2, 3, 15)
    page.bar.direction.setChecked(True)
    qtbot.waitUntil(lambda: page.grid.images.ids[-1] < page.grid.images.ids[0])
    assert sorted(page.grid.chosen()) == ids
    page.bar.choose_class("blue")
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 10)
    assert sorted(page.grid.chosen()) == ids[:2]


def test_places_of_many_images(qtbot, page: DataPage) -> None:
    images = page.grid.images
    images.ids = array("q", range(1, 1_000_001))
    assert images.places([5, 999_999, 10**9]) == [4, 999_998]
    images.ids = array("q")


# --- what changes on disk, and the split ----------------------------------------------------------------------------


def test_files_that_appear_and_vanish_are_noticed(qtbot, page: DataPage, window: MainWindow) -> None:
    root = window.workspace.contents.root
    picture((200, 40, 40), 999).save(root / "red" / "new.jpg")
    (root / "blue" / "blue0.jpg").unlink()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 9, "red": 11}, timeout=10_000)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 20)


def test_a_drive_that_is_gone_takes_nothing_along_and_is_noticed_when_it_is_back(
    qtbot, page: DataPage, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = window.workspace
    root = workspace.contents.root
    first = workspace.catalog.id_of("red/red0.jpg")
    workspace.dataset_editor.relabel([first], "blue")
    workspace.dataset_editor.exclude([first + 1])
    qtbot.waitUntil(lambda: not workspace.checking and counts(page)["red"] < 10)
    before = sorted(workspace.catalog.entries())
    said: list[str] = []
    workspace.dataset.went_wrong.connect(said.append)
    workspace.dataset.watch.look_every(20)
    drive = root.with_name("drive")
    root.rename(drive)
    root.mkdir()  # the mount point
    workspace.dataset.rescan()
    qtbot.waitUntil(lambda: len(said) > 0)
    assert "There are no images in “pictures” any more; this project knows 20 in it." in said[0]
    assert "Nothing is lost" in said[0] and sorted(workspace.catalog.entries()) == before
    root.rmdir()
    with qtbot.waitSignal(workspace.dataset.scanned):
        drive.rename(root)
    qtbot.waitUntil(lambda: not workspace.checking)
    assert sorted(workspace.catalog.entries()) == before and workspace.contents.excluded == 1
    picture((200, 40, 40), 999).save(root / "red" / "new.jpg")
    qtbot.waitUntil(lambda: workspace.catalog.id_of("red/new.jpg") is not None, timeout=10_000)


def test_the_split_is_changed_by_sliders_and_undone(qtbot, page: DataPage, window: MainWindow) -> None:
    page.change_split.click()
    (editor,) = page.findChildren(SplitEditor)
    editor.val.setValue(30)
    editor.test.setValue(20)
    assert "train 50 % · val 30 % · test 20 %" in editor.shares.text()
    editor.buttons.button(editor.buttons.StandardButton.Apply).click()
    qtbot.waitUntil(lambda: window.workspace.contents.counts["red"] == {"train": 5, "val": 3, "test": 2})
    window.workspace.saver.wait()
    assert recipe_file.load(window.workspace.project.recipe_path).dataset.test_fraction == 0.2
    window.workspace.undo_stack.undo()
    qtbot.waitUntil(lambda: window.workspace.contents.counts["red"] == {"train": 8, "val": 2})
    editor.close()


def test_the_split_editor_shows_what_a_group_would_be(qtbot, page: DataPage) -> None:
    page.change_split.click()
    (editor,) = page.findChildren(SplitEditor)
    apply = editor.buttons.button(editor.buttons.StandardButton.Apply)
    editor.grouping.setCurrentIndex(2)
    editor.grouping.activated.emit(2)
    editor.pattern.setText(r"(\w+)/")
    assert "group “" in editor.says.text() and apply.isEnabled()
    editor.pattern.setText("(")
    assert "not a regular expression" in editor.says.text() and not apply.isEnabled()
    editor.grouping.setCurrentIndex(1)
    editor.grouping.activated.emit(1)
    assert "not in a group" in editor.says.text() and editor.splitting() == Splitting(0.2, 0.0, 0, BY_FOLDER)
    editor.close()


def test_a_large_folder_shows_its_first_images_while_the_rest_are_searched(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftgui.data.scanning.found._BATCH", 10)
    root = make_dataset(classes=("a", "b", "c"), count=20)
    go_on = threading.Event()
    was = Project.fill

    def slow(self, folder, recipe, job, begun=None):
        def first() -> None:
            begun()
            go_on.wait(10)

        return was(self, folder, recipe, job, first)

    monkeypatch.setattr(Project, "fill", slow)
    fake.become_ready()
    try:
        window.workspace.open_dataset(root)
        qtbot.waitUntil(lambda: window.data_page.grid.images.rowCount() == 10)
        assert not window.top.train.isEnabled()
        assert any("still being scanned" in p.message for p in window.workspace.readiness.obstacles())
        assert "10 images so far" in window.data_page.split.text()
        window.workspace.recipe_editor.change("training", "batch_size", 7)
        window.workspace.recipe_editor.split(0.4, 0.0, 0, "")
    finally:
        go_on.set()
    qtbot.waitUntil(lambda: window.data_page.grid.images.rowCount() == 60)
    qtbot.waitUntil(lambda: fake.last(m.LoadModel).class_names == ["a", "b", "c"])
    window.workspace.saver.wait()
    saved = recipe_file.load(window.workspace.project.recipe_path)
    assert saved == window.workspace.recipe and saved.training.batch_size == 7, "what was changed meanwhile is kept"
    qtbot.waitUntil(lambda: window.workspace.contents.counts["a"] == {"train": 12, "val": 8})


def test_looking_through_a_folder_can_be_stopped_and_gone_on_with(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftgui.data.scanning.found._BATCH", 5)
    monkeypatch.setattr("ftgui.data.scanning.found._LOOK_EVERY", 1)
    root = make_dataset(count=20)
    import threading

    stopped = threading.Event()
    was = Project.fill

    def slow(self, folder, recipe, job, begun=None):
        def first() -> None:
            begun()
            stopped.wait(10)

        return was(self, folder, recipe, job, first)

    with monkeypatch.context() as patch:
        patch.setattr(Project, "fill", slow)
        window.workspace.open_dataset(root)
        qtbot.waitUntil(lambda: window.workspace.dataset.scanning)
        qtbot.waitUntil(window.status.cancel.isVisible)
        window.status.cancel.click()
        stopped.set()
        qtbot.waitUntil(lambda: not window.workspace.checking)
    assert "Open the folder again to continue scanning." in window.status.text.text()
    assert not window.workspace.contents.complete
    assert any("not scanned completely" in problem.message for problem in window.workspace.readiness.obstacles())
    open_project(qtbot, window, fake, root)
    assert window.workspace.contents.complete and counts(window.data_page) == {"blue": 20, "red": 20}


# --- files ----------------------------------------------------------------------------------------------------------


def test_the_trash_asks_with_the_number(qtbot, page: DataPage, window, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(_parent, _title, text, *_rest):
        asked.append(text)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", answer)
    choose(page, 0, 1)
    page.grid.trash_wanted.emit()
    assert "Move 2 image files to the system's trash?" in asked[0]
    assert counts(page) == {"blue": 10, "red": 10}
    moved: list[str] = []

    def trash(path: str) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        moved.append(Path(path).name)
        Path(path).unlink()
        return True

    monkeypatch.setattr(QMessageBox, "question", lambda *_a: QMessageBox.StandardButton.Yes)
    monkeypatch.setattr("ftgui.ui.images.image_browser.QFile.moveToTrash", trash)
    window.workspace.access.look_only = True
    page.grid.trash_wanted.emit()
    assert window.status.text.text().endswith("here it can only be viewed.")
    window.workspace.access.look_only = False
    page.grid.trash_wanted.emit()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 8, "red": 10}, timeout=10_000)
    assert moved == ["blue0.jpg", "blue1.jpg"]


def test_a_drag_says_whose_images_it_carries(page: DataPage) -> None:
    mime = QMimeData()
    mime.setData(IMAGES_MIME, QByteArray(array("q", [3, 4]).tobytes()))
    from ftgui.ui.images.image_list import ids_in

    assert ids_in(mime) == [3, 4]


# --- other ways in --------------------------------------------------------------------------------------------------


def test_an_unclear_table_is_asked_about_and_opened_with_the_answer(
    qtbot, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    lines = ["foto,colour,shape"]
    for number in range(12):
        picture((9, 9, 9), number).save(folder / f"{number}.jpg")
        lines.append(f"{number}.jpg,{'rb'[number % 2]},{'oq'[number // 6]}")
    (folder / "x.csv").write_text("\n".join(lines), encoding="utf-8")
    window.workspace.open_dataset(folder)
    qtbot.waitUntil(lambda: bool(window.findChildren(TableDialog)))
    (dialog,) = window.findChildren(TableDialog)
    assert dialog.path.currentText() == "foto" and window.workspace.project is None
    dialog.label.setCurrentText("foto")
    open_button = dialog.buttons.button(dialog.buttons.StandardButton.Open)
    assert not open_button.isEnabled()
    dialog.label.setCurrentText("shape")
    with qtbot.waitSignal(window.workspace.project_changed):
        open_button.click()
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert {name: splits.total() for name, splits in window.workspace.contents.counts.items()} == {"o": 6, "q": 6}


def test_what_says_the_classes_is_asked_once_and_can_be_chosen_anew(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    folder = make_dataset(count=12)
    rows = [f"{name}{n}.jpg,{'xyz'[n % 3]}" for name in ("red", "blue") for n in range(12)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    workspace = window.workspace
    workspace.open_dataset(folder)
    qtbot.waitUntil(lambda: bool(window.findChildren(LayoutDialog)))
    (dialog,) = window.findChildren(LayoutDialog)
    titles = [choice.text() for choice in dialog.choices.buttons()]
    assert sorted(titles) == ["The folders: 2 classes, 24 images", "labels.csv: 3 classes, 24 images"]
    next(choice for choice in dialog.choices.buttons() if "csv" in choice.text()).setChecked(True)
    with qtbot.waitSignal(workspace.project_changed):
        dialog.buttons.button(dialog.buttons.StandardButton.Open).click()
    qtbot.waitUntil(lambda: not workspace.checking)
    assert set(workspace.contents.counts) == {"x", "y", "z"}
    tree = window.data_page.problems.tree
    notes = [tree.topLevelItem(row) for row in range(tree.topLevelItemCount())]
    note = next(item for item in notes if "about the classes" in item.text(0))
    assert note.isExpanded() and note.child(0).text(0).startswith("Classes from labels.csv, 24 of 24 images.")
    qtbot.waitUntil(lambda: not window.findChildren(LayoutDialog))
    tree.itemClicked.emit(note.child(note.childCount() - 1), 0)
    qtbot.waitUntil(lambda: bool(window.findChildren(LayoutDialog)))
    (dialog,) = window.findChildren(LayoutDialog)
    assert set(workspace.contents.counts) == {"x", "y", "z"}, "asking changes nothing"
    next(choice for choice in dialog.choices.buttons() if "folders" in choice.text()).setChecked(True)
    with qtbot.waitSignal(workspace.project_changed):
        dialog.buttons.button(dialog.buttons.StandardButton.Open).click()
    qtbot.waitUntil(lambda: not workspace.checking)
    assert set(workspace.contents.counts) == {"red", "blue"}


def test_several_folders_are_classes(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    root = make_dataset(classes=("red", "blue", "green"), count=6)
    mime = urls(root / "red", root / "green")
    hover(window, mime)
    qtbot.waitUntil(lambda: window.overlay.text == "Open 2 classes: green, red\n2 classes, 12 images")
    with qtbot.waitSignal(window.workspace.project_changed):
        drop(window, mime)
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert window.workspace.contents.class_names == ["green", "red"]
    window.workspace.saver.wait()
    assert recipe_file.load(window.workspace.project.recipe_path).dataset.folders == ["green", "red"]
    assert window.workspace.project != Project.for_dataset(root)
    picture((9, 9, 9), 5).save(root / "blue" / "new.jpg")
    window.workspace.dataset.rescan()
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert window.workspace.contents.class_names == ["green", "red"], "the third stays out"


def test_a_cleaned_copy_is_exported(qtbot, page: DataPage, window: MainWindow, tmp_path: Path) -> None:
    choose(page, 0)
    page.grid.exclude_wanted.emit(True)
    qtbot.waitUntil(lambda: window.workspace.contents.excluded == 1)
    window.dialogs.export_dataset()
    (dialog,) = window.findChildren(ExportDialog)
    dialog.write(tmp_path / "copy")
    qtbot.waitUntil(lambda: "19 images written" in dialog.said.text())
    assert len(list((tmp_path / "copy").rglob("*.jpg"))) == 19
    dialog.write(tmp_path / "copy")
    qtbot.waitUntil(lambda: "not empty" in dialog.said.text())
    dialog.table.setChecked(True)
    dialog.write(tmp_path / "table.csv")
    qtbot.waitUntil(lambda: "19 images written" in dialog.said.text())
    dialog.close()


def test_the_data_of_two_runs_are_compared(page: DataPage, window: MainWindow, fake: FakeEngine) -> None:
    window.dialogs.compare_datasets()
    fake.settle()
    (dialog,) = window.findChildren(CompareDialog)
    assert "no run yet" in dialog.summary.text()
    dialog.close()
    dialog.deleteLater()
    for label_ in ("x", "y"):
        folder = new_run_folder(window.workspace.project, "head")
        (folder / "samples.csv").write_text(f"path,class_name,split\na.jpg,{label_},train\n", encoding="utf-8")
    again = CompareDialog(window.workspace.project, window.workspace.disk_tasks, window)
    fake.settle()
    assert again.summary.text() == "1 relabelled." and again.tree.topLevelItem(0).child(0).text(0) == "a.jpg"
    again.close()


# --- what the model says --------------------------------------------------------------------------------------------


def finish_training(window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    fake.state(EngineKind.TRAINING)
    fake.tell(
        m.TrainingFinished(
            str(tmp_path / "run"), "done", "Done.", 1, best_accuracy=1.0, steps=10, seconds=1.0, evaluation=None
        )
    )
    fake.state(EngineKind.READY)


def test_after_a_training_the_model_looks_at_all_images_and_wrong_labels_stand_out(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    assert "has learned nothing yet" in window.workspace.evaluation.why_not_now()
    finish_training(window, fake, tmp_path)
    question = fake.last(m.EvaluateImages)
    paths = ["blue/blue0.jpg", "blue/blue1.jpg", "red/red0.jpg"]
    fake.tell(
        m.EvaluatedImages(
            question.request, paths, ["red", "blue", "blue"], [0.97, 0.9, 0.6], [3.5, 0.1, 1.0], 3, 20, False
        )
    )
    assert "evaluating all images… · 3 of 20" in window.status.left.text()
    fake.tell(m.EvaluatedImages(question.request, [], [], [], [], 3, 20, True))
    assert window.status.left.text() == ""
    tree = page.problems.tree

    def suspects():
        return tree.findItems("probably mislabelled", Qt.MatchFlag.MatchContains)

    qtbot.waitUntil(lambda: len(suspects()) == 1)
    assert suspects()[0].text(0) == "1 image probably mislabelled"
    assert "Labelled “blue”; the model says “red”, 97%" in suspects()[0].child(0).toolTip(0)
    page.bar.state_filter.setCurrentText("Wrong")
    page.bar.state_filter.activated.emit(0)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 2)
    page.bar.clear()
    page.problems.file_chosen.emit("likely-wrong", "blue/blue0.jpg")
    fake.settle()
    assert "red, 97%" in page.viewer.facts.text()
    QTest.keyClick(page.viewer, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: not suspects())


def test_training_again_ends_the_looking(page: DataPage, window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    finish_training(window, fake, tmp_path)
    fake.sent.clear()
    window.workspace.training.start()
    assert [type(command) for command in fake.sent] == [m.CancelRequest, m.Train]


def test_what_is_dropped_on_the_grid_is_the_windows(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine, make_dataset: Maker, tmp_path: Path
) -> None:
    picture((200, 0, 0), 1).save(tmp_path / "what.png")
    viewport = page.grid.viewport()
    drop_on(viewport, viewport.rect().center(), urls(tmp_path / "what.png"))
    assert fake.last(m.Predict).path == str(tmp_path / "what.png")
    window.show_page(DATA)
    with qtbot.waitSignal(window.workspace.project_changed):
        drop_on(viewport, viewport.rect().center(), urls(make_dataset(classes=("a", "b"), count=4, name="others")))
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert window.workspace.contents.class_names == ["a", "b"] and not window.overlay.isVisible()


# --- what a reviewer found ------------------------------------------------------------------------------------------


def test_an_open_viewer_leaves_the_keyboard_where_it_is(qtbot, page: DataPage, window: MainWindow) -> None:
    page.grid.look_wanted.emit(0)
    qtbot.waitUntil(lambda: page.viewer.canvas.shown)
    window.activateWindow()
    page.bar.search.setFocus()
    with qtbot.waitSignal(window.workspace.catalog_changed):
        window.workspace.dataset.refresh()
    qtbot.waitUntil(lambda: not page.browser.finding)
    assert not page.viewer.hasFocus()


def test_the_viewer_goes_on_after_an_edit_took_its_image_out_of_the_filter(qtbot, page: DataPage) -> None:
    page.bar.choose_class("blue")
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 10)
    page.grid.look_wanted.emit(3)
    QTest.keyClick(page.viewer, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 9)
    assert page.viewer.name.full == "blue/blue3.jpg"
    QTest.keyClick(page.viewer, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 10)
    QTest.keyClick(page.viewer, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 9)
    QTest.keyClick(page.viewer, Qt.Key.Key_Right)
    assert page.viewer.name.full == "blue/blue4.jpg", "the next takes its place"
    QTest.keyClick(page.viewer, Qt.Key.Key_Left)
    assert page.viewer.name.full == "blue/blue2.jpg"


def test_an_undo_that_fails_is_not_turned_round(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    choose(page, 0)
    page.grid.relabel_wanted.emit("red")
    qtbot.waitUntil(lambda: counts(page) == {"blue": 9, "red": 11})

    def locked(*_args):
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("ftgui.data.catalog.edits.write", locked)
        window.workspace.undo_stack.undo()
        fake.settle()
    stack = window.workspace.undo_stack
    assert "was not done" in window.status.text.text()
    stack.redo()
    window.workspace.dataset.refresh()
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert counts(page) == {"blue": 9, "red": 11} and stack.undoText() == "Relabel 1 image to red"
    with monkeypatch.context() as patch:
        patch.setattr("ftgui.data.catalog.edits.write", locked)
        stack.undo()
        fake.settle()
    qtbot.waitUntil(lambda: stack.canUndo() and not stack.canRedo())
    stack.undo()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 10, "red": 10})
    with monkeypatch.context() as patch:
        patch.setattr("ftgui.data.catalog.edits.write", locked)
        stack.redo()
        fake.settle()
    qtbot.waitUntil(lambda: stack.canRedo() and not stack.canUndo())
    stack.redo()
    qtbot.waitUntil(lambda: counts(page) == {"blue": 9, "red": 11})


def test_what_a_model_says_does_not_reach_another_dataset(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine, make_dataset: Maker, tmp_path: Path
) -> None:
    finish_training(window, fake, tmp_path)
    question = fake.last(m.EvaluateImages)
    with qtbot.waitSignal(window.workspace.project_changed):
        window.workspace.open_dataset(make_dataset(count=10, name="copy"))
    fake.tell(m.EvaluatedImages(question.request, ["blue/blue0.jpg"], ["red"], [0.97], [3.5], 1, 20, False))
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert "likely-wrong" not in {group.kind for group in window.workspace.contents.groups}
    assert any(isinstance(command, m.CancelRequest) for command in fake.sent)


def test_undoing_a_split_gives_every_image_back(qtbot, page: DataPage, window: MainWindow) -> None:
    catalog, root = window.workspace.catalog, window.workspace.contents.root
    for number in range(15):
        picture((200, 40, 40), 500 + number).save(root / "red" / f"a{number}.jpg")
    window.workspace.dataset.rescan()
    qtbot.waitUntil(lambda: counts(page)["red"] == 25, timeout=10_000)
    with Catalog(catalog.path) as writable:
        edits.relabel(writable, catalog.find(Query(class_name="red", split="val")), "blue")
        edits.relabel(writable, catalog.find(Query(class_name="blue", split="train"))[:5], "red")
    before = sorted(catalog.entries())
    window.workspace.recipe_editor.split(0.4, 0.1, 3, "")
    qtbot.waitUntil(lambda: window.workspace.contents.counts["red"]["val"] == 10)
    window.workspace.undo_stack.undo()
    qtbot.waitUntil(lambda: sorted(catalog.entries()) == before)
    window.workspace.undo_stack.redo()
    qtbot.waitUntil(lambda: catalog.counts()["red"]["val"] == 10)


def test_a_pattern_that_is_none_is_refused_wherever_the_example_lies(
    qtbot, page: DataPage, window: MainWindow, tmp_path: Path
) -> None:
    catalog = window.workspace.catalog
    extra = tmp_path / "0 first of all.png"
    picture((1, 2, 3), 1).save(extra)
    with Catalog(catalog.path) as writable:
        added, _ = edits.add_images(writable, [extra], "red")
        held_out = catalog.find(Query(split="val"))
        edits.move(writable, held_out, "train")
        edits.move(writable, added, "val")
    window.workspace.dataset.refresh()
    qtbot.waitUntil(lambda: window.workspace.contents.example == extra)
    page.change_split.click()
    (editor,) = page.findChildren(SplitEditor)
    apply = editor.buttons.button(QDialogButtonBox.StandardButton.Apply)
    editor.grouping.setCurrentIndex(editor.grouping.findData("pattern"))
    editor.pattern.setText(r"(\w+) first")
    assert apply.isEnabled() and "group “0”" in editor.says.text()
    for bad in ("(", "a{99999999999}"):
        editor.pattern.setText(bad)
        assert not apply.isEnabled() and "not a regular expression" in editor.says.text()
    editor.close()


def test_a_bad_pattern_in_the_recipe_is_said_and_nothing_else(qtbot, page: DataPage, window: MainWindow) -> None:
    workspace = window.workspace
    before = {path: split for path, _, split in workspace.catalog.entries()}
    workspace.recipe_editor.split(0.2, 0.0, 0, "(")
    qtbot.waitUntil(lambda: any(group.kind == "split" for group in workspace.contents.groups))
    assert {path: split for path, _, split in workspace.catalog.entries()} == before
    assert not window.top.train.isEnabled() and "not a regular expression" in window.top.train.toolTip()
    undo_action(window).trigger()
    qtbot.waitUntil(lambda: not any(group.kind == "split" for group in workspace.contents.groups))
    assert {path: split for path, _, split in workspace.catalog.entries()} == before


def test_a_split_editor_does_not_outlive_its_project(
    qtbot, page: DataPage, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    page.change_split.click()
    (editor,) = page.findChildren(SplitEditor)
    fake.state(EngineKind.TRAINING)
    editor.val.setValue(40)
    editor.buttons.button(editor.buttons.StandardButton.Apply).click()
    assert "Training is in progress" in window.status.text.text()
    fake.state(EngineKind.READY)
    with qtbot.waitSignal(editor.destroyed):
        window.workspace.open_dataset(make_dataset(count=5, name="others"))


def test_an_edit_during_a_comparison_is_compared_again(
    qtbot, page: DataPage, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    collection, go_on = window.workspace.dataset, threading.Event()
    rounds = []

    def slow(_catalog, _job) -> None:
        rounds.append(len(rounds))
        go_on.wait(10)

    monkeypatch.setattr("ftgui.ui.project.image_checking.find_lookalikes", slow)
    collection.image_checking.compare()
    qtbot.waitUntil(lambda: rounds == [0])
    collection.image_checking.compare()
    go_on.set()
    qtbot.waitUntil(lambda: rounds == [0, 1])
    qtbot.waitUntil(lambda: not collection.checking)
    assert rounds == [0, 1]


def test_a_changed_file_gets_a_new_thumbnail_and_the_others_keep_theirs(
    qtbot, page: DataPage, window: MainWindow
) -> None:
    images = page.grid.images

    def shown(place: int):
        return images.index(place).data(Qt.ItemDataRole.DecorationRole)

    places = range(len(images.ids))
    qtbot.waitUntil(lambda: all(shown(place) is not None for place in places))
    others = [shown(place).cacheKey() for place in places[1:]]
    picture((250, 250, 0), 77).save(window.workspace.contents.root / "blue" / "blue0.jpg")
    window.workspace.dataset.rescan()
    qtbot.waitUntil(lambda: shown(0).toImage().pixelColor(60, 60).red() > 180)
    assert [shown(place).cacheKey() for place in places[1:]] == others


def test_classes_take_the_room_that_problems_do_not_need(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    window.resize(1100, 700)
    open_project(qtbot, window, fake, make_dataset(tuple(f"class {n}" for n in range(12)), count=6))
    page = window.data_page
    rows = page.problems.tree.topLevelItemCount()
    assert rows < 5
    # With half the height each, most of the twelve would be out of sight beside an empty half.
    qtbot.waitUntil(lambda: page.classes.height() > 2 * page.problems.height())
    assert page.problems.tree.height() <= (rows + 1) * max(page.problems.tree.sizeHintForRow(0), 1)
