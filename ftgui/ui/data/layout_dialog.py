"""Asks once what says the classes of a dataset: folders, a table, file names."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QDialog, QDialogButtonBox, QRadioButton, QVBoxLayout, QWidget

from ftgui.data.scanning.label_sources import Wanted
from ftgui.data.scanning.names import listing
from ftgui.data.scanning.readings import LayoutQuestion, Reading
from ftgui.ui.toolkit.basics import label

_SHOWN = 4
"""Names of classes."""


class LayoutDialog(QDialog):
    """Not modal.

    Args:
        question: the ways to read the dataset, the best first.
        parent: owner.
    """

    chosen = Signal(Wanted)
    """How to read the dataset."""

    def __init__(self, question: LayoutQuestion, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Where do the classes come from?")
        self.resize(560, 240)
        self._question = question
        layout = QVBoxLayout(self)
        if question.note:
            layout.addWidget(label(question.note, wrap=True))
        one = " This is the only guess; is it right?" if len(question.readings) == 1 else ""
        layout.addWidget(label(f"Where do the classes of “{question.name}” come from?{one}", wrap=True))
        self.choices = QButtonGroup(self)
        for number, reading in enumerate(question.readings):
            choice = QRadioButton(_title(reading))
            choice.setToolTip("\n".join(f"{name}: {count:,}" for name, count in reading.classes.most_common(20)))
            self.choices.addButton(choice, number)
            layout.addWidget(choice)
            layout.addWidget(_details(reading))
        self.choices.button(0).setChecked(True)
        layout.addStretch(1)
        buttons = QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        self.buttons = QDialogButtonBox(buttons, self)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)
        layout.addWidget(self.buttons)

    @Slot()
    def _accept(self) -> None:
        reading = self._question.readings[self.choices.checkedId()]
        self.chosen.emit(Wanted(reading.layout, reading.columns))
        self.accept()


def _title(reading: Reading) -> str:
    source = reading.source if reading.tables else reading.source[:1].upper() + reading.source[1:]
    return f"{source}: {reading.summary()}"


def _details(reading: Reading) -> QWidget:
    """The classes, and why it may be wrong; set in under its button."""
    said = f"Classes {listing(sorted(reading.classes), _SHOWN)}"
    if reading.splits:
        said += ", " + ", ".join(f"{count:,} for {split}" for split, count in reading.splits.items())
    made = label(
        ". ".join([said, *(reason[:1].upper() + reason[1:] for reason in reading.reasons)]) + ".", "muted", wrap=True
    )
    made.setContentsMargins(24, 0, 0, 8)
    return made
