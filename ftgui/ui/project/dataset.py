"""The open dataset in the window: opening, scanning, checking, and what its catalog says now. No widgets, no engine."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QFileSystemWatcher, QObject, QThreadPool, QTimer, Signal, Slot

from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.errors import CatalogDamaged, CatalogError, as_catalog_error, set_aside
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Contents, ImageAnswer
from ftgui.data.checks.duplicates import find_lookalikes
from ftgui.data.checks.image_check import look_through
from ftgui.data.moved_dataset import MovedProject, find_moved, project_of_gone, require_same
from ftgui.data.moved_dataset import settle as settle_moved
from ftgui.data.project import Project, project_place
from ftgui.data.project_lock import ProjectHeld, ProjectLocks
from ftgui.data.scanning.archive import is_archive_name, unpacked
from ftgui.data.scanning.folder_scan import dataset_root
from ftgui.data.scanning.found import DatasetError, ImagesGoneError
from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.readings import ASK, LayoutQuestion
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.data.scanning.walk import count_images
from ftgui.protocol.recipe import AUTO_INTENSITY, Intensity, Recipe
from ftgui.runs.model_in_use import TrainedRuns, read_trained_runs
from ftgui.ui.project.access import Entry, ProjectAccess
from ftgui.ui.project.sample_dataset import sample_folder
from ftgui.ui.toolkit.background_task import Task

log = logging.getLogger(__name__)

_REFRESH = 1000
"""Milliseconds between two looks at the catalog's figures while it fills."""
_SETTLE = 1500
"""Milliseconds after a change on disk, or an edit, before it is looked into: more may follow."""
_PATIENCE = 0.5
"""Seconds."""
PATIENCE_FOR_A_LOCK = 1.0
"""Seconds that an edit waits, on the window's thread, for whoever writes to the catalog; then it is said and not done."""
THERE_MILLISECONDS = 5000
"""Between two looks whether the images are where they were."""
MOST_WATCHED = 1000
"""Folders; operating systems allow a limited number of watches."""


@dataclass(frozen=True)
class Outcome:
    """Of a scan."""

    project: Project
    recipe: Recipe
    contents: Contents
    folders: list[Path]
    """That were looked into."""
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
    recognise: bool = True
    """Ask whether a dataset that has no project yet is one that was moved."""


class OpenDataset(QObject):
    """At most one dataset is open.

    Args:
        access: says whether this window may write to the project.
        parent: owner.
        settle: waits until all edits of recipes are on the disk; called on a thread of its own before one is read.
    """

    opened = Signal(Recipe)
    """Another dataset is open; images may still come."""
    scanned = Signal()
    """All images are known."""
    changed = Signal()
    """`contents`."""
    asked = Signal(Path, object)
    """What says the classes, or which columns of a table are what: the source, and a `LayoutQuestion` or `TableQuestion`.
    `open` again with the answer."""
    held = Signal(object, object)
    """The project is open in another window: a `Wish`, and the `ProjectHeld` that says which. `open_again` with the
    person's answer."""
    damaged = Signal(object, object)
    """A catalog can't be understood: a `Wish` to open it with a new one, for `open_again`, and the `CatalogDamaged`."""
    gone = Signal(object, object)
    """The images of a project are not where they were: a `Wish` to open it, and the `ImagesGoneError` that says more. With
    `moved` set and the new folder in `find`, `open_again` goes on with it."""
    recognised = Signal(object, object)
    """What is to be opened looks like a dataset that was moved: a `Wish`, and the `MovedProject`. `open_again` with the
    person's answer: `moved`, or without `recognise`."""
    closed = Signal()
    """What was open is no more, and nothing else is yet."""
    failed = Signal(str)
    """Nothing was opened, why."""
    went_wrong = Signal(str)
    """What is open stays open, but something in the background did not work."""
    progress = Signal(str, object, object)
    """What is going on, done, total; an empty text: nothing any more."""
    _begun = Signal(object, object, object, object, object)

    def __init__(
        self, access: ProjectAccess, parent: QObject | None = None, settle: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(parent)
        self._access = access
        access.taken_over.connect(self._taken_over)
        self._settle = settle
        self.project: Project | None = None
        self.catalog: CatalogReader | None = None
        """For small questions, on the main thread only; see `writable_catalog`."""
        self.contents: Contents | None = None
        self.trained = TrainedRuns()
        """The open project's, as they were when it was opened."""
        self._pool = QThreadPool(self)
        self._opening: Task | None = None
        self._scan: Task | None = None
        """The part of opening after the first images, or a later look for changes on disk."""
        self._check: Task | None = None
        self._intensity: Intensity = AUTO_INTENSITY
        """How the recipe wants images of more than 8 bits read."""
        self._compare_wanted = False
        """An edit came while images were checked: what was found may be of classes and splits that are no more."""
        self._refreshing: Task | None = None
        self._counting: Task | None = None
        self._total = 0
        """Images in the folder that is being looked through, as far as their names say; 0: not known yet."""
        self._stale = False
        self._what = ""
        self._source = Path()
        self._wish = self.shown_wish = Wish(sample_folder, "")
        """To open the newest; what is open."""
        self._in_trouble = False
        """What is open can't be read, which was said."""
        self.images_gone = False
        """The images of the open dataset are not where they were; see `gone`."""
        self._number = 0
        """Of the newest wish to open something."""
        self._begun.connect(self._has_begun)
        self._refresh_timer = _timer(self, _REFRESH, self.refresh)
        self._rescan_timer = _timer(self, _SETTLE, self.rescan)
        self._compare_timer = _timer(self, _SETTLE, self._compare_again)
        self._there_timer = _timer(self, THERE_MILLISECONDS, self._look_whether_there)
        self._looking: Task | None = None
        self._there = True
        """At the last look there were images in the folder."""
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._disk_changed)

    # --- what goes on -----------------------------------------------------------------------------------------------

    @property
    def opening(self) -> bool:
        """Another dataset is wanted and not open yet."""
        return self._opening is not None

    @property
    def scanning(self) -> bool:
        """Images of the open dataset are still searched for."""
        return self._scan is not None

    @property
    def working(self) -> bool:
        """Something goes on that says how far it is."""
        return not (self._opening is None and self._scan is None and self._check is None)

    @property
    def checking(self) -> bool:
        """Images are still searched for, decoded for the first time or compared, or what came of it is being counted."""
        return not (self._scan is None and self._check is None and self._refreshing is None)

    def close(self) -> None:
        """Cancel all, wait for it, let go of the catalog."""
        for task in (self._opening, self._scan, self._check, self._refreshing, self._counting, self._looking):
            if task is not None:
                task.cancel()
        for timer in (self._refresh_timer, self._rescan_timer, self._compare_timer, self._there_timer):
            timer.stop()
        self._pool.waitForDone()
        self._let_go()

    def _let_go(self) -> None:
        if watched := self._watcher.directories():
            self._watcher.removePaths(watched)
        if self.catalog is not None:
            self.catalog.close()
        self.catalog = self.contents = None

    def stop(self) -> None:
        """The person does not want to wait: what was found so far is kept, and opening it again goes on from there."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        elif self._scan is not None:
            self._scan.cancel()
            self._scan = None
            self.refresh()
        self.progress.emit("", 0, 0)

    @property
    def writable_catalog(self) -> Catalog | None:
        """`catalog`, for edits; None: nothing is open, or it was opened only to be looked at."""
        return self.catalog if isinstance(self.catalog, Catalog) else None

    @property
    def look_only(self) -> bool:
        """Another window writes to the project; nothing may be changed here."""
        return self._access.look_only

    @Slot()
    def _taken_over(self) -> None:
        """From now on nothing is written: what goes on is given up, for the other window does it too."""
        for task in (self._scan, self._check):
            if task is not None:
                task.cancel()
        self._scan = self._check = None
        self._rescan_timer.stop()
        self._compare_timer.stop()
        self._there_timer.stop()
        if watched := self._watcher.directories():
            self._watcher.removePaths(watched)
        if self.writable_catalog is not None:
            self.writable_catalog.only_look()
        self.progress.emit("", 0, 0)
        self.changed.emit()

    # --- opening ----------------------------------------------------------------------------------------------------

    def open(self, source: Path, only: Sequence[str] = (), wanted: Wanted | None = None) -> None:
        """Scan a folder, or unpack an archive first, in the background and make it the open dataset.

        Args:
            source: the folder or archive.
            only: names of the class folders in it that count; empty: all.
            wanted: what the person answered to `asked`, or that they want to be asked.
        """
        doing = "unpacking" if is_archive_name(source) else "looking through"
        self._source = source
        self.open_again(Wish(partial(unpacked, source), f"{doing} {source.name}", only, wanted))

    def read_otherwise(self) -> None:
        """Ask what says the classes of the open dataset; what is open stays so until that is answered."""
        if self.contents is not None:
            self.open(self.contents.root, wanted=Wanted(ASK))

    def open_sample(self) -> None:
        """The sample dataset; drawn first if this is the first time."""
        self.open_again(Wish(sample_folder, "drawing the sample"))

    def open_again(self, wish: Wish) -> None:
        """The newest request wins; what is open stays so until another one really is."""
        if self._opening is not None:
            self._opening.cancel()
        self._number += 1
        self._opening = Task(
            partial(_work, wish, self._access.locks, partial(self._begun.emit, self._number), self._settle), self
        )
        self._wish = wish
        self._what = wish.what
        self._opening.progress.connect(self._progress)
        self._opening.done.connect(self._opened)
        self._opening.failed.connect(self._failed)
        self.progress.emit(wish.what, 0, 0)
        self._opening.start(self._pool)

    @Slot()
    def take_over(self) -> None:
        """Open what is open once more, to write to it from now on."""
        if self.contents is not None and self.look_only:
            self.open_again(replace(self.shown_wish, entry=Entry.TAKE_OVER))

    def _count(self, folder: Path) -> None:
        """So that progress has an end to go towards."""
        self._total = 0
        self._counting = Task(partial(count_images, folder), self)
        self._counting.done.connect(self._counted)
        self._counting.start(self._pool)

    @Slot(object)
    def _counted(self, total: int) -> None:
        if self.sender() is self._counting:
            self._counting = None
            self._total = total

    @Slot(object, object, object, object, object)
    def _has_begun(
        self, number: int, project: Project, recipe: Recipe, contents: Contents, trained: TrainedRuns
    ) -> None:
        """There is something to look at, though the search goes on."""
        if number != self._number or self._opening is None:
            return
        if self._scan is not None:
            self._scan.cancel()
        self._opening, self._scan = None, self._opening
        self._show(project, recipe, contents, trained)
        self._count(contents.root)

    def _show(
        self, project: Project, recipe: Recipe, contents: Contents, trained: TrainedRuns, look_only: bool = False
    ) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None
        self._rescan_timer.stop()
        self._compare_timer.stop()
        self._there_timer.stop()
        self._let_go()
        self._in_trouble = self.images_gone = False
        self.project, self.contents, self.trained = project, contents, trained
        self._intensity = recipe.dataset.intensity
        self.shown_wish = self._wish if look_only else replace(self._wish, moved=None)  # that is settled
        self._access.opened(project.folder, look_only)
        kind = CatalogReader if look_only else Catalog
        self.catalog = kind(project.catalog_path, patience=PATIENCE_FOR_A_LOCK)
        self.opened.emit(recipe)

    @Slot(object)
    def _opened(self, outcome: Outcome | LayoutQuestion | TableQuestion | ProjectHeld | MovedProject) -> None:
        if isinstance(outcome, ProjectHeld | MovedProject):
            if self.sender() is self._opening:
                self._opening = None
                self.progress.emit("", 0, 0)
                ask = self.held if isinstance(outcome, ProjectHeld) else self.recognised
                ask.emit(self._wish, outcome)
            return
        if isinstance(outcome, LayoutQuestion | TableQuestion):
            if self.sender() is self._opening:
                self._opening = None
                self.progress.emit("", 0, 0)
                self.asked.emit(self._source, outcome)
            return
        if self.sender() is self._opening:
            if self._scan is not None:
                self._scan.cancel()
            self._opening = self._scan = None
            trained = outcome.trained or TrainedRuns()
            self._show(outcome.project, outcome.recipe, outcome.contents, trained, outcome.look_only)
        elif self.sender() is self._scan:
            self._scan = None
            self.contents = outcome.contents
        else:
            return
        self.images_gone, self._there = False, True
        if not self.look_only:
            self._begin_check()
            self._there_timer.start()
        self.scanned.emit()
        self.changed.emit()
        if not self.look_only:
            self._watch(outcome.folders)

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        if self.sender() is self._opening:
            error, self._opening = self._opening.error, None
            self.progress.emit("", 0, 0)
            if isinstance(error, CatalogDamaged):
                self.damaged.emit(replace(self._wish, anew=True), error)
            else:
                self.failed.emit(sentence)
                if isinstance(error, ImagesGoneError):
                    self.gone.emit(self._wish, error)
        elif self.sender() is self._scan:
            error, self._scan = self._scan.error, None
            self.progress.emit("", 0, 0)
            self._there_timer.start()
            if isinstance(error, ImagesGoneError):
                self.images_gone, self._there = True, False
                self._went_wrong(error, sentence)
                self.gone.emit(self.shown_wish, error)
            else:
                self._went_wrong(error, f"The folder could not be looked through to its end: {sentence}")

    @Slot(object, object)
    def _progress(self, done: int, total: int) -> None:
        sender = self.sender()
        if sender is self._opening:
            self.progress.emit(self._what, done, total)
        elif sender is self._scan and self._opening is None:
            self.progress.emit(self._what, min(done, self._total or done), self._total)
        elif sender is self._check and not self._opening and not self._scan:
            self.progress.emit("checking images" if total else "looking for duplicates", done, total)
        if sender in (self._scan, self._check) and not self._refresh_timer.isActive():
            self._refresh_timer.start()

    # --- what changes on disk ---------------------------------------------------------------------------------------

    def _watch(self, folders: list[Path]) -> None:
        known = set(self._watcher.directories())
        new = [str(folder) for folder in folders if str(folder) not in known]
        if new and len(folders) <= MOST_WATCHED:
            self._watcher.addPaths(new)

    @Slot(str)
    def _disk_changed(self, _folder: str) -> None:
        self._rescan_timer.start()

    @Slot()
    def rescan(self) -> None:
        """Look for files that appeared, vanished or changed."""
        if self.project is None or self.contents is None or self._opening is not None or self.look_only:
            return
        if self._scan is not None:
            self._rescan_timer.start()
            return
        project, folder, settle = self.project, self.contents.root, self._settle

        def work(job: Job) -> Outcome:
            settle()
            recipe = project.recipe_for(folder)
            found = project.fill(folder, recipe, job)
            return Outcome(project, recipe, _contents(project.catalog_path, job), found.folders)

        self._what = "looking for changes"
        self._total = 0
        self._scan = Task(work, self)
        self._scan.progress.connect(self._progress)
        self._scan.done.connect(self._opened)
        self._scan.failed.connect(self._failed)
        self._scan.start(self._pool)

    @Slot()
    def _look_whether_there(self) -> None:
        """No system tells of a folder that is moved with those around it, or of a drive that comes back."""
        if self.contents is None or self._looking is not None:
            return
        if self._opening is not None or self._scan is not None:
            self._there_timer.start()
            return
        root = self.contents.root
        self._looking = Task(lambda job: (root, count_images(root, job, enough=1) > 0), self)
        self._looking.done.connect(self._looked)
        self._looking.failed.connect(self._looked)
        self._looking.start(self._pool)

    @Slot(object)
    def _looked(self, outcome: tuple[Path, bool] | str) -> None:
        self._looking = None
        if self.contents is None or isinstance(outcome, str) or outcome[0] != self.contents.root:
            return
        self._there_timer.start()
        if outcome[1] != self._there:
            self._there = outcome[1]
            if watched := self._watcher.directories():
                self._watcher.removePaths(watched)  # perhaps of another file system than is mounted now
            self.rescan()

    # --- checking ---------------------------------------------------------------------------------------------------

    def _begin_check(self, decode: bool = True) -> None:
        if self._check is not None:
            self._check.cancel()
        if self.project is None or self.look_only:
            return
        path, intensity = self.project.catalog_path, self._intensity
        self._compare_wanted = False
        self._check = Task(lambda job: _check(path, decode, intensity, job), self)
        self._check.progress.connect(self._progress)
        self._check.done.connect(self._checked)
        self._check.failed.connect(self._check_failed)
        self._check.start(self._pool)

    @Slot(object)
    def _checked(self, _outcome: object) -> None:
        if self.sender() is self._check:
            self._check_over()

    @Slot(str)
    def _check_failed(self, sentence: str) -> None:
        if self._check is not None and self.sender() is self._check:
            error = self._check.error
            self._check_over()
            self._went_wrong(error, f"The images could not be checked: {sentence}")

    def _check_over(self) -> None:
        self._check = None
        if self._compare_wanted and self._scan is None:
            self._begin_check(decode=False)
            return
        if self._opening is None and self._scan is None:
            self.progress.emit("", 0, 0)
        self.refresh()

    @Slot()
    def _compare_again(self) -> None:
        """After edits: whether a double is for checking too, or under another class, may be otherwise now."""
        self._compare_wanted = True
        if self._check is None and self._scan is None:
            self._begin_check(decode=False)

    def read_with(self, setting: Intensity) -> None:
        """The recipe wants images of more than 8 bits read in this way; if that is another, they are checked anew."""
        if setting != self._intensity:
            self._intensity = setting
            if self.project is not None and self._opening is None and self._scan is None:
                self._begin_check()

    def make_way(self) -> None:
        """The person waits for an answer: what goes on in the background can wait for a moment."""
        if self._check is not None:
            self._check.job.hold(_PATIENCE)

    # --- figures ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What the disk does not take is said; nothing depends on it."""
        try:
            yield
        except sqlite3.Error as error:
            self.went_wrong.emit(f"What the model says could not be saved: {error}.")

    def forget_answers(self, by: str) -> None:
        """What a model said earlier no longer counts; what comes next is said by that run's."""
        if (catalog := self.writable_catalog) is not None and not self.look_only:
            with self._said():
                catalog.forget_answers(by)
            self.refresh()

    def record_answers(self, said: Iterable[ImageAnswer]) -> None:
        """What the model says of some images."""
        if (catalog := self.writable_catalog) is not None and not self.look_only:
            with self._said():
                catalog.record_answers(said)
            if not self._refresh_timer.isActive():
                self._refresh_timer.start()

    def edited(self) -> None:
        """The person changed something in the catalog."""
        self._compare_timer.start()
        self.refresh()

    def added(self) -> None:
        """The person added images, which nobody has decoded yet."""
        if self._scan is None:
            self._begin_check()
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Read the catalog's figures anew, in the background; `changed` follows."""
        if self.project is None or self.catalog is None:
            return
        if self._refreshing is not None:
            self._stale = True
            return
        self._stale = False
        self._refreshing = Task(partial(_contents, self.project.catalog_path), self)
        self._refreshing.done.connect(self._refreshed)
        self._refreshing.failed.connect(self._refresh_failed)
        self._refreshing.start(self._pool)

    @Slot(object)
    def _refreshed(self, contents: Contents) -> None:
        self._refreshing = None
        if self.catalog is not None and contents.root == self.catalog.root:
            self.contents = contents
            self.changed.emit()
        if self._stale:
            self.refresh()

    @Slot(str)
    def _refresh_failed(self, sentence: str) -> None:
        error = self._refreshing.error if self._refreshing is not None else None
        self._refreshing = None
        self._went_wrong(error, sentence)

    # --- a catalog that can't be read -------------------------------------------------------------------------------

    def trouble(self, error: sqlite3.Error | CatalogError) -> None:
        """Somebody met it while reading or writing the open catalog; it is said once."""
        known = error if isinstance(error, CatalogError) else as_catalog_error(error)
        self._went_wrong(known, str(known))

    def _went_wrong(self, error: Exception | None, sentence: str) -> None:
        if self._in_trouble:
            return  # whoever draws meets it again and again
        if isinstance(error, CatalogDamaged):
            self._in_trouble = True
            self.damaged.emit(replace(self.shown_wish, anew=True), error)
            return
        self._in_trouble = True  # who hears of it may read the catalog at once
        try:
            self.went_wrong.emit(sentence)
        finally:
            self._in_trouble = False

    def begin_anew(self, wish: Wish) -> None:
        """Give a damaged catalog's project a new one. Nothing may hold the old one open, or Windows does not rename it."""
        if self.project is not None and wish.find is self.shown_wish.find:
            for task in (self._scan, self._check, self._refreshing):
                if task is not None:
                    task.cancel()
            self._scan = self._check = self._refreshing = None
            self._let_go()
            self.project = None
            self.closed.emit()
        self.open_again(wish)


def _work(
    wish: Wish,
    locks: ProjectLocks,
    begun: Callable[[Project, Recipe, Contents, TrainedRuns], None],
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
        raise DatasetError(f"The project in {project.folder} can't be written: {error}.") from error
    if wish.anew:
        _set_aside(project)
    if moved is not None:
        settle_moved(moved, only)
    trained = read_trained_runs(project)

    def first() -> None:
        recipe = project.recipe_for(folder, only)
        begun(project, recipe, _contents(project.catalog_path, job), trained)

    try:
        recipe, found = project.take_in(folder, job, first, wish.wanted, only)
    except (LayoutQuestion, TableQuestion) as question:
        return question
    return Outcome(project, recipe, _contents(project.catalog_path, job), found.folders, trained)


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
        pass  # somebody moved it away by hand
    except OSError as error:
        raise DatasetError(
            f"The damaged catalog in {project.folder} can't be kept under another name: {error}."
        ) from error


def _look_at(project: Project, folder: Path, only: Sequence[str], job: Job) -> Outcome:
    """What the window that writes to the project has put there so far; nothing is searched for and nothing written."""
    recipe, trained = project.recipe_for(folder, only), read_trained_runs(project)
    return Outcome(project, recipe, _contents(project.catalog_path, job), [], trained, look_only=True)


def _timer(parent: QObject, milliseconds: int, slot: Callable[[], Any]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer


def _contents(catalog_path: Path, job: Job) -> Contents:
    job.progress(0)
    with CatalogReader(catalog_path) as catalog:
        return catalog.contents()


def _check(catalog_path: Path, decode: bool, intensity: Intensity, job: Job) -> None:
    with Catalog(catalog_path) as catalog:
        if decode:
            look_through(catalog, job, intensity)
        find_lookalikes(catalog, job)
