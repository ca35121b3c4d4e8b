"""Drives the real program from inside its own event loop, step by step, as a person's hands would."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import MainWindow

Script = Callable[[MainWindow], Iterator[Callable[[], bool]]]


class Watchdog(QObject):
    """Measures how long the main thread is away from its event loop.

    `busy` is processor time of the main thread in one absence: what the program itself does there, however many other
    programs share the machine's cores. `gaps` is the clock's view of the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on = False
        self.busy: list[float] = []
        self.gaps: list[float] = []
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._timer.start(5)
        self._last = (time.perf_counter(), time.thread_time())

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        if self.on:
            self.gaps.append(now[0] - self._last[0])
            self.busy.append(now[1] - self._last[1])
        self._last = now


class Driver:
    """Runs a script: a generator that yields conditions, each waited for before the next line runs.

    Args:
        script: gets the window; asserts inside it fail the test.
        seconds: for any one condition.
    """

    def __init__(self, script: Script, seconds: float = 120) -> None:
        self._script = script
        self._seconds = seconds
        self.failure = ""
        self.finished = False
        self._timer = QTimer()
        self._timer.setInterval(20)
        self._timer.timeout.connect(self._step)
        self._timer.start()
        self._steps: Iterator[Callable[[], bool]] | None = None
        self._condition: Callable[[], bool] = lambda: True
        self._since = time.monotonic()

    def _step(self) -> None:
        window = next((w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible()), None)
        if window is None:
            return
        try:
            if self._steps is None:
                self._steps = self._script(window)
            elif not self._condition():
                if time.monotonic() - self._since > self._seconds:
                    line = self._steps.gi_frame.f_lineno
                    said = window.status.text.text()
                    raise AssertionError(f"line {line}: waited {self._seconds:g} s in vain; the window says: {said}")
                return
            self._condition = next(self._steps)
            self._since = time.monotonic()
        except StopIteration:
            self.finished = True
            self._end(window)
        except Exception:  # noqa: BLE001 - kept for the test, which fails with it
            self.failure = traceback.format_exc()
            self._end(window)

    def _end(self, window: MainWindow) -> None:
        self._timer.stop()
        window.closing.stop_and_close()


def drop(window: MainWindow, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    common = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(400, 300), *common))
    QApplication.sendEvent(window, QDropEvent(QPointF(400, 300), *common))


def click(widget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def is_ready(window: MainWindow) -> Callable[[], bool]:
    return lambda: window.top.train.isEnabled() and window.workspace.engine.kind is EngineKind.READY


def choose_preset(window: MainWindow, name: str) -> None:
    """From the recipe's menu."""
    next(action for action in window.recipe.presets.menu().actions() if action.text() == name).trigger()
