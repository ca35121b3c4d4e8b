"""Says that the project is only looked at, with the way out of it."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from ftgui.protocol.problem import Problem
from ftgui.ui.project.access import LOOK_ONLY, ProjectAccess
from ftgui.ui.toolkit.basics import button, label
from ftgui.ui.toolkit.form_fields import mark
from ftgui.ui.toolkit.theme import Theme


class LookOnlyBanner(QFrame):
    """Follows a window's access to its project; hidden where it may write."""

    take_over_wanted = Signal()

    def __init__(self, access: ProjectAccess, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._access = access
        self._theme = theme
        self.setObjectName("card")
        self._icon = QLabel()
        self.take_over = button("Take over", "This window edits and trains from now on; the other can then only view")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(self._icon)
        row.addWidget(label(LOOK_ONLY, wrap=True), 1)
        row.addWidget(self.take_over)
        self.take_over.clicked.connect(self.take_over_wanted)
        access.changed.connect(self._refresh)
        theme.changed.connect(self._refresh)
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        mark(Problem("warning", "look-only", LOOK_ONLY), self._theme, self._icon)
        self.setVisible(self._access.look_only)
