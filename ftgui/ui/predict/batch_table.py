"""Answers about many files as a Qt model: the first of them, however many there are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from ftgui.protocol.messages import PredictedFiles
from ftgui.ui.toolkit.plain_text import as_plain

MOST_ROWS = 5000
"""Shown; the table on disk has all."""
_TITLES = ("File", "Answer", "Probability")


class AnswersModel(QAbstractTableModel):
    """Grows at the end."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[str, str, float, str]] = []

    def clear(self) -> None:
        self.beginResetModel()
        self._rows = []
        self.endResetModel()

    def add(self, event: PredictedFiles) -> None:
        """More answers; those beyond `MOST_ROWS` are not shown."""
        rows = list(zip(event.paths, event.answers, event.confidences, event.problems, strict=True))
        rows = rows[: MOST_ROWS - len(self._rows)]
        if rows:
            self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows) + len(rows) - 1)
            self._rows += rows
            self.endInsertRows()

    def path_at(self, row: int) -> Path:
        return Path(self._rows[row][0])

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return _TITLES[section]
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        path, answer, confidence, problem = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            known = "" if math.isnan(confidence) else f"{confidence * 100:.1f} %"
            return (Path(path).name, answer or problem, known)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_plain(f"{path}\n{problem or answer}")
        return None
