"""The dialogs that are opened from the menu and the pages; none is modal, the window goes on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.runs.model_in_use import TrainedRun, read_trained_run
from ftgui.runs.run_folders import finished_runs
from ftgui.ui.data.example_sets_dialog import ExampleDialog
from ftgui.ui.data.export_dataset_dialog import ExportDialog
from ftgui.ui.model.model_chooser import ModelChooser
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.runs.compare_datasets_dialog import CompareDialog
from ftgui.ui.runs.export_model_dialog import ExportModelDialog
from ftgui.ui.toolkit.theme import Theme


class Dialogs(QObject):
    """Each is made when it is wanted, and owned by the window.

    Args:
        workspace: takes what is chosen in them.
        theme: for colours.
        window: over which they open.
    """

    def __init__(self, workspace: Workspace, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._workspace = workspace
        self._theme = theme
        self._window = window
        self.model_names: list[str] = []
        """Models that can be chosen, as the engine told them."""
        workspace.model.devices_known.connect(self._engine_is_ready)

    @Slot(m.Ready)
    def _engine_is_ready(self, event: m.Ready) -> None:
        self.model_names = event.models

    @Slot()
    def choose_model(self, weights: str = "") -> None:
        """Another backbone; with the path of a weights file, one that suits it."""
        chooser = ModelChooser(self._workspace.recipe.backbone, self.model_names, self._theme, self._window)
        chooser.chosen.connect(self._workspace.model.choose_backbone)
        chooser.downloads_changed.connect(self._workspace.model.configure_downloads)
        if weights:
            chooser.use_file(weights)
        chooser.show()

    @Slot()
    def choose_example_set(self) -> None:
        """A well-known dataset, downloaded by name."""
        dialog = ExampleDialog(self._theme, self._window)
        dialog.chosen.connect(self._workspace.open_example)
        dialog.downloads_changed.connect(self._workspace.model.configure_downloads)
        dialog.show()

    @Slot()
    def find_learning_rate(self) -> None:
        """For the selected phase; there is at most one."""
        from ftgui.ui.train.lr_range_dialog import RateTestDialog  # imports pyqtgraph

        if self._workspace.readiness.why_no_rate_test():
            return
        open_ones = [dialog for dialog in self._window.findChildren(RateTestDialog) if dialog.isVisible()]
        dialog = open_ones[0] if open_ones else RateTestDialog(self._workspace, self._theme, self._window)
        dialog.show()
        dialog.activateWindow()

    @Slot()
    def export_model(self) -> None:
        """The model in use, or the newest there is; another run can be chosen in the dialog."""
        self.export_run(None)

    @Slot(object)
    def export_run(self, run: Path | None) -> None:
        """The model of a run; None: of the one in use, or the newest there is."""
        project = self._workspace.project
        if project is None:
            self._workspace.message.emit("warning", "Open a dataset first.")
            return
        known = dict(self._workspace.present.runs)
        self._workspace.disk_tasks.do(
            partial(_trained, project, run, known), partial(self._export_one_of, run), self._say_error
        )

    @Slot(str)
    def _say_error(self, sentence: str) -> None:
        self._workspace.message.emit("error", sentence)

    def _export_one_of(self, run: Path | None, runs: list[TrainedRun]) -> None:
        """Open the dialog with these to choose from."""
        present, folders = self._workspace.present, [known.folder for known in runs]
        wanted = next((folder for folder in (run, present.folder, present.wanted) if folder in folders), None)
        run = wanted or next(iter(folders), None)
        if run is None:
            self._workspace.message.emit("warning", "There is no trained model yet; train one first.")
            return
        # One at a time: all would hear of the same export.
        for dialog in self._window.findChildren(ExportModelDialog):
            if self._workspace.export_requests.working:
                dialog.activateWindow()
                return
            dialog.close()
        ExportModelDialog(self._workspace, run, runs, self._theme, self._window).show()

    @Slot()
    def export_dataset(self) -> None:
        """A cleaned copy of the images."""
        project, contents = self._workspace.project, self._workspace.contents
        if project is None or contents is None:
            self._workspace.message.emit("warning", "Open a dataset first.")
            return
        images = sum(splits.total() for name, splits in contents.counts.items() if name in contents.class_names)
        ExportDialog(project.catalog_path, images, self._theme, self._window).show()

    @Slot()
    def compare_datasets(self) -> None:
        """What two runs learned from."""
        if self._workspace.project is None:
            self._workspace.message.emit("warning", "Open a dataset first.")
            return
        CompareDialog(self._workspace.project, self._workspace.disk_tasks, self._window).show()

    def close_exports(self) -> None:
        """Before the program ends: what is still being copied is given up."""
        for dialog in self._window.findChildren(ExportDialog):
            dialog.close()


def _trained(project: Project, wanted: Path | None, known: Mapping[Path, TrainedRun]) -> list[TrainedRun]:
    """Every run with a model, the newest first; reads small files.

    Args:
        project: whose runs.
        wanted: is among them in any case; None: none in particular.
        known: what of it was read before.
    """
    folders = finished_runs(project)
    if wanted is not None and wanted not in folders:
        folders = [wanted, *folders]
    return [known.get(folder) or read_trained_run(folder) for folder in folders]
