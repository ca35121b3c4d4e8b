"""A confusion table as a Qt model."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from ftgui.protocol.messages import Evaluation
from ftgui.ui.theme import Theme
from ftgui.ui.words import plural


class ConfusionModel(QAbstractTableModel):
    """Rows are true classes, columns predicted ones; shades go by the share of the row."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._names: list[str] = []
        self._counts: list[list[int]] = []

    def show_evaluation(self, evaluation: Evaluation | None) -> None:
        """Other figures, or none."""
        self.beginResetModel()
        self._names = evaluation.class_names if evaluation else []
        self._counts = evaluation.confusion if evaluation else []
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._counts)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._counts)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._names[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            kind = "predicted as" if orientation == Qt.Orientation.Horizontal else "really"
            return f"{kind} {self._names[section]}"
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        number, total = self._counts[row][column], sum(self._counts[row])
        if role == Qt.ItemDataRole.DisplayRole:
            return str(number) if number else "·"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role == Qt.ItemDataRole.BackgroundRole and number:
            color = QColor(self._theme.colors.accent if row == column else self._theme.colors.error)
            color.setAlphaF(0.12 + 0.55 * number / total)
            return color
        if role == Qt.ItemDataRole.ForegroundRole and not number:
            return QColor(self._theme.colors.muted)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            said = "rightly" if row == column else "wrongly"
            share = f"{number / total:.0%}" if total else "none"
            return f"{plural(number, 'image')} of {self._names[row]} {said} called {self._names[column]} ({share})"
        return None
