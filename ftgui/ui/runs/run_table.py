"""The runs of a project as a table: found and sorted in plain Python."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ftgui.base.formatting import clock, percent, plural
from ftgui.runs.record import RunRecord
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import paint_bar
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

STAR, NUMBER, NAME, ACCURACY, MODEL, DATA, DURATION, ENDED, STARTED = range(9)

_HEADERS = (
    ("", "Star runs you want to remember (S)"),
    ("Run", "Runs are numbered in the order they began"),
    ("Name", "Your name for it; F2 renames"),
    ("Accuracy", "Of the best weights, on validation images, which the model never learned from"),
    ("Model", "The backbone it started from"),
    ("Data", "Classes and images, all splits together"),
    ("Time", "How long it trained, without pauses"),
    (
        "Ended",
        "How: done, stopped by you, diverged (the learning rate was too high), failed, or crashed with the engine",
    ),
    ("Started", "When it began"),
)

SHARE = Qt.ItemDataRole.UserRole
"""Of accuracy cells: 0 to 1, or NaN."""

_Index = QModelIndex | QPersistentModelIndex

_BAR_HEIGHT = 6
_TEXT_WIDTH = 52


class RunTable(QAbstractTableModel):
    """Rows are runs, the newest first unless sorted otherwise."""

    renamed = Signal(object, str)
    """The run's record, and what it is to be called."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._all: list[RunRecord] = []
        self.rows: list[RunRecord] = []
        self._text = ""
        self._sort = (NUMBER, True)
        self._present: Path | None = None
        self._training: Path | None = None
        self._bold = QFont()
        self._bold.setWeight(QFont.Weight.DemiBold)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show_runs(self, records: Sequence[RunRecord], present: Path | None, training: Path | None) -> None:
        """All there are, which one's model is in use, and which one goes on."""
        self._all = list(records)
        self._present, self._training = present, training
        self._rebuild()

    def search(self, text: str) -> None:
        """Only those with every word of it in name, note, model, number or end."""
        if text != self._text:
            self._text = text
            self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sort = (column, order == Qt.SortOrder.DescendingOrder)
        self._rebuild()

    def row_of(self, folder: str) -> int:
        """-1 if it is not shown."""
        return next((i for i, record in enumerate(self.rows) if record.folder == folder), -1)

    def _rebuild(self) -> None:
        words = self._text.lower().split()
        found = [record for record in self._all if all(word in self._haystack(record) for word in words)]
        column, descending = self._sort
        rows = sorted(found, key=self._key(column), reverse=descending)
        if [record.folder for record in rows] == [record.folder for record in self.rows]:
            self.rows = rows  # a selection outlives this, but not a reset
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_HEADERS) - 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def _haystack(self, record: RunRecord) -> str:
        return f"{record.number} {record.name} {record.note} {record.model} {self.ended(record)}".lower()

    def _key(self, column: int) -> Callable[[RunRecord], Any]:
        return {
            STAR: lambda r: (r.starred, r.number),
            NUMBER: lambda r: r.number,
            NAME: lambda r: r.name.lower(),
            ACCURACY: lambda r: -1.0 if math.isnan(r.best_accuracy) else r.best_accuracy,
            MODEL: lambda r: (r.model, r.number),
            DATA: lambda r: (r.images, r.data, r.number),
            DURATION: lambda r: -1.0 if math.isnan(r.seconds) else r.seconds,
            ENDED: lambda r: (self.ended(r), r.number),
            STARTED: lambda r: r.started,
        }[column]

    def ended(self, record: RunRecord) -> str:
        """How, in a word; of a run that goes on, that it does."""
        return "training" if record.path == self._training else record.ended

    # --- Qt's side --------------------------------------------------------------------------------------------------

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - an invalid index is a constant
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _HEADERS[section][0]
        if role == Qt.ItemDataRole.ToolTipRole:
            return _HEADERS[section][1]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == NAME else flags

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or index.column() != NAME:
            return False
        record = self.rows[index.row()]
        if str(value).strip() != record.name:
            self.renamed.emit(record, str(value).strip())
        return True

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        record, column = self.rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._cell(record, column)
        if role == SHARE and column == ACCURACY:
            return record.best_accuracy
        if role == Qt.ItemDataRole.ForegroundRole:
            color = self._color(record, column)
            return QColor(color) if color else None
        if role == Qt.ItemDataRole.DecorationRole and column == NAME and record.path == self._present:
            return icons.icon("circle-check", self._theme.colors.good, 14)
        if role == Qt.ItemDataRole.FontRole:
            return self._bold if column == NAME and record.path == self._present else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_plain(self._tip(record, column))
        if role == Qt.ItemDataRole.AccessibleTextRole and column == STAR:
            return "starred" if record.starred else "not starred"
        if role == Qt.ItemDataRole.AccessibleTextRole and column == NAME:
            return f"{record.name}, in use" if record.path == self._present else record.name
        return None

    def _cell(self, record: RunRecord, column: int) -> str:
        if column == STAR:
            return "★" if record.starred else "☆"
        if column == NUMBER:
            return str(record.number)
        if column == NAME:
            return record.name
        if column == ACCURACY:
            return percent(record.best_accuracy)
        if column == MODEL:
            return record.model or "–"
        if column == DATA:
            return f"{record.classes} · {record.images:,}" if record.images else "–"
        if column == DURATION:
            return "–" if math.isnan(record.seconds) else clock(record.seconds)
        return self.ended(record) if column == ENDED else _when(record)

    def _color(self, record: RunRecord, column: int) -> str:
        colors = self._theme.colors
        if column == STAR:
            return colors.second if record.starred else colors.muted
        if column == ENDED:
            ended = self.ended(record)
            bad = ended in ("crashed", "failed", "exploded")
            return colors.error if bad else colors.good if ended == "training" else colors.muted
        if column == NAME:
            return colors.warning if record.problems and record.path != self._training else ""
        return "" if column == ACCURACY else colors.muted

    def _tip(self, record: RunRecord, column: int) -> str:
        if column == DATA and record.images:
            splits = ", ".join(f"{count:,} {split}" for split, count in record.counts.items())
            return f"{plural(record.classes, 'class')}, {plural(record.images, 'image')}: {splits}\nImage list {record.data}"
        if column == ENDED:
            return record.ending
        lines = [record.name, *([record.note] if record.note else []), *record.problems]
        if record.path == self._present:
            lines.append("Its model is the one in use")
        return "\n".join(lines) if column == NAME else self._cell(record, column)


def _when(record: RunRecord) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(record.started)) if record.started else "–"


class AccuracyBars(QStyledItemDelegate):
    """A bar and its number, on the row's own ground."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        option = QStyleOptionViewItem(option)
        self.initStyleOption(option, index)
        option.text = ""
        style, colors = option.widget.style(), self._theme.colors
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        area = QRectF(option.rect.adjusted(4, 0, -6, 0))
        text = QRectF(area.left(), area.top(), _TEXT_WIDTH, area.height())
        painter.setPen(QColor(colors.text))
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, index.data())
        share = index.data(SHARE)
        if not math.isnan(share) and area.width() > _TEXT_WIDTH + 12:
            bar = QRectF(text.right(), area.center().y() - _BAR_HEIGHT / 2, area.width() - _TEXT_WIDTH, _BAR_HEIGHT)
            paint_bar(painter, bar, share, colors.accent, colors.track)
        painter.restore()
