"""Recall per class as a Qt model, worst first."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from ftgui.protocol.messages import Evaluation
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.basics import paint_bar
from ftgui.ui.words import plural

NAME, RECALL = range(2)
_BAR_HEIGHT = 6
_TEXT_WIDTH = 44


class RecallModel(QAbstractTableModel):
    """One row per class that has validation images."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[float, str, int, int]] = []

    def show_evaluation(self, evaluation: Evaluation | None) -> None:
        """Other figures, or none."""
        self.beginResetModel()
        counts = enumerate(evaluation.confusion) if evaluation else ()
        names = evaluation.class_names if evaluation else []
        rows = [(line[i] / sum(line), names[i], line[i], sum(line)) for i, line in counts if sum(line)]
        self._rows = sorted(rows, key=lambda row: row[0])  # stable: classes alike stay in their order
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return ("Class", "Recall")[section]
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        recall, name, right, total = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return name if index.column() == NAME else f"{recall:.0%}"
        if role == Qt.ItemDataRole.UserRole and index.column() == RECALL:
            return recall
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{right:,} of {plural(total, 'validation image')} of {name} recognised ({recall:.0%})"
        return None


class RecallBars(QStyledItemDelegate):
    """A bar and its number."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        recall, colors = index.data(Qt.ItemDataRole.UserRole), self._theme.colors
        painter.save()
        area = QRectF(option.rect.adjusted(4, 0, -4, 0))
        text = QRectF(area.right() - _TEXT_WIDTH, area.top(), _TEXT_WIDTH, area.height())
        painter.setPen(colors.text)
        painter.drawText(text, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, index.data())
        top = area.center().y() - _BAR_HEIGHT / 2
        bar = QRectF(area.left(), top, area.width() - _TEXT_WIDTH, _BAR_HEIGHT)
        paint_bar(painter, bar, recall, colors.accent if recall >= 0.5 else colors.warning, colors.track)
        painter.restore()
