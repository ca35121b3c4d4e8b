"""A banner with what the program suggests: one sentence, one button that does it, and one to be left alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel

from ftgui.protocol.problem import Problem
from ftgui.ui.toolkit.basics import IconButton, button, label
from ftgui.ui.toolkit.file_choice import MODELS, choose_folder
from ftgui.ui.toolkit.form_fields import mark
from ftgui.ui.toolkit.task_queue import TaskQueue
from ftgui.ui.toolkit.theme import Theme
from ftgui.ui.train.advisor import Advisor


class AdviceBanner(QFrame):
    """Hidden when there is no advice.

    Args:
        advisor: whose advice is shown.
        disk_tasks: look which names a folder has already.
        theme: for colours.
    """

    def __init__(self, advisor: Advisor, disk_tasks: TaskQueue, theme: Theme) -> None:
        super().__init__()
        self._advisor = advisor
        self._disk_tasks = disk_tasks
        self._theme = theme
        self.setObjectName("card")
        self._icon = QLabel()
        self.sentence = label("", wrap=True)
        self.action = button("Do it", "")
        self.elsewhere = button(
            "Save the model elsewhere…", "Asks for a folder, and writes a finished model into a new one there"
        )
        self.dismiss = IconButton("x", "Dismiss", ": this is not shown again for this run", theme)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(self._icon)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.action)
        row.addWidget(self.elsewhere)
        row.addWidget(self.dismiss)
        self.hide()
        self.action.clicked.connect(advisor.act)
        self.elsewhere.clicked.connect(self._ask_where)
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
        self.elsewhere.setVisible(advice.save_to is not None)

    @Slot()
    def _ask_where(self) -> None:
        advice = self._advisor.advice
        if advice is None or advice.save_to is None:
            return
        parent = choose_folder(self, "Folder to save the model in", MODELS)
        if parent is not None:
            self._disk_tasks.do(partial(new_name, parent, advice.run.name), advice.save_to)


def new_name(folder: Path, name: str) -> Path:
    """A name in a folder that nothing has yet: the given one, or that with a number."""
    candidate, number = folder / name, 1
    while candidate.exists():
        number += 1
        candidate = folder / f"{name}-{number}"
    return candidate
