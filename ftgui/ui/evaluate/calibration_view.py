"""Is the model as sure as it is right, and what comes of answering only when sure enough?"""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QSlider, QVBoxLayout, QWidget

from ftgui.base.formatting import percent
from ftgui.data.metrics import Answers, Bin, Coverage, calibration_error, coverage, reliability
from ftgui.ui.toolkit.basics import button, label
from ftgui.ui.toolkit.theme import Theme

_TEACHES_CALIBRATION = (
    "Each bar holds answers of about the same probability. Its height is the share of them that are right; a faint one rests "
    "on few answers. On the dashed line "
    "the model is perfectly calibrated; below it, it is overconfident. The temperature, one number fitted on the "
    "validation images after training, has brought the bars as near to the line as one number can."
)
_TEACHES_THRESHOLD = (
    "Answers with a lower probability than this become “don't know”. Fewer images are then answered (dashed), but more of the "
    "answers are right (solid). Which matters more depends on what a wrong answer costs you."
)


class _Chart(pg.PlotWidget):  # type: ignore[misc]
    """Shares against a probability; neither axis moves.

    Args:
        name: for screen readers.
        bottom: title of the x-axis.
        theme: pyqtgraph ignores the palette, so colours are set here on every change.
    """

    def __init__(self, name: str, bottom: str, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setAccessibleName(name)
        self.setAcceptDrops(False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.setMinimumSize(160, 120)
        item = self.getPlotItem()
        item.getViewBox().setMouseEnabled(x=False, y=False)
        item.setXRange(0, 1, padding=0.02)
        item.setYRange(0, 1, padding=0.04)
        ticks = [[(share, f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)]]
        for side in ("left", "bottom"):
            item.getAxis(side).setTicks(ticks)
        item.getAxis("left").setWidth(44)
        item.setLabel("bottom", bottom)

    def paint_axes(self) -> None:
        """In the theme's colours."""
        colors = self._theme.colors
        self.setBackground(colors.card)
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(colors.border)
            axis.setTextPen(colors.muted)


class ConfidenceView(QWidget):
    """A reliability diagram, and coverage and accuracy against a threshold that is set here.

    Args:
        theme: for colours.
    """

    threshold_chosen = Signal(float)
    """0 to 1."""
    bin_chosen = Signal(float, float)
    """Show the images whose answer's probability lies between these two."""
    unknown_wanted = Signal()
    """Show the images below the threshold."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.bins: list[Bin] = []
        self._coverage: Coverage | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._make_reliability(layout)
        layout.addSpacing(6)
        self._make_threshold(layout)
        theme.changed.connect(self._recolor)
        self._recolor()

    def _make_reliability(self, layout: QVBoxLayout) -> None:
        self.calibration = label("", wrap=True)
        self.calibration.setToolTip(_TEACHES_CALIBRATION)
        self.reliability = _Chart(
            "Accuracy against probability of the answer", "probability of the answer", self._theme
        )
        self.reliability.setToolTip(f"{_TEACHES_CALIBRATION}\nA click on a bar shows its images.")
        self._bars = pg.BarGraphItem(x=[], height=[], width=0.09)
        self._ideal = pg.PlotCurveItem([0, 1], [0, 1])
        self.reliability.addItem(self._bars)
        self.reliability.addItem(self._ideal)
        self.reliability.scene().sigMouseClicked.connect(self._clicked)
        layout.addWidget(label("Is it calibrated?", "title"))
        layout.addWidget(self.calibration)
        layout.addWidget(self.reliability, 1)

    def _make_threshold(self, layout: QVBoxLayout) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setAccessibleName("Threshold for “don't know”, percent")
        self.slider.setToolTip(_TEACHES_THRESHOLD)
        self.consequence = label("", wrap=True)
        self.show_unknown = button("Show them", "Show the images that would not be answered")
        self.show_unknown.clicked.connect(self.unknown_wanted)
        self.chart = _Chart("Share answered and accuracy against the threshold", "threshold", self._theme)
        self.chart.setToolTip(_TEACHES_THRESHOLD)
        self._answered = pg.PlotCurveItem([], [])
        self._right = pg.PlotCurveItem([], [])
        self._line = pg.InfiniteLine(angle=90, movable=False)
        for item in (self._answered, self._right, self._line):
            self.chart.addItem(item)
        self.slider.valueChanged.connect(self._slid)
        row = QHBoxLayout()
        row.addWidget(self.slider, 1)
        row.addWidget(self.show_unknown)
        self._legend = label()
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        layout.addWidget(label("When should it say “don't know”?", "title"))
        layout.addLayout(row)
        layout.addWidget(self.consequence)
        layout.addWidget(self.chart, 1)
        layout.addWidget(self._legend)

    # --- showing ----------------------------------------------------------------------------------------------------

    def show_answers(self, answers: Answers | None, temperature: float, error_before: float) -> None:
        """Other answers, or none.

        Args:
            answers: of the images.
            temperature: of the model.
            error_before: calibration error without it on the validation images; NaN if not known.
        """
        self.bins = reliability(answers.confidences, answers.right) if answers else []
        self._coverage = coverage(answers.confidences, answers.right) if answers else None
        filled = [one for one in self.bins if one.count]
        self._bars.setOpts(
            x=[(one.low + one.high) / 2 for one in filled], height=[one.accuracy for one in filled], width=0.09
        )
        self._shade_bars()
        error = calibration_error(self.bins)
        words = f"On average its probabilities are {error * 100:.1f} percentage points off." if filled else ""
        if filled and math.isfinite(error_before):
            words += f" Temperature {temperature:.2f}; without it {error_before * 100:.1f} on the validation images."
        self.calibration.setText(words)
        if self._coverage is not None:
            known = np.isfinite(self._coverage.accuracy)
            self._answered.setData(self._coverage.thresholds, self._coverage.coverage)
            self._right.setData(self._coverage.thresholds[known], self._coverage.accuracy[known])
        else:
            self._answered.setData([], [])
            self._right.setData([], [])
        self._say_consequence()

    def show_threshold(self, threshold: float, enabled: bool) -> None:
        """What the recipe says; the slider moves nobody's recipe by this."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(threshold * 100))
        self.slider.blockSignals(False)
        self.slider.setEnabled(enabled)
        self._say_consequence()

    def _say_consequence(self) -> None:
        threshold = self.slider.value() / 100
        self._line.setValue(threshold)
        self.show_unknown.setEnabled(threshold > 0 and self._coverage is not None)
        if self._coverage is None:
            self.consequence.setText("")
            return
        _, plain = self._coverage.at(0)
        answered, right = self._coverage.at(threshold)
        if not threshold:
            self.consequence.setText(f"Never: every image is answered, {percent(right)} of them correctly.")
        elif not answered:
            self.consequence.setText(f"Below {threshold:.0%}: no image is answered.")
        else:
            self.consequence.setText(
                f"Below {threshold:.0%}: {percent(answered)} of the images are answered, {percent(right)} of them correctly "
                f"(instead of {percent(plain)})."
            )

    @Slot(int)
    def _slid(self, value: int) -> None:
        self._say_consequence()
        self.threshold_chosen.emit(value / 100)

    def _shade_bars(self) -> None:
        """The fewer answers a bar stands on, the fainter it is."""
        filled = [one.count for one in self.bins if one.count]
        brushes = []
        for count in filled:
            color = QColor(self._theme.colors.accent)
            color.setAlphaF(0.15 + 0.6 * count / max(filled))
            brushes.append(color)
        self._bars.setOpts(brushes=brushes, pen=pg.mkPen(self._theme.colors.accent))

    def _clicked(self, event: object) -> None:
        place = self.reliability.getPlotItem().getViewBox().mapSceneToView(event.scenePos())  # type: ignore[attr-defined]
        for one in self.bins:
            if one.count and one.low < place.x() <= one.high and 0 <= place.y() <= 1:
                self.bin_chosen.emit(one.low, one.high)

    @Slot()
    def _recolor(self) -> None:
        colors = self._theme.colors
        for chart in (self.reliability, self.chart):
            chart.paint_axes()
        self._shade_bars()
        self._legend.setText(
            f"<span style='color:{colors.accent}'>━</span> right, of those answered "
            f"<span style='color:{colors.second}'>╍</span> answered"
        )
        self._ideal.setPen(pg.mkPen(colors.muted, width=1.5, style=Qt.PenStyle.DashLine))
        self._answered.setPen(pg.mkPen(colors.second, width=2, style=Qt.PenStyle.DashLine))
        self._right.setPen(pg.mkPen(colors.accent, width=2))
        self._line.setPen(pg.mkPen(colors.text, width=1))
