"""What a run meant, once it is over: some sentences, each with a button that does what can be done about it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QPushButton, QVBoxLayout, QWidget

from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.diagnosis import Remedy, RunFigures, Verdict, certainty, diagnose
from ftgui.runs.diagnosis_input import read_figures
from ftgui.runs.model_in_use import read_trained_runs
from ftgui.ui.engine_client.worker import EngineState
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import button, label

log = logging.getLogger(__name__)

_SIDE_BY_SIDE = 420
"""Pixels that a sentence and a button need beside each other."""

MOST = 3
"""Verdicts that are shown: more are not read."""

SAID_OF = ("done", "stopped")
"""Ends of runs that are spoken of; what went wrong is said elsewhere."""

_CHANGES_RECIPE = "Changes the recipe; Ctrl+Z undoes it"
_TIPS = {
    Remedy.MORE_LAYERS: "Adds a phase to the recipe; Ctrl+Z undoes it",
    Remedy.SHOW_CLASS: "Shows its misclassified images on the Evaluate page",
}


class VerdictList(QWidget):
    """Follows a workspace; hidden while there is nothing to say."""

    changed = Signal()
    """There are other verdicts, or none any more."""
    mistakes_wanted = Signal(str)
    """Of this class."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._pool = QThreadPool(self)
        self._reading: Task | None = None
        self._figures: RunFigures | None = None
        self.verdicts: list[Verdict] = []
        self.buttons: list[QPushButton | None] = []
        """For each verdict shown, its button if it has one."""
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 4, 0, 0)
        self._rows.setSpacing(8)
        self.certainty = label("", "muted", wrap=True)
        self._rows.addWidget(self.certainty)
        self.hide()
        workspace.training.event_arrived.connect(self._event)
        workspace.project_changed.connect(self.clear)
        workspace.engine_changed.connect(self._engine)
        workspace.recipe_changed.connect(self._enable)

    @Slot()
    def clear(self) -> None:
        """Nothing is said of any run."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._show([], "")

    @Slot(EngineState)
    def _engine(self, state: EngineState) -> None:
        if state.busy:
            self.clear()
        self._enable()

    @Slot(object)
    def _event(self, event: object) -> None:
        if not isinstance(event, m.TrainingFinished) or self._workspace.training.comparing:
            return
        if event.reason in SAID_OF and event.best_epoch:
            self.show_run(Path(event.run_folder))

    def show_run(self, folder: Path) -> None:
        """Say what a run of the open project meant, as soon as it is read."""
        project = self._workspace.project
        if project is not None:
            self._reading = Task(lambda _job: _read(project, folder), self)
            self._reading.done.connect(self._read)
            self._reading.start(self._pool)

    @Slot(object)
    def _read(self, figures: RunFigures | None) -> None:
        if self.sender() is self._reading:
            self._reading, self._figures = None, figures
            if figures is not None:
                self._show(diagnose(figures)[:MOST], certainty(figures))

    # --- rows -------------------------------------------------------------------------------------------------------

    def _show(self, verdicts: list[Verdict], certainty: str) -> None:
        self.certainty.setText(certainty)
        self.certainty.setVisible(bool(certainty))
        while (item := self._rows.takeAt(1)) is not None:  # the first is how certain the figure is
            if (row := item.widget()) is not None:
                row.hide()
                row.deleteLater()
        self.verdicts, self.buttons = verdicts, []
        for verdict in verdicts:
            self._rows.addWidget(self._row(verdict))
        self._enable()
        self.setVisible(bool(verdicts or certainty))
        self.changed.emit()

    def _row(self, verdict: Verdict) -> QWidget:
        action = None
        if verdict.action:
            action = button(verdict.action, _TIPS.get(verdict.remedy, _CHANGES_RECIPE))
            action.clicked.connect(lambda: self._do(verdict))
        self.buttons.append(action)
        return _Row(verdict.sentence, action)

    @Slot()
    def _enable(self) -> None:
        """What changes a phase is offered while the recipe still has the phases that the run had."""
        recipe, figures = self._workspace.recipe, self._figures
        if figures is None:
            return
        same = recipe.phases == figures.recipe.phases
        idle = not self._workspace.engine.busy and not self._workspace.access.look_only
        for verdict, action in zip(self.verdicts, self.buttons, strict=True):
            if action is None:
                continue
            if verdict.remedy == Remedy.SHOW_CLASS:
                action.setEnabled(True)
            elif verdict.remedy == Remedy.STRONGER_AUGMENTATION:
                action.setEnabled(idle and recipe.augmentation.preset != verdict.augmentation)
            else:
                action.setEnabled(idle and same)

    def _do(self, verdict: Verdict) -> None:
        editor = self._workspace.recipe_editor
        active = [index for index, phase in enumerate(self._workspace.recipe.phases) if phase.enabled]
        remedies: dict[Remedy, Callable[[], None]] = {
            Remedy.SHOW_CLASS: lambda: self.mistakes_wanted.emit(verdict.class_name),
            Remedy.STRONGER_AUGMENTATION: lambda: editor.change("augmentation", "preset", verdict.augmentation),
            Remedy.WITHOUT_PHASE: lambda: editor.change_phase(active[verdict.phase], enabled=False),
            Remedy.MORE_EPOCHS: lambda: editor.change_phase(active[verdict.phase], epochs=verdict.epochs),
            Remedy.MORE_LAYERS: editor.add,
        }
        remedies[verdict.remedy]()


class _Row(QWidget):
    """A sentence, and what can be done beside it, or below where there is too little room for both."""

    def __init__(self, sentence: str, action: QPushButton | None) -> None:
        super().__init__()
        self._line = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.setSpacing(8)
        self._line.addWidget(label(sentence, wrap=True), 1)
        if action is not None:
            self._line.addWidget(action, 0, Qt.AlignmentFlag.AlignLeft)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= _SIDE_BY_SIDE
        self._line.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)


def _read(project: Project, folder: Path) -> RunFigures | None:
    """On a thread of the pool. None: the folder does not say; the Runs page lists what is wrong with it."""
    try:
        return read_figures(folder, read_trained_runs(project).runs)
    except (OSError, ValueError, RecipeError) as error:
        log.warning("what %s meant can't be said: %s", folder, error)
        return None
