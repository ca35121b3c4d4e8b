"""What is shown while no dataset is open: where to drop one, and the projects that were open last."""

from __future__ import annotations

import math
from functools import partial

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QThreadPool,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ftgui.base import paths
from ftgui.base.formatting import day, percent, plural
from ftgui.base.job import Job
from ftgui.data.images.thumbnail_store import ThumbnailStore
from ftgui.runs.project_facts import ProjectFacts
from ftgui.ui.images.thumbnails import stored_thumbnail
from ftgui.ui.project.recent_projects import RecentProjects
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Card, button, heading, label
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

_FACTS = Qt.ItemDataRole.UserRole
_PICTURE = Qt.ItemDataRole.UserRole + 1

_ROW, _SIDE, _GAP = 64, 48, 12
"""Pixels: height of a row, side of its picture, around it."""

_Index = QModelIndex | QPersistentModelIndex


class StartView(QWidget):
    """Two cards; without recent projects, one.

    Args:
        recent: projects to list.
        theme: for colours.
    """

    open_wanted = Signal()
    """A folder is to be chosen."""
    sample_wanted = Signal()
    examples_wanted = Signal()

    def __init__(self, recent: RecentProjects, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.recent = RecentList(recent, theme)
        self.recent_card = Card("Recent projects")
        self.recent_card.body.addWidget(self.recent)
        self.recent_card.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.recent_card.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self.recent_card)
        layout.addWidget(self._make_drop_card(), 1)
        self.recent.filled.connect(self.recent_card.setVisible)
        theme.changed.connect(self._recolor)
        self._recolor()

    def _make_drop_card(self) -> QWidget:
        card = Card()
        card.body.addStretch(1)
        self._icon = label()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = heading("Drop a folder of images here")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text = label(
            "One folder per class: “ants” full of ants, “bees” full of bees.\n"
            "Folders named train, val and test above them are recognised; a zip or tar of these is unpacked.\n"
            "Nothing is uploaded, changed or moved.",
            "muted",
        )
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        open_button = button("Open folder…", "Choose a folder of images (Ctrl+O)", primary=True)
        sample_button = button("Try the sample", "Seven classes of drawings, ready to train on")
        examples_button = button("Example sets…", "Well-known image datasets to download")
        open_button.clicked.connect(self.open_wanted)
        sample_button.clicked.connect(self.sample_wanted)
        examples_button.clicked.connect(self.examples_wanted)
        row = QHBoxLayout()
        row.addStretch(1)
        for each in (open_button, sample_button, examples_button):
            row.addWidget(each)
        row.addStretch(1)
        for widget in (self._icon, title, text):
            card.body.addWidget(widget)
        card.body.addSpacing(8)
        card.body.addLayout(row)
        card.body.addStretch(1)
        return card

    def close_threads(self) -> None:
        """Before the program ends."""
        self.recent.close_threads()

    @Slot()
    def _recolor(self) -> None:
        self._icon.setPixmap(icons.pixmap("images", self._theme.colors.muted, 48, self.devicePixelRatioF()))


class RecentList(QListWidget):
    """One row for each recent project; a click or Enter opens it.

    Args:
        recent: the projects, and what opens them.
        theme: for colours.
    """

    filled = Signal(bool)
    """Whether there are any."""

    def __init__(self, recent: RecentProjects, theme: Theme) -> None:
        super().__init__()
        self._recent = recent
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._tasks: dict[Task, QListWidgetItem] = {}
        self._pictures: dict[tuple[object, ...], QPixmap] = {}
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setItemDelegate(_RecentRow(theme, self))
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setMinimumHeight(2 * _ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Recent projects")
        self.setAcceptDrops(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.itemClicked.connect(self._open)
        self.itemActivated.connect(self._open)
        theme.changed.connect(self.viewport().update)
        recent.changed.connect(self._fill)

    def sizeHint(self) -> QSize:
        """As high as its rows."""
        return QSize(300, self.count() * _ROW + 4)

    def close_threads(self) -> None:
        """Before the program ends."""
        self._forget_loading()
        self._pool.waitForDone()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._load_pictures()

    def _forget_loading(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    @Slot()
    def _fill(self) -> None:
        self._forget_loading()
        self.clear()
        for facts in self._recent.facts:
            item = QListWidgetItem()
            item.setData(_FACTS, facts)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{facts.name}, {said(facts)}, {day(facts.recent.opened)}")
            item.setToolTip(as_plain("\n".join(filter(None, [str(facts.recent.dataset), facts.trouble]))))
            self.addItem(item)
        self.updateGeometry()
        self.filled.emit(bool(self._recent.facts))
        if self.isVisible():
            self._load_pictures()

    def _load_pictures(self) -> None:
        """Only of a list that is looked at: it is filled anew whenever a dataset is opened, too."""
        self._forget_loading()
        for row in range(self.count()):
            self._load(self.item(row), self.item(row).data(_FACTS))

    def _load(self, item: QListWidgetItem, facts: ProjectFacts) -> None:
        kept = self._pictures.get(_key(facts))
        if kept is not None:
            item.setData(_PICTURE, kept)
        elif facts.pictures:
            task = Task(partial(_mosaic, facts, round(_SIDE * self.devicePixelRatioF())), self)
            self._tasks[task] = item
            task.done.connect(self._loaded)
            task.start(self._pool)

    @Slot(object)
    def _loaded(self, image: QImage) -> None:
        task = self.sender()
        item = self._tasks.pop(task, None) if isinstance(task, Task) else None
        if item is not None:
            picture = QPixmap.fromImage(image)
            picture.setDevicePixelRatio(self.devicePixelRatioF())
            self._pictures[_key(item.data(_FACTS))] = picture
            item.setData(_PICTURE, picture)

    @Slot(QListWidgetItem)
    def _open(self, item: QListWidgetItem) -> None:
        self._recent.open(item.data(_FACTS).recent)

    @Slot(QPoint)
    def _show_menu(self, place: QPoint) -> None:
        item = self.itemAt(place)
        if item is None:
            return
        facts: ProjectFacts = item.data(_FACTS)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open" if facts.there else "Find it…", partial(self._recent.open, facts.recent))
        menu.addAction("Remove from this list", partial(self._recent.leave_out, facts.recent))
        menu.popup(self.viewport().mapToGlobal(place))


def said(facts: ProjectFacts) -> str:
    """E.g. ``"7 classes · 2,062 images · 95.4 % accuracy"``."""
    if not facts.there:
        return "The folder is not where it was. Find it…"
    if facts.trouble:
        return "Its catalog can't be read"
    parts = [plural(facts.classes, "class"), plural(facts.images, "image")]
    if not math.isnan(facts.accuracy):
        parts.append(f"{percent(facts.accuracy)} accuracy")
    elif not facts.runs:
        parts.append("not trained yet")
    return " · ".join(parts)


def _key(facts: ProjectFacts) -> tuple[object, ...]:
    return (facts.pictures, facts.intensity)


def _mosaic(facts: ProjectFacts, side: int, _job: Job) -> QImage:
    """Up to four of the project's images as one square; on a thread of the pool."""
    store = ThumbnailStore(paths.cache_dir() / "thumbnails.sqlite")
    try:
        columns = 1 if len(facts.pictures) == 1 else 2
        part = -(-side // columns)
        whole = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
        whole.fill(Qt.GlobalColor.transparent)
        painter = QPainter(whole)
        for number, path in enumerate(facts.pictures):
            image = stored_thumbnail(store, path, part, facts.intensity)
            painter.drawImage(QPoint(number % columns * part, number // columns * part), image)
        painter.end()
        return whole
    finally:
        store.close()


class _RecentRow(QStyledItemDelegate):
    """Picture, name and facts, and at the right when it was open."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, _option: QStyleOptionViewItem, _index: _Index) -> QSize:
        return QSize(200, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        facts: ProjectFacts = index.data(_FACTS)
        colors, area = self._theme.colors, option.rect.adjusted(0, 2, -2, -2)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if hovered or focused:
            painter.setPen(QColor(colors.accent) if focused else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.hover))
            painter.drawRoundedRect(area, 6, 6)
        square = QRect(area.left() + _GAP, area.center().y() - _SIDE // 2, _SIDE, _SIDE)
        self._paint_picture(painter, square, index.data(_PICTURE))
        text = QRect(square.right() + _GAP, area.top() + 9, 0, area.height() // 2 - 9)
        text.setRight(area.right() - _GAP)
        self._paint_words(painter, text, facts)
        painter.restore()

    def _paint_picture(self, painter: QPainter, square: QRect, picture: QPixmap | None) -> None:
        outline = QPainterPath()
        outline.addRoundedRect(square, 5, 5)
        painter.save()
        painter.setClipPath(outline)
        painter.fillRect(square, QColor(self._theme.colors.track))
        if picture is not None:
            painter.drawPixmap(square, picture)
        painter.restore()

    def _paint_words(self, painter: QPainter, upper: QRect, facts: ProjectFacts) -> None:
        colors, usual = self._theme.colors, QFont(painter.font())
        bold = QFont(usual)
        bold.setWeight(QFont.Weight.DemiBold)
        left, right = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        when = day(facts.recent.opened)
        painter.setPen(QColor(colors.muted))
        painter.drawText(upper, right | Qt.AlignmentFlag.AlignVCenter, when)
        painter.setFont(bold)
        painter.setPen(QColor(colors.text))
        room = upper.width() - painter.fontMetrics().horizontalAdvance(when) - 2 * _GAP
        painter.drawText(upper, left, painter.fontMetrics().elidedText(facts.name, Qt.TextElideMode.ElideRight, room))
        painter.setFont(usual)
        painter.setPen(QColor(colors.muted if facts.there and not facts.trouble else colors.warning))
        lower = upper.translated(0, upper.height())
        fitting = painter.fontMetrics().elidedText(said(facts), Qt.TextElideMode.ElideRight, lower.width())
        painter.drawText(lower, left, fitting)
