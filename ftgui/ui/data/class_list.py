"""The classes: counts at a glance, a click shows one, images are dropped on them, names are edited in place."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ftgui.data.images.decoding import is_image_name
from ftgui.ui.images.image_list import IMAGES_MIME, ids_in
from ftgui.ui.toolkit.basics import paint_bar
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

ROW_HEIGHT = 40
_COUNT_ROLE = Qt.ItemDataRole.UserRole + 1
_SHARE_ROLE = Qt.ItemDataRole.UserRole + 2
_NAME_ROLE = Qt.ItemDataRole.UserRole + 3
"""As it is, while the text may be in the middle of being edited."""


class _Delegate(QStyledItemDelegate):
    """A name, a count and a bar; a frame around the row that a drop would go to."""

    def __init__(self, theme: Theme, classes: ClassList) -> None:
        super().__init__(classes)
        self._theme = theme
        self._classes = classes

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(80, ROW_HEIGHT)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex
    ) -> None:
        editor.setGeometry(option.rect.adjusted(2, 1, -2, -12))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        colors = self._theme.colors
        painter.save()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        target = index.row() == self._classes.drop_row
        if selected or target or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(colors.accent), 2 if target else 1) if selected or target else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.hover))
            painter.drawRoundedRect(QRectF(option.rect).adjusted(1, 1, -1, -3), 6, 6)
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


class ClassList(QListWidget):
    """One row per class.

    Args:
        theme: for colours.
    """

    chosen = Signal(str)
    """Show only this class; empty: all."""
    renamed = Signal(str, str)
    """Old name, new name."""
    merged = Signal(str, str)
    """All of the first into the second."""
    new_wanted = Signal()
    images_dropped = Signal(object, str)
    """Ids of images of the catalog, class."""
    files_dropped = Signal(object, str)
    """Image files from elsewhere, class."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.drop_row = -1
        self._chosen = ""
        self._filling = False
        self.setItemDelegate(_Delegate(theme, self))
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setUniformItemSizes(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName("Classes")
        self.setToolTip(
            "Click a class to see only its images; click again to see all.\n"
            "Drag images onto a class to relabel them, or image files from elsewhere to add them.\n"
            "F2 renames; right-click for more."
        )
        self.itemClicked.connect(self._clicked)
        self.itemActivated.connect(self._clicked)
        self.itemChanged.connect(self._edited)
        self.customContextMenuRequested.connect(self._menu)

    # --- showing ----------------------------------------------------------------------------------------------------

    def show_counts(self, counts: dict[str, Counter[str]], chosen: str) -> None:
        """Class name -> split -> images, and which class alone is shown."""
        if self.state() == QAbstractItemView.State.EditingState:
            return  # a name is being typed; the next change comes
        largest = max((splits.total() for splits in counts.values()), default=1) or 1
        self._filling = True
        self._chosen = chosen
        present = [self.item(row).data(_NAME_ROLE) for row in range(self.count())]
        if present != list(counts):
            self.clear()
            for name in counts:
                item = QListWidgetItem(name, self)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                item.setData(_NAME_ROLE, name)
        for row, (name, splits) in enumerate(counts.items()):
            item = self.item(row)
            item.setText(name)
            item.setData(_COUNT_ROLE, f"{splits.total():,}")
            item.setData(_SHARE_ROLE, splits.total() / largest)
            parts = " · ".join(f"{split or 'not split yet'} {number:,}" for split, number in splits.items())
            item.setToolTip(as_plain(f"{name}\n{parts or 'no image yet'}"))
            item.setSelected(name == chosen)
        self._filling = False
        # As high as its rows, so that few classes leave no hole above the split.
        self.setMaximumHeight(len(counts) * ROW_HEIGHT + 4)

    def names(self) -> list[str]:
        """As shown."""
        return [self.item(row).data(_NAME_ROLE) for row in range(self.count())]

    # --- hands ------------------------------------------------------------------------------------------------------

    @Slot(QListWidgetItem)
    def _clicked(self, item: QListWidgetItem) -> None:
        name = item.data(_NAME_ROLE)
        self._chosen = "" if name == self._chosen else name
        item.setSelected(bool(self._chosen))
        self.chosen.emit(self._chosen)

    @Slot(QListWidgetItem)
    def _edited(self, item: QListWidgetItem) -> None:
        if self._filling:
            return
        old, new = item.data(_NAME_ROLE), item.text().strip()
        if new and new != old:
            self.renamed.emit(old, new)
        else:
            self._filling = True
            item.setText(old)
            self._filling = False

    @Slot(QPoint)
    def _menu(self, where: QPoint) -> None:
        self.make_menu(self.itemAt(where)).popup(self.viewport().mapToGlobal(where))

    def make_menu(self, item: QListWidgetItem | None) -> QMenu:
        """What can be done with a class."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if item is not None:
            name = item.data(_NAME_ROLE)
            menu.addAction("Rename…", lambda: self.editItem(item))
            others = menu.addMenu("Merge into")
            others.setEnabled(self.count() > 1)
            for other in self.names():
                if other != name:
                    others.addAction(other.replace("&", "&&"), partial(self.merged.emit, name, other))
            menu.addSeparator()
        menu.addAction("New class…", self.new_wanted.emit)
        return menu

    # --- drops ------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _offers(event):
            event.acceptProposedAction()
        else:
            event.ignore()  # the window says what it would do

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        row = self.indexAt(event.position().toPoint()).row()
        if row != self.drop_row:
            self.drop_row = row
            self.viewport().update()
        if row >= 0:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._forget_row()

    def dropEvent(self, event: QDropEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        self._forget_row()
        if item is None:
            return
        name = item.data(_NAME_ROLE)
        event.acceptProposedAction()
        if event.mimeData().hasFormat(IMAGES_MIME):
            self.images_dropped.emit(ids_in(event.mimeData()), name)
        else:
            self.files_dropped.emit(image_files(event), name)

    def _forget_row(self) -> None:
        self.drop_row = -1
        self.viewport().update()


def _offers(event: QDropEvent) -> bool:
    return event.mimeData().hasFormat(IMAGES_MIME) or bool(image_files(event))


def image_files(event: QDropEvent) -> list[Path]:
    """Files on this computer whose names say image."""
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return [path for path in paths if is_image_name(path)]
