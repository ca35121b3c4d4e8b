"""The window: assembly of parts, drops and actions. What the parts do is theirs."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QThreadPool, QTimer, Slot
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from ftgui.data.scanning.archive import is_archive_name
from ftgui.protocol import messages as m
from ftgui.ui.data.data_page import DataPage
from ftgui.ui.evaluate.evaluate_page import EvaluatePage
from ftgui.ui.model.layer_panel import LayerPanel
from ftgui.ui.predict.predict_page import PredictPage
from ftgui.ui.project.prediction import Asked
from ftgui.ui.project.recent_projects import RecentProjects
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.recipe.recipe_panel import RecipePanel
from ftgui.ui.shell.closing import Closing
from ftgui.ui.shell.dialogs import Dialogs
from ftgui.ui.shell.drop_overlay import DropOverlay
from ftgui.ui.shell.drop_target import DropTarget
from ftgui.ui.shell.edit_notice import EditNotice
from ftgui.ui.shell.file_dialogs import FileDialogs
from ftgui.ui.shell.look_only_banner import LookOnlyBanner
from ftgui.ui.shell.main_menu import MainMenu
from ftgui.ui.shell.side_panel import SidePanel
from ftgui.ui.shell.status_line import StatusLine
from ftgui.ui.shell.top_bar import TopBar
from ftgui.ui.shell.view_memory import ViewMemory
from ftgui.ui.shell.window_geometry import restore_geometry, save_geometry
from ftgui.ui.shell.workspace_questions import WorkspaceQuestions
from ftgui.ui.toolkit.drop_offer import Kind, Offer, Place, look_at
from ftgui.ui.toolkit.search_keys import focus_search
from ftgui.ui.toolkit.theme import Theme

if TYPE_CHECKING:
    from ftgui.ui.runs.runs_page import RunsPage
    from ftgui.ui.train.train_page import TrainPage

DATA, TRAIN, EVALUATE, PREDICT, RUNS = range(5)

MOST_SIDE_BY_SIDE = 30
"""Images asked about one by one; of more the answers are a table."""


class MainWindow(QWidget):
    """One window, one workspace."""

    def __init__(self, workspace: Workspace, theme: Theme) -> None:
        super().__init__()
        self.workspace = workspace
        self.theme = theme
        self.setWindowTitle("ftgui")
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 560)
        self.recent = RecentProjects(workspace, self)
        self._make_parts()
        self.menu = MainMenu(workspace.undo_stack, lambda: workspace.engine.busy, theme, self)
        self.top.menu.setMenu(self.menu)
        self.file_dialogs = FileDialogs(self)
        self.dialogs = Dialogs(workspace, theme, self)
        self.questions = WorkspaceQuestions(workspace, self)
        self.closing = Closing(workspace, self)
        self.view_memory = ViewMemory(self.recent, workspace, self.pages, self.data_page, self)
        self.view_memory.page_wanted.connect(self.show_page)
        self._connect_menu()
        self._connect_parts()
        self._connect_workspace()
        self.overlay = DropOverlay(theme, self)
        self.drop_target = DropTarget(self._look_at, self.overlay, self)
        self.drop_target.dropped.connect(self.accept_offer)
        restore_geometry(self)

    # --- assembly ---------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.top = TopBar(self.theme)
        self.data_page = DataPage(self.workspace, self.recent, self.theme)
        self.evaluate_page = EvaluatePage(self.workspace, self.theme)
        self.predict_page = PredictPage(self.workspace, self.theme)
        self.pages = QStackedWidget()
        self._train_placeholder, self._runs_placeholder = QWidget(), QWidget()
        for page in (
            self.data_page,
            self._train_placeholder,
            self.evaluate_page,
            self.predict_page,
            self._runs_placeholder,
        ):
            self.pages.addWidget(page)
        self.look_only = LookOnlyBanner(self.workspace.access, self.theme)
        self.layers = LayerPanel(self.theme)
        self.recipe = RecipePanel(self.workspace, self.theme)
        self.status = StatusLine(self.workspace, self.theme)
        self.notice = EditNotice(self.workspace.undo_stack, self.pages)
        middle = QHBoxLayout()
        middle.setContentsMargins(12, 0, 12, 0)
        middle.setSpacing(10)
        middle.addWidget(self.pages, 1)
        middle.addWidget(SidePanel(self.workspace, self.layers, self.recipe))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.top)
        around = QHBoxLayout()
        around.setContentsMargins(12, 0, 12, 0)
        around.addWidget(self.look_only)
        layout.addLayout(around)
        layout.addLayout(middle, 1)
        layout.addWidget(self.status)

    @cached_property
    def train_page(self) -> TrainPage:
        """Made after the first paint or when first needed: importing pyqtgraph takes as long as all other imports but Qt's."""
        from ftgui.ui.train.train_page import TrainPage

        page = TrainPage(self.workspace, self.theme)
        page.rate_test_wanted.connect(self.dialogs.find_learning_rate)
        page.verdicts.mistakes_wanted.connect(self._show_mistakes_of)
        self._replace(TRAIN, self._train_placeholder, page)
        return page

    @cached_property
    def runs_page(self) -> RunsPage:
        """Likewise."""
        from ftgui.ui.runs.runs_page import RunsPage

        page = RunsPage(self.workspace, self.theme)
        page.going_on.connect(self._show_training)
        page.export_wanted.connect(self.dialogs.export_run)
        self._replace(RUNS, self._runs_placeholder, page)
        return page

    def _replace(self, number: int, placeholder: QWidget, page: QWidget) -> None:
        self.pages.insertWidget(number, page)
        self.pages.removeWidget(placeholder)
        placeholder.deleteLater()

    @Slot()
    def _complete(self) -> None:
        _ = self.train_page, self.runs_page

    @Slot(str)
    def _show_mistakes_of(self, class_name: str) -> None:
        self.show_page(EVALUATE)
        self.evaluate_page.show_mistakes_of(class_name)

    @Slot()
    def _show_training(self) -> None:
        self.show_page(TRAIN)

    def _connect_menu(self) -> None:
        menu, workspace, dialogs, files = self.menu, self.workspace, self.dialogs, self.file_dialogs
        menu.open_folder.triggered.connect(files.choose_folder)
        menu.recent_chosen.connect(self.recent.open)
        menu.close_project.triggered.connect(self.recent.close_open)
        menu.open_archive.triggered.connect(files.choose_archive)
        menu.read_otherwise.triggered.connect(workspace.read_otherwise)
        menu.folder_moved.triggered.connect(self.questions.find_moved_folder)
        menu.open_images.triggered.connect(files.choose_images)
        menu.paste.triggered.connect(self.paste)
        menu.open_sample.triggered.connect(self.open_sample)
        menu.example_sets.triggered.connect(dialogs.choose_example_set)
        menu.search.triggered.connect(self.start_search)
        menu.export_model.triggered.connect(dialogs.export_model)
        menu.export_dataset.triggered.connect(dialogs.export_dataset)
        menu.compare_datasets.triggered.connect(dialogs.compare_datasets)
        menu.train.triggered.connect(self.top.train.click)
        menu.stop.triggered.connect(self.top.stop.click)
        menu.evaluate.triggered.connect(workspace.evaluation.look)
        menu.find_learning_rate.triggered.connect(dialogs.find_learning_rate)
        menu.colors.triggered.connect(self._refresh)
        menu.quit.triggered.connect(self.close)
        for number, tab in enumerate(self.top.tabs):
            action = QAction(self)
            action.setShortcut(QKeySequence(f"Ctrl+{number + 1}"))
            action.triggered.connect(tab.click)
            self.addAction(action)

    def _connect_parts(self) -> None:
        workspace, files = self.workspace, self.file_dialogs
        files.dataset_chosen.connect(workspace.open_dataset)
        files.evaluation_folder_chosen.connect(workspace.evaluation.open_folder)
        files.question_chosen.connect(self.ask_about)
        self.top.page_wanted.connect(self.show_page)
        self.top.open_wanted.connect(files.choose_folder)
        self.top.train_wanted.connect(self.train_or_pause)
        self.top.stop_wanted.connect(workspace.training.stop)
        self.top.model_wanted.connect(self.dialogs.choose_model)
        self.top.device_chosen.connect(workspace.model.choose_device)
        self.data_page.open_wanted.connect(files.choose_folder)
        self.data_page.sample_wanted.connect(self.open_sample)
        self.data_page.examples_wanted.connect(self.dialogs.choose_example_set)
        self.data_page.ask_wanted.connect(workspace.prediction.ask)
        self.evaluate_page.why_wanted.connect(self.show_why)
        self.evaluate_page.folder_wanted.connect(files.choose_evaluation_folder)
        self.evaluate_page.train_wanted.connect(self.train_or_pause)
        self.predict_page.open_wanted.connect(files.choose_images)
        self.predict_page.paste_wanted.connect(self.paste)
        self.predict_page.folder_wanted.connect(files.choose_folder_to_ask)
        self.layers.layer_picked.connect(self.predict_page.pick_layer)
        self.status.train_wanted.connect(self.train_or_pause)
        self.look_only.take_over_wanted.connect(workspace.dataset.take_over)

    def _connect_workspace(self) -> None:
        workspace = self.workspace
        workspace.prediction.asked.connect(self._asked)
        workspace.dataset_editor.edited.connect(self.notice.say)
        workspace.access.changed.connect(self.menu.show_undo)
        workspace.access.changed.connect(self._refresh)
        workspace.model.devices_known.connect(self._devices)
        workspace.project_changed.connect(self._project_changed)
        self.recent.changed.connect(self._recent_changed)
        workspace.catalog_changed.connect(self._refresh)
        workspace.recipe_changed.connect(self._recipe_changed)
        workspace.engine_changed.connect(self.menu.show_undo)
        workspace.engine_changed.connect(self._refresh)
        workspace.export_requests.changed.connect(self._refresh)
        workspace.model.changed.connect(self._refresh)
        workspace.model.failed.connect(self._refresh)
        workspace.model.freezing_changed.connect(self._refresh)
        workspace.training.event_arrived.connect(self._refresh)
        self._recipe_changed()

    # --- what the workspace says ------------------------------------------------------------------------------------

    @Slot()
    def _project_changed(self) -> None:
        self.show_page(DATA)
        self._refresh()

    @Slot()
    def _recent_changed(self) -> None:
        project = self.workspace.project
        open_now = project.folder if project is not None else None
        self.menu.show_recent(
            [(each.name, each.recent) for each in self.recent.facts if each.recent.folder != open_now]
        )

    @Slot()
    def _recipe_changed(self) -> None:
        self.top.show_device(self.workspace.recipe.device)
        self._refresh()

    @Slot(m.Ready)
    def _devices(self, event: m.Ready) -> None:
        self.top.show_devices(event.devices, self.workspace.recipe.device)

    @Slot()
    def _refresh(self) -> None:
        self.top.show_state(self.workspace)
        self.menu.train.setText(self.top.train.text().strip())
        self.menu.train.setEnabled(self.top.train.isEnabled())
        self.menu.stop.setEnabled(self.top.stop.isEnabled())
        self.menu.find_learning_rate.setEnabled(not self.workspace.readiness.why_no_rate_test())
        self.menu.evaluate.setEnabled(not self.workspace.evaluation.why_not_now())

    # --- what the person does ---------------------------------------------------------------------------------------

    @Slot(int)
    def show_page(self, number: int) -> None:
        """Bring a page to the front."""
        self._complete()
        self.pages.setCurrentIndex(number)
        self.top.show_page(number)

    @Slot()
    def start_search(self) -> None:
        """Into the search of the page in front; from a page that has none, into that of the images."""
        if self.pages.currentIndex() == RUNS:
            focus_search(self.runs_page.list.search)
        else:
            self.show_page(DATA)
            self.data_page.start_search()

    @Slot()
    def train_or_pause(self) -> None:
        """The primary button."""
        if self.workspace.engine.busy:
            self.workspace.training.pause_or_resume()
            return
        self.show_page(TRAIN)
        if why := self.recipe.take_typed():
            self.status.say("warning", f"{why} Press Train again to train with that.")
            return
        self.workspace.training.start()

    @Slot(list)
    def ask_about(self, paths: list[Path]) -> None:
        """A few images one by one, side by side; more, and folders or archives of them, as a table."""
        self.workspace.disk_tasks.do(partial(_are_many, paths), partial(self._ask, paths))

    def _ask(self, paths: list[Path], many: bool) -> None:
        if many:
            self.show_page(PREDICT)
            self.predict_page.look_at_files(paths)
        else:
            for path in paths:
                self.workspace.prediction.ask(path)

    @Slot(object)
    def show_why(self, path: Path) -> None:
        """What in an image speaks for the model's answer?"""
        self.predict_page.show_why()
        self.workspace.prediction.ask(path)

    @Slot()
    def open_sample(self) -> None:
        self.workspace.open_sample()

    @Slot()
    def paste(self) -> None:
        self.accept_offer(self._look_at(QGuiApplication.clipboard().mimeData()))

    @Slot(Asked)
    def _asked(self, _asked: Asked) -> None:
        self.show_page(PREDICT)

    # --- drops ------------------------------------------------------------------------------------------------------

    def _look_at(self, mime: QMimeData) -> Offer:
        """What a drop or paste would do on the page in front."""
        places = {EVALUATE: Place.EVALUATE, PREDICT: Place.ASK}
        place = places.get(self.pages.currentIndex(), Place.OPEN)
        return look_at(mime, self.workspace.engine.busy, place if self.workspace.project else Place.OPEN)

    @Slot(Offer)
    def accept_offer(self, offer: Offer) -> None:
        """Do what a drop or paste offered."""
        if offer.kind is Kind.DATASET:
            self.workspace.open_dataset(offer.path, offer.only)
        elif offer.kind is Kind.IMAGE:
            self.workspace.prediction.ask(offer.path)
        elif offer.kind is Kind.FILES:
            self.ask_about(list(offer.paths))
        elif offer.kind is Kind.EVALUATE:
            self.workspace.evaluation.open_folder(offer.path)
        elif offer.kind is Kind.PIXELS:
            self.workspace.prediction.ask(content=offer.content)
        elif offer.kind is Kind.WEIGHTS:
            self.dialogs.choose_model(str(offer.path))
        else:
            self.status.say("warning", f"{offer.title}. {offer.detail}")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self.drop_target.enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.drop_target.leave()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_target.drop(event)

    # --- the window itself ------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(50, self._complete)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.overlay.setGeometry(self.rect())

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.closing.may_close():
            event.ignore()
            return
        save_geometry(self)
        self.view_memory.keep()
        self.drop_target.leave()
        self.dialogs.close_exports()
        self.hide()
        QThreadPool.globalInstance().waitForDone()
        self.close_threads()
        self.workspace.close()
        event.accept()

    def close_threads(self) -> None:
        """Before the program ends."""
        self.drop_target.close_threads()
        self.recent.close_threads()
        self.data_page.close_threads()
        self.evaluate_page.close_threads()
        self.predict_page.close_threads()
        if "runs_page" in self.__dict__:  # not made for a window that closes at once
            self.runs_page.close_threads()


def _are_many(paths: list[Path]) -> bool:
    """Too many to stand side by side, or among them a folder or an archive."""
    return len(paths) > MOST_SIDE_BY_SIDE or any(is_archive_name(path) or path.is_dir() for path in paths)
