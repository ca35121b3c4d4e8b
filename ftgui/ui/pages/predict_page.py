"""The Predict page: one image, what the model says of it, how long that took."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QStackedLayout, QWidget

from ftgui.data.job import Job
from ftgui.protocol import messages as m
from ftgui.ui import icons
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.bars import ProbabilityBars
from ftgui.ui.widgets.basics import Card, button, heading, label
from ftgui.ui.workers.tasks import Task
from ftgui.ui.workers.thumbnails import load_picture
from ftgui.ui.workspace import Asked, Workspace

LONGEST = 1600
"""Pixels of the picture kept for showing."""


class PictureView(QLabel):
    """Scales its picture to the room there is, never up beyond its own size."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QPixmap()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.setAccessibleName("The image asked about")

    def sizeHint(self) -> QSize:
        return QSize(480, 360)

    def show_picture(self, image: QImage) -> None:
        self._picture = QPixmap.fromImage(image)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._picture.isNull():
            self.clear()
            return
        ratio = self.devicePixelRatioF()
        room = self.size() * ratio
        picture = self._picture
        if picture.width() > room.width() or picture.height() > room.height():
            modes = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            picture = picture.scaled(room, *modes)
        picture.setDevicePixelRatio(ratio)
        self.setPixmap(picture)


class PredictPage(QWidget):
    """Asks through the workspace and shows the newest question's answer only."""

    open_wanted = Signal()
    paste_wanted = Signal()

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._request = 0
        self._task: Task | None = None
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(self._make_full())
        workspace.asked.connect(self._asked)
        workspace.answered.connect(self._answered)
        workspace.not_answered.connect(self._not_answered)
        theme.changed.connect(self._recolor)
        self._recolor()

    def close_threads(self) -> None:
        """Before the program ends."""
        self._pool.waitForDone()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        open_button = button("Open image…", "Choose an image to ask about (Ctrl+I)")
        paste = button("Paste", "Ask about the image or file in the clipboard (Ctrl+V)")
        open_button.clicked.connect(self.open_wanted)
        paste.clicked.connect(self.paste_wanted)
        row.addWidget(open_button)
        row.addWidget(paste)
        return row

    def _make_empty(self) -> QWidget:
        card = Card()
        card.body.addStretch(1)
        self._icon = label()
        title = heading("Drop an image to see what the model says")
        text = label(
            "Anywhere on the window, at any time: before training, while it learns, and after.\n"
            "Double-click an image on the Data page to ask about that one.",
            "muted",
        )
        for widget in (self._icon, title, text):
            widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
            card.body.addWidget(widget)
        card.body.addSpacing(8)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addLayout(self._buttons())
        row.addStretch(1)
        card.body.addLayout(row)
        card.body.addStretch(1)
        return card

    def _make_full(self) -> QWidget:
        page = QWidget()
        layout = QHBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        left = Card()
        self.picture = PictureView()
        self.name = label("", "muted")
        self.name.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        left.body.addWidget(self.picture, 1)
        left.body.addWidget(self.name)
        layout.addWidget(left, 3)
        right = Card("What the model says")
        self.verdict = heading(wrap=True)
        self.caution = label("", wrap=True)
        self.bars = ProbabilityBars(self._theme)
        self.timing = label("", "muted", wrap=True)
        right.body.addWidget(self.verdict)
        right.body.addWidget(self.caution)
        right.body.addSpacing(4)
        right.body.addWidget(self.bars, 1)
        right.body.addWidget(self.timing)
        right.body.addLayout(self._buttons())
        layout.addWidget(right, 2)
        return page

    @Slot()
    def _recolor(self) -> None:
        self._icon.setPixmap(icons.pixmap("scan-eye", self._theme.colors.muted, 48, self.devicePixelRatioF()))

    # --- question and answer ----------------------------------------------------------------------------------------

    @Slot(Asked)
    def _asked(self, asked: Asked) -> None:
        self._request = asked.request
        self._stack.setCurrentIndex(1)
        self.name.setText(Path(asked.path).name if asked.path else "from the clipboard")
        self.name.setToolTip(asked.path)
        self.verdict.setText("…")
        self.caution.clear()
        self.timing.clear()
        self.bars.clear()
        if self._task is not None:
            self._task.cancel()
        source: Path | bytes = Path(asked.path) if asked.path else asked.content

        def load(_job: Job) -> QImage:
            return load_picture(source, LONGEST)

        self._task = Task(load, self)
        self._task.done.connect(self._show_picture)
        self._task.failed.connect(self._no_picture)
        self._task.start(self._pool)

    @Slot(object)
    def _show_picture(self, image: QImage) -> None:
        self.picture.show_picture(image)

    @Slot(str)
    def _no_picture(self, _sentence: str) -> None:
        self.picture.show_picture(QImage())  # the engine's own answer says why

    @Slot(Asked, m.Prediction)
    def _answered(self, asked: Asked, event: m.Prediction) -> None:
        if asked.request != self._request:
            return
        best = max(range(len(event.probabilities)), key=lambda i: event.probabilities[i])
        self.bars.show_prediction(event)
        if event.trained:
            self.verdict.setText(event.class_names[best])
            self.caution.hide()
        else:
            self.verdict.setText("A guess")
            self.caution.setText(
                "The head has not learned your classes yet, so these numbers mean nothing. Press Train, then ask again."
            )
            self.caution.show()
        weights = f" · weights of step {event.step:,}" if event.step else ""
        self.timing.setText(f"answered in {event.milliseconds:.0f} ms{weights}")

    @Slot(Asked, str)
    def _not_answered(self, asked: Asked, sentence: str) -> None:
        if asked.request != self._request:
            return
        self.verdict.setText("No answer")
        self.caution.setText(sentence)
        self.caution.show()
        self.bars.clear()
        self.timing.clear()
