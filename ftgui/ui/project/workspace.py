"""What is open in a window: dataset, recipe, model, training and engine, put together. No widgets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoStack

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Contents
from ftgui.data.example_sets import ExampleSet
from ftgui.data.project import Project, splitting_of
from ftgui.data.scanning.archive import unpacked
from ftgui.data.scanning.label_sources import Wanted
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.engine_client.example_requests import ExampleRequests
from ftgui.ui.engine_client.export_requests import ExportRequests
from ftgui.ui.engine_client.inference_requests import InferenceRequests
from ftgui.ui.engine_client.training_requests import TrainingRequests
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.project.access import LOOK_ONLY, ProjectAccess
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.dataset_edits import DatasetEditor
from ftgui.ui.project.dataset_opening import Wish
from ftgui.ui.project.evaluation import Evaluation
from ftgui.ui.project.intensity import DatasetIntensity
from ftgui.ui.project.long_run import LongRun
from ftgui.ui.project.model import ProjectModel
from ftgui.ui.project.model_in_use import ModelInUse
from ftgui.ui.project.prediction import Predictions
from ftgui.ui.project.progress import ProgressReports
from ftgui.ui.project.readiness import Readiness
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.project.recipe_saver import RecipeSaver
from ftgui.ui.project.stopping import EngineEnd, Stopping
from ftgui.ui.project.ticks import Ticks
from ftgui.ui.project.training import ProjectTraining
from ftgui.ui.toolkit.task_queue import TaskQueue

log = logging.getLogger(__name__)


class Workspace(QObject):
    """One per window. Each part does its own job and knows only the parts it needs; this connects them.

    Args:
        client: of the engine to use; None: of one in a process of its own.
        parent: owner.
    """

    project_changed = Signal()
    """Another dataset is open, or none."""
    catalog_changed = Signal()
    """The same dataset, but something in its catalog changed."""
    recipe_changed = Signal()
    """The recipe, which of its phases is selected, or what keeps Train off."""
    engine_changed = Signal(EngineState)
    message = Signal(str, str)
    """severity, sentence for the status line."""
    training_offered = Signal(str)
    """There is reason to train again: a sentence for the status line, beside a button."""

    def __init__(self, client: EngineClient | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.client = client or EngineClient.of_a_process()
        self.client.setParent(self)
        self.disk_tasks = TaskQueue(self)
        self.undo_stack = QUndoStack(self)
        self.access = ProjectAccess(self)
        self.saver = RecipeSaver(self, self.access.may_write)
        self.dataset = OpenDataset(self.access, self.disk_tasks, self, self.saver.wait)
        self.dataset_editor = DatasetEditor(self.dataset, self.undo_stack, self.disk_tasks, self)
        self.recipe_editor = RecipeEditor(self.undo_stack, self)
        self._saved_recipe = self.recipe
        self._was_busy = False
        self._make_requests()
        self._make_parts()
        self._make_evaluation()
        self._connect_engine()
        self._connect_dataset()

    def _make_requests(self) -> None:
        self.long_run = LongRun(self.client, self)
        self.stopping = Stopping(self.client.kill, self)
        self.engine_end = EngineEnd(self.disk_tasks, self)
        self.layer_ticks = Ticks(self.recipe_editor, self.client, self)
        self.training_requests = TrainingRequests(self.client, self)
        self.inference_requests = InferenceRequests(self.client, self)
        self.examples = ExampleRequests(self.client, self)
        self.export_requests = ExportRequests(self.client, self)

    def _make_parts(self) -> None:
        client, dataset, access, recipe_editor = self.client, self.dataset, self.access, self.recipe_editor
        self.progress = ProgressReports(client, dataset, self.examples, self)
        self.present = ModelInUse(dataset, access, recipe_editor, self.disk_tasks, self)
        self.intensity = DatasetIntensity(recipe_editor, dataset, self)
        self.model = ProjectModel(
            client=client,
            dataset=dataset,
            access=access,
            recipe_editor=recipe_editor,
            intensity=self.intensity,
            ticks=self.layer_ticks,
            long_run=self.long_run,
            training_requests=self.training_requests,
            present=self.present,
            progress=self.progress,
            disk_tasks=self.disk_tasks,
            parent=self,
        )
        self.readiness = Readiness(
            client=client,
            dataset=dataset,
            dataset_editor=self.dataset_editor,
            access=access,
            recipe_editor=recipe_editor,
            model=self.model,
            export_requests=self.export_requests,
        )
        self.training = ProjectTraining(
            client=client,
            dataset=dataset,
            recipe_editor=recipe_editor,
            model=self.model,
            readiness=self.readiness,
            progress=self.progress,
            long_run=self.long_run,
            training_requests=self.training_requests,
            disk_tasks=self.disk_tasks,
            parent=self,
        )
        self.prediction = Predictions(client, self.model, recipe_editor, self.intensity, self.disk_tasks, self)

    def _make_evaluation(self) -> None:
        client, dataset = self.client, self.dataset
        # Before others hear of it: they ask which run is in use.
        self.training.event_arrived.connect(self.present.training_event)
        self.engine_changed.connect(self.present.engine_changed)
        for slot in (self.disk_tasks.forget, self.training.project_changed, self.present.project_changed):
            self.project_changed.connect(slot)
        self.training.preparing_changed.connect(self.recipe_changed)
        self.evaluation = Evaluation(
            client=client,
            dataset=dataset,
            model=self.model,
            training=self.training,
            readiness=self.readiness,
            progress=self.progress,
            training_requests=self.training_requests,
            disk_tasks=self.disk_tasks,
            parent=self,
        )
        parts = (self.present, self.model, self.training, self.evaluation, self.dataset_editor, self.examples)
        for part in (*parts, self.engine_end):
            part.said.connect(self.message)

    def _connect_engine(self) -> None:
        client, progress = self.client, self.progress
        client.state_changed.connect(self._engine_state)
        client.logged.connect(self._logged)
        for failed in (client.failed, self.layer_ticks.refused, self.training_requests.said):
            failed.connect(self._request_failed)
        self.model.readiness_changed.connect(self.recipe_changed)
        self.inference_requests.similar_found.connect(progress.side_work_over)
        self.inference_requests.similar_failed.connect(progress.side_work_over)
        self.training_requests.learning_rate_tried.connect(progress.rate_test)
        self.training_requests.learning_rate_found.connect(progress.side_work_over)
        self.training_requests.rate_test_failed.connect(progress.side_work_over)
        self.export_requests.changed.connect(progress.side_work_over)

    def _connect_dataset(self) -> None:
        dataset, editor = self.dataset, self.dataset_editor
        dataset.opened.connect(self._opened)
        dataset.scanned.connect(self._scanned)
        dataset.changed.connect(self._contents_changed)
        dataset.failed.connect(self._open_failed)
        for refused in (dataset.held, dataset.damaged, dataset.recognised):
            refused.connect(self.recipe_changed)  # nothing is being opened any more
        dataset.closed.connect(self._closed)
        dataset.went_wrong.connect(self._dataset_trouble)
        editor.dividing_changed.connect(self.recipe_changed)
        editor.progress.connect(self.progress.dataset_progress)
        self.access.changed.connect(self._access_changed)
        self.access.taken_over.connect(self._taken_over)
        self.examples.ready.connect(self.open_dataset)
        self.saver.failed.connect(self._not_saved)
        self.recipe_editor.changed.connect(self._recipe_changed)
        self.recipe_editor.refused.connect(partial(self.message.emit, "warning"))
        self.project_changed.connect(self.evaluation.project_changed)
        self.catalog_changed.connect(self.evaluation.count)

    # --- what is open -----------------------------------------------------------------------------------------------

    @property
    def project(self) -> Project | None:
        return self.dataset.project

    @property
    def catalog(self) -> CatalogReader | None:
        return self.dataset.catalog

    @property
    def contents(self) -> Contents | None:
        return self.dataset.contents

    @property
    def checking(self) -> bool:
        """Images are still searched for, decoded for the first time or compared."""
        return self.dataset.checking

    @property
    def recipe(self) -> Recipe:
        """As the recipe editor has it."""
        return self.recipe_editor.recipe

    # --- engine -----------------------------------------------------------------------------------------------------

    @property
    def engine(self) -> EngineState:
        """The engine's process, as it is now."""
        return self.client.state

    def close(self) -> None:
        """Stop everything that runs; blocks for at most some seconds. Nothing may be called afterwards."""
        # Whoever asks for work with the disk goes before it is waited for, and what it is done with after.
        for part in (self.client, self.saver, self.disk_tasks, self.evaluation, self.dataset_editor):
            part.close()
        self.dataset.close()
        self.access.close()

    @Slot(EngineState)
    def _engine_state(self, state: EngineState) -> None:
        was_busy, self._was_busy = self._was_busy, state.busy
        self.stopping.engine(state)
        run = self.training.latest_run if was_busy else None
        if not state.busy:
            self.progress.training_asked = False
        if state.busy and not was_busy:
            self.layer_ticks.training_begins(self.training.first_layers)
        elif was_busy and not state.busy:
            self.layer_ticks.training_is_over()
        if not state.alive:
            self.model.engine_gone()
            self.training.engine_gone(was_busy)
        self.engine_changed.emit(state)
        if state.kind is EngineKind.READY and was_busy:
            self.model.send_ticks()
            self.model.load_if_classes_changed(anyway=self.model.load_wanted)
            self.evaluation.go_on()
        self.engine_end.say(state, run)
        if state.kind is EngineKind.NOT_STARTED:
            self.client.start_engine()

    @Slot(m.Log)
    def _logged(self, event: m.Log) -> None:
        log.info("engine: %s", event.message)
        if event.level != "info":
            self.message.emit("info" if event.level == "notice" else event.level, event.message)

    @Slot(str)
    def _request_failed(self, sentence: str) -> None:
        self.progress.nothing()
        self.message.emit("error", sentence)

    # --- dataset ----------------------------------------------------------------------------------------------------

    def open_dataset(self, source: Path, only: Sequence[str] = (), wanted: Wanted | None = None) -> None:
        """Scan a folder (or some class folders in it), or unpack an archive first, in the background and make it the open
        project."""
        if self._may_open():
            self.examples.opened_another()
            self.dataset.open(source, only, wanted)
            self.recipe_changed.emit()

    def read_otherwise(self) -> None:
        """Ask what says the classes of the open dataset, then read it anew."""
        if self._may_open():
            self.dataset.read_otherwise()
            self.recipe_changed.emit()

    def find_moved(self, wish: Wish, project: Path, folder: Path) -> None:
        """The images of a project lie in this folder now: go on with it there.

        Args:
            wish: to open the project, as `OpenDataset.gone` gave it.
            project: its folder.
            folder: the dataset, or an archive of it.
        """
        if self._may_open():
            what = f"scanning {folder.name}"
            self.dataset.open_again(replace(wish, find=partial(unpacked, folder), what=what, moved=project))
            self.recipe_changed.emit()

    def find_open_dataset(self, folder: Path) -> None:
        """The images of the open project lie in this folder now."""
        if self.project is not None:
            self.find_moved(self.dataset.shown_wish, self.project.folder, folder)

    def open_sample(self) -> None:
        """The sample dataset; drawn first if this is the first time."""
        if self._may_open():
            self.examples.opened_another()
            self.dataset.open_sample()
            self.recipe_changed.emit()

    def open_example(self, example: ExampleSet) -> None:
        """A well-known set; downloaded first if it is not here."""
        if self._may_open():
            self.examples.open(example)

    def _may_open(self) -> bool:
        if self.engine.busy:
            self.message.emit("warning", "Training is in progress. Stop it before opening another dataset.")
        return not self.engine.busy

    def cancel(self) -> None:
        """Whatever can be cancelled and goes on: opening a dataset, or the download that was told of last. What is downloaded
        is kept for another time."""
        shown = self.progress.download
        if self.dataset.opening or self.dataset.scanning:
            self.dataset.stop()
            self.message.emit("info", "Stopped. Open the folder again to continue scanning.")
            self.recipe_changed.emit()
        elif self.examples.preparing is not None and shown in (0, self.examples.request):
            self.examples.cancel()
        elif shown and shown != self.model.request:
            self.client.cancel(shown)
        else:
            self.model.cancel_load()

    @Slot(Recipe)
    def _opened(self, recipe: Recipe) -> None:
        self._saved_recipe = recipe
        self.model.project_opens()
        self.recipe_editor.take(recipe)
        self.present.know(self.dataset.trained)
        self.intensity.refresh()
        self.project_changed.emit()
        self.model.use_a_device_there_is()
        self.recipe_changed.emit()

    @Slot()
    def _scanned(self) -> None:
        # It may have been changed while images were searched for.
        self.dataset_editor.split_as(splitting_of(self.recipe))
        self.model.load_if_classes_changed(anyway=self.model.load_wanted)

    @Slot()
    def _contents_changed(self) -> None:
        self.catalog_changed.emit()
        self.model.load_if_classes_changed()

    @Slot(str)
    def _open_failed(self, sentence: str) -> None:
        self.recipe_changed.emit()
        self.message.emit("error", sentence)

    @Slot()
    def _access_changed(self) -> None:
        self.recipe_editor.locked = LOOK_ONLY if self.access.look_only else ""

    @Slot()
    def _closed(self) -> None:
        self.undo_stack.clear()  # its steps are of a catalog that is no more
        self.project_changed.emit()
        self.recipe_changed.emit()

    @Slot()
    def _taken_over(self) -> None:
        self.undo_stack.clear()  # its steps would write
        self.message.emit("warning", f"Another window has taken this project over. {LOOK_ONLY}")
        self.recipe_changed.emit()

    @Slot(str)
    def _dataset_trouble(self, sentence: str) -> None:
        self.recipe_changed.emit()
        self.message.emit("warning", sentence)

    # --- recipe -----------------------------------------------------------------------------------------------------

    @Slot()
    def _recipe_changed(self) -> None:
        if self.project is not None and not self.access.look_only and self.recipe != self._saved_recipe:
            self._saved_recipe = self.recipe
            self.saver.save(self.recipe, self.project.recipe_path)
        self.dataset_editor.split_as(splitting_of(self.recipe))
        self.model.send_ticks()
        self.recipe_changed.emit()

    @Slot(str)
    def _not_saved(self, sentence: str) -> None:
        self.message.emit("error", sentence)
