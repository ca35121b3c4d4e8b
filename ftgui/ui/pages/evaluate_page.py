"""The Evaluate page: the final figures of the last run and what was taken for what."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from ftgui.data.project import read_result, run_number
from ftgui.progress import percent
from ftgui.protocol import messages as m
from ftgui.ui.models.confusion import ConfusionModel
from ftgui.ui.models.recall import RECALL, RecallBars, RecallModel
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.basics import Card, heading, label
from ftgui.ui.words import plural
from ftgui.ui.workspace import Workspace

_WIDEST_CELL = 110
_NARROWEST_CELL = 34
_RECALL_WIDTH = 230


class EvaluatePage(QWidget):
    """Shows the run that just ended, or the project's newest."""

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        top = Card("Result")
        self.headline = heading(wrap=True)
        self.detail = label("", "muted", wrap=True)
        self.worst = label("", wrap=True)
        for widget in (self.headline, self.detail, self.worst):
            top.body.addWidget(widget)
        layout.addWidget(top)
        card = Card("Confusion table")
        card.header.addWidget(label("rows: what it is · columns: what the model said", "muted"))
        self.model = ConfusionModel(theme, self)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setFrameShape(QTableView.Shape.NoFrame)
        self.table.setAcceptDrops(False)
        self.table.setShowGrid(False)
        self.table.setAccessibleName("Confusion table")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.verticalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.verticalHeader().setMaximumWidth(160)
        self.table.verticalHeader().setDefaultSectionSize(30)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        row = QHBoxLayout()
        row.addWidget(self.table, 1)
        card.body.addLayout(row, 1)
        lower = QHBoxLayout()
        lower.setSpacing(10)
        lower.addWidget(card, 1)
        lower.addWidget(self._make_recall(theme))
        layout.addLayout(lower, 1)
        self._show_none()
        workspace.project_changed.connect(self._project_changed)
        workspace.training_event.connect(self._event)
        theme.changed.connect(self.table.viewport().update)

    def _make_recall(self, theme: Theme) -> QWidget:
        card = Card("Recall per class")
        card.setFixedWidth(_RECALL_WIDTH)
        tip = (
            "Of the validation images of a class, the share that the model recognises. Where classes differ in size the "
            "accuracy as a whole can be high while a small class is hardly recognised: it stands first here."
        )
        card.setToolTip(tip)
        self.recall = RecallModel(self)
        table = self.recall_table = QTableView()
        table.setModel(self.recall)
        table.setItemDelegateForColumn(RECALL, RecallBars(theme, table))
        table.setFrameShape(QTableView.Shape.NoFrame)
        table.setAcceptDrops(False)
        table.setShowGrid(False)
        table.setAccessibleName("Recall per class, worst first")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        theme.changed.connect(table.viewport().update)
        card.body.addWidget(table, 1)
        return card

    def _show_none(self) -> None:
        self.headline.setText("Nothing to evaluate yet")
        self.detail.setText("Train first. The figures are of validation images, which the model never learned from.")
        self.worst.hide()
        self.model.show_evaluation(None)
        self.recall.show_evaluation(None)

    @Slot()
    def _project_changed(self) -> None:
        project = self._workspace.project
        run = project.last_finished_run(self._workspace.recipe.backbone) if project else None
        result = read_result(run) if run else None
        if run is None or result is None:
            self._show_none()
            return
        self._show(run, result.get("best_epoch"), _evaluation(result))

    @Slot(object)
    def _event(self, event: object) -> None:
        if isinstance(event, m.TrainingFinished) and event.steps and self._workspace.comparing:
            self._project_changed()  # what is judged here is the model that can be asked: the project's own
        elif isinstance(event, m.TrainingFinished) and event.steps:
            self._show(Path(event.run_folder), event.best_epoch, event.evaluation)

    def _show(self, run: Path, epoch: Any, evaluation: m.Evaluation | None) -> None:
        if evaluation is None:
            self._show_none()
            self.detail.setText(f"Run {run_number(run)} ended without figures of validation images.")
            return
        total = sum(map(sum, evaluation.confusion))
        right = sum(line[i] for i, line in enumerate(evaluation.confusion))
        self.headline.setText(f"{percent(evaluation.accuracy)} of the validation images are right")
        loss = "" if math.isnan(evaluation.loss) else f" · loss {evaluation.loss:.3f}"
        self.detail.setText(
            f"Run {run_number(run)}, weights of epoch {epoch} · {right:,} of {plural(total, 'image')}{loss}"
        )
        self.worst.setText(_worst(evaluation))
        self.worst.show()
        self.model.show_evaluation(evaluation)
        self.recall.show_evaluation(evaluation)
        header = self.table.horizontalHeader()
        available = self.table.viewport().width() // max(len(evaluation.class_names), 1)
        header.setDefaultSectionSize(min(max(available, _NARROWEST_CELL), _WIDEST_CELL))


def _evaluation(result: dict[str, Any]) -> m.Evaluation | None:
    raw = result.get("evaluation")
    if not isinstance(raw, dict):
        return None
    filled = {key: math.nan if value is None else value for key, value in raw.items()}  # JSON has no NaN
    try:
        return msgspec.convert(filled, m.Evaluation)
    except msgspec.ValidationError:
        return None


def _worst(evaluation: m.Evaluation) -> str:
    """The class that is recognised least, and what it is taken for."""
    names, table = evaluation.class_names, evaluation.confusion
    recalls = [(line[i] / sum(line), i) for i, line in enumerate(table) if sum(line)]
    if not recalls:
        return ""
    recall, row = min(recalls)
    if recall == 1:
        return "Every class is recognised without a mistake."
    wrong = max((count, column) for column, count in enumerate(table[row]) if column != row)
    return (
        f"Hardest is “{names[row]}”: {recall:.0%} recognised, most often taken for “{names[wrong[1]]}” ({wrong[0]}×)."
    )
