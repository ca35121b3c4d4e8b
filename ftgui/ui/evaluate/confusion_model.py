"""A confusion matrix as a Qt model: counted or as shares, in order of names or of mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from ftgui.base.formatting import plural
from ftgui.data.metrics import Counts
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

_FAINTEST, _STRONGEST = 0.10, 0.65
"""Opacity of a shade."""


class ConfusionModel(QAbstractTableModel):
    """Rows are true classes, columns what the model said; shades go by the share of the row.

    Args:
        theme: for colours.
        parent: owner.
    """

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._names: list[str] = []
        self._counts: Counts = np.zeros((0, 0), np.int64)
        self._totals: Counts = np.zeros(0, np.int64)
        self._order: list[int] = []
        self.shares = False
        """Shown are shares of the row instead of counts."""
        self.by_mistakes = False
        """Classes with the most mistakes come first."""

    def show_matrix(self, class_names: list[str], counts: Counts) -> None:
        """Other figures.

        Args:
            class_names: K.
            counts: (K, K), rows true.
        """
        self.beginResetModel()
        self._names, self._counts, self._totals = class_names, counts, counts.sum(1)
        self._sort()
        self.endResetModel()

    def show_as(self, shares: bool, by_mistakes: bool) -> None:
        """Counted or as shares; in order of names or of mistakes."""
        self.beginResetModel()
        self.shares, self.by_mistakes = shares, by_mistakes
        self._sort()
        self.endResetModel()

    def _sort(self) -> None:
        order = np.arange(len(self._names))
        if self.by_mistakes and len(order):
            hits = np.diag(self._counts)
            mistakes = (self._totals - hits) + (self._counts.sum(0) - hits)
            order = np.argsort(-mistakes, kind="stable")
        self._order = order.tolist()

    def names_at(self, index: QModelIndex | QPersistentModelIndex) -> tuple[str, str]:
        """True class and answer of a cell."""
        return self._names[self._order[index.row()]], self._names[self._order[index.column()]]

    def place_of(self, label: str, answer: str) -> QModelIndex:
        """The cell of a class and an answer; an invalid one if there is none."""
        if label not in self._names or answer not in self._names:
            return QModelIndex()
        row, column = (self._order.index(self._names.index(name)) for name in (label, answer))
        return self.index(row, column)

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._order)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if section >= len(self._order):
            return None
        name = self._names[self._order[section]]
        if role == Qt.ItemDataRole.DisplayRole:
            return name
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_plain(f"Answered “{name}”" if orientation == Qt.Orientation.Horizontal else f"Really “{name}”")
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self._order[index.row()], self._order[index.column()]
        number, total = int(self._counts[row, column]), int(self._totals[row])
        if role == Qt.ItemDataRole.DisplayRole:
            return "" if not number else f"{number / total * 100:.0f}" if self.shares else f"{number}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role == Qt.ItemDataRole.BackgroundRole and number:
            color = QColor(self._theme.colors.accent if row == column else self._theme.colors.error)
            color.setAlphaF(_FAINTEST + (_STRONGEST - _FAINTEST) * number / total)
            return color
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            label, answer = self._names[row], self._names[column]
            share = f" ({number / total:.0%})" if total else ""
            called = "recognised" if row == column else f"taken for “{answer}”"
            text = f"{plural(number, 'image')} of “{label}” {called}{share}"
            return as_plain(text) if role == Qt.ItemDataRole.ToolTipRole else text
        return None
