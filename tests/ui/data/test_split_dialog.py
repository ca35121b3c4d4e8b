"""Dividing the images another way, and edits while somebody else writes: never on the window's time."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.query import Query
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.split import Splitting
from ftgui.ui.project import undo_catalog
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> MainWindow:
    open_project(qtbot, window, fake, make_dataset(count=20))
    return window


def splits(window: MainWindow) -> dict[str, str]:
    return {path: split for path, _, split in window.workspace.catalog.entries()}


def test_the_images_are_divided_on_another_thread_and_training_waits_for_it(
    qtbot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, real, go_on = opened.workspace, edits.split_again, threading.Event()
    threads: list[threading.Thread] = []

    def slowly(catalog: Catalog, splitting: Splitting, back: edits.Values | None = None) -> edits.Values:
        threads.append(threading.current_thread())
        assert go_on.wait(60)
        return real(catalog, splitting, back)

    monkeypatch.setattr("ftgui.data.catalog.edits.split_again", slowly)
    before = splits(opened)
    workspace.recipe_editor.split(0.4, 0.0, 0, "")
    workspace.recipe_editor.split(0.3, 0.1, 5, "")
    assert splits(opened) == before, "nothing was done on this thread"
    assert not opened.top.train.isEnabled() and "being divided" in opened.top.train.toolTip()
    go_on.set()
    qtbot.waitUntil(
        lambda: workspace.catalog.splitting == Splitting(0.3, 0.1, 5) and not workspace.dataset_editor.dividing
    )
    assert len(threads) == 2 and threading.main_thread() not in threads, "the newest wish came last"
    assert opened.top.train.isEnabled() and splits(opened) != before
    workspace.undo_stack.undo()
    qtbot.waitUntil(lambda: splits(opened) == before)


def test_a_split_of_a_project_that_is_no_longer_open_touches_no_other(
    qtbot, opened: MainWindow, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, real, go_on = opened.workspace, edits.split_again, threading.Event()

    def slowly(*args) -> edits.Values:
        assert go_on.wait(60)
        return real(*args)

    monkeypatch.setattr("ftgui.data.catalog.edits.split_again", slowly)
    first = workspace.catalog.path
    workspace.recipe_editor.split(0.4, 0.1, 9, "")
    with qtbot.waitSignal(workspace.project_changed):
        workspace.open_dataset(make_dataset(count=12, name="other"))
    go_on.set()
    qtbot.waitUntil(lambda: not workspace.dataset_editor.dividing and not workspace.checking)
    assert workspace.catalog.splitting == Splitting()
    with CatalogReader(first) as catalog:
        assert catalog.splitting == Splitting(0.4, 0.1, 9)


def test_an_edit_does_not_wait_for_long_while_another_program_writes(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo_catalog, "PATIENCE_FOR_A_LOCK", 0.05)
    open_project(qtbot, window, fake, make_dataset(count=6))
    workspace = window.workspace
    ids = list(workspace.catalog.find(Query(class_name="red")))[:2]
    other = sqlite3.connect(workspace.catalog.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    workspace.dataset_editor.relabel(ids, "blue")
    fake.settle()
    said = window.status.text.text()
    assert "“Relabel 2 images to blue” was not done" in said and "Try again" in said
    assert not workspace.undo_stack.canUndo() and window.notice.isHidden()
    other.execute("ROLLBACK")
    other.close()
    workspace.dataset_editor.relabel(ids, "blue")
    fake.settle()
    assert workspace.undo_stack.undoText() == "Relabel 2 images to blue"
