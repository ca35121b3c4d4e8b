"""One image, asked about again and again while the model learns."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QThreadPool, Slot
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ftgui.base.job import Job
from ftgui.protocol import messages as m
from ftgui.ui.project.prediction import Asked
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import label
from ftgui.ui.toolkit.pictures import load_thumbnail
from ftgui.ui.toolkit.probability_bars import ProbabilityBars
from ftgui.ui.toolkit.theme import Theme

SECONDS = 2.0
"""Between questions: an answer costs the training some 20 ms on a CPU."""

_SIDE = 116


class LivePreview(QWidget):
    """The image last asked about, or the first validation image, with the answer of the weights of this moment."""

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._chosen: Asked | None = None
        self._shown = ("", b"")
        self._last = 0.0
        self._task: Task | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        line = QHBoxLayout()
        line.addWidget(label("Live preview", "title"))
        line.addStretch(1)
        self.weights = label("", "muted")
        line.addWidget(self.weights)
        column.addLayout(line)
        row = QHBoxLayout()
        row.setSpacing(12)
        self.picture = QLabel()
        self.picture.setFixedSize(_SIDE, _SIDE)
        self.bars = ProbabilityBars(theme, rows=3)
        row.addWidget(self.picture)
        row.addWidget(self.bars, 1)
        column.addLayout(row)
        self.hide()
        workspace.prediction.asked.connect(self._choose)
        workspace.project_changed.connect(self._forget)
        workspace.prediction.answered.connect(self._answered)
        workspace.prediction.not_answered.connect(self._not_answered)
        workspace.training.event_arrived.connect(self._event)

    @Slot()
    def _forget(self) -> None:
        self._chosen = None
        self.hide()

    @Slot(Asked)
    def _choose(self, asked: Asked) -> None:
        self._chosen = asked

    @Slot(object)
    def _event(self, event: object) -> None:
        if (
            isinstance(event, m.PhaseStarted)
            or (isinstance(event, m.StepMetrics | m.EpochFinished) and time.monotonic() - self._last > SECONDS)
            or (isinstance(event, m.TrainingFinished) and event.steps)
        ):
            self._ask()

    def _ask(self) -> None:
        contents = self._workspace.contents
        if self._chosen is None and contents is not None and contents.example is not None:
            self._chosen = Asked(0, str(contents.example), b"", preview=True)
        if self._chosen is not None:
            self._last = time.monotonic()
            path = Path(self._chosen.path) if self._chosen.path else None
            self._workspace.prediction.ask(path, self._chosen.content, preview=True)

    @Slot(Asked, m.Prediction)
    def _answered(self, asked: Asked, event: m.Prediction) -> None:
        if not asked.preview:
            return
        self.show()
        self.bars.show_prediction(event)
        name = Path(asked.path).name if asked.path else "from the clipboard"
        self.weights.setText(f"{name} · weights of step {event.step:,}" if event.step else name)
        if (asked.path, asked.content) != self._shown:
            self._load(asked)

    @Slot(Asked, str)
    def _not_answered(self, asked: Asked, _sentence: str) -> None:
        if asked.preview:
            self._chosen = None  # an image that can't be read: the next question is about the example again

    def _load(self, asked: Asked) -> None:
        self._shown = (asked.path, asked.content)
        side = round(_SIDE * self.devicePixelRatioF())
        source: Path | bytes = Path(asked.path) if asked.path else asked.content

        intensity = self._workspace.intensity.range

        def load(_job: Job) -> QImage:
            return load_thumbnail(source, side, intensity)

        if self._task is not None:
            self._task.cancel()
        self._task = Task(load, self)
        self._task.done.connect(self._show_picture)
        self._task.start(QThreadPool.globalInstance())

    @Slot(object)
    def _show_picture(self, image: QImage) -> None:
        picture = QPixmap.fromImage(image)
        picture.setDevicePixelRatio(self.devicePixelRatioF())
        self.picture.setPixmap(picture)
