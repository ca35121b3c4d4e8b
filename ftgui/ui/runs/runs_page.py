"""The Runs page: every training of the open dataset, to be compared, used, continued and put away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QThreadPool, QUrl, Signal, Slot
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QWidget,
)

from ftgui.base.formatting import plural
from ftgui.runs.details import Details, read_details
from ftgui.runs.record import RunRecord
from ftgui.runs.report.report import default_name
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.runs.compare_datasets_dialog import CompareDialog
from ftgui.ui.runs.note_dialog import NoteDialog
from ftgui.ui.runs.run_actions import Runs, SeenRun
from ftgui.ui.runs.run_curves import MOST, RunCurves
from ftgui.ui.runs.run_differences import RunDifferences
from ftgui.ui.runs.run_list import RunList
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Card, button, heading, label
from ftgui.ui.toolkit.file_choice import REPORTS, choose_folder, choose_place
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

_ROOM_FOR_BUTTONS = 640
"""Pixels of the page."""


_ACTIONS = {
    "use": ("Use its model", "", "Predict and evaluate with this run's model"),
    "best": ("Use the best run", "", "Uses the best finished run's model again, and keeps doing so after later runs"),
    "continue": ("Continue", "", "Continues from its checkpoint, exactly where it stopped"),
    "recipe": ("Use its recipe", "", "Makes this run's recipe the current one"),
    "export": ("Export…", "", "Writes its model for other programs, and scripts"),
    "report": ("Report…", "", "Writes one HTML file that can be sent to someone"),
    "rename": ("Rename", "F2", "Gives the run another name; its folder stays as it is"),
    "note": ("Note…", "", "Records what you tried and how it turned out"),
    "star": ("Star", "S", "Marks runs you want to remember; press again to remove the star"),
    "data": ("Compare data…", "", "Shows how the images and labels of the two runs differ"),
    "tensorboard": ("TensorBoard files…", "", "Writes the curves for TensorBoard"),
    "trash": ("Move to trash…", "Del", "Moves the runs' folders, models and curves to the system's trash"),
}
"""What can be done with runs: text, key, tooltip."""


class RunsPage(QWidget):
    """Shows the open project's runs."""

    going_on = Signal()
    """A run was asked to be continued."""
    export_wanted = Signal(object)
    """The model in this run's folder."""

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._theme = theme
        self.runs = Runs(workspace, self)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._detailing: Task | None = None
        self._report: Path | None = None
        self.actions_: dict[str, QAction] = {}
        self.buttons: dict[str, QPushButton] = {}
        self.stack = QStackedLayout(self)
        self.stack.addWidget(self._make_empty())
        self.stack.addWidget(self._make_full())
        self._make_actions()
        self.runs.changed.connect(self._runs_changed)
        self.runs.allowed.connect(self._show_actions)
        self.runs.said.connect(workspace.message)
        self.runs.reported.connect(self._reported)
        self.list.selected.connect(self._selected)
        self.list.renamed.connect(lambda record, name: self.runs.say(record, name=name))
        self.list.star_toggled.connect(lambda record: self.runs.say(record, starred=not record.starred))
        self.list.table.customContextMenuRequested.connect(self._context_menu)
        self._runs_changed()

    # --- making -----------------------------------------------------------------------------------------------------

    def _make_empty(self) -> QWidget:
        card = Card()
        card.body.addStretch(1)
        self.empty_title = heading()
        self.empty_text = label("", "muted")
        for widget in (self.empty_title, self.empty_text):
            widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
            card.body.addWidget(widget)
        card.body.addStretch(1)
        return card

    def _make_full(self) -> QWidget:
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setAccessibleName("List above, what is selected below")
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(10)
        self.list = RunList(self._theme)
        self.open_report = button("Open the report", "Shows it in your browser")
        self.open_report.hide()
        self.open_report.clicked.connect(self._open_report)
        self.in_use = label("", "muted")
        self.list.footer.addWidget(self.in_use)
        self.list.footer.addWidget(self.open_report)
        self.splitter.addWidget(self.list)
        self.curves = RunCurves(self._theme)
        self.differences = RunDifferences()
        lower = QWidget()
        row = QHBoxLayout(lower)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.curves, 1)
        row.addWidget(self.differences, 1)
        self.splitter.addWidget(lower)
        self.splitter.setSizes([460, 400])
        return self.splitter

    def _make_actions(self) -> None:
        """All are in the context menu and behind "More"; those used most have a button, where there is room for it."""
        one = self._only
        work: dict[str, Callable[[], None]] = {
            "use": lambda: one(self.use_model),
            "best": self._use_best,
            "continue": lambda: one(self._go_on),
            "recipe": lambda: one(self.runs.use_recipe),
            "export": lambda: one(self._export),
            "report": lambda: one(self._write_report),
            "rename": lambda: one(self.list.edit_name),
            "note": lambda: one(self._write_note),
            "star": self._star,
            "data": self._compare,
            "tensorboard": self._tensorboard,
            "trash": self._trash,
        }
        for name, (text, key, tip) in _ACTIONS.items():
            self._action(name, text, key, work[name], tip)
        self.more = button("More", "Everything that can be done with the selected runs")
        self.more.setMenu(self._menu())
        self.list.bar.addWidget(self.more)

    def _action(self, key: str, text: str, shortcut: str, do: Callable[[], object], tip: str) -> None:
        action = QAction(text, self)
        action.setData(tip)
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
            # In the table only: whoever presses Del elsewhere in the window does not mean runs.
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            self.list.table.addAction(action)
        action.triggered.connect(do)
        self.actions_[key] = action
        if key in ("use", "continue", "recipe", "report"):
            made = self.buttons[key] = button(text, tip)
            made.clicked.connect(action.trigger)
            self.list.bar.addWidget(made)

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for key, action in self.actions_.items():
            if key in ("rename", "trash"):
                menu.addSeparator()
            menu.addAction(action)
        return menu

    @property
    def busy(self) -> bool:
        """Something of a run is read, or done with one, in the background."""
        return self._detailing is not None or self.runs.working

    # --- what is shown ----------------------------------------------------------------------------------------------

    @Slot()
    def _runs_changed(self) -> None:
        records = self.runs.records
        self.stack.setCurrentIndex(1 if records else 0)
        if not records:
            self._show_empty()
        self.list.show_runs(records, self.runs.present, self.runs.training)
        present = self._workspace.present
        self.in_use.setText(f"In use: {present.words}" if present.run else "No run is in use")
        self.in_use.setToolTip(present.why)
        self._show_actions()

    def _show_empty(self) -> None:
        if self._workspace.project is None:
            title, text = (
                "No dataset is open",
                "Drop a folder of images on the window; its training runs are listed here.",
            )
        elif not self.runs.read:
            title, text = "Looking for runs…", ""
        else:
            title = "No runs yet"
            text = (
                "Tick layers on the right and press Train. Every training run is kept and listed here,\n"
                "to be compared, used again, continued, or sent to someone as a report."
            )
        self.empty_title.setText(title)
        self.empty_text.setText(text)

    @Slot()
    def _selected(self) -> None:
        self._show_actions()
        self._read_details()

    def _read_details(self) -> None:
        if self._detailing is not None:
            self._detailing.cancel()
        records = self.list.chosen()
        self._detailing = Task(lambda job: read_details(records, MOST, job), self)
        self._detailing.done.connect(self._detailed)
        self._detailing.failed.connect(self._not_detailed)
        self._detailing.start(self._pool)

    @Slot(object)
    def _detailed(self, details: Details) -> None:
        if self.sender() is self._detailing:
            self._detailing = None
            self.curves.show_details(details)
            self.differences.show_details(details)

    @Slot(str)
    def _not_detailed(self, why: str) -> None:
        self._detailing = None
        self._workspace.message.emit("error", f"The selected runs can't be shown: {why}")

    @Slot()
    def _show_actions(self) -> None:
        """What can't be done now is off, and its tooltip says why."""
        chosen = self.list.chosen()
        first = chosen[0] if len(chosen) == 1 else None
        pick = "Select one run first." if not chosen else "Select one run only."
        training = "It is training." if first is not None and first.path == self.runs.training else ""
        reasons = {
            "use": self.runs.why_no_model(first) if first else pick,
            "best": self.runs.why_no_best(),
            "continue": self.runs.why_no_continuing(first) if first else pick,
            "recipe": self.runs.why_no_recipe(first) if first else pick,
            "export": self._why_no_export(first) if first else pick,
            "report": training if first else pick,
            "rename": self.runs.why_no_words() if first else pick,
            "note": self.runs.why_no_words() if first else pick,
            "star": self.runs.why_no_words() if chosen else "Select runs first.",
            "data": "" if len(chosen) == 2 else "Select two runs first.",
            "tensorboard": "" if chosen else "Select runs first.",
            "trash": self.runs.why_no_trash(chosen),
        }
        for key, why in reasons.items():
            action = self.actions_[key]
            action.setEnabled(not why)
            action.setToolTip(why or str(action.data()))
            if key in self.buttons:
                self.buttons[key].setEnabled(not why)
                self.buttons[key].setToolTip(why or str(action.data()))

    # --- hands ------------------------------------------------------------------------------------------------------

    def _only(self, do: Callable[[RunRecord], None]) -> None:
        chosen = self.list.chosen()
        if len(chosen) == 1:
            do(chosen[0])

    @Slot(QPoint)
    def _context_menu(self, place: QPoint) -> None:
        menu = self._menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.list.table.viewport().mapToGlobal(place))

    def _star(self) -> None:
        chosen = self.list.chosen()
        starred = not all(record.starred for record in chosen)
        for record in chosen:
            self.runs.say(record, starred=starred)

    def _write_note(self, record: RunRecord) -> None:
        dialog = NoteDialog(record, self)
        dialog.written.connect(lambda written, note: self.runs.say(written, note=note))
        dialog.show()

    def use_model(self, record: RunRecord) -> None:
        """From now on this run's model answers; where its classes are others, a sentence says so."""
        self.runs.look_at(record, partial(self._use_model, record))

    def _use_model(self, record: RunRecord, seen: SeenRun) -> None:
        if seen.other_classes:
            self._workspace.message.emit("warning", seen.other_classes)
            return
        other = self.runs.other_backbone(record, seen)
        if other:
            answer = QMessageBox.question(
                self, "Use its model", as_plain(f"{other}\nUse its recipe too? Ctrl+Z brings back the current one.")
            )
            if answer is not QMessageBox.StandardButton.Yes:
                return
        self.runs.use_model(record, seen)

    def _use_best(self) -> None:
        self._workspace.model.use_run(None)

    def _go_on(self, record: RunRecord) -> None:
        self.runs.go_on(record)
        self.going_on.emit()

    @staticmethod
    def _why_no_export(record: RunRecord) -> str:
        return "" if record.has_model else f"Run {record.number} left no model."

    def _export(self, record: RunRecord) -> None:
        self.export_wanted.emit(record.path)

    def _write_report(self, record: RunRecord) -> None:
        path = choose_place(self, "Write report", REPORTS, default_name(record.path), "HTML (*.html)")
        if path is not None:
            self.open_report.hide()
            self.runs.write_report(record, path)

    @Slot(Path)
    def _reported(self, target: Path) -> None:
        self._report = target
        self.open_report.show()

    @Slot()
    def _open_report(self) -> None:
        if self._report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._report)))

    def _compare(self) -> None:
        project, chosen = self._workspace.project, sorted(self.list.chosen(), key=lambda record: record.number)
        if project is not None and len(chosen) == 2:
            dialog = CompareDialog(project, self._workspace.disk_tasks, self)
            dialog.show_runs(chosen[0].path, chosen[1].path)
            dialog.show()

    def _tensorboard(self) -> None:
        chosen = self.list.chosen()
        folder = choose_folder(self, f"Folder for the curves of {plural(len(chosen), 'run')}", REPORTS)
        if folder is not None and chosen:
            self.runs.write_event_files(chosen, folder)

    def _trash(self) -> None:
        """Asks with the number."""
        chosen = self.list.chosen()
        if not chosen or self.runs.why_no_trash(chosen):
            return
        what = f"run {chosen[0].number} “{chosen[0].name}”" if len(chosen) == 1 else plural(len(chosen), "run")
        answer = QMessageBox.question(
            self,
            "Move to trash",
            as_plain(
                f"Move {what} to the system's trash, with {'its' if len(chosen) == 1 else 'their'} model and curves?\n"
                "Your images stay where they are."
            ),
        )
        if answer is QMessageBox.StandardButton.Yes:
            self.runs.trash(chosen)

    # --- Qt's side --------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for made in self.buttons.values():
            made.setVisible(self.width() >= _ROOM_FOR_BUTTONS)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.runs.refresh()  # another program may have trained meanwhile

    def close_threads(self) -> None:
        """Before the window goes."""
        if self._detailing is not None:
            self._detailing.cancel()
        self._pool.waitForDone()
        self.runs.close_threads()
