"""Beside an answer: what other models say of the same image, and which training images are like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ftgui.protocol import messages as m
from ftgui.ui.toolkit.basics import label
from ftgui.ui.toolkit.probability_bars import ProbabilityBars
from ftgui.ui.toolkit.theme import Theme

_SIDE = 84


class OtherModels(QScrollArea):
    """Before: the untouched backbone. Now: the present model. And any earlier run.

    Args:
        theme: for colours.
    """

    wanted = Signal(list)
    """These models should be asked, `PRETRAINED_MODEL` or folders."""

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
            "The backbone as it was published, with its original classes. What it sees in your image is where your model\n"
            "started from: the closer it is, the less there was to learn."
        )
        self.now_title = label("Now", "title")
        self.now = ProbabilityBars(theme, rows=3)
        self.earlier = QComboBox()
        self.earlier.setAccessibleName("An earlier run to compare with")
        self.earlier.setToolTip("What the model of an earlier run says about the same image")
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

    def clear(self) -> None:
        """Nothing is known yet of another image."""
        for bars in (self.before, self.now, self.earlier_bars):
            bars.clear()
        self.before_trouble.clear()
        self.earlier_trouble.clear()

    def ask(self) -> None:
        """About another image."""
        for bars in (self.before, self.earlier_bars):
            bars.clear()
        self.before_trouble.clear()
        self.earlier_trouble.clear()
        self.wanted.emit([m.PRETRAINED_MODEL, *([self.earlier.currentData()] if self.earlier.currentData() else [])])

    def show_now(self, prediction: m.Prediction | None) -> None:
        """What the present model says."""
        if prediction is None:
            self.now.clear()
        else:
            self.now.show_prediction(prediction)

    @Slot(m.Prediction)
    def show_answer(self, prediction: m.Prediction) -> None:
        """What another one says."""
        if prediction.model == m.PRETRAINED_MODEL:
            self.before_title.setText(f"Before training: {prediction.title}")
            self.before.show_prediction(prediction)
        elif prediction.model == self.earlier.currentData():
            self.earlier_bars.show_prediction(prediction)

    @Slot(str, str)
    def show_trouble(self, model: str, why: str) -> None:
        """Why one says nothing."""
        (self.before_trouble if model == m.PRETRAINED_MODEL else self.earlier_trouble).setText(why)

    @Slot()
    def _earlier_chosen(self) -> None:
        self.ask()
