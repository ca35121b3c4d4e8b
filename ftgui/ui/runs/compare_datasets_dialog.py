"""What changed in the data between two runs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QComboBox, QDialog, QFormLayout, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from ftgui.base.formatting import plural
from ftgui.data.project import Project
from ftgui.runs.dataset_diff import SAMPLES_FILE, Changes, compare_runs
from ftgui.runs.run_folders import run_number
from ftgui.ui.toolkit.basics import label

MOST_LISTED = 2000


class CompareDialog(QDialog):
    """Not modal.

    Args:
        project: whose runs.
        parent: owner.
    """

    def __init__(self, project: Project, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Compare data of two runs")
        self.resize(640, 460)
        self._runs = runs_with_data(project)
        layout = QVBoxLayout(self)
        form = QFormLayout()
        self.before = self._combo("The earlier run", len(self._runs) - 2)
        self.after = self._combo("The later run", len(self._runs) - 1)
        form.addRow("From run", self.before)
        form.addRow("to run", self.after)
        layout.addLayout(form)
        self.summary = label("", "title", wrap=True)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Image", "Before", "After"])
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName("Changes")
        layout.addWidget(self.summary)
        layout.addWidget(self.tree, 1)
        self._refresh()

    def _combo(self, name: str, chosen: int) -> QComboBox:
        made = QComboBox()
        for run in self._runs:
            made.addItem(f"{run_number(run)} · {run.name.split('-', 1)[1]}", run)
        made.setCurrentIndex(max(chosen, 0))
        made.setAccessibleName(name)
        made.currentIndexChanged.connect(self._refresh)
        return made

    def show_runs(self, before: Path, after: Path) -> None:
        """Choose these two; one that does not say which images it used stays unchosen."""
        for combo, run in ((self.before, before), (self.after, after)):
            if run in self._runs:
                combo.setCurrentIndex(self._runs.index(run))

    @Slot()
    def _refresh(self) -> None:
        self.tree.clear()
        if not self._runs:
            self.summary.setText("There is no run yet whose data could be compared.")
            return
        try:
            changes = compare_runs(self.before.currentData(), self.after.currentData())
        except (OSError, ValueError) as error:
            self.summary.setText(f"These runs can't be compared: {error}.")
            return
        text = changes.summary()
        self.summary.setText(f"{text[0].upper()}{text[1:]}.")
        self._fill(changes)

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


def runs_with_data(project: Project) -> list[Path]:
    """Run folders that say which images they used, oldest first."""
    if not project.runs_folder.is_dir():
        return []
    runs = (run for run in project.runs_folder.iterdir() if run_number(run) and (run / SAMPLES_FILE).is_file())
    return sorted(runs, key=run_number)
