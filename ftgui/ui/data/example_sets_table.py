"""The known example sets as rows: to be searched and sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor

from ftgui.data import example_sets
from ftgui.data.example_sets import EXAMPLE_SETS, ExampleSet
from ftgui.ui.model.model_table import file_size
from ftgui.ui.toolkit.searched_list import Index, SearchedRows
from ftgui.ui.toolkit.theme import Theme

NAME, CLASSES, IMAGES, SIZE, LICENCE = range(5)


def size_words(example: ExampleSet) -> str:
    """What it costs to have it."""
    return "on this computer" if example.is_here else file_size(example.megabytes)


class ExampleTable(SearchedRows):
    """Rows are `ExampleSet`, in the order of the list until a header is clicked."""

    HEADERS = (
        ("Set", "Name"),
        ("Classes", "Number of classes"),
        ("Images", "Number of images"),
        ("Download", "Approximate size of the download"),
        ("Licence", "The licence its authors chose"),
    )

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text = ""
        self._sort: tuple[int, bool] | None = None
        self._here = frozenset(known.name for known in EXAMPLE_SETS if known.is_here)
        self.rows: list[ExampleSet] = list(EXAMPLE_SETS)

    def search(self, text: str) -> None:
        """Show those that contain every word."""
        self._text = text
        self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; -1: as they are listed."""
        self._sort = (column, order == Qt.SortOrder.DescendingOrder) if column >= 0 else None
        self._rebuild()

    def row_of(self, example: ExampleSet | None) -> int:
        """-1 if it is not shown."""
        return self.rows.index(example) if example in self.rows else -1

    def _rebuild(self) -> None:
        self.beginResetModel()
        self.rows = example_sets.search(self._text)
        if self._sort is not None:
            column, descending = self._sort
            self.rows.sort(key=self._key(column), reverse=descending)
        self.endResetModel()

    def _key(self, column: int) -> Callable[[ExampleSet], Any]:
        return {
            NAME: lambda known: known.title.lower(),
            CLASSES: lambda known: known.classes,
            IMAGES: lambda known: known.images,
            SIZE: lambda known: (known.name not in self._here, known.megabytes),
            LICENCE: lambda known: known.licence.lower(),
        }[column]

    # --- Qt's side --------------------------------------------------------------------------------------------------

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        known, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(known, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return known.teaches if column == NAME else f"{self.HEADERS[column][1]}: {self._cell(known, column)}"
        if role == Qt.ItemDataRole.ForegroundRole and column == SIZE:
            colors = self._theme.colors
            return QColor(colors.good if known.name in self._here else colors.muted)
        return None

    def _cell(self, known: ExampleSet, column: int) -> str:
        if column == NAME:
            return known.title
        if column in (CLASSES, IMAGES):
            return f"{known.classes if column == CLASSES else known.images:,}"
        return size_words(known) if column == SIZE else known.licence
