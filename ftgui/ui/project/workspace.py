"""The open project and the engine, as pages see them: signals out, intentions in. No widgets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoStack

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Contents
from ftgui.data.example_sets import ExampleSet
from ftgui.data.images.decoding import ImageError, read_image_file
from ftgui.data.project import Project, splitting_of
from ftgui.data.scanning.archive import unpacked
from ftgui.data.scanning.label_sources import Wanted
from ftgui.protocol import messages as m
from ftgui.protocol import recipe as recipes
from ftgui.protocol import recipe_file
from ftgui.protocol.problem import Problem
from ftgui.protocol.recipe import Backbone, Recipe
from ftgui.runs.dataset_diff import renamed_since
from ftgui.runs.model_folder import BEST_FOLDER, ModelError, read_about
from ftgui.runs.run_folders import OpenRun, discard_run, new_run_folder, open_run, run_name
from ftgui.ui.engine_client import download_settings, engine_end
from ftgui.ui.engine_client.client import EngineClient, Failure
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
from ftgui.ui.project.long_run import LongRun, LongRunOffer
from ftgui.ui.project.model_in_use import ModelInUse
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.project.recipe_saver import RecipeSaver
from ftgui.ui.project.stopping import Stopping, what_is_left
from ftgui.ui.project.ticks import Ticks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """An image somebody asked about, to be matched with its answer."""

    request: int
    path: str
    content: bytes
    preview: bool = False
    """Asked by the Train page again and again, not by the person."""


class Workspace(QObject):
    """One per window."""

    project_changed = Signal()
    """Another dataset is open, or none."""
    catalog_changed = Signal()
    """The same dataset, but something in its catalog changed."""
    recipe_changed = Signal()
    """The recipe, which of its phases is selected, or what keeps Train off."""
    engine_changed = Signal(EngineState)
    devices_known = Signal(m.Ready)
    model_changed = Signal(m.ModelLoaded)
    model_failed = Signal(str)
    """There is no model to show; why."""
    freezing_changed = Signal(m.FreezingChanged)
    training_event = Signal(object)
    """Everything from `TrainingStarted` to `TrainingFinished`, in order."""
    asked = Signal(Asked)
    answered = Signal(Asked, m.Prediction)
    not_answered = Signal(Asked, str)
    views_arrived = Signal(m.AugmentedViews)
    views_failed = Signal(int, str)
    """The request that can't be answered, and why."""
    busy = Signal(str, object, object)
    """What is going on, done, total; empty text: nothing any more."""
    downloading = Signal(str, object, object)
    """What is being downloaded, bytes done, bytes in all; `cancel` ends it, an empty `busy` follows its end."""
    message = Signal(str, str)
    """severity, sentence for the status line."""
    model_saved = Signal(Path)
    """The model that the disk did not take at first is in this folder now."""
    run_offered = Signal(object)
    """A `TrainedRun` that the person may prefer to the one in use; the `message` before says why."""
    training_offered = Signal(str)
    """There is reason to train again: a sentence for the status line, beside a button."""

    def __init__(self, client: EngineClient | None = None, parent: QObject | None = None) -> None:
        """
        Args:
            client: of the engine to use; None: of one in a process of its own.
            parent: owner.
        """
        super().__init__(parent)
        self.client = client or EngineClient.of_a_process()
        self.client.setParent(self)
        self.undo_stack = QUndoStack(self)
        self.access = ProjectAccess(self)
        self.saver = RecipeSaver(self, self.access.may_write)
        self.saver.failed.connect(self._not_saved)
        self.dataset = OpenDataset(self.access, self, self.saver.wait)
        self.dataset_editor = DatasetEditor(self.dataset, self.undo_stack, self)
        self.recipe_editor = RecipeEditor(self.undo_stack, self)
        self._saved_recipe = self.recipe
        self._was_busy = False
        self.model: m.ModelLoaded | None = None
        self._model_project: Project | None = None
        """It was loaded for."""
        self.freezing: m.FreezingChanged | None = None
        self.run_recipe = self.recipe
        """Of the run that goes on or went last: a comparison or a continued run has its own."""
        self.paused = False
        self._asked = 0
        self._load_request = 0
        self._training_request = 0
        self._downloading = 0
        """The request whose download was told of last."""
        self._loaded_classes: list[str] | None = None
        self._load_wanted = False
        self._load_problem = ""
        self._cancelling = False
        """The person does not want the weights any more, so that they do not come is no error."""
        self._recipe_before: Recipe | None = None
        """What to go back to if the model just chosen can't be loaded."""
        self._going_back = False
        """The plan takes the model again that the engine still holds."""
        self._device_ids: list[str] = []
        self._train_asked = False
        self._use_asked = False
        """The model that is being loaded is of a run the person has just chosen."""
        self.latest_run: Path | None = None
        """The run that was asked for last."""
        self.refusal = ""
        """Why the run that was asked for last did not begin; empty: it did."""
        self.continuing = False
        """The run that goes on, or went last, had begun earlier."""
        self._first_layers: list[str] = []
        """Of the first phase of the run that goes on; empty: not known."""
        self.model_is_trained = False
        """What it says means something."""
        self._run_folder: Path | None = None
        self.present = ModelInUse(self)
        self.intensity = DatasetIntensity(self.recipe_editor, self.dataset, self)
        self.recipe_editor.changed.connect(self._plan_changed)
        self.recipe_editor.refused.connect(self._edit_refused)
        self.recipe_editor.backbone_changing.connect(self._backbone_changing)
        self.recipe_editor.backbone_changed.connect(self._backbone_changed)
        self.long_run = LongRun(self.client, self)
        self.stopping = Stopping(self.client.kill, self)
        self.layer_ticks = Ticks(self.recipe_editor, self.client, self)
        self.training_requests = TrainingRequests(self.client, self)
        self.inference_requests = InferenceRequests(self.client, self)
        self.examples = ExampleRequests(self.client, self)
        self.export_requests = ExportRequests(self.client, self)
        self.export_requests.changed.connect(self.side_work_over)
        self._connect_client()
        self._connect_collection()
        self.evaluation = Evaluation(self)

    def _connect_collection(self) -> None:
        collection = self.dataset
        collection.opened.connect(self._opened)
        collection.scanned.connect(self._scanned)
        collection.changed.connect(self._contents_changed)
        collection.failed.connect(self._open_failed)
        collection.held.connect(self._project_held)
        collection.damaged.connect(self._project_held)
        collection.recognised.connect(self._project_held)
        collection.closed.connect(self._closed)
        self.access.changed.connect(self._access_changed)
        self.access.taken_over.connect(self._taken_over)
        collection.went_wrong.connect(self._dataset_trouble)
        collection.progress.connect(self._dataset_progress)
        self.dataset_editor.said.connect(self.message)
        self.dataset_editor.dividing_changed.connect(self.recipe_changed)
        self.dataset_editor.progress.connect(self._dataset_progress)
        self.examples.said.connect(self.message)
        self.examples.ready.connect(self._example_ready)
        self.examples.over.connect(self._example_over)

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

    def _connect_client(self) -> None:
        client = self.client
        client.state_changed.connect(self._engine_state)
        client.ready.connect(self._ready)
        client.freezing_changed.connect(self._freezing)
        client.progress.connect(self._engine_progress)
        client.training_event.connect(self._training_event)
        client.logged.connect(self._logged)
        client.failed.connect(self._request_failed)
        self.layer_ticks.refused.connect(self._request_failed)
        self.training_requests.said.connect(self._request_failed)
        self.inference_requests.similar_found.connect(self.side_work_over)
        self.inference_requests.similar_failed.connect(self.side_work_over)
        self.training_requests.learning_rate_tried.connect(self._rate_test_goes_on)
        self.training_requests.learning_rate_found.connect(self.side_work_over)
        self.training_requests.rate_test_failed.connect(self.side_work_over)

    @property
    def model_run(self) -> Path | None:
        """Where the model's weights are from, if from a run."""
        return self.present.folder if self.model_is_trained else None

    # --- engine -----------------------------------------------------------------------------------------------------

    @property
    def engine(self) -> EngineState:
        """The engine's process, as it is now."""
        return self.client.state

    def close(self) -> None:
        """Stop everything that runs; blocks for at most some seconds. Nothing may be called afterwards."""
        self.client.close()
        self.saver.close()
        self.evaluation.close()
        self.dataset_editor.close()
        self.dataset.close()
        self.access.close()

    @Slot(EngineState)
    def _engine_state(self, state: EngineState) -> None:
        was_busy, self._was_busy = self._was_busy, state.busy
        self.stopping.engine(state)
        run = self.latest_run if was_busy else None
        if not state.busy:
            self._train_asked = False
        if state.busy and not was_busy:
            self.layer_ticks.training_begins(self._first_layers)
        elif was_busy and not state.busy:
            self.layer_ticks.training_is_over()
        if not state.alive:
            self._engine_gone(was_busy)
        self.engine_changed.emit(state)
        if state.kind is EngineKind.READY and was_busy:
            self._send_ticks()
            self._load_if_classes_changed(anyway=self._load_wanted)
            self.evaluation.go_on()
        if state.kind is EngineKind.NOT_STARTED:
            self.message.emit("warning", f"The engine was ended. {what_is_left(run)}".rstrip())
            self.client.start()
        if state.kind is EngineKind.CRASHED:
            left = what_is_left(run) or "Nothing in the project is lost."
            self.message.emit("error", f"{engine_end.sentence(state)} {left}")

    def _engine_gone(self, during_training: bool) -> None:
        self.model = None
        self.freezing = None
        self.paused = False
        self._loaded_classes = None
        self.layer_ticks.model_loaded(None)
        self.long_run.another_model()
        self._run_folder = None
        self.busy.emit("", 0, 0)
        if during_training:
            self.training_event.emit(None)

    @Slot(m.Ready)
    def _ready(self, event: m.Ready) -> None:
        self._device_ids = [device.id for device in event.devices]
        self.devices_known.emit(event)
        self._use_a_device_there_is()
        self.client.send(download_settings.download_settings())
        self.load_model()

    def configure_downloads(self, chosen: m.Configure) -> None:
        """Whether and from where weights may be downloaded, from now on and at the next start."""
        download_settings.keep_download_settings(chosen)
        if self.engine.alive:
            self.client.send(chosen)

    def _use_a_device_there_is(self) -> None:
        known = ["auto", *self._device_ids, *(["cuda"] if "cuda:0" in self._device_ids else [])]
        if self._device_ids and self.recipe.device not in known:
            self.message.emit("warning", f"There is no device “{self.recipe.device}” here; using the best there is.")
            self.recipe_editor.replace(device="auto")

    def load_model(self) -> None:
        """Ask the engine for the model the recipe names, with a head for the present classes."""
        self._load_wanted = self.engine.kind is not EngineKind.READY
        if self._load_wanted:
            return
        self._load_problem = ""
        self._cancelling = False
        self.training_requests.stop_side_work()
        classes = self.contents.class_names if self.contents else []
        trained = self.present.to_load(self.recipe.backbone) if self.project else None
        self._loaded_classes = classes
        self.busy.emit("loading the model", 0, 0)
        self.client.forget(self._load_request)
        command = m.LoadModel(
            request=0,
            backbone=self.recipe.backbone,
            class_names=classes,
            train=self.ticks,
            device=self.recipe.device,
            seed=self.recipe.seed,
            trained_weights=str(trained / BEST_FOLDER) if trained else "",
            trained_names=self.names_now(trained) if trained else [],
            intensity=self.intensity.range,
        )
        self._load_request = self.client.request(command, self._load_answered, self._load_failed)
        self.recipe_changed.emit()  # nothing can be begun until it is there

    def names_now(self, run: Path) -> list[str]:
        """What a run's classes are called now, if some were renamed since; empty: as then, or other ones."""
        try:
            then = read_about(run / BEST_FOLDER).class_names
            if self.catalog is None or self.contents is None or then == self.contents.class_names:
                return []
            return renamed_since(run, self.catalog)
        except (ModelError, OSError, ValueError) as error:
            log.info("the classes of %s are not known: %s", run.name, error)  # loading it says what is wrong
            return []

    def _load_answered(self, event: m.ModelLoaded | m.Progress) -> None:
        if isinstance(event, m.ModelLoaded):
            self._model_loaded(event)

    def _model_loaded(self, event: m.ModelLoaded) -> None:
        self.model, self._model_project = event, self.project
        self.model_is_trained = event.trained
        self._recipe_before = None
        use_asked, self._use_asked = self._use_asked, False
        if not self.present.loaded(event.trained):
            self.load_model()
            return
        self.freezing = None  # what it was, was another model's
        self.layer_ticks.model_loaded(event)
        self.long_run.another_model()
        self.busy.emit("", 0, 0)
        self.model_changed.emit(event)
        self._send_ticks()
        if use_asked and self.present.run is not None:
            self.message.emit("info", f"R{self.present.words[1:]} is in use now.")
            self.evaluation.want()

    @Slot(m.Progress)
    def _engine_progress(self, event: m.Progress) -> None:
        if event.unit == "bytes":
            self._downloading = event.request
            self.downloading.emit(event.what, event.done, event.total)
        elif event.unit != "files":
            self.busy.emit(event.what, event.done, event.total)

    @Slot(str)
    def _request_failed(self, sentence: str) -> None:
        self.busy.emit("", 0, 0)
        self.message.emit("error", sentence)

    def _load_failed(self, failure: Failure) -> None:
        if failure.engine_ended:
            return
        self.busy.emit("", 0, 0)
        self._take_back(failure.sentence)
        self.message.emit("info" if self._cancelling else "error", failure.sentence)
        self._cancelling = False

    def _take_back(self, sentence: str) -> None:
        """Go back to the model before, if the person just chose another; else say what keeps Train off.

        The recipe on disk is never changed for a failure: its model may only be offline today.
        """
        before, self._recipe_before = self._recipe_before, None
        self._use_asked = False
        self.present.failed()
        self.layer_ticks.not_known()
        if before is not None:
            self._going_back = True
            try:
                self.recipe_editor.go_back(before)
            finally:
                self._going_back = False
        if self.model is not None and (before is not None or self._still_fits(self.model)):  # the engine still holds it
            self._load_request = self.model.request
            self._loaded_classes = self.model.class_names
            self.recipe_changed.emit()
            return
        self.model = None  # if there is one, it is another project's
        self._load_problem = f"The model could not be loaded: {sentence}"
        self.model_failed.emit(self._load_problem)
        self.recipe_changed.emit()

    def _still_fits(self, model: m.ModelLoaded) -> bool:
        """The model before the one that could not be loaded is what the open project wants too."""
        classes = self.contents.class_names if self.contents else []
        asked_here = self.project is not None and self._model_project == self.project
        return asked_here and (model.backbone, model.class_names) == (self.recipe.backbone, classes)

    def _discard_run(self) -> None:
        if self._run_folder is not None:
            discard_run(self._run_folder)
            self._run_folder = None

    @Slot(m.Log)
    def _logged(self, event: m.Log) -> None:
        log.info("engine: %s", event.message)
        if event.level != "info":
            self.message.emit("info" if event.level == "notice" else event.level, event.message)

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
            what = f"looking through {folder.name}"
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

    @Slot(Path)
    def _example_ready(self, folder: Path) -> None:
        self.open_dataset(folder)

    @Slot()
    def _example_over(self) -> None:
        """Unlike `side_work_over` while a model is loading too: a set may be cancelled before the engine has begun."""
        self.show_side_work("", 0, 0)

    def _may_open(self) -> bool:
        if self.engine.busy:
            self.message.emit("warning", "A training is running. Stop it before opening another dataset.")
        return not self.engine.busy

    def cancel(self) -> None:
        """Whatever can be cancelled and goes on: opening a dataset, or the download that was told of last. What is downloaded
        is kept for another time."""
        shown = self._downloading if self.client.waits(self._downloading) else 0
        if self.dataset.opening or self.dataset.scanning:
            self.dataset.stop()
            self.message.emit("info", "Stopped. Open the folder again to go on looking through it.")
            self.recipe_changed.emit()
        elif self.examples.preparing is not None and shown in (0, self.examples.request):
            self.examples.cancel()
        elif shown and shown != self._load_request:
            self.client.cancel(shown)
        else:
            self._cancelling = True
            self.client.cancel(self._load_request)

    @Slot(str, object, object)
    def _dataset_progress(self, what: str, done: int, total: int) -> None:
        # A training's own progress is what counts then. A download's too: the two would take turns ten times a second.
        beside = self.examples.preparing is not None and not (self.dataset.opening or self.dataset.scanning)
        if not self.engine.busy and not beside:
            self.busy.emit(what, done, total)

    @Slot(Recipe)
    def _opened(self, recipe: Recipe) -> None:
        self._recipe_before = None
        self._saved_recipe = recipe
        self._load_wanted = True  # so that nothing of this recipe is asked of another project's model
        self.recipe_editor.take(recipe)
        self.present.know(self.dataset.trained)
        self.intensity.refresh()
        self.project_changed.emit()
        self._use_a_device_there_is()
        self.recipe_changed.emit()

    @Slot()
    def _scanned(self) -> None:
        self.dataset_editor.split_as(
            splitting_of(self.recipe)
        )  # it may have been changed while images were searched for
        self._load_if_classes_changed(anyway=self._load_wanted)

    @Slot()
    def _contents_changed(self) -> None:
        self.catalog_changed.emit()
        self._load_if_classes_changed()

    def _load_if_classes_changed(self, anyway: bool = False) -> None:
        """A head has an output for each class: relabelling, or an unreadable last image, may have changed which there are."""
        contents = self.contents
        if contents is None or self.dataset.scanning or self.engine.busy:
            return
        if anyway or self._loaded_classes not in (None, contents.class_names):
            self.load_model()

    @Slot(str)
    def _open_failed(self, sentence: str) -> None:
        self.recipe_changed.emit()
        self.message.emit("error", sentence)

    @Slot(str)
    def _edit_refused(self, why: str) -> None:
        self.message.emit("warning", why)

    @Slot()
    def _access_changed(self) -> None:
        self.recipe_editor.locked = LOOK_ONLY if self.access.look_only else ""

    @Slot()
    def _project_held(self) -> None:
        self.recipe_changed.emit()  # nothing is being opened any more

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

    # --- recipe and ticks -------------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """As the plan has it."""
        return self.recipe_editor.recipe

    @property
    def ticks(self) -> list[str]:
        """What the selected phase lets learn: the ticks of the layer tree."""
        return self.recipe_editor.ticks

    def tick(self, layers: list[str], words: str) -> None:
        """Let exactly these layers learn; `layer_ticks` tells how that goes.

        While a training runs this steers it and nothing else: the recipe keeps what was intended.
        """
        self.layer_ticks.tick(layers, words)

    @Slot()
    def _plan_changed(self) -> None:
        if self.project is not None and not self.access.look_only and self.recipe != self._saved_recipe:
            self._saved_recipe = self.recipe
            self.saver.save(self.recipe, self.project.recipe_path)
        self.dataset_editor.split_as(splitting_of(self.recipe))
        self._send_ticks()
        self.recipe_changed.emit()

    @Slot(str)
    def _not_saved(self, sentence: str) -> None:
        self.message.emit("error", sentence)

    def _send_ticks(self) -> None:
        """Bring the engine to what the selected phase says, whatever changed it: a tick, a click on a phase, undo."""
        if self.engine.kind is EngineKind.READY and self.model is not None and not self._load_wanted:
            self.layer_ticks.send()

    @Slot(m.FreezingChanged)
    def _freezing(self, event: m.FreezingChanged) -> None:
        self.freezing = event
        self.layer_ticks.told(event)
        self.freezing_changed.emit(event)

    def choose_backbone(self, backbone: Backbone) -> None:
        """Take another model."""
        if self.engine.busy:
            self.message.emit("warning", "A training is running. Stop it before choosing another model.")
            return
        if self.access.look_only:
            self.message.emit("warning", LOOK_ONLY)
            return
        if backbone == self.recipe.backbone:  # again: perhaps the network is back
            self.load_model()
        else:
            self.recipe_editor.choose_backbone(backbone)

    @Slot()
    def _backbone_changing(self) -> None:
        """A step to another model, done or undone: nothing of it is for the model that is still loaded."""
        if self._going_back:
            return
        if self._recipe_before is None:
            self._recipe_before = self.recipe
        self._load_wanted = True

    @Slot()
    def _backbone_changed(self) -> None:
        if not self._going_back:
            self.load_model()

    def choose_run(self, run_folder: Path | None) -> None:
        """The next model that is loaded is to be this run's, or with None the best finished one's. See `use_run`.

        Only where the project may be written to, which is seen to before: the choice is the project's.
        """
        self.present.choose(run_folder)
        self._use_asked = True

    def use_run(self, run_folder: Path | None) -> None:
        """From now on this run's model, of the recipe's backbone, answers, until the person chooses another; with None the
        best finished one's."""
        if self.access.look_only:
            self.message.emit("warning", LOOK_ONLY)
            return
        self.choose_run(run_folder)
        self.load_model()

    def choose_device(self, device: str) -> None:
        """Compute elsewhere."""
        if device != self.recipe.device and not self.engine.busy:
            self.recipe_editor.replace(device=device)
            self.load_model()

    def show_views(self, path: Path, count: int) -> int:
        """What will the model see of this image in training? Answered by `views_arrived` or `views_failed`.

        Returns:
            the request's number; 0 when there is no model to ask.
        """
        if self.model is None:
            return 0
        command = m.PreviewAugmentation(0, str(path), self.recipe.augmentation, count, self.intensity.range)
        number = self.client.request(
            command, self.views_arrived.emit, lambda failure: self.views_failed.emit(number, failure.sentence)
        )
        return number

    def obstacles(self) -> list[Problem]:
        """Why Train can't be pressed now, most fundamental first; empty when it can."""
        found: list[Problem] = []
        if self.project is None or self.contents is None:
            return [Problem("error", "no-data", "Drop a folder of images first.")]
        if self.access.look_only:
            found.append(Problem("error", "look-only", LOOK_ONLY))
        found += [p for p in self.contents.problems if p.severity == "error" and p.kind == "one-class"]
        found += [p for p in self.recipe.validate() if p.severity == "error"]
        if self.dataset.images_gone:
            text = "The folder of the images is gone. Find it (in the menu), or connect its drive."
            found.append(Problem("error", "gone", text))
        if self.dataset.opening:
            found.append(Problem("info", "opening", "Another dataset is being opened."))
        elif self.dataset.scanning:
            found.append(Problem("info", "opening", "The folder is still being looked through."))
        elif self.dataset_editor.dividing:
            found.append(Problem("info", "splitting", "The images are being divided into train, val and test."))
        elif not self.contents.complete:
            text = "The folder was not looked through to its end. Open it again to go on."
            found.append(Problem("error", "incomplete", text))
        if not self.engine.alive:
            found.append(Problem("error", "no-engine", "The engine is not running. Start it again."))
        elif self._load_problem:
            found.append(Problem("error", "no-model", self._load_problem))
        elif self.model is None or self.model.request != self._load_request:
            found.append(Problem("info", "loading", "The engine is still loading the model."))
        elif self.export_requests.working:
            found.append(Problem("info", "exporting", "A model is being written; train when that is done."))
        return found

    # --- training ---------------------------------------------------------------------------------------------------

    def train(self, recipe: Recipe | None = None, anyway: bool = False) -> None:
        """Start a run with the present catalog; one that takes long is offered by `long_run` first, and not begun.

        Args:
            recipe: just for this run; None: the present one.
            anyway: however long it takes. So does a second press while that is being found out.
        """
        if self.contents is None or not self._can_start():
            return
        recipe = recipe or self.recipe
        if anyway or self.long_run.asking:
            self.long_run.forget()
            self._train(recipe)
            return
        splits = [self.contents.counts[name] for name in self.contents.class_names]
        train, val = (sum(split[which] for split in splits) for which in ("train", "val"))
        self.long_run.consider(recipe, train, val, partial(self._train, recipe))
        if self.long_run.asking:
            self.message.emit("info", "Finding out how long this takes… Press Train again to begin at once.")

    def train_anyway(self, offer: LongRunOffer) -> None:
        """As it was asked for, however long it takes."""
        self.train(offer.recipe, anyway=True)

    def train_cheaper(self, offer: LongRunOffer) -> None:
        """The cheaper way becomes the recipe, as one step of undo; of a comparison's recipe the project's is no part."""
        if offer.way is None:
            return
        if offer.recipe == self.recipe:
            self.recipe_editor.use_recipe(offer.way.recipe, "Cheaper training")
        self.train(offer.way.recipe, anyway=True)

    def _train(self, recipe: Recipe) -> None:
        if self.project is None or not self._can_start():
            return
        try:
            run_folder = new_run_folder(self.project, run_name(recipe))
        except OSError as error:
            self.message.emit("error", f"No folder for the run could be made: {error}")
            return
        self._run_folder = run_folder
        self._begin(m.Train(0, recipe, str(self.project.catalog_path), str(run_folder)), recipe)

    def open_run(self) -> OpenRun | None:
        """The project's newest run, if it can go on from a checkpoint."""
        return open_run(self.project) if self.project and not self.engine.busy else None

    def continue_run(self, run: OpenRun) -> None:
        """Go on with a run exactly where its checkpoint is; its own recipe counts, not the present one."""
        if self.project is None or not self._can_start():
            return
        try:
            recipe = recipe_file.load(run.folder / "recipe.toml")
        except recipes.RecipeError as error:
            self.message.emit("error", f"Run {run.number} can't be continued: {error}")
            return
        self._run_folder = None  # what it has learned is never thrown away, however little comes of going on
        self._begin(m.Continue(0, str(self.project.catalog_path), str(run.folder)), recipe)

    @property
    def comparing(self) -> bool:
        """The run that goes on or went last is of another model than the project's, e.g. of one without pretraining."""
        return self.run_recipe.backbone != self.recipe.backbone

    def _can_start(self) -> bool:
        return not self.obstacles() and self.engine.kind is EngineKind.READY and not self._train_asked

    def _begin(self, command: m.Train | m.Continue, recipe: Recipe) -> None:
        self.paused = False
        self.run_recipe = recipe
        if self.comparing:
            self._load_wanted = True  # after it, the project's own model again
        self._train_asked = True  # until the worker's state says so: two quick clicks are one wish
        self.present.training = self.latest_run = Path(command.run_folder)
        self.refusal = ""
        self.continuing = isinstance(command, m.Continue)
        self._first_layers = [] if self.continuing else recipe.active_phases[0].train
        self.busy.emit("preparing", 0, 0)
        self.training_requests.stop_side_work()
        self._training_request = self.client.request(command, failed=self._not_begun)

    def _not_begun(self, failure: Failure) -> None:
        if failure.engine_ended:
            return
        self.busy.emit("", 0, 0)
        self.refusal = failure.sentence
        if not self.continuing:
            self._discard_run()
        self.training_event.emit(None)
        self.message.emit("error", failure.sentence)

    def why_no_rate_test(self) -> str:
        """Why no range test can be begun now, in a sentence; empty when one can."""
        obstacles = self.obstacles()
        if obstacles:
            return obstacles[0].message
        if self.engine.kind is not EngineKind.READY:
            return "A training is running." if self.engine.busy else "The engine is starting."
        return ""

    def find_learning_rate(self, phase: int) -> None:
        """Range test of a phase of the present recipe; `steering` tells how it goes."""
        if self.project is not None and not self.why_no_rate_test():
            self.training_requests.stop_side_work()
            self.training_requests.find_learning_rate(self.recipe, self.project.catalog_path, phase)

    # --- what is done beside trainings ------------------------------------------------------------------------------

    def show_side_work(self, what: str, done: int, total: int) -> None:
        """Say how far it is, unless something more important is said."""
        if not (self.engine.busy or self._train_asked or self.dataset.working):
            self.busy.emit(what, done, total)

    @Slot()
    def _rate_test_goes_on(self) -> None:
        self.show_side_work("trying learning rates", 0, 0)

    @Slot()
    def side_work_over(self) -> None:
        """What it was reading is no longer being read; but something else may have begun."""
        loading = self.model is None or self.model.request != self._load_request
        if not loading:
            self.show_side_work("", 0, 0)

    def pause_or_resume(self) -> None:
        """Takes effect after the present step."""
        self.client.send(m.Resume() if self.paused else m.Pause())

    def stop(self) -> None:
        """Finish the step and keep the best so far; asking twice is asking once. If it takes long, `stopping` says so."""
        if self.engine.kind is EngineKind.TRAINING:
            self.client.cancel(self._training_request)

    @Slot(object)
    def _training_event(self, event: m.TrainingEvent) -> None:
        if isinstance(event, m.TrainingFinished):
            self._training_finished(event)
            return
        if isinstance(event, m.Paused | m.Resumed):
            self.paused = isinstance(event, m.Paused)
        self.training_event.emit(event)

    def _training_finished(self, event: m.TrainingFinished) -> None:
        self.client.forget(self._training_request)
        self.paused = False
        self.busy.emit("", 0, 0)
        if not event.steps:
            self._discard_run()
        self._run_folder = None
        verdict = self.present.ended(event)
        in_use = event.usable and self.present.folder == Path(event.run_folder)
        if in_use:
            self.model_is_trained = True
        elif event.usable and event.steps:
            self.load_model()  # the engine's memory holds what this run learned, which is not to be asked
        self.training_event.emit(event)
        if in_use and event.reason == "done":
            self.evaluation.want()
        severity = {"done": "info", "stopped": "info"}.get(event.reason, "error")
        self.message.emit(severity, f"{event.message} {verdict.sentence}".rstrip())
        if verdict.offered is not None:
            self.run_offered.emit(verdict.offered)

    def save_model(self, folder: Path | None) -> None:
        """Write the model that the disk did not take: where it belongs, or to a new folder. `model_saved` follows."""
        self.client.request(m.SaveModel(0, str(folder) if folder is not None else ""), self._model_saved)

    def _model_saved(self, event: m.ModelSaved) -> None:
        self.model_saved.emit(Path(event.folder))
        self.present.saved(Path(event.folder))
        if self.present.wanted != self.present.folder:
            self.load_model()
        self.message.emit("info", f"The model is in {event.folder}.")

    # --- prediction -------------------------------------------------------------------------------------------------

    def ask(self, path: Path | None = None, content: bytes = b"", preview: bool = False) -> None:
        """What is this image? Answered by `answered` or `not_answered`."""
        if path is not None and not is_text(path):
            content = _read(path)
            path = None
        self._asked += 1
        asked = Asked(self._asked, str(path or ""), content, preview)
        if not preview:
            self.asked.emit(asked)
        if self.model is None:
            why = (
                "The engine is still starting; ask again in a moment."
                if self.engine.alive
                else "The engine is not running."
            )
            self.not_answered.emit(asked, why)
            return
        self.client.request(
            m.Predict(0, asked.path, asked.content),
            lambda event: self.answered.emit(asked, event),
            lambda failure: self.not_answered.emit(asked, failure.sentence),
        )


def is_text(path: Path) -> bool:
    """Whether the name can travel in a message; names from old archives may not be valid text."""
    return str(path).encode("utf-8", "replace").decode("utf-8") == str(path)


def _read(path: Path) -> bytes:
    try:
        return read_image_file(path)
    except ImageError:
        return b""  # asked all the same: the engine's answer says that it can't be read
