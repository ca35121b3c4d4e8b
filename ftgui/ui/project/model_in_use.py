"""Which run's model answers, and which run is training. No widgets."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.catalog.errors import CatalogError
from ftgui.data.catalog.reading import CatalogReader
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from ftgui.runs.dataset_diff import renamed_since
from ftgui.runs.model_folder import BEST_FOLDER, ModelError, has_model, read_about, run_folder_of
from ftgui.runs.model_in_use import (
    TrainedRun,
    TrainedRuns,
    Verdict,
    compare,
    read_trained_run,
    run_in_use,
    why_in_use,
    write_choice,
)
from ftgui.ui.engine_client.worker import EngineState
from ftgui.ui.project.access import ProjectAccess
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.toolkit.task_queue import TaskQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    """What the folders of runs said when they were looked at last."""

    gone: frozenset[Path] = frozenset()
    """Those without a model."""
    names: dict[Path, list[str]] = field(default_factory=dict)
    """What the classes of a run are called now, of those that were renamed since."""


class ModelInUse(QObject):
    """Brings the engine's model and the run that is to be in use together.

    What is to be in use says `ftgui.runs.model_in_use`. The engine's memory may hold something else for a while: after each
    training it holds what that run learned.

    Args:
        dataset: whose project has the runs.
        access: to that project.
        recipe_editor: whose recipe names the backbone.
        disk_tasks: read and write in that project.
        parent: owner.
    """

    changed = Signal()
    """Another run is in use, or its figure is another."""
    not_loaded = Signal()
    """The model that was asked for last could not be had; the one before stays."""

    said = Signal(str, str)
    """Severity, sentence."""

    def __init__(
        self,
        dataset: OpenDataset,
        access: ProjectAccess,
        recipe_editor: RecipeEditor,
        disk_tasks: TaskQueue,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._dataset, self._access, self._recipe_editor, self._disk_tasks = dataset, access, recipe_editor, disk_tasks
        self._seen = _Seen()
        self._chosen = self._chosen_before = ""
        """Name of the folder of the run the person chose."""
        self._asked: TrainedRun | None = None
        self._unloadable: set[Path] = set()
        """Their models are damaged."""
        self._in_memory: Path | None = None
        """The run that ended last in this window: the engine has its weights even if the disk did not take them."""
        self.runs: dict[Path, TrainedRun] = {}
        """Those that left a model, by folder."""
        self.run: TrainedRun | None = None
        """Whose weights the engine has, or is about to have again; None: none, the head is untrained."""
        self.verdict = Verdict("", None)
        """On the run that ended last in this window."""
        self.training: Path | None = None
        """The run that goes on, or was asked to begin."""

    @property
    def folder(self) -> Path | None:
        """Of the run in use."""
        return self.run.folder if self.run else None

    @property
    def chosen(self) -> str:
        """Name of the folder of the run the person chose; empty: the best finished one is in use."""
        return self._chosen

    @property
    def words(self) -> str:
        """Of the run in use, e.g. ``"run 3 (96.1 %)"``; empty: none is."""
        return self.run.words if self.run else ""

    @property
    def why(self) -> str:
        """It is in use, in a sentence; empty: none is."""
        return why_in_use(self.run, self._chosen) if self.run else ""

    # --- choosing ---------------------------------------------------------------------------------------------------

    def choose(self, run: TrainedRun | None) -> None:
        """The person wants this run to be in use from now on, or, with None, the best finished one; load the model next.

        It is remembered for the project as soon as the engine has it.

        Args:
            run: as its folder says now, for another program may have trained it meanwhile.
        """
        self._chosen_before, self._chosen = self._chosen, run.folder.name if run else ""
        if run is not None:
            self._unloadable.discard(run.folder)
            self.runs[run.folder] = run

    def look(self, then: Callable[[], None]) -> None:
        """See which models are there, and what their classes are called now: before one is to be loaded.

        Args:
            then: called when that is known; at once where there are no runs.
        """
        project, contents = self._dataset.project, self._dataset.contents
        if project is None or contents is None or not self.runs:
            then()
            return

        def seen(outcome: _Seen) -> None:
            self._seen = outcome
            then()

        def not_seen(_why: str) -> None:
            then()  # who loads a model says what is wrong with it

        look = partial(_look, project.catalog_path, list(self.runs), contents.class_names)
        self._disk_tasks.do(look, seen, not_seen, kept=True)

    @property
    def wanted(self) -> Path | None:
        """The run that is in use as soon as the engine has its model."""
        found = self._pick(self._recipe_editor.recipe.backbone)
        return found.folder if found else None

    def to_load(self, backbone: Backbone) -> Path | None:
        """The run whose model is to be loaded; `loaded` or `failed` follows."""
        self._asked = self._pick(backbone)
        return self._asked.folder if self._asked else None

    def loaded(self, trained: bool) -> bool:
        """The engine has the model that was asked for last, with what it learned or without.

        Returns:
            False: the weights could not be used, so another run is to be loaded.
        """
        asked = self._asked
        if not trained and asked is not None and self._fits(asked):
            self._unloadable.add(asked.folder)
            self._chosen = self._chosen_before if self._chosen == asked.folder.name else self._chosen
            self._chosen_before = self._chosen
            self.not_loaded.emit()
            return False
        self._in_memory = None
        self._keep_choice()
        self._set(asked if trained else None)
        return True

    def failed(self) -> None:
        """The engine could not have it: what it has, it still has."""
        self._chosen = self._chosen_before
        self.not_loaded.emit()

    def _keep_choice(self) -> None:
        project = self._dataset.project
        if project is None or self._chosen == self._chosen_before or self._access.look_only:
            return  # the project's choice is the other window's, if one took it over meanwhile
        self._chosen_before = self._chosen
        self._disk_tasks.do(partial(write_choice, project, self._chosen), failed=self._choice_not_kept, kept=True)

    def _choice_not_kept(self, why: str) -> None:
        self.said.emit("warning", f"Which run is in use could not be saved: {why}")

    def _pick(self, backbone: Backbone) -> TrainedRun | None:
        there = [run for run in self.runs.values() if run.folder not in self._unloadable and self._is_there(run)]
        fitting = [run for run in there if self._fits(run)]
        # Of one with other classes the engine says what is different.
        return run_in_use(fitting, self._chosen, backbone) or run_in_use(there, self._chosen, backbone)

    def _is_there(self, run: TrainedRun) -> bool:
        return run.folder == self._in_memory or run.folder not in self._seen.gone

    def _fits(self, run: TrainedRun) -> bool:
        """It knows the classes of now, perhaps under other names."""
        contents = self._dataset.contents
        if contents is None or not run.class_names or sorted(run.class_names) == sorted(contents.class_names):
            return True
        return sorted(self.names_now(run.folder)) == sorted(contents.class_names)

    def names_now(self, run: Path) -> list[str]:
        """What a run's classes are called now, if some were renamed before the last `look`; empty: as then, or other ones."""
        return self._seen.names.get(run, [])

    def _set(self, run: TrainedRun | None) -> None:
        if run != self.run:
            self.run = run
            self.changed.emit()

    # --- what happens -----------------------------------------------------------------------------------------------

    def know(self, trained: TrainedRuns) -> None:
        """What the project that is about to open has."""
        self.runs = {run.folder: run for run in trained.runs}
        self._chosen = self._chosen_before = trained.chosen
        self._unloadable.clear()
        self._seen = _Seen()
        self._in_memory = None

    def ended(self, event: m.TrainingFinished, trained: Backbone) -> Verdict:
        """A training has ended. If `run` is not the one that did, the engine has to load that again.

        Args:
            event: its end.
            trained: the backbone it was of.

        Returns:
            what this means for the model in use; `verdict` keeps it.
        """
        self.verdict = self._say_how_it_ended(event, trained) if event.usable and event.steps else Verdict("", None)
        return self.verdict

    def _say_how_it_ended(self, event: m.TrainingFinished, trained: Backbone) -> Verdict:
        present, folder, before = self._recipe_editor.recipe.backbone, Path(event.run_folder), self.run
        new = self.runs[folder] = TrainedRun(
            folder,
            event.reason,
            event.best_accuracy,
            self.runs[folder].started if folder in self.runs else time.time() - event.seconds,
            event.validation,
            trained,
            tuple(event.evaluation.class_names) if event.evaluation else (),
        )
        self._in_memory = folder
        self._unloadable.discard(folder)
        now = self._pick(present)
        self._set(now)
        if trained != present:
            return Verdict("", None)
        said = compare(new, now, before, self._chosen)
        return Verdict(said.sentence, None) if event.unsaved else said  # what is in memory only can't be loaded again

    def saved(self, folder: Path, then: Callable[[], None]) -> None:
        """A model that the disk did not take at first lies in this folder now.

        Args:
            folder: of the model.
            then: called when it is known what that means: where it is its run's own folder, the run is done only now.
                Compare `wanted` with `folder`.
        """
        run = run_folder_of(folder)
        if run in self.runs:
            self._read_again(run, then)
        else:
            then()

    def _read_again(self, run: Path, then: Callable[[], None] = lambda: None) -> None:
        def read(found: tuple[TrainedRun, bool]) -> None:
            self.runs[run], there = found
            gone = self._seen.gone - {run} if there else self._seen.gone | {run}
            self._seen = replace(self._seen, gone=gone)
            then()

        self._disk_tasks.do(lambda: (read_trained_run(run), has_model(run)), read)

    @Slot()
    def project_changed(self) -> None:
        """Another dataset is open, or none."""
        if self._dataset.project is None:
            self.know(TrainedRuns())
        self._set(None)

    @Slot(EngineState)
    def engine_changed(self, state: EngineState) -> None:
        """The engine's process is in another state."""
        if not state.alive:  # it may have gone before it began
            self._in_memory = None
            self._over()

    @Slot(object)
    def training_event(self, event: m.TrainingEvent | None) -> None:
        """How a run goes; None: it did not begin, or the engine ended."""
        if isinstance(event, m.TrainingFinished) and event.usable and event.steps:
            self.training = None
        elif event is None or isinstance(event, m.TrainingFinished):
            self._over()

    def _over(self) -> None:
        """With nothing learned. A run that was to be continued may have lost the end it had."""
        folder, self.training = self.training, None
        if folder in self.runs:
            self._read_again(folder)


def _look(catalog_path: Path, runs: Iterable[Path], class_names: Sequence[str]) -> _Seen:
    """Reads small files, and of runs with other classes their samples and the catalog."""
    gone, names = set(), {}
    for run in runs:
        if not has_model(run):
            gone.add(run)
        elif now := class_names_now(run, catalog_path, class_names):
            names[run] = now
    return _Seen(frozenset(gone), names)


def class_names_now(run: Path, catalog_path: Path, class_names: Sequence[str]) -> list[str]:
    """What a run's classes are called now, if some were renamed since; empty: as then, or other ones. Reads files.

    Args:
        run: its folder.
        catalog_path: of the same project.
        class_names: of the dataset now.
    """
    try:
        if read_about(run / BEST_FOLDER).class_names == list(class_names):
            return []
        with CatalogReader(catalog_path) as catalog:
            return renamed_since(run, catalog)
    except (ModelError, CatalogError, sqlite3.Error, OSError, ValueError) as error:
        log.info("the classes of %s are not known: %s", run.name, error)  # loading it says what is wrong
        return []
