"""How the images are divided: what the model learns from, what it is checked with, what is kept for the end."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from ftgui.data.catalog.split import BY_FOLDER, Splitting, group_of
from ftgui.ui.toolkit.basics import label
from ftgui.ui.toolkit.number_box import NumberBox
from ftgui.ui.toolkit.theme import Theme

_MOST_PERCENT = 50


class SplitBar(QWidget):
    """Train, val and test as lengths.

    Args:
        theme: for colours.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._counts: Counter[str] = Counter()
        self.setFixedHeight(8)
        theme.changed.connect(self.update)

    def show_counts(self, counts: Counter[str]) -> None:
        """Split -> images."""
        self._counts = counts
        self.setAccessibleName(", ".join(f"{split} {number}" for split, number in counts.items()))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        total = self._counts.total() or 1
        x = 0.0
        for split, color in (("train", colors.accent), ("val", colors.second), ("test", colors.muted)):
            width = self.width() * self._counts[split] / total
            painter.setBrush(QColor(color))
            if width >= 1:
                painter.drawRoundedRect(int(x), 0, max(int(width) - 2, 1), self.height(), 3, 3)
            x += width


class SplitEditor(QDialog):
    """A dialog, not modal.

    Args:
        splitting: as it is.
        example: path of an image, to show what a group would be called.
        from_folders: the folders name the validation images.
        parent: owner.
    """

    chosen = Signal(Splitting)

    def __init__(self, splitting: Splitting, example: str, from_folders: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Split")
        self.setMinimumWidth(440)
        self._example = example
        layout = QVBoxLayout(self)
        says = (
            "The folders define the validation images, so this applies only to images they leave open. "
            if from_folders
            else ""
        )
        layout.addWidget(
            label(
                f"{says}The model learns from the train images. The val images show after every epoch whether it "
                "generalises or just memorises. Test images are kept for one final evaluation.",
                "muted",
                wrap=True,
            )
        )
        self._make_fields(splitting)
        layout.addLayout(self._make_form())
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Apply | QDialogButtonBox.StandardButton.Close, self
        )
        self.buttons.button(QDialogButtonBox.StandardButton.Apply).clicked.connect(self._apply)
        self.buttons.rejected.connect(self.close)
        layout.addWidget(self.buttons)
        for changed in (self.val.valueChanged, self.test.valueChanged, self.grouping.activated):
            changed.connect(self._refresh)
        self.pattern.textChanged.connect(self._refresh)
        self.seed.checked.connect(self._refresh)
        self._refresh()

    def _make_fields(self, splitting: Splitting) -> None:
        self.val = _slider("Validation images in percent", splitting.val)
        self.test = _slider("Test images in percent", splitting.test)
        self.val.setMinimum(1)
        self.seed = NumberBox(0, 999_999, whole=True)
        self.seed.show_number(splitting.seed)
        self.seed.setAccessibleName("Random seed")
        self.seed.setToolTip("A different number gives a different split; the same number always gives the same one.")
        self.grouping = QComboBox()
        self.grouping.addItem("Each image on its own", "")
        self.grouping.addItem("Images in the same folder", BY_FOLDER)
        self.grouping.addItem("Images whose names match a pattern", "pattern")
        self.grouping.setToolTip(
            "Ten pictures of one ant are not ten ants: if some are used for training and some for validation,\n"
            "the score is too good to be true. Pictures of the same thing should stay together."
        )
        self.pattern = QLineEdit()
        self.pattern.setPlaceholderText(r"regular expression, e.g.  (patient\d+)_")
        self.pattern.setAccessibleName("Pattern that names the group")
        kind = splitting.group_by if splitting.group_by in ("", BY_FOLDER) else "pattern"
        self.grouping.setCurrentIndex(self.grouping.findData(kind))
        self.pattern.setText(splitting.group_by if kind == "pattern" else "")
        self.shares = label("", "muted")
        self.says = label("", "muted", wrap=True)

    def _make_form(self) -> QFormLayout:
        form = QFormLayout()
        form.addRow("Validation", self.val)
        form.addRow("Test", self.test)
        form.addRow("", self.shares)
        form.addRow("Keep together", self.grouping)
        form.addRow("", self.pattern)
        form.addRow("", self.says)
        form.addRow("Random seed", self.seed)
        return form

    def splitting(self) -> Splitting:
        """As set now."""
        group_by = self.grouping.currentData()
        if group_by == "pattern":
            group_by = self.pattern.text().strip()
        return Splitting(self.val.value() / 100, self.test.value() / 100, int(self.seed.number()), group_by)

    @Slot()
    def _refresh(self) -> None:
        wanted = self.splitting()
        train = 100 - self.val.value() - self.test.value()
        self.shares.setText(f"train {train} % · val {self.val.value()} % · test {self.test.value()} %, of each class")
        self.pattern.setVisible(self.grouping.currentData() == "pattern")
        text = self.seed.refusal or wanted.why_not()
        usable = train >= 1 and not text
        if usable and wanted.group_by and self._example:
            group = group_of(self._example, wanted.group_by)
            text = f"{self._example}: " + ("not in a group" if group == self._example else f"group “{group}”")
        self.says.setText(text)
        self.says.setVisible(bool(text))
        self.buttons.button(QDialogButtonBox.StandardButton.Apply).setEnabled(usable)

    @Slot()
    def _apply(self) -> None:
        self.seed.interpretText()  # where a click on a button leaves the keyboard in the field, as on macOS
        self.chosen.emit(self.splitting())


def _slider(name: str, share: float) -> QSlider:
    made = QSlider(Qt.Orientation.Horizontal)
    made.setRange(0, _MOST_PERCENT)
    made.setValue(round(share * 100))
    made.setTickInterval(10)
    made.setTickPosition(QSlider.TickPosition.TicksBelow)
    made.setAccessibleName(name)
    return made
