"""The Evaluate page: how good the model is, where it errs, and the images of every single mistake."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from ftgui.data.catalog.query import Query
from ftgui.data.metrics import class_figures
from ftgui.ui.evaluate.class_metrics_table import ClassMetricsTable
from ftgui.ui.evaluate.confusion_view import ConfusionPanel
from ftgui.ui.evaluate.evaluated_image_browser import EvaluatedImageBrowser
from ftgui.ui.evaluate.evaluation_summary import FOLDER_TIP, EvaluationSummary, images_of
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Card, Tabs, label
from ftgui.ui.toolkit.theme import Theme

if TYPE_CHECKING:
    from ftgui.ui.evaluate.calibration_view import ConfidenceView

MATRIX, CLASSES, CONFIDENCE = range(3)


class EvaluatePage(QWidget):
    """Figures at the left, the images they are about at the right.

    Args:
        workspace: whose model is evaluated.
        theme: for colours.
    """

    folder_wanted = Signal()
    """Evaluate on another folder."""
    train_wanted = Signal()
    why_wanted = Signal(object)
    """Path of an image: show what speaks for the answer."""

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._evaluation = workspace.evaluation
        self._theme = theme
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        self.summary = EvaluationSummary()
        layout.addWidget(self.summary)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setAccessibleName("Figures on the left, images on the right")
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(10)
        self.split.addWidget(self._make_figures())
        self.browser = EvaluatedImageBrowser(workspace, self._evaluation, theme)
        self.split.addWidget(self.browser)
        self.split.setSizes([500, 500])
        layout.addWidget(self.split, 1)
        self.empty = self._make_empty()
        layout.addWidget(self.empty, 1)
        self._connect()
        self._refresh()

    # --- making -----------------------------------------------------------------------------------------------------

    def _make_figures(self) -> QWidget:
        card = Card()
        self.views = Tabs(
            (
                ("Matrix", "Which classes are mistaken for which"),
                ("Classes", "Precision, recall and F1 of every class"),
                ("Confidence", "Whether the model is calibrated, and when it should say “don't know”"),
            )
        )
        card.body.addWidget(self.views)
        self.stack = QStackedWidget()
        self.confusion = ConfusionPanel(self._theme)
        self.stack.addWidget(self.confusion)
        self.classes = ClassMetricsTable(self._theme)
        self.stack.addWidget(self.classes)
        self._confidence_placeholder = QWidget()
        self.stack.addWidget(self._confidence_placeholder)
        card.body.addWidget(self.stack, 1)
        card.setMinimumWidth(300)
        return card

    @cached_property
    def confidence(self) -> ConfidenceView:
        """Made when first looked at: it takes pyqtgraph."""
        from ftgui.ui.evaluate.calibration_view import ConfidenceView

        view = ConfidenceView(self._theme)
        view.threshold_chosen.connect(self._threshold_chosen)
        view.bin_chosen.connect(self._bin_chosen)
        view.unknown_wanted.connect(self._show_unknown)
        self.stack.insertWidget(CONFIDENCE, view)
        self.stack.removeWidget(self._confidence_placeholder)
        self._confidence_placeholder.deleteLater()
        return view

    def _make_empty(self) -> QWidget:
        card = Card()
        card.body.addStretch(1)
        self.empty_text = label("", "muted")
        self.empty_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty_text.setWordWrap(True)
        card.body.addWidget(self.empty_text)
        card.body.addStretch(1)
        return card

    def _connect(self) -> None:
        self._evaluation.changed.connect(self._refresh)
        self._evaluation.set_changed.connect(self._set_changed)
        workspace, summary = self._workspace, self.summary
        workspace.recipe_changed.connect(self._show_threshold)
        workspace.engine_changed.connect(self._show_buttons)
        workspace.model.changed.connect(self._show_buttons)
        workspace.catalog_changed.connect(self._catalog_changed)
        summary.split_chosen.connect(self._evaluation.choose_split)
        summary.folder.clicked.connect(self.folder_wanted)
        summary.look.clicked.connect(self._evaluation.look)
        summary.train.clicked.connect(self.train_wanted)
        summary.pairs.pair_chosen.connect(self._pair_chosen)
        self.views.chosen.connect(self.show_view)
        self.confusion.matrix.cell_chosen.connect(self.show_cell)
        self.classes.class_chosen.connect(self.show_mistakes_of)
        self.browser.all_errors.clicked.connect(self.show_errors)
        self.browser.why_wanted.connect(self.why_wanted)

    # --- figures ----------------------------------------------------------------------------------------------------

    @Slot(int)
    def show_view(self, number: int) -> None:
        """`MATRIX`, `CLASSES` or `CONFIDENCE`."""
        self.views.choose(number)
        if number == CONFIDENCE:
            self.stack.setCurrentWidget(self.confidence)
            self._show_confidence()
            self._show_threshold()
        else:
            self.stack.setCurrentIndex(number)

    @Slot()
    def _set_changed(self) -> None:
        """Other images are evaluated."""
        evaluation = self._evaluation
        self.browser.show_catalog(evaluation.catalog, evaluation.root, editable=evaluation.folder is None)
        self.summary.show_images(evaluation.split, evaluation.folder.path.name if evaluation.folder else "")
        self.show_errors()

    @Slot()
    def _catalog_changed(self) -> None:
        contents = self._workspace.contents
        self.browser.grid.class_names = list(contents.counts) if contents else []

    @Slot()
    def _refresh(self) -> None:
        shown = self._evaluation.shown
        self.split.setVisible(shown is not None)
        self.empty.setVisible(shown is None)
        self._show_buttons()
        if shown is None:
            self._show_none()
            return
        self.summary.show_result(shown, self._evaluation.title())
        self.confusion.matrix.show_matrix(shown.class_names, shown.confusion)
        self.classes.figures.show_figures(shown.class_names, class_figures(shown.confusion))
        if self.views.current == CONFIDENCE:
            self._show_confidence()
        self.browser.ask_again()

    def _show_none(self) -> None:
        folder, split = self._evaluation.folder, self._evaluation.split
        if self._workspace.training_requests.evaluating:
            headline = "Evaluating the images"
            detail = "The figures appear when all of them have been evaluated."
            empty = "…"
        elif folder is not None:
            headline = "Nothing to show here"
            detail = f"None of the images in “{folder.path.name}” could be evaluated."
            empty = "Choose other images above, or another folder."
        elif self._workspace.model.is_trained:
            headline = "Nothing to show here"
            detail = f"No {images_of(split)} have been evaluated yet, or there are none."
            empty = "Press “Evaluate images”. The Data page shows how many there are in each split."
        else:
            headline = "Nothing to evaluate yet"
            detail = "Train first. The figures come from validation images, which the model never learned from."
            empty = (
                "Here you will see which classes the model confuses, how confident it is,\n"
                "and the images of every mistake, ready to be relabelled."
            )
        self.summary.show_none(headline, detail)
        self.empty_text.setText(empty)

    def _show_confidence(self) -> None:
        shown, run = self._evaluation.shown, self._evaluation.run
        known = self._evaluation.figures_of(run) if run else None
        before = known.calibration_error_before if known else math.nan
        temperature = known.temperature if known else 1.0
        self.confidence.show_answers(shown.answers if shown else None, temperature, before)

    @Slot()
    def _show_threshold(self) -> None:
        if "confidence" in self.__dict__:  # it exists
            self.confidence.show_threshold(self._workspace.recipe.threshold, not self._workspace.engine.busy)

    @Slot()
    def _show_buttons(self) -> None:
        why = self._evaluation.why_not_now()
        shown = self._evaluation.shown
        missing = shown is None or shown.answers is None or shown.answers.unanswered > 0
        summary = self.summary
        summary.look.setVisible(missing and self._evaluation.folder is None and self._workspace.model.is_trained)
        summary.look.setEnabled(not why and not self._workspace.training_requests.evaluating)
        summary.folder.setEnabled(not why)
        summary.folder.setToolTip(why or FOLDER_TIP)
        summary.train.setVisible(shown is not None)
        summary.train.setEnabled(not self._workspace.readiness.obstacles() and not self._workspace.engine.busy)

    # --- images -----------------------------------------------------------------------------------------------------

    @Slot()
    def show_errors(self) -> None:
        """Every mistake, most confident first."""
        self.browser.ask(Query(correct=False, order="confidence", descending=True), "Mistakes, most confident first")
        self.confusion.matrix.setCurrentIndex(QModelIndex())

    @Slot(str, str)
    def show_cell(self, class_name: str, answer: str) -> None:
        """Exactly the images of one cell of the matrix."""
        title = f"“{class_name}” taken for “{answer}”" if class_name != answer else f"“{class_name}” recognised"
        query = Query(class_name=class_name, prediction=answer, order="confidence", descending=class_name != answer)
        self.browser.ask(query, title)

    @Slot(str, str)
    def _pair_chosen(self, class_name: str, answer: str) -> None:
        self.show_view(MATRIX)
        self.confusion.matrix.choose(class_name, answer)
        self.show_cell(class_name, answer)

    @Slot(str)
    def show_mistakes_of(self, name: str) -> None:
        """The images of a class that the model calls something else, most confident first."""
        self.browser.ask(
            Query(class_name=name, correct=False, order="confidence", descending=True),
            f"“{name}” taken for something else",
        )

    @Slot(float, float)
    def _bin_chosen(self, low: float, high: float) -> None:
        self.browser.ask(
            Query(least_sure=low, surest=high, order="confidence"),
            f"Answers with a probability of {low:.0%} to {high:.0%}",
        )

    @Slot()
    def _show_unknown(self) -> None:
        threshold = self._workspace.recipe.threshold
        self.browser.ask(Query(surest=threshold, order="confidence"), f"Below {threshold:.0%}: “don't know”")

    @Slot(float)
    def _threshold_chosen(self, threshold: float) -> None:
        self._workspace.recipe_editor.change("", "threshold", threshold)

    def close_threads(self) -> None:
        """Before the program ends."""
        self.browser.close_threads()
