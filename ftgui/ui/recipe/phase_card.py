"""One phase of the recipe as a card: two lines, and all of its fields while it is selected."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from ftgui.base.formatting import plural
from ftgui.protocol.problem import Problem
from ftgui.protocol.rates import rate
from ftgui.protocol.recipe import Phase
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.recipe.lr_schedule_view import ScheduleView
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import ElidedLabel, IconButton, label
from ftgui.ui.toolkit.form_fields import AmountField, CountField, Field, ProblemNote, RateField, mark
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

WAITING, RUNNING, DONE, OFF = "waiting", "running", "done", "off"
_ICONS = {
    WAITING: ("circle", "muted"),
    RUNNING: ("circle-dot", "accent"),
    DONE: ("circle-check", "good"),
    OFF: ("circle", "track"),
}
_CARD_TIP = (
    "Click to show this phase's layers in the tree above and to edit it.\n"
    "Keys: Up and Down choose a phase, Alt+Up and Alt+Down move it, Delete removes it."
)
_SWITCH_TIP = "Whether this phase is part of the training. One that is off keeps its settings."
_NAME_TIP = "The phase's name, as shown in plots and in the run's folder name."
_LAYERS_TIP = "What learns in this phase. Tick layers in the tree above to change it."


class PhaseCard(QFrame):
    """Shows a phase of the plan and edits it there.

    Args:
        plan: that it edits.
        theme: for colours.
    """

    wanted = Signal(int)
    """The phase of this index should be selected and have the keyboard."""

    def __init__(self, plan: RecipeEditor, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("phase")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(_CARD_TIP)
        self._recipe_editor = plan
        self._theme = theme
        self.index = 0
        self.state = WAITING
        self._problems: list[Problem] = []
        self._why_locked = ""
        self._chosen = False
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 7, 8, 8)
        column.setSpacing(5)
        column.addLayout(self._make_header())
        self.summary = ElidedLabel()
        self.summary.setObjectName("muted")
        column.addWidget(self.summary)
        self.body = self._make_body()
        column.addWidget(self.body)
        theme.changed.connect(self._paint)

    # --- assembly ---------------------------------------------------------------------------------------------------

    def _make_header(self) -> QHBoxLayout:
        self._icon, self._number, self.problem_mark = QLabel(), label("", "title"), QLabel()
        self.title = ElidedLabel()
        self.title.setObjectName("title")
        self.name = QLineEdit()
        self.name.setMaxLength(60)
        self.name.setToolTip(_NAME_TIP)
        self.name.setAcceptDrops(False)
        self.name.editingFinished.connect(self._named)
        self.enabled = QCheckBox()
        self.enabled.setToolTip(_SWITCH_TIP)
        self.enabled.toggled.connect(self._switched)
        row = QHBoxLayout()
        row.setSpacing(7)
        row.addWidget(self._icon)
        row.addWidget(self._number)
        row.addWidget(self.title, 1)
        row.addWidget(self.name, 1)
        row.addWidget(self.problem_mark)
        row.addWidget(self.enabled)
        return row

    def _make_body(self) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addLayout(self._make_layers_row())
        self.layers_note = ProblemNote(self._theme)
        column.addWidget(self.layers_note)
        self.fields = self._make_fields()
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        column.addLayout(grid)
        for position, field in enumerate(self.fields.values()):
            grid.addWidget(field.title, 0, position)
            grid.addWidget(field.widget, 1, position)
            grid.setColumnStretch(position, 1)
            column.addWidget(field.note)
        self.schedule = ScheduleView(self._theme)
        column.addWidget(self.schedule)
        return body

    def _make_layers_row(self) -> QHBoxLayout:
        self.layers = ElidedLabel()
        self.up = IconButton("arrow-up", "Move up", ": train this phase earlier (Alt+Up)", self._theme)
        self.down = IconButton("arrow-down", "Move down", ": train this phase later (Alt+Down)", self._theme)
        self.copy = IconButton("copy", "Duplicate phase", ": add a copy after it", self._theme)
        self.remove = IconButton("trash-2", "Remove phase", " (Delete); Ctrl+Z undoes it", self._theme)
        self.up.clicked.connect(self._move_up)
        self.down.clicked.connect(self._move_down)
        self.copy.clicked.connect(self._duplicate)
        self.remove.clicked.connect(self._remove)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.layers, 1)
        for control in (self.up, self.down, self.copy, self.remove):
            control.setIconSize(QSize(15, 15))
            row.addWidget(control)
        return row

    def _make_fields(self) -> dict[str, Field]:
        tip = (
            "How often every training image is seen in this phase. Too few: it has not finished learning.\n"
            "Too many: it memorises; early stopping ends the phase before that."
        )
        epochs = CountField("Length", tip, self._theme, 1, 999, " epochs")
        tip = (
            "How far each step goes, at the peak. Too high: pretrained layers forget what they know, the loss jumps.\n"
            "Too low: next to nothing is learned. 3e-3 suits a head, 1e-3 or less pretrained layers."
        )
        lr = RateField("Learning rate", tip, self._theme)
        tip = (
            "Rate × this per stage towards the input: features near the input are the most general and should change\n"
            "least. 1: the same rate everywhere. 0.5: half as much with every stage. Low: early stages hardly learn."
        )
        layer_decay = AmountField("Layer decay", tip, self._theme, 0.05, 1, step=0.05, decimals=2, prefix="× ")
        fields: dict[str, Field] = {"epochs": epochs, "lr": lr, "layer_decay": layer_decay}
        for name, field in fields.items():
            field.setObjectName(name)
            field.edited.connect(self._edited)
        return fields

    # --- showing ----------------------------------------------------------------------------------------------------

    def show_phase(self, index: int, problems: dict[str, Problem]) -> None:
        """The plan's phase of this index, and the recipe's problems by field."""
        phases = self._recipe_editor.recipe.phases
        phase = phases[index]
        self.index, self._chosen = index, index == self._recipe_editor.selected
        start = f"phases.{index}."
        self._problems = [problem for field, problem in problems.items() if field.startswith(start)]
        self._number.setText(str(index + 1))
        self.title.set_full(phase.name)
        if self.name.text() != phase.name:
            self.name.setText(phase.name)
        self.enabled.blockSignals(True)
        self.enabled.setChecked(phase.enabled)
        self.enabled.blockSignals(False)
        layers = ", ".join(phase.train) or "nothing ticked"
        self.layers.set_full(layers)
        self.layers.setToolTip(as_plain(f"{layers}\n{_LAYERS_TIP}"))
        about = f"Phase {index + 1} ({phase.name}): "
        self.layers_note.show_problem(problems.get(start + "train"), about)
        for name, field in self.fields.items():
            field.show_value(getattr(phase, name))
            field.show_problem(problems.get(start + name), about)
        self.summary.set_full(_summary(phase))
        self._name_for_readers(phase)
        self._show_controls(len(phases))
        self._show_chosen()
        self._paint()

    def show_schedule(self, steps: int, groups: int) -> None:
        """Optimizer steps of the phase, and how many stages learn in it."""
        recipe = self._recipe_editor.recipe
        self.schedule.show_schedule(steps, recipe.training.warmup, recipe.phases[self.index].layer_decay, groups)

    def show_state(self, state: str) -> None:
        """Where a run is: WAITING, RUNNING or DONE."""
        self.state = state
        self._name_for_readers(self._recipe_editor.recipe.phases[self.index])
        self._paint()

    def lock(self, why: str) -> None:
        """Nothing can be edited, for a reason; empty: it can."""
        self._why_locked = why
        for field in self.fields.values():
            field.lock(why)
        for widget, tip in ((self.name, _NAME_TIP), (self.enabled, _SWITCH_TIP)):
            widget.setEnabled(not why)
            widget.setToolTip(why or tip)
        self._show_controls(len(self._recipe_editor.recipe.phases))

    def _show_controls(self, count: int) -> None:
        free = not self._why_locked
        self.up.setEnabled(free and self.index > 0)
        self.down.setEnabled(free and self.index < count - 1)
        self.copy.setEnabled(free)
        self.remove.setEnabled(free and count > 1)

    def _show_chosen(self) -> None:
        self.body.setVisible(self._chosen)
        self.name.setVisible(self._chosen)
        self.title.setVisible(not self._chosen)
        self.summary.setVisible(not self._chosen)
        if self.property("chosen") != self._chosen:
            self.setProperty("chosen", self._chosen)
            self.style().unpolish(self)
            self.style().polish(self)

    def _name_for_readers(self, phase: Phase) -> None:
        number = self.index + 1
        state = "" if self.state == WAITING else f", {self.state}"
        self.setAccessibleName(f"Phase {number}, {phase.name}, {_summary(phase)}{state}")
        self.name.setAccessibleName(f"Name of phase {number}")
        self.enabled.setAccessibleName(f"Phase {number} is switched on")
        for field, words in (("epochs", "Epochs"), ("lr", "Learning rate"), ("layer_decay", "Layer decay")):
            self.fields[field].widget.setAccessibleName(f"{words} of phase {number}")

    @Slot()
    def _paint(self) -> None:
        on = self.enabled.isChecked()
        name, color = _ICONS[self.state if on else OFF]
        self._icon.setPixmap(icons.pixmap(name, getattr(self._theme.colors, color), 16, self.devicePixelRatioF()))
        self._icon.setToolTip(self.state if on else OFF)
        worst = min(self._problems, key=lambda problem: problem.severity, default=None)
        mark(None if self._chosen else worst, self._theme, self.problem_mark)
        for part in (self._number, self.title, self.schedule):
            part.setEnabled(on)

    # --- what the person does ---------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() is Qt.MouseButton.LeftButton:
            self.wanted.emit(self.index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, move = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(key), 0)
        if not self.hasFocus():  # a key that one of the fields had no use for
            super().keyPressEvent(event)
        elif by and move and not self._why_locked:
            self._move(by)
        elif by:
            self.wanted.emit(self.index + by)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.wanted.emit(self.index)
        elif key == Qt.Key.Key_Delete and not self._why_locked:
            self._remove()
        else:
            super().keyPressEvent(event)

    @Slot(object)
    def _edited(self, value: object) -> None:
        self._recipe_editor.change_phase(self.index, **{self.sender().objectName(): value})

    @Slot()
    def _named(self) -> None:
        name = self.name.text().strip()
        if name and name != self._recipe_editor.recipe.phases[self.index].name:
            self._recipe_editor.change_phase(self.index, name=name)
        self.name.setText(self._recipe_editor.recipe.phases[self.index].name)

    @Slot(bool)
    def _switched(self, on: bool) -> None:
        self._recipe_editor.change_phase(self.index, enabled=on)

    @Slot()
    def _move_up(self) -> None:
        self._move(-1)

    @Slot()
    def _move_down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        index = self.index + by
        self._recipe_editor.move(self.index, by)
        self.wanted.emit(index)

    @Slot()
    def _duplicate(self) -> None:
        index = self.index + 1
        self._recipe_editor.duplicate(self.index)
        self.wanted.emit(index)

    @Slot()
    def _remove(self) -> None:
        self._recipe_editor.remove(self.index)
        self.wanted.emit(self._recipe_editor.selected)


def _summary(phase: Phase) -> str:
    """What a phase does, in a line."""
    layers = ", ".join(phase.train) or "nothing ticked"
    layer_decay = f" × {phase.layer_decay:g}" if phase.layer_decay != 1 else ""
    off = "" if phase.enabled else "off · "
    return f"{off}{plural(phase.epochs, 'epoch')} · {rate(phase.lr)}{layer_decay} · {layers}"
