"""Questions about images beyond "what is this?": why, what is it like, what do other models say, what are all of these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.client import EngineClient, Failure


class InferenceRequests(QObject):
    """Of each kind only the latest question counts; late answers to earlier ones are dropped.

    Args:
        client: of the engine that is asked.
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

    def __init__(self, client: EngineClient, parent: QObject) -> None:
        super().__init__(parent)
        self._client = client
        self._explanation = self._similar = self._files = 0
        self._compared: list[int] = []

    # --- one image --------------------------------------------------------------------------------------------------

    def forget_image(self) -> None:
        """Another image is asked about: what still comes of the one before is of no use."""
        for request in (self._explanation, self._similar, *self._compared):
            self._client.forget(request)
        self._compared.clear()

    def explain(self, path: str, content: bytes, class_name: str, layer: str) -> None:
        """What speaks for a class (empty: for the answer), as seen by a layer (empty: the last with places)?"""
        self._client.forget(self._explanation)
        self._explanation = self._client.request(
            m.Explain(0, path, content, class_name, layer),
            self.explained.emit,
            lambda failure: self.not_explained.emit(failure.sentence),
        )

    def compare(self, path: str, content: bytes, models: Sequence[str]) -> None:
        """What do these other models say of an image? Each `PRETRAINED_MODEL` or a finished model's folder."""
        for request in self._compared:
            self._client.forget(request)
        self._compared = [self._ask_other(path, content, model) for model in models]

    def _ask_other(self, path: str, content: bytes, model: str) -> int:
        def answers(event: m.Prediction | m.Progress) -> None:
            if isinstance(event, m.Prediction):
                self.compared.emit(event)

        return self._client.request(
            m.Predict(0, path, content, model),
            answers,
            lambda failure: self.not_compared.emit(model, failure.sentence),
        )

    def find_similar(self, catalog: Path, path: str, content: bytes, count: int) -> None:
        """Which training images are like it?"""

        def answers(event: m.SimilarImages | m.Progress) -> None:
            if isinstance(event, m.SimilarImages):
                self.similar_found.emit(event)

        self._client.forget(self._similar)
        self._similar = self._client.request(
            m.FindSimilar(0, str(catalog), path, content, count),
            answers,
            lambda failure: self.similar_failed.emit(failure.sentence),
        )

    # --- many files -------------------------------------------------------------------------------------------------

    @property
    def looking_at_files(self) -> bool:
        """Many files are being looked at."""
        return bool(self._files)

    def look_at_files(self, paths: Sequence[Path], table: Path, threshold: float) -> None:
        """What are these files, and those in these folders? Each answer becomes a row of a CSV file."""
        command = m.PredictFiles(0, [str(path) for path in paths], str(table), threshold)
        self._client.forget(self._files)
        self._files = self._client.request(command, self._answered, self._failed)

    def stop_files(self) -> None:
        """What was answered stays."""
        self._client.cancel(self._files)

    def _answered(self, event: m.PredictedFiles) -> None:
        if event.over:
            self._files = 0
        self.files_answered.emit(event)

    def _failed(self, failure: Failure) -> None:
        self._files = 0
        self.files_failed.emit(failure.sentence)
