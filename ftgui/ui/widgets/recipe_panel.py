"""The recipe's phases: what learns when, for how long, how fast."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QLocale, Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QSpinBox, QWidget

from ftgui.protocol.recipe import HEAD, Phase, Recipe
from ftgui.ui import icons
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.basics import Card, label
from ftgui.ui.words import rate

LOWEST_LR, HIGHEST_LR = 1e-8, 10.0

WAITING, RUNNING, DONE, OFF = "waiting", "running", "done", "off"
_ICONS = {
    WAITING: ("circle", "muted"),
    RUNNING: ("circle-dot", "accent"),
    DONE: ("circle-check", "good"),
    OFF: ("circle", "muted"),
}


@dataclass
class _Row:
    icon: QLabel
    name: QLabel
    detail: QLabel
    epochs: QSpinBox
    lr: QLineEdit


class RecipePanel(Card):
    """Two rows, head phase and later phase; values can be edited while nothing trains."""

    phase_changed = Signal(bool, object, object)
    """Whether it is the head phase; epochs or None; learning rate or None."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("Recipe", parent)
        self._theme = theme
        self._states = [WAITING, WAITING]
        self._filling = False
        self._shown: tuple[Phase, Phase]
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        heads = {2: "epochs", 3: "learning rate"}
        for column, text in heads.items():
            grid.addWidget(label(text, "muted"), 0, column)
        self._rows = [self._make_row(grid, number) for number in range(2)]
        self.body.addLayout(grid)
        self._rows[0].name.setToolTip(
            "The new head starts random. It learns alone first, so that its first, wild steps can't damage the backbone."
        )
        self._rows[1].name.setToolTip(
            "The ticked layers learn together with the head, at a lower rate: they already know much and need only adjust."
        )
        theme.changed.connect(self._paint_icons)

    def _make_row(self, grid: QGridLayout, number: int) -> _Row:
        line = number * 2 + 1
        icon, name, detail = QLabel(), label("", "title"), label("", "muted", wrap=True)
        epochs = QSpinBox()
        epochs.setRange(1, 999)
        epochs.setAccessibleName(f"Epochs of phase {number + 1}")
        epochs.setToolTip(
            "How often every training image is seen in this phase. It may end earlier when nothing improves."
        )
        lr = QLineEdit()
        lr.setFixedWidth(72)
        lr.setAccessibleName(f"Learning rate of phase {number + 1}")
        lr.setToolTip(
            "How far each step goes. Too high destroys what pretrained layers know; 1e-3 suits a head, 1e-4 layers."
        )
        lr.setAcceptDrops(False)
        icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        grid.addWidget(icon, line, 0)
        grid.addWidget(name, line, 1)
        grid.addWidget(epochs, line, 2)
        grid.addWidget(lr, line, 3)
        grid.addWidget(detail, line + 1, 1, 1, 3)
        row = _Row(icon, name, detail, epochs, lr)
        epochs.valueChanged.connect(self._epochs_edited)
        lr.editingFinished.connect(self._lr_edited)
        return row

    def show_recipe(self, recipe: Recipe, head: Phase, later: Phase) -> None:
        """The phases as the recipe has them; one that is off shows what it would be."""
        self._filling = True
        self._shown = (head, later)
        head_on = any(phase.train == [HEAD] for phase in recipe.phases)
        later_on = any(phase.train != [HEAD] for phase in recipe.phases)
        texts = (
            ("Head", "backbone frozen" if head_on else "off: the head is not ticked"),
            (
                later.name if later_on else "Ticked layers",
                _later_detail(later) if later_on else "off: only the head is ticked",
            ),
        )
        for number, (row, phase, on) in enumerate(zip(self._rows, (head, later), (head_on, later_on), strict=True)):
            row.name.setText(f"{number + 1}  {texts[number][0]}")
            row.detail.setText(texts[number][1])
            if row.epochs.value() != phase.epochs:
                row.epochs.setValue(phase.epochs)
            row.lr.setText(rate(phase.lr))
            if self._states[number] in (WAITING, OFF):
                self._states[number] = WAITING if on else OFF
            row.name.setEnabled(on)
        self._filling = False
        self._paint_icons()

    def show_running(self, titles: list[str], phase: int | None) -> None:
        """Mark where a run is: phases before `phase` are done; None: none runs and none is marked."""
        slots = [0 if title == "Head" else 1 for title in titles]
        self._states = [OFF if state == OFF else WAITING for state in self._states]
        for number, slot in enumerate(slots):
            if phase is not None:
                self._states[slot] = DONE if number < phase else RUNNING if number == phase else WAITING
        self._paint_icons()

    def lock(self, locked: bool) -> None:
        """While training, nothing can be edited."""
        for row in self._rows:
            row.epochs.setEnabled(not locked)
            row.lr.setEnabled(not locked)

    @Slot()
    def _paint_icons(self) -> None:
        colors = self._theme.colors
        for row, state in zip(self._rows, self._states, strict=True):
            name, color = _ICONS[state]
            row.icon.setPixmap(icons.pixmap(name, getattr(colors, color), 16, self.devicePixelRatioF()))
            row.icon.setAccessibleName(state)

    @Slot(int)
    def _epochs_edited(self, epochs: int) -> None:
        if not self._filling:
            number = next(i for i, row in enumerate(self._rows) if row.epochs is self.sender())
            self.phase_changed.emit(number == 0, epochs, None)

    @Slot()
    def _lr_edited(self) -> None:
        number = next(i for i, row in enumerate(self._rows) if row.lr is self.sender())
        field = self._rows[number].lr
        if not field.isModified():
            return
        lr, understood = QLocale.c().toDouble(field.text().strip().replace(",", "."))
        if understood and LOWEST_LR <= lr <= HIGHEST_LR:
            self.phase_changed.emit(number == 0, None, lr)
        field.setText(rate(self._shown[number].lr))  # also puts back what was there before nonsense


def _later_detail(phase: Phase) -> str:
    names = ", ".join(phase.train[:4]) + (f" and {len(phase.train) - 4} more" if len(phase.train) > 4 else "")
    return f"{names} at a lower rate"
