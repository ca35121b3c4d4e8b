"""Opening a dataset for the window: what is wished for, what has to be asked first, and the work on a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from ftgui.base.files import reason, sweep
from ftgui.base.job import Job
from ftgui.data.catalog.errors import set_aside
from ftgui.data.catalog.records import Contents
from ftgui.data.moved_dataset import MovedProject, find_moved, project_of_gone, require_same
from ftgui.data.moved_dataset import settle as settle_moved
from ftgui.data.project import Project, project_place
from ftgui.data.project_lock import ProjectHeld, ProjectLocks
from ftgui.data.scanning.archive import is_archive_name, unpacked
from ftgui.data.scanning.folder_scan import dataset_root
from ftgui.data.scanning.found import DatasetError, ImagesGoneError
from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.readings import LayoutQuestion
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.data.scanning.walk import count_images
from ftgui.protocol.recipe import Recipe
from ftgui.runs.model_in_use import TrainedRuns, read_trained_runs
from ftgui.ui.project.access import Entry
from ftgui.ui.project.dataset_contents import contents_of
from ftgui.ui.toolkit.background_task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """Of a scan."""

    project: Project
    recipe: Recipe
    contents: Contents
    folders: list[Path]
    """That were looked into; none yet where the search goes on."""
    trained: TrainedRuns | None = None
    """As they were when it was opened; None where a look for changes says nothing of them."""
    look_only: bool = False


@dataclass(frozen=True)
class Wish:
    """To open a dataset."""

    find: Callable[[Job], Path]
    """Gives the folder; unpacks or draws it first where it has to."""
    what: str
    """Said meanwhile."""
    only: Sequence[str] = ()
    wanted: Wanted | None = None
    entry: Entry = Entry.ASK
    anew: bool = False
    """With a new catalog; the one there is, which is damaged, is kept under another name."""
    moved: Path | None = None
    """The folder of the project whose images these are, says the person; they lay elsewhere before."""
    source: Path = Path()
    """The folder or archive that the person named, which questions are about."""
    recognise: bool = True
    """Ask whether a dataset that has no project yet is one that was moved."""


def wish_to_open(source: Path, only: Sequence[str] = (), wanted: Wanted | None = None) -> Wish:
    """To open a folder, or an archive, which is unpacked first.

    Args:
        source: the folder or archive.
        only: names of the class folders in it that count; empty: all.
        wanted: what says the classes, if the person answered that or wants to be asked.
    """
    doing = "unpacking" if is_archive_name(source) else "scanning"
    return Wish(partial(unpacked, source), f"{doing} {source.name}", only, wanted, source=source)


class DatasetOpener(QObject):
    """Fulfils the newest wish to open a dataset, or says what has to be asked first.

    Args:
        wish: that counts as the newest until there is one.
        locks: of the projects that this window writes to.
        settle: waits until all edits of recipes are on the disk; called on a thread of its own before one is read.
        pool: whose threads do the work.
        parent: owner.
    """

    started = Signal(object)
    """The `Task` of a new wish."""
    begun = Signal(Outcome)
    """There is something to look at, though the search goes on: `hand_over`."""
    opened = Signal(Outcome)
    """All images are known, and there was nothing to look at before."""
    asked = Signal(Path, object)
    """The source, and a `LayoutQuestion` or `TableQuestion`."""
    held = Signal(object, object)
    """A `Wish`, and the `ProjectHeld` that keeps it from being fulfilled."""
    recognised = Signal(object, object)
    """A `Wish`, and the `MovedProject` that this may be."""
    failed = Signal(object, object, str)
    """A `Wish`, the exception (None: an unexpected one), and why, in a sentence."""
    progress = Signal(str, object, object)
    """What is going on, done, total; an empty text: nothing any more."""
    _begun = Signal(int, Outcome)

    def __init__(
        self, wish: Wish, locks: ProjectLocks, settle: Callable[[], None], pool: QThreadPool, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.wish = wish
        """The newest."""
        self._locks = locks
        self._settle = settle
        self._pool = pool
        self._task: Task | None = None
        self._number = 0
        """Of the newest wish."""
        self._begun.connect(self._has_begun)

    @property
    def working(self) -> bool:
        """The newest wish is neither fulfilled nor given up."""
        return self._task is not None

    def open(self, wish: Wish) -> None:
        """The newest wish wins."""
        self.cancel()
        self._number += 1
        self.wish = wish
        begun = partial(self._begun.emit, self._number)
        self._task = Task(partial(_work, wish, self._locks, begun, self._settle), self)
        self._task.progress.connect(self._progress)
        self._task.done.connect(self._done)
        self._task.failed.connect(self._failed)
        self.started.emit(self._task)
        self.progress.emit(wish.what, 0, 0)
        self._task.start(self._pool)

    def cancel(self) -> None:
        """The newest wish no longer counts."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def hand_over(self) -> Task | None:
        """The task of the newest wish, which is another's from now on."""
        task, self._task = self._task, None
        return task

    @Slot(int, Outcome)
    def _has_begun(self, number: int, outcome: Outcome) -> None:
        if number == self._number and self._task is not None:
            self.begun.emit(outcome)

    @Slot(object, object)
    def _progress(self, done: int, total: int) -> None:
        if self.sender() is self._task:
            self.progress.emit(self.wish.what, done, total)

    @Slot(object)
    def _done(self, outcome: Outcome | LayoutQuestion | TableQuestion | ProjectHeld | MovedProject) -> None:
        if self._task is None or self.sender() is not self._task:
            return
        self._task = None
        if isinstance(outcome, Outcome):
            self.opened.emit(outcome)
            return
        self.progress.emit("", 0, 0)
        if isinstance(outcome, ProjectHeld):
            self.held.emit(self.wish, outcome)
        elif isinstance(outcome, MovedProject):
            self.recognised.emit(self.wish, outcome)
        else:
            self.asked.emit(self.wish.source, outcome)

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        if self._task is not None and self.sender() is self._task:
            error, self._task = self._task.error, None
            self.progress.emit("", 0, 0)
            self.failed.emit(self.wish, error, sentence)


def _work(
    wish: Wish,
    locks: ProjectLocks,
    begun: Callable[[Outcome], None],
    settle: Callable[[], None],
    job: Job,
) -> Outcome | LayoutQuestion | TableQuestion | ProjectHeld | MovedProject:
    """Opening, on a thread of the pool."""
    folder, only = wish.find(job), wish.only
    settle()
    root = folder.absolute() if only else _root_of(folder)
    moved = require_same(Project(wish.moved), root, job) if wish.moved is not None else None
    if moved is None and wish.recognise and not project_place(root, only).is_dir():
        _say_gone(root, None)
        recognised = find_moved(root, only, job)
        if recognised is not None:
            return recognised
    project = moved.project if moved is not None else Project.for_dataset(root, only)
    if wish.entry is Entry.LOOK:
        return _look_at(project, folder, only, job)
    try:
        locks.take(project.folder, by_force=wish.entry is Entry.TAKE_OVER)
    except ProjectHeld as held:
        return held
    except OSError as error:
        raise DatasetError(f"The project in {project.folder} can't be written: {reason(error)}.") from error
    sweep(project.folder)  # what killed windows left half written
    if wish.anew:
        _set_aside(project)
    if moved is not None:
        settle_moved(moved, only)
    trained = read_trained_runs(project)

    def first() -> None:
        recipe = project.recipe_for(folder, only)
        begun(Outcome(project, recipe, contents_of(project.catalog_path, job), [], trained))

    try:
        recipe, found = project.take_in(folder, job, first, wish.wanted, only)
    except (LayoutQuestion, TableQuestion) as question:
        return question
    return Outcome(project, recipe, contents_of(project.catalog_path, job), found.folders, trained)


def _root_of(folder: Path) -> Path:
    """As `dataset_root`.

    Raises:
        ImagesGoneError: it is no longer there, and a project knows images in it.
        DatasetError: it can't be read.
    """
    try:
        return dataset_root(folder)
    except DatasetError as error:
        _say_gone(folder.absolute(), error)
        raise


def _say_gone(folder: Path, error: DatasetError | None) -> None:
    """Of a folder without images.

    Raises:
        ImagesGoneError: a project knows some in it, or in a folder in it.
    """
    known = None if count_images(folder, Job(), enough=1) else project_of_gone(folder)
    if known is not None:
        there = f"There are no images in “{folder.name}” any more" if error is None else str(error).rstrip(".")
        raise ImagesGoneError(there, known.images, known.project.folder, known.before) from error


def _set_aside(project: Project) -> None:
    try:
        log.info("the damaged catalog is kept as %s", set_aside(project.catalog_path))
    except FileNotFoundError:
        log.info("the damaged catalog in %s was moved away by hand", project.folder)
    except OSError as error:
        raise DatasetError(
            f"The damaged catalog in {project.folder} can't be kept under another name: {reason(error)}."
        ) from error


def _look_at(project: Project, folder: Path, only: Sequence[str], job: Job) -> Outcome:
    """What the window that writes to the project has put there so far; nothing is searched for and nothing written."""
    recipe, trained = project.recipe_for(folder, only), read_trained_runs(project)
    return Outcome(project, recipe, contents_of(project.catalog_path, job), [], trained, look_only=True)
