"""The window's menu and shortcuts. What an action does is connected where it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QUndoStack
from PySide6.QtWidgets import QMenu, QWidget

from ftgui.data.recent_projects import RecentProject
from ftgui.ui.project.undo_catalog import EditCatalog
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme


class MainMenu(QMenu):
    """Its actions can be used by their shortcuts from anywhere in the window.

    Args:
        undo_stack: of everything that can be undone.
        training: whether a training runs.
        theme: whose colours can be chosen.
        window: gets the actions.
    """

    recent_chosen = Signal(object)
    """The `RecentProject` to be opened again."""

    def __init__(self, undo_stack: QUndoStack, training: Callable[[], bool], theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._undo_stack = undo_stack
        self._training = training
        self._theme = theme
        self._window = window
        keys = QKeySequence.StandardKey
        self.open_folder = self._add_action("Open folder…", keys.Open)
        self.recent = self.addMenu("Open recent")
        self.recent.setToolTipsVisible(True)
        self.recent.setEnabled(False)
        self.open_archive = self._add_action("Open archive of images…")
        self.read_otherwise = self._add_action("Read the folder another way…")
        self.folder_moved = self._add_action("Find moved folder…")
        self.open_images = self._add_action("Open images…", QKeySequence("Ctrl+I"))
        self.paste = self._add_action("Paste", keys.Paste)
        self.open_sample = self._add_action("Open the sample")
        self.example_sets = self._add_action("Example sets…")
        self.close_project = self._add_action("Close the dataset", keys.Close)
        self.addSeparator()
        self._add_undo()
        self.addSeparator()
        self.search = self._add_action("Find")
        self.search.setShortcuts([QKeySequence(keys.Find), QKeySequence("/")])
        self.addSeparator()
        self.export_model = self._add_action("Export model…", QKeySequence("Ctrl+E"))
        self.export_dataset = self._add_action("Export dataset…")
        self.compare_datasets = self._add_action("Compare data of two runs…")
        self.addSeparator()
        self.train = self._add_action("Train", QKeySequence("Ctrl+T"))
        self.stop = self._add_action("Stop", QKeySequence("Ctrl+."))
        self.evaluate = self._add_action("Evaluate all images")
        self.find_learning_rate = self._add_action("Find a learning rate…", QKeySequence("Ctrl+L"))
        self.addSeparator()
        self.colors = self._add_colors()
        self.addSeparator()
        self.quit = self._add_action("Quit", keys.Quit)

    def _add_action(self, text: str, shortcut: QKeySequence | QKeySequence.StandardKey | None = None) -> QAction:
        action = self.addAction(text)
        if shortcut is not None:
            action.setShortcut(shortcut)
        self._window.addAction(action)
        return action

    def show_recent(self, projects: Sequence[tuple[str, RecentProject]]) -> None:
        """What was open last, and is not now.

        Args:
            projects: name and project, the newest first.
        """
        self.recent.clear()
        for name, project in projects:
            action = self.recent.addAction(name.replace("&", "&&"), partial(self.recent_chosen.emit, project))
            action.setToolTip(as_plain(str(project.dataset)))
        self.recent.setEnabled(bool(projects))

    def _add_undo(self) -> None:
        stack = self._undo_stack
        self.undo = stack.createUndoAction(self._window, "Undo")
        self.redo = stack.createRedoAction(self._window, "Redo")
        self.undo.setShortcut(QKeySequence.StandardKey.Undo)
        self.redo.setShortcut(QKeySequence.StandardKey.Redo)
        self.addActions([self.undo, self.redo])
        self._window.addActions([self.undo, self.redo])
        # After the actions' own slots, which take no notice of a training.
        stack.canUndoChanged.connect(self.show_undo)
        stack.canRedoChanged.connect(self.show_undo)

    def _add_colors(self) -> QActionGroup:
        menu = self.addMenu("Colours")
        group = QActionGroup(menu)
        for choice, text in (("system", "Same as the system"), ("light", "Light"), ("dark", "Dark")):
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(self._theme.choice == choice)
            action.setData(choice)
            group.addAction(action)
        group.triggered.connect(self._choose_colors)
        return group

    @Slot(QAction)
    def _choose_colors(self, action: QAction) -> None:
        self._theme.choose(action.data())

    @Slot()
    def show_undo(self) -> None:
        """The recipe can't change while a training runs, so its changes can't be undone either; images can."""
        stack, training = self._undo_stack, self._training()

        def may(number: int) -> bool:
            return not training or isinstance(stack.command(number), EditCatalog)

        self.undo.setEnabled(stack.canUndo() and may(stack.index() - 1))
        self.redo.setEnabled(stack.canRedo() and may(stack.index()))
