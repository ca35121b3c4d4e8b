"""Top-k probabilities as named bars."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ftgui.protocol.messages import Prediction
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.basics import Bar, ElidedLabel, label


class ProbabilityBars(QWidget):
    """The `rows` likeliest classes of a prediction."""

    def __init__(self, theme: Theme, rows: int = 5, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        self._rows: list[tuple[QWidget, ElidedLabel, QLabel, Bar]] = []
        for _ in range(rows):
            holder = QWidget()
            column = QVBoxLayout(holder)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(4)
            line = QHBoxLayout()
            name, percent, bar = ElidedLabel(), label("", "muted"), Bar(theme)
            line.addWidget(name, 1)
            line.addWidget(percent)
            column.addLayout(line)
            column.addWidget(bar)
            layout.addWidget(holder)
            holder.hide()
            self._rows.append((holder, name, percent, bar))
        layout.addStretch(1)

    def clear(self) -> None:
        """Show nothing."""
        for holder, *_ in self._rows:
            holder.hide()

    def show_prediction(self, prediction: Prediction) -> None:
        """The likeliest classes first; ties in class order."""
        order = sorted(range(len(prediction.probabilities)), key=lambda i: -prediction.probabilities[i])
        for position, (holder, name, percent, bar) in enumerate(self._rows):
            holder.setVisible(position < len(order))
            if position < len(order):
                probability = prediction.probabilities[order[position]]
                class_name = prediction.class_names[order[position]]
                name.set_full(class_name)
                percent.setText(f"{probability * 100:.1f} %")
                bar.set_value(probability, "accent" if position == 0 else "muted")
                holder.setAccessibleName(f"{class_name}, {probability * 100:.1f} percent")
