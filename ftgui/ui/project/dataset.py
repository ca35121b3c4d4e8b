"""The open dataset in the window: what is open, what goes on with it, and what its catalog says now. No widgets, no engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from ftgui.data.catalog.errors import CatalogDamaged
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Contents
from ftgui.data.project import Project
from ftgui.data.scanning.found import ImagesGoneError
from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.readings import ASK
from ftgui.protocol.recipe import Intensity, Recipe
from ftgui.runs.model_in_use import TrainedRuns
from ftgui.ui.project.access import Entry, ProjectAccess
from ftgui.ui.project.catalog_trouble import CatalogTrouble
from ftgui.ui.project.dataset_contents import ContentsRefresh
from ftgui.ui.project.dataset_opening import DatasetOpener, Outcome, Wish, wish_to_open
from ftgui.ui.project.dataset_scan import DatasetScan
from ftgui.ui.project.dataset_watch import DatasetWatch
from ftgui.ui.project.image_checking import ImageChecking
from ftgui.ui.project.model_answers import ModelAnswers
from ftgui.ui.project.sample_dataset import sample_folder
from ftgui.ui.toolkit.task_queue import TaskQueue


class OpenDataset(QObject):
    """At most one dataset is open.

    Args:
        access: says whether this window may write to the project.
        disk_tasks: write to its catalog.
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

    def __init__(
        self, access: ProjectAccess, disk_tasks: TaskQueue, parent: QObject, settle: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(parent)
        self._access = access
        access.taken_over.connect(self._taken_over)
        self._settle = settle
        self.project: Project | None = None
        self.catalog: CatalogReader | None = None
        """For small questions, on the main thread only. Who writes does it through `disk_tasks`, with a connection of its own."""
        self.contents: Contents | None = None
        self.trained = TrainedRuns()
        """The open project's, as they were when it was opened."""
        self.shown_wish = Wish(sample_folder, "")
        """To open what is open."""
        self.images_gone = False
        """The images of the open dataset are not where they were; see `gone`."""
        self.trouble = CatalogTrouble(self)
        """With the open catalog."""
        self._pool = QThreadPool(self)
        self._opener = DatasetOpener(self.shown_wish, access.locks, settle, self._pool, self)
        self.scan = DatasetScan(settle, self._pool, self)
        """For images of the open dataset."""
        self.watch = DatasetWatch(lambda: self.opening or self.scanning, self._pool, self)
        """Of the files on disk."""
        self.image_checking = ImageChecking(self._catalog_to_write, lambda: self.scanning, self._pool, self)
        self.answers = ModelAnswers(self._catalog_to_write, disk_tasks, self)
        self._refresh = ContentsRefresh(self._pool, self)
        self._connect_parts()

    def _connect_parts(self) -> None:
        opener = self._opener
        opener.started.connect(self.scan.listen)
        opener.begun.connect(self._has_begun)
        opener.opened.connect(self._opened)
        opener.asked.connect(self.asked)
        opener.held.connect(self.held)
        opener.recognised.connect(self.recognised)
        opener.failed.connect(self._not_opened)
        opener.progress.connect(self.progress)
        self.trouble.damaged.connect(self._catalog_damaged)
        self.trouble.went_wrong.connect(self.went_wrong)
        self.scan.progress.connect(self._scan_progress)
        self.scan.over.connect(self._scan_over)
        self.scan.failed.connect(self._scan_failed)
        self.watch.changed.connect(self.rescan)
        self.image_checking.progress.connect(self._check_progress)
        self.image_checking.over.connect(self._checked)
        self.image_checking.failed.connect(self.trouble.say)
        self.answers.some_kept.connect(self._refresh.soon)
        self.answers.all_kept.connect(self.refresh)
        self.answers.failed.connect(self.went_wrong)
        self._refresh.wanted.connect(self.refresh)
        self._refresh.read.connect(self._refreshed)
        self._refresh.failed.connect(self.trouble.say)

    # --- what goes on -----------------------------------------------------------------------------------------------

    @property
    def opening(self) -> bool:
        """Another dataset is wanted and not open yet."""
        return self._opener.working

    @property
    def scanning(self) -> bool:
        """Images of the open dataset are still searched for."""
        return self.scan.working

    @property
    def working(self) -> bool:
        """Something goes on that says how far it is."""
        return self.opening or self.scanning or self.image_checking.working

    @property
    def checking(self) -> bool:
        """Images are still searched for, decoded for the first time or compared, or what came of it is being counted."""
        return self.scanning or self.image_checking.working or self._refresh.working

    def close(self) -> None:
        """Cancel all, wait for it, let go of the catalog."""
        self._opener.cancel()
        self.scan.stop()
        self.image_checking.stop()
        self._refresh.cancel()
        self.watch.let_go()
        self._pool.waitForDone()
        self._let_go()

    def _let_go(self) -> None:
        self.watch.let_go()
        if self.catalog is not None:
            self.catalog.close()
        self.catalog = self.contents = None

    def stop(self) -> None:
        """The person does not want to wait: what was found so far is kept, and opening it again goes on from there."""
        if self.opening:
            self._opener.cancel()
        elif self.scanning:
            self.scan.cancel()
            self.refresh()
        self.progress.emit("", 0, 0)

    @property
    def look_only(self) -> bool:
        """Another window writes to the project; nothing may be changed here."""
        return self._access.look_only

    @Slot()
    def _taken_over(self) -> None:
        """From now on nothing is written: what goes on is given up, for the other window does it too."""
        self.scan.cancel()
        self.image_checking.stop()
        self.watch.let_go()
        self.progress.emit("", 0, 0)
        self.changed.emit()

    # --- opening ----------------------------------------------------------------------------------------------------

    def open(self, source: Path, only: Sequence[str] = (), wanted: Wanted | None = None) -> None:
        """Make a folder or archive the open dataset, as `wish_to_open` says, in the background."""
        self.open_again(wish_to_open(source, only, wanted))

    def read_otherwise(self) -> None:
        """Ask what says the classes of the open dataset; what is open stays so until that is answered."""
        if self.contents is not None:
            self.open(self.contents.root, wanted=Wanted(ASK))

    def open_sample(self) -> None:
        """The sample dataset; drawn first if this is the first time."""
        self.open_again(Wish(sample_folder, "drawing the sample"))

    def open_again(self, wish: Wish) -> None:
        """The newest request wins; what is open stays so until another one really is."""
        self._opener.open(wish)

    @Slot()
    def take_over(self) -> None:
        """Open what is open once more, to write to it from now on."""
        if self.contents is not None and self.look_only:
            self.open_again(replace(self.shown_wish, entry=Entry.TAKE_OVER))

    def begin_anew(self, wish: Wish) -> None:
        """Give a damaged catalog's project a new one. Nothing may hold the old one open, or Windows does not rename it."""
        if self.project is not None and wish.find is self.shown_wish.find:
            self.close_shown()
        self.open_again(wish)

    def close_shown(self) -> None:
        """Nothing is open afterwards."""
        for work in (self.scan, self.image_checking, self._refresh):
            work.cancel()
        self._let_go()
        self.project, self.trained = None, TrainedRuns()
        self.closed.emit()

    @Slot(Outcome)
    def _has_begun(self, outcome: Outcome) -> None:
        self.scan.adopt(self._opener.hand_over(), self._opener.wish.what, outcome.contents.root)
        self._show(outcome)

    @Slot(Outcome)
    def _opened(self, outcome: Outcome) -> None:
        self.scan.cancel()
        self._show(outcome)
        self._all_known(outcome)

    def _show(self, outcome: Outcome) -> None:
        self.image_checking.stop()
        self._let_go()
        self.trouble.begin()
        self.images_gone = False
        self.project, self.contents = outcome.project, outcome.contents
        self.trained = outcome.trained or TrainedRuns()
        self.image_checking.intensity = outcome.recipe.dataset.intensity
        wish = self._opener.wish
        self.shown_wish = wish if outcome.look_only else replace(wish, moved=None)  # that is settled
        self._access.opened(outcome.project.folder, outcome.look_only)
        self.catalog = CatalogReader(outcome.project.catalog_path)
        self.opened.emit(outcome.recipe)

    def _all_known(self, outcome: Outcome) -> None:
        self.images_gone = False
        if not self.look_only:
            self.image_checking.start()
            self.watch.keep_looking(outcome.contents.root, there=True)
        self.scanned.emit()
        self.changed.emit()
        if not self.look_only:
            self.watch.watch(outcome.folders)

    @Slot(object, object, str)
    def _not_opened(self, wish: Wish, error: Exception | None, sentence: str) -> None:
        if isinstance(error, CatalogDamaged):
            self.damaged.emit(replace(wish, anew=True), error)
            return
        self.failed.emit(sentence)
        if isinstance(error, ImagesGoneError):
            self.gone.emit(wish, error)

    @Slot(object)
    def _catalog_damaged(self, error: CatalogDamaged) -> None:
        self.damaged.emit(replace(self.shown_wish, anew=True), error)

    # --- looking through the folder ---------------------------------------------------------------------------------

    @Slot()
    def rescan(self) -> None:
        """Look for files that appeared, vanished or changed."""
        if self.project is None or self.contents is None or self.opening or self.look_only:
            return
        if self.scanning:
            self.watch.soon()
        else:
            self.scan.start(self.project, self.contents.root)

    @Slot(str, object, object)
    def _scan_progress(self, words: str, done: int, total: int) -> None:
        if not self.opening:
            self.progress.emit(words, done, total)
        self._refresh.soon()

    @Slot(Outcome)
    def _scan_over(self, outcome: Outcome) -> None:
        self.contents = outcome.contents
        self._all_known(outcome)

    @Slot(object, str)
    def _scan_failed(self, error: Exception | None, sentence: str) -> None:
        self.progress.emit("", 0, 0)
        gone = isinstance(error, ImagesGoneError)
        if self.contents is not None:
            self.watch.keep_looking(self.contents.root, there=not gone)
        if gone:
            self.images_gone = True
            self.trouble.say(error, sentence)
            self.gone.emit(self.shown_wish, error)
        else:
            self.trouble.say(error, f"The folder could not be scanned to the end: {sentence}")

    # --- checking ---------------------------------------------------------------------------------------------------

    def _catalog_to_write(self) -> Path | None:
        return None if self.project is None or self.look_only else self.project.catalog_path

    @Slot(str, object, object)
    def _check_progress(self, what: str, done: int, total: int) -> None:
        if not self.opening and not self.scanning:
            self.progress.emit(what, done, total)
        self._refresh.soon()

    @Slot()
    def _checked(self) -> None:
        if not self.opening and not self.scanning:
            self.progress.emit("", 0, 0)
        self.refresh()

    def read_with(self, setting: Intensity) -> None:
        """The recipe wants images of more than 8 bits read in this way; if that is another, they are checked anew."""
        if setting != self.image_checking.intensity:
            self.image_checking.intensity = setting
            if self.project is not None and not self.opening and not self.scanning:
                self.image_checking.start()

    # --- figures ----------------------------------------------------------------------------------------------------

    def edited(self) -> None:
        """The person changed something in the catalog."""
        self.image_checking.compare_soon()
        self.refresh()

    def added(self) -> None:
        """The person added images, which nobody has decoded yet."""
        if not self.scanning:
            self.image_checking.start()
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Read the catalog's figures anew, in the background; `changed` follows."""
        if self.project is not None and self.catalog is not None:
            self._refresh.start(self.project.catalog_path)

    @Slot(Contents)
    def _refreshed(self, contents: Contents) -> None:
        if self.contents is not None and contents.root == self.contents.root:
            self.contents = contents
            self.changed.emit()
