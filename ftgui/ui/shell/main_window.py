"""The window: assembly of parts, drops and actions. What the parts do is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QSettings, Qt, QThreadPool, QTimer, Slot
from PySide6.QtGui import (
    QAction,
    QActionGroup,
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
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.data.catalog.errors import CatalogDamaged
from ftgui.data.images.decoding import EXTENSIONS
from ftgui.data.moved_dataset import MovedProject
from ftgui.data.project_lock import ProjectHeld
from ftgui.data.scanning.archive import count_images, is_archive_name
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import ARCHIVES, DatasetError, ImagesGoneError
from ftgui.data.scanning.readings import LayoutQuestion
from ftgui.data.scanning.table_columns import TableQuestion
from ftgui.protocol import messages as m
from ftgui.runs.run_folders import finished_runs, run_number
from ftgui.ui.data.columns_dialog import TableDialog
from ftgui.ui.data.data_page import DataPage
from ftgui.ui.data.example_sets_dialog import ExampleDialog
from ftgui.ui.data.export_dataset_dialog import ExportDialog
from ftgui.ui.data.layout_dialog import LayoutDialog
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.evaluate.evaluate_page import EvaluatePage
from ftgui.ui.model.cost_estimate import CostEstimator
from ftgui.ui.model.layer_panel import LayerPanel
from ftgui.ui.model.model_chooser import ModelChooser
from ftgui.ui.predict.predict_page import PredictPage
from ftgui.ui.project.access import LOOK_ONLY
from ftgui.ui.project.dataset_opening import Wish
from ftgui.ui.project.long_run import LongRunOffer
from ftgui.ui.project.undo_catalog import EditCatalog
from ftgui.ui.project.workspace import Asked, Workspace
from ftgui.ui.recipe.recipe_panel import TRAINING_RUNS, RecipePanel
from ftgui.ui.runs.compare_datasets_dialog import CompareDialog
from ftgui.ui.runs.export_model_dialog import TakeAwayDialog
from ftgui.ui.shell.drop_overlay import DropOverlay
from ftgui.ui.shell.edit_notice import EditNotice
from ftgui.ui.shell.look_only_banner import LookOnlyBanner
from ftgui.ui.shell.questions import (
    Choice,
    ask_about_closing,
    ask_about_damage,
    ask_about_gone,
    ask_about_held,
    ask_about_long_run,
    ask_about_moved,
)
from ftgui.ui.shell.status_line import StatusLine
from ftgui.ui.shell.top_bar import TopBar
from ftgui.ui.toolkit.background_task import Task
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
        self._names: list[str] = []
        self._offer: Offer | None = None
        self._counting: Task | None = None
        self._pool = QThreadPool(self)
        self._closing = False
        """The window closes as soon as the training has ended."""
        self._close_at_once = False
        self._close_question: Choice | None = None
        self.setWindowTitle("ftgui")
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 560)
        self._make_parts()
        self._make_actions()
        self._connect()
        self.overlay = DropOverlay(theme, self)
        self._restore_geometry()

    # --- assembly ---------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.top = TopBar(self.theme)
        self.data_page = DataPage(self.workspace, self.theme)
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
        self.cost_estimator = CostEstimator(self.workspace, self)
        self.recipe = RecipePanel(self.workspace, self.theme)
        self.status = StatusLine(self.workspace, self.theme)
        self.notice = EditNotice(self.workspace.undo_stack, self.pages)
        side = QSplitter(Qt.Orientation.Vertical)
        side.setAccessibleName("Layers above, recipe below")
        side.setChildrenCollapsible(False)
        side.setHandleWidth(10)
        side.addWidget(self.layers)
        side.addWidget(self.recipe)
        side.setSizes([540, 460])
        holder = QWidget()
        holder.setFixedWidth(380)  # a splitter would set its own limits anew
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(side)
        middle = QHBoxLayout()
        middle.setContentsMargins(12, 0, 12, 0)
        middle.setSpacing(10)
        middle.addWidget(self.pages, 1)
        middle.addWidget(holder)
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
        page.rate_test_wanted.connect(self.find_learning_rate)
        self._replace(TRAIN, self._train_placeholder, page)
        return page

    @cached_property
    def runs_page(self) -> RunsPage:
        """Likewise."""
        from ftgui.ui.runs.runs_page import RunsPage

        page = RunsPage(self.workspace, self.theme)
        page.going_on.connect(self._show_training)
        page.take_away_wanted.connect(self.take_away_run)
        self._replace(RUNS, self._runs_placeholder, page)
        return page

    def _replace(self, number: int, placeholder: QWidget, page: QWidget) -> None:
        self.pages.insertWidget(number, page)
        self.pages.removeWidget(placeholder)
        placeholder.deleteLater()

    @Slot()
    def _complete(self) -> None:
        _ = self.train_page, self.runs_page

    @Slot()
    def _show_training(self) -> None:
        self.show_page(TRAIN)

    def _make_actions(self) -> None:
        menu = QMenu(self)
        self._add(menu, "Open folder…", QKeySequence.StandardKey.Open, self.choose_folder)
        self._add(menu, "Open archive of images…", None, self.choose_archive)
        self._add(menu, "Read the folder another way…", None, self.workspace.read_otherwise)
        self._add(menu, "The folder was moved…", None, self.find_moved_folder)
        self._add(menu, "Open images…", QKeySequence("Ctrl+I"), self.choose_image)
        self._add(menu, "Paste", QKeySequence.StandardKey.Paste, self.paste)
        self._add(menu, "Open the sample", None, self.open_sample)
        self._add(menu, "Example sets…", None, self.choose_example)
        menu.addSeparator()
        undo = self._undo = self.workspace.undo_stack.createUndoAction(self, "Undo")
        redo = self._redo = self.workspace.undo_stack.createRedoAction(self, "Redo")
        undo.setShortcut(QKeySequence.StandardKey.Undo)
        redo.setShortcut(QKeySequence.StandardKey.Redo)
        menu.addActions([undo, redo])
        self.addActions([undo, redo])
        menu.addSeparator()
        find = self._add(menu, "Find", None, self.start_search)
        find.setShortcuts([QKeySequence(QKeySequence.StandardKey.Find), QKeySequence("/")])
        menu.addSeparator()
        self._add(menu, "Export model…", QKeySequence("Ctrl+E"), self.take_away)
        self._add(menu, "Export dataset…", None, self.export_data)
        self._add(menu, "Compare data of two runs…", None, self.compare_data)
        menu.addSeparator()
        self._evaluate_action = self._add(menu, "Evaluate all images", None, self.workspace.evaluation.look)
        self._rate_action = self._add(menu, "Find a learning rate…", QKeySequence("Ctrl+L"), self.find_learning_rate)
        menu.addSeparator()
        colors = menu.addMenu("Colours")
        group = QActionGroup(colors)
        for choice, text in (("system", "As the system"), ("light", "Light"), ("dark", "Dark")):
            action = colors.addAction(text)
            action.setCheckable(True)
            action.setChecked(self.theme.choice == choice)
            action.setData(choice)
            group.addAction(action)
        group.triggered.connect(self._choose_colors)
        menu.addSeparator()
        self._add(menu, "Quit", QKeySequence.StandardKey.Quit, self.close)
        self.top.menu.setMenu(menu)
        for number, tab in enumerate(self.top.tabs):
            self._shortcut(f"Ctrl+{number + 1}", tab)

    def _add(self, menu: QMenu, text: str, shortcut, slot) -> QAction:  # type: ignore[no-untyped-def]
        action = menu.addAction(text)
        if shortcut is not None:
            action.setShortcut(shortcut)
        action.triggered.connect(slot)
        self.addAction(action)
        return action

    def _shortcut(self, keys: str, tab: QToolButton) -> None:
        action = QAction(self)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(tab.click)
        self.addAction(action)

    def _connect(self) -> None:
        workspace = self.workspace
        self.top.page_wanted.connect(self.show_page)
        self.top.open_wanted.connect(self.choose_folder)
        self.top.train_wanted.connect(self.train_or_pause)
        self.top.stop_wanted.connect(workspace.stop)
        self.top.model_wanted.connect(self.choose_model)
        self.top.device_chosen.connect(workspace.choose_device)
        self.data_page.open_wanted.connect(self.choose_folder)
        self.data_page.sample_wanted.connect(self.open_sample)
        self.data_page.examples_wanted.connect(self.choose_example)
        self.data_page.ask_wanted.connect(workspace.ask)
        self.evaluate_page.why_wanted.connect(self.show_why)
        self.evaluate_page.folder_wanted.connect(self.choose_evaluation_folder)
        self.evaluate_page.train_wanted.connect(self.train_or_pause)
        self.predict_page.open_wanted.connect(self.choose_image)
        self.predict_page.paste_wanted.connect(self.paste)
        self.predict_page.folder_wanted.connect(self.choose_folder_to_ask)
        self.layers.layer_picked.connect(self.predict_page.pick_layer)
        self.status.train_wanted.connect(self.train_or_pause)
        self.layers.ticks_wanted.connect(workspace.tick)
        workspace.training_requests.learning.connect(self.layers.show_learning)
        self.cost_estimator.known.connect(self.layers.show_cost)
        self.cost_estimator.measuring.connect(self.layers.show_measuring)
        self.cost_estimator.withheld.connect(self.layers.show_withheld)
        self.layers.cost.linkActivated.connect(self.cost_estimator.measure_anyway)
        workspace.asked.connect(self._asked)
        workspace.dataset_editor.edited.connect(self.notice.say)
        workspace.dataset.asked.connect(self._ask_layout)
        workspace.dataset.held.connect(self._ask_about_held)
        workspace.dataset.damaged.connect(self._ask_about_damage)
        workspace.dataset.gone.connect(self._ask_about_gone)
        workspace.dataset.recognised.connect(self._ask_about_moved)
        workspace.long_run.offered.connect(self._ask_about_long_run)
        workspace.access.changed.connect(self._access_changed)
        self.look_only.take_over_wanted.connect(workspace.dataset.take_over)
        # After the actions' own slots, which take no notice of a training.
        workspace.undo_stack.canUndoChanged.connect(self._show_undo)
        workspace.undo_stack.canRedoChanged.connect(self._show_undo)
        workspace.devices_known.connect(self._devices)
        workspace.project_changed.connect(self._project_changed)
        workspace.catalog_changed.connect(self._refresh)
        workspace.recipe_changed.connect(self._recipe_changed)
        workspace.engine_changed.connect(self._engine_changed)
        workspace.export_requests.changed.connect(self._refresh)
        workspace.model_changed.connect(self._model_changed)
        workspace.model_failed.connect(self._model_failed)
        workspace.freezing_changed.connect(self._freezing_changed)
        workspace.layer_ticks.changed.connect(self._show_ticks)
        workspace.training_event.connect(self._training_event)
        self._recipe_changed()

    def _restore_geometry(self) -> None:
        geometry = QSettings().value("geometry")
        if not (geometry and self.restoreGeometry(geometry)):
            screen = QGuiApplication.primaryScreen().availableSize()
            self.resize(min(1440, screen.width()), min(900, screen.height()))

    # --- what the workspace says ------------------------------------------------------------------------------------

    @Slot()
    def _project_changed(self) -> None:
        self.show_page(DATA)
        self.recipe.show_running(None)
        self._refresh()

    @Slot()
    def _recipe_changed(self) -> None:
        self._show_ticks()
        self.top.show_device(self.workspace.recipe.device)
        self._refresh()

    @Slot()
    def _show_ticks(self) -> None:
        """Of the selected phase, but of the running one in a training."""
        plan, ticks = self.workspace.recipe_editor, self.workspace.layer_ticks
        self.layers.show_ticks(ticks.shown, ticks.learning)
        self.layers.show_whose(plan.selected, plan.phase.name if plan.phase else "", self.workspace.engine.busy)

    @Slot(m.Ready)
    def _devices(self, event: m.Ready) -> None:
        self._names = event.models
        self.top.show_devices(event.devices, self.workspace.recipe.device)

    @Slot(m.ModelLoaded)
    def _model_changed(self, event: m.ModelLoaded) -> None:
        self.layers.show_model(event)
        self._show_ticks()
        self._refresh()

    @Slot(str)
    def _model_failed(self, why: str) -> None:
        self.layers.show_model(None, f"{why}\n\nChoose another model at the top.")
        self._refresh()

    @Slot(m.FreezingChanged)
    def _freezing_changed(self, event: m.FreezingChanged) -> None:
        self.layers.show_freezing(event)
        self._refresh()

    @Slot(EngineState)
    def _engine_changed(self, state: EngineState) -> None:
        if not state.alive or state.kind is EngineKind.STARTING:
            why = "The engine is starting…"
            if state.kind is EngineKind.CRASHED:
                why = "The engine is not running.\nStart it again with the button below."
            self.layers.show_model(None, why)
        self._show_undo()
        self._show_ticks()
        self._lock_recipe()
        if self._closing and not state.busy:
            QTimer.singleShot(0, self.close)
        self._refresh()

    @Slot()
    def _show_undo(self) -> None:
        """The recipe can't change while a training runs, so its changes can't be undone either; images can."""
        stack, busy = self.workspace.undo_stack, self.workspace.engine.busy

        def may(number: int) -> bool:
            return not busy or isinstance(stack.command(number), EditCatalog)

        self._undo.setEnabled(stack.canUndo() and may(stack.index() - 1))
        self._redo.setEnabled(stack.canRedo() and may(stack.index()))

    @Slot(object)
    def _training_event(self, event: object) -> None:
        if isinstance(event, m.PhaseStarted):
            self.recipe.show_running(event.phase)
        elif isinstance(event, m.PhaseFinished):
            self.layers.show_proof(event.frozen_unchanged, event.frozen_hash)
        elif isinstance(event, m.TrainingFinished):
            phases = self.workspace.run_recipe.active_phases
            self.recipe.show_running(len(phases) if event.reason == "done" else None)
        elif event is None:
            self.recipe.show_running(None)
        if event is None or isinstance(event, m.TrainingFinished):
            self.layers.learning_over()
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        self.top.show_state(self.workspace)
        self._rate_action.setEnabled(not self.workspace.why_no_rate_test())
        self._evaluate_action.setEnabled(not self.workspace.evaluation.why_not_now())

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
            self.workspace.pause_or_resume()
            return
        self.show_page(TRAIN)
        if why := self.recipe.take_typed():
            self.status.say("warning", f"{why} Press Train again to train with that.")
            return
        self.workspace.train()

    @Slot()
    def choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a folder of images")
        if folder:
            self.workspace.open_dataset(Path(folder))

    @Slot()
    def choose_evaluation_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Evaluate the model on a folder of labelled images")
        if folder:
            self.workspace.evaluation.open_folder(Path(folder))

    @Slot()
    def choose_archive(self) -> None:
        patterns = " ".join(f"*{ending}" for ending in ARCHIVES)
        path, _ = QFileDialog.getOpenFileName(self, "Open a zip or tar of images", "", f"Archives ({patterns})")
        if path:
            self.workspace.open_dataset(Path(path))

    @Slot()
    def choose_image(self) -> None:
        patterns = " ".join(f"*{ending}" for ending in sorted(EXTENSIONS))
        paths, _ = QFileDialog.getOpenFileNames(self, "Ask about images", "", f"Images ({patterns});;All files (*)")
        if paths:
            self.ask_about([Path(path) for path in paths])

    @Slot()
    def choose_folder_to_ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Ask about all images in a folder")
        if folder:
            self.ask_about([Path(folder)])

    def ask_about(self, paths: list[Path]) -> None:
        """A few images one by one, side by side; more, and folders or archives of them, as a table."""
        if len(paths) > MOST_SIDE_BY_SIDE or any(path.is_dir() or is_archive_name(path) for path in paths):
            self.show_page(PREDICT)
            self.predict_page.look_at_files(paths)
        else:
            for path in paths:
                self.workspace.ask(path)

    @Slot(object)
    def show_why(self, path: Path) -> None:
        """What in an image speaks for the model's answer?"""
        self.predict_page.show_why()
        self.workspace.ask(path)

    @Slot()
    def open_sample(self) -> None:
        self.workspace.open_sample()

    @Slot()
    def choose_example(self) -> None:
        """A dialog, not modal."""
        dialog = ExampleDialog(self.theme, self)
        dialog.chosen.connect(self.workspace.open_example)
        dialog.downloads_changed.connect(self.workspace.configure_downloads)
        dialog.show()

    @Slot()
    def paste(self) -> None:
        self.accept_offer(self._look_at(QGuiApplication.clipboard().mimeData()))

    @Slot()
    def choose_model(self, weights: str = "") -> None:
        """A dialog, not modal: the window goes on."""
        chooser = ModelChooser(self.workspace.recipe.backbone, self._names, self.theme, self)
        chooser.chosen.connect(self.workspace.choose_backbone)
        chooser.downloads_changed.connect(self.workspace.configure_downloads)
        if weights:
            chooser.use_file(weights)
        chooser.show()

    @Slot()
    def find_learning_rate(self) -> None:
        """A dialog, not modal, for the selected phase; there is at most one."""
        from ftgui.ui.train.lr_range_dialog import RateTestDialog  # imports pyqtgraph

        if self.workspace.why_no_rate_test():
            return
        open_ones = [dialog for dialog in self.findChildren(RateTestDialog) if dialog.isVisible()]
        dialog = open_ones[0] if open_ones else RateTestDialog(self.workspace, self.theme, self)
        dialog.show()
        dialog.activateWindow()

    @Slot()
    def take_away(self) -> None:
        """The model in use, or the newest there is; a dialog, not modal, in which another run can be chosen."""
        project, present = self.workspace.project, self.workspace.present
        runs = finished_runs(project) if project is not None else []
        run = present.folder if present.folder in runs else present.wanted
        if run is None and not runs:
            self.status.say("warning", "There is no trained model yet; train one first.")
            return
        self.take_away_run(run or runs[0])

    @Slot(object)
    def take_away_run(self, run: Path) -> None:
        """The model of a run; a dialog, not modal."""
        # One at a time: all would hear of the same export.
        for dialog in self.findChildren(TakeAwayDialog):
            if self.workspace.export_requests.working:
                dialog.activateWindow()
                return
            dialog.close()
        TakeAwayDialog(self.workspace, run, self.theme, self).show()

    @Slot()
    def export_data(self) -> None:
        """A dialog, not modal."""
        project, contents = self.workspace.project, self.workspace.contents
        if project is None or contents is None:
            self.status.say("warning", "Open a dataset first.")
            return
        images = sum(splits.total() for name, splits in contents.counts.items() if name in contents.class_names)
        ExportDialog(project.catalog_path, images, self.theme, self).show()

    @Slot()
    def compare_data(self) -> None:
        """A dialog, not modal."""
        if self.workspace.project is None:
            self.status.say("warning", "Open a dataset first.")
            return
        CompareDialog(self.workspace.project, self).show()

    @Slot(QAction)
    def _choose_colors(self, action: QAction) -> None:
        self.theme.choose(action.data())
        self._refresh()

    @Slot(Path, object)
    def _ask_layout(self, source: Path, question: LayoutQuestion | TableQuestion) -> None:
        """A dialog, not modal."""
        self.workspace.recipe_changed.emit()
        dialog = TableDialog(question, self) if isinstance(question, TableQuestion) else LayoutDialog(question, self)
        dialog.chosen.connect(lambda wanted: self.workspace.open_dataset(source, wanted=wanted))
        dialog.show()

    @Slot(object, object)
    def _ask_about_held(self, wish: Wish, held: ProjectHeld) -> None:
        collection = self.workspace.dataset
        ask_about_held(held, lambda entry: collection.open_again(replace(wish, entry=entry)), self).open()

    @Slot(object, object)
    def _ask_about_damage(self, wish: Wish, error: CatalogDamaged) -> None:
        ask_about_damage(error, partial(self.workspace.dataset.begin_anew, wish), self).open()

    @Slot(object, object)
    def _ask_about_gone(self, wish: Wish, gone: ImagesGoneError) -> None:
        """Until the person has answered, or the images are back."""

        def find() -> None:
            folder = QFileDialog.getExistingDirectory(self, f"Where is “{gone.root.name}” now?")
            if folder:
                self.workspace.find_moved(wish, gone.project, Path(folder))

        question = ask_about_gone(gone, find, self)
        self.workspace.dataset.scanned.connect(question.reject)
        question.open()

    @Slot(object, object)
    def _ask_about_moved(self, wish: Wish, moved: MovedProject) -> None:
        collection = self.workspace.dataset
        ask_about_moved(
            moved,
            lambda: collection.open_again(replace(wish, moved=moved.project.folder)),
            lambda: collection.open_again(replace(wish, recognise=False)),
            self,
        ).open()

    @Slot()
    def find_moved_folder(self) -> None:
        """The open dataset lies elsewhere now."""
        contents = self.workspace.contents
        if contents is None:
            self.status.say("warning", "Open a dataset first.")
            return
        folder = QFileDialog.getExistingDirectory(self, f"Where is “{contents.root.name}” now?")
        if folder:
            self.workspace.find_open_dataset(Path(folder))

    @Slot(LongRunOffer)
    def _ask_about_long_run(self, offer: LongRunOffer) -> None:
        ask_about_long_run(offer, self.workspace.train_cheaper, self.workspace.train_anyway, self).open()

    @Slot()
    def _access_changed(self) -> None:
        self._lock_recipe()
        self._show_undo()
        self._refresh()

    def _lock_recipe(self) -> None:
        busy = self.workspace.engine.busy
        self.recipe.lock(TRAINING_RUNS if busy else LOOK_ONLY if self.workspace.access.look_only else "")

    @Slot(Asked)
    def _asked(self, _asked: Asked) -> None:
        self.show_page(PREDICT)

    # --- drops ------------------------------------------------------------------------------------------------------

    def _look_at(self, mime: QMimeData) -> Offer:
        """What a drop or paste would do on the page in front."""
        places = {EVALUATE: Place.EVALUATE, PREDICT: Place.ASK}
        place = places.get(self.pages.currentIndex(), Place.OPEN)
        return look_at(mime, self.workspace.engine.busy, place if self.workspace.project else Place.OPEN)

    def accept_offer(self, offer: Offer) -> None:
        """Do what a drop or paste offered."""
        if offer.kind is Kind.DATASET:
            self.workspace.open_dataset(offer.path, offer.only)
        elif offer.kind is Kind.IMAGE:
            self.workspace.ask(offer.path)
        elif offer.kind is Kind.FILES:
            self.ask_about(list(offer.paths))
        elif offer.kind is Kind.EVALUATE:
            self.workspace.evaluation.open_folder(offer.path)
        elif offer.kind is Kind.PIXELS:
            self.workspace.ask(content=offer.content)
        elif offer.kind is Kind.WEIGHTS:
            self.choose_model(str(offer.path))
        else:
            self.status.say("warning", f"{offer.title}. {offer.detail}")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._offer = self._look_at(event.mimeData())
        refused = self._offer.kind is Kind.REFUSED
        self.overlay.say(self._offer.title, self._offer.detail, refused)
        if self._offer.kind is Kind.DATASET:
            self._count(self._offer.path, self._offer.only)
        # Also accepted when refused: without it no leave event would come, and the reason would stay on the window.
        event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._end_drag()

    def dropEvent(self, event: QDropEvent) -> None:
        offer = self._look_at(event.mimeData())
        self._end_drag()
        event.acceptProposedAction()
        self.accept_offer(offer)

    def _end_drag(self) -> None:
        self.overlay.hide()
        self._offer = None
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None

    def _count(self, source: Path, only: Sequence[str]) -> None:
        """Look through the folder while it hovers; what it holds is said before the button is released."""

        def look(job: Job) -> tuple[str, bool]:
            try:
                if is_archive_name(source) and not source.is_dir():
                    return f"{plural(count_images(source, job), 'image')}; they are unpacked first", False
                return scan(source, job, only=only).summary(), False
            except LayoutQuestion as question:
                names = " or ".join(reading.source for reading in question.readings)
                return f"You will be asked where the classes come from: {names}", False
            except TableQuestion as question:
                return f"You will be asked what the columns of “{question.table.name}” mean", False
            except DatasetError as error:
                return str(error), True

        self._counting = Task(look, self)
        self._counting.progress.connect(self._counted_so_far)
        self._counting.done.connect(self._counted)
        self._counting.failed.connect(self._count_failed)
        self._counting.start(self._pool)

    @Slot(object, object)
    def _counted_so_far(self, done: int, _total: int) -> None:
        if self._offer is not None and self.sender() is self._counting:
            self.overlay.say(self._offer.title, f"{done:,} images so far…")

    @Slot(object)
    def _counted(self, outcome: tuple[str, bool]) -> None:
        if self._offer is not None and self.sender() is self._counting:
            self.overlay.say(self._offer.title, outcome[0], refused=outcome[1])

    @Slot(str)
    def _count_failed(self, sentence: str) -> None:
        self._counted((sentence, True))

    # --- the window itself ------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(50, self._complete)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.overlay.setGeometry(self.rect())

    @Slot()
    def stop_and_close(self) -> None:
        """Close without asking; a training is stopped first, and what it has learned is kept. Asked for twice, the window
        does not wait for that."""
        self._close_at_once = self._closing
        self._closing = True
        if self._close_at_once:
            self.close()
        elif self.workspace.engine.busy:
            self.status.say("info", "Stopping after this step; then the window closes…")
            self.workspace.stop()
        else:
            self.close()

    def _may_close(self) -> bool:
        """Nothing trains, or the person has been asked; the system's own end of the session waits for nobody."""
        application = QGuiApplication.instance()
        ends_anyway = isinstance(application, QGuiApplication) and application.isSavingSession()
        if not self.workspace.engine.busy or self._close_at_once or ends_anyway:
            return True
        run = self.workspace.latest_run
        if not self._closing and run is not None and self._close_question is None:
            self._close_question = ask_about_closing(run_number(run), self.stop_and_close, self)
            self._close_question.finished.connect(self._close_answered)
            self._close_question.open()
        return False

    @Slot()
    def _close_answered(self) -> None:
        self._close_question = None

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_close():
            event.ignore()
            return
        QSettings().setValue("geometry", self.saveGeometry())
        self._end_drag()
        for dialog in self.findChildren(ExportDialog):
            dialog.close()
        self.hide()
        self._pool.waitForDone()
        QThreadPool.globalInstance().waitForDone()
        self.data_page.close_threads()
        self.evaluate_page.close_threads()
        self.predict_page.close_threads()
        if "runs_page" in self.__dict__:  # not made for a window that closes at once
            self.runs_page.close_threads()
        self.workspace.close()
        event.accept()
