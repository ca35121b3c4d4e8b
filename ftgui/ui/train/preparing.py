"""How far it is with what a training does before and between its steps: reading images, computing the frozen part."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineState
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Bar, label
from ftgui.ui.toolkit.theme import Theme


class Preparing(QWidget):
    """Follows a workspace; hidden while steps are done and while nothing trains."""

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(6)
        self.text = label("", wrap=True)
        self.bar = Bar(theme)
        column.addWidget(self.text)
        column.addWidget(self.bar)
        self.hide()
        workspace.progress.busy.connect(self._busy)
        workspace.engine_changed.connect(self._engine)
        workspace.training.event_arrived.connect(self._event)

    @Slot(str, object, object)
    def _busy(self, what: str, done: int, total: int) -> None:
        if not (self._workspace.engine.busy and what):
            self.hide()
            return
        numbers = f": {done:,} of {total:,}" if total else "…"
        self.text.setText(f"{what[0].upper()}{what[1:]}{numbers}")
        self.bar.setVisible(bool(total))
        self.bar.set_value(done / total if total else 0.0)
        self.show()

    @Slot(EngineState)
    def _engine(self, state: EngineState) -> None:
        if not state.busy:
            self.hide()

    @Slot(object)
    def _event(self, event: object) -> None:
        if isinstance(event, m.StepMetrics | m.TrainingFinished) or event is None:
            self.hide()
