"""Taking a model away, as the window sees it: signals out, intentions in. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineWorker


class ExportRequests(QObject):
    """Part of a `Workspace`.

    Args:
        worker: whose events are passed on.
        send: takes a command for the engine.
        next_request: gives a new request number.
    """

    progress = Signal(m.Progress)
    exported = Signal(m.Exported)
    """One kind is written and proved, or could not be."""
    finished = Signal(m.ExportFinished)
    failed = Signal(str)
    """Nothing was written; why."""
    changed = Signal()
    """Of `working`."""

    def __init__(
        self, worker: EngineWorker, send: Callable[[m.Command], None], next_request: Callable[[], int], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._send = send
        self._next_request = next_request
        self._export_request = 0
        worker.progress.connect(self._progress)
        worker.exported.connect(self._exported)
        worker.export_finished.connect(self._finished)

    @property
    def working(self) -> bool:
        """An export goes on."""
        return bool(self._export_request)

    def export(
        self, folder: Path, kinds: Sequence[str], destination: Path, catalog: Path | None, threshold: float | None
    ) -> None:
        """Answered by `exported` for each kind, then `finished`; or `failed`.

        Args:
            folder: of a run, or a finished model.
            kinds: of `EXPORT_KINDS`.
            destination: a new folder is made in it.
            catalog: of the run's project.
            threshold: see `messages.Export`.
        """
        self._export_request = self._next_request()
        where = str(catalog) if catalog is not None else ""
        self._send(m.Export(self._export_request, str(folder), list(kinds), str(destination), where, threshold))
        self.changed.emit()

    def stop(self) -> None:
        """Nothing is left of an export that goes on."""
        if self._export_request:
            self._send(m.Stop())

    @Slot(m.Progress)
    def _progress(self, event: m.Progress) -> None:
        if self._export_request:
            self.progress.emit(event)

    @Slot(m.Exported)
    def _exported(self, event: m.Exported) -> None:
        if event.request == self._export_request:
            self.exported.emit(event)

    @Slot(m.ExportFinished)
    def _finished(self, event: m.ExportFinished) -> None:
        if event.request == self._export_request:
            self._export_request = 0
            self.changed.emit()
            self.finished.emit(event)

    def refused(self, event: m.CommandFailed) -> bool:
        """A command was refused.

        Returns:
            whether it was this object's.
        """
        if event.command != "Export":
            return False
        if event.request == self._export_request:
            self._end(event.message)
        return True

    def engine_gone(self) -> None:
        """Nothing that was asked will be answered."""
        if self._export_request:
            self._end("The engine ended before the model was written.")

    def _end(self, why: str) -> None:
        self._export_request = 0
        self.changed.emit()
        self.failed.emit(why)
