"""Thousands of images added to a class: beside the main thread, in one step, all or none."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer

from ftgui.base.job import Job
from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.project import Project
from ftgui.ui.data.data_page import DataPage
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import Maker, picture
from tests.ui.data.test_data_page import counts
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow

MANY = 3000


@pytest.fixture
def page(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> DataPage:
    open_project(qtbot, window, fake, make_dataset(count=10))
    return window.data_page


@pytest.fixture
def many(tmp_path: Path) -> list[Path]:
    """One picture under thousands of names."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    first = folder / "0000.png"
    picture((200, 0, 0), 1, (8, 8)).save(first)
    for number in range(1, MANY):
        (folder / f"{number:04d}.png").hardlink_to(first)
    return sorted(folder.iterdir())


def test_the_main_thread_goes_on_meanwhile(
    qtbot, page: DataPage, window: MainWindow, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work waits until the event loop has turned: done on the main thread it would wait for ever."""
    turned, threads = threading.Event(), []
    really = edits.add_images

    def held(catalog: Catalog, files: list[Path], class_name: str, job: Job) -> object:
        threads.append(threading.current_thread())
        assert turned.wait(20), "the event loop stood still"
        return really(catalog, files, class_name, job)

    monkeypatch.setattr(edits, "add_images", held)
    QTimer.singleShot(50, turned.set)
    curation, stack = window.workspace.dataset_editor, window.workspace.undo_stack
    curation.add([*many, many[0].with_name("gone.png")], "red")
    assert counts(page) == {"blue": 10, "red": 10} and not stack.canUndo()
    qtbot.waitUntil(lambda: counts(page)["red"] == 10 + MANY, timeout=20_000)
    assert threads and threading.main_thread() not in threads
    assert stack.undoText() == f"Add {MANY:,} images to red" and stack.count() == 1
    assert "1 file left out" in window.status.text.text() and "gone.png" in window.status.text.text()
    stack.undo()
    qtbot.waitUntil(lambda: counts(page)["red"] == 10)
    stack.redo()
    qtbot.waitUntil(lambda: counts(page)["red"] == 10 + MANY)


def test_progress_is_shown(qtbot, page: DataPage, window: MainWindow, many: list[Path]) -> None:
    said: list[tuple[str, int, int]] = []
    window.workspace.progress.busy.connect(lambda *progress: said.append(progress))
    qtbot.waitUntil(lambda: not window.workspace.dataset.working)
    window.workspace.dataset_editor.add(many, "red")
    qtbot.waitUntil(window.workspace.undo_stack.canUndo)
    assert "adding images" in {what for what, _, _ in said}


def test_two_at_once_are_two_steps(qtbot, page: DataPage, window: MainWindow, many: list[Path]) -> None:
    window.workspace.dataset_editor.add(many[:2000], "red")
    window.workspace.dataset_editor.add(many[1500:], "blue")
    qtbot.waitUntil(lambda: window.workspace.undo_stack.count() == 2)
    qtbot.waitUntil(lambda: counts(page) == {"blue": 1010, "red": 2010})
    assert "500 files left out" in window.status.text.text()


def test_another_dataset_gets_no_step_of_it(
    qtbot, page: DataPage, window: MainWindow, many: list[Path], make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    really = edits.add_images

    def held(*arguments: object) -> object:
        go_on.wait(20)
        return really(*arguments)

    monkeypatch.setattr(edits, "add_images", held)
    first = window.workspace.project
    window.workspace.dataset_editor.add(many, "red")
    with qtbot.waitSignal(window.workspace.project_changed):
        window.workspace.open_dataset(make_dataset(name="others"))
    go_on.set()
    qtbot.waitUntil(lambda: not window.workspace.dataset_editor.adding)
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert not window.workspace.undo_stack.canUndo() and counts(page)["red"] == 6
    with first.catalog() as catalog:
        assert catalog.counts()["red"].total() == 10 + MANY, "what was asked for was done"


def test_the_end_of_the_program_takes_in_all_or_none(
    qtbot, page: DataPage, window: MainWindow, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    really = Job.progress

    def slow(job: Job, done: int, total: int = 0) -> None:
        if total == MANY and done == MANY // 2:
            begun.set()
            deadline = time.monotonic() + 20
            while not job.cancelled and time.monotonic() < deadline:
                time.sleep(0.01)
        really(job, done, total)

    monkeypatch.setattr(Job, "progress", slow)
    window.workspace.dataset_editor.add(many, "red")
    assert begun.wait(20)
    window.workspace.dataset_editor.close()
    with window.workspace.project.catalog() as catalog:
        assert catalog.counts()["red"].total() == 10


def test_a_catalog_that_can_not_be_written_is_said(
    qtbot, page: DataPage, window: MainWindow, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(edits, "add_images", full)
    window.workspace.dataset_editor.add(many, "red")
    sentence = "“Add images” could not be saved: database or disk is full."
    qtbot.waitUntil(lambda: window.status.text.text() == sentence)
    assert not window.workspace.undo_stack.canUndo() and not window.workspace.dataset_editor.adding


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from ftgui.data.catalog import edits
    from ftgui.data.catalog.catalog import Catalog

    def killed(catalog, db, splitting):
        os.kill(os.getpid(), signal.SIGKILL)

    if sys.argv[3] == "kill":
        edits.assign_splits = killed
    with Catalog(Path(sys.argv[1])) as catalog:
        edits.add_images(catalog, sorted(Path(sys.argv[2]).iterdir()), "red")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(("how", "taken_in"), [("kill", 0), ("leave", MANY)])
def test_killed_in_the_middle_none_is_taken_in(how: str, taken_in: int, many: list[Path], make_dataset: Maker) -> None:
    """Not even images without a split."""
    dataset = make_dataset(count=10)
    project = Project.for_dataset(dataset)
    project.take_in(dataset)
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(project.catalog_path), str(many[0].parent), how]
    done = subprocess.run(script, env=os.environ)
    assert (done.returncode == 0) == (how == "leave")
    with project.catalog() as catalog:
        counted = catalog.counts()["red"]
    assert counted.total() == 10 + taken_in and "" not in counted
