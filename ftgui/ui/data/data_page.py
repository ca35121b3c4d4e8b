"""The Data page: classes, split, problems, and the images themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.formatting import plural
from ftgui.data.catalog.problem_kinds import EXCLUDE_COPIES, EXCLUDE_TRAIN, KINDS
from ftgui.data.catalog.query import Query
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Contents, reference
from ftgui.data.catalog.split import Splitting
from ftgui.protocol.recipe import Intensity
from ftgui.ui.data.class_list import ClassList
from ftgui.ui.data.filter_bar import BrowseBar, Filters
from ftgui.ui.data.intensity_editor import IntensityEditor
from ftgui.ui.data.problem_banner import ProblemBanner
from ftgui.ui.data.problem_list import ProblemList
from ftgui.ui.data.split_dialog import SplitBar, SplitEditor
from ftgui.ui.data.start_view import StartView
from ftgui.ui.images.image_browser import ImageBrowser
from ftgui.ui.project.recent_projects import RecentProjects
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Card, IconButton, label
from ftgui.ui.toolkit.search_keys import SearchKeys, focus_search
from ftgui.ui.toolkit.theme import Theme


class DataView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is looked at on the page."""

    filters: Filters = Filters()
    chosen: list[int] = []
    """Ids of the selected images."""


_MOST_CHOSEN = 1000
"""Selected images that are remembered."""


class DataPage(QWidget):
    """Shows the open project's catalog, or how to open one.

    Args:
        workspace: whose catalog it is.
        recent: listed while nothing is open.
        theme: for colours.
    """

    open_wanted = Signal()
    sample_wanted = Signal()
    examples_wanted = Signal()
    ask_wanted = Signal(Path)
    """The model should say what this image is."""
    view_changed = Signal()
    """`view`."""

    def __init__(self, workspace: Workspace, recent: RecentProjects, theme: Theme) -> None:
        super().__init__()
        self._workspace = workspace
        self._dataset_editor = workspace.dataset_editor
        self._theme = theme
        self._to_choose: list[int] = []
        """Images to be selected as soon as they are found."""
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_start(recent))
        self._stack.addWidget(self._make_full())
        self._connect()

    # --- making -----------------------------------------------------------------------------------------------------

    def _make_start(self, recent: RecentProjects) -> QWidget:
        self.start = StartView(recent, self._theme)
        self.start.open_wanted.connect(self.open_wanted)
        self.start.sample_wanted.connect(self.sample_wanted)
        self.start.examples_wanted.connect(self.examples_wanted)
        return self.start

    def _make_full(self) -> QWidget:
        page = QWidget()
        layout = QHBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._make_side())
        layout.addWidget(self._make_browser(), 1)
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
        self.change_split.setToolTip("How many images are for training, validation and a final test")
        self.change_split.clicked.connect(self._edit_split)
        side.body.addLayout(_titled("Split", self.change_split))
        self.split_bar = SplitBar(self._theme)
        side.body.addWidget(self.split_bar)
        self.split = label("", "muted", wrap=True)
        self.split.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.split.setToolTip(
            "The model learns from the train images only. The val images show whether it generalises or just memorises;\n"
            "they also decide which weights are kept. Test images stay untouched until you ask for them."
        )
        side.body.addWidget(self.split)
        side.body.addWidget(self._make_intensity())
        side.body.addSpacing(4)
        side.body.addWidget(label("Problems", "title"))
        self.problems = ProblemList(self._theme)
        side.body.addWidget(self.problems, 1)
        side.body.addStretch()  # both lists are as high as their rows at most
        return side

    def _make_intensity(self) -> QWidget:
        """Only where there are images of more than 8 bits."""
        self.change_intensity = QToolButton()
        self.change_intensity.setObjectName("chip")
        self.change_intensity.setText("Change…")
        self.change_intensity.setAccessibleName("Change the intensity range")
        self.change_intensity.setToolTip("Which stored values are shown, and trained on, as black and as white")
        self.change_intensity.clicked.connect(self._edit_intensity)
        self.intensity = label("", "muted", wrap=True)
        self.intensity.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.intensity_box = QWidget()
        layout = QVBoxLayout(self.intensity_box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(_titled("Intensity range", self.change_intensity))
        layout.addWidget(self.intensity)
        self.intensity_box.hide()
        return self.intensity_box

    def _make_browser(self) -> QWidget:
        self.bar = BrowseBar(self._theme)
        self.browser = ImageBrowser(self._workspace, self._theme)
        self.grid, self.viewer = self.browser.grid, self.browser.viewer
        self.grid.set_size(self.bar.thumbnail_size.currentText())
        SearchKeys(self.bar.search, self.grid, typing_searches=False)
        self.browser.card.body.insertWidget(0, self.bar)
        self.banner = ProblemBanner()
        self.browser.card.body.insertWidget(1, self.banner)
        return self.browser

    def _connect(self) -> None:
        workspace, grid = self._workspace, self.grid
        workspace.project_changed.connect(self._project_changed)
        workspace.catalog_changed.connect(self._catalog_changed)
        workspace.intensity.changed.connect(self._show_intensity)
        self.bar.changed.connect(self._workspace.dataset.image_checking.make_way)
        self.bar.changed.connect(self._browse)
        self.bar.changed.connect(self.view_changed)
        grid.chosen_changed.connect(self.view_changed)
        self.bar.size_chosen.connect(grid.set_size)
        self.classes.chosen.connect(self.bar.choose_class)
        self.classes.renamed.connect(self._dataset_editor.rename_class)
        self.classes.merged.connect(self._dataset_editor.rename_class)
        self.classes.new_wanted.connect(self._new_class)
        self.classes.images_dropped.connect(self._dataset_editor.relabel)
        self.classes.files_dropped.connect(self._dataset_editor.add)
        self.problems.chosen.connect(self.bar.choose_kind)
        self.problems.file_chosen.connect(self._show_file)
        self.problems.read_otherwise.connect(workspace.read_otherwise)
        self.banner.fix_wanted.connect(self._fix)
        self.banner.show_all_wanted.connect(self.bar.clear)
        self.browser.found.connect(self._found)
        self.browser.ask_wanted.connect(self.ask_wanted)

    # --- showing ----------------------------------------------------------------------------------------------------

    @property
    def view(self) -> DataView:
        """What is looked at now."""
        return DataView(self.bar.filters, self.grid.chosen()[:_MOST_CHOSEN])

    def look_at(self, view: DataView) -> None:
        """The same as another time; images that are gone are not selected."""
        self._to_choose = view.chosen
        self.bar.use(view.filters)

    def start_search(self) -> None:
        """To the search; an image that is looked at large makes room for it."""
        if self._workspace.contents is None:
            self._workspace.message.emit("info", "There are no images to search yet. Open a folder of them first.")
            return
        if self.viewer.isVisible():
            self.viewer.leave()
        focus_search(self.bar.search)

    def close_threads(self) -> None:
        """Before the program ends."""
        self.start.close_threads()
        self.browser.close_threads()

    @Slot()
    def _project_changed(self) -> None:
        contents = self._workspace.contents
        self.browser.show_catalog(self._workspace.catalog, contents.root if contents else Path())
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
        self._show_intensity()
        if self.bar.kind and self.bar.kind not in {group.kind for group in contents.groups}:
            self.bar.kind = ""  # the last of its images was put right
        self._browse()

    def _say_split(self, totals: Counter[str]) -> str:
        contents = self._workspace.contents
        assert contents is not None
        if totals[""]:
            return f"{plural(totals.total(), 'image')} so far; split when all are found"
        parts = [f"{split} {totals[split]:,}" for split in ("train", "val", "test")]
        origin = "split at random, within each class"
        if contents.split_from_folders:
            origin = "from the folders' names"
        elif contents.splitting.group_by:
            origin = "split at random, groups kept together"
        excluded = f" · {contents.excluded:,} excluded" if contents.excluded else ""
        return " · ".join(parts) + f"\n{origin}{excluded}"

    @Slot()
    def _show_intensity(self) -> None:
        contents = self._workspace.contents
        seen = contents.intensity if contents is not None else None
        self.intensity_box.setVisible(seen is not None)
        if seen is not None:
            self.intensity.setText(seen.words(self._workspace.intensity.range))

    def _say_problems(self) -> str:
        contents = self._workspace.contents
        if self._workspace.dataset.scanning:
            return "Still looking for images…"
        if self._workspace.checking:
            return "Still checking the images…"
        return "" if contents and contents.groups else "None found; every image can be read."

    def _whose_answers(self, contents: Contents) -> str:
        """The run whose model says what is mislabelled."""
        project = self._workspace.project
        if project is None or not contents.evaluated_by:
            return ""
        return self._workspace.evaluation.named(project.runs_folder / contents.evaluated_by)

    @Slot()
    def _browse(self) -> None:
        """Ask the catalog, in the background; the newest question wins."""
        contents = self._workspace.contents
        if contents is None:
            return
        self.classes.show_counts(contents.counts, self.bar.class_name)
        self.problems.show_groups(contents.groups, self._say_problems(), self.bar.kind, self._whose_answers(contents))
        self.banner.show_kind(self.bar.kind)
        self.browser.browse(self.bar.query())

    @Slot(int)
    def _found(self, count: int) -> None:
        if self._to_choose and count:
            self.grid.choose(self._to_choose)
            self._to_choose = []
        contents = self._workspace.contents
        total = sum(splits.total() for splits in contents.counts.values()) + contents.excluded if contents else 0
        self.bar.count.setText(f"{count:,} of {total:,}" if self.bar.narrow else plural(count, "image"))

    @Slot(str, str)
    def _show_file(self, kind: str, path: str) -> None:
        """One of the files named in the list of problems."""
        project = self._workspace.project
        if project is not None:
            self.bar.choose_kind(kind)
            self._workspace.disk_tasks.do(
                partial(_id_of, project.catalog_path, path), self._show_image, self._say_error
            )

    def _show_image(self, id_: int | None) -> None:
        if id_ is not None:
            self.browser.open_viewer(id_)

    # --- hands ------------------------------------------------------------------------------------------------------

    @Slot()
    def _new_class(self) -> None:
        name, given = QInputDialog.getText(self, "New class", "Name of the new class:")
        if given and name.strip():
            self._dataset_editor.create_class(name.strip())

    @Slot()
    def _edit_split(self) -> None:
        contents = self._workspace.contents
        if contents is None:
            return
        if self._workspace.engine.busy:
            self._workspace.message.emit(
                "warning", "Training is in progress; the split can be changed when it is over."
            )
            return
        path = reference(contents.example, contents.root) if contents.example else ""
        editor = SplitEditor(contents.splitting, path, contents.split_from_folders, self)
        editor.chosen.connect(self._split_chosen)
        self._workspace.project_changed.connect(editor.close)
        editor.show()

    @Slot(Splitting)
    def _split_chosen(self, splitting: Splitting) -> None:
        if self._workspace.engine.busy:
            self._workspace.message.emit(
                "warning", "Training is in progress; the split can be changed when it is over."
            )
            return
        self._workspace.recipe_editor.split(splitting.val, splitting.test, splitting.seed, splitting.group_by)

    @Slot()
    def _edit_intensity(self) -> None:
        contents = self._workspace.contents
        if contents is None or contents.intensity is None:
            return
        if self._workspace.engine.busy:
            self._workspace.message.emit(
                "warning", "Training is in progress; the range can be changed when it is over."
            )
            return
        editor = IntensityEditor(self._workspace.recipe.dataset.intensity, contents.intensity, self)
        editor.chosen.connect(self._intensity_chosen)
        self._workspace.project_changed.connect(editor.close)
        editor.show()

    @Slot(object)
    def _intensity_chosen(self, setting: Intensity) -> None:
        if self._workspace.engine.busy:
            self._workspace.message.emit(
                "warning", "Training is in progress; the range can be changed when it is over."
            )
            return
        self._workspace.recipe_editor.read_with(setting)

    @Slot()
    def _fix(self) -> None:
        """What the banner's button says."""
        project, kind = self._workspace.project, KINDS.get(self.bar.kind)
        if project is not None and kind is not None:
            find = partial(_to_exclude, project.catalog_path, self.bar.kind, kind.action)
            self._workspace.disk_tasks.do(find, self._dataset_editor.exclude, self._say_error)

    @Slot(str)
    def _say_error(self, sentence: str) -> None:
        self._workspace.message.emit("error", sentence)


def _id_of(catalog_path: Path, path: str) -> int | None:
    with CatalogReader(catalog_path) as catalog:
        return catalog.id_of(path)


def _to_exclude(catalog_path: Path, kind: str, action: str) -> Sequence[int]:
    """The images that a problem's button leaves out."""
    with CatalogReader(catalog_path) as catalog:
        if action == EXCLUDE_COPIES:
            return catalog.copies(kind)
        return catalog.find(Query(kind=kind, split="train" if action == EXCLUDE_TRAIN else "", excluded=False))


def _titled(text: str, right: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(label(text, "title"), 1)
    row.addWidget(right)
    return row
