"""What the program suggests after a run that did not go well, and doing it. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol.problem import Severity
from ftgui.protocol.rates import rate
from ftgui.protocol.recipe import Recipe
from ftgui.runs.run_folders import OpenRun, open_run, read_run_backbone
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.project.workspace import Workspace


@dataclass(frozen=True)
class Advice:
    """One sentence and one thing to do about it."""

    severity: Severity
    sentence: str
    action: str
    """On the button."""
    tip: str
    do: Callable[[], None]
    run: Path
    """Which it is about; dismissed once, it is not said of this run again."""
    save_to: Callable[[Path], None] | None = None
    """There is a second button, which asks for a folder to save the model in."""


class Advisor(QObject):
    """Follows a workspace; there is at most one advice at a time."""

    changed = Signal()
    """`advice`, or whether it can be taken now."""

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.advice: Advice | None = None
        self._dismissed: set[Path] = set()
        self._continuing: Path | None = None
        self._phases = workspace.recipe.phases
        self.open_run: OpenRun | None = None
        """The run that can be continued, if the tree shows its model; None also while it is being looked for."""
        self._looks = 0
        workspace.project_changed.connect(self._withdraw)
        workspace.training.event_arrived.connect(self._event)
        workspace.training.model_saved.connect(self._saved)
        workspace.model.changed.connect(self._look)
        workspace.engine_changed.connect(self._engine)
        workspace.recipe_changed.connect(self._recipe)
        self._look()

    @property
    def can_act(self) -> bool:
        """The advice could be taken now."""
        return self._workspace.engine.kind is EngineKind.READY and not self._workspace.readiness.obstacles()

    @Slot()
    def act(self) -> None:
        """Do what is advised."""
        if self.advice is not None and self.can_act:
            self.advice.do()

    @Slot()
    def dismiss(self) -> None:
        """Not again, for this run."""
        if self.advice is not None:
            self._dismissed.add(self.advice.run)
        self._withdraw()

    @Slot()
    def continue_run(self) -> None:
        """Go on with `open_run`."""
        if self.open_run is not None and self.can_act:
            self._continuing = self.open_run.folder
            self._workspace.training.continue_run(self.open_run)

    def _find_open_run(self, then: Callable[[], None] | None = None) -> None:
        """Look for it on the disk.

        Args:
            then: called when `open_run` is what was found, before `changed`.
        """
        self.open_run = None
        project = self._workspace.project
        self._looks += 1
        if project is not None and not self._workspace.engine.busy:
            self._workspace.disk_tasks.do(partial(_find, project), partial(self._found, self._looks, project, then))

    def _found(
        self, look: int, project: Project, then: Callable[[], None] | None, found: tuple[OpenRun, str] | None
    ) -> None:
        if look != self._looks or project is not self._workspace.project or self._workspace.engine.busy:
            return
        fits = found is not None and found[1] == self._workspace.recipe.backbone.name
        self.open_run = found[0] if found is not None and fits else None
        if then is not None:
            then()
        self.changed.emit()

    # --- what happens -----------------------------------------------------------------------------------------------

    @Slot()
    def _withdraw(self) -> None:
        self.advice = None
        self._find_open_run()
        self.changed.emit()

    @Slot(object)
    def _event(self, event: object) -> None:
        if isinstance(event, m.TrainingStarted):
            self._continuing = None
            self._withdraw()  # also what would have saved the model before: it makes room for this one
        elif isinstance(event, m.TrainingFinished):
            if event.unsaved:
                self._unsaved(event)
            elif event.reason == "exploded" and event.suggested_lr > 0:
                self._diverged(event)
            else:
                self._offer_run()
        elif event is None and self._continuing is not None and self._workspace.engine.alive:
            self._dismissed.add(self._continuing)  # the engine has just said why it can't be
            self._continuing = None
            self._withdraw()

    @Slot()
    def _look(self) -> None:
        """Is there a run that ended in the middle of something?"""
        self._find_open_run(self._offer_to_continue)
        self.changed.emit()

    def _offer_to_continue(self) -> None:
        run = self.open_run if self.can_act and self.advice is None else None
        if run is not None and run.crashed and run.folder not in self._dismissed:
            sentence = f"Run {run.number} stopped at step {run.step:,} before it was finished."
            self.advice = Advice(
                "warning",
                sentence,
                f"Continue run {run.number} from step {run.step:,}",
                "Goes on exactly as if it had never stopped: weights, optimizer, order of the images",
                self.continue_run,
                run.folder,
            )
            self._workspace.message.emit("warning", f"{sentence} It can be continued on the Train page.")

    @Slot(EngineState)
    def _engine(self, state: EngineState) -> None:
        if state.kind is EngineKind.CRASHED:
            self.advice = None  # what it left is looked at when there is an engine again
        if not state.busy:
            self._find_open_run()
        self.changed.emit()

    @Slot()
    def _recipe(self) -> None:
        about_a_rate = self.advice is not None and self.advice.severity == "error" and self.advice.save_to is None
        if about_a_rate and self._workspace.recipe.phases != self._phases:
            self._withdraw()  # it spoke of other phases
        else:
            self.changed.emit()

    # --- a model that the disk did not take ---------------------------------------------------------------------------

    def _unsaved(self, event: m.TrainingFinished) -> None:
        save = self._workspace.training.save_model
        self.advice = Advice(
            "error",
            f"{event.message} The model is still in memory, until ftgui is closed or trains again.",
            "Try again",
            "Writes the model to the run's folder, once there is room or the drive is back",
            lambda: save(None),
            Path(event.run_folder),
            save,
        )
        self.changed.emit()

    @Slot(Path)
    def _saved(self, _folder: Path) -> None:
        if self.advice is not None and self.advice.save_to is not None:
            self._withdraw()

    # --- another run than the one in use ----------------------------------------------------------------------------

    def _offer_run(self) -> None:
        verdict = self._workspace.present.verdict
        run = verdict.offered
        if run is None:
            return

        def use() -> None:
            self._workspace.model.use_run(run.folder)
            self._withdraw()

        tip = "Its model answers from now on, until you choose another on the Runs page"
        self.advice = Advice("info", verdict.sentence, f"Use run {run.number}", tip, use, run.folder)
        self.changed.emit()

    # --- a rate that was too high -----------------------------------------------------------------------------------

    def _diverged(self, event: m.TrainingFinished) -> None:
        recipe = self._workspace.training.recipe
        if not 0 <= event.phase < len(recipe.active_phases):
            return
        # The event counts the phases that are switched on, the recipe all of them.
        index = [i for i, phase in enumerate(recipe.phases) if phase.enabled][event.phase]
        lr = event.suggested_lr
        self._phases = self._workspace.recipe.phases
        self.advice = Advice(
            "error",
            event.message,
            f"Train again at {rate(lr)}",
            f"Sets the rate of the phase “{recipe.phases[index].name}” to {rate(lr)} and starts a new run",
            lambda: self._train_again(recipe, index, lr),
            Path(event.run_folder),
        )
        self.changed.emit()

    def _train_again(self, ran: Recipe, index: int, lr: float) -> None:
        workspace = self._workspace
        if ran == workspace.recipe:
            if ran.phases[index].lr != lr:
                workspace.recipe_editor.change_phase(index, lr=lr)
            workspace.training.start()
            return
        # A comparison or a continued run had a recipe of its own: the project's stays as it is.
        phases = list(ran.phases)
        phases[index] = msgspec.structs.replace(phases[index], lr=lr)
        workspace.training.start(msgspec.structs.replace(ran, phases=phases))


def _find(project: Project) -> tuple[OpenRun, str] | None:
    """The run that can be continued, and the name of its backbone; reads files."""
    run = open_run(project)
    backbone = read_run_backbone(run.folder) if run is not None else None
    return None if run is None or backbone is None else (run, backbone.name)
