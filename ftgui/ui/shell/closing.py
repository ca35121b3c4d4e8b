"""When the window may close: not in the middle of a training without the person's word."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from ftgui.runs.run_folders import run_number
from ftgui.ui.engine_client.worker import EngineState
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.shell.questions import Choice, ask_about_closing


class Closing(QObject):
    """Asks, stops the training, and closes the window then.

    Args:
        workspace: that trains.
        window: to be closed.
    """

    def __init__(self, workspace: Workspace, window: QWidget) -> None:
        super().__init__(window)
        self._workspace = workspace
        self._window = window
        self._wanted = False
        """The window closes as soon as the training has ended."""
        self._at_once = False
        self._question: Choice | None = None
        workspace.engine_changed.connect(self._engine_changed)

    @Slot()
    def stop_and_close(self) -> None:
        """Close without asking; a training is stopped first, and what it has learned is kept. Asked for twice, the window
        does not wait for that."""
        self._at_once = self._wanted
        self._wanted = True
        if self._workspace.engine.busy and not self._at_once:
            self._workspace.message.emit("info", "Stopping after this step; then the window closes…")
            self._workspace.training.stop()
        else:
            self._window.close()

    def may_close(self) -> bool:
        """Nothing trains, or the person has been asked; the system's own end of the session waits for nobody."""
        application = QGuiApplication.instance()
        ends_anyway = isinstance(application, QGuiApplication) and application.isSavingSession()
        if not self._workspace.engine.busy or self._at_once or ends_anyway:
            return True
        run = self._workspace.training.latest_run
        if not self._wanted and run is not None and self._question is None:
            self._question = ask_about_closing(run_number(run), self.stop_and_close, self._window)
            self._question.finished.connect(self._answered)
            self._question.open()
        return False

    @Slot()
    def _answered(self) -> None:
        self._question = None

    @Slot(EngineState)
    def _engine_changed(self, state: EngineState) -> None:
        if self._wanted and not state.busy:
            QTimer.singleShot(0, self._window.close)
