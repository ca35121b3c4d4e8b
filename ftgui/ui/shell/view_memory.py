"""What was looked at in a project, so that the next day it is looked at again: the page, and filters and selection of Data."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QStackedWidget

from ftgui.base.files import write_atomically
from ftgui.ui.data.data_page import DataPage, DataView
from ftgui.ui.project.recent_projects import RecentProjects
from ftgui.ui.project.workspace import Workspace

log = logging.getLogger(__name__)

VIEW_FILE = "view.json"
"""In a project's folder."""

_WAIT = 1000
"""Milliseconds after a change before it is written down."""


class WindowView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is looked at."""

    page: int = 0
    data: DataView = DataView()


class ViewMemory(QObject):
    """Writes down what is looked at in the open project, and shows it again where the project comes back.

    Args:
        recent: says when one comes back.
        workspace: whose project it is.
        pages: of the window.
        data_page: one of them.
        parent: owner.
    """

    page_wanted = Signal(int)
    """To be brought to the front."""

    def __init__(
        self,
        recent: RecentProjects,
        workspace: Workspace,
        pages: QStackedWidget,
        data_page: DataPage,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._pages = pages
        self._data_page = data_page
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT)
        self._timer.timeout.connect(self.keep)
        self._file: Path | None = None
        """Of the open project."""
        recent.came_back.connect(self._came_back)
        workspace.project_changed.connect(self._project_changed)
        pages.currentChanged.connect(self._soon)
        data_page.view_changed.connect(self._soon)

    @Slot()
    def _soon(self) -> None:
        self._timer.start()

    @Slot()
    def keep(self) -> None:
        """Write down what is looked at now."""
        self._timer.stop()
        if self._file is None or self._workspace.access.look_only:
            return
        content = msgspec.json.encode(WindowView(self._pages.currentIndex(), self._data_page.view))
        self._workspace.disk_tasks.do(partial(write_atomically, self._file, content))

    @Slot()
    def _project_changed(self) -> None:
        self._timer.stop()
        project = self._workspace.project
        self._file = project.folder / VIEW_FILE if project is not None else None

    @Slot()
    def _came_back(self) -> None:
        self._project_changed()  # whoever hears of it first
        file = self._file
        if file is not None:
            self._workspace.disk_tasks.do(partial(_read, file), partial(self._show, file))

    def _show(self, file: Path, view: WindowView | None) -> None:
        if view is not None and file == self._file:
            self._data_page.look_at(view.data)
            self.page_wanted.emit(min(max(view.page, 0), self._pages.count() - 1))


def _read(file: Path) -> WindowView | None:
    """None: nothing was written down that can be understood."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=WindowView)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.info("what was looked at is forgotten: %s", error)
        return None
