"""What hovers over the window: what it is, what would be done with it, and how many images it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, QThreadPool, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.data.scanning.archive import count_images, is_archive_name
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import DatasetError
from ftgui.data.scanning.readings import LayoutQuestion
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.ui.shell.drop_overlay import DropOverlay
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.drop_offer import Kind, Offer


class DropTarget(QObject):
    """The window hands its drag events on to this.

    Args:
        look: says what dropping something would do.
        overlay: covers the window while something hovers.
        window: owner.
    """

    dropped = Signal(Offer)

    def __init__(self, look: Callable[[QMimeData], Offer], overlay: DropOverlay, window: QWidget) -> None:
        super().__init__(window)
        self._look = look
        self._overlay = overlay
        self._offer: Offer | None = None
        self._counting: Task | None = None
        self._pool = QThreadPool(self)

    def enter(self, event: QDragEnterEvent) -> None:
        """Something is dragged over the window."""
        self._offer = self._look(event.mimeData())
        refused = self._offer.kind is Kind.REFUSED
        self._overlay.say(self._offer.title, self._offer.detail, refused)
        if self._offer.kind is Kind.DATASET:
            self._count(self._offer.path, self._offer.only)
        # Also accepted when refused: without it no leave event would come, and the reason would stay on the window.
        event.acceptProposedAction()

    def drop(self, event: QDropEvent) -> None:
        """It was let go; `dropped` follows."""
        offer = self._look(event.mimeData())
        self.leave()
        event.acceptProposedAction()
        self.dropped.emit(offer)

    def leave(self) -> None:
        """Nothing hovers any more."""
        self._overlay.hide()
        self._offer = None
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None

    def close_threads(self) -> None:
        """Before the program ends."""
        self._pool.waitForDone()

    def _count(self, source: Path, only: Sequence[str]) -> None:
        """Look through the folder while it hovers; what it holds is said before the button is released."""

        def look(job: Job) -> tuple[str, bool]:
            return _summary(source, only, job)

        self._counting = Task(look, self)
        self._counting.progress.connect(self._counted_so_far)
        self._counting.done.connect(self._counted)
        self._counting.failed.connect(self._count_failed)
        self._counting.start(self._pool)

    @Slot(object, object)
    def _counted_so_far(self, done: int, _total: int) -> None:
        if self._offer is not None and self.sender() is self._counting:
            self._overlay.say(self._offer.title, f"{plural(done, 'image')} so far…")

    @Slot(object)
    def _counted(self, outcome: tuple[str, bool]) -> None:
        if self._offer is not None and self.sender() is self._counting:
            self._overlay.say(self._offer.title, outcome[0], refused=outcome[1])

    @Slot(str)
    def _count_failed(self, sentence: str) -> None:
        self._counted((sentence, True))


def _summary(source: Path, only: Sequence[str], job: Job) -> tuple[str, bool]:
    """What a folder or archive holds, and whether it can't be opened."""
    try:
        if is_archive_name(source) and not source.is_dir():
            return f"{plural(count_images(source, job), 'image')}; they are unpacked first", False
        return scan(source, job, only=only).summary(), False
    except LayoutQuestion as question:
        names = " or ".join(reading.source for reading in question.readings)
        return f"You will be asked where the classes come from: {names}", False
    except TableQuestion as question:
        return f"You will be asked what the columns of “{question.table.name}” mean", False
    except DatasetError as error:
        return str(error), True
