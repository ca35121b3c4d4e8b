"""The confusion matrix: a click on a cell asks for its images."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from ftgui.data.figures import Counts
from ftgui.ui.models.confusion import ConfusionModel
from ftgui.ui.theme import Theme

_NARROWEST, _WIDEST = 18, 140
"""Sides of a cell, pixels: below, neither its shade nor the class beside it could be read."""
_LONGEST_NAME = 130
_UPRIGHT_BELOW = 60
"""Narrower columns have their names written upwards."""


class _TopHeader(QHeaderView):
    """Column names, upwards where columns are narrow."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionsClickable(False)

    @property
    def _upright(self) -> bool:
        return self.defaultSectionSize() < _UPRIGHT_BELOW

    def sizeHint(self) -> QSize:
        size = super().sizeHint()
        if self._upright and self.model() is not None:
            names = (
                self.model().headerData(section, Qt.Orientation.Horizontal) or "" for section in range(self.count())
            )
            longest = max((self.fontMetrics().horizontalAdvance(name) for name in names), default=0)
            size.setHeight(min(longest + 14, _LONGEST_NAME))
        return size

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        if not self._upright:
            super().paintSection(painter, rect, section)
            return
        name = str(self.model().headerData(section, Qt.Orientation.Horizontal))
        painter.save()
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.translate(rect.left(), rect.bottom())
        painter.rotate(-90)
        area = QRect(6, 0, rect.height() - 8, rect.width())
        text = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()


class MatrixView(QTableView):
    """Rows: what it is; columns: what the model said. As large as there is room, scrolled where there is not.

    Args:
        theme: for colours.
    """

    cell_chosen = Signal(str, str)
    """True class, answer."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.matrix = ConfusionModel(theme, self)
        self.setModel(self.matrix)
        self.setHorizontalHeader(_TopHeader(self))
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setAcceptDrops(False)
        self.setShowGrid(False)
        self.setAccessibleName("Confusion matrix: rows are true classes, columns the model’s answers")
        self.setToolTip("A click on a cell shows its images")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setTextElideMode(Qt.TextElideMode.ElideMiddle)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setMinimumSectionSize(_NARROWEST)
            header.setHighlightSections(True)
        self.verticalHeader().setMaximumWidth(_LONGEST_NAME)
        self.verticalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.clicked.connect(self._chosen)
        theme.changed.connect(self.viewport().update)

    def show_matrix(self, class_names: list[str], counts: Counts) -> None:
        """Other figures, (K, K) with rows true; the cell that was chosen stays so."""
        current = self.matrix.names_at(self.currentIndex()) if self.currentIndex().isValid() else None
        self.matrix.show_matrix(class_names, counts)
        if current is not None:
            self.setCurrentIndex(self.matrix.place_of(*current))
        self._fit()

    def show_as(self, shares: bool, by_mistakes: bool) -> None:
        """As `ConfusionModel.show_as`; the cell that was chosen stays so."""
        current = self.matrix.names_at(self.currentIndex()) if self.currentIndex().isValid() else None
        self.matrix.show_as(shares, by_mistakes)
        if current is not None:
            self.setCurrentIndex(self.matrix.place_of(*current))
        self._fit()

    def choose(self, label: str, answer: str) -> None:
        """Mark a cell, without asking for its images."""
        index = self.matrix.place_of(label, answer)
        self.setCurrentIndex(index)
        if index.isValid():
            self.scrollTo(index)

    def _fit(self) -> None:
        count = self.matrix.rowCount()
        if not count:
            return
        names = (self.matrix.headerData(row, Qt.Orientation.Vertical) or "" for row in range(count))
        longest = max(self.fontMetrics().horizontalAdvance(name) for name in names)
        beside = min(longest + 16, _LONGEST_NAME)
        self.verticalHeader().setFixedWidth(beside)
        side = min(max((self.width() - beside - 4) // count, _NARROWEST), _WIDEST)
        above = 26 if side >= _UPRIGHT_BELOW else min(longest + 14, _LONGEST_NAME)
        side = min(side, max((self.height() - above - 4) // count, _NARROWEST))
        font = self.font()
        font.setPixelSize(9 if side < 24 else 13)
        self.setFont(font)
        header_font = self.horizontalHeader().font()
        header_font.setPixelSize(11 if side < 24 else 13)
        self.horizontalHeader().setFont(header_font)
        self.verticalHeader().setFont(header_font)
        self.horizontalHeader().setDefaultSectionSize(side)
        self.verticalHeader().setDefaultSectionSize(side)
        self.updateGeometries()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentIndex().isValid():
            self._chosen(self.currentIndex())
        else:
            super().keyPressEvent(event)

    @Slot(QModelIndex)
    def _chosen(self, index: QModelIndex) -> None:
        self.cell_chosen.emit(*self.matrix.names_at(index))
