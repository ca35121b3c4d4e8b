"""Where the window's parts are put together and the event loop runs."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QMessageBox

import ftgui
from ftgui.base import paths
from ftgui.base.files import refusal
from ftgui.base.foreign_text import LogFormatter, visible
from ftgui.data.catalog.errors import CatalogError
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.shell.garbage import MainThreadGarbage
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.shell.screenshot import Photographer
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

log = logging.getLogger(__name__)

PICTURE_SIZE = (1440, 900)


def make_application() -> QApplication:
    """The QApplication, with what must be set before the first widget."""
    QApplication.setApplicationName("ftgui")
    QApplication.setApplicationDisplayName("ftgui")
    QApplication.setApplicationVersion(ftgui.__version__)
    QApplication.setOrganizationName("ftgui")
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    font = QFont(application.font())
    font.setFamilies(["Inter", *font.families()])
    font.setPixelSize(13)
    application.setFont(font)
    return application


def show_exceptions(
    say: Callable[[str, str], None], catalog_trouble: Callable[[sqlite3.Error | CatalogError], None]
) -> None:
    """An exception in a slot is printed by PySide and lost; say it in the window too, and log it.

    Args:
        say: takes severity and sentence.
        catalog_trouble: takes what the open catalog raised: any part of the window may read of it at any time, also what
            is drawn, and is told by nobody but this that it can't be read.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.error("".join(traceback.format_exception(kind, error, trace)))
        if isinstance(error, sqlite3.Error | CatalogError) and not isinstance(error, sqlite3.ProgrammingError):
            catalog_trouble(error)
            return
        say("error", f"Unexpected {kind.__name__}: {error}. This is a fault in ftgui; the log has the details.")

    sys.excepthook = hook


def build() -> tuple[Workspace, MainWindow]:
    """Everything, not shown yet."""
    application = make_application()
    theme = Theme(application)
    workspace = Workspace()
    window = MainWindow(workspace, theme)
    return workspace, window


def main(folder: Path | None = None, sample: bool = False, picture: Path | None = None) -> int:
    """Open the window and run until it closes.

    Args:
        folder: a dataset to open; None: the one that was open when the program ended.
        sample: open the sample instead.
        picture: show no window; train the sample, print the result, save a picture of the window here.

    Returns:
        the exit status.
    """
    if picture is not None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    try:
        _log_to_file()
    except OSError as error:
        return _say_no_place(error, aloud=picture is None)
    workspace, window = build()
    garbage = MainThreadGarbage(window)
    # Ctrl-C in the terminal closes the window; the timer lets Python look for it while Qt waits for events.
    signal.signal(signal.SIGINT, lambda _signal, _frame: window.closing.stop_and_close())
    heartbeat = QTimer(window)
    heartbeat.start(250)
    heartbeat.timeout.connect(_nothing)
    show_exceptions(workspace.message.emit, workspace.dataset.trouble.met)
    if picture is not None:
        window.resize(*PICTURE_SIZE)
        photographer = Photographer(workspace, window, picture)
        QTimer.singleShot(0, photographer.begin)
    window.show()
    # After the first paint, so that starting a process does not delay the window.
    QTimer.singleShot(0, workspace.client.start_engine)
    if sample:
        QTimer.singleShot(0, workspace.open_sample)
    elif folder is not None:
        QTimer.singleShot(0, lambda: workspace.open_dataset(folder))
    elif picture is None:
        QTimer.singleShot(0, window.recent.begin)
    status = QApplication.exec()
    garbage.stop()
    if picture is not None:
        status = photographer.status
    # In this order and now: left to the garbage collector, widgets would go after what they are connected to.
    for thing in (window, workspace, window.theme):
        thing.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return status


def _say_no_place(error: OSError, aloud: bool) -> int:
    """The program's own folder can't be written, so nothing would be kept.

    Args:
        error: says why.
        aloud: in a window, too; who starts it with a double click sees no terminal.

    Returns:
        the exit status.
    """
    text = f"ftgui can't write to its own folder. {refusal(error)} Set FTGUI_DATA_DIR to a folder that it may write to."
    sys.stderr.write(f"ftgui: {visible(text)}\n")
    if aloud:
        make_application()
        QMessageBox.critical(None, "ftgui", as_plain(text))
    return 1


def _nothing() -> None:
    """Running any Python code is enough for a waiting signal to be handled."""


def _log_to_file() -> None:
    """What is logged goes to the terminal and to ``logs/window.log``, kept below a megabyte.

    Raises:
        OSError: it can't be written there.
    """
    folder = paths.data_dir() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "window.log"
    path.open("ab").close()  # now, and not when there is something to log
    file = RotatingFileHandler(path, maxBytes=500_000, backupCount=1, encoding="utf-8", delay=True)
    terminal = logging.StreamHandler()
    for handler in (file, terminal):
        handler.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[file, terminal])
