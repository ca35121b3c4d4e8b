"""A banner with what the program suggests: one sentence, one button that does it, and one to be left alone."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from ftgui.protocol.problem import Problem
from ftgui.ui.advisor import Advisor
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.basics import IconButton, button, label
from ftgui.ui.widgets.fields import mark


class AdviceBanner(QFrame):
    """Shows an `Advisor`'s advice; hidden when there is none."""

    def __init__(self, advisor: Advisor, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._advisor = advisor
        self._theme = theme
        self.setObjectName("card")
        self._icon = QLabel()
        self.sentence = label("", wrap=True)
        self.action = button("Do it", "")
        self.dismiss = IconButton("x", "Dismiss", ": this is not said again about this run", theme)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(self._icon)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.action)
        row.addWidget(self.dismiss)
        self.hide()
        self.action.clicked.connect(advisor.act)
        self.dismiss.clicked.connect(advisor.dismiss)
        advisor.changed.connect(self._show_advice)
        theme.changed.connect(self._show_advice)
        self._show_advice()

    @Slot()
    def _show_advice(self) -> None:
        advice = self._advisor.advice
        self.setVisible(advice is not None)
        if advice is None:
            return
        mark(Problem(advice.severity, "advice", advice.sentence), self._theme, self._icon)
        self.sentence.setText(advice.sentence)
        self.setAccessibleName(f"Advice: {advice.sentence}")
        self.action.setText(advice.action)
        self.action.setAccessibleName(advice.action)
        self.action.setToolTip(advice.tip)
        self.action.setEnabled(self._advisor.can_act)
