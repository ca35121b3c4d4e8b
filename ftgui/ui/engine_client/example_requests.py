"""Opening an example set: the engine brings it here first, if it is not. Signals out, intentions in. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.example_sets import ExampleSet
from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineWorker


class ExampleRequests(QObject):
    """Part of a `Workspace`.

    Args:
        worker: whose events tell how it goes.
        send: takes a command for the engine.
        next_request: gives a new request number.
    """

    ready = Signal(Path)
    """The folder to be opened."""
    said = Signal(str, str)
    """Severity, sentence."""
    progress = Signal(str, object, object)
    """Files of a set that are unpacked or sorted: what goes on, done, in all (0: not known yet)."""
    over = Signal()
    """Nothing is being prepared any more."""

    def __init__(
        self, worker: EngineWorker, send: Callable[[m.Command], None], next_request: Callable[[], int], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._send = send
        self._next_request = next_request
        self._request = 0
        self._example: ExampleSet | None = None
        """What is being prepared."""
        self._wanted = False
        """The person waits for it: nothing else was opened since."""
        worker.example_ready.connect(self._ready)
        worker.progress.connect(self._progress)

    @property
    def preparing(self) -> ExampleSet | None:
        """The set that is on its way."""
        return self._example

    def open(self, example: ExampleSet) -> None:
        """Followed by `ready`, now or in an hour; or by `over` alone."""
        if example.is_here:
            self.ready.emit(example.folder)
            return
        if self._example is not None:
            self.said.emit("warning", f"{self._example.title} is still on its way. Cancel it first, or wait for it.")
            return
        self._request, self._example, self._wanted = self._next_request(), example, True
        self.said.emit("info", f"Getting {example.title}. Everything else can be used meanwhile.")
        self._send(m.DownloadExampleSet(self._request, example.name))
        self.progress.emit(
            "waiting for the engine", 0, 0
        )  # it may be busy with something else; even then one can cancel

    def opened_another(self) -> None:
        """What is on its way still comes, but does not open by itself any more."""
        self._wanted = False

    def failed(self, event: m.CommandFailed) -> bool:
        """Whether a failure is of the set that is on its way; it is forgotten then."""
        ours = event.command == "DownloadExampleSet" and event.request == self._request
        if ours:
            self._forget()
        return ours

    def engine_gone(self) -> None:
        """Nothing will come; what was downloaded is kept."""
        self._forget()

    def _forget(self) -> None:
        self._request, self._example = 0, None

    @Slot(m.Progress)
    def _progress(self, event: m.Progress) -> None:
        if event.unit == "files":
            self.progress.emit(event.what, event.done, event.total)

    @Slot(m.ExampleSetReady)
    def _ready(self, event: m.ExampleSetReady) -> None:
        if event.request != self._request or self._example is None:
            return
        title = self._example.title
        self._forget()
        self.over.emit()
        if self._wanted:
            self.ready.emit(Path(event.folder))
        else:
            self.said.emit("info", f"{title} is on this computer now; “Example sets…” in the menu opens it.")
