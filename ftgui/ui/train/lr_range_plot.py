"""Loss against learning rate, with a line to be dragged."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent

from ftgui.protocol.rates import rate
from ftgui.ui.toolkit.theme import Theme

LOWEST, HIGHEST = 1e-6, 1.0
"""What the plot shows, and the range in which the engine tests."""

AXIS_WIDTH = 60
"""Pixels, or the curve would move when its axis gets numbers."""

_NUDGE = 0.05
"""Of a power of ten, for one press of a key."""


class RatePlot(pg.PlotWidget):  # type: ignore[misc]
    """The curve grows while it is measured; afterwards there is a line.

    Args:
        theme: pyqtgraph ignores the palette, so colours are set here on every change.
    """

    rate_chosen = Signal(float)
    """The person has moved the line."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rates: list[float] = []
        self._losses: list[float] = []
        self.setAccessibleName("Plot of the loss against the learning rate")
        self.setToolTip("Drag the line, or press Left and Right: it says which rate would be used")
        self.setAcceptDrops(False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.setMinimumSize(200, 140)
        item = self.getPlotItem()
        item.getViewBox().setMouseEnabled(x=False, y=False)
        item.setXRange(math.log10(LOWEST), math.log10(HIGHEST), padding=0.05)
        item.enableAutoRange(x=False, y=True)
        bottom = item.getAxis("bottom")
        exponents = range(round(math.log10(LOWEST)), round(math.log10(HIGHEST)) + 1)
        bottom.setTicks([[(exponent, rate(10.0**exponent)) for exponent in exponents]])
        for side in ("left", "bottom"):
            item.getAxis(side).enableAutoSIPrefix(False)
        item.setLabel("bottom", "learning rate")
        item.setLabel("left", "loss")
        self.curve = self.plot([], [])
        self.line = pg.InfiniteLine(
            angle=90,
            movable=True,
            bounds=(math.log10(LOWEST), math.log10(HIGHEST)),
            label="",
            labelOpts={"position": 0.92, "anchors": [(0, 0.5), (1, 0.5)], "movable": False},
        )
        self.line.hide()
        self.addItem(self.line, ignoreBounds=True)
        self.line.sigDragged.connect(self._dragged)
        item.getAxis("left").setWidth(AXIS_WIDTH)
        theme.changed.connect(self._recolor)
        self._recolor()
        self._draw()

    # --- curve ------------------------------------------------------------------------------------------------------

    @property
    def points(self) -> int:
        """Measured so far."""
        return len(self._rates)

    def empty(self) -> None:
        """No curve, no line. (`clear` is the base class's, which would remove the very items.)"""
        self._rates, self._losses = [], []
        self._draw()
        self.line.hide()

    def add(self, lr: float, loss: float) -> None:
        """One more point at the right."""
        self._rates.append(math.log10(lr))
        self._losses.append(loss)
        self._draw()

    def show_curve(self, rates: list[float], losses: list[float]) -> None:
        """All of it."""
        self._rates = [math.log10(lr) for lr in rates]
        self._losses = list(losses)
        self._draw()

    def _draw(self) -> None:
        self.curve.setData(self._rates, self._losses)
        # Without a curve the numbers would be pyqtgraph's invention.
        self.getPlotItem().getAxis("left").setStyle(showValues=bool(self._rates))

    # --- line -------------------------------------------------------------------------------------------------------

    @property
    def has_line(self) -> bool:
        return bool(self.line.isVisible())

    @property
    def rate(self) -> float:
        """Where the line stands, in two figures: more would claim what the test can't know."""
        return float(f"{10 ** self.line.value():.1e}")

    def show_line(self, lr: float) -> None:
        """Put the line at a rate; `rate_chosen` is not emitted."""
        self.line.setValue(math.log10(min(max(lr, LOWEST), HIGHEST)))
        self.line.show()
        self._write_rate()

    def _write_rate(self) -> None:
        self.line.label.setFormat(rate(self.rate))

    @Slot(object)
    def _dragged(self, _line: object) -> None:
        self._write_rate()
        self.rate_chosen.emit(self.rate)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Left: -_NUDGE, Qt.Key.Key_Right: _NUDGE}.get(Qt.Key(event.key()))
        if by is None or not self.has_line:
            super().keyPressEvent(event)
            return
        self.line.setValue(self.line.value() + by)
        self._dragged(self.line)

    # --- colours ----------------------------------------------------------------------------------------------------

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._recolor()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._recolor()

    @Slot()
    def _recolor(self) -> None:
        colors = self._theme.colors
        self.setBackground(colors.card)
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(colors.border))
            axis.setTextPen(pg.mkPen(colors.muted))
            axis.setStyle(tickLength=0, maxTickLevel=0)
            axis.setGrid(30 if side == "left" else False)
        self.curve.setPen(pg.mkPen(colors.accent, width=2))
        width = 3 if self.hasFocus() else 2  # which keys it takes should be seen
        self.line.setPen(pg.mkPen(colors.second, width=width, style=Qt.PenStyle.DashLine))
        self.line.setHoverPen(pg.mkPen(colors.text, width=3))
        self.line.label.setColor(colors.text)
