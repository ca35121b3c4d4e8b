"""The projects that were open last, and opening one of them again. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from ftgui.base.job import Job
from ftgui.base.process_identity import live_mark
from ftgui.data.project_lock import LOCK_FILE
from ftgui.data.recent_projects import RecentProject, forget, read_open, read_recent, remember, remember_none
from ftgui.runs.project_facts import ProjectFacts, read_facts
from ftgui.ui.project.sample_dataset import sample_place
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.background_task import Task


@dataclass(frozen=True)
class _Read:
    """What was read on a thread of the pool."""

    facts: list[ProjectFacts]
    again: RecentProject | None
    """To be opened again."""


class RecentProjects(QObject):
    """Follows a workspace: what is open is remembered.

    Args:
        workspace: in which projects are opened.
        parent: owner.
    """

    changed = Signal()
    """`facts`."""
    came_back = Signal()
    """One of them is open again, at the person's wish or because it was open when the program ended; the window may be as it
    was then."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self.facts: list[ProjectFacts] = []
        """The newest first."""
        self._workspace = workspace
        self._coming: RecentProject | None = None
        self._reading: Task | None = None
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        workspace.project_changed.connect(self._project_changed)

    def close_threads(self) -> None:
        """Before the program ends."""
        self._forget_reading()
        self._pool.waitForDone()

    def begin(self) -> None:
        """At the start of the program: what was open when it ended is opened again, if it can be."""
        self._read(again=True)

    @Slot()
    def refresh(self) -> None:
        """Read anew what the projects are now; `changed` follows."""
        self._read(again=False)

    def _read(self, again: bool) -> None:
        self._forget_reading()
        self._reading = Task(partial(_read_all, again), self)
        self._reading.done.connect(self._taken)
        self._reading.start(self._pool)

    def _forget_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    @Slot(object)
    def _taken(self, read: _Read) -> None:
        if self.sender() is not self._reading:
            return
        self._reading = None
        self.facts = read.facts
        self.changed.emit()
        dataset = self._workspace.dataset
        if read.again is not None and dataset.project is None and not dataset.opening:
            self.open(read.again)

    @Slot(object)
    def open(self, recent: RecentProject) -> None:
        """Open one again; of one whose images are gone the person is asked where they are."""
        if self._workspace.dataset.opening:
            return
        self._coming = recent
        if recent.dataset == sample_place():
            self._workspace.open_sample()  # it is drawn once more where the cache was emptied
        else:
            self._workspace.open_dataset(recent.dataset, recent.only)

    @Slot()
    def close_open(self) -> None:
        """Close what is open, as the person wishes: the list is shown instead, also at the next start."""
        if self._workspace.engine.busy:
            self._workspace.message.emit("warning", "Training is in progress. Stop it before closing the dataset.")
        elif self._workspace.project is not None:
            self._workspace.dataset.close_shown()

    @Slot(object)
    def leave_out(self, recent: RecentProject) -> None:
        """No longer list one; nothing of it is deleted."""
        self._workspace.disk_tasks.do(partial(forget, recent.folder), self._written, self._not_written, kept=True)

    @Slot()
    def _project_changed(self) -> None:
        workspace, coming = self._workspace, self._coming
        self._coming = None
        if workspace.project is None or workspace.contents is None:
            workspace.disk_tasks.do(remember_none, self._written, self._not_written, kept=True)
            return
        folder = workspace.project.folder
        note = partial(remember, folder, workspace.contents.root, tuple(workspace.recipe.dataset.folders))
        workspace.disk_tasks.do(note, self._written, self._not_written, kept=True)
        if coming is not None and coming.folder == folder:
            self.came_back.emit()

    def _written(self, _: None) -> None:
        self.refresh()

    def _not_written(self, why: str) -> None:
        self._workspace.message.emit("warning", f"The list of recent projects could not be saved: {why}")


def _read_all(again: bool, job: Job) -> _Read:
    """On a thread of the pool."""
    facts = []
    for number, recent in enumerate(read_recent()):
        job.progress(number)  # may be cancelled
        facts.append(read_facts(recent))
    last = read_open() if again else None
    there = last is not None and any(each.recent.folder == last.folder and each.there for each in facts)
    return _Read(facts, last if last is not None and there and not _held(last) else None)


def _held(recent: RecentProject) -> bool:
    """Another window or a training in a terminal uses it, so that opening it would begin with a question."""
    return live_mark(recent.folder / LOCK_FILE) is not None
