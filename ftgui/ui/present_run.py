"""Which run's weights the model has, and which run is training. No widgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.finished import has_model
from ftgui.data.project import Project, read_run_backbone
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from ftgui.ui.workers.engine_worker import EngineState

if TYPE_CHECKING:
    from ftgui.ui.workspace import Workspace


class PresentRun(QObject):
    """Part of a `Workspace`: the newest run of the present model, unless the person chose another."""

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._chosen: Path | None = None
        self._chosen_before: Path | None = None
        self._asked: Path | None = None
        self.folder: Path | None = None
        """Whose weights the engine has; None: none, the head is untrained."""
        self.training: Path | None = None
        """The run that goes on, or was asked to begin."""
        workspace.project_changed.connect(self._project_changed)
        workspace.training_event.connect(self._event)
        workspace.engine_changed.connect(self._engine)

    def choose(self, run_folder: Path) -> None:
        """Of all runs, this one is to be loaded."""
        self._chosen_before, self._chosen = self._chosen, run_folder

    def to_load(self, project: Project | None, backbone: Backbone) -> Path | None:
        """The run whose finished model fits; `loaded` or `not_loaded` follows."""
        self._asked = self._find(project, backbone)
        return self._asked

    def loaded(self, trained: bool) -> None:
        """The engine has the model that was asked for last, with what it learned or without."""
        self._chosen_before = self._chosen
        self._set(self._asked if trained else None)

    def not_loaded(self) -> None:
        """It could not have it: what it has, it still has."""
        self._chosen = self._chosen_before

    def _find(self, project: Project | None, backbone: Backbone) -> Path | None:
        if project is None:
            return None
        chosen = self._chosen
        if chosen is not None and has_model(chosen) and read_run_backbone(chosen) in (None, backbone):
            return chosen
        return project.last_finished_run(backbone)

    def _set(self, folder: Path | None) -> None:
        if folder != self.folder:
            self.folder = folder
            self.changed.emit()

    @Slot()
    def _project_changed(self) -> None:
        self._chosen = None
        self._set(None)

    @Slot(EngineState)
    def _engine(self, state: EngineState) -> None:
        if not state.alive:  # it may have gone before it began
            self.training = None

    @Slot(object)
    def _event(self, event: object) -> None:
        if isinstance(event, m.TrainingFinished):
            self.training = None
            run = Path(event.run_folder)
            # Of a comparison the engine holds the model now, but the project's own is loaded again.
            if event.steps and event.usable and not self._workspace.comparing:
                self._chosen = run if has_model(run) else None  # the disk may not have taken it
                self._set(run)
        elif event is None:
            self.training = None
