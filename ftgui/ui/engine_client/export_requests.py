"""Exporting a model, as the window sees it: signals out, intentions in. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.client import EngineClient, Failure


class ExportRequests(QObject):
    """One export at a time.

    Args:
        client: of the engine that exports.
        parent: owner.
    """

    progress = Signal(m.Progress)
    exported = Signal(m.Exported)
    """One kind is written and proved, or could not be."""
    finished = Signal(m.ExportFinished)
    failed = Signal(str)
    """Nothing was written; why."""
    changed = Signal()
    """Of `working`."""

    def __init__(self, client: EngineClient, parent: QObject) -> None:
        super().__init__(parent)
        self._client = client
        self._request = 0

    @property
    def working(self) -> bool:
        """An export goes on."""
        return bool(self._request)

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
        where = str(catalog) if catalog is not None else ""
        command = m.Export(0, str(folder), list(kinds), str(destination), where, threshold)
        self._request = self._client.request(command, self._answered, self._failed)
        self.changed.emit()

    def stop(self) -> None:
        """Nothing is left of an export that goes on."""
        self._client.cancel(self._request)

    def _answered(self, event: m.Progress | m.Exported | m.ExportFinished) -> None:
        if isinstance(event, m.Progress):
            self.progress.emit(event)
        elif isinstance(event, m.Exported):
            self.exported.emit(event)
        else:
            self._request = 0
            self.changed.emit()
            self.finished.emit(event)

    def _failed(self, failure: Failure) -> None:
        self._request = 0
        self.changed.emit()
        self.failed.emit("The engine ended before the model was written." if failure.engine_ended else failure.sentence)
