"""The Evaluate page: how good the model is, where it errs, and the images of every single mistake."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QStackedWidget,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.formatting import percent, plural
from ftgui.data.catalog.query import Query
from ftgui.data.metrics import accuracy, calibration_error, class_figures, confused_pairs, interval, reliability
from ftgui.ui.evaluate.class_metrics_table import NAME, SUPPORT, ClassFiguresModel, ShareBars
from ftgui.ui.evaluate.confusion_view import MatrixView
from ftgui.ui.images.image_browser import ImageBrowser
from ftgui.ui.project.evaluation import EvaluationResult
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Card, Tabs, button, elided_pair, heading, label
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

if TYPE_CHECKING:
    from ftgui.ui.evaluate.calibration_view import ConfidenceView

_SPLITS = {"Validation images": "val", "Test images": "test", "Training images": "train", "All images": ""}
_PAIRS = 3
"""Most confused pairs that are offered, where there is room."""
_PAIR_WIDTH = 240
"""Pixels."""
MATRIX, CLASSES, CONFIDENCE = range(3)


_FOLDER_TIP = (
    "Evaluate the model on a folder of labelled images that it has never seen; a zip or tar of one can be dropped here"
)


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
        self._asked = Query(correct=False, order="confidence", descending=True)
        """What the images at the right are, without the split."""
        self._title = ""
        self._pairs_shown = _PAIRS
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._make_top())
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setAccessibleName("Figures at the left, images at the right")
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(10)
        self.split.addWidget(self._make_figures())
        self.split.addWidget(self._make_images())
        self.split.setSizes([500, 500])
        layout.addWidget(self.split, 1)
        self.empty = self._make_empty()
        layout.addWidget(self.empty, 1)
        self._connect()
        self._refresh()

    # --- making -----------------------------------------------------------------------------------------------------

    def _make_top(self) -> QWidget:
        card = Card()
        row = QHBoxLayout()
        self.headline = heading(wrap=True)
        self.which = QComboBox()
        self.which.addItems(list(_SPLITS))
        self.which.setAccessibleName("Which images are evaluated")
        self.which.setToolTip(
            "Validation images chose the best weights, so their accuracy is a little too good.\n"
            "Test images were never used for anything: their figure is the honest one."
        )
        self.folder = button("Other folder…", _FOLDER_TIP)
        self.look = button(
            "Evaluate images", "Let the model look at every image, so that each figure leads to its images"
        )
        self.train = button(
            "Train again", "Train with the labels as they are now: put mistakes right, then see what it is worth"
        )
        row.addWidget(self.headline, 1)
        for widget in (self.which, self.folder, self.look, self.train):
            row.addWidget(widget)
        self.detail = label("", "muted", wrap=True)
        self.pairs = QHBoxLayout()
        self.pairs.setSpacing(6)
        card.body.addLayout(row)
        card.body.addWidget(self.detail)
        card.body.addLayout(self.pairs)
        return card

    def _make_figures(self) -> QWidget:
        card = Card()
        self.views = Tabs(
            (
                ("Matrix", "What is taken for what"),
                ("Classes", "Precision, recall and F1 of every class"),
                ("Confidence", "Whether it is calibrated, and when it should rather not answer"),
            )
        )
        card.body.addWidget(self.views)
        self.stack = QStackedWidget()
        self.stack.addWidget(self._make_matrix())
        self.stack.addWidget(self._make_classes())
        self._confidence_placeholder = QWidget()
        self.stack.addWidget(self._confidence_placeholder)
        card.body.addWidget(self.stack, 1)
        card.setMinimumWidth(300)
        return card

    def _make_matrix(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        self.matrix = MatrixView(self._theme)
        layout.addWidget(self.matrix, 1)
        self.numbers = QComboBox()
        self.numbers.addItems(["Counts", "Percent of row"])
        self.numbers.setAccessibleName("Show counts or percent of the row")
        self.order = QComboBox()
        self.order.addItems(["By name", "Most mistakes first"])
        self.order.setAccessibleName("Order of the classes")
        row = QHBoxLayout()
        row.addWidget(self.numbers)
        row.addWidget(self.order)
        row.addStretch(1)
        layout.addLayout(row)
        text = "Rows: what it is. Columns: what the model said. Click a cell for its images."
        layout.addWidget(label(text, "muted", wrap=True))
        return page

    def _make_classes(self) -> QWidget:
        self.figures = ClassFiguresModel(self)
        table = self.class_table = QTableView()
        table.setModel(self.figures)
        bars = ShareBars(self._theme, table)
        for column in range(NAME + 1, SUPPORT):
            table.setItemDelegateForColumn(column, bars)
        table.setFrameShape(QTableView.Shape.NoFrame)
        table.setAcceptDrops(False)
        table.setShowGrid(False)
        table.setSortingEnabled(True)
        table.sortByColumn(3, Qt.SortOrder.AscendingOrder)
        table.setAccessibleName("Figures of every class; a click shows its mistakes")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(26)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(SUPPORT, QHeaderView.ResizeMode.ResizeToContents)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.clicked.connect(self._class_chosen)
        table.activated.connect(self._class_chosen)
        self._theme.changed.connect(table.viewport().update)
        return table

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

    def _make_images(self) -> QWidget:
        self.browser = ImageBrowser(self._workspace, self._theme)
        self.shown = label("", "title", wrap=True)
        self.all_errors = button("All mistakes", "Show every image that the model gets wrong, most confident first")
        row = QHBoxLayout()
        row.addWidget(self.shown, 1)
        row.addWidget(self.all_errors)
        self.browser.card.body.insertLayout(0, row)
        self.why = QToolButton()
        self.why.setObjectName("chip")
        self.why.setText("Show why")
        self.why.setAccessibleName("Show why the model says so")
        self.why.setToolTip("Show which places of the selected image speak for the model’s answer")
        self.browser.foot.removeWidget(self.browser.selected)
        self.browser.card.body.insertWidget(self.browser.card.body.count() - 1, self.browser.selected)
        self.browser.foot.insertStretch(0, 1)
        self.browser.foot.insertWidget(1, self.why)
        self.browser.setMinimumWidth(280)
        return self.browser

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
        workspace = self._workspace
        workspace.recipe_changed.connect(self._show_threshold)
        workspace.engine_changed.connect(self._show_buttons)
        workspace.model_changed.connect(self._show_buttons)
        workspace.catalog_changed.connect(self._catalog_changed)
        self.which.activated.connect(self._split_chosen)
        self.folder.clicked.connect(self.folder_wanted)
        self.look.clicked.connect(self._evaluation.look)
        self.train.clicked.connect(self.train_wanted)
        self.views.chosen.connect(self.show_view)
        self.numbers.activated.connect(self._show_as)
        self.order.activated.connect(self._show_as)
        self.matrix.cell_chosen.connect(self.show_cell)
        self.all_errors.clicked.connect(self.show_errors)
        self.browser.found.connect(self._found)
        self.browser.ask_wanted.connect(self.why_wanted)
        self.browser.grid.chosen_changed.connect(self._show_why)
        self.why.clicked.connect(self._why)

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
    def _show_as(self) -> None:
        self.matrix.show_as(self.numbers.currentIndex() == 1, self.order.currentIndex() == 1)

    @Slot()
    def _set_changed(self) -> None:
        """Other images are evaluated."""
        evaluation = self._evaluation
        self.browser.show_catalog(evaluation.catalog, editable=evaluation.folder is None)
        while self.which.count() > len(_SPLITS):
            self.which.removeItem(len(_SPLITS))
        if evaluation.folder is not None:
            self.which.addItem(f"“{evaluation.folder.path.name}”")
            self.which.setCurrentIndex(len(_SPLITS))
        else:
            self.which.setCurrentIndex(list(_SPLITS.values()).index(evaluation.split))
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
        self._show_headline(shown)
        self.matrix.show_matrix(shown.class_names, shown.confusion)
        self.figures.show_figures(shown.class_names, class_figures(shown.confusion))
        self._show_pairs(shown)
        if self.views.current == CONFIDENCE:
            self._show_confidence()
        self._browse()

    def _show_none(self) -> None:
        folder, split = self._evaluation.folder, self._evaluation.split
        self._show_pairs(None)
        if self._workspace.training_requests.evaluating:
            self.headline.setText("The model is looking at the images")
            self.detail.setText("The figures come as soon as it has seen them.")
            self.empty_text.setText("…")
        elif folder is not None:
            self.headline.setText("Nothing to show here")
            self.detail.setText(f"None of the images in “{folder.path.name}” could be evaluated.")
            self.empty_text.setText("Choose other images above, or another folder.")
        elif self._workspace.model_is_trained:
            self.headline.setText("Nothing to show here")
            name = next(name for name, its in _SPLITS.items() if its == split).lower()
            name = "image" if not split else name
            self.detail.setText(f"The model has not looked at any {name} yet, or there are none.")
            self.empty_text.setText("“Evaluate images” does it. How many there are for what is set on the Data page.")
        else:
            self.headline.setText("Nothing to evaluate yet")
            self.detail.setText(
                "Train first. The figures are of validation images, which the model never learned from."
            )
            self.empty_text.setText(
                "Here you will see what the model takes for what, how sure it is,\n"
                "and the images of every mistake, ready to be relabelled."
            )

    def _show_headline(self, shown: EvaluationResult) -> None:
        total = int(shown.confusion.sum())
        share = accuracy(shown.confusion)
        right = round(share * total)
        low, high = interval(right, total)
        self.headline.setText(f"Accuracy {percent(share)}")
        self.headline.setToolTip(
            f"{right:,} of {plural(total, 'image')}. With other images of the same kind it would be between {low:.1%} and "
            f"{high:.1%} in 95 of 100 cases (Wilson interval): with few images the figure says little."
        )
        figures = class_figures(shown.confusion)
        known = figures.f1[figures.support > 0]
        parts = [
            self._evaluation.title(),
            f"{right:,} of {total:,}",
            f"95 % interval {low * 100:.0f} to {high * 100:.0f} %",
            f"mean F1 {percent(float(known.mean()))}",
        ]
        if shown.answers is not None:
            error = calibration_error(reliability(shown.answers.confidences, shown.answers.right))
            parts.append(f"calibration error {error * 100:.1f} %")
            if shown.answers.unanswered:
                parts.append(f"{plural(shown.answers.unanswered, 'image')} not looked at")
        elif not math.isnan(shown.loss):
            parts.append(f"loss {shown.loss:.3f}")
        self.detail.setText(" · ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts))

    def _show_pairs(self, shown: EvaluationResult | None) -> None:
        while (item := self.pairs.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()  # until it is deleted it would be painted where it was
                widget.deleteLater()
        self._pairs_shown = self._pairs_that_fit()
        pairs = confused_pairs(shown.confusion, self._pairs_shown) if shown else []
        if shown is None:
            return
        self.pairs.addWidget(label("Most confused:" if pairs else "Every image is recognised.", "muted"))
        for count, row, column in pairs:
            names = shown.class_names[row], shown.class_names[column]
            chip = QToolButton()
            chip.setObjectName("chip")
            chip.setText(
                f"{elided_pair(self.fontMetrics(), names[0], ' → ', names[1], _PAIR_WIDTH - 60)}  {count}×".replace(
                    "&", "&&"
                )
            )
            chip.setToolTip(
                as_plain(f"{plural(count, 'image')} of “{names[0]}” called “{names[1]}”; a click shows them")
            )
            chip.setAccessibleName(f"{names[0]} called {names[1]}, {count} times")
            chip.clicked.connect(lambda _checked=False, names=names: self._pair_chosen(*names))
            self.pairs.addWidget(chip)
        self.pairs.addStretch(1)

    def _pairs_that_fit(self) -> int:
        return min(max((self.width() - _PAIR_WIDTH // 2) // _PAIR_WIDTH, 1), _PAIRS)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._pairs_that_fit() != self._pairs_shown:
            self._show_pairs(self._evaluation.shown)

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
        self.look.setVisible(missing and self._evaluation.folder is None and self._workspace.model_is_trained)
        self.look.setEnabled(not why and not self._workspace.training_requests.evaluating)
        self.folder.setEnabled(not why)
        self.folder.setToolTip(why or _FOLDER_TIP)
        self.train.setVisible(shown is not None)
        self.train.setEnabled(not self._workspace.obstacles() and not self._workspace.engine.busy)
        self._show_why()

    # --- images -----------------------------------------------------------------------------------------------------

    @Slot()
    def show_errors(self) -> None:
        """Every mistake, most confident first."""
        self._ask(Query(correct=False, order="confidence", descending=True), "Mistakes, most confident first")
        self.matrix.setCurrentIndex(QModelIndex())

    @Slot(str, str)
    def show_cell(self, class_name: str, answer: str) -> None:
        """Exactly the images of one cell of the matrix."""
        title = f"“{class_name}” called “{answer}”" if class_name != answer else f"“{class_name}” recognised"
        query = Query(class_name=class_name, prediction=answer, order="confidence", descending=class_name != answer)
        self._ask(query, title)

    def _pair_chosen(self, class_name: str, answer: str) -> None:
        self.show_view(MATRIX)
        self.matrix.choose(class_name, answer)
        self.show_cell(class_name, answer)

    @Slot(QModelIndex)
    def _class_chosen(self, index: QModelIndex) -> None:
        name = self.figures.name_at(index.row())
        self._ask(
            Query(class_name=name, correct=False, order="confidence", descending=True),
            f"“{name}” called something else",
        )

    @Slot(float, float)
    def _bin_chosen(self, low: float, high: float) -> None:
        self._ask(
            Query(least_sure=low, surest=high, order="confidence"), f"Answers of {low:.0%} to {high:.0%} probability"
        )

    @Slot()
    def _show_unknown(self) -> None:
        threshold = self._workspace.recipe.threshold
        self._ask(Query(surest=threshold, order="confidence"), f"Below {threshold:.0%}: “don’t know”")

    @Slot(float)
    def _threshold_chosen(self, threshold: float) -> None:
        self._workspace.recipe_editor.change("", "threshold", threshold)

    def _ask(self, query: Query, title: str) -> None:
        self._asked, self._title = query, title
        self._browse()

    def _browse(self) -> None:
        split = "" if self._evaluation.folder else self._evaluation.split
        # The figures are of images that can be used; so are those that a figure leads to.
        self.browser.browse(replace(self._asked, split=split, usable=True))

    @Slot(int)
    def _found(self, count: int) -> None:
        shown = self._evaluation.shown
        self.shown.setText(f"{self._title} · {plural(count, 'image')}")
        unseen = shown is not None and shown.answers is None
        self.browser.nothing.setText(
            "Single images have not been evaluated yet: press “Evaluate images”." if unseen else "None."
        )

    @Slot(int)
    def _split_chosen(self, number: int) -> None:
        splits = list(_SPLITS.values())
        if number < len(splits):
            self._evaluation.choose_split(splits[number])

    @Slot()
    def _show_why(self) -> None:
        chosen = self.browser.grid.chosen()
        self.why.setEnabled(len(chosen) == 1 and self._workspace.model is not None)

    @Slot()
    def _why(self) -> None:
        catalog, chosen = self._evaluation.catalog, self.browser.chosen()
        rows = catalog.rows(chosen[:1]) if catalog else []
        if catalog is not None and rows:
            self.why_wanted.emit(catalog.root / rows[0].path)

    def close_threads(self) -> None:
        """Before the program ends."""
        self.browser.close_threads()
