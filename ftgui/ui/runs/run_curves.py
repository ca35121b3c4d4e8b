"""Validation curves of several runs over each other, told apart without colour: by line and by symbol."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QToolButton, QWidget

from ftgui.base.formatting import plural
from ftgui.runs.details import Details
from ftgui.ui.toolkit.basics import Card, ElidedLabel, label
from ftgui.ui.toolkit.curve_plot import AXIS_WIDTH
from ftgui.ui.toolkit.theme import Colors, Theme

MOST = 6
"""Runs that are drawn; more could not be told apart."""

_MOST_SYMBOLS = 40
"""Epochs; more symbols would hide the line."""

_STYLES = (
    (Qt.PenStyle.SolidLine, "o"),
    (Qt.PenStyle.DashLine, "s"),
    (Qt.PenStyle.DotLine, "t"),
    (Qt.PenStyle.DashDotLine, "d"),
    (Qt.PenStyle.DashDotDotLine, "+"),
    (Qt.PenStyle.SolidLine, "x"),
)
_FIGURES = {"Accuracy": "val_accuracy", "Loss": "val_loss"}


def line_color(colors: Colors, number: int) -> str:
    """Of the `number`-th line."""
    return (colors.accent, colors.second, colors.good, colors.error, colors.text, colors.muted)[number]


class RunCurves(Card):
    """Accuracy or loss over epochs.

    Args:
        theme: pyqtgraph ignores the palette, so colours are set here on every change.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("Validation", parent)
        self._theme = theme
        self._details = Details([], [], [])
        self.chips: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        for name in _FIGURES:
            chip = QToolButton()
            chip.setObjectName("chip")
            chip.setText(name)
            chip.setAccessibleName(f"Plot {name.lower()}")
            chip.setToolTip(f"{name} on validation images after every epoch")
            chip.setCheckable(True)
            group.addButton(chip)
            self.header.addWidget(chip)
            self.chips[name] = chip
        self.chips["Accuracy"].setChecked(True)
        group.buttonClicked.connect(self._draw)
        self.plot = pg.PlotWidget()
        self.plot.setAcceptDrops(False)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.plot.setMinimumSize(120, 70)
        item = self.plot.getPlotItem()
        item.getViewBox().setMouseEnabled(x=True, y=False)
        item.getViewBox().setDefaultPadding(0.03)
        for side in ("left", "bottom"):
            item.getAxis(side).enableAutoSIPrefix(False)
            item.getAxis(side).setStyle(tickLength=0, maxTickLevel=0)
        item.getAxis("left").setWidth(AXIS_WIDTH)
        self.body.addWidget(self.plot, 1)
        self.said = label("", "muted", wrap=True)
        self.body.addWidget(self.said)
        self._legend = QGridLayout()
        self._legend.setHorizontalSpacing(12)
        self._legend.setVerticalSpacing(2)
        for column in range(2):
            self._legend.setColumnStretch(column, 1)
        self.body.addLayout(self._legend)
        self.names: list[ElidedLabel] = []
        self._holders: list[QWidget] = []
        theme.changed.connect(self._draw)
        self._draw()

    def show_details(self, details: Details) -> None:
        """Draw these runs."""
        self._details = details
        self._draw()

    @property
    def figure(self) -> str:
        """``"Accuracy"`` or ``"Loss"``."""
        return next(name for name, chip in self.chips.items() if chip.isChecked())

    @Slot()
    def _draw(self) -> None:
        colors = self._theme.colors
        self.plot.setBackground(colors.card)
        for side in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(colors.border))
            axis.setTextPen(pg.mkPen(colors.muted))
            axis.setGrid(30 if side == "left" else False)
        self.plot.clear()
        drawn = 0
        for number, epochs in enumerate(self._details.epochs[:MOST]):
            figures = [(epoch.epoch, getattr(epoch, _FIGURES[self.figure])) for epoch in epochs]
            points = [(x, y) for x, y in figures if math.isfinite(y)]
            if points:
                self._line(number, points)
                drawn += 1
        self.plot.setAccessibleName(f"Plot of validation {self.figure.lower()} over epochs, {plural(drawn, 'run')}")
        self._say(drawn)
        self._show_legend()

    def _line(self, number: int, points: list[tuple[int, float]]) -> None:
        color, (style, symbol) = line_color(self._theme.colors, number), _STYLES[number]
        self.plot.plot(
            [x for x, _ in points],
            [y for _, y in points],
            pen=pg.mkPen(color, width=2, style=style),
            symbol=symbol if len(points) <= _MOST_SYMBOLS else None,
            symbolSize=6,
            symbolBrush=color,
            symbolPen=pg.mkPen(color),
            antialias=True,
        )

    def _say(self, drawn: int) -> None:
        records = self._details.records
        if not records:
            text = "Select runs above to overlay their curves."
        elif not drawn:
            text = "No validation figures were kept."
        elif len(records) > MOST:
            text = f"The first {MOST} of {len(records)} selected runs; more could not be told apart."
        else:
            text = ""
        self.said.setText(text)
        self.said.setVisible(bool(text))

    def _show_legend(self) -> None:
        for holder in self._holders:
            self._legend.removeWidget(holder)
            holder.deleteLater()
        self.names, self._holders = [], []
        for number, record in enumerate(self._details.records[:MOST]):
            name = ElidedLabel()
            name.set_full(f"{record.number} · {record.name}")
            holder = QWidget()
            row = QHBoxLayout(holder)
            row.setContentsMargins(0, 0, 0, 0)
            row.addWidget(_Sample(number, self._theme))
            row.addWidget(name, 1)
            self._legend.addWidget(holder, number // 2, number % 2)
            self.names.append(name)
            self._holders.append(holder)


class _Sample(QWidget):
    """A piece of a line, for the legend."""

    def __init__(self, number: int, theme: Theme) -> None:
        super().__init__()
        self._number = number
        self._theme = theme
        self.setFixedSize(QSize(30, 12))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        color, (style, symbol) = QColor(line_color(self._theme.colors, self._number)), _STYLES[self._number]
        painter.setPen(QPen(color, 2, style))
        painter.drawLine(0, 6, 30, 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color, 1))
        painter.setBrush(color)
        painter.translate(15, 6)
        painter.scale(7, 7)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPath(pg.graphicsItems.ScatterPlotItem.Symbols[symbol])
