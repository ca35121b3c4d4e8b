"""The Data page: classes, split, problems, and the images themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QListWidget,
    QListWidgetItem,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from ftgui.protocol.problem import Problem
from ftgui.ui import icons
from ftgui.ui.models.image_list import ROW_ROLE, ImageListModel, is_missing
from ftgui.ui.theme import Theme
from ftgui.ui.widgets.basics import Card, button, heading, label, paint_bar
from ftgui.ui.words import plural
from ftgui.ui.workers.thumbnails import Thumbnails
from ftgui.ui.workspace import Workspace

THUMBNAIL = 156
_TILE = QSize(THUMBNAIL + 16, THUMBNAIL + 34)
_COUNT_ROLE = Qt.ItemDataRole.UserRole + 1
_SHARE_ROLE = Qt.ItemDataRole.UserRole + 2
_CLASS_ROW = 40
MAX_LISTED = 500
"""Files listed under one problem; the rest are counted."""

KINDS = {
    "unreadable": "can't be read",
    "animation": "left out: GIF",
    "not-an-image": "not an image",
    "outside-class": "outside a class folder",
    "folder-unreadable": "folder can't be read",
    "bad-name": "with an unreadable name",
    "class-too-small": "with few images",
    "class-unknown": "can't be learned",
    "one-class": "needs two classes",
}
_NOUNS = {"class-too-small": "class", "class-unknown": "class", "one-class": "dataset", "folder-unreadable": "folder"}


class _ClassDelegate(QStyledItemDelegate):
    """A name, a count and a bar."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(80, _CLASS_ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        colors = self._theme.colors
        painter.save()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QColor(colors.accent) if selected else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.hover))
            painter.drawRoundedRect(QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -2.5), 6, 6)
        area = option.rect.adjusted(8, 4, -8, -6)
        number = str(index.data(_COUNT_ROLE))
        width = option.fontMetrics.horizontalAdvance(number)
        painter.setPen(QColor(colors.muted))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop), number)
        painter.setPen(QColor(colors.text))
        name = option.fontMetrics.elidedText(index.data(), Qt.TextElideMode.ElideMiddle, area.width() - width - 10)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop), name)
        bar = QRectF(area.left(), area.bottom() - 5, area.width(), 5)
        paint_bar(painter, bar, index.data(_SHARE_ROLE), colors.accent, colors.track)
        painter.restore()


class _TileDelegate(QStyledItemDelegate):
    """A rounded thumbnail and the class below it."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return _TILE

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        colors = self._theme.colors
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left = option.rect.left() + (option.rect.width() - THUMBNAIL) / 2
        frame = QRectF(left, option.rect.top() + 6, THUMBNAIL, THUMBNAIL)
        path = QPainterPath()
        path.addRoundedRect(frame, 6, 6)
        picture: QPixmap | None = index.data(Qt.ItemDataRole.DecorationRole)
        painter.setClipPath(path)
        if picture is not None and not picture.isNull():
            painter.drawPixmap(frame.toRect(), picture)
        else:
            painter.fillRect(frame, QColor(colors.track))
            if is_missing(picture):
                painter.setPen(QColor(colors.muted))
                painter.drawText(frame, int(Qt.AlignmentFlag.AlignCenter), "can't be read")
        painter.setClipping(False)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor(colors.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame.adjusted(-2, -2, 2, 2), 7, 7)
        painter.setPen(QColor(colors.text))
        text = option.fontMetrics.elidedText(index.data(), Qt.TextElideMode.ElideMiddle, THUMBNAIL)
        below = QRectF(left, frame.bottom() + 4, THUMBNAIL, 20)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter), text)
        painter.restore()


class DataPage(QWidget):
    """Shows the open project's catalog, or how to open one."""

    open_wanted = Signal()
    sample_wanted = Signal()
    ask_wanted = Signal(Path)
    """The model should say what this image is."""

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._theme = theme
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(self._make_full())
        self._search_timer = QTimer(self)
        self._search_timer.setSingleShot(True)
        self._search_timer.setInterval(150)
        self._search_timer.timeout.connect(self._show_images)
        self.search.textChanged.connect(self._search_timer.start)
        workspace.project_changed.connect(self._project_changed)
        workspace.catalog_changed.connect(self._catalog_changed)
        theme.changed.connect(self._recolor)
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
        layout.addWidget(self._make_grid(), 1)
        return page

    def _make_side(self) -> QWidget:
        side = Card()
        side.setFixedWidth(230)
        side.body.addWidget(label("Classes", "title"))
        self.classes = QListWidget()
        self.classes.setItemDelegate(_ClassDelegate(self._theme, self.classes))
        self.classes.setFrameShape(QListWidget.Shape.NoFrame)
        self.classes.setMouseTracking(True)
        self.classes.setAcceptDrops(False)
        self.classes.setUniformItemSizes(True)
        self.classes.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.classes.setAccessibleName("Classes")
        self.classes.setToolTip("Click a class to see only its images; click again to see all.")
        self.classes.itemClicked.connect(self._class_clicked)
        side.body.addWidget(self.classes, 1)
        side.body.addWidget(label("Split", "title"))
        self.split = label("", "muted", wrap=True)
        self.split.setToolTip(
            "The model learns from train images only. Val images tell whether it understood or just memorised;\n"
            "they also decide which weights are kept. Test images stay untouched until you ask for them."
        )
        side.body.addWidget(self.split)
        side.body.addSpacing(4)
        side.body.addWidget(label("Problems", "title"))
        self.problems_note = label("", "muted", wrap=True)
        side.body.addWidget(self.problems_note)
        self.problems = QTreeWidget()
        self.problems.setHeaderHidden(True)
        self.problems.setFrameShape(QTreeWidget.Shape.NoFrame)
        self.problems.setIndentation(12)
        self.problems.setAcceptDrops(False)
        self.problems.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.problems.setAccessibleName("Problems")
        side.body.addWidget(self.problems, 1)
        return side

    def _make_grid(self) -> QWidget:
        card = Card()
        top = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search file names")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search file names")
        self.search.setAcceptDrops(False)
        self.class_filter = QComboBox()
        self.class_filter.setAccessibleName("Show only one class")
        self.class_filter.setMaximumWidth(200)
        self.class_filter.activated.connect(self._filter_chosen)
        top.addWidget(self.search, 1)
        top.addWidget(self.class_filter)
        card.body.addLayout(top)
        self.thumbnails = Thumbnails(THUMBNAIL * 2 if self.devicePixelRatioF() > 1 else THUMBNAIL, self)
        self.images = ImageListModel(self.thumbnails, self)
        self.grid = QListView()
        self.grid.setModel(self.images)
        self.grid.setItemDelegate(_TileDelegate(self._theme, self.grid))
        self.grid.setViewMode(QListView.ViewMode.IconMode)
        self.grid.setMovement(QListView.Movement.Static)
        self.grid.setResizeMode(QListView.ResizeMode.Adjust)
        self.grid.setUniformItemSizes(True)
        self.grid.setLayoutMode(QListView.LayoutMode.Batched)
        self.grid.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.grid.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.grid.verticalScrollBar().setSingleStep(40)
        self.grid.setFrameShape(QListView.Shape.NoFrame)
        self.grid.setAcceptDrops(False)
        self.grid.setAccessibleName("Images")
        self.grid.activated.connect(self._activated)
        self.nothing = label("", "muted")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        card.body.addWidget(self.grid, 1)
        card.body.addWidget(self.nothing)
        return card

    # --- showing ----------------------------------------------------------------------------------------------------

    def close_threads(self) -> None:
        """Before the program ends."""
        self.thumbnails.close()

    @Slot()
    def _recolor(self) -> None:
        colors = self._theme.colors
        self._empty_icon.setPixmap(icons.pixmap("images", colors.muted, 48, self.devicePixelRatioF()))

    @Slot()
    def _project_changed(self) -> None:
        self.thumbnails.forget()
        self.search.clear()
        self.class_filter.setCurrentIndex(0)
        self._catalog_changed()
        self.grid.scrollToTop()

    @Slot()
    def _catalog_changed(self) -> None:
        contents = self._workspace.contents
        self._stack.setCurrentIndex(1 if contents else 0)
        if contents is None:
            return
        counts = contents.counts
        self._show_classes(counts)
        totals: Counter[str] = sum(counts.values(), Counter())
        origin = "from the folders’ names" if contents.split_from_folders else "split at random, each class alike"
        parts = [f"{split} {totals[split]:,}" for split in ("train", "val", "test")]
        self.split.setText(" · ".join(parts) + "\n" + origin)
        self._show_problems(contents.problems)
        self._show_images()

    def _show_classes(self, counts: dict[str, Counter[str]]) -> None:
        largest = max((splits.total() for splits in counts.values()), default=1) or 1
        chosen = self.class_filter.currentData() or ""
        self.classes.clear()
        self.class_filter.clear()
        self.class_filter.addItem("All classes", "")
        for name, splits in counts.items():
            item = QListWidgetItem(name)
            item.setData(_COUNT_ROLE, f"{splits.total():,}")
            item.setData(_SHARE_ROLE, splits.total() / largest)
            item.setToolTip(f"{name}\n" + " · ".join(f"{split} {number:,}" for split, number in splits.items()))
            self.classes.addItem(item)
            self.class_filter.addItem(name, name)
            if name == chosen and chosen:
                self.class_filter.setCurrentIndex(self.class_filter.count() - 1)
                item.setSelected(True)
        # As high as its rows, so that few classes leave no hole above the split.
        self.classes.setMaximumHeight(len(counts) * _CLASS_ROW + 4)

    def _show_problems(self, problems: list[Problem]) -> None:
        self.problems.clear()
        by_kind: dict[str, list[Problem]] = {}
        for problem in problems:
            by_kind.setdefault(problem.kind, []).append(problem)
        order = {"error": 0, "warning": 1, "info": 2}
        colors = self._theme.colors
        dots = {"error": colors.error, "warning": colors.warning, "info": colors.muted}
        for kind, found in sorted(by_kind.items(), key=lambda pair: (order[pair[1][0].severity], -len(pair[1]))):
            top = QTreeWidgetItem([f"{plural(len(found), _NOUNS.get(kind, 'file'))} {KINDS.get(kind, kind)}"])
            top.setIcon(0, icons.icon(_SEVERITY_ICONS[found[0].severity], dots[found[0].severity], 14))
            top.setToolTip(0, f"{found[0].message}\n{found[0].fix}".strip())
            for problem in found[:MAX_LISTED]:
                child = QTreeWidgetItem([problem.path or problem.message])
                child.setToolTip(0, f"{problem.path}\n{problem.message}\n{problem.fix}".strip())
                top.addChild(child)
            if len(found) > MAX_LISTED:
                top.addChild(QTreeWidgetItem([f"and {len(found) - MAX_LISTED:,} more"]))
            self.problems.addTopLevelItem(top)
        checking = "Still checking the images…" if self._workspace.checking else "None found; every image can be read."
        self.problems_note.setText(checking)
        self.problems_note.setVisible(not problems or self._workspace.checking)

    @Slot()
    def _show_images(self) -> None:
        self.images.show_images(self._workspace.catalog, self.class_filter.currentData() or "", self.search.text())
        shown = self.images.rowCount()
        self.nothing.setVisible(shown == 0)
        self.nothing.setText("No image matches.")

    # --- hands ------------------------------------------------------------------------------------------------------

    @Slot(QListWidgetItem)
    def _class_clicked(self, item: QListWidgetItem) -> None:
        same = self.class_filter.currentData() == item.text()
        self.class_filter.setCurrentIndex(0 if same else self.class_filter.findData(item.text()))
        item.setSelected(not same)
        self._show_images()

    @Slot(int)
    def _filter_chosen(self, _row: int) -> None:
        self.classes.clearSelection()
        for item in self.classes.findItems(self.class_filter.currentData() or "\0", Qt.MatchFlag.MatchExactly):
            item.setSelected(True)
        self._show_images()

    @Slot(QModelIndex)
    def _activated(self, index: QModelIndex) -> None:
        if index.data(ROW_ROLE) is not None:
            self.ask_wanted.emit(self.images.path(index))


_SEVERITY_ICONS = {"error": "circle-alert", "warning": "triangle-alert", "info": "info"}
