"""A workspace without an engine process, and a window on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.toolkit.theme import Theme
from tests.ui.fake_engine import FakeEngine


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    return Theme(qapp)


@pytest.fixture
def fake(qapp: QApplication) -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def workspace(fake: FakeEngine) -> Iterator[Workspace]:
    made = Workspace(EngineClient(fake))
    fake.disk_works = lambda: made.disk_tasks.working
    yield made
    made.close()


@pytest.fixture
def window(qtbot, workspace: Workspace, fake: FakeEngine, theme: Theme) -> Iterator[MainWindow]:
    made = MainWindow(workspace, theme)
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close_threads()
    made.hide()
    made.deleteLater()
    # Now: with windows left over, each new style sheet would restyle them all, and tests grow slower one by one.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
