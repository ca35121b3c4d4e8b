"""Short work on the disk: in order, off the window's thread, and without late answers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QThreadPool

from ftgui.data.catalog.errors import CatalogError
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.task_queue import TaskQueue


@pytest.fixture
def disk_tasks(qapp):
    owner = QObject()
    made = TaskQueue(owner)
    yield made
    made.close()
    owner.deleteLater()


def test_the_order_is_kept_and_answers_come_back_to_the_windows_thread(qtbot, disk_tasks: TaskQueue) -> None:
    done: list[int] = []
    answers: list[tuple[int, bool, bool]] = []
    main = threading.main_thread()

    def work(number: int) -> tuple[int, bool]:
        done.append(number)
        return number, threading.current_thread() is main

    for number in range(20):
        disk_tasks.do(
            lambda number=number: work(number), lambda said: answers.append((*said, threading.current_thread() is main))
        )
    qtbot.waitUntil(lambda: not disk_tasks.working)
    assert done == list(range(20))
    assert answers == [(number, False, True) for number in range(20)]


def test_what_goes_wrong_is_a_sentence_and_the_next_is_done(qtbot, disk_tasks: TaskQueue) -> None:
    said: list[str] = []

    def refuse(error: Exception) -> None:
        raise error

    disk_tasks.do(lambda: refuse(OSError("The drive is gone")), failed=said.append)
    disk_tasks.do(lambda: refuse(CatalogError("It is damaged.")), failed=said.append)
    disk_tasks.do(lambda: "written", said.append)
    qtbot.waitUntil(lambda: not disk_tasks.working)
    assert said == ["The drive is gone.", "It is damaged.", "written"]


def test_what_was_asked_for_a_closed_project_is_done_but_not_told(qtbot, disk_tasks: TaskQueue) -> None:
    go_on = threading.Event()
    done: list[str] = []
    told: list[str] = []

    def work(what: str) -> str:
        go_on.wait(10)
        done.append(what)
        return what

    disk_tasks.do(lambda: work("written"), told.append)
    disk_tasks.do(lambda: work("made"), told.append, kept=True)
    disk_tasks.forget()
    disk_tasks.do(lambda: work("of the next project"), told.append)
    go_on.set()
    qtbot.waitUntil(lambda: not disk_tasks.working)
    assert done == ["written", "made", "of the next project"]
    assert told == ["made", "of the next project"]


def test_what_the_system_refuses_is_a_sentence_and_nothing_unexpected(qtbot, qapp, tmp_path: Path) -> None:
    def read(_job: object) -> bytes:
        return (tmp_path / "gone.txt").read_bytes()

    pool = QThreadPool()
    task = Task(read, qapp)
    with qtbot.waitSignal(task.failed) as failed:
        task.start(pool)
    assert failed.args == [f"{tmp_path / 'gone.txt'}: No such file or directory."]
