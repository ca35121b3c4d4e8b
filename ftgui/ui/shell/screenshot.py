"""A picture of the window, where there is no display."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from ftgui.protocol import messages as m
from ftgui.protocol.event_text import ProgressLine
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.shell.main_window import TRAIN, MainWindow


class Photographer(QObject):
    """Drives the window as a person would, without one: train the sample, then take its picture."""

    def __init__(self, workspace: Workspace, window: MainWindow, picture: Path) -> None:
        super().__init__(window)
        self._workspace = workspace
        self._window = window
        self._picture = picture
        self._line = ProgressLine(sys.stdout)
        self._started = False
        self.status = 1

    @Slot()
    def begin(self) -> None:
        """Wait for the model, then press Train."""
        workspace = self._workspace
        workspace.model.changed.connect(self._try_to_train)
        workspace.training.event_arrived.connect(self._event)
        workspace.message.connect(self._message)

    @Slot()
    def _try_to_train(self) -> None:
        if not self._started and not self._workspace.readiness.obstacles():
            self._started = True
            self._window.train_or_pause()

    @Slot(object)
    def _event(self, event: object) -> None:
        if event is None:
            self._window.closing.stop_and_close()
        elif not isinstance(event, m.Paused | m.Resumed):
            self._line.show(event)  # type: ignore[arg-type]
        if isinstance(event, m.TrainingFinished):
            self.status = 0 if event.reason == "done" else 1
            QTimer.singleShot(300, self._take_picture)

    @Slot()
    def _take_picture(self) -> None:
        self._window.show_page(TRAIN)
        if self._window.grab().save(str(self._picture)):
            self._line.say(f"Screenshot of the window: {self._picture}")
        else:
            self._line.say(f"The screenshot could not be written to {self._picture}.")
            self.status = 1
        self._window.closing.stop_and_close()

    @Slot(str, str)
    def _message(self, severity: str, sentence: str) -> None:
        if severity == "error":
            self._line.say(sentence)
            self._window.closing.stop_and_close()
