"""The layer tree's column that shows how much each row is learning."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ftgui.ui.model.layer_tree import MOVES, TOO_FAST, bar_position
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import paint_bar
from ftgui.ui.toolkit.theme import Theme

_WIDTH, _THICKNESS, _SIGN, _GAP = 62, 7, 13, 3


class LearningDelegate(QStyledItemDelegate):
    """A bar on a logarithmic scale; what moves too fast also has a sign, for those who don't see the colour."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.live = True
        """False: these are the last values of a run that is over."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(_WIDTH, _SIGN)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        self.initStyleOption(option, index)
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        moves = index.data(MOVES)
        if moves is None:
            return
        colors, room = self._theme.colors, QRectF(option.rect).adjusted(4, 0, -4, 0)
        too_fast = moves > TOO_FAST
        painter.save()
        bar = QRectF(room.left(), room.center().y() - _THICKNESS / 2, room.width(), _THICKNESS)
        if too_fast:
            color = colors.error if self.live else colors.muted
            ratio = painter.device().devicePixelRatioF()
            place = QRectF(room.right() - _SIGN, room.center().y() - _SIGN / 2, _SIGN, _SIGN)
            painter.drawPixmap(place.topLeft(), icons.pixmap("triangle-alert", color, _SIGN, ratio))
            bar.setWidth(room.width() - _SIGN - _GAP)
        else:
            color = colors.second if self.live else colors.muted
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        # On the selection's colour the usual track would be a hole.
        track = option.palette.color(option.palette.ColorRole.Window).name() if selected else colors.track
        paint_bar(painter, bar, bar_position(moves), color, track)
        painter.restore()
