"""Opening an example set: the engine brings it here first, if it is not. Signals out, intentions in. No widgets."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ftgui.data.example_sets import ExampleSet
from ftgui.protocol import messages as m
from ftgui.ui.engine_client.client import EngineClient, Failure


class ExampleRequests(QObject):
    """One set at a time.

    Args:
        client: of the engine that prepares it.
        parent: owner.
    """

    ready = Signal(Path)
    """The folder to be opened."""
    said = Signal(str, str)
    """Severity, sentence."""
    progress = Signal(str, object, object)
    """Files of a set that are unpacked or sorted: what goes on, done, in all (0: not known yet)."""
    over = Signal()
    """Nothing is being prepared any more."""

    def __init__(self, client: EngineClient, parent: QObject) -> None:
        super().__init__(parent)
        self._client = client
        self.request = 0
        """Number of the latest request."""
        self._cancelled = False
        self._example: ExampleSet | None = None
        """What is being prepared."""
        self._wanted = False
        """The person waits for it: nothing else was opened since."""

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
            self.said.emit(
                "warning", f"{self._example.title} is still being downloaded. Cancel that first, or wait for it."
            )
            return
        self._example, self._wanted, self._cancelled = example, True, False
        self.said.emit("info", f"Downloading {example.title}. Everything else can be used in the meantime.")
        self.request = self._client.request(m.DownloadExampleSet(0, example.name), self._answered, self._failed)
        # The engine may be busy with something else; even then one can cancel.
        self.progress.emit("waiting for the engine", 0, 0)

    def opened_another(self) -> None:
        """What is on its way still comes, but does not open by itself any more."""
        self._wanted = False

    def cancel(self) -> None:
        """What was downloaded is kept, to go on from."""
        self._cancelled = True
        self._client.cancel(self.request)

    def _answered(self, event: m.Progress | m.ExampleSetReady) -> None:
        if isinstance(event, m.Progress):
            if event.unit == "files":
                self.progress.emit(event.what, event.done, event.total)
            return
        title = self._example.title if self._example else ""
        self._example = None
        self.over.emit()
        if self._wanted:
            self.ready.emit(Path(event.folder))
        else:
            self.said.emit("info", f"{title} is on this computer now; “Example sets…” in the menu opens it.")

    def _failed(self, failure: Failure) -> None:
        self._example = None
        if not failure.engine_ended:
            self.over.emit()
            self.said.emit("info" if self._cancelled else "error", failure.sentence)
