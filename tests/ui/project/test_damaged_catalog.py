"""The window on a catalog that can't be read: a sentence and a way out, whenever it is met; never a traceback."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QPushButton

from ftgui.data.catalog import catalog as catalogs
from ftgui.data.catalog.errors import CatalogDamaged, as_catalog_error
from ftgui.data.project import Project
from ftgui.ui.shell.app import show_exceptions
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.shell.questions import Choice
from tests.conftest import Maker
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:9000])


def fill(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def text(file: Path) -> None:
    file.write_text("no catalog " * 500, encoding="ascii")


def no_images(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("DROP TABLE findings")
        db.execute("DROP TABLE images")


def other_meta(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('intensity', '[1]')")
        db.commit()


def odd_finding(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO findings SELECT min(id), 'haunted', 'boo', NULL FROM images")
        db.commit()


def question(window: MainWindow) -> Choice | None:
    return next((one for one in window.findChildren(Choice) if one.isVisible()), None)


@pytest.mark.parametrize("damage", [cut, fill, text, no_images, other_meta, odd_finding])
def test_it_is_said_and_a_new_one_made_on_demand(qtbot, window, fake, make_dataset: Maker, damage) -> None:
    folder = make_dataset()
    project = Project.for_dataset(folder)
    project.take_in(folder)
    damage(project.catalog_path)
    damaged = project.catalog_path.read_bytes()
    window.workspace.open_dataset(folder)
    qtbot.waitUntil(lambda: question(window) is not None)
    asked = question(window)
    assert asked.text() == "This project's catalog is damaged." and "a run's samples.csv" in asked.informativeText()
    anew = next(button for button in asked.findChildren(QPushButton) if button.text() == "Make a new one")
    with qtbot.waitSignal(window.workspace.dataset.scanned):
        anew.click()
    assert set(window.workspace.contents.counts) == {"red", "blue"}
    qtbot.waitUntil(lambda: not window.workspace.checking)
    (aside,) = project.folder.glob("catalog-damaged-*.sqlite")
    assert damage is odd_finding or aside.read_bytes()[:2000] == damaged[:2000]


@pytest.fixture
def hook(window: MainWindow) -> Iterator[None]:
    before = sys.excepthook
    show_exceptions(window.workspace.message.emit, window.workspace.dataset.trouble.met)
    yield
    sys.excepthook = before


def raised(kind: type[sqlite3.Error], text: str, code: int) -> None:
    """As a slot, or what draws, does it."""
    error = kind(text)
    error.sqlite_errorcode = code
    sys.excepthook(type(error), error, None)


def test_met_later_it_is_asked_once(qtbot, window, fake, hook: None, make_dataset: Maker) -> None:
    folder = make_dataset()
    open_project(qtbot, window, fake, folder)
    for _ in range(3):
        raised(sqlite3.DatabaseError, "database disk image is malformed", sqlite3.SQLITE_CORRUPT)
    (asked,) = [one for one in window.findChildren(Choice) if one.isVisible()]
    assert "malformed" in asked.informativeText()
    project = window.workspace.project
    with qtbot.waitSignal(window.workspace.dataset.scanned):
        next(button for button in asked.findChildren(QPushButton) if button.text() == "Make a new one").click()
    assert window.workspace.project == project and list(project.folder.glob("catalog-damaged-1.sqlite"))
    qtbot.waitUntil(lambda: not window.workspace.checking)


def test_what_passes_is_a_sentence_and_nothing_is_offered(qtbot, window, fake, hook: None, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    said: list[str] = []
    window.workspace.message.connect(lambda _severity, sentence: said.append(sentence))
    raised(sqlite3.OperationalError, "database is locked", sqlite3.SQLITE_BUSY)
    raised(sqlite3.OperationalError, "attempt to write a readonly database", sqlite3.SQLITE_READONLY)
    assert ["can't be used just now" in said[0], "read-only" in said[1]] == [True, True]
    assert question(window) is None


def test_an_edit_that_meets_damage_is_asked_about(qtbot, window, fake, make_dataset: Maker, monkeypatch) -> None:
    open_project(qtbot, window, fake, make_dataset())

    def refuse(*_: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(catalogs.Catalog, "transaction", refuse)
    window.workspace.dataset_editor.create_class("new")
    fake.settle()
    assert question(window) is not None


def test_a_catalog_that_another_program_holds_is_a_sentence(
    qtbot, window, fake, make_dataset: Maker, monkeypatch
) -> None:
    folder = make_dataset()
    project = Project.for_dataset(folder)
    project.take_in(folder)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, **(more | {"timeout": 0.05})))
    with contextlib.closing(connect(project.catalog_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with qtbot.waitSignal(window.workspace.dataset.failed) as failed:
            window.workspace.open_dataset(folder)
        assert "can't be used just now: database is locked" in failed.args[0]
    assert question(window) is None


def test_which_refusals_are_damage() -> None:
    for text_, code, damage in (
        ("disk I/O error", sqlite3.SQLITE_IOERR | 10 << 8, False),
        ("database or disk is full", sqlite3.SQLITE_FULL, False),
        ("no such table: images", sqlite3.SQLITE_ERROR, True),
        ("file is not a database", sqlite3.SQLITE_NOTADB, True),
    ):
        error = sqlite3.OperationalError(text_)
        error.sqlite_errorcode = code
        assert isinstance(as_catalog_error(error), CatalogDamaged) == damage, text_
    assert isinstance(as_catalog_error(sqlite3.OperationalError("Could not decode to UTF-8 column")), CatalogDamaged)
