"""One live plot: training and validation curves over optimizer steps, phases marked."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ftgui.ui.toolkit.basics import Card, label
from ftgui.ui.toolkit.plot_marks import Marks
from ftgui.ui.toolkit.theme import Theme

SMOOTHING = 0.8
"""Of the exponential moving average drawn over the single steps."""

AXIS_WIDTH = 46
"""Pixels; the same for all plots, so that one step lies at one place in each of them."""

AXIS_HEIGHT = 24
"""Pixels that the labels of the steps need below a plot."""


class Series:
    """Numbers that grow at the end; amortised constant time, no Python list of a million floats."""

    def __init__(self) -> None:
        self._x = np.empty(1024)
        self._y = np.empty(1024)
        self.size = 0

    def append(self, x: float, y: float) -> None:
        if self.size == len(self._x):
            self._x, self._y = np.resize(self._x, 2 * self.size), np.resize(self._y, 2 * self.size)
        self._x[self.size], self._y[self.size] = x, y
        self.size += 1

    def clear(self) -> None:
        self.size = 0

    @property
    def x(self) -> np.ndarray:
        return self._x[: self.size]

    @property
    def y(self) -> np.ndarray:
        return self._y[: self.size]


class CurvePlot(Card):
    """A titled plot.

    Args:
        title: of the card.
        theme: pyqtgraph ignores the palette, so colours are set here on every change.
        validation: also a dashed line with a point per epoch.
        smooth: draw single steps faint and their moving average on top.
        unit_range: the values are shares, 0 to 1.
        scale: values are multiplied by it; the title says so.
    """

    def __init__(
        self,
        title: str,
        theme: Theme,
        *,
        validation: bool = True,
        smooth: bool = True,
        unit_range: bool = False,
        scale: float = 1.0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, parent)
        self._theme = theme
        self.steps, self.smoothed, self.val = Series(), Series(), Series()
        self._smooth = smooth
        self._average = 0.0
        self._scale = scale
        self.legend = label()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self._has_validation = validation
        self.header.addWidget(self.legend)
        self.plot = pg.PlotWidget()
        self.plot.setAcceptDrops(False)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.plot.setMinimumSize(120, 80)
        self.plot.setAccessibleName(f"Plot of {title.lower()} over steps")
        item = self.plot.getPlotItem()
        item.setClipToView(True)
        item.setDownsampling(auto=True, mode="peak")
        item.getViewBox().setMouseEnabled(x=True, y=False)
        item.getViewBox().setDefaultPadding(0.02)
        item.enableAutoRange(x=False, y=True)
        item.getAxis("left").setWidth(AXIS_WIDTH)
        item.getAxis("left").enableAutoSIPrefix(False)
        item.getAxis("bottom").enableAutoSIPrefix(False)
        if unit_range:
            item.getViewBox().setLimits(yMin=-0.02, yMax=1.04)
        self.ghost, self.val_ghost = self.plot.plot([], []), self.plot.plot([], [])
        self._faint = self.plot.plot([], [])
        self._line = self.plot.plot([], [])
        self._val_line = self.plot.plot([], [], symbol="o", symbolSize=5)
        self.best: tuple[float, float] | None = None
        """Step and value of the epoch marked as the best."""
        self._best_mark = self.plot.plot([], [], pen=None, symbol="o", symbolSize=12)
        self.marks = Marks(self.plot, theme)
        self.body.addWidget(self.plot, 1)
        self.note = label("", "muted", wrap=True)
        self.note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over = QVBoxLayout(self.plot)
        over.setContentsMargins(AXIS_WIDTH + 4, 4, 4, AXIS_HEIGHT)
        over.addWidget(self.note)
        theme.changed.connect(self._recolor)
        self._recolor()

    def say(self, text: str) -> None:
        """Over an empty plot, until its first figures."""
        if text != self.note.text():
            self.note.setText(text)

    # --- data -------------------------------------------------------------------------------------------------------

    def clear(self, ghost: bool = False) -> None:
        """For a new run.

        Args:
            ghost: the curves so far stay, faint, to be compared with; else there is none any more.
        """
        if not ghost:
            self.ghost.setData([], [])
            self.val_ghost.setData([], [])
        elif self.smoothed.size and self._smooth:
            self.ghost.setData(self.smoothed.x.copy(), self.smoothed.y.copy())
            self.val_ghost.setData(self.val.x.copy(), self.val.y.copy())
        for series in (self.steps, self.smoothed, self.val):
            series.clear()
        self.best = None
        self.marks.clear()
        self._average = 0.0
        self._show_legend()
        self.redraw()

    @property
    def has_ghost(self) -> bool:
        """The run before is drawn too."""
        return self.ghost.xData is not None and len(self.ghost.xData) > 0

    def add_step(self, step: int, value: float) -> None:
        """A figure of one optimizer step; drawn at the next `redraw`."""
        if not math.isfinite(value):
            return
        self.say("")
        value *= self._scale
        self.steps.append(step, value)
        self._average = SMOOTHING * self._average + (1 - SMOOTHING) * value
        # Divided by the weight so far (as in Adam), or the curve would lag behind from its first value.
        self.smoothed.append(step, self._average / (1 - SMOOTHING**self.steps.size))

    def add_validation(self, step: int, value: float) -> None:
        """A figure of one epoch."""
        if math.isfinite(value):
            self.val.append(step, value)

    def mark_best(self, step: int, value: float) -> None:
        """A ring around the epoch whose weights are kept; drawn at the next `redraw`."""
        if math.isfinite(value):
            self.best = (step, value)

    def put_before(self, steps: list[tuple[int, float]], epochs: list[tuple[int, float]]) -> None:
        """Figures of before those added so far: steps, and epochs for the validation curve."""
        self.say("")
        later = list(zip(self.steps.x.tolist(), self.steps.y.tolist(), strict=True))
        later_epochs = list(zip(self.val.x.tolist(), self.val.y.tolist(), strict=True))
        for series in (self.steps, self.smoothed, self.val):
            series.clear()
        self._average = 0.0
        for step, value in [*steps, *((int(x), y / self._scale) for x, y in later)]:
            self.add_step(step, value)
        for step, value in [*epochs, *((int(x), y) for x, y in later_epochs)]:
            self.add_validation(step, value)
        self.redraw()

    def mark_phase(self, step: int, name: str) -> None:
        """A vertical line where a phase began."""
        self.marks.add("phase", step, name)

    def mark_steering(self, step: int, text: str) -> None:
        """Another kind of vertical line, where somebody changed the course of the run."""
        self.marks.add("steering", step, text)

    def redraw(self) -> None:
        """Hand the data to pyqtgraph; called by a timer, not per message."""
        if self._smooth:
            self._faint.setData(self.steps.x, self.steps.y)
            self._line.setData(self.smoothed.x, self.smoothed.y)
        else:
            self._line.setData(self.steps.x, self.steps.y)
        self._val_line.setData(self.val.x, self.val.y)
        shown = self._best_mark.xData is not None and len(self._best_mark.xData) > 0
        self._best_mark.setData(*([[x] for x in self.best] if self.best else ([], [])))
        if shown != bool(self.best):
            self._show_legend()

    # --- colours ----------------------------------------------------------------------------------------------------

    @Slot()
    def _recolor(self) -> None:
        colors = self._theme.colors
        self.plot.setBackground(colors.card)
        for side in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(colors.border))
            axis.setTextPen(pg.mkPen(colors.muted))
            # Minor ticks and a second grid cost more painting time than the curves (measured).
            axis.setStyle(tickLength=0, maxTickLevel=0)
            axis.setGrid(30 if side == "left" else False)
        faint = QColor(colors.accent)
        faint.setAlpha(110)
        self._faint.setPen(pg.mkPen(faint, width=1))
        self._line.setPen(pg.mkPen(colors.accent, width=2))
        self._val_line.setPen(pg.mkPen(colors.second, width=2, style=Qt.PenStyle.DashLine))
        self._val_line.setSymbolBrush(colors.second)
        self._val_line.setSymbolPen(None)
        self._best_mark.setSymbolBrush(None)
        self._best_mark.setSymbolPen(pg.mkPen(colors.text, width=2))
        self.ghost.setPen(pg.mkPen(colors.muted, width=1))
        self.val_ghost.setPen(pg.mkPen(colors.muted, width=1, style=Qt.PenStyle.DashLine))
        for curve in (self.ghost, self.val_ghost):
            curve.setOpacity(0.6)
            curve.setZValue(-1)
        self._show_legend()

    def _show_legend(self) -> None:
        colors = self._theme.colors
        train = f'<span style="color:{colors.accent}">━</span> train'
        val = f'&nbsp;&nbsp;<span style="color:{colors.second}">╍</span> validation'
        last = f'&nbsp;&nbsp;<span style="color:{colors.muted}">─</span> last run' if self.has_ghost else ""
        best = f'&nbsp;&nbsp;<span style="color:{colors.text}">○</span> best epoch' if self.best else ""
        self.legend.setText(train + val + best + last if self._has_validation else "")
