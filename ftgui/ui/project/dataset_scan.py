"""The search for images of the open dataset: the rest of opening it after the first ones, or a later look for changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from ftgui.base.job import Job
from ftgui.data.project import Project
from ftgui.data.scanning.walk import count_images
from ftgui.ui.project.dataset_contents import contents_of
from ftgui.ui.project.dataset_opening import Outcome
from ftgui.ui.toolkit.background_task import Task


class DatasetScan(QObject):
    """At most one search goes on.

    Args:
        settle: waits until all edits of recipes are on the disk; called on a thread of its own before one is read.
        pool: whose threads do the work.
        parent: owner.
    """

    progress = Signal(str, object, object)
    """What is going on, images found, images expected (0: not known)."""
    over = Signal(Outcome)
    failed = Signal(object, str)
    """The exception (None: an unexpected one), and why, in a sentence."""

    def __init__(self, settle: Callable[[], None], pool: QThreadPool, parent: QObject) -> None:
        super().__init__(parent)
        self._settle = settle
        self._pool = pool
        self._task: Task | None = None
        self._words = ""
        self._counting: Task | None = None
        self.expected_images = 0
        """Images in the folder that is being looked through, as far as their names say; 0: not known yet."""

    @property
    def working(self) -> bool:
        """Images are being searched for."""
        return self._task is not None

    def adopt(self, task: Task | None, words: str, root: Path) -> None:
        """Opening a dataset goes on as the search for the rest of its images.

        Args:
            task: that `listen` was called with.
            words: said meanwhile.
            root: folder of the dataset.
        """
        self.cancel()
        self._task, self._words = task, words
        self.expected_images = 0
        # So that progress has an end to go towards.
        self._counting = Task(partial(count_images, root), self)
        self._counting.done.connect(self._counted)
        self._counting.start(self._pool)

    def start(self, project: Project, root: Path) -> None:
        """Look for files that appeared, vanished or changed."""
        self._words = "looking for changes"
        self.expected_images = 0
        self._task = Task(partial(_look_for_changes, project, root, self._settle), self)
        self.listen(self._task)
        self._task.start(self._pool)

    def cancel(self) -> None:
        """What was found so far stays in the catalog."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def stop(self) -> None:
        """Likewise, and count no longer."""
        self.cancel()
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None

    @Slot(object)
    def listen(self, task: Task) -> None:
        """A task that may be adopted. It may end on its thread before that is done, so it is heard from its beginning."""
        task.progress.connect(self._progress)
        task.done.connect(self._done)
        task.failed.connect(self._failed)

    @Slot(object)
    def _counted(self, total: int) -> None:
        if self.sender() is self._counting:
            self._counting = None
            self.expected_images = total

    @Slot(object, object)
    def _progress(self, done: int, _total: int) -> None:
        if self.sender() is self._task:
            total = self.expected_images
            self.progress.emit(self._words, min(done, total or done), total)

    @Slot(object)
    def _done(self, outcome: object) -> None:
        # A task that was not adopted may have brought a question instead.
        if self.sender() is self._task and isinstance(outcome, Outcome):
            self._task = None
            self.over.emit(outcome)

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        if self._task is not None and self.sender() is self._task:
            error, self._task = self._task.error, None
            self.failed.emit(error, sentence)


def _look_for_changes(project: Project, root: Path, settle: Callable[[], None], job: Job) -> Outcome:
    settle()
    recipe = project.recipe_for(root)
    found = project.fill(root, recipe, job)
    return Outcome(project, recipe, contents_of(project.catalog_path, job), found.folders)
