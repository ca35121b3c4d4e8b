"""Beside an answer: what other models say of the same image, and which training images are like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QListView,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ftgui.data.job import Job
from ftgui.protocol import messages as m
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.bars import ProbabilityBars
from ftgui.ui.widgets.basics import label
from ftgui.ui.workers.tasks import Task
from ftgui.ui.workers.thumbnails import load_thumbnail

_SIDE = 84


class OtherModels(QScrollArea):
    """Before: the untouched backbone. Now: the present model. And any earlier run.

    Args:
        theme: for colours.
    """

    wanted = Signal(list)
    """These models should be asked, `UNTOUCHED` or folders."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 6, 0)
        self.before_title = label("Before training", "title")
        self.before = ProbabilityBars(theme, rows=3)
        self.before_trouble = label("", "muted", wrap=True)
        self.before_title.setToolTip(
            "The backbone as it came, with the classes it was published with. What it sees in your image is what your model\n"
            "started from: the closer, the less there was to learn."
        )
        self.now_title = label("Now", "title")
        self.now = ProbabilityBars(theme, rows=3)
        self.earlier = QComboBox()
        self.earlier.setAccessibleName("An earlier run to compare with")
        self.earlier.setToolTip("What the model of an earlier run says of the same image")
        self.earlier.activated.connect(self._earlier_chosen)
        self.earlier_bars = ProbabilityBars(theme, rows=3)
        self.earlier_trouble = label("", "muted", wrap=True)
        for widget in (
            *(self.before_title, self.before, self.before_trouble, self.now_title, self.now),
            *(self.earlier, self.earlier_bars, self.earlier_trouble),
        ):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.setWidget(inside)
        self.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)

    def show_runs(self, runs: Sequence[tuple[str, Path]]) -> None:
        """Title and model folder of the runs that can be asked; the chosen one stays if it is still there."""
        chosen = self.earlier.currentData()
        self.earlier.clear()
        self.earlier.addItem("Compare with an earlier run…", "")
        for title, folder in runs:
            self.earlier.addItem(title, str(folder))
        self.earlier.setCurrentIndex(max(self.earlier.findData(chosen), 0))
        self.earlier.setEnabled(bool(runs))

    def ask(self) -> None:
        """About another image."""
        self.before.clear()
        self.before_trouble.clear()
        self.earlier_bars.clear()
        self.earlier_trouble.clear()
        self.wanted.emit([m.UNTOUCHED, *([self.earlier.currentData()] if self.earlier.currentData() else [])])

    def show_now(self, prediction: m.Prediction | None) -> None:
        """What the present model says."""
        if prediction is None:
            self.now.clear()
        else:
            self.now.show_prediction(prediction)

    @Slot(m.Prediction)
    def show_answer(self, prediction: m.Prediction) -> None:
        """What another one says."""
        if prediction.model == m.UNTOUCHED:
            self.before_title.setText(f"Before training: {prediction.title}")
            self.before.show_prediction(prediction)
        elif prediction.model == self.earlier.currentData():
            self.earlier_bars.show_prediction(prediction)

    @Slot(str, str)
    def show_trouble(self, model: str, why: str) -> None:
        """Why one says nothing."""
        (self.before_trouble if model == m.UNTOUCHED else self.earlier_trouble).setText(why)

    @Slot()
    def _earlier_chosen(self) -> None:
        self.ask()


class Neighbors(QListWidget):
    """The training images most like an image, most alike first."""

    look_wanted = Signal(Path)

    def __init__(self) -> None:
        super().__init__()
        self._pool = QThreadPool(self)
        self._tasks: dict[Task, QListWidgetItem] = {}
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setGridSize(QSize(_SIDE + 16, _SIDE + 44))
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setWordWrap(True)
        self.setAcceptDrops(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName("Training images most like this one")
        self.itemActivated.connect(self._activated)

    def show_neighbors(self, root: Path, event: m.Nearest) -> None:
        """Other ones."""
        self.forget()
        for neighbor in event.neighbors:
            item = QListWidgetItem(f"{neighbor.class_name}\n{neighbor.similarity:.0%} alike")
            item.setToolTip(f"{neighbor.path}\n{neighbor.class_name}\nDouble-click to ask about it.")
            item.setData(Qt.ItemDataRole.UserRole, str(root / neighbor.path))
            blank = QPixmap(_SIDE, _SIDE)
            blank.fill(Qt.GlobalColor.transparent)
            item.setIcon(QIcon(blank))
            self.addItem(item)
            self._load(root / neighbor.path, item)

    def forget(self) -> None:
        """Show none."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.clear()

    def close_threads(self) -> None:
        """Before the program ends."""
        self.forget()
        self._pool.waitForDone()

    def _load(self, file: Path, item: QListWidgetItem) -> None:
        side = round(_SIDE * self.devicePixelRatioF())

        def load(_job: Job) -> QImage:
            return load_thumbnail(file, side)

        task = Task(load, self)
        self._tasks[task] = item
        task.done.connect(self._loaded)
        task.start(self._pool)

    @Slot(object)
    def _loaded(self, image: QImage) -> None:
        task = self.sender()
        item = self._tasks.pop(task, None) if isinstance(task, Task) else None
        if item is not None and not image.isNull() and self.row(item) >= 0:
            picture = QPixmap.fromImage(image)
            picture.setDevicePixelRatio(self.devicePixelRatioF())
            item.setIcon(QIcon(picture))

    @Slot(QListWidgetItem)
    def _activated(self, item: QListWidgetItem) -> None:
        self.look_wanted.emit(Path(item.data(Qt.ItemDataRole.UserRole)))
