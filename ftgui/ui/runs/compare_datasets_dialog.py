"""What changed in the data between two runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Slot
from PySide6.QtWidgets import QComboBox, QDialog, QFormLayout, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from ftgui.base.files import reason
from ftgui.base.formatting import plural
from ftgui.data.project import Project
from ftgui.runs.dataset_diff import SAMPLES_FILE, Changes, compare_runs
from ftgui.runs.run_folders import run_number
from ftgui.ui.toolkit.basics import label
from ftgui.ui.toolkit.task_queue import TaskQueue

MOST_LISTED = 2000


class CompareDialog(QDialog):
    """Not modal.

    Args:
        project: whose runs.
        disk_tasks: read their files.
        parent: owner.
    """

    def __init__(self, project: Project, disk_tasks: TaskQueue, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Compare data of two runs")
        self.resize(640, 460)
        self._disk_tasks = disk_tasks
        self._runs: list[Path] = []
        self._wanted: list[Path] = []
        """To be chosen as soon as the runs are known."""
        self._asked = 0
        """How often two were compared."""
        self._over = False
        layout = QVBoxLayout(self)
        form = QFormLayout()
        self.before = self._combo("The earlier run")
        self.after = self._combo("The later run")
        form.addRow("From run", self.before)
        form.addRow("to run", self.after)
        layout.addLayout(form)
        self.summary = label("Looking for runs…", "title", wrap=True)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Image", "Before", "After"])
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName("Changes")
        layout.addWidget(self.summary)
        layout.addWidget(self.tree, 1)
        disk_tasks.do(partial(runs_with_data, project), self._listed, self._not_listed)

    def _combo(self, name: str) -> QComboBox:
        made = QComboBox()
        made.setAccessibleName(name)
        made.currentIndexChanged.connect(self._refresh)
        return made

    def _listed(self, runs: list[Path]) -> None:
        if self._over:
            return
        self._runs = runs
        for combo, place in ((self.before, len(runs) - 2), (self.after, len(runs) - 1)):
            with QSignalBlocker(combo):
                for run in runs:
                    combo.addItem(f"{run_number(run)} · {run.name.split('-', 1)[1]}", run)
                combo.setCurrentIndex(max(place, 0))
        self._choose_wanted()
        self._refresh()

    def _not_listed(self, why: str) -> None:
        if not self._over:
            self.summary.setText(f"The runs can't be listed: {why}")

    def show_runs(self, before: Path, after: Path) -> None:
        """Choose these two; one that does not say which images it used stays unchosen."""
        self._wanted = [before, after]
        self._choose_wanted()

    def _choose_wanted(self) -> None:
        for combo, run in zip((self.before, self.after), self._wanted, strict=False):
            if run in self._runs:
                combo.setCurrentIndex(self._runs.index(run))

    @Slot()
    def _refresh(self) -> None:
        self.tree.clear()
        if not self._runs:
            self.summary.setText("There is no run yet whose data could be compared.")
            return
        self._asked += 1
        before, after = self.before.currentData(), self.after.currentData()
        self._disk_tasks.do(partial(_compare, before, after), partial(self._compared, self._asked))

    def _compared(self, asked: int, outcome: Changes | str) -> None:
        if self._over or asked != self._asked:
            return
        if isinstance(outcome, str):
            self.summary.setText(outcome)
            return
        text = outcome.summary()
        self.summary.setText(f"{text[0].upper()}{text[1:]}.")
        self._fill(outcome)

    def _fill(self, changes: Changes) -> None:
        rows: dict[str, list[list[str]]] = {
            "added": [[path, "", ""] for path in changes.added],
            "removed": [[path, "", ""] for path in changes.removed],
            "relabelled": [list(change) for change in changes.relabelled],
            "moved to another split": [list(change) for change in changes.moved],
        }
        for name, found in rows.items():
            if found:
                top = QTreeWidgetItem([f"{plural(len(found), 'image')} {name}"])
                top.addChildren([QTreeWidgetItem(row) for row in found[:MOST_LISTED]])
                if len(found) > MOST_LISTED:
                    top.addChild(QTreeWidgetItem([f"and {len(found) - MOST_LISTED:,} more"]))
                self.tree.addTopLevelItem(top)
                top.setExpanded(len(found) <= 50)
        self.tree.resizeColumnToContents(0)

    def done(self, result: int) -> None:
        self._over = True  # what is still being read has nowhere to be shown
        super().done(result)


def runs_with_data(project: Project) -> list[Path]:
    """Run folders that say which images they used, oldest first."""
    if not project.runs_folder.is_dir():
        return []
    runs = (run for run in project.runs_folder.iterdir() if run_number(run) and (run / SAMPLES_FILE).is_file())
    return sorted(runs, key=run_number)


def _compare(before: Path, after: Path) -> Changes | str:
    """What differs, or why that is not known, in a sentence."""
    try:
        return compare_runs(before, after)
    except (OSError, ValueError) as error:
        return f"These runs can't be compared: {reason(error)}."
