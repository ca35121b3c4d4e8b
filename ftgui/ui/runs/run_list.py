"""The list of runs: found by typing, sorted by header, several selected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QLineEdit, QTableView, QWidget

from ftgui.base.formatting import plural
from ftgui.runs.record import RunRecord
from ftgui.ui.runs.run_table import (
    ACCURACY,
    DATA,
    DURATION,
    ENDED,
    MODEL,
    NAME,
    NUMBER,
    STAR,
    STARTED,
    AccuracyBars,
    RunTable,
)
from ftgui.ui.toolkit.basics import Card, ElidedLabel
from ftgui.ui.toolkit.theme import Theme

_WIDTHS = {STAR: 30, NUMBER: 46, ACCURACY: 112, MODEL: 150, DATA: 86, DURATION: 66, ENDED: 76, STARTED: 126}
_NARROW = 780
"""Pixels of the table: below, the date is left to the details and the model's column is smaller."""
_NARROW_MODEL = 96
_NARROWEST = 560
"""Below, the model and the duration are left to the details too."""


class _Table(QTableView):
    def keyboardSearch(self, _typed: str) -> None:
        """Letters lead nowhere: a name typed here would choose another run, and its S give that one a star."""


class RunList(Card):
    """A search field with room for buttons in `bar`, the table, and below it a line with room at the right in `footer`."""

    selected = Signal()
    """Other runs, or others of them."""
    renamed = Signal(object, str)
    """Record, what it is to be called."""
    star_toggled = Signal(object)
    """Record."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._wanted: list[str] = []
        """Folders of the selected runs; a reset of the table forgets them."""
        self._total = 0
        self.bar = QHBoxLayout()
        self.bar.setSpacing(6)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find runs")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Find runs")
        self.search.setToolTip("By name, note, model, number or how they ended (Ctrl+F or /)")
        self.search.setMinimumWidth(90)
        self.bar.addWidget(self.search, 1)
        self.body.addLayout(self.bar)
        self.model = RunTable(theme, self)
        self.table = self._make_table(theme)
        self.body.addWidget(self.table, 1)
        self.footer = QHBoxLayout()
        self.said = ElidedLabel()
        self.footer.addWidget(self.said, 1)
        self.body.addLayout(self.footer)
        self.search.textChanged.connect(self._search)
        self.model.renamed.connect(self.renamed)
        theme.changed.connect(self.table.viewport().update)

    def _make_table(self, theme: Theme) -> QTableView:
        table = _Table()
        table.setModel(self.model)
        table.setItemDelegateForColumn(ACCURACY, AccuracyBars(theme, table))
        table.setFrameShape(QTableView.Shape.NoFrame)
        table.setShowGrid(False)
        table.setAcceptDrops(False)
        table.setWordWrap(False)
        table.setAccessibleName("Runs")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setTabKeyNavigation(False)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(28)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(24)
        for column, width in _WIDTHS.items():
            header.resizeSection(column, width)
        header.setSortIndicator(NUMBER, Qt.SortOrder.DescendingOrder)
        table.setSortingEnabled(True)
        header.sortIndicatorChanged.connect(lambda *_: table.scrollToTop())  # the best, longest or newest is wanted
        table.clicked.connect(self._clicked)
        table.installEventFilter(self)
        table.selectionModel().selectionChanged.connect(self._selected)
        self.model.modelReset.connect(self._select_again)
        return table

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show_runs(self, records: Sequence[RunRecord], present: Path | None, training: Path | None) -> None:
        """All there are. `selected` is emitted if something about the selected ones is new."""
        before = self.chosen()
        self._total = len(records)
        self.model.show_runs(records, present, training)
        if self.chosen() != before:
            self._selected()
        self._say()

    def chosen(self) -> list[RunRecord]:
        """The selected runs, in the table's order."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        return [self.model.rows[row] for row in rows]

    @Slot()
    def _selected(self) -> None:
        self._wanted = [record.folder for record in self.chosen()]
        self._say()
        self.selected.emit()

    @Slot()
    def _select_again(self) -> None:
        """After a reset: what was selected and is still there, or else the first run."""
        rows = [row for row in map(self.model.row_of, self._wanted) if row >= 0]
        selection = self.table.selectionModel()
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        for row in rows or [0] * bool(self.model.rows):
            selection.select(self.model.index(row, 0), flags)
        if rows or self.model.rows:
            selection.setCurrentIndex(self.model.index((rows or [0])[0], NAME), selection.SelectionFlag.NoUpdate)
        else:
            self._selected()

    @Slot(str)
    def _search(self, text: str) -> None:
        self.model.search(text)
        self._say()

    def _say(self) -> None:
        shown, selected = len(self.model.rows), len(self.chosen())
        found = plural(self._total, "run") if shown == self._total else f"{shown:,} of {plural(self._total, 'run')}"
        self.said.set_full(found + (f" · {selected} selected" if selected > 1 else ""))

    # --- hands ------------------------------------------------------------------------------------------------------

    def edit_name(self, record: RunRecord) -> None:
        """In its cell."""
        index = self.model.index(self.model.row_of(record.folder), NAME)
        self.table.setCurrentIndex(index)
        self.table.edit(index)

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        if index.column() == STAR:
            self.star_toggled.emit(self.model.rows[index.row()])

    # --- Qt's side --------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.table and event.type() is QEvent.Type.Resize:
            narrow = self.table.width() < _NARROW
            self.table.setColumnHidden(STARTED, narrow)
            for column in (MODEL, DURATION):
                self.table.setColumnHidden(column, self.table.width() < _NARROWEST)
            self.table.horizontalHeader().resizeSection(MODEL, _NARROW_MODEL if narrow else _WIDTHS[MODEL])
        return False
