"""Above the images of one kind of problem: why it matters, and what to do."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ftgui.data.catalog.problem_kinds import EXCLUDE, EXCLUDE_COPIES, EXCLUDE_TRAIN, KINDS
from ftgui.ui.toolkit.basics import button, label

_ACTIONS = {
    EXCLUDE: "Exclude all of these",
    EXCLUDE_COPIES: "Exclude all but one of each",
    EXCLUDE_TRAIN: "Exclude the copies in train",
}


class ProblemBanner(QWidget):
    """Hidden where the images shown are not those of one kind of problem."""

    fix_wanted = Signal()
    """What the button says should be done."""
    show_all_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.text = label("", wrap=True)
        self.fix = button("Fix", "")
        self.fix.clicked.connect(self.fix_wanted)
        show_all = button("Show all", "Show all images again")
        show_all.clicked.connect(self.show_all_wanted)
        row = QHBoxLayout()
        row.addWidget(self.fix)
        row.addWidget(show_all)
        row.addStretch(1)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self.hide()

    def show_kind(self, name: str) -> None:
        """A kind of problem by its name in `KINDS`; any other name hides the banner."""
        kind = KINDS.get(name)
        self.setVisible(kind is not None)
        if kind is not None:
            self.text.setText(f"{kind.words[0].upper()}{kind.words[1:]}. {kind.teaches}")
            self.fix.setText(_ACTIONS.get(kind.action, "Fix"))
            self.fix.setToolTip(f"{kind.fix} Nothing is deleted; Ctrl+Z undoes it.")
            self.fix.setVisible(bool(kind.action))
