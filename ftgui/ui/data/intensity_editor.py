"""The intensity range of images with more than 8 bits: what was found, and a dialog to set another."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from ftgui.base.typed_numbers import NotUnderstood, read_number, write_number
from ftgui.data.images.intensity_survey import IntensitySurvey, range_words
from ftgui.protocol.recipe import AUTO_INTENSITY, FULL_INTENSITY, Intensity
from ftgui.ui.toolkit.basics import label

_BY_HAND = "by hand"


class IntensityEditor(QDialog):
    """A dialog, not modal.

    Args:
        setting: as it is.
        survey: what was seen of the images.
        parent: owner.
    """

    chosen = Signal(object)
    """An `Intensity`."""

    def __init__(self, setting: Intensity, survey: IntensitySurvey, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Intensity range")
        self.setMinimumWidth(440)
        layout = QVBoxLayout(self)
        layout.addWidget(
            label(
                "Images with more than 8 bits (microscopy, X-ray, depth) are shown and trained on with one range for the whole "
                "set: the lower value becomes black, the higher one white, like “window and level” or “display "
                "range” in other programs. "
                "The model keeps this range and reads every later image with it. 8-bit images are not affected.",
                "muted",
                wrap=True,
            )
        )
        form = QFormLayout()
        self.way = QComboBox()
        self.way.addItem(f"Automatic: {range_words(survey.suits)}", AUTO_INTENSITY)
        self.way.addItem("Full range of the files", FULL_INTENSITY)
        self.way.addItem("By hand", _BY_HAND)
        self.way.setAccessibleName("How the range is chosen")
        self.low, self.high = QLineEdit(), QLineEdit()
        given = setting if not isinstance(setting, str) else survey.suits
        for edit, name, value in ((self.low, "Black", given[0]), (self.high, "White", given[1])):
            edit.setAccessibleName(f"{name}: stored value")
            edit.setText(write_number(value))
            edit.textChanged.connect(self._refresh)
        self.way.setCurrentIndex(self.way.findData(setting if isinstance(setting, str) else _BY_HAND))
        self.way.currentIndexChanged.connect(self._refresh)
        self.says = label("", "muted", wrap=True)
        form.addRow("Range", self.way)
        form.addRow("Black", self.low)
        form.addRow("White", self.high)
        form.addRow("Values found", label(range_words((survey.low, survey.high))))
        form.addRow("", self.says)
        layout.addLayout(form)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Apply | QDialogButtonBox.StandardButton.Close, self
        )
        self.buttons.button(QDialogButtonBox.StandardButton.Apply).clicked.connect(self._apply)
        self.buttons.rejected.connect(self.close)
        layout.addWidget(self.buttons)
        self._refresh()

    def setting(self) -> Intensity:
        """As set now.

        Raises:
            NotUnderstood: what is typed is no range.
        """
        way = self.way.currentData()
        if way != _BY_HAND:
            return str(way)
        low, high = read_number(self.low.text()), read_number(self.high.text())
        if low < high:
            return low, high
        raise NotUnderstood("Two numbers, the lower one first.")

    @Slot()
    def _refresh(self) -> None:
        by_hand = self.way.currentData() == _BY_HAND
        self.low.setEnabled(by_hand)
        self.high.setEnabled(by_hand)
        says, usable = "Training uses what is set here; a finished model keeps its own.", True
        try:
            self.setting()
        except NotUnderstood as why:
            says, usable = str(why), False
        self.says.setText(says)
        self.buttons.button(QDialogButtonBox.StandardButton.Apply).setEnabled(usable)

    @Slot()
    def _apply(self) -> None:
        self.chosen.emit(self.setting())
