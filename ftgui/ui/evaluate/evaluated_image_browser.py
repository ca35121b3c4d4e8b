"""The images that a figure of the Evaluate page is about: with their title, and why the model says what it says."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolButton

from ftgui.base.formatting import plural
from ftgui.data.catalog.query import Query
from ftgui.ui.images.image_browser import ImageBrowser
from ftgui.ui.project.evaluation import Evaluation
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import button, label
from ftgui.ui.toolkit.theme import Theme


class EvaluatedImageBrowser(ImageBrowser):
    """Mistakes at first.

    Args:
        workspace: through which edits go.
        evaluation: says whose images they are.
        theme: for colours.
    """

    why_wanted = Signal(object)
    """Path of an image: show what speaks for the answer."""

    def __init__(self, workspace: Workspace, evaluation: Evaluation, theme: Theme) -> None:
        super().__init__(workspace, theme)
        self._evaluation = evaluation
        self._asked = Query(correct=False, order="confidence", descending=True)
        """What the images are, without the split."""
        self._title = ""
        self.title = label("", "title", wrap=True)
        self.all_errors = button("All mistakes", "Show every image that the model gets wrong, most confident first")
        row = QHBoxLayout()
        row.addWidget(self.title, 1)
        row.addWidget(self.all_errors)
        self.card.body.insertLayout(0, row)
        self.why = QToolButton()
        self.why.setObjectName("chip")
        self.why.setText("Show why")
        self.why.setAccessibleName("Show why the model gives this answer")
        self.why.setToolTip("Show which regions of the selected image support the model's answer")
        self.foot.removeWidget(self.selected)
        self.card.body.insertWidget(self.card.body.count() - 1, self.selected)
        self.foot.insertStretch(0, 1)
        self.foot.insertWidget(1, self.why)
        self.setMinimumWidth(280)
        self.found.connect(self._show_title)
        self.ask_wanted.connect(self.why_wanted)
        for may_change_it in (
            self.grid.chosen_changed,
            evaluation.changed,
            workspace.engine_changed,
            workspace.model.changed,
        ):
            may_change_it.connect(self._show_why)
        self.why.clicked.connect(self._why_clicked)

    def ask(self, query: Query, title: str) -> None:
        """These images from now on; the split is that of the evaluation."""
        self._asked, self._title = query, title
        self.ask_again()

    def ask_again(self) -> None:
        """The same, where labels or answers may have changed."""
        split = "" if self._evaluation.folder else self._evaluation.split
        # The figures are of images that can be used; so are those that a figure leads to.
        self.browse(replace(self._asked, split=split, usable=True))

    @Slot(int)
    def _show_title(self, count: int) -> None:
        result = self._evaluation.shown
        self.title.setText(f"{self._title} · {plural(count, 'image')}")
        unseen = result is not None and result.answers is None
        self.nothing.setText(
            "Single images have not been evaluated yet: press “Evaluate images”." if unseen else "None."
        )

    @Slot()
    def _show_why(self) -> None:
        self.why.setEnabled(len(self.grid.chosen()) == 1 and self._workspace.model.loaded is not None)

    @Slot()
    def _why_clicked(self) -> None:
        (place, *_) = self.grid.images.places(self.chosen()[:1]) or [-1]
        row = self.grid.images.row(place) if place >= 0 else None
        if row is not None:
            self.why_wanted.emit(self._evaluation.root / row.path)
