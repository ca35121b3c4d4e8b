"""What differs between the selected runs; of a single one, what it was told to do, in words."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from ftgui.runs.details import Details
from ftgui.ui.toolkit.basics import Card, label
from ftgui.ui.toolkit.plain_text import as_plain

_NARROWEST = 110
"""Pixels of a run's column; with more runs than have room it scrolls."""


class RunDifferences(Card):
    """A table: rows are things, columns are runs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What differs", parent)
        self.table = QTableWidget()
        self.table.setFrameShape(QTableWidget.Shape.NoFrame)
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setAcceptDrops(False)
        self.table.verticalHeader().hide()
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setAccessibleName("What differs between the selected runs")
        self.body.addWidget(self.table, 1)
        self.said = label("", "muted", wrap=True)
        self.body.addWidget(self.said)
        self.show_details(Details([], [], []))

    def show_details(self, details: Details) -> None:
        """Of these runs."""
        records, rows = details.records, details.rows
        single = len(records) == 1
        self.title.setText(f"Run {records[0].number}" if single else "What differs")
        self.said.setText(_words(details))
        self.said.setVisible(bool(self.said.text()))
        self.table.setVisible(bool(rows))
        self.table.clear()
        self.table.setColumnCount(1 + len(records))
        self.table.setRowCount(len(rows))
        self.table.setHorizontalHeaderItem(0, QTableWidgetItem(""))
        for column, record in enumerate(records, 1):
            header = QTableWidgetItem(f"run {record.number}")
            header.setToolTip(as_plain(record.name))
            self.table.setHorizontalHeaderItem(column, header)
        self.table.horizontalHeader().setVisible(not single)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for row, difference in enumerate(rows):
            for column, text in enumerate([difference.what, *difference.values]):
                item = QTableWidgetItem(text)
                item.setToolTip(as_plain(text))
                item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
                if column == 0:
                    item.setForeground(self.palette().placeholderText())
                self.table.setItem(row, column, item)
        self._fit(single)

    def _fit(self, single: bool) -> None:
        header = self.table.horizontalHeader()
        header.setMinimumSectionSize(_NARROWEST if not single else 60)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setWordWrap(single)
        rows = self.table.verticalHeader()
        rows.setMinimumSectionSize(22)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents if single else QHeaderView.ResizeMode.Fixed)
        if not single:
            for row in range(self.table.rowCount()):
                self.table.setRowHeight(row, 24)  # those left from a single run have the height of its text


def _words(details: Details) -> str:
    if not details.records:
        return "Select two or more runs to see what differs between them, or one to see its settings."
    if not details.rows:
        return "Nothing: the same recipe, data, code and device. What differs is chance."
    return ""
