"""What the workspace can't decide for the person: each question is asked in a dialog, and the answer taken back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from ftgui.data.catalog.errors import CatalogDamaged
from ftgui.data.moved_dataset import MovedProject
from ftgui.data.project_lock import ProjectHeld
from ftgui.data.scanning.found import ImagesGoneError
from ftgui.data.scanning.readings import LayoutQuestion
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.ui.data.columns_dialog import TableDialog
from ftgui.ui.data.layout_dialog import LayoutDialog
from ftgui.ui.project.dataset_opening import Wish
from ftgui.ui.project.long_run import LongRunOffer
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.shell.questions import (
    ask_about_damage,
    ask_about_gone,
    ask_about_held,
    ask_about_long_run,
    ask_about_moved,
)
from ftgui.ui.toolkit.file_choice import DATASETS, choose_folder


class WorkspaceQuestions(QObject):
    """None of the dialogs blocks the window's event loop.

    Args:
        workspace: that asks.
        window: over which the dialogs open.
    """

    def __init__(self, workspace: Workspace, window: QWidget) -> None:
        super().__init__(window)
        self._workspace = workspace
        self._window = window
        workspace.dataset.asked.connect(self._ask_layout)
        workspace.dataset.held.connect(self._ask_about_held)
        workspace.dataset.damaged.connect(self._ask_about_damage)
        workspace.dataset.gone.connect(self._ask_about_gone)
        workspace.dataset.recognised.connect(self._ask_about_moved)
        workspace.long_run.offered.connect(self._ask_about_long_run)

    @Slot(Path, object)
    def _ask_layout(self, source: Path, question: LayoutQuestion | TableQuestion) -> None:
        self._workspace.recipe_changed.emit()
        dialog = (
            TableDialog(question, self._window)
            if isinstance(question, TableQuestion)
            else LayoutDialog(question, self._window)
        )
        dialog.chosen.connect(lambda wanted: self._workspace.open_dataset(source, wanted=wanted))
        dialog.show()

    @Slot(object, object)
    def _ask_about_held(self, wish: Wish, held: ProjectHeld) -> None:
        dataset = self._workspace.dataset
        ask_about_held(held, lambda entry: dataset.open_again(replace(wish, entry=entry)), self._window).open()

    @Slot(object, object)
    def _ask_about_damage(self, wish: Wish, error: CatalogDamaged) -> None:
        ask_about_damage(error, partial(self._workspace.dataset.begin_anew, wish), self._window).open()

    @Slot(object, object)
    def _ask_about_gone(self, wish: Wish, gone: ImagesGoneError) -> None:
        """Until the person has answered, or the images are back."""

        def find() -> None:
            folder = self._where_is(gone.root)
            if folder is not None:
                self._workspace.find_moved(wish, gone.project, folder)

        question = ask_about_gone(gone, find, self._window)
        self._workspace.dataset.scanned.connect(question.reject)
        question.open()

    @Slot(object, object)
    def _ask_about_moved(self, wish: Wish, moved: MovedProject) -> None:
        dataset = self._workspace.dataset
        ask_about_moved(
            moved,
            lambda: dataset.open_again(replace(wish, moved=moved.project.folder)),
            lambda: dataset.open_again(replace(wish, recognise=False)),
            self._window,
        ).open()

    @Slot()
    def find_moved_folder(self) -> None:
        """The open dataset lies elsewhere now."""
        contents = self._workspace.contents
        if contents is None:
            self._workspace.message.emit("warning", "Open a dataset first.")
            return
        folder = self._where_is(contents.root)
        if folder is not None:
            self._workspace.find_open_dataset(folder)

    def _where_is(self, root: Path) -> Path | None:
        return choose_folder(self._window, f"Where is “{root.name}” now?", DATASETS)

    @Slot(LongRunOffer)
    def _ask_about_long_run(self, offer: LongRunOffer) -> None:
        workspace = self._workspace
        ask_about_long_run(
            offer, workspace.training.start_cheaper, workspace.training.start_anyway, self._window
        ).open()
