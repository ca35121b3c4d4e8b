"""Short work on the disk: in order, off the window's thread, and without late answers."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QObject

from ftgui.data.catalog.errors import CatalogError
from ftgui.ui.toolkit.errands import Errands


@pytest.fixture
def errands(qapp):
    owner = QObject()
    made = Errands(owner)
    yield made
    made.close()
    owner.deleteLater()


def test_the_order_is_kept_and_answers_come_back_to_the_windows_thread(qtbot, errands: Errands) -> None:
    done: list[int] = []
    answers: list[tuple[int, bool, bool]] = []
    main = threading.main_thread()

    def work(number: int) -> tuple[int, bool]:
        done.append(number)
        return number, threading.current_thread() is main

    for number in range(20):
        errands.do(
            lambda number=number: work(number), lambda said: answers.append((*said, threading.current_thread() is main))
        )
    qtbot.waitUntil(lambda: not errands.working)
    assert done == list(range(20))
    assert answers == [(number, False, True) for number in range(20)]


def test_what_goes_wrong_is_a_sentence_and_the_next_is_done(qtbot, errands: Errands) -> None:
    said: list[str] = []

    def refuse(error: Exception) -> None:
        raise error

    errands.do(lambda: refuse(OSError("The drive is gone")), failed=said.append)
    errands.do(lambda: refuse(CatalogError("It is damaged.")), failed=said.append)
    errands.do(lambda: "written", said.append)
    qtbot.waitUntil(lambda: not errands.working)
    assert said == ["The drive is gone.", "It is damaged.", "written"]


def test_what_was_asked_for_a_closed_project_is_done_but_not_told(qtbot, errands: Errands) -> None:
    go_on = threading.Event()
    done: list[str] = []
    told: list[str] = []

    def work(what: str) -> str:
        go_on.wait(10)
        done.append(what)
        return what

    errands.do(lambda: work("written"), told.append)
    errands.do(lambda: work("made"), told.append, kept=True)
    errands.forget()
    errands.do(lambda: work("of the next project"), told.append)
    go_on.set()
    qtbot.waitUntil(lambda: not errands.working)
    assert done == ["written", "made", "of the next project"]
    assert told == ["made", "of the next project"]
