"""Fields of a form: title, editor, and below it what is wrong with the value, with a button that puts it right."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from ftgui.base.typed_numbers import NotUnderstood, divided, read_number, times, write_power
from ftgui.protocol.problem import Problem
from ftgui.protocol.rates import rate
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import button, label
from ftgui.ui.toolkit.number_box import NumberBox
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

LOWEST_LR, HIGHEST_LR = 1e-8, 10.0

_NUMBER_IN_FIX = re.compile(r"^Try ([0-9.e+-]+)\.$")
_ICONS = {"error": "circle-alert", "warning": "triangle-alert", "info": "info"}


def mark(problem: Problem | None, theme: Theme, into: QLabel) -> None:
    """The severity's icon in a label; the label is hidden when there is no problem."""
    into.setVisible(problem is not None)
    if problem is not None:
        color = {"error": theme.colors.error, "warning": theme.colors.warning}.get(problem.severity, theme.colors.muted)
        into.setPixmap(icons.pixmap(_ICONS[problem.severity], color, 14, into.devicePixelRatioF()))
        into.setAccessibleName(problem.severity)
        into.setToolTip(as_plain(problem.message))


class ProblemNote(QWidget):
    """One problem under its field; hidden when there is none."""

    fix_wanted = Signal(object)
    """The value that the fix names."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._problem: Problem | None = None
        self._value = 0.0
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.text = label("", wrap=True)
        self.fix = button("", "Use the suggested value")
        self.fix.setAccessibleName("Use the suggested value")
        self.fix.clicked.connect(self._fix)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 2)
        row.setSpacing(6)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        row.addWidget(self.fix)
        self.hide()
        theme.changed.connect(self._paint)

    def show_problem(self, problem: Problem | None, about: str = "") -> None:
        """`about`: the beginning of the message that need not be said at the field itself."""
        self._problem = problem
        self.setVisible(problem is not None)
        if problem is None:
            return
        message = problem.message.removeprefix(about)
        named = _NUMBER_IN_FIX.match(problem.fix)
        self._value = float(named[1]) if named else 0.0
        self.fix.setVisible(named is not None)
        self.fix.setText(f"Use {rate(self._value)}")
        self.fix.setAccessibleName(self.fix.text())
        self.text.setText(message[:1].upper() + message[1:] + ("" if named or not problem.fix else f" {problem.fix}"))
        self._paint()

    @Slot()
    def _paint(self) -> None:
        mark(self._problem, self._theme, self._icon)

    @Slot()
    def _fix(self) -> None:
        self.fix_wanted.emit(self._value)


class _Manners(QObject):
    """Keeps the wheel, meant for scrolling, from changing values, and lets Ctrl+Z through to the program's undo."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            undo = event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo)
            if undo and not _is_typing(watched):
                event.ignore()
                return True
        return super().eventFilter(watched, event)


def _is_typing(widget: QObject) -> bool:
    """Whether a field holds text that is not the recipe's yet, so that undo is about the text."""
    line = widget.lineEdit() if isinstance(widget, QAbstractSpinBox) else widget
    return isinstance(line, QLineEdit) and line.isModified()


class Field(QObject):
    """What all kinds have in common; the form lays out `title`, `editor` and `note`.

    Args:
        title: short, with the unit where the editor does not say it.
        tip: what the value does, and what happens when it is too high or too low.
        editor: by the subclass.
        theme: for colours.
    """

    edited = Signal(object)
    """The person has set another value."""

    def __init__(self, title: str, tip: str, editor: QWidget, theme: Theme) -> None:
        super().__init__(editor)
        self.title = label(title, "muted")
        self.title.setToolTip(tip)
        self.title.setBuddy(editor)
        self.note = ProblemNote(theme)
        self.note.fix_wanted.connect(self.edited)
        self._tip = tip
        self._shown: Any = None
        self._problem: Problem | None = None
        self._about = ""
        self._refusal: Problem | None = None
        self._told = False
        self.widget = editor
        editor.setToolTip(tip)
        editor.setAccessibleName(title)
        editor.setAccessibleDescription(tip)
        editor.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        editor.setAcceptDrops(False)
        editor.setFixedHeight(editor.fontMetrics().height() + 9)  # alike, whatever kind stands beside it
        editor.installEventFilter(_Manners(self))

    def show_value(self, value: Any) -> None:
        """The recipe's value; nothing is emitted."""
        if value != self._shown:
            self._shown = value
            self._refuse("")  # it was about another one
        self.widget.blockSignals(True)
        self._show(value)
        self.widget.blockSignals(False)

    def _show(self, value: Any) -> None:
        raise NotImplementedError

    def show_problem(self, problem: Problem | None, about: str = "") -> None:
        """What is wrong with the value; `about` as in `ProblemNote.show_problem`."""
        self._problem, self._about = problem, about
        self._show_note()

    def take_typed(self) -> str:
        """What is still being typed counts now, without the key or the click elsewhere that ends it.

        Returns:
            why what was typed last is not taken, once; empty: it is, or the answer is known.
        """
        self._finish_typing()
        why = "" if self._refusal is None or self._told else self._refusal.message
        self._told = True
        return why

    def _finish_typing(self) -> None:
        """Nothing is typed into most fields."""

    def _refuse(self, why: str) -> None:
        """What was typed is not taken, why; said until something else is typed or shown. Empty: nothing is refused."""
        self._refusal = Problem("warning", "not-taken", why) if why else None
        self._told = False
        self._show_note()

    def _show_note(self) -> None:
        if self._refusal is not None:
            self.note.show_problem(self._refusal)
        else:
            self.note.show_problem(self._problem, self._about)

    def lock(self, why: str) -> None:
        """Not to be edited, for a reason; empty: it can be."""
        self.widget.setEnabled(not why)
        self.note.fix.setEnabled(not why)
        self.widget.setToolTip(why or self._tip)


class _NumberField(Field):
    """What is typed into a `NumberBox`."""

    editor: NumberBox

    def __init__(self, title: str, tip: str, editor: NumberBox, theme: Theme) -> None:
        super().__init__(title, tip, editor, theme)
        self.editor = editor
        editor.lineEdit().textEdited.connect(self._typing)
        editor.refused.connect(self._refused)
        editor.valueChanged.connect(self._changed)

    @Slot()
    def _typing(self) -> None:
        self._refuse("")

    @Slot(str)
    def _refused(self, why: str) -> None:
        self._refuse(f"{why} Until then the value stays {self.editor.said}.")

    def _finish_typing(self) -> None:
        self.editor.interpretText()

    @Slot()
    def _changed(self) -> None:
        self._refuse("")
        self.edited.emit(self._value())

    def _value(self) -> int | float:
        return self.editor.number()


class CountField(_NumberField):
    """A whole number.

    Args:
        low, high: what can be set here; a recipe written by hand may show others.
        unit: behind the number.
        zero: said in place of `low`, e.g. "never".
    """

    def __init__(self, title: str, tip: str, theme: Theme, low: int, high: int, unit: str = "", zero: str = "") -> None:
        box = NumberBox(low, high, whole=True, unit=unit, lowest=zero)
        super().__init__(title, f"{tip}\n{low:,} to {high:,}{unit}.", box, theme)

    def _show(self, value: int) -> None:
        self.editor.show_number(value)


class AmountField(_NumberField):
    """A number with decimals.

    Args:
        decimals: shown at least, so that nothing jumps while the arrows step; a value that has more shows them.
        scale: the editor shows the value times this; 100 for per cent.
    """

    def __init__(
        self,
        title: str,
        tip: str,
        theme: Theme,
        low: float,
        high: float,
        *,
        step: float,
        decimals: int,
        prefix: str = "",
        unit: str = "",
        scale: float = 1.0,
    ) -> None:
        self._low, self._scale = low, scale
        box = NumberBox(low, high, step=step, least_decimals=decimals, prefix=prefix, unit=unit)
        super().__init__(title, f"{tip}\n{prefix}{low:g} to {prefix}{high:g}{unit}.", box, theme)

    def _show(self, value: float) -> None:
        self.editor.show_number(times(value, self._scale) if math.isfinite(value) else self._low)

    def _value(self) -> float:
        return divided(self.editor.number(), self._scale)


def read_rate(text: str) -> float:
    """A learning rate as people type it.

    Raises:
        NotUnderstood: it is not a number, could be two, or no training can use it.
    """
    lr = read_number(text)
    if LOWEST_LR <= lr <= HIGHEST_LR:
        return lr
    raise NotUnderstood(f"A rate is a number from {rate(LOWEST_LR)} to {rate(HIGHEST_LR)}, not {rate(lr)}.")


class RateField(Field):
    """A learning rate, written and read in powers of ten."""

    def __init__(self, title: str, tip: str, theme: Theme) -> None:
        self.editor = QLineEdit()
        self._value = 0.0
        words = f"{tip}\n{rate(LOWEST_LR)} to {rate(HIGHEST_LR)} per step; 3e-4 means 0.0003."
        super().__init__(title, words, self.editor, theme)
        self.editor.textEdited.connect(self._typing)
        self.editor.editingFinished.connect(self._finished)

    def _show(self, value: float) -> None:
        if value != self._value or not self.editor.isModified():
            self._value = value
            self.editor.setText(write_power(value))

    @Slot()
    def _typing(self) -> None:
        self._refuse("")

    def _finish_typing(self) -> None:
        self._finished()

    @Slot()
    def _finished(self) -> None:
        if not self.editor.isModified():
            return
        shown = write_power(self._value)
        try:
            lr = read_rate(self.editor.text())
        except NotUnderstood as why:
            self.editor.setText(shown)
            self._refuse(f"{why} Until then the value stays {shown}.")
            return
        self.editor.setText(write_power(lr))
        if lr != self._value:
            self.edited.emit(lr)


@dataclass(frozen=True)
class Choice:
    """One value that can be chosen."""

    value: object
    text: str
    tip: str = ""


class ChoiceField(Field):
    """One of some values; another one, from a recipe written by hand, is shown as it is."""

    def __init__(self, title: str, tip: str, theme: Theme, choices: Sequence[Choice]) -> None:
        self.editor = QComboBox()
        self._known = len(choices)
        for choice in choices:
            self.editor.addItem(choice.text, choice.value)
            self.editor.setItemData(self.editor.count() - 1, choice.tip, Qt.ItemDataRole.ToolTipRole)
        lines = [f"{choice.text}: {choice.tip}" for choice in choices if choice.tip]
        super().__init__(title, "\n".join([tip, *lines]), self.editor, theme)
        self.editor.activated.connect(self._activated)

    def _show(self, value: object) -> None:
        while self.editor.count() > self._known:
            self.editor.removeItem(self._known)
        row = self.editor.findData(value)
        if row < 0:
            self.editor.addItem(str(value), value)
            row = self._known
        self.editor.setCurrentIndex(row)

    @Slot(int)
    def _activated(self, row: int) -> None:
        self.edited.emit(self.editor.itemData(row))
