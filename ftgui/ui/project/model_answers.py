"""What a model says of the open dataset's images, written into its catalog off the window's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.records import ImageAnswer
from ftgui.ui.toolkit.task_queue import TaskQueue


class ModelAnswers(QObject):
    """Writes them one after the other.

    Args:
        place: the catalog; None where nothing may be written.
        disk_tasks: write.
        parent: owner.
    """

    some_kept = Signal()
    """More come."""
    all_kept = Signal()
    failed = Signal(str)
    """A sentence. Nothing depends on them."""

    def __init__(self, place: Callable[[], Path | None], disk_tasks: TaskQueue, parent: QObject) -> None:
        super().__init__(parent)
        self._place = place
        self._disk_tasks = disk_tasks

    def forget(self, by: str) -> None:
        """What a model said earlier no longer counts; what comes next is said by that run's."""
        self._do(partial(_forget, by=by), last=True)

    def record(self, said: Iterable[ImageAnswer], last: bool) -> None:
        """What the model says of some images.

        Args:
            said: of each.
            last: nothing more comes.
        """
        self._do(partial(record_in, said=list(said)), last)

    def _do(self, write: Callable[[Path], None], last: bool) -> None:
        place = self._place()
        if place is not None:
            then = self.all_kept if last else self.some_kept
            self._disk_tasks.do(partial(write, place), lambda _: then.emit(), self._not_kept)

    def _not_kept(self, why: str) -> None:
        self.failed.emit(f"The model's answers could not be saved: {why}")


def _forget(catalog_path: Path, by: str) -> None:
    with Catalog(catalog_path) as catalog:
        catalog.forget_answers(by)


def record_in(catalog_path: Path, said: Sequence[ImageAnswer]) -> None:
    """What a model says, into a catalog; on a thread of its own."""
    with Catalog(catalog_path) as catalog:
        catalog.record_answers(said)
