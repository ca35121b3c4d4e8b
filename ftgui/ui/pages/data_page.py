"""The Data page: classes, split, problems, and the images themselves."""

from __future__ import annotations

from array import array
from collections import Counter
from functools import partial
from pathlib import Path

from PySide6.QtCore import QFile, QPoint, Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QMessageBox,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ftgui.data.catalog import Catalog
from ftgui.data.findings import EXCLUDE, EXCLUDE_COPIES, EXCLUDE_TRAIN, KINDS
from ftgui.data.job import Job
from ftgui.data.query import Query
from ftgui.data.split import Splitting
from ftgui.ui import icons
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.basics import Card, ElidedLabel, IconButton, button, heading, label
from ftgui.ui.widgets.browse_bar import BrowseBar
from ftgui.ui.widgets.class_list import ClassList
from ftgui.ui.widgets.image_grid import ImageGrid, add_edits
from ftgui.ui.widgets.problem_list import ProblemList
from ftgui.ui.widgets.split_editor import SplitBar, SplitEditor
from ftgui.ui.widgets.viewer import Viewer
from ftgui.ui.words import plural
from ftgui.ui.workers.tasks import Task
from ftgui.ui.workspace import Workspace

_ACTIONS = {
    EXCLUDE: "Exclude all of these",
    EXCLUDE_COPIES: "Exclude all but one of each",
    EXCLUDE_TRAIN: "Exclude those for training",
}
_KEYS = "← → other images · wheel zooms · Del excludes · 1 to 9 relabel · Esc back"


class DataPage(QWidget):
    """Shows the open project's catalog, or how to open one."""

    open_wanted = Signal()
    sample_wanted = Signal()
    ask_wanted = Signal(Path)
    """The model should say what this image is."""

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._curation = workspace.curation
        self._theme = theme
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._reader: Catalog | None = None
        self._finding: Task | None = None
        self._looking = -1
        """Id of the image that the viewer shows."""
        self._place = 0
        """Where it is among those shown, or was before an edit took it out of them."""
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(self._make_full())
        self._connect()
        self._recolor()

    # --- making -----------------------------------------------------------------------------------------------------

    def _make_empty(self) -> QWidget:
        card = Card()
        card.body.addStretch(1)
        self._empty_icon = label()
        self._empty_icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = heading("Drop a folder of images here")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text = label(
            "One folder per class: “ants” full of ants, “bees” full of bees.\n"
            "Folders named train, val and test above them are recognised; a zip or tar of all this is unpacked.\n"
            "Nothing is uploaded, changed or moved.",
            "muted",
        )
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout()
        row.addStretch(1)
        open_button = button("Open folder…", "Choose a folder of images (Ctrl+O)", primary=True)
        sample_button = button("Try the sample", "Seven kinds of drawings, ready to train on")
        open_button.clicked.connect(self.open_wanted)
        sample_button.clicked.connect(self.sample_wanted)
        row.addWidget(open_button)
        row.addWidget(sample_button)
        row.addStretch(1)
        for widget in (self._empty_icon, title, text):
            card.body.addWidget(widget)
        card.body.addSpacing(8)
        card.body.addLayout(row)
        card.body.addStretch(1)
        return card

    def _make_full(self) -> QWidget:
        page = QWidget()
        layout = QHBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._make_side())
        right = self._right = QWidget()
        stack = QVBoxLayout(right)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self._make_grid())
        self.viewer = Viewer(self._theme)
        self.viewer.setParent(right)
        right.installEventFilter(self.viewer)
        layout.addWidget(right, 1)
        return page

    def _make_side(self) -> QWidget:
        side = Card()
        side.setFixedWidth(256)
        new_class = IconButton("plus", "New class", ": an empty one, to drag images onto", self._theme)
        new_class.clicked.connect(self._new_class)
        side.body.addLayout(_titled("Classes", new_class))
        self.classes = ClassList(self._theme)
        side.body.addWidget(self.classes, 1)
        self.change_split = QToolButton()
        self.change_split.setObjectName("chip")
        self.change_split.setText("Change…")
        self.change_split.setAccessibleName("Change the split")
        self.change_split.setToolTip("How many images are for training, for checking, and for a last test")
        self.change_split.clicked.connect(self._edit_split)
        side.body.addLayout(_titled("Split", self.change_split))
        self.split_bar = SplitBar(self._theme)
        side.body.addWidget(self.split_bar)
        self.split = label("", "muted", wrap=True)
        self.split.setToolTip(
            "The model learns from train images only. Val images tell whether it understood or just memorised;\n"
            "they also decide which weights are kept. Test images stay untouched until you ask for them."
        )
        side.body.addWidget(self.split)
        side.body.addSpacing(4)
        side.body.addWidget(label("Problems", "title"))
        self.problems = ProblemList(self._theme)
        side.body.addWidget(self.problems, 1)
        return side

    def _make_grid(self) -> QWidget:
        card = Card()
        self.bar = BrowseBar(self._theme)
        self.grid = ImageGrid(self._theme)
        self.grid.set_size(self.bar.thumbnail_size.currentText())
        self.nothing = label("No image matches.", "muted")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.hide()
        card.body.addWidget(self.bar)
        card.body.addWidget(self._make_banner())
        card.body.addWidget(self.grid, 1)
        card.body.addWidget(self.nothing)
        card.body.addLayout(self._make_foot())
        return card

    def _make_banner(self) -> QWidget:
        """Above the images of one kind of problem: why it matters, and what to do."""
        self.banner = QWidget()
        layout = QVBoxLayout(self.banner)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.banner_text = label("", wrap=True)
        self.fix = button("Fix", "")
        self.fix.clicked.connect(self._fix)
        show_all = button("Show all", "Show all images again")
        show_all.clicked.connect(self.bar.clear)
        row = QHBoxLayout()
        row.addWidget(self.fix)
        row.addWidget(show_all)
        row.addStretch(1)
        layout.addWidget(self.banner_text)
        layout.addLayout(row)
        self.banner.hide()
        return self.banner

    def _make_foot(self) -> QHBoxLayout:
        """Below the images: what is selected, and what can be done with it."""
        self.selected = ElidedLabel()
        self.selected.setObjectName("muted")
        self.edit = QToolButton()
        self.edit.setObjectName("chip")
        self.edit.setText("Edit selected ▾")
        self.edit.setAccessibleName("Edit the selected images")
        self.edit.setToolTip("Relabel, exclude, or move to another split; also by keys and with a right click")
        self.edit.clicked.connect(self._edit_menu)
        row = QHBoxLayout()
        row.addWidget(self.selected, 1)
        row.addWidget(self.edit)
        return row

    def _connect(self) -> None:
        workspace, grid = self._workspace, self.grid
        workspace.project_changed.connect(self._project_changed)
        workspace.catalog_changed.connect(self._catalog_changed)
        self._theme.changed.connect(self._recolor)
        self.bar.changed.connect(self._workspace.collection.make_way)
        self.bar.changed.connect(self._browse)
        self.bar.size_chosen.connect(grid.set_size)
        self.classes.chosen.connect(self.bar.choose_class)
        self.classes.renamed.connect(self._curation.rename_class)
        self.classes.merged.connect(self._curation.rename_class)
        self.classes.new_wanted.connect(self._new_class)
        self.classes.images_dropped.connect(self._curation.relabel)
        self.classes.files_dropped.connect(self._curation.add)
        self.problems.chosen.connect(self.bar.choose_kind)
        self.problems.file_chosen.connect(self._show_file)
        grid.chosen_changed.connect(self._show_selected)
        grid.look_wanted.connect(self._look)
        grid.ask_wanted.connect(self._ask)
        grid.relabel_wanted.connect(self._relabel)
        grid.new_class_wanted.connect(self._relabel_to_new)
        grid.exclude_wanted.connect(self._exclude)
        grid.exclude_toggled.connect(self._toggle_excluded)
        grid.move_wanted.connect(self._move)
        grid.trash_wanted.connect(self._trash)
        self.viewer.step_wanted.connect(self._step)
        self.viewer.key_pressed.connect(self._viewer_key)
        self.viewer.ask_wanted.connect(self.ask_wanted)
        self.viewer.closed.connect(self._left_viewer)

    # --- showing ----------------------------------------------------------------------------------------------------

    def close_threads(self) -> None:
        """Before the program ends."""
        if self._finding is not None:
            self._finding.cancel()
        self._pool.waitForDone()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.viewer.close_threads()
        self.grid.thumbnails.close()

    @Slot()
    def _recolor(self) -> None:
        colors = self._theme.colors
        self._empty_icon.setPixmap(icons.pixmap("images", colors.muted, 48, self.devicePixelRatioF()))

    @Slot()
    def _project_changed(self) -> None:
        self.grid.thumbnails.forget()
        self.grid.show_images(None, array("q"))
        self.viewer.hide()
        self.bar.blockSignals(True)
        self.bar.clear()
        self.bar.blockSignals(False)
        self._catalog_changed()

    @Slot()
    def _catalog_changed(self) -> None:
        contents = self._workspace.contents
        self._stack.setCurrentIndex(1 if contents else 0)
        if contents is None:
            return
        counts = contents.counts
        self.bar.show_classes(counts)
        self.grid.class_names = list(counts)
        totals: Counter[str] = sum(counts.values(), Counter())
        self.split_bar.show_counts(totals)
        self.split.setText(self._say_split(totals))
        if self.bar.kind and self.bar.kind not in {group.kind for group in contents.groups}:
            self.bar.kind = ""  # the last of its images was put right
        self._browse()

    def _say_split(self, totals: Counter[str]) -> str:
        contents = self._workspace.contents
        assert contents is not None
        if totals[""]:
            return f"{totals.total():,} images so far; split when all are found"
        parts = [f"{split} {totals[split]:,}" for split in ("train", "val", "test")]
        origin = "split at random, each class alike"
        if contents.split_from_folders:
            origin = "from the folders’ names"
        elif contents.splitting.group_by:
            origin = "split at random, groups kept together"
        excluded = f" · {contents.excluded:,} excluded" if contents.excluded else ""
        return " · ".join(parts) + f"\n{origin}{excluded}"

    def _say_problems(self) -> str:
        contents = self._workspace.contents
        if self._workspace.collection.scanning:
            return "Still looking for images…"
        if self._workspace.checking:
            return "Still checking the images…"
        return "" if contents and contents.groups else "None found; every image can be read."

    @Slot()
    def _browse(self) -> None:
        """Ask the catalog, in the background; the newest question wins."""
        project, contents = self._workspace.project, self._workspace.contents
        if project is None or contents is None:
            return
        self.classes.show_counts(contents.counts, self.bar.class_name)
        self.problems.show_groups(contents.groups, self._say_problems(), self.bar.kind)
        self._show_banner()
        if self._finding is not None:
            self._finding.cancel()
        self._finding = Task(partial(self._find, project.catalog_path, self.bar.query()), self)
        self._finding.done.connect(self._found)
        self._finding.failed.connect(self._not_found)
        self._finding.start(self._pool)

    def _find(self, catalog_path: Path, query: Query, job: Job) -> array[int]:
        """On the one thread of the pool, with a connection that stays open: it keeps what it sorted."""
        job.progress(0)
        if self._reader is None or self._reader.path != catalog_path:
            if self._reader is not None:
                self._reader.close()
            self._reader = Catalog(catalog_path, read_only=True, any_thread=True)
        return self._reader.find(query)

    @Slot(object)
    def _found(self, ids: array[int]) -> None:
        if self.sender() is not self._finding or self._workspace.catalog is None:
            return
        self._finding = None
        self.grid.show_images(self._workspace.catalog, ids)
        contents = self._workspace.contents
        total = sum(splits.total() for splits in contents.counts.values()) + contents.excluded if contents else 0
        narrow = self.bar.narrow
        self.bar.count.setText(f"{len(ids):,} of {total:,}" if narrow else plural(len(ids), "image"))
        self.nothing.setVisible(not ids)
        self._show_selected()
        if self.viewer.isVisible():
            self._look_again()

    @Slot(str)
    def _not_found(self, sentence: str) -> None:
        if self.sender() is self._finding:
            self._finding = None
            self._workspace.message.emit("error", sentence)

    def _show_banner(self) -> None:
        kind = KINDS.get(self.bar.kind)
        self.banner.setVisible(kind is not None)
        if kind is not None:
            self.banner_text.setText(f"{kind.words[0].upper()}{kind.words[1:]}. {kind.teaches}")
            self.fix.setText(_ACTIONS.get(kind.action, "Fix"))
            self.fix.setToolTip(f"{kind.fix} Nothing is deleted; Ctrl+Z undoes it.")
            self.fix.setVisible(bool(kind.action))

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
            self.selected.set_full("Click an image to select it, double-click to look at it.")

    @Slot(str, str)
    def _show_file(self, kind: str, path: str) -> None:
        """One of the files named in the list of problems."""
        catalog = self._workspace.catalog
        if catalog is None:
            return
        self.bar.choose_kind(kind)
        id_ = catalog.id_of(path)
        if id_ is not None:
            self._open_viewer(id_)

    # --- the viewer -------------------------------------------------------------------------------------------------

    @Slot(int)
    def _look(self, place: int) -> None:
        if 0 <= place < len(self.grid.images.ids):
            self._open_viewer(self.grid.images.ids[place])

    def _open_viewer(self, id_: int) -> None:
        catalog = self._workspace.catalog
        detail = catalog.detail(id_) if catalog else None
        if catalog is None or detail is None:
            self.viewer.leave()
            return
        self._looking = id_
        places = self.grid.images.places([id_])
        if places:
            self._place = places[0]
        place = f"{places[0] + 1:,} of {len(self.grid.images.ids):,}" if places else ""
        self.viewer.setGeometry(self._right.rect())
        self.viewer.show_image(catalog.root / detail.row.path, detail, place, _KEYS)
        self.viewer.raise_()

    def _look_again(self) -> None:
        """Something changed: say what is so now. An image that is no longer among those shown stays until one moves on."""
        if self._looking >= 0:
            self._open_viewer(self._looking)

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

    def _chosen(self) -> list[int]:
        """What an edit is about: the image that is looked at, or those selected."""
        return [self._looking] if self.viewer.isVisible() and self._looking >= 0 else self.grid.chosen()

    # --- hands ------------------------------------------------------------------------------------------------------

    @Slot(int)
    def _ask(self, place: int) -> None:
        row = self.grid.images.row(place)
        if row is not None and self._workspace.catalog is not None:
            self.ask_wanted.emit(self._workspace.catalog.root / row.path)

    @Slot(str)
    def _relabel(self, class_name: str) -> None:
        self._curation.relabel(self._chosen(), class_name)

    @Slot()
    def _relabel_to_new(self) -> None:
        name = self._ask_name(f"Class of {plural(len(self._chosen()), 'image')}")
        if name:
            self._curation.relabel(self._chosen(), name)

    @Slot(bool)
    def _exclude(self, excluded: bool) -> None:
        self._curation.exclude(self._chosen(), excluded)

    @Slot()
    def _toggle_excluded(self) -> None:
        catalog, chosen = self._workspace.catalog, self._chosen()
        if catalog is not None and chosen:
            self._curation.exclude(chosen, not all(row.excluded for row in catalog.rows(chosen)))

    @Slot(str)
    def _move(self, split: str) -> None:
        self._curation.move(self._chosen(), split)

    @Slot()
    def _new_class(self) -> None:
        name = self._ask_name("Name of the new class")
        if name:
            self._curation.create_class(name)

    def _ask_name(self, what: str) -> str:
        name, given = QInputDialog.getText(self, "New class", f"{what}:")
        return name.strip() if given else ""

    @Slot()
    def _edit_menu(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_edits(menu, self.grid, bool(self.grid.chosen()))
        menu.popup(self.edit.mapToGlobal(self.edit.rect().topLeft()) - QPoint(0, menu.sizeHint().height()))

    @Slot()
    def _edit_split(self) -> None:
        contents, catalog = self._workspace.contents, self._workspace.catalog
        if contents is None or catalog is None:
            return
        if self._workspace.engine.busy:
            self._workspace.message.emit("warning", "A training is running; the split can be changed after it.")
            return
        example = catalog.example()
        path = str(example.relative_to(catalog.root)) if example and example.is_relative_to(catalog.root) else ""
        editor = SplitEditor(contents.splitting, path, contents.split_from_folders, self)
        editor.chosen.connect(self._split_chosen)
        self._workspace.project_changed.connect(editor.close)
        editor.show()

    @Slot(Splitting)
    def _split_chosen(self, splitting: Splitting) -> None:
        if self._workspace.engine.busy:
            self._workspace.message.emit("warning", "A training is running; the split can be changed after it.")
            return
        self._workspace.plan.split(splitting.val, splitting.test, splitting.seed, splitting.group_by)

    @Slot()
    def _fix(self) -> None:
        """What the banner's button says."""
        catalog, kind = self._workspace.catalog, KINDS.get(self.bar.kind)
        if catalog is None or kind is None:
            return
        if kind.action == EXCLUDE_COPIES:
            ids = catalog.copies(self.bar.kind)
        else:
            split = "train" if kind.action == EXCLUDE_TRAIN else ""
            ids = catalog.find(Query(kind=self.bar.kind, split=split, excluded=False))
        self._curation.exclude(ids)

    @Slot()
    def _trash(self) -> None:
        """Asks with the number; what can't be moved stays, and is said."""
        catalog, chosen = self._workspace.catalog, self.grid.chosen()
        if catalog is None or not chosen:
            return
        answer = QMessageBox.question(
            self,
            "Move to trash",
            f"Move {plural(len(chosen), 'image file')} to the system's trash?\n"
            "To leave images out of training without touching the files, exclude them instead.",
        )
        if answer is QMessageBox.StandardButton.Yes:
            root = catalog.root
            left = [row.path for row in catalog.rows(chosen) if not QFile.moveToTrash(str(root / row.path))]
            if left:
                self._workspace.message.emit(
                    "error", f"{plural(len(left), 'file')} could not be moved to the trash, e.g. {left[0]}."
                )
            self._workspace.collection.rescan()


def _titled(text: str, right: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(label(text, "title"), 1)
    row.addWidget(right)
    return row
