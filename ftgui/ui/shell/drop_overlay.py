"""What a drop will do, said over the whole window before the button is released."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from ftgui.ui.toolkit.theme import Theme


class DropOverlay(QWidget):
    """Hidden until something is dragged over the window; lets all mouse events through."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._window = parent
        self._title = ""
        self._detail = ""
        self._refused = False
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    @property
    def text(self) -> str:
        """What is said now."""
        return f"{self._title}\n{self._detail}" if self.isVisible() else ""

    def say(self, title: str, detail: str = "", refused: bool = False) -> None:
        """Cover the window with these words."""
        self._title, self._detail, self._refused = title, detail, refused
        self.setGeometry(self._window.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(colors.window)
        veil.setAlpha(240)
        painter.fillRect(self.rect(), veil)
        frame = QRectF(self.rect()).adjusted(24, 24, -24, -24)
        edge = colors.error if self._refused else colors.accent
        painter.setPen(QPen(QColor(edge), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(frame, 12, 12)
        middle = frame.center().y()
        large = QFont(self.font())
        large.setPixelSize(22)
        large.setWeight(QFont.Weight.DemiBold)
        painter.setFont(large)
        painter.setPen(QColor(edge if self._refused else colors.text))
        wrap = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(
            QRectF(frame.left() + 40, frame.top(), frame.width() - 80, middle - frame.top() - 6), wrap, self._title
        )
        small = QFont(self.font())
        small.setPixelSize(15)
        painter.setFont(small)
        painter.setPen(QColor(colors.muted))
        wrap = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(
            QRectF(frame.left() + 40, middle + 6, frame.width() - 80, frame.bottom() - middle), wrap, self._detail
        )
