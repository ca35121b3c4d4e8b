"""Asking the model about one image. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ftgui.data.images.decoding import ImageError, read_image_file
from ftgui.protocol import messages as m
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.project.intensity import DatasetIntensity
from ftgui.ui.project.model import ProjectModel
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.toolkit.task_queue import TaskQueue


@dataclass(frozen=True)
class Asked:
    """An image somebody asked about, to be matched with its answer."""

    request: int
    path: str
    content: bytes
    preview: bool = False
    """Asked by the Train page again and again, not by the person."""


class Predictions(QObject):
    """What is this image, and what does the model see of it in training?

    Args:
        client: of the engine.
        model: is asked.
        recipe_editor: whose recipe says how images are augmented.
        intensity: with which they are read.
        disk_tasks: read images whose names can't be sent.
        parent: owner.
    """

    asked = Signal(Asked)
    answered = Signal(Asked, m.Prediction)
    not_answered = Signal(Asked, str)
    views_arrived = Signal(m.AugmentedViews)
    views_failed = Signal(int, str)
    """The request that can't be answered, and why."""

    def __init__(
        self,
        client: EngineClient,
        model: ProjectModel,
        recipe_editor: RecipeEditor,
        intensity: DatasetIntensity,
        disk_tasks: TaskQueue,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._client, self._model = client, model
        self._recipe_editor, self._intensity, self._disk_tasks = recipe_editor, intensity, disk_tasks
        self._asked = 0

    def ask(self, path: Path | None = None, content: bytes = b"", preview: bool = False) -> None:
        """What is this image? Answered by `answered` or `not_answered`."""
        if path is not None and not is_text(path):
            self._disk_tasks.do(partial(_read, path), lambda content: self.ask(content=content, preview=preview))
            return
        self._asked += 1
        asked = Asked(self._asked, str(path or ""), content, preview)
        if not preview:
            self.asked.emit(asked)
        if self._model.loaded is None:
            why = (
                "The engine is still starting; ask again in a moment."
                if self._client.state.alive
                else "The engine is not running."
            )
            self.not_answered.emit(asked, why)
            return
        self._client.request(
            m.Predict(0, asked.path, asked.content),
            lambda event: self.answered.emit(asked, event),
            lambda failure: self.not_answered.emit(asked, failure.sentence),
        )

    def show_views(self, path: Path, count: int) -> int:
        """What will the model see of this image in training? Answered by `views_arrived` or `views_failed`.

        Returns:
            the request's number; 0 when there is no model to ask.
        """
        if self._model.loaded is None:
            return 0
        command = m.PreviewAugmentation(
            0, str(path), self._recipe_editor.recipe.augmentation, count, self._intensity.range
        )
        number = self._client.request(
            command, self.views_arrived.emit, lambda failure: self.views_failed.emit(number, failure.sentence)
        )
        return number


def is_text(path: Path) -> bool:
    """Whether the name can travel in a message; names from old archives may not be valid text."""
    return str(path).encode("utf-8", "replace").decode("utf-8") == str(path)


def _read(path: Path) -> bytes:
    try:
        return read_image_file(path)
    except ImageError:
        return b""  # asked all the same: the engine's answer says that it can't be read
