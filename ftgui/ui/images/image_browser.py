"""Images of a catalog, found in the background, looked at, selected and edited: Data and Evaluate share it."""

from __future__ import annotations

from array import array
from functools import partial
from pathlib import Path

from PySide6.QtCore import QFile, QPoint, Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QMenu, QMessageBox, QToolButton, QVBoxLayout, QWidget

from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.data.catalog.query import Query
from ftgui.data.catalog.reading import CatalogReader
from ftgui.ui.images.image_grid import ImageGrid, add_edits
from ftgui.ui.images.image_viewer import Viewer
from ftgui.ui.project.access import LOOK_ONLY
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Card, ElidedLabel, label
from ftgui.ui.toolkit.theme import Theme

_KEYS = "← → other images · wheel zooms · Del excludes · 1 to 9 relabel · Esc back"
_KEYS_LOOKING = "← → other images · wheel zooms · Esc back"


class ImageBrowser(QWidget):
    """A grid of the images that a query finds, what is selected below it, and over it the viewer.

    Args:
        workspace: whose dataset it is, and through which edits go.
        theme: for colours.
    """

    found = Signal(int)
    """How many images match what was asked for last."""
    ask_wanted = Signal(Path)
    """The model should say what this image is."""

    def __init__(self, workspace: Workspace, theme: Theme) -> None:
        super().__init__()
        self._workspace = workspace
        self._dataset_editor = workspace.dataset_editor
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._trash_pool = QThreadPool(self)
        self._trash_pool.setMaxThreadCount(1)
        self._reader: CatalogReader | None = None
        self._finding: Task | None = None
        self._catalog: CatalogReader | None = None
        self._root = Path()
        self._editable = True
        self._looking = -1
        """Id of the image that the viewer shows."""
        self._place = 0
        """Where it is among those shown, or was before an edit took it out of them."""
        self.card = Card()
        """Put things above the grid into its body, at the front."""
        self.grid = ImageGrid(theme)
        self.nothing = label("No image matches.", "muted")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.hide()
        self.card.body.addWidget(self.grid, 1)
        self.card.body.addWidget(self.nothing)
        self.card.body.addLayout(self._make_foot())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.card)
        self.viewer = Viewer(theme)
        self.viewer.setParent(self)
        self.installEventFilter(self.viewer)
        self._connect()

    def _make_foot(self) -> QHBoxLayout:
        """Below the images: what is selected, and what can be done with it."""
        self.selected = ElidedLabel()
        self.selected.setObjectName("muted")
        self.edit = QToolButton()
        self.edit.setObjectName("chip")
        self.edit.setText("Edit selected ▾")
        self.edit.setAccessibleName("Edit the selected images")
        self.edit.setToolTip("Relabel, exclude, or move to another split; also with keys or a right-click")
        self.edit.clicked.connect(self._edit_menu)
        self.foot = QHBoxLayout()
        self.foot.addWidget(self.selected, 1)
        self.foot.addWidget(self.edit)
        return self.foot

    def _connect(self) -> None:
        grid, viewer = self.grid, self.viewer
        grid.chosen_changed.connect(self._show_selected)
        grid.look_wanted.connect(self._look)
        grid.ask_wanted.connect(self._ask)
        grid.relabel_wanted.connect(self._relabel)
        grid.new_class_wanted.connect(self._relabel_to_new)
        grid.exclude_wanted.connect(self._exclude)
        grid.exclude_toggled.connect(self._toggle_excluded)
        grid.move_wanted.connect(self._move)
        grid.trash_wanted.connect(self._trash)
        viewer.step_wanted.connect(self._step)
        viewer.key_pressed.connect(self._viewer_key)
        viewer.ask_wanted.connect(self.ask_wanted)
        viewer.closed.connect(self._left_viewer)
        self._workspace.intensity.changed.connect(self._read_anew)

    # --- showing ----------------------------------------------------------------------------------------------------

    @property
    def finding(self) -> bool:
        """Images are being looked up for what is asked for."""
        return self._finding is not None

    def show_catalog(self, catalog: CatalogReader | None, root: Path, editable: bool = True) -> None:
        """Of these images from now on; `browse` says which.

        Args:
            catalog: stays open until another is shown; used on the main thread.
            root: the folder in which its images lie.
            editable: it is the open dataset's. Others are only looked at.
        """
        self._stop_finding()
        self._catalog, self._root = catalog, root
        self._editable = editable
        self.grid.editable = editable
        self.grid.setDragEnabled(editable)
        self.edit.setVisible(editable)
        self.grid.thumbnails.forget()
        self.grid.show_images(None, root, array("q"))
        self.viewer.hide()
        self._show_selected()

    @Slot()
    def _read_anew(self) -> None:
        """Images of more than 8 bits look otherwise now."""
        intensity = self._workspace.intensity.range
        self.grid.thumbnails.set_intensity(intensity)
        self.grid.viewport().update()
        self.viewer.read_with(intensity)
        if self.viewer.isVisible():
            self._look_again()

    def browse(self, query: Query) -> None:
        """Ask the catalog, in the background; the newest question wins. `found` follows."""
        if self._catalog is None:
            return
        self._stop_finding()
        self._finding = Task(partial(self._find, self._catalog.path, query), self)
        self._finding.done.connect(self._found)
        self._finding.failed.connect(self._not_found)
        self._finding.start(self._pool)

    def _stop_finding(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
            self._finding = None

    def close_threads(self) -> None:
        """Before the program ends."""
        self._stop_finding()
        self._pool.waitForDone()
        self._trash_pool.waitForDone()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.viewer.close_threads()
        self.grid.thumbnails.close()

    def _find(self, catalog_path: Path, query: Query, job: Job) -> array[int]:
        """On the one thread of the pool, with a connection that stays open: it keeps what it sorted."""
        job.progress(0)
        if self._reader is None or self._reader.path != catalog_path:
            if self._reader is not None:
                self._reader.close()
            self._reader = CatalogReader(catalog_path, any_thread=True)
        return self._reader.find(query)

    @Slot(object)
    def _found(self, ids: array[int]) -> None:
        if self.sender() is not self._finding or self._catalog is None:
            return
        self._finding = None
        self.grid.show_images(self._catalog, self._root, ids)
        self.nothing.setVisible(not ids)
        self._show_selected()
        if self.viewer.isVisible():
            self._look_again()
        self.found.emit(len(ids))

    @Slot(str)
    def _not_found(self, sentence: str) -> None:
        if self.sender() is self._finding:
            self._finding = None
            self._workspace.message.emit("error", sentence)

    @Slot()
    def _show_selected(self) -> None:
        chosen = self.grid.chosen()
        self.edit.setEnabled(bool(chosen))
        row = None
        if len(chosen) == 1:
            (place,) = self.grid.images.places(chosen)
            row = self.grid.images.row(place)
        if row is not None:
            self.selected.set_full(
                f"{row.path} · {row.class_name} · {row.split}{' · excluded' if row.excluded else ''}"
            )
        elif chosen:
            self.selected.set_full(f"{plural(len(chosen), 'image')} selected")
        else:
            self.selected.set_full("Double-click an image to enlarge it.")

    # --- the viewer -------------------------------------------------------------------------------------------------

    @Slot(int)
    def _look(self, place: int) -> None:
        if 0 <= place < len(self.grid.images.ids):
            self.open_viewer(self.grid.images.ids[place])

    def open_viewer(self, id_: int) -> None:
        """Show an image large; one that is gone closes the viewer."""
        catalog = self._catalog
        detail = catalog.detail(id_) if catalog else None
        if catalog is None or detail is None:
            self.viewer.leave()
            return
        self._looking = id_
        places = self.grid.images.places([id_])
        if places:
            self._place = places[0]
        place = f"{places[0] + 1:,} of {len(self.grid.images.ids):,}" if places else ""
        self.viewer.setGeometry(self.rect())
        self.viewer.show_image(self._root / detail.row.path, detail, place, _KEYS if self._editable else _KEYS_LOOKING)
        self.viewer.raise_()

    def _look_again(self) -> None:
        """Something changed: say what is so now. An image that is no longer among those shown stays until one moves on."""
        if self._looking >= 0:
            self.open_viewer(self._looking)

    @Slot(int)
    def _step(self, by: int) -> None:
        places = self.grid.images.places([self._looking])
        # One that an edit took out of those shown leaves its place to the next.
        at = places[0] + by if places else self._place - (by < 0)
        if 0 <= at < len(self.grid.images.ids):
            self.grid.selectionModel().setCurrentIndex(
                self.grid.images.index(at), self.grid.selectionModel().SelectionFlag.ClearAndSelect
            )
            self._look(at)

    @Slot(QKeyEvent)
    def _viewer_key(self, event: QKeyEvent) -> None:
        """Keys that edit mean the image that is shown."""
        self.grid.edit_by(event)

    @Slot()
    def _left_viewer(self) -> None:
        self._looking = -1
        self.grid.setFocus()

    # --- hands ------------------------------------------------------------------------------------------------------

    def chosen(self) -> list[int]:
        """What an edit is about: the image that is looked at, or those selected."""
        return [self._looking] if self.viewer.isVisible() and self._looking >= 0 else self.grid.chosen()

    @Slot(int)
    def _ask(self, place: int) -> None:
        row = self.grid.images.row(place)
        if row is not None and self._catalog is not None:
            self.ask_wanted.emit(self._root / row.path)

    @Slot(str)
    def _relabel(self, class_name: str) -> None:
        self._dataset_editor.relabel(self.chosen(), class_name)

    @Slot()
    def _relabel_to_new(self) -> None:
        name, given = QInputDialog.getText(self, "New class", f"Class of {plural(len(self.chosen()), 'image')}:")
        if given and name.strip():
            self._dataset_editor.relabel(self.chosen(), name.strip())

    @Slot(bool)
    def _exclude(self, excluded: bool) -> None:
        self._dataset_editor.exclude(self.chosen(), excluded)

    @Slot()
    def _toggle_excluded(self) -> None:
        chosen = self.chosen()
        if self._catalog is not None and chosen:
            self._workspace.disk_tasks.do(
                partial(_any_is_in, self._catalog.path, chosen), partial(self._dataset_editor.exclude, chosen)
            )

    @Slot(str)
    def _move(self, split: str) -> None:
        self._dataset_editor.move(self.chosen(), split)

    @Slot()
    def _edit_menu(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_edits(menu, self.grid, bool(self.grid.chosen()))
        menu.popup(self.edit.mapToGlobal(self.edit.rect().topLeft()) - QPoint(0, menu.sizeHint().height()))

    @Slot()
    def _trash(self) -> None:
        """Asks with the number; what can't be moved stays, and is said. On a thread of its own: to another drive files may
        have to be copied."""
        catalog, chosen = self._catalog, self.grid.chosen()
        if catalog is None or not chosen:
            return
        if self._workspace.access.look_only:
            self._workspace.message.emit("warning", LOOK_ONLY)
            return
        answer = QMessageBox.question(
            self,
            "Move to trash",
            f"Move {plural(len(chosen), 'image file')} to the system's trash?\n"
            "To leave images out of training without touching the files, exclude them instead.",
        )
        if answer is QMessageBox.StandardButton.Yes:
            task = Task(partial(_move_to_trash, catalog.path, self._root, chosen), self)
            task.done.connect(self._trashed)
            task.start(self._trash_pool)

    @Slot(object)
    def _trashed(self, left: list[str]) -> None:
        if left:
            self._workspace.message.emit(
                "error", f"{plural(len(left), 'file')} could not be moved to the trash, e.g. {left[0]}."
            )
        self._workspace.dataset.rescan()


def _any_is_in(catalog_path: Path, ids: list[int]) -> bool:
    """Not all of these images are excluded."""
    with CatalogReader(catalog_path) as catalog:
        return not all(row.excluded for row in catalog.rows(ids))


def _move_to_trash(catalog_path: Path, root: Path, ids: list[int], _job: Job) -> list[str]:
    """Those that could not be moved."""
    with CatalogReader(catalog_path) as catalog:
        paths = [row.path for row in catalog.rows(ids)]
    return [path for path in paths if not QFile.moveToTrash(str(root / path))]
