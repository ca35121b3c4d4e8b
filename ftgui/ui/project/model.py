"""The engine's model as the window has it: loaded, chosen, ticked. No widgets."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone, Recipe
from ftgui.runs.model_folder import BEST_FOLDER
from ftgui.runs.model_in_use import TrainedRun, read_trained_run
from ftgui.ui.engine_client import download_settings
from ftgui.ui.engine_client.client import EngineClient, Failure
from ftgui.ui.engine_client.training_requests import TrainingRequests
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.access import LOOK_ONLY, ProjectAccess
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.intensity import DatasetIntensity
from ftgui.ui.project.long_run import LongRun
from ftgui.ui.project.model_in_use import ModelInUse
from ftgui.ui.project.progress import ProgressReports
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.project.ticks import Ticks
from ftgui.ui.toolkit.task_queue import TaskQueue


class ProjectModel(QObject):
    """Brings the engine to the model that recipe, classes and the run in use ask for.

    Args:
        client: of the engine.
        dataset: whose classes the head is for.
        access: to the project, where the choice of a run is kept.
        recipe_editor: whose recipe names the backbone.
        intensity: with which images are read.
        ticks: what the person asked to learn.
        long_run: forgets what it knows of a model that goes.
        training_requests: give way to a model that is to be loaded.
        present: the run in use.
        progress: says that a model is loading.
        disk_tasks: read what a run's folder says.
        parent: owner.
    """

    changed = Signal(m.ModelLoaded)
    failed = Signal(str)
    """There is no model to show; why."""
    freezing_changed = Signal(m.FreezingChanged)
    devices_known = Signal(m.Ready)
    readiness_changed = Signal()
    """A model is loading, or is there, or could not be had."""
    chosen_run_loaded = Signal()
    """The model of a run that the person has just chosen."""
    said = Signal(str, str)
    """Severity, sentence."""

    def __init__(
        self,
        *,
        client: EngineClient,
        dataset: OpenDataset,
        access: ProjectAccess,
        recipe_editor: RecipeEditor,
        intensity: DatasetIntensity,
        ticks: Ticks,
        long_run: LongRun,
        training_requests: TrainingRequests,
        present: ModelInUse,
        progress: ProgressReports,
        disk_tasks: TaskQueue,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._client, self._dataset, self._access, self._recipe_editor = client, dataset, access, recipe_editor
        self._intensity, self._ticks, self._long_run = intensity, ticks, long_run
        self._training_requests, self._progress, self._disk_tasks = training_requests, progress, disk_tasks
        self.present = present
        """Which run's model it is."""
        self.loaded: m.ModelLoaded | None = None
        """What the engine has; None: nothing that could be shown."""
        self._model_project: Project | None = None
        """It was loaded for."""
        self.freezing: m.FreezingChanged | None = None
        """What learns in it, as far as it was told since it was loaded."""
        self.is_trained = False
        """What it says means something."""
        self.request = 0
        """Of the model that was asked for last; `loaded` is of another while that is on its way."""
        self.load_wanted = False
        """It is loaded as soon as the engine can."""
        self.problem = ""
        """Why there is none, in a sentence; empty: there is, or will be."""
        self._loaded_classes: list[str] | None = None
        self._loads = 0
        """How often one was asked for."""
        self._cancelling = False
        """The person does not want the weights any more, so that they do not come is no error."""
        self._recipe_before: Recipe | None = None
        """What to go back to if the model just chosen can't be loaded."""
        self._going_back = False
        """The recipe takes the model again that the engine still holds."""
        self._device_ids: list[str] = []
        self._use_asked = False
        """The model that is being loaded is of a run the person has just chosen."""
        client.ready.connect(self._ready)
        client.freezing_changed.connect(self._freezing)
        recipe_editor.backbone_changing.connect(self._backbone_changing)
        recipe_editor.backbone_changed.connect(self._backbone_changed)

    @property
    def run(self) -> Path | None:
        """Where the weights are from, if from a run."""
        return self.present.folder if self.is_trained else None

    @property
    def loading(self) -> bool:
        """It is not there yet."""
        return self.loaded is None or self.loaded.request != self.request

    # --- loading ----------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Ask the engine for the model the recipe names, with a head for the present classes."""
        self.load_wanted = self._client.state.kind is not EngineKind.READY
        if self.load_wanted:
            return
        self.problem = ""
        self._cancelling = False
        self._training_requests.stop_side_work()
        self._loaded_classes = self._dataset.contents.class_names if self._dataset.contents else []
        self._progress.busy.emit("loading the model", 0, 0)
        self._client.forget(self.request)
        self.request = 0
        self._loads += 1
        self._progress.loading = True
        self.readiness_changed.emit()  # nothing can be begun until it is there
        self.present.look(partial(self._ask_for_model, self._loads, self._dataset.project))

    def _ask_for_model(self, load: int, project: Project | None) -> None:
        """The folders of the runs have been looked at."""
        if load != self._loads or (self._dataset.project is not None and self._dataset.project is not project):
            return
        if self._client.state.kind is not EngineKind.READY:
            self.load_wanted = True
            return
        trained = self.present.to_load(self._recipe_editor.recipe.backbone) if self._dataset.project else None
        self._loaded_classes = self._dataset.contents.class_names if self._dataset.contents else []
        command = m.LoadModel(
            request=0,
            backbone=self._recipe_editor.recipe.backbone,
            class_names=self._loaded_classes,
            train=self._recipe_editor.ticks,
            device=self._recipe_editor.recipe.device,
            seed=self._recipe_editor.recipe.seed,
            trained_weights=str(trained / BEST_FOLDER) if trained else "",
            trained_names=self.present.names_now(trained) if trained else [],
            intensity=self._intensity.range,
        )
        self.request = self._client.request(command, self._load_answered, self._load_failed)
        if self._cancelling:
            self._client.cancel(self.request)
        self.readiness_changed.emit()

    def _load_answered(self, event: m.ModelLoaded | m.Progress) -> None:
        if isinstance(event, m.ModelLoaded):
            self._model_loaded(event)

    def _model_loaded(self, event: m.ModelLoaded) -> None:
        self.loaded, self._model_project = event, self._dataset.project
        self._progress.loading = False
        self.is_trained = event.trained
        self._recipe_before = None
        use_asked, self._use_asked = self._use_asked, False
        if not self.present.loaded(event.trained):
            self.load()
            return
        self.freezing = None  # what it was, was another model's
        self._ticks.model_loaded(event)
        self._long_run.another_model()
        self._progress.nothing()
        self.changed.emit(event)
        self.send_ticks()
        if use_asked and self.present.run is not None:
            self.said.emit("info", f"R{self.present.words[1:]} is in use now.")
            self.chosen_run_loaded.emit()

    def _load_failed(self, failure: Failure) -> None:
        if failure.engine_ended:
            return
        self._progress.nothing()
        self._take_back(failure.sentence)
        self.said.emit("info" if self._cancelling else "error", failure.sentence)
        self._cancelling = False

    def _take_back(self, sentence: str) -> None:
        """Go back to the model before, if the person just chose another; else say what keeps Train off.

        The recipe on disk is never changed for a failure: its model may only be offline today.
        """
        before, self._recipe_before = self._recipe_before, None
        self._use_asked = False
        self.present.failed()
        self._ticks.not_known()
        if before is not None:
            self._going_back = True
            try:
                self._recipe_editor.go_back(before)
            finally:
                self._going_back = False
        if self.loaded is not None and (
            before is not None or self._still_fits(self.loaded)
        ):  # the engine still holds it
            self.request = self.loaded.request
            self._progress.loading = False
            self._loaded_classes = self.loaded.class_names
            self.readiness_changed.emit()
            return
        self.loaded = None  # if there is one, it is another project's
        self.problem = f"The model could not be loaded: {sentence}"
        self.failed.emit(self.problem)
        self.readiness_changed.emit()

    def _still_fits(self, model: m.ModelLoaded) -> bool:
        """The model before the one that could not be loaded is what the open project wants too."""
        classes = self._dataset.contents.class_names if self._dataset.contents else []
        asked_here = self._dataset.project is not None and self._model_project == self._dataset.project
        return asked_here and (model.backbone, model.class_names) == (self._recipe_editor.recipe.backbone, classes)

    def load_if_classes_changed(self, anyway: bool = False) -> None:
        """A head has an output for each class: relabelling, or an unreadable last image, may have changed which there are."""
        contents = self._dataset.contents
        if contents is None or self._dataset.scanning or self._client.state.busy:
            return
        if anyway or self._loaded_classes not in (None, contents.class_names):
            self.load()

    def cancel_load(self) -> None:
        """The model before stays."""
        self._cancelling = True
        self._client.cancel(self.request)

    def project_opens(self) -> None:
        """Another dataset is about to be open: nothing of its recipe is asked of the model before."""
        self._recipe_before = None
        self.load_wanted = True

    # --- which model ------------------------------------------------------------------------------------------------

    def choose_backbone(self, backbone: Backbone) -> None:
        """Take another model."""
        if self._client.state.busy:
            self.said.emit("warning", "Training is in progress. Stop it before choosing another model.")
            return
        if self._access.look_only:
            self.said.emit("warning", LOOK_ONLY)
            return
        if backbone == self._recipe_editor.recipe.backbone:  # again: perhaps the network is back
            self.load()
        else:
            self._recipe_editor.choose_backbone(backbone)

    @Slot()
    def _backbone_changing(self) -> None:
        """A step to another model, done or undone: nothing of it is for the model that is still loaded."""
        if self._going_back:
            return
        if self._recipe_before is None:
            self._recipe_before = self._recipe_editor.recipe
        self.load_wanted = True

    @Slot()
    def _backbone_changed(self) -> None:
        if not self._going_back:
            self.load()

    def choose_run(self, run: TrainedRun | None) -> None:
        """The next model that is loaded is to be this run's, or with None the best finished one's. See `use_run`.

        Only where the project may be written to, which is seen to before: the choice is the project's.
        """
        self.present.choose(run)
        self._use_asked = True

    def use_run(self, run_folder: Path | None) -> None:
        """From now on this run's model, of the recipe's backbone, answers, until the person chooses another; with None the
        best finished one's."""
        if self._access.look_only:
            self.said.emit("warning", LOOK_ONLY)
        elif run_folder is None:
            self._use(None)
        else:
            self._disk_tasks.do(partial(read_trained_run, run_folder), self._use)

    def _use(self, run: TrainedRun | None) -> None:
        self.choose_run(run)
        self.load()

    def choose_device(self, device: str) -> None:
        """Compute elsewhere."""
        if device != self._recipe_editor.recipe.device and not self._client.state.busy:
            self._recipe_editor.replace(device=device)
            self.load()

    # --- ticks ------------------------------------------------------------------------------------------------------

    def send_ticks(self) -> None:
        """Bring the engine to what the selected phase says, whatever changed it: a tick, a click on a phase, undo."""
        if self._client.state.kind is EngineKind.READY and self.loaded is not None and not self.load_wanted:
            self._ticks.send()

    @Slot(m.FreezingChanged)
    def _freezing(self, event: m.FreezingChanged) -> None:
        self.freezing = event
        self._ticks.told(event)
        self.freezing_changed.emit(event)

    # --- the engine -------------------------------------------------------------------------------------------------

    @Slot(m.Ready)
    def _ready(self, event: m.Ready) -> None:
        self._device_ids = [device.id for device in event.devices]
        self.devices_known.emit(event)
        self.use_a_device_there_is()
        self._client.send(download_settings.download_settings())
        self.load()

    def configure_downloads(self, chosen: m.Configure) -> None:
        """Whether and from where weights may be downloaded, from now on and at the next start."""
        download_settings.keep_download_settings(chosen)
        if self._client.state.alive:
            self._client.send(chosen)

    def use_a_device_there_is(self) -> None:
        known = ["auto", *self._device_ids, *(["cuda"] if "cuda:0" in self._device_ids else [])]
        if self._device_ids and self._recipe_editor.recipe.device not in known:
            self.said.emit(
                "warning", f"There is no device “{self._recipe_editor.recipe.device}” here; using the best there is."
            )
            self._recipe_editor.replace(device="auto")

    def engine_gone(self) -> None:
        """There is no model any more."""
        self.loaded = None
        self._progress.loading = True
        self.freezing = None
        self._loaded_classes = None
        self._ticks.model_loaded(None)
        self._long_run.another_model()
