"""The runs of the open project and what can be done with them: signals out, intentions in. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QFile, QObject, QThreadPool, Signal, Slot

from ftgui.base.formatting import few, plural
from ftgui.base.job import Job
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe, RecipeError
from ftgui.runs.index import list_runs
from ftgui.runs.model_folder import BEST_FOLDER, ModelError, read_about
from ftgui.runs.model_in_use import TrainedRun, read_trained_run
from ftgui.runs.notes import write_words
from ftgui.runs.record import RECIPE_FILE, RunRecord
from ftgui.runs.report.report import write_report
from ftgui.runs.run_folders import OpenRun, continuable
from ftgui.runs.tensorboard import TensorBoardError, write_event_files
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.access import LOOK_ONLY
from ftgui.ui.project.model_in_use import class_names_now
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.task_queue import TaskQueue


@dataclass(frozen=True)
class SeenRun:
    """What using a run's model depends on."""

    other_classes: str
    """Why it does not fit the classes of now, in a sentence; empty when it does."""
    recipe: Recipe | None
    """None: it can't be read."""
    trained: TrainedRun


class Runs(QObject):
    """Follows a workspace. Reading and writing is done on a thread of its own, one thing after the other.

    Args:
        workspace: whose project.
        parent: owner.
    """

    changed = Signal()
    """`records`, or which of them is in use or goes on."""
    allowed = Signal()
    """What may be done with them."""
    said = Signal(str, str)
    """Severity, sentence."""
    reported = Signal(Path)
    """This report was written."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.records: list[RunRecord] = []
        self.read = False
        """`records` are of the open project; before, nothing is known yet."""
        self.pool = QThreadPool(self)
        self.pool.setMaxThreadCount(1)
        self._reading: Task | None = None
        self._again = False
        self._disk_tasks = TaskQueue(self)
        workspace.project_changed.connect(self._project_changed)
        workspace.training.event_arrived.connect(self._event)
        workspace.present.changed.connect(self.changed)
        workspace.engine_changed.connect(self.allowed)
        workspace.recipe_changed.connect(self.allowed)
        workspace.model.changed.connect(self.allowed)
        workspace.access.changed.connect(self.allowed)
        self.refresh()

    def close_threads(self) -> None:
        """Before the window goes."""
        if self._reading is not None:
            self._reading.cancel()
        self.pool.waitForDone()
        self._disk_tasks.close()

    # --- reading ----------------------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Look at the folders again."""
        project = self._workspace.project
        if project is None:
            return
        if self._reading is not None:
            self._again = True
            return
        folder = project.runs_folder
        self._reading = Task(lambda job: list_runs(folder, job), self)
        self._reading.done.connect(self._listed)
        self._reading.failed.connect(self._not_listed)
        self._reading.start(self.pool)

    @Slot(object)
    def _listed(self, records: list[RunRecord]) -> None:
        if self.sender() is not self._reading:
            return
        self._reading = None
        self.records, self.read = records, True
        self.changed.emit()
        self._read_again()

    @Slot(str)
    def _not_listed(self, why: str) -> None:
        if self.sender() is self._reading:
            self._reading = None
            self.said.emit("error", f"The runs can't be listed: {why}")
            self._read_again()

    def _read_again(self) -> None:
        if self._again:
            self._again = False
            self.refresh()

    @Slot()
    def _project_changed(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self.records, self.read, self._again = [], False, False
        self.changed.emit()
        self.refresh()

    @Slot(object)
    def _event(self, event: object) -> None:
        if event is None or isinstance(event, m.TrainingStarted | m.EpochFinished | m.TrainingFinished):
            self.refresh()

    @property
    def working(self) -> bool:
        """Runs are read, or something is done with one, in the background."""
        return self._reading is not None or self._disk_tasks.working

    @property
    def training(self) -> Path | None:
        """The run that goes on."""
        return self._workspace.present.training

    @property
    def present(self) -> Path | None:
        """The run whose model can be asked."""
        return self._workspace.present.folder

    @property
    def _look_only(self) -> str:
        """Why nothing of the project may be changed here; empty: it may."""
        return LOOK_ONLY if self._workspace.access.look_only else ""

    def why_no_words(self) -> str:
        """Why name, note and star of a run can't be changed, in a sentence; empty when they can."""
        return self._look_only

    # --- the person's words -----------------------------------------------------------------------------------------

    def say(self, record: RunRecord, **changes: str | bool) -> None:
        """Name, note or star; see `write_words`. In a window that may only look this is said instead."""
        if self._look_only:
            self.said.emit("warning", self._look_only)
            return
        self._do(lambda _job: write_words(record.path, **changes), lambda _: self.refresh())

    def _do(self, work: Callable[[Job], Any], then: Callable[[Any], None]) -> None:
        """On the thread; whatever goes wrong is said."""

        def guarded() -> tuple[Any, str]:
            try:
                return work(Job()), ""
            except TensorBoardError as error:
                return None, str(error)

        def tell(outcome: tuple[Any, str]) -> None:
            value, why = outcome
            self._failed(why) if why else then(value)

        self._disk_tasks.do(guarded, tell, self._failed)

    def _failed(self, why: str) -> None:
        self.said.emit("error", f"That did not work: {why}")
        self.refresh()

    # --- deleting ---------------------------------------------------------------------------------------------------

    def why_no_trash(self, records: Sequence[RunRecord]) -> str:
        """Why these can't be moved to the trash, in a sentence; empty when they can."""
        if self._look_only:
            return self._look_only
        for record in records:
            if record.path == self.training:
                return f"Run {record.number} is training. Stop it first."
            if record.running:
                return f"Run {record.number} is training in another window or in a terminal. Stop it there first."
            if record.path == self.present:
                return f"Run {record.number}'s model is the one in use. Use another run's model first."
        return "" if records else "Select runs first."

    def trash(self, records: Sequence[RunRecord]) -> None:
        """Move whole folders to the system's trash; what can't be moved stays, and is said."""
        if self._look_only:
            self.said.emit("warning", self._look_only)
            return

        def move(_job: Job) -> list[int]:
            return [record.number for record in records if not QFile.moveToTrash(record.folder)]

        def tell(left: list[int]) -> None:
            if left:
                self.said.emit(
                    "error",
                    f"Not moved to the trash: {'run' if len(left) == 1 else 'runs'} "
                    f"{', '.join(map(str, left))}. Nothing was changed there.",
                )
            else:
                self.said.emit("info", f"{plural(len(records), 'run')} moved to the trash.")
            self.refresh()

        self._do(move, tell)

    # --- using ------------------------------------------------------------------------------------------------------

    def _why_no_engine(self) -> str:
        if self._workspace.engine.kind is EngineKind.READY:
            return ""
        return "Training is in progress." if self._workspace.engine.busy else "The engine is not ready yet."

    def why_no_model(self, record: RunRecord) -> str:
        """Why a run's model can't be used, in a sentence; empty when it can."""
        if self._look_only:
            return self._look_only
        if not record.has_model:
            return f"Run {record.number} left no model."
        if record.path == self.present and record.path.name == self._workspace.present.chosen:
            return f"Run {record.number}'s model is the one in use."
        return self._why_no_engine()

    def why_no_best(self) -> str:
        """Why the best finished run can't be taken now, in a sentence; empty when it can."""
        if self._look_only:
            return self._look_only
        if not self._workspace.present.chosen:
            return "The best finished run is in use already, because you have chosen no other."
        return self._why_no_engine()

    def look_at(self, record: RunRecord, then: Callable[[SeenRun], None]) -> None:
        """Read what using a run's model depends on, as it is now."""
        project, contents = self._workspace.project, self._workspace.contents
        if project is not None and contents is not None:
            look = partial(_look_at, record, project.catalog_path, contents.class_names)
            self._workspace.disk_tasks.do(look, then, self._failed)

    def other_backbone(self, record: RunRecord, seen: SeenRun) -> str:
        """What stands in the way of using a run's model with the present recipe, in a sentence; empty: nothing."""
        recipe = seen.recipe
        if recipe is None or recipe.backbone == self._workspace.recipe.backbone:
            return ""
        return (
            f"Run {record.number} used {recipe.backbone.name} (weights: {recipe.backbone.weights}), but the current recipe "
            f"is for {self._workspace.recipe.backbone.name}."
        )

    def use_model(self, record: RunRecord, seen: SeenRun) -> None:
        """For predicting and evaluating, from now on. Where the backbone is another, the recipe goes along."""
        if self._look_only:
            self.said.emit("warning", self._look_only)
        elif self.other_backbone(record, seen):
            self._workspace.model.choose_run(seen.trained)
            self._take_recipe(record, seen.recipe)
        else:
            self._workspace.model.use_run(record.path)

    def why_no_recipe(self, record: RunRecord) -> str:
        """Why a run's recipe can't be taken, in a sentence; empty when it can."""
        if self._look_only:
            return self._look_only
        if not record.model:
            return f"The recipe of run {record.number} can't be read."
        return "Training is in progress." if self._workspace.engine.busy else ""

    def use_recipe(self, record: RunRecord) -> None:
        """Make it the present one, as one step of undo; the dataset stays."""
        if self._look_only:
            self.said.emit("warning", self._look_only)
        else:
            self._workspace.disk_tasks.do(partial(_recipe_of, record), partial(self._take_recipe, record), self._failed)

    def _take_recipe(self, record: RunRecord, recipe: Recipe | None) -> None:
        if recipe is None:
            self.said.emit("error", f"The recipe of run {record.number} can't be read.")
            return
        self._workspace.recipe_editor.use_recipe(recipe, f"Use recipe of run {record.number}")
        self.said.emit("info", f"The recipe is now that of run {record.number}. Ctrl+Z brings back the previous one.")

    def why_no_continuing(self, record: RunRecord) -> str:
        """Why a run can't be continued, in a sentence; empty when it can."""
        if record.path == self.training or record.running:
            return f"Run {record.number} is training."
        if not record.can_continue:
            return f"Run {record.number} has finished, or left nothing to continue from."
        obstacles = self._workspace.readiness.obstacles()
        return self._why_no_engine() or (obstacles[0].message if obstacles else "")

    def go_on(self, record: RunRecord) -> None:
        """Continue it from its checkpoint, with its own recipe."""
        self._workspace.disk_tasks.do(
            partial(continuable, record.path), partial(self._go_on_with, record), self._failed
        )

    def _go_on_with(self, record: RunRecord, run: OpenRun | None) -> None:
        if run is None:
            self.said.emit("error", f"Run {record.number} can't be continued: its checkpoint is gone.")
            self.refresh()
        else:
            self._workspace.training.continue_run(run)

    # --- taking away ------------------------------------------------------------------------------------------------

    def write_report(self, record: RunRecord, target: Path) -> None:
        """`reported` follows."""
        self.said.emit("info", f"Writing the report of run {record.number}…")

        def tell(_: object) -> None:
            self.said.emit("info", f"The report of run {record.number} is in {target}.")
            self.reported.emit(target)

        self._do(lambda job: write_report(record.path, target, job), tell)

    def write_event_files(self, records: Sequence[RunRecord], folder: Path) -> None:
        """For TensorBoard."""

        def tell(_: object) -> None:
            text = f"{plural(len(records), 'run')} written. Look at them with: tensorboard --logdir {folder}"
            self.said.emit("info", text)

        self._do(lambda job: write_event_files(records, folder, job), tell)


def _recipe_of(record: RunRecord) -> Recipe | None:
    """None where it can't be read."""
    try:
        return recipe_file.load(record.path / RECIPE_FILE)
    except RecipeError:
        return None


def _look_at(record: RunRecord, catalog_path: Path, class_names: list[str]) -> SeenRun:
    return SeenRun(_other_classes(record, catalog_path, class_names), _recipe_of(record), read_trained_run(record.path))


def _other_classes(record: RunRecord, catalog_path: Path, now: list[str]) -> str:
    """Why a run's model does not fit the classes of now, in a sentence; empty when it does."""
    try:
        known = read_about(record.path / BEST_FOLDER).class_names
    except ModelError as error:
        return str(error)
    if sorted(class_names_now(record.path, catalog_path, now) or known) == sorted(now):
        return ""
    gone = [name for name in known if name not in now]
    new = [name for name in now if name not in known]
    parts = [f"it knows {few(gone)}, which the data no longer has"] if gone else []
    parts += [f"it has never seen {few(new)}"] if new else []
    return f"Run {record.number}'s model is for other classes: {' and '.join(parts)}."
