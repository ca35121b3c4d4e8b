"""What the present model says of labelled images: of the open dataset, or of another folder. No widgets."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from ftgui.base.formatting import few
from ftgui.base.job import Job
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.metrics import Answers, Counts
from ftgui.data.project import Project, project_place
from ftgui.data.scanning.archive import unpacked
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Recipe
from ftgui.runs.run_folders import read_evaluation, run_number
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.engine_client.training_requests import TrainingRequests
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.model import ProjectModel
from ftgui.ui.project.model_answers import record_in
from ftgui.ui.project.progress import ProgressReports
from ftgui.ui.project.readiness import Readiness
from ftgui.ui.project.training import ProjectTraining
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.task_queue import TaskQueue

log = logging.getLogger(__name__)

EVALUATED_AT_ONCE = 3000
"""Images that the model looks at by itself after a training; of more only when it is asked to: on a CPU it takes a minute."""


@dataclass(frozen=True)
class EvaluationResult:
    """The figures there are to show now."""

    class_names: list[str]
    confusion: Counts
    """(K, K), rows true."""
    answers: Answers | None
    """Image by image; None: only the figures of the run's end are known."""
    loss: float = float("nan")


@dataclass(frozen=True)
class Folder:
    """A labelled folder that is not the open dataset."""

    path: Path
    catalog: CatalogReader
    root: Path
    """In which its images lie; not `path`, where that is an archive."""


class Evaluation(QObject):
    """Of the model in use.

    Args:
        client: of the engine.
        dataset: that is open.
        model: is evaluated.
        training: ends with a model to evaluate.
        readiness: says what keeps the engine busy.
        progress: says how far it is.
        training_requests: asks the engine.
        disk_tasks: write what it says of a folder.
        parent: owner.
    """

    changed = Signal()
    """`shown`, or why there is nothing."""
    set_changed = Signal()
    """Other images are evaluated: another folder, or the dataset again."""

    said = Signal(str, str)
    """Severity, sentence."""

    def __init__(
        self,
        *,
        client: EngineClient,
        dataset: OpenDataset,
        model: ProjectModel,
        training: ProjectTraining,
        readiness: Readiness,
        progress: ProgressReports,
        training_requests: TrainingRequests,
        disk_tasks: TaskQueue,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._client, self._dataset, self._model, self._readiness = client, dataset, model, readiness
        self._progress, self._training_requests, self._disk_tasks = progress, training_requests, disk_tasks
        self._pool = QThreadPool(self)
        self._counting: Task | None = None
        self._opening: Task | None = None
        self._wanted: list[str] | None = None
        """Splits to look at as soon as the engine is ready; empty: all; None: nothing is wanted."""
        self._evaluating_folder = False
        self._ended: tuple[Path, m.Evaluation | None] | None = None
        """The run that ended last in this window, and its figures; the disk may not have taken them."""
        self._figures: dict[Path, m.Evaluation | None] = {}
        """That runs ended with, as far as they were read with the answers."""
        self.shown: EvaluationResult | None = None
        self.split = "val"
        """Whose figures are shown; empty: of all images."""
        self.folder: Folder | None = None
        self.run: Path | None = None
        """Whose model the answers in the open dataset's catalog are of."""
        training_requests.evaluated.connect(self._evaluated)
        training_requests.evaluation_failed.connect(self._evaluation_failed)
        training.event_arrived.connect(self._training_event)
        training.learned.connect(self.want)
        model.changed.connect(self._model_changed)
        model.chosen_run_loaded.connect(self.want)

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def catalog(self) -> CatalogReader | None:
        """Of the images that are evaluated; on the main thread only."""
        return self.folder.catalog if self.folder else self._dataset.catalog

    @property
    def root(self) -> Path:
        """In which they lie."""
        if self.folder is not None:
            return self.folder.root
        return self._dataset.contents.root if self._dataset.contents is not None else Path()

    def choose_split(self, split: str) -> None:
        """Figures of this split's images; empty: of all. Of the open dataset."""
        self._leave_folder()
        self.split = split
        self.count()

    def close(self) -> None:
        """Let go of everything."""
        for task in (self._counting, self._opening):
            if task is not None:
                task.cancel()
        self._pool.waitForDone()
        if self.folder is not None:
            self.folder.catalog.close()
            self.folder = None

    @Slot()
    def count(self) -> None:
        """Count the answers anew, in the background; `changed` follows."""
        catalog = self.catalog
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        if catalog is None:
            self._show(None)
            return
        split = "" if self.folder else self.split
        project = self._dataset.project
        runs = project.runs_folder if project is not None else None
        self._counting = Task(partial(_count, catalog.path, split, runs, self._model.run), self)
        self._counting.done.connect(self._counted)
        self._counting.failed.connect(self._trouble)
        self._counting.start(self._pool)

    @Slot(object)
    def _counted(self, outcome: tuple[Answers, Path | None, dict[Path, m.Evaluation | None]]) -> None:
        if self.sender() is not self._counting:
            return
        self._counting = None
        answers, run, self._figures = outcome
        if self.folder is None:
            self.run = run
        if len(answers.labels):
            self._show(EvaluationResult(answers.class_names, answers.confusion(), answers))
        else:
            self._show(self._at_the_end_of_the_run() if self.folder is None else None)

    def _at_the_end_of_the_run(self) -> EvaluationResult | None:
        """The run's own figures, where its model has not looked at single images yet."""
        run = self._model.run
        evaluation = self.figures_of(run) if run and self.split == "val" else None
        if evaluation is None:
            return None
        self.run = run
        confusion = np.array(evaluation.confusion, np.int64)
        return EvaluationResult(evaluation.class_names, confusion, None, evaluation.loss)

    def figures_of(self, run: Path) -> m.Evaluation | None:
        """That a run ended with, of the run in use or the one whose answers are shown."""
        if self._ended is not None and self._ended[0] == run:
            return self._ended[1]
        return self._figures.get(run)

    @Slot(object)
    def _training_event(self, event: object) -> None:
        if isinstance(event, m.TrainingFinished):
            self._ended = (Path(event.run_folder), event.evaluation)
            self.count()

    def _show(self, shown: EvaluationResult | None) -> None:
        self.shown = shown
        self.changed.emit()

    @Slot()
    def project_changed(self) -> None:
        """Another dataset is open, or none."""
        self._wanted = None
        self.split = "val"
        self._leave_folder()
        self._training_requests.forget_evaluation()
        self.set_changed.emit()
        self.count()

    @Slot(str)
    def _trouble(self, sentence: str) -> None:
        if self.sender() is self._opening:
            self._opening = None
            self._progress.side_work_over()
        self.said.emit("error", sentence)

    # --- another folder ---------------------------------------------------------------------------------------------

    def open_folder(self, path: Path) -> None:
        """Evaluate the model on a folder of labelled images, or an archive of one: nothing of it is learned."""
        project, why = self._dataset.project, self.why_not_now()
        if not why and self._training_requests.evaluating:
            why = "Other images are still being evaluated; wait until that is done."
        if project is None or why:
            self.said.emit("warning", why or "Open a dataset first.")
            return
        if self._opening is not None:
            self._opening.cancel()
        names = tuple(self._model.loaded.class_names) if self._model.loaded else ()
        self._opening = Task(partial(_scan, project, path, names), self)
        self._opening.done.connect(self._opened)
        self._opening.failed.connect(self._trouble)
        self._opening.progress.connect(self._scanning)
        self._opening.start(self._pool)

    @Slot(object, object)
    def _scanning(self, done: int, total: int) -> None:
        if self.sender() is self._opening:
            self._progress.side_work("scanning the folder", done, total)

    @Slot(object)
    def _opened(self, outcome: tuple[Path, Path, Path, list[str]]) -> None:
        if self.sender() is not self._opening:
            return
        self._opening = None
        self._progress.side_work_over()
        if self._training_requests.evaluating or self.why_not_now():
            self.said.emit("warning", "The model is busy with something else; try again later.")
            return
        path, catalog_path, root, classes = outcome
        known = self._model.loaded.class_names if self._model.loaded else []
        if not set(classes) & set(known):
            self.said.emit(
                "warning",
                f"“{path.name}” can't be evaluated: its classes ({few(classes)}) are not those the model knows ({few(known)}).",
            )
            return
        self._leave_folder()
        self.folder = Folder(path, CatalogReader(catalog_path), root)
        self.set_changed.emit()
        self.count()
        self._evaluating_folder = True
        self._training_requests.evaluate(m.EvaluateImages(0, str(catalog_path)))

    def _leave_folder(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self.folder is not None:
            if self._evaluating_folder:
                self._evaluating_folder = False
                self._training_requests.forget_evaluation()
            folder, self.folder = self.folder, None
            self.set_changed.emit()
            folder.catalog.close()

    # --- asking the model -------------------------------------------------------------------------------------------

    def why_not_now(self) -> str:
        """Why the model can't be asked about all images now, in a sentence; empty when it can."""
        why = self._readiness.why_no_rate_test()
        if why:
            return why
        if self._training_requests.testing:
            return "Learning rates are being tried."
        return "" if self._model.is_trained else "The model has learned nothing yet; train it first."

    @Slot()
    def look(self) -> None:
        """Ask about every image; what the model says goes into the catalog, where it can be filtered and sorted by."""
        self.look_at([])

    def look_at(self, splits: list[str]) -> None:
        """Ask about the images of these splits; empty: all."""
        project = self._dataset.project
        if project is None or self.why_not_now() or self._training_requests.evaluating:
            return
        self._leave_folder()
        run = self._model.run
        self._dataset.answers.forget(run.name if run else "")
        self._training_requests.evaluate(
            m.EvaluateImages(0, str(project.catalog_path), splits, str(run) if run else "")
        )

    @Slot()
    def want(self) -> None:
        """The model is new: let it look at the images as soon as it can, at as many as take seconds."""
        contents = self._dataset.contents
        if contents is None:
            return
        self._dataset.answers.forget("")
        counts = contents.counts.values()
        held_out = sum(splits["val"] + splits["test"] for splits in counts)
        if sum(splits.total() for splits in counts) <= EVALUATED_AT_ONCE:
            self._wanted = []
        elif held_out <= EVALUATED_AT_ONCE:
            self._wanted = ["val", "test"]
        self.go_on()

    def go_on(self) -> None:
        """The engine may be ready for what was wanted."""
        if self._wanted is not None and self._client.state.kind is EngineKind.READY and not self.why_not_now():
            wanted, self._wanted = self._wanted, None
            self.look_at(wanted)

    @Slot()
    def _evaluation_failed(self) -> None:
        """Of a folder there is nothing to show then; the dataset's figures are as they were."""
        self._leave_folder()
        self.count()

    @Slot()
    def _model_changed(self) -> None:
        """What another run's model said of the images, e.g. one that trained in a terminal, is not what this one says."""
        run, contents = self._model.run, self._dataset.contents
        if run is not None and contents is not None and contents.evaluated_by not in ("", run.name):
            self.want()
        else:
            self.go_on()

    @Slot(m.EvaluatedImages)
    def _evaluated(self, event: m.EvaluatedImages) -> None:
        said = list(zip(event.paths, event.predictions, event.confidences, event.losses, strict=True))
        if not self._evaluating_folder:
            self._dataset.answers.record(said, last=event.over)
        elif self.folder is not None:
            record = partial(record_in, self.folder.catalog.path, said)
            self._disk_tasks.do(record, self._recorded if event.over else None, self._not_recorded)
        if event.over:
            self._progress.side_work_over()
            self._evaluating_folder = False
        else:
            self._progress.side_work("evaluating all images", event.done, event.total)

    def _recorded(self, _: None) -> None:
        self.count()

    def _not_recorded(self, why: str) -> None:
        self.said.emit("error", f"The model's answers could not be saved: {why}")

    def title(self) -> str:
        """What is evaluated, and which run's model: ``"Run 7 on the validation images"``, ``"Run 7 (96.1 %) on “trip”"``."""
        of = {"val": "the validation images", "test": "the test images", "train": "the training images"}
        on = f"“{self.folder.path.name}”" if self.folder else of.get(self.split, "all images")
        # A folder is always evaluated with the model in use; answers in the dataset's catalog may be of another run.
        run = self._model.run if self.folder else self.run
        named = self.named(run, figure=bool(self.folder) or self.split != "val") if run else ""
        return f"{named or 'The model'} on {on}"

    def named(self, run: Path, figure: bool = True) -> str:
        """E.g. ``"Run 7 (96.1 %)"``, with its validation accuracy; empty for a folder that is not called like a run's."""
        known, number = self._model.present.runs.get(run), run_number(run)
        return f"Run {number}" + (f" ({known.figure})" if known and figure else "") if number else ""


def _count(
    catalog_path: Path, split: str, runs_folder: Path | None, in_use: Path | None, job: Job
) -> tuple[Answers, Path | None, dict[Path, m.Evaluation | None]]:
    """What the model said, which run's model that was, and the figures that this run and the one in use ended with."""
    job.progress(0)
    with CatalogReader(catalog_path) as catalog:
        answers, name = catalog.answers(split), catalog.evaluated_by
    run = runs_folder / name if runs_folder is not None and name else None
    return answers, run, {known: read_evaluation(known) for known in (run, in_use) if known is not None}


def _scan(project: Project, folder: Path, names: tuple[str, ...], job: Job) -> tuple[Path, Path, Path, list[str]]:
    """Take a folder in as a collection of its own, below the project.

    Args:
        project: whose model is evaluated.
        folder: of labelled images, or an archive of them.
        names: the model's classes, as it spells them: “Cat” in the folder is its “cat”.
        job: progress in images.

    Returns:
        the folder, its catalog, where its images lie, and the names of its classes.
    """
    own = Project(project_place(folder, below=project.folder / "evaluations"))
    own.folder.mkdir(parents=True, exist_ok=True)
    recipe = Recipe()
    # Nobody trains on these, so none need be held out.
    dataset = msgspec.structs.replace(recipe.dataset, val_fraction=0.0)
    own.fill(unpacked(folder, job), msgspec.structs.replace(recipe, dataset=dataset), job, known=names)
    with own.catalog() as catalog:
        catalog.forget_answers()
        return folder, own.catalog_path, catalog.root, sorted(catalog.counts())
