"""Top-k probabilities as named bars."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ftgui.protocol.messages import Prediction
from ftgui.ui.toolkit.basics import Bar, ElidedLabel, label
from ftgui.ui.toolkit.theme import Theme


class _Row(QWidget):
    """One class; a click or Enter chooses it."""

    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        line = QHBoxLayout()
        self.name, self.percent, self.bar = ElidedLabel(), label("", "muted"), Bar(theme)
        line.addWidget(self.name, 1)
        line.addWidget(self.percent)
        column.addLayout(line)
        column.addWidget(self.bar)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.chosen.emit(self.name.full)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.name.full)
        else:
            super().keyPressEvent(event)


class ProbabilityBars(QWidget):
    """The `rows` likeliest classes of a prediction.

    Args:
        theme: for colours.
        rows: at most so many.
        choosable: bars can be clicked and reached by keyboard.
    """

    class_chosen = Signal(str)

    def __init__(self, theme: Theme, rows: int = 5, choosable: bool = False) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        self.rows: list[_Row] = []
        """Likeliest class first; hidden where there are fewer classes."""
        for _ in range(rows):
            row = _Row(theme)
            if choosable:
                row.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                row.setCursor(Qt.CursorShape.PointingHandCursor)
                row.setToolTip("Show what in the image supports this class")
                row.chosen.connect(self.class_chosen)
            layout.addWidget(row)
            row.hide()
            self.rows.append(row)
        layout.addStretch(1)

    def clear(self) -> None:
        """Show nothing."""
        for row in self.rows:
            row.hide()

    def show_prediction(self, prediction: Prediction) -> None:
        """The likeliest classes first; ties in class order."""
        order = sorted(range(len(prediction.probabilities)), key=lambda i: -prediction.probabilities[i])
        for position, row in enumerate(self.rows):
            row.setVisible(position < len(order))
            if position < len(order):
                probability = prediction.probabilities[order[position]]
                class_name = prediction.class_names[order[position]]
                row.name.set_full(class_name)
                row.percent.setText(f"{probability * 100:.1f} %")
                row.bar.set_value(probability, "accent" if position == 0 else "muted")
                row.setAccessibleName(f"{class_name}, {probability * 100:.1f} percent")
