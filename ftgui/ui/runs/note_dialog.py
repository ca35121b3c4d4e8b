"""A note about a run."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

from ftgui.runs.record import RunRecord


class NoteDialog(QDialog):
    """Not modal.

    Args:
        record: of the run.
        parent: owner.
    """

    written = Signal(RunRecord, str)

    def __init__(self, record: RunRecord, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Note on run {record.number}")
        self.resize(460, 240)
        self._record = record
        layout = QVBoxLayout(self)
        self.text = QPlainTextEdit(record.note)
        self.text.setPlaceholderText("What you tried and how it turned out…")
        self.text.setAccessibleName(f"Note on run {record.number}")
        self.text.setTabChangesFocus(True)
        layout.addWidget(self.text)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.keep)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    @Slot()
    def keep(self) -> None:
        """Tell of the note and close."""
        self.written.emit(self._record, self.text.toPlainText().strip())
        self.accept()
