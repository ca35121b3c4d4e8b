"""The known models as a table: searched, filtered and sorted in plain Python, which takes a few milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor, QFont

from ftgui.base.formatting import count
from ftgui.data.model_zoo import GOOD_FIRST_CHOICES, SMALL, KnownModel, Source, find
from ftgui.ui.toolkit.searched_list import Index, SearchedRows
from ftgui.ui.toolkit.theme import Theme

NAME, PARAMETERS, INPUT, LICENCE, WEIGHTS = range(5)

REASON = Qt.ItemDataRole.UserRole
"""Why a model is a good first choice; only of the name's cells."""

FILTERS: dict[str, tuple[str, str]] = {
    "here": ("on this computer", "Only models that can be used at once, without a download"),
    "torchvision": ("torchvision", "Only models of torchvision"),
    "timm": ("timm", "Only models of timm"),
    "commercial": ("commercial use allowed", "Only weights under a licence that clearly allows commercial use"),
    "small": ("small (<10 M)", "Only models below 10 million parameters: quick without a GPU"),
}
"""Key: text and tooltip of its chip."""


def file_size(megabytes: int) -> str:
    """E.g. ``"98 MB"``, ``"2.4 GB"``."""
    return f"{megabytes:,} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


class ModelTable(SearchedRows):
    """Rows are models and, while nothing is typed or sorted, the headings of the groups they stand in.

    Args:
        models: all there are.
        here: names of those whose weights need no download.
        recent: names chosen lately, the newest first.
    """

    HEADERS = (
        ("Model", "Its name in timm or torchvision; what follows the dot says how the weights were trained"),
        (
            "Parameters",
            "Numbers the model consists of: with more, it can learn finer differences, but needs more time, memory and images",
        ),
        ("Input", "Size of the image the model sees, in pixels; larger shows finer detail but is slower"),
        ("Licence", "Of the pretrained weights: what you may do with a model made from them"),
        ("Weights", "Whether the pretrained weights are already here or will be downloaded once"),
    )

    def __init__(
        self,
        models: tuple[KnownModel, ...],
        here: frozenset[str],
        recent: list[str],
        theme: Theme,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._here = here
        self._recent = recent
        self._theme = theme
        self._text = ""
        self._filters: frozenset[str] = frozenset()
        self._sort: tuple[int, bool] | None = None
        self.rows: list[KnownModel | str] = []
        """A string is a heading."""
        self._bold = QFont()
        self._bold.setWeight(QFont.Weight.DemiBold)
        self._rebuild()

    # --- what is shown ----------------------------------------------------------------------------------------------

    def search(self, text: str, filters: frozenset[str]) -> None:
        """Show the models that contain every word of `text` and pass every filter."""
        if (text, filters) != (self._text, self._filters):
            self._text, self._filters = text, filters
            self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; -1: recent and good ones first."""
        self._sort = (column, order == Qt.SortOrder.DescendingOrder) if column >= 0 else None
        self._rebuild()

    @property
    def found(self) -> int:
        """Models shown, each counted once."""
        return len({row.name for row in self.rows if isinstance(row, KnownModel)})

    def row_of(self, name: str) -> int:
        """The first row of a model, -1 if it is not shown."""
        return next((i for i, row in enumerate(self.rows) if isinstance(row, KnownModel) and row.name == name), -1)

    def headings(self) -> list[int]:
        """Rows that are no models."""
        return [i for i, row in enumerate(self.rows) if isinstance(row, str)]

    def _rebuild(self) -> None:
        self.beginResetModel()
        self.rows = self._wanted()
        self.endResetModel()

    def _wanted(self) -> list[KnownModel | str]:
        words = self._text.lower().split()
        tests = [self._test(key) for key in self._filters]
        found = [
            model
            for model in self._models
            if all(word in model.haystack for word in words) and all(test(model) for test in tests)
        ]
        if self._sort is not None:
            column, descending = self._sort
            return [*sorted(found, key=self._key(column), reverse=descending)]
        by_name = {model.name: model for model in found}
        recent = [by_name[name] for name in self._recent if name in by_name]
        good = [by_name[name] for name in GOOD_FIRST_CHOICES if name in by_name]
        if not words:
            groups = {"Recently used": recent, "Good first choices": good, f"All {len(found):,} models": found}
            rows: list[KnownModel | str] = []
            for title, members in groups.items():
                rows += [title, *members] if members else []
            return rows
        meant = find(self._text.strip())  # typed in full: it must not stand behind longer names
        first = dict.fromkeys([*([meant] if meant in found else []), *recent, *good])
        return [*first, *(model for model in found if model not in first)]

    def _test(self, key: str) -> Callable[[KnownModel], bool]:
        return {
            "here": lambda model: model.name in self._here,
            "torchvision": lambda model: model.family == "torchvision",
            "timm": lambda model: model.family == "timm",
            "commercial": lambda model: model.commercial is True,
            "small": lambda model: model.parameters < SMALL,
        }[key]

    def _key(self, column: int) -> Callable[[KnownModel], Any]:
        return {
            NAME: lambda model: model.name,
            PARAMETERS: lambda model: model.parameters,
            INPUT: lambda model: model.input,
            LICENCE: lambda model: (not model.licence, model.licence.lower()),
            WEIGHTS: lambda model: (model.source is Source.NONE, model.name not in self._here, model.megabytes),
        }[column]

    def weights_words(self, model: KnownModel) -> str:
        """Where its pretrained weights are."""
        if model.source is Source.NONE:
            return "do not exist"
        if model.source is Source.PACKAGED:
            return "come with ftgui"
        return "on this computer" if model.name in self._here else f"to download, {file_size(model.megabytes)}"

    # --- Qt's side --------------------------------------------------------------------------------------------------

    def flags(self, index: Index) -> Qt.ItemFlag:
        if isinstance(self.rows[index.row()], str):
            return Qt.ItemFlag.NoItemFlags  # the arrow keys pass over it
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        if isinstance(row, str):
            return self._heading(row, column, role)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(row, column)
        if role == REASON and column == NAME:
            return GOOD_FIRST_CHOICES.get(row.name, "")
        if role == Qt.ItemDataRole.ForegroundRole:
            color = self._color(row, column)
            return QColor(color) if color else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row.name}\n{self.HEADERS[column][1]}: {self._cell(row, column)}"
        return None

    def _heading(self, title: str, column: int, role: int) -> Any:
        if column != NAME:
            return None
        if role == Qt.ItemDataRole.FontRole:
            return self._bold
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(self._theme.colors.muted)
        return title if role == Qt.ItemDataRole.DisplayRole else None

    def _cell(self, model: KnownModel, column: int) -> str:
        if column == NAME:
            return model.name
        if column == PARAMETERS:
            return count(model.parameters)
        if column == INPUT:
            return f"{model.input} × {model.input}"
        return model.licence_words if column == LICENCE else self.weights_words(model)

    def _color(self, model: KnownModel, column: int) -> str:
        colors = self._theme.colors
        if column == LICENCE:
            return {True: "", False: colors.warning, None: colors.muted}[model.commercial]
        if column == WEIGHTS:
            return colors.good if model.name in self._here else colors.muted
        return ""
