"""Vertical marks in a plot, told apart without colour: phases dotted with names at the top, steering dashed at the bottom."""

from __future__ import annotations

from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QColor, QFontMetrics

from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

_NEAR = 8.0
"""Pixels within which marks count as one for the mouse: the tooltip of each names them all."""

_MARGIN = 5.0
_ROWS = {"phase": 2, "steering": 3}


@dataclass
class Mark:
    """One vertical line."""

    kind: str
    """``"phase"`` or ``"steering"``."""
    step: int
    text: str
    line: pg.InfiniteLine

    @property
    def shown(self) -> str:
        """What its label says; empty where there is no room for one."""
        return self.line.label.toPlainText() if self.line.label.isVisible() else ""


class Marks(QObject):
    """All marks of one plot. Labels that would run into each other go one row further in; where no row has room, the
    mark keeps its line, the label before it counts it ("rate 3e-4 +1"), and its tooltip says the rest.

    Args:
        plot: where to; owner.
        theme: for colours.
    """

    def __init__(self, plot: pg.PlotWidget, theme: Theme) -> None:
        super().__init__(plot)
        self._plot = plot
        self._theme = theme
        self.all: list[Mark] = []
        box = plot.getPlotItem().getViewBox()
        box.sigXRangeChanged.connect(self._lay_out)
        box.sigResized.connect(self._lay_out)
        theme.changed.connect(self._recolor)

    @property
    def phases(self) -> list[Mark]:
        return [mark for mark in self.all if mark.kind == "phase"]

    @property
    def steering(self) -> list[Mark]:
        return [mark for mark in self.all if mark.kind == "steering"]

    def add(self, kind: str, step: int, text: str) -> None:
        """Another mark, at or after the last one of its kind; the same again is none: what a run's folder says of its
        beginning may be read before the engine tells it."""
        if any((mark.kind, mark.step, mark.text) == (kind, step, text) for mark in self.all):
            return
        line = pg.InfiniteLine(pos=step, angle=90, label="", labelOpts={"rotateAxis": None})
        if kind == "steering":
            line.addMarker("<|>", position=0.0, size=9)
        # Above the curves, so that labels can be read; phases highest, because steering lines cross their labels.
        line.setZValue(20 if kind == "phase" else 10)
        self._plot.addItem(line, ignoreBounds=True)
        self.all.append(Mark(kind, step, text, line))
        self._recolor()
        self._lay_out()
        words = "; ".join(f"step {mark.step:,}: {mark.text}" for mark in self.all)
        self._plot.setAccessibleDescription(f"Marks at {words}")

    def put_before(self, earlier: list[tuple[str, int, str]]) -> None:
        """Marks, as of `add`, of before those added so far, which may be among them."""
        present = [(mark.kind, mark.step, mark.text) for mark in self.all]
        marks = [mark for mark in earlier if mark not in present] + present
        self.clear()
        for kind, step, text in sorted(marks, key=lambda mark: mark[1]):
            self.add(kind, step, text)

    def clear(self) -> None:
        """For a new run."""
        for mark in self.all:
            self._plot.removeItem(mark.line)
        self.all.clear()
        self._plot.setAccessibleDescription("")

    @Slot()
    def _recolor(self) -> None:
        colors = self._theme.colors
        styles = {"phase": (colors.muted, Qt.PenStyle.DotLine), "steering": (colors.text, Qt.PenStyle.DashLine)}
        for mark in self.all:
            color, style = styles[mark.kind]
            mark.line.setPen(pg.mkPen(color, width=1, style=style))
            mark.line.label.setColor(color)
            mark.line.label.fill = pg.mkBrush(_translucent(colors.card))

    @Slot()
    def _lay_out(self) -> None:
        box = self._plot.getPlotItem().getViewBox()
        (left, right), size = box.viewRange()[0], box.size()
        if not self.all or right <= left or size.width() <= 0 or size.height() <= 0:
            return
        per_step = size.width() / (right - left)
        for marks in (self.phases, self.steering):
            self._place([(mark, (mark.step - left) * per_step) for mark in marks], size.width(), size.height())
        for mark in self.all:
            near = [m for m in self.all if abs(m.step - mark.step) * per_step <= _NEAR]
            mark.line.setToolTip(as_plain("\n".join(f"Step {m.step:,}: {m.text}" for m in near)))

    def _place(self, marks: list[tuple[Mark, float]], width: float, height: float) -> None:
        """Labels of one kind of mark, at pixels from the left."""
        metrics = QFontMetrics(self._plot.font())
        pitch = metrics.height() + 2.0
        taken: list[list[tuple[float, float]]] = [[] for _ in range(_ROWS[marks[0][0].kind])] if marks else []
        labels: list[tuple[Mark, float, int, int]] = []
        for mark, x in marks:
            room = metrics.horizontalAdvance(mark.text + " +9") + 2 * _MARGIN
            begin = x - room if x + room > width and x > room else x  # to the left of a line near the right edge
            span = (begin, begin + room)
            row = next((i for i, row in enumerate(taken) if all(span[1] < a or span[0] > b for a, b in row)), -1)
            mark.line.label.setVisible(row >= 0)
            if row >= 0:
                taken[row].append(span)
                labels.append((mark, begin - x, row, 0))
            elif labels:
                last, offset, its_row, hidden = labels[-1]
                labels[-1] = (last, offset, its_row, hidden + 1)
        for mark, offset, row, hidden in labels:
            text = mark.text + (f" +{hidden}" if hidden else "")
            label = mark.line.label
            label.anchors = [(1, 0.5) if offset else (0, 0.5)] * 2
            label.setFormat(text.replace("{", "{{").replace("}", "}}"))  # a phase's name is anybody's
            from_edge = (_MARGIN + (row + 0.5) * pitch) / height
            label.setPosition(from_edge if mark.kind == "steering" else 1 - from_edge)


def _translucent(color: str) -> QColor:
    """For behind a label: what lies there is dimmed, not gone."""
    dimmed = QColor(color)
    dimmed.setAlpha(205)
    return dimmed
