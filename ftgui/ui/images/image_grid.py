"""The grid of thumbnails: scrolls through a million, keys and menu edit what is selected, drags go onto classes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QDrag, QKeyEvent, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import ImageRow
from ftgui.ui.images.image_list import ROW_ROLE, ImageListModel, is_missing
from ftgui.ui.images.thumbnails import Thumbnails
from ftgui.ui.toolkit.basics import elided_pair
from ftgui.ui.toolkit.theme import Theme

SIZES = {"Small": 96, "Medium": 156, "Large": 240}
"""Sides of the thumbnails."""


class _Tile(QStyledItemDelegate):
    """A rounded thumbnail, the class below it, and what is special about the image."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.theme = theme
        self.side = SIZES["Medium"]

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(self.side + 16, self.side + 34)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        colors, side = self.theme.colors, self.side
        row: ImageRow | None = index.data(ROW_ROLE)
        if row is None:
            return
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        left = option.rect.left() + (option.rect.width() - side) / 2
        frame = QRectF(left, option.rect.top() + 6, side, side)
        path = QPainterPath()
        path.addRoundedRect(frame, 6, 6)
        picture: QPixmap | None = index.data(Qt.ItemDataRole.DecorationRole)
        painter.setClipPath(path)
        if row.excluded:
            painter.setOpacity(0.3)
        if picture is not None and not picture.isNull():
            painter.drawPixmap(frame.toRect(), picture)
        else:
            painter.fillRect(frame, QColor(colors.track))
            if is_missing(picture):
                painter.setPen(QColor(colors.muted))
                painter.drawText(frame, int(Qt.AlignmentFlag.AlignCenter), "can't be read")
        painter.setOpacity(1)
        if row.excluded:
            painter.setPen(QColor(colors.text))
            painter.drawText(frame, int(Qt.AlignmentFlag.AlignCenter), "excluded")
        painter.setClipping(False)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor(colors.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame.adjusted(-2, -2, 2, 2), 7, 7)
            painter.drawRoundedRect(frame.adjusted(-1, -1, 1, 1), 6, 6)
        painter.setPen(QColor(colors.muted if row.excluded else colors.error if row.wrong else colors.text))
        if row.wrong:
            text = elided_pair(option.fontMetrics, row.class_name, " – ", f"{row.prediction}?", side)
        else:
            text = option.fontMetrics.elidedText(row.class_name, Qt.TextElideMode.ElideMiddle, side)
        below = QRectF(left, frame.bottom() + 4, side, 20)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter), text)
        painter.restore()


class ImageGrid(QListView):
    """Shows an `ImageListModel`. Edits are only asked for: the page does them.

    Args:
        theme: for colours.
    """

    look_wanted = Signal(int)
    """Show the image in this place large."""
    ask_wanted = Signal(int)
    """The model should say what the image in this place is."""
    relabel_wanted = Signal(str)
    """The selected images belong to this class."""
    new_class_wanted = Signal()
    """… or to one that does not exist yet."""
    exclude_wanted = Signal(bool)
    exclude_toggled = Signal()
    move_wanted = Signal(str)
    trash_wanted = Signal()
    chosen_changed = Signal()
    """Other images are selected."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.thumbnails = Thumbnails(round(SIZES["Medium"] * self.devicePixelRatioF()), self)
        self.images = ImageListModel(self.thumbnails, self)
        self.class_names: list[str] = []
        """Relabelling offers these."""
        self.editable = True
        """Its images are the open dataset's."""
        self._tile = _Tile(theme, self)
        self.setModel(self.images)
        self.setItemDelegate(self._tile)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setDragEnabled(True)  # after the movement, which sets it too
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(2000)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName("Images")
        self.customContextMenuRequested.connect(self._menu)
        self.doubleClicked.connect(self._activated)
        self.selectionModel().selectionChanged.connect(self._selection_changed)

    # --- showing ----------------------------------------------------------------------------------------------------

    def show_images(self, catalog: CatalogReader | None, root: Path, ids: array[int]) -> None:
        """Show these, which lie in the folder `root`; what is selected and still shown stays selected."""
        chosen = self.chosen()
        current = self.images.ids[self.currentIndex().row()] if self.currentIndex().isValid() else 0
        if self.images.show_images(catalog, root, ids):
            self.choose(chosen, current)
            self.chosen_changed.emit()

    def set_size(self, name: str) -> None:
        """Of the thumbnails."""
        self._tile.side = SIZES[name]
        self.thumbnails.set_side(round(SIZES[name] * self.devicePixelRatioF()))
        self.scheduleDelayedItemsLayout()
        self.verticalScrollBar().setSingleStep(max((self._tile.side + 34) // 4, 20))

    # --- the selection ----------------------------------------------------------------------------------------------

    def chosen(self) -> list[int]:
        """Ids of the selected images, in the order shown."""
        selection = self.selectionModel().selection()
        ranges = sorted((r.top(), r.bottom()) for r in selection.toList())
        return [id_ for top, bottom in ranges for id_ in self.images.ids[top : bottom + 1]]

    def choose(self, ids: Sequence[int], current: int = 0) -> None:
        """Select images, where they are shown."""
        selection = QItemSelection()
        start = previous = -2
        places = self.images.places(ids)
        for place in [*places, -2]:
            if place != previous + 1:
                if start >= 0:
                    selection.select(self.images.index(start), self.images.index(previous))
                start = place
            previous = place
        if selection.size():
            self.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        at = self.images.places([current]) if current else []
        if at:
            self.selectionModel().setCurrentIndex(self.images.index(at[0]), QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(self.images.index(at[0]))

    @Slot(QItemSelection, QItemSelection)
    def _selection_changed(self, _new: QItemSelection, _old: QItemSelection) -> None:
        self.chosen_changed.emit()

    @Slot(QModelIndex)
    def _activated(self, index: QModelIndex) -> None:
        self.look_wanted.emit(index.row())

    # --- hands ------------------------------------------------------------------------------------------------------

    def startDrag(self, _actions: Qt.DropAction) -> None:
        """With one small picture and a number: Qt's own would be as large as all the tiles together."""
        indexes = self.selectedIndexes()
        drag = QDrag(self)
        drag.setMimeData(self.images.mimeData(indexes))
        drag.setPixmap(self._drag_picture(len(indexes)))
        drag.setHotSpot(QPoint(-12, -12))
        drag.exec(Qt.DropAction.CopyAction)

    def _drag_picture(self, count: int) -> QPixmap:
        picture = QPixmap(72, 72)
        picture.fill(self._tile.theme.colors.track)
        painter = QPainter(picture)
        thumbnail: QPixmap | None = self.currentIndex().data(Qt.ItemDataRole.DecorationRole)
        if thumbnail is not None and not thumbnail.isNull():
            painter.drawPixmap(picture.rect(), thumbnail)
        if count > 1:
            badge = QRectF(0, 48, 72, 24)
            painter.fillRect(badge, QColor(self._tile.theme.colors.accent))
            painter.setPen(QColor(self._tile.theme.colors.on_accent))
            painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), f"{count:,}")
        painter.end()
        return picture

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, plain = (
            event.key(),
            event.modifiers()
            in (
                Qt.KeyboardModifier.NoModifier,
                Qt.KeyboardModifier.KeypadModifier,
            ),
        )
        if plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentIndex().isValid():
            self.look_wanted.emit(self.currentIndex().row())
        elif not self.edit_by(event):
            super().keyPressEvent(event)

    def keyboardSearch(self, _typed: str) -> None:
        """Letters lead nowhere: with Qt's type-ahead, a name typed here would choose another image and its digits relabel it."""

    def edit_by(self, event: QKeyEvent) -> bool:
        """Whether a key asks for an edit, which is then asked for."""
        key = event.key()
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if not plain or not self.editable:
            return False
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_X):
            self.exclude_toggled.emit()
        elif Qt.Key.Key_1 <= key <= Qt.Key.Key_9 and key - Qt.Key.Key_1 < len(self.class_names):
            self.relabel_wanted.emit(self.class_names[key - Qt.Key.Key_1])
        else:
            return False
        return True

    @Slot(QPoint)
    def _menu(self, where: QPoint) -> None:
        self.make_menu().popup(self.viewport().mapToGlobal(where))

    def make_menu(self) -> QMenu:
        """What can be done with the selected images."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chosen = self.selectionModel().hasSelection()
        current = self.currentIndex()
        look = menu.addAction("Enlarge\tEnter", lambda: self.look_wanted.emit(current.row()))
        ask = menu.addAction("Ask the model", lambda: self.ask_wanted.emit(current.row()))
        look.setEnabled(current.isValid())
        ask.setEnabled(current.isValid())
        menu.addSeparator()
        if self.editable:
            add_edits(menu, self, chosen)
            menu.addSeparator()
        menu.addAction("Select all\tCtrl+A", self.selectAll)
        if self.editable:
            menu.addSeparator()
            menu.addAction("Move to trash…", self.trash_wanted.emit).setEnabled(chosen)
        return menu


def add_edits(menu: QMenu, grid: ImageGrid, enabled: bool) -> None:
    """Relabel, exclude and move, for the menu and for the buttons below the grid."""
    labels = menu.addMenu("Relabel to")
    for number, name in enumerate(grid.class_names):
        key = f"\t{number + 1}" if number < 9 else ""
        labels.addAction(name.replace("&", "&&") + key, partial(grid.relabel_wanted.emit, name))
    labels.addSeparator()
    labels.addAction("New class…", grid.new_class_wanted.emit)
    exclude = menu.addAction("Exclude\tDel", lambda: grid.exclude_wanted.emit(True))
    include = menu.addAction("Include again", lambda: grid.exclude_wanted.emit(False))
    splits = menu.addMenu("Move to")
    for split in ("train", "val", "test"):
        splits.addAction(split, partial(grid.move_wanted.emit, split))
    for part in (labels, exclude, include, splits):
        part.setEnabled(enabled)
