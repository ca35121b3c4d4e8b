"""A small drawing of the learning rate over a phase."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from ftgui.base.formatting import plural
from ftgui.protocol.lr_schedule import learning_rate
from ftgui.ui.toolkit.theme import Theme

_HEIGHT = 40
_MOST_CURVES = 5
_FINEST = 96
"""Parts a curve is drawn in."""


class ScheduleView(QWidget):
    """Warm-up and cosine as they will be applied; with a layer decay, dimmer curves for the stages towards the input."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._steps, self._warmup, self._layer_decay, self._groups = 1, 0.0, 1.0, 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Learning rate over the phase")
        self.setToolTip(
            "The learning rate over this phase: it rises during the warm-up, then falls to 0, so that the last steps only\n"
            "settle what was learned. Dimmer curves are the stages towards the input, which learn more slowly by the layer decay."
        )
        theme.changed.connect(self.update)

    def show_schedule(self, steps: int, warmup: float, layer_decay: float, groups: int) -> None:
        """
        Args:
            steps: optimizer steps of the phase.
            warmup: share of them.
            layer_decay: from one stage to the one before it.
            groups: stages that learn.
        """
        self._steps, self._warmup = max(steps, 1), min(max(warmup, 0.0), 1.0)
        self._layer_decay = min(max(layer_decay, 0.0), 1.0)
        self._groups = groups if self._layer_decay < 1 else 1
        self.setAccessibleDescription(
            f"{plural(steps, 'step')}, warm-up {warmup:.0%}"
            + (f", layer decay {layer_decay:g}" if self._groups > 1 else "")
        )
        self.update()

    def curves(self) -> list[list[float]]:
        """Heights of each curve from left to right, 1 = the peak; the first is the last layers'."""
        last = min(self._steps, _FINEST)  # more points than steps would draw stairs
        at = [round(i * self._steps / last) for i in range(last + 1)]
        first = [learning_rate(1.0, step, self._steps, self._warmup) for step in at]
        shown = min(self._groups, _MOST_CURVES)
        return [[height * self._layer_decay**number for height in first] for number in range(shown)]

    def sizeHint(self) -> QSize:
        return QSize(160, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = self._theme.colors
        area = QRectF(self.rect()).adjusted(1, 3, -1, -2)
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        curves = self.curves()
        for number, heights in reversed(list(enumerate(curves))):
            color = QColor(colors.accent if self.isEnabled() else colors.muted)
            color.setAlphaF(1.0 if number == 0 else max(0.55 - 0.1 * number, 0.2))
            painter.setPen(QPen(color, 1.6 if number == 0 else 1.1))
            line = _line(heights, area)
            painter.drawPolyline(line)
            if number == 0:
                color.setAlphaF(0.10)
                painter.setBrush(color)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.drawPolygon(QPolygonF([area.bottomLeft(), *line, area.bottomRight()]))


def _line(heights: list[float], area: QRectF) -> list[QPointF]:
    wide = area.width() / (len(heights) - 1)
    return [QPointF(area.left() + wide * i, area.bottom() - area.height() * h) for i, h in enumerate(heights)]
