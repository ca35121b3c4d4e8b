"""What the status line says goes on, and who may say it. No widgets."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.engine_client.example_requests import ExampleRequests
from ftgui.ui.project.dataset import OpenDataset


class ProgressReports(QObject):
    """A training's progress comes before a model's, that before the dataset's, and side work comes last.

    Args:
        client: of the engine, whose jobs report.
        dataset: is scanned and checked.
        examples: is downloaded and unpacked.
        parent: owner.
    """

    busy = Signal(str, object, object)
    """What is going on, done, total; empty text: nothing any more."""
    downloading = Signal(str, object, object)
    """What is being downloaded, bytes done, bytes in all; an empty `busy` follows its end."""

    def __init__(self, client: EngineClient, dataset: OpenDataset, examples: ExampleRequests, parent: QObject) -> None:
        super().__init__(parent)
        self._client = client
        self._dataset = dataset
        self._examples = examples
        self._downloading = 0
        self.training_asked = False
        """A training was asked for and the engine has yet to begin it."""
        self.loading = True
        """There is no model, or another one was asked for."""
        client.progress.connect(self._engine_progress)
        dataset.progress.connect(self.dataset_progress)
        examples.over.connect(self._example_over)

    @property
    def download(self) -> int:
        """The request whose download was told of last, while it goes on; else 0."""
        return self._downloading if self._client.waits(self._downloading) else 0

    def nothing(self) -> None:
        """Nothing is going on any more."""
        self.busy.emit("", 0, 0)

    def side_work(self, what: str, done: int, total: int) -> None:
        """Say how far something is that is done beside trainings, unless something more important is said."""
        if not (self._client.state.busy or self.training_asked or self._dataset.working):
            self.busy.emit(what, done, total)

    @Slot()
    def side_work_over(self) -> None:
        """What it was reading is no longer being read; but something else may have begun."""
        if not self.loading:
            self.side_work("", 0, 0)

    @Slot()
    def rate_test(self) -> None:
        """A learning-rate range test goes on."""
        self.side_work("trying learning rates", 0, 0)

    @Slot(m.Progress)
    def _engine_progress(self, event: m.Progress) -> None:
        if event.unit == "bytes":
            self._downloading = event.request
            self.downloading.emit(event.what, event.done, event.total)
        elif event.unit != "files":
            self.busy.emit(event.what, event.done, event.total)

    @Slot(str, object, object)
    def dataset_progress(self, what: str, done: int, total: int) -> None:
        """Of a dataset that is opened, searched, checked or divided."""
        # A training's own progress is what counts then. A download's too: the two would take turns ten times a second.
        beside = self._examples.preparing is not None and not (self._dataset.opening or self._dataset.scanning)
        if not self._client.state.busy and not beside:
            self.busy.emit(what, done, total)

    @Slot()
    def _example_over(self) -> None:
        """Unlike `side_work_over` while a model is loading too: a set may be cancelled before the engine has begun."""
        self.side_work("", 0, 0)
