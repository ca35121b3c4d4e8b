"""A part of a form that opens and closes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ftgui.protocol.problem import Problem
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import ElidedLabel
from ftgui.ui.toolkit.form_fields import Field, mark
from ftgui.ui.toolkit.theme import Theme


class Section(QWidget):
    """A title line with a summary; fields below it while it is open.

    Args:
        title: of the section.
        tip: what it is about.
        theme: for colours.
    """

    opened = Signal()

    def __init__(self, title: str, tip: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._problems: list[Problem] = []
        self._summary = ""
        self.toggle = QToolButton()
        self.toggle.setText(f" {title}")
        self.toggle.setAccessibleName(f"{title} settings")
        self.toggle.setToolTip(tip)
        self.toggle.setCheckable(True)
        self.toggle.setAutoRaise(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        font = self.toggle.font()
        font.setWeight(font.Weight.DemiBold)
        self.toggle.setFont(font)
        self.summary = ElidedLabel()
        self.summary.setObjectName("muted")
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.summary.installEventFilter(self)
        self.problem_mark = QLabel()
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.toggle)
        line.addWidget(self.summary, 1)
        line.addWidget(self.problem_mark)
        self.content = QWidget()
        self.form = QGridLayout(self.content)
        self.form.setContentsMargins(6, 2, 2, 6)
        self.form.setHorizontalSpacing(10)
        self.form.setVerticalSpacing(6)
        self.form.setColumnStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.content)
        self.content.hide()
        self.toggle.toggled.connect(self._toggled)
        theme.changed.connect(self._paint)
        self._paint()

    def add_field(self, field: Field, width: int = 148) -> None:
        """Title at the left, editor at the right, the problem under both."""
        row = self.form.rowCount()
        field.widget.setFixedWidth(width)
        self.form.addWidget(field.title, row, 0)
        self.form.addWidget(field.widget, row, 1, Qt.AlignmentFlag.AlignRight)
        self.form.addWidget(field.note, row + 1, 0, 1, 2)

    def say(self, summary: str) -> None:
        """What is set, in some words, for as long as the section is closed."""
        self._summary = summary
        self._show_summary()

    def _show_summary(self) -> None:
        # Emptied, not hidden: it keeps the title at the left.
        self.summary.set_full("" if self.toggle.isChecked() else self._summary)

    def show_problems(self, problems: list[Problem]) -> None:
        """A mark in the title line, so that a closed section hides nothing."""
        self._problems = problems
        self._paint()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.summary and isinstance(event, QMouseEvent) and event.type() is QEvent.Type.MouseButtonPress:
            self.toggle.toggle()
            return True
        return super().eventFilter(watched, event)

    @Slot(bool)
    def _toggled(self, is_open: bool) -> None:
        self.content.setVisible(is_open)
        self._show_summary()
        self._paint()
        if is_open:
            self.opened.emit()

    @Slot()
    def _paint(self) -> None:
        arrow = "chevron-down" if self.toggle.isChecked() else "chevron-right"
        self.toggle.setIcon(icons.icon(arrow, self._theme.colors.muted))
        worst = min(self._problems, key=lambda problem: problem.severity, default=None)  # "error" before "warning"
        mark(worst, self._theme, self.problem_mark)
