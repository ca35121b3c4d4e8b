"""Questions about images beyond "what is this?": why, what is it like, what do other models say, what are all of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineWorker


class InferenceRequests(QObject):
    """Part of a `Workspace`. Of each kind only the latest question counts; late answers to earlier ones are dropped.

    Args:
        worker: whose events are passed on.
        send: takes a command for the engine.
        next_request: gives a new request number.
        parent: owner.
    """

    explained = Signal(m.Explanation)
    not_explained = Signal(str)
    """Why."""
    compared = Signal(m.Prediction)
    """What another model says; `Prediction.model` says which."""
    not_compared = Signal(str, str)
    """Which model, and why not."""
    similar_found = Signal(m.SimilarImages)
    similar_failed = Signal(str)
    files_answered = Signal(m.PredictedFiles)
    files_failed = Signal(str)

    def __init__(
        self, worker: EngineWorker, send: Callable[[m.Command], None], next_request: Callable[[], int], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._send = send
        self._next_request = next_request
        self._explain_request = self._nearest_request = self._files_request = 0
        self._compared: dict[int, str] = {}
        worker.explained.connect(self._explained)
        worker.nearest.connect(self._nearest)
        worker.predicted_files.connect(self._files)
        worker.predicted.connect(self._predicted)

    # --- one image --------------------------------------------------------------------------------------------------

    def forget_image(self) -> None:
        """Another image is asked about: what still comes of the one before is of no use."""
        self._explain_request = self._nearest_request = 0
        self._compared.clear()

    def explain(self, path: str, content: bytes, class_name: str, layer: str) -> None:
        """What speaks for a class (empty: for the answer), as seen by a layer (empty: the last with places)?"""
        self._explain_request = self._next_request()
        self._send(m.Explain(self._explain_request, path, content, class_name, layer))

    @Slot(m.Explanation)
    def _explained(self, event: m.Explanation) -> None:
        if event.request == self._explain_request:
            self.explained.emit(event)

    def compare(self, path: str, content: bytes, models: Sequence[str]) -> None:
        """What do these other models say of an image? Each `PRETRAINED_MODEL` or a finished model's folder."""
        self._compared.clear()
        for model in models:
            request = self._next_request()
            self._compared[request] = model
            self._send(m.Predict(request, path, content, model))

    @Slot(m.Prediction)
    def _predicted(self, event: m.Prediction) -> None:
        if self._compared.pop(event.request, None) is not None:
            self.compared.emit(event)

    def find_similar(self, catalog: Path, path: str, content: bytes, count: int) -> None:
        """Which training images are like it?"""
        self._nearest_request = self._next_request()
        self._send(m.FindSimilar(self._nearest_request, str(catalog), path, content, count))

    @Slot(m.SimilarImages)
    def _nearest(self, event: m.SimilarImages) -> None:
        if event.request == self._nearest_request:
            self.similar_found.emit(event)

    # --- many files -------------------------------------------------------------------------------------------------

    @property
    def looking_at_files(self) -> bool:
        """Many files are being looked at."""
        return bool(self._files_request)

    def look_at_files(self, paths: Sequence[Path], table: Path, threshold: float) -> None:
        """What are these files, and those in these folders? Each answer becomes a row of a CSV file."""
        self._files_request = self._next_request()
        self._send(m.PredictFiles(self._files_request, [str(path) for path in paths], str(table), threshold))

    def stop_files(self) -> None:
        """What was answered stays."""
        if self._files_request:
            self._send(m.EndFiles())

    @Slot(m.PredictedFiles)
    def _files(self, event: m.PredictedFiles) -> None:
        if event.request == self._files_request:
            if event.over:
                self._files_request = 0
            self.files_answered.emit(event)

    # --- what goes wrong --------------------------------------------------------------------------------------------

    def failed(self, event: m.CommandFailed) -> bool:
        """A command was refused.

        Returns:
            whether that was for this object to know, and nobody else needs to be told.
        """
        if event.command == "Explain":
            if event.request == self._explain_request:
                self.not_explained.emit(event.message)
        elif event.command == "FindSimilar":
            if event.request == self._nearest_request:
                self.similar_failed.emit(event.message)
        elif event.command == "PredictFiles":
            if event.request == self._files_request:
                self._files_request = 0
                self.files_failed.emit(event.message)
        elif event.request in self._compared:
            self.not_compared.emit(self._compared.pop(event.request), event.message)
        else:
            return False
        return True

    def engine_gone(self) -> None:
        """Nothing that was asked will be answered."""
        why = "The engine ended before it answered."
        if self._explain_request:
            self.not_explained.emit(why)
        if self._nearest_request:
            self.similar_failed.emit(why)
        if self._files_request:
            self.files_failed.emit(why)
        for model in self._compared.values():
            self.not_compared.emit(model, why)
        self._explain_request = self._nearest_request = self._files_request = 0
        self._compared.clear()
