"""Trainings: begun, continued, paused, stopped, ended. No widgets."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe
from ftgui.runs.record import RECIPE_FILE
from ftgui.runs.run_folders import OpenRun, discard_run, new_run_folder, run_name
from ftgui.ui.engine_client.client import EngineClient, Failure
from ftgui.ui.engine_client.training_requests import TrainingRequests
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.long_run import LongRun, LongRunOffer
from ftgui.ui.project.model import ProjectModel
from ftgui.ui.project.progress import ProgressReports
from ftgui.ui.project.readiness import Readiness
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.toolkit.task_queue import TaskQueue


class ProjectTraining(QObject):
    """One training at a time.

    Args:
        client: of the engine.
        dataset: to be trained on.
        recipe_editor: has the recipe.
        model: holds what a training learned.
        readiness: says what keeps one from beginning.
        progress: says that one begins.
        long_run: asks before one that takes long.
        training_requests: give way to one.
        disk_tasks: make the run's folder, and read that of a run that goes on.
        parent: owner.
    """

    preparing_changed = Signal()
    """`preparing`."""
    event_arrived = Signal(object)
    """A `messages.TrainingEvent`, in order; None: the training did not begin, or the engine ended."""
    learned = Signal()
    """The model in use is that of a training that has just ended."""
    model_saved = Signal(Path)
    """The model that the disk did not take at first is in this folder now."""
    run_offered = Signal(object)
    """A `TrainedRun` that the person may prefer to the one in use; what is `said` before tells why."""
    said = Signal(str, str)
    """Severity, sentence."""

    def __init__(
        self,
        *,
        client: EngineClient,
        dataset: OpenDataset,
        recipe_editor: RecipeEditor,
        model: ProjectModel,
        readiness: Readiness,
        progress: ProgressReports,
        long_run: LongRun,
        training_requests: TrainingRequests,
        disk_tasks: TaskQueue,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._client, self._dataset, self._recipe_editor, self._model = client, dataset, recipe_editor, model
        self._readiness, self._progress, self._long_run = readiness, progress, long_run
        self._training_requests, self._disk_tasks = training_requests, disk_tasks
        self._request = 0
        self._wish: object | None = None
        """The newest, whose folder is still being made or read."""
        self.recipe = recipe_editor.recipe
        """Of the run that goes on or went last: a comparison or a continued run has its own."""
        self.paused = False
        self.latest_run: Path | None = None
        """The run that was asked for last."""
        self.refusal = ""
        """Why the run that was asked for last did not begin; empty: it did."""
        self.continuing = False
        """The run that goes on, or went last, had begun earlier."""
        self.first_layers: list[str] = []
        """Of the first phase of the run that goes on; empty: not known."""
        self._run_folder: Path | None = None
        client.training_event.connect(self._event)

    # --- beginning --------------------------------------------------------------------------------------------------

    def start(self, recipe: Recipe | None = None, anyway: bool = False) -> None:
        """Start a run with the present catalog; one that takes long is offered by `long_run` first, and not begun.

        Args:
            recipe: just for this run; None: the present one.
            anyway: however long it takes. So does a second press while that is being found out.
        """
        if self._dataset.contents is None or not self._can_start():
            return
        recipe = recipe or self._recipe_editor.recipe
        if anyway or self._long_run.asking:
            self._long_run.forget()
            self._start_new(recipe)
            return
        splits = [self._dataset.contents.counts[name] for name in self._dataset.contents.class_names]
        train, val = (sum(split[which] for split in splits) for which in ("train", "val"))
        self._long_run.consider(recipe, train, val, partial(self._start_new, recipe))
        if self._long_run.asking:
            self.said.emit("info", "Estimating how long this will take… Press Train again to start at once.")

    def start_anyway(self, offer: LongRunOffer) -> None:
        """As it was asked for, however long it takes."""
        self.start(offer.recipe, anyway=True)

    def start_cheaper(self, offer: LongRunOffer) -> None:
        """The cheaper way becomes the recipe, as one step of undo; of a comparison's recipe the project's is no part."""
        if offer.way is None:
            return
        if offer.recipe == self._recipe_editor.recipe:
            self._recipe_editor.use_recipe(offer.way.recipe, "Cheaper training")
        self.start(offer.way.recipe, anyway=True)

    def _start_new(self, recipe: Recipe) -> None:
        project = self._dataset.project
        if project is None or not self._can_start():
            return
        wish = self._wish_to_train()
        self._disk_tasks.do(
            partial(new_run_folder, project, run_name(recipe)),
            partial(self._folder_made, wish, project, recipe),
            partial(self._not_ready, wish, "The run's folder could not be made"),
            kept=True,  # a folder that is not wanted any more has to go
        )

    def _folder_made(self, wish: object, project: Project, recipe: Recipe, run_folder: Path) -> None:
        if not self._still_wanted(wish, project):
            self._disk_tasks.do(partial(discard_run, run_folder))
            return
        self._run_folder = run_folder
        self._begin(m.Train(0, recipe, str(project.catalog_path), str(run_folder)), recipe)

    def continue_run(self, run: OpenRun) -> None:
        """Go on with a run exactly where its checkpoint is; its own recipe counts, not the present one."""
        project = self._dataset.project
        if project is None or not self._can_start():
            return
        wish = self._wish_to_train()
        self._disk_tasks.do(
            partial(recipe_file.load, run.folder / RECIPE_FILE),
            partial(self._recipe_read, wish, project, run),
            partial(self._not_ready, wish, f"Run {run.number} can't be continued"),
        )

    def _recipe_read(self, wish: object, project: Project, run: OpenRun, recipe: Recipe) -> None:
        if self._still_wanted(wish, project):
            self._run_folder = None  # what it has learned is never thrown away, however little comes of going on
            self._begin(m.Continue(0, str(project.catalog_path), str(run.folder)), recipe)

    @property
    def preparing(self) -> bool:
        """A training was asked for; its folder is being made, or the recipe of a run that goes on is being read."""
        return self._wish is not None

    def _set_wish(self, wish: object | None) -> None:
        self._wish = wish
        self.preparing_changed.emit()

    def _wish_to_train(self) -> object:
        wish = object()
        self._progress.busy.emit("preparing", 0, 0)
        self._set_wish(wish)
        return wish

    def _still_wanted(self, wish: object, project: Project) -> bool:
        """On a slow drive another project may be open by now, or the engine gone."""
        if wish is not self._wish:
            return False
        self._set_wish(None)
        wanted = self._dataset.project is project and self._can_start()
        if not wanted:
            self._progress.nothing()
        return wanted

    def _not_ready(self, wish: object, what: str, why: str) -> None:
        if wish is self._wish:
            self._set_wish(None)
            self._progress.nothing()
            self.said.emit("error", f"{what}: {why}")

    @Slot()
    def project_changed(self) -> None:
        """Another dataset is open, or none: what was asked for was of the one before."""
        if self.preparing:
            self._set_wish(None)
            self._progress.nothing()

    @property
    def comparing(self) -> bool:
        """The run that goes on or went last is of another model than the project's, e.g. of one without pretraining."""
        return self.recipe.backbone != self._recipe_editor.recipe.backbone

    def _can_start(self) -> bool:
        return (
            not self._readiness.obstacles()
            and self._client.state.kind is EngineKind.READY
            and not self.preparing
            and not self._progress.training_asked
        )

    def _begin(self, command: m.Train | m.Continue, recipe: Recipe) -> None:
        self.paused = False
        self.recipe = recipe
        if self.comparing:
            self._model.load_wanted = True  # after it, the project's own model again
        self._progress.training_asked = True  # until the worker's state says so: two quick clicks are one wish
        self._model.present.training = self.latest_run = Path(command.run_folder)
        self.refusal = ""
        self.continuing = isinstance(command, m.Continue)
        self.first_layers = [] if self.continuing else recipe.active_phases[0].train
        self._progress.busy.emit("preparing", 0, 0)
        self._training_requests.stop_side_work()
        self._request = self._client.request(command, failed=self._not_begun)

    def _not_begun(self, failure: Failure) -> None:
        if failure.engine_ended:
            return
        self._progress.nothing()
        self.refusal = failure.sentence
        if not self.continuing:
            self._discard_run()
        self.event_arrived.emit(None)
        self.said.emit("error", failure.sentence)

    def find_learning_rate(self, phase: int) -> None:
        """Range test of a phase of the present recipe; `steering` tells how it goes."""
        if self._dataset.project is not None and not self._readiness.why_no_rate_test():
            self._training_requests.stop_side_work()
            self._training_requests.find_learning_rate(
                self._recipe_editor.recipe, self._dataset.project.catalog_path, phase
            )

    # --- while it runs ----------------------------------------------------------------------------------------------

    def pause_or_resume(self) -> None:
        """Takes effect after the present step."""
        self._client.send(m.Resume() if self.paused else m.Pause())

    def stop(self) -> None:
        """Finish the step and keep the best so far; asking twice is asking once. If it takes long, `stopping` says so."""
        if self._client.state.kind is EngineKind.TRAINING:
            self._client.cancel(self._request)

    @Slot(object)
    def _event(self, event: m.TrainingEvent) -> None:
        if isinstance(event, m.TrainingFinished):
            self._finished(event)
            return
        if isinstance(event, m.Paused | m.Resumed):
            self.paused = isinstance(event, m.Paused)
        self.event_arrived.emit(event)

    def engine_gone(self, during_training: bool) -> None:
        """Whatever ran is over."""
        self.paused = False
        self._run_folder = None
        self._progress.nothing()
        if during_training:
            self.event_arrived.emit(None)

    # --- its end ----------------------------------------------------------------------------------------------------

    def _finished(self, event: m.TrainingFinished) -> None:
        self._client.forget(self._request)
        self.paused = False
        self._progress.nothing()
        if not event.steps:
            self._discard_run()
        self._run_folder = None
        verdict = self._model.present.ended(event, self.recipe.backbone)
        in_use = event.usable and self._model.present.folder == Path(event.run_folder)
        if in_use:
            self._model.is_trained = True
        elif event.usable and event.steps:
            self._model.load()  # the engine's memory holds what this run learned, which is not to be asked
        self.event_arrived.emit(event)
        if in_use and event.reason == "done":
            self.learned.emit()
        severity = {"done": "info", "stopped": "info"}.get(event.reason, "error")
        self.said.emit(severity, f"{event.message} {verdict.sentence}".rstrip())
        if verdict.offered is not None:
            self.run_offered.emit(verdict.offered)

    def _discard_run(self) -> None:
        if self._run_folder is not None:
            self._disk_tasks.do(partial(discard_run, self._run_folder))
            self._run_folder = None

    def save_model(self, folder: Path | None) -> None:
        """Write the model that the disk did not take: where it belongs, or to a new folder. `model_saved` follows."""
        self._client.request(m.SaveModel(0, str(folder) if folder is not None else ""), self._model_saved)

    def _model_saved(self, event: m.ModelSaved) -> None:
        self.model_saved.emit(Path(event.folder))
        self._model.present.saved(Path(event.folder), self._load_if_another_is_wanted)
        self.said.emit("info", f"The model is in {event.folder}.")

    def _load_if_another_is_wanted(self) -> None:
        if self._model.present.wanted != self._model.present.folder:
            self._model.load()
