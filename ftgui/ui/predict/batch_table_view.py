"""What the model says of many files: a table that fills while it looks, saved as CSV."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QThreadPool, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QTableView

from ftgui.base.files import replacing
from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.base.paths import data_dir, scratch_folder
from ftgui.data.scanning.archive import is_archive_name
from ftgui.data.scanning.given_images import opened
from ftgui.protocol import messages as m
from ftgui.ui.predict.batch_table import MOST_ROWS, AnswersModel
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Bar, Card, ElidedLabel, button, label
from ftgui.ui.toolkit.file_choice import TABLES, choose_place
from ftgui.ui.toolkit.theme import Theme


class FilesView(Card):
    """Shows the newest question about many files.

    Args:
        workspace: that asks.
        theme: for colours.
    """

    look_wanted = Signal(Path)
    """One of them, large."""
    closed = Signal()

    def __init__(self, workspace: Workspace, theme: Theme) -> None:
        super().__init__()
        self._workspace = workspace
        self._pool = QThreadPool(self)
        self._saving: Task | None = None
        self._opening: Task | None = None
        """Archives are being unpacked."""
        self._table_file = Path()
        self._unreadable = 0
        self._whose = ""
        """Model it is that answers."""
        self.name = ElidedLabel()
        self.name.setObjectName("title")
        self.state = label("", "muted")
        self.bar = Bar(theme)
        self.bar.setFixedWidth(140)
        self.stop = button("Stop", "The answers so far stay and can be saved")
        self.save = button("Save as CSV…", "All answers as a table: path, answer, probability, problem", primary=True)
        self.back = button("Back", "To the single image; the table stays and keeps filling")
        top = QHBoxLayout()
        top.addWidget(self.name, 1)
        for widget in (self.state, self.bar, self.stop, self.save, self.back):
            top.addWidget(widget)
        self.body.addLayout(top)
        self.answers = AnswersModel(self)
        self.table = QTableView()
        self.table.setModel(self.answers)
        self.table.setFrameShape(QTableView.Shape.NoFrame)
        self.table.setShowGrid(False)
        self.table.setAcceptDrops(False)
        self.table.setAccessibleName("Answers")
        self.table.setToolTip("Double-click a file to see it and why the model gives this answer")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.body.addWidget(self.table, 1)
        self.stop.clicked.connect(self._stop)
        self.save.clicked.connect(self._choose_file)
        self.back.clicked.connect(self.closed)
        self.table.activated.connect(self._activated)
        workspace.inference_requests.files_answered.connect(self._answered)
        workspace.inference_requests.files_failed.connect(self._failed)

    def look_at(self, paths: list[Path]) -> None:
        """Ask about these files and all images in these folders and archives."""
        if self._workspace.inference_requests.looking_at_files or self._opening is not None:
            self._workspace.message.emit("warning", "Other files are still being evaluated; stop that first.")
            return
        self.answers.clear()
        self._unreadable = 0
        whose = self._workspace.present.words
        self._whose = f" · by {whose}" if whose and not self._workspace.engine.busy else ""
        name = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1:,} more"
        self.name.set_full(name)
        self.state.setText("reading the files…")
        self.bar.set_value(0)
        self._show_buttons(busy=True)
        self._forget_file()
        self._table_file = scratch_folder(data_dir() / "answers") / "answers.csv"
        if not any(is_archive_name(path) for path in paths):
            self._ask(paths)
            return
        self._opening = Task(partial(opened, paths), self)
        self._opening.done.connect(self._opened)
        self._opening.failed.connect(self._failed)
        self._opening.progress.connect(self._unpacking)
        self._opening.start(self._pool)

    @Slot(object)
    def _opened(self, paths: list[Path]) -> None:
        if self.sender() is self._opening:
            self._opening = None
            self._ask(paths)

    def _ask(self, paths: list[Path]) -> None:
        self._workspace.inference_requests.look_at_files(paths, self._table_file, self._workspace.recipe.threshold)

    @Slot(object, object)
    def _unpacking(self, done: int, total: int) -> None:
        if self.sender() is self._opening:
            self.state.setText("unpacking…")
            self.bar.set_value(done / max(total, 1))

    @Slot()
    def _stop(self) -> None:
        if self._opening is None:
            self._workspace.inference_requests.stop_files()
            return
        self._opening.cancel()
        self._opening = None
        self.state.setText("stopped")
        self._show_buttons(busy=False)

    @property
    def in_use(self) -> bool:
        """There are answers, or some are on their way."""
        return bool(self._table_file.name)

    def close_threads(self) -> None:
        """Before the program ends."""
        if self._opening is not None:
            self._opening.cancel()
        self._pool.waitForDone()
        self._forget_file()

    def _forget_file(self) -> None:
        if self._table_file.name:
            # Windows keeps a file that the engine still writes; then the next window removes it.
            shutil.rmtree(self._table_file.parent, ignore_errors=True)
            self._table_file = Path()

    def _show_buttons(self, busy: bool) -> None:
        self.stop.setVisible(busy)
        self.bar.setVisible(busy)
        self.save.setVisible(not busy)
        self.save.setEnabled(self.answers.rowCount() > 0)

    @Slot(m.PredictedFiles)
    def _answered(self, event: m.PredictedFiles) -> None:
        self.answers.add(event)
        self._unreadable += sum(bool(problem) for problem in event.problems)
        self.bar.set_value(event.done / max(event.total, 1))
        shown = f" · the first {MOST_ROWS:,} shown" if event.done > MOST_ROWS else ""
        guesses = "" if event.trained else "guesses: nothing has been learned yet · "
        bad = f" · {self._unreadable:,} can't be read" if self._unreadable else ""
        of = f"{event.done:,} of {event.total:,}" if not event.over else plural(event.done, "image")
        stopped = " · stopped" if event.stopped else ""
        whose = self._whose if event.trained else ""
        self.state.setText(guesses + of + stopped + bad + shown + whose)
        if event.over:
            self._show_buttons(busy=False)

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        self._opening = None
        self.state.setText(sentence)
        self._show_buttons(busy=False)
        self._workspace.message.emit("error", sentence)

    @Slot(QModelIndex)
    def _activated(self, index: QModelIndex) -> None:
        self.look_wanted.emit(self.answers.path_at(index.row()))

    @Slot()
    def _choose_file(self) -> None:
        path = choose_place(self, "Save the answers", TABLES, "answers.csv", "CSV (*.csv)")
        if path is not None:
            self.save_to(path)

    def save_to(self, path: Path) -> None:
        """Copy the table, complete or not at all, in the background."""
        self._saving = Task(partial(_copy, self._table_file, path), self)
        self._saving.done.connect(self._saved)
        self._saving.failed.connect(self._not_saved)
        self._saving.start(self._pool)

    @Slot(object)
    def _saved(self, path: Path) -> None:
        self._workspace.message.emit("info", f"The answers are in {path}.")

    @Slot(str)
    def _not_saved(self, sentence: str) -> None:
        self._workspace.message.emit("error", f"The answers could not be saved: {sentence}")


def _copy(source: Path, target: Path, _job: Job) -> Path:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
    return target
