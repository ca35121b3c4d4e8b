"""The card that says in words what is happening, and what a run that is over meant."""

from __future__ import annotations

from PySide6.QtCore import QSize, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Card, label, scrolled
from ftgui.ui.toolkit.theme import Theme
from ftgui.ui.train.live_preview import LivePreview
from ftgui.ui.train.preparing import Preparing
from ftgui.ui.train.verdict_list import VerdictList


class _Words(QWidget):
    def minimumSizeHint(self) -> QSize:
        """As high as the words are in the width there is: the hint of a label that wraps is for a narrow one."""
        return QSize(super().minimumSizeHint().width(), 0)


class WordsCard(Card):
    """Never higher than its place: many words scroll, and take nothing from the plots.

    Args:
        workspace: that trains.
        theme: for colours.
    """

    def __init__(self, workspace: Workspace, theme: Theme) -> None:
        super().__init__("What is happening")
        self.headline = label("", wrap=True)
        font = self.headline.font()
        font.setWeight(font.Weight.DemiBold)
        self.headline.setFont(font)
        self.explanation = label("", "muted", wrap=True)
        self.figures = label("", wrap=True)
        self.preparing = Preparing(workspace, theme)
        self.verdicts = VerdictList(workspace)
        self.preview = LivePreview(workspace, theme)
        self.preview_place = QWidget()
        place = QVBoxLayout(self.preview_place)
        place.setContentsMargins(0, 0, 0, 0)
        place.addWidget(self.preview)
        words = _Words()
        column = QVBoxLayout(words)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (self.headline, self.explanation, self.figures, self.preparing, self.verdicts):
            column.addWidget(widget)
        column.addStretch(1)
        column.addWidget(self.preview_place)
        self.body.addWidget(scrolled(words))
        self.verdicts.changed.connect(self._show_verdicts)

    def say_figures(self, text: str) -> None:
        """Below the explanation; empty: no figures yet."""
        self.figures.setText(text)
        self.figures.setVisible(bool(text))

    @Slot()
    def _show_verdicts(self) -> None:
        """In the place of the preview, which has nothing new to show when the run is over."""
        self.preview_place.setVisible(not self.verdicts.verdicts)
