"""The confusion matrix: a click on a cell asks for its images."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from ftgui.data.metrics import Counts
from ftgui.ui.evaluate.confusion_model import ConfusionModel
from ftgui.ui.toolkit.basics import label
from ftgui.ui.toolkit.theme import Theme

_NARROWEST, _WIDEST = 18, 140
"""Sides of a cell, pixels: below, neither its shade nor the class beside it could be read."""
_SMALL = 24
"""Smaller cells have smaller writing."""
_LINE = 26
_LONGEST_NAME = 130
_UPRIGHT_BELOW = 60
"""Narrower columns have their names written upwards."""


class _Names(QHeaderView):
    """Class names: at the left, or above, and there upwards where columns are narrow. Painted here, because the style's
    padding would cut small ones."""

    def __init__(self, orientation: Qt.Orientation, theme: Theme, parent: QWidget) -> None:
        super().__init__(orientation, parent)
        self._theme = theme
        self.setSectionsClickable(False)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setMinimumSectionSize(_NARROWEST)

    @property
    def upright(self) -> bool:
        """Names are written upwards."""
        return self.orientation() == Qt.Orientation.Horizontal and self.defaultSectionSize() < _UPRIGHT_BELOW

    def longest(self) -> int:
        """Pixels that the longest name takes, at most `_LONGEST_NAME`."""
        model, metrics = self.model(), QFontMetrics(self.font())
        names = (str(model.headerData(section, self.orientation()) or "") for section in range(self.count()))
        return min(max((metrics.horizontalAdvance(name) for name in names), default=0) + 14, _LONGEST_NAME)

    def sizeHint(self) -> QSize:
        if self.orientation() == Qt.Orientation.Vertical:
            return QSize(self.longest(), super().sizeHint().height())
        return QSize(super().sizeHint().width(), self.longest() if self.upright else _LINE)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        name = str(self.model().headerData(section, self.orientation()) or "")
        painter.save()
        painter.setFont(self.font())
        painter.setPen(QColor(self._theme.colors.muted))
        align = Qt.AlignmentFlag.AlignRight
        if self.upright:
            painter.translate(rect.left(), rect.bottom())
            painter.rotate(-90)
            rect = QRect(0, 0, rect.height(), rect.width())
            align = Qt.AlignmentFlag.AlignLeft
        elif self.orientation() == Qt.Orientation.Horizontal:
            align = Qt.AlignmentFlag.AlignHCenter
        area = rect.adjusted(6, 0, -6, 0)
        text = QFontMetrics(self.font()).elidedText(name, Qt.TextElideMode.ElideMiddle, area.width())
        painter.drawText(area, align | Qt.AlignmentFlag.AlignVCenter, text)
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
        self._above = _Names(Qt.Orientation.Horizontal, theme, self)
        self._beside = _Names(Qt.Orientation.Vertical, theme, self)
        self.setHorizontalHeader(self._above)
        self.setVerticalHeader(self._beside)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setAcceptDrops(False)
        self.setShowGrid(False)
        self.setAccessibleName("Confusion matrix: rows are true classes, columns the model's answers")
        self.setToolTip("A click on a cell shows its images")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
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
        room = self.viewport().width() + self._beside.width(), self.viewport().height() + self._above.height()
        # Names are smaller where cells are, and the room they take decides how large cells can be: twice is enough.
        for _ in range(2):
            above = self._above.longest() if self._above.upright else _LINE
            side = min((room[0] - self._beside.longest()) // count, (room[1] - above) // count)
            side = min(max(side, _NARROWEST), _WIDEST)
            for header in (self._above, self._beside):
                font = header.font()
                font.setPixelSize(11 if side < _SMALL else 13)
                header.setFont(font)
                header.setDefaultSectionSize(side)
        font = self.font()
        font.setPixelSize(9 if side < _SMALL else 13)
        self.setFont(font)
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


class ConfusionPanel(QWidget):
    """The matrix, and below it how it is shown.

    Args:
        theme: for colours.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.matrix = MatrixView(theme)
        layout.addWidget(self.matrix, 1)
        self.numbers = QComboBox()
        self.numbers.addItems(["Counts", "Percent of row"])
        self.numbers.setAccessibleName("Show counts or percent of the row")
        self.order = QComboBox()
        self.order.addItems(["By name", "Most mistakes first"])
        self.order.setAccessibleName("Order of the classes")
        row = QHBoxLayout()
        row.addWidget(self.numbers)
        row.addWidget(self.order)
        row.addStretch(1)
        layout.addLayout(row)
        text = "Rows: true class. Columns: the model's answer. Click a cell to see its images."
        layout.addWidget(label(text, "muted", wrap=True))
        self.numbers.activated.connect(self._show_as)
        self.order.activated.connect(self._show_as)

    @Slot()
    def _show_as(self) -> None:
        self.matrix.show_as(self.numbers.currentIndex() == 1, self.order.currentIndex() == 1)
