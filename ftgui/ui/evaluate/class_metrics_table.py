"""Precision, recall, F1 and support of every class: a table that sorts by its header, and leads to a class's mistakes."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QStyleOptionViewItem, QTableView

from ftgui.base.formatting import plural
from ftgui.data.metrics import ClassFigures
from ftgui.ui.toolkit.basics import paint_bar
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

NAME, PRECISION, RECALL, F1, SUPPORT = range(5)
_TITLES = ("Class", "Precision", "Recall", "F1", "Images")
_TIPS = (
    "",
    "Of the images the model puts in this class, the share that belong there. Low: it gives this answer too readily.",
    "Of the images that belong to this class, the share the model recognises. Low: it overlooks this class.",
    "One number for both: their harmonic mean, which is low as soon as one of them is.",
    "How many images are of this class. With few of them, all three numbers say little.",
)
_BAR_HEIGHT = 4
_TEXT_WIDTH = 36

Row = tuple[str, float, float, float, int]


class ClassFiguresModel(QAbstractTableModel):
    """One row per class."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._sorted_by, self._descending = F1, False

    def show_figures(self, class_names: list[str], figures: ClassFigures) -> None:
        """Other figures."""
        self.beginResetModel()
        columns = (figures.precision, figures.recall, figures.f1, figures.support)
        self._rows = list(zip(class_names, *(column.tolist() for column in columns), strict=True))
        self._sort()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted_by, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self.layoutAboutToBeChanged.emit()
        self._sort()
        self.layoutChanged.emit()

    def _sort(self) -> None:
        column = self._sorted_by

        def key(row: Row) -> tuple[bool, Any]:
            value = row[column]
            unknown = isinstance(value, float) and math.isnan(value)
            return unknown != self._descending, 0 if unknown else value  # what is not known comes last, either way

        self._rows.sort(key=key, reverse=self._descending)

    def name_at(self, row: int) -> str:
        return self._rows[row][0]

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        return _TIPS[section] or None if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        value = row[column]
        if role == Qt.ItemDataRole.DisplayRole:
            if isinstance(value, float):
                return "–" if math.isnan(value) else f"{value:.0%}"
            return f"{value:,}" if isinstance(value, int) else value
        if role == Qt.ItemDataRole.UserRole:
            return value
        if role == Qt.ItemDataRole.TextAlignmentRole and column == SUPPORT:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            name, precision, recall, f1, support = row
            figures = f"precision {precision:.1%}, recall {recall:.1%}, F1 {f1:.1%}".replace("nan%", "not known")
            text = f"{name}: {figures}, {plural(support, 'image')}"
            return as_plain(text) if role == Qt.ItemDataRole.ToolTipRole else text
        return None


class ShareBars(QStyledItemDelegate):
    """A share as a number with a bar below it.

    Args:
        theme: for colours.
        parent: owner.
    """

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        self.initStyleOption(option, index)
        option.text = ""
        option.widget.style().drawControl(option.widget.style().ControlElement.CE_ItemViewItem, option, painter)
        share, colors = index.data(Qt.ItemDataRole.UserRole), self._theme.colors
        painter.save()
        area = QRectF(option.rect.adjusted(4, 0, -6, 0))
        text = QRectF(area.right() - _TEXT_WIDTH, area.top(), _TEXT_WIDTH, area.height())
        painter.setPen(colors.text)
        painter.drawText(text, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, index.data())
        bar = QRectF(area.left(), area.center().y() - _BAR_HEIGHT / 2, area.width() - _TEXT_WIDTH - 4, _BAR_HEIGHT)
        if not math.isnan(share) and bar.width() > 8:
            paint_bar(painter, bar, share, colors.accent if share >= 0.5 else colors.warning, colors.track)
        painter.restore()


class ClassMetricsTable(QTableView):
    """The classes that are recognised worst first; a click or Enter chooses one.

    Args:
        theme: for colours.
    """

    class_chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.figures = ClassFiguresModel(self)
        self.setModel(self.figures)
        bars = ShareBars(theme, self)
        for column in range(NAME + 1, SUPPORT):
            self.setItemDelegateForColumn(column, bars)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setAcceptDrops(False)
        self.setShowGrid(False)
        self.setSortingEnabled(True)
        self.sortByColumn(F1, Qt.SortOrder.AscendingOrder)
        self.setAccessibleName("Figures for every class; a click shows its mistakes")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(SUPPORT, QHeaderView.ResizeMode.ResizeToContents)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.clicked.connect(self._chosen)
        self.activated.connect(self._chosen)
        theme.changed.connect(self.viewport().update)

    @Slot(QModelIndex)
    def _chosen(self, index: QModelIndex) -> None:
        self.class_chosen.emit(self.figures.name_at(index.row()))
