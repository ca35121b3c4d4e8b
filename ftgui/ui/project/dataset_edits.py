"""What the person does to the open dataset: each edit one undo step, with words. No widgets."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot
from PySide6.QtGui import QUndoStack

from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.data.catalog import edits
from ftgui.data.catalog.added_images import ADDED_FOLDER, keep_copy
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.edits import Ids, Values
from ftgui.data.catalog.errors import CatalogDamaged, CatalogError
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import reference
from ftgui.data.catalog.split import Splitting
from ftgui.data.project import Project
from ftgui.protocol.recipe import Recipe
from ftgui.ui.project.access import LOOK_ONLY
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.undo_catalog import CatalogSwap, EditCatalog, Step, bring_into_step, command_of, take_away
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.task_queue import TaskQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Added:
    """What came of adding images."""

    catalog_path: Path
    class_name: str
    files: list[Path]
    ids: Ids
    refused: list[Path]


@dataclass(frozen=True)
class _Divided:
    """What came of dividing the images another way."""

    catalog_path: Path
    before: Splitting
    now: Splitting
    splits: Values | None
    """As they were; None: they were divided so already."""


class DatasetEditor(QObject):
    """Edits the catalog that `collection` has open.

    Args:
        collection: told of every change.
        undo_stack: where the steps go.
        disk_tasks: write them.
        parent: owner.
    """

    said = Signal(str, str)
    """Severity, sentence."""
    dividing_changed = Signal()
    """`dividing`."""
    edited = Signal(str)
    """What was done, to how many, e.g. ``"Relabel 12 images to bees"``: the newest step of the undo stack."""
    taught = Signal(str)
    """An image that the model was asked about is of this class in the dataset now: there is something new to learn."""
    progress = Signal(str, object, object)
    """What is going on, done, total; an empty text: nothing any more."""

    def __init__(self, collection: OpenDataset, undo_stack: QUndoStack, disk_tasks: TaskQueue, parent: QObject) -> None:
        super().__init__(parent)
        self._dataset = collection
        self._undo_stack, self._disk_tasks = undo_stack, disk_tasks
        self._former: dict[Splitting, Values] = {}
        self._dividing: Task | None = None
        self._split_wanted: tuple[Path, Splitting] | None = None
        """Of which catalog, and how."""
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)  # one after the other, in the order they were asked for
        self._adding: Task | None = None
        """The newest."""
        self._taught = Path()
        """The copy of an image that is being added because the person knows better than the model."""
        self._splitting: Splitting | None = None
        """How the images are divided."""
        collection.opened.connect(self._opened)
        collection.changed.connect(self._look_at_splitting)

    def close(self) -> None:
        """Images that are not in the catalog yet stay out; those that are being written are all written."""
        for task in self.findChildren(Task):
            task.cancel()
        self._pool.waitForDone()

    # --- images -----------------------------------------------------------------------------------------------------

    def relabel(self, ids: Ids, class_name: str) -> None:
        """Images belong to this class."""
        self._edit_images(
            ids,
            lambda images: f"Relabel {images} to {class_name}",
            lambda catalog: edits.relabel(catalog, ids, class_name),
        )

    def exclude(self, ids: Ids, excluded: bool = True) -> None:
        """Leave images out, or take them in again."""
        self._edit_images(
            ids,
            lambda images: f"{'Exclude' if excluded else 'Include'} {images}",
            lambda catalog: edits.exclude(catalog, ids, excluded),
        )

    def move(self, ids: Ids, split: str) -> None:
        """Put images into a split by hand."""
        self._edit_images(
            ids, lambda images: f"Move {images} to {split}", lambda catalog: edits.move(catalog, ids, split)
        )

    def add(self, files: Sequence[Path], class_name: str) -> None:
        """Take images from elsewhere into a class, by reference; in the background, for there may be thousands."""
        project = self._dataset.project
        if project is None or not files or not self._may_edit():
            return
        self._adding = Task(partial(_add, project.catalog_path, list(files), class_name), self)
        self._adding.progress.connect(self._adding_goes_on)
        self._adding.done.connect(self._added)
        self._adding.failed.connect(self._not_added)
        self._adding.start(self._pool)

    @Slot(object, object)
    def _adding_goes_on(self, done: int, total: int) -> None:
        self.progress.emit("adding images", done, total)

    @Slot(str)
    def _not_added(self, sentence: str) -> None:
        self.said.emit("error", sentence)
        self._adding_over()

    def _adding_over(self) -> None:
        if self.sender() is self._adding:
            self._adding = None
            if not self._dataset.working:
                self.progress.emit("", 0, 0)

    @Slot(object)
    def _added(self, outcome: _Added) -> None:
        project, refused = self._dataset.project, outcome.refused
        if project is not None and project.catalog_path == outcome.catalog_path and outcome.ids:
            # Of another dataset than is open by now they are in its catalog, but no step of this one.
            self._dataset.added()
            words = f"Add {plural(len(outcome.ids), 'image')} to {outcome.class_name}"
            swap = CatalogSwap(outcome.catalog_path, partial(_remove, outcome.ids), adds=True)
            self._undo_stack.push(EditCatalog(words, swap, self._take))
            self._did(swap, words)
            if self._taught in outcome.files and self._taught not in refused:
                self.taught.emit(outcome.class_name)
        self._adding_over()
        if refused:
            names = ", ".join(file.name for file in refused[:3]) + (" …" if len(refused) > 3 else "")
            why = "not an image, unreadable, or already there"
            self.said.emit("warning", f"{plural(len(refused), 'file')} left out ({why}): {names}")

    def should_be(self, source: Path | bytes, class_name: str) -> None:
        """An image that the model was asked about belongs to this class: one of the dataset is relabelled, any other copied
        into the project, so that it stays, and added. `taught` follows.
        """
        project = self._dataset.project
        if project is not None and self._may_edit():
            self._disk_tasks.do(
                partial(_find_or_copy, project, source), partial(self._found_or_copied, class_name), self._not_copied
            )

    def _found_or_copied(self, class_name: str, outcome: tuple[int | None, Path]) -> None:
        known, file = outcome
        if known is not None:
            self.relabel([known], class_name)
            self.taught.emit(class_name)
        else:
            self._taught = file
            self.add([file], class_name)

    def _not_copied(self, why: str) -> None:
        self.said.emit("error", f"The image could not be copied into the project: {why}")

    # --- classes ----------------------------------------------------------------------------------------------------

    def create_class(self, class_name: str) -> None:
        """An empty one."""
        self._edit(f"New class {class_name}", lambda catalog: edits.create_class(catalog, class_name))

    def rename_class(self, old: str, new: str) -> None:
        """If there is a class `new` already, the two become one."""
        contents = self._dataset.contents
        new = new.strip()
        if contents is None or not new or new == old:
            return
        merging = new in contents.counts
        words = f"Merge {old} into {new}" if merging else f"Rename {old} to {new}"
        self._edit(words, lambda catalog: edits.rename_class(catalog, old, new))

    # --- the split --------------------------------------------------------------------------------------------------

    @property
    def adding(self) -> bool:
        """Images from elsewhere are being taken in."""
        return self._adding is not None

    @property
    def dividing(self) -> bool:
        """The images are being divided another way, so who is for training is about to change."""
        return self._dividing is not None

    def split_as(self, splitting: Splitting) -> None:
        """Bring the catalog to what the recipe says, if it says something new; in the background, for it is about every image.
        Back at an earlier one, images are where they were then."""
        project = self._dataset.project
        if project is None or self._dataset.look_only or self._dataset.scanning:
            return
        self._split_wanted = (project.catalog_path, splitting)
        if self._dividing is not None or self._splitting == splitting:
            return
        work = partial(_split, project.catalog_path, splitting, self._former.get(splitting))
        self._dividing = Task(work, self)
        self._dividing.done.connect(self._divided)
        self._dividing.failed.connect(self._not_divided)
        self._dividing.start(self._pool)
        self.dividing_changed.emit()

    @Slot(object)
    def _divided(self, outcome: _Divided) -> None:
        self._dividing = None
        project = self._dataset.project
        if project is not None and project.catalog_path == outcome.catalog_path:
            self._splitting = outcome.now
            if outcome.splits is not None:
                self._former.pop(outcome.now, None)
                self._former[outcome.before] = outcome.splits
                self._dataset.edited()
        self.dividing_changed.emit()
        if project is not None and self._split_wanted is not None:
            path, newest = self._split_wanted
            if path == project.catalog_path and newest is not outcome.now:
                self.split_as(newest)

    @Slot(str)
    def _not_divided(self, sentence: str) -> None:
        self._dividing = None
        self.said.emit("error", sentence)
        self.dividing_changed.emit()

    @Slot(Recipe)
    def _opened(self, _recipe: Recipe) -> None:
        self._former.clear()
        self._look_at_splitting()

    @Slot()
    def _look_at_splitting(self) -> None:
        """As far as it is known without asking the catalog."""
        contents = self._dataset.contents
        if contents is not None and self._dividing is None:
            self._splitting = contents.splitting

    # --- doing it ---------------------------------------------------------------------------------------------------

    def _may_edit(self) -> bool:
        if self._dataset.look_only:
            self.said.emit("warning", LOOK_ONLY)
        return not self._dataset.look_only

    def _edit_images(self, ids: Ids, words: Callable[[str], str], do: Callable[[Catalog], Values]) -> None:
        """Told by how many images really change; where none does, there is nothing to undo.

        Args:
            words: say what is done to so many images.
            do: returns what it replaced.
        """
        if ids:
            self._edit(words(plural(len(ids), "image")), do, lambda before: words(plural(before.images, "image")))

    def _edit(self, words: str, do: Callable[[Catalog], Values], done: Callable[[Values], str] | None = None) -> None:
        """One step of undo, at once; the catalog is written off the window's thread, after what was asked for before.

        Args:
            words: what is asked for.
            do: returns what it replaced.
            done: says what was done; called only for edits of images, of which there may be none to change.
        """
        project = self._dataset.project
        if not self._may_edit() or project is None:
            return
        replaced: list[Values] = []

        def first(catalog: Catalog) -> Step:
            replaced.append(do(catalog))
            return partial(_write_back, replaced[0])

        swap = CatalogSwap(project.catalog_path, first)

        def answer(error: CatalogError | None) -> None:
            if error is not None:
                take_away(self._undo_stack, swap)
                self._failed(words, error)
            elif done is not None and not replaced[0].images:
                take_away(self._undo_stack, swap)
                self.said.emit("info", f"{words}: nothing to change; this is already the case.")
            else:
                self._dataset.edited()
                self._did(swap, words if done is None else done(replaced[0]))

        self._undo_stack.push(EditCatalog(words, swap, self._take))
        self._disk_tasks.do(swap.take, answer)

    def _take(self, swap: CatalogSwap) -> None:
        """Undo an edit, or do it again."""
        self._disk_tasks.do(swap.take, partial(self._taken, swap))

    def _taken(self, swap: CatalogSwap, error: CatalogError | None) -> None:
        if error is None:
            self._dataset.added() if swap.adds else self._dataset.edited()
            return
        found = command_of(self._undo_stack, swap)
        if found is not None:
            self._failed(found[0].text(), error)
            bring_into_step(self._undo_stack, swap)

    def _failed(self, words: str, error: CatalogError) -> None:
        if isinstance(error, CatalogDamaged):
            self._dataset.trouble.met(error)
        elif "locked" in str(error):
            why = "Another program, or the scan for images, is writing to the project. Try again in a moment."
            self.said.emit("error", f"“{words}” was not done. {why}")
        else:
            self.said.emit("error", f"“{words}” could not be saved. {error}")

    def _did(self, swap: CatalogSwap, words: str) -> None:
        """The newest edit is in the catalog."""
        found = command_of(self._undo_stack, swap)
        if found is None:
            return
        found[0].setText(words)
        if found[1] == self._undo_stack.index() - 1:  # else Ctrl+Z means another step by now
            self._undo_stack.undoTextChanged.emit(words)
            self.said.emit("info", f"{words}. Ctrl+Z undoes it.")
            self.edited.emit(words)


def _write_back(values: Values, catalog: Catalog) -> Step:
    return partial(_write_back, edits.write(catalog, values))


def _remove(ids: Ids, catalog: Catalog) -> Step:
    return partial(_put_back, ids, edits.remove_images(catalog, ids))


def _put_back(ids: Ids, removed: edits.Removed, catalog: Catalog) -> Step:
    edits.put_back(catalog, removed)
    return partial(_remove, ids)


def _find_or_copy(project: Project, source: Path | bytes) -> tuple[int | None, Path]:
    """An image that the model was asked about: its id, if the dataset has it, or else a copy in the project.

    Raises:
        ImageError, OSError: it can't be copied.
    """
    with CatalogReader(project.catalog_path) as catalog:
        if isinstance(source, Path):
            known = catalog.id_of(reference(source.absolute(), catalog.root))
            if known is not None:
                return known, source
        copy = keep_copy(source, project.folder / ADDED_FOLDER)
        return catalog.id_of(reference(copy, catalog.root)), copy  # known: taught before, perhaps wrongly


def _split(catalog_path: Path, splitting: Splitting, back: Values | None, job: Job) -> _Divided:
    """On a thread of the pool.

    Raises:
        CatalogError: it can't be saved.
    """
    job.progress(0)
    try:
        with Catalog(catalog_path) as catalog:
            before = catalog.splitting
            splits = edits.split_again(catalog, splitting, back) if before != splitting else None
    except sqlite3.Error as error:
        log.warning("splitting failed", exc_info=error)
        raise CatalogError(f"“Change split” could not be saved: {error}.") from error
    return _Divided(catalog_path, before, splitting, splits)


def _add(catalog_path: Path, files: list[Path], class_name: str, job: Job) -> _Added:
    """On a thread of the pool.

    Raises:
        CatalogError: they can't be saved.
    """
    try:
        with Catalog(catalog_path) as catalog:
            ids, refused = edits.add_images(catalog, files, class_name, job)
    except sqlite3.Error as error:  # a full disk, or another program that holds the file for long
        log.warning("adding images failed", exc_info=error)
        raise CatalogError(f"“Add images” could not be saved: {error}.") from error
    return _Added(catalog_path, class_name, files, ids, refused)
