"""Asks once what the columns of a table mean."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ftgui.data.scanning.found import Columns
from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.ui.toolkit.basics import label


class TableDialog(QDialog):
    """Not modal.

    Args:
        question: which table, its columns and first rows.
        parent: owner.
    """

    chosen = Signal(Wanted)
    """How to read the dataset."""

    def __init__(self, question: TableQuestion, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Which column is what?")
        self.resize(620, 360)
        self._question = question
        layout = QVBoxLayout(self)
        layout.addWidget(
            label(
                f"“{question.table.name}” seems to hold the classes of these images. Which column is what?", wrap=True
            )
        )
        table = QTableWidget(len(question.rows), len(question.columns))
        table.setHorizontalHeaderLabels(question.columns)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setAccessibleName("First rows of the table")
        table.verticalHeader().hide()
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for row, cells in enumerate(question.rows):
            for column, text in enumerate(cells):
                table.setItem(row, column, QTableWidgetItem(text))
        layout.addWidget(table, 1)
        self.path = self._combo("Column of the file names", question.guess.path)
        self.label = self._combo("Column of the classes", question.guess.label)
        self.split = self._combo("Column of the split", question.guess.split, optional=True)
        form = QFormLayout()
        form.addRow("File name", self.path)
        form.addRow("Class", self.label)
        form.addRow("Train or val", self.split)
        layout.addLayout(form)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel, self
        )
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)
        layout.addWidget(self.buttons)
        for combo in (self.path, self.label):
            combo.currentIndexChanged.connect(self._refresh)
        self._refresh()

    def _combo(self, name: str, chosen: str, optional: bool = False) -> QComboBox:
        made = QComboBox()
        if optional:
            made.addItem("no such column", "")
        for column in self._question.columns:
            made.addItem(column, column)
        made.setCurrentIndex(max(made.findData(chosen), 0))
        made.setAccessibleName(name)
        return made

    @Slot()
    def _refresh(self) -> None:
        different = self.path.currentData() != self.label.currentData()
        self.buttons.button(QDialogButtonBox.StandardButton.Open).setEnabled(different)

    @Slot()
    def _accept(self) -> None:
        columns = Columns(
            self._question.guess.table, self.path.currentData(), self.label.currentData(), self.split.currentData()
        )
        self.chosen.emit(Wanted("table", columns))
        self.accept()
