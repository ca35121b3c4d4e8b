"""Small building blocks that every page uses."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme


class Card(QFrame):
    """A rounded box with a title line; put things into `body`, and at the right of the title into `header`."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(12, 10, 12, 12)
        self.body.setSpacing(8)
        self.header = QHBoxLayout()
        self.header.setSpacing(8)
        self.title = label(title, "title")
        if title:
            self.header.addWidget(self.title)
            self.header.addStretch(1)
            self.body.addLayout(self.header)


def scrolled(content: QWidget) -> QScrollArea:
    """Content that may be higher than its place, on whatever is behind it."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    # The card behind is what shows, not the window's colour.
    area.viewport().setAutoFillBackground(False)
    content.setAutoFillBackground(False)
    return area


def label(text: str = "", name: str = "", wrap: bool = False) -> QLabel:
    """A label of a kind the stylesheet knows: ``muted``, ``title``, ``error``."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)  # else a class called <b> would be markup
    made.setObjectName(name)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
    return made


def heading(text: str = "", wrap: bool = False) -> QLabel:
    """The one large line of a page."""
    made = label(text, "title", wrap)
    font = made.font()
    font.setPixelSize(20)
    made.setFont(font)
    return made


class ElidedLabel(QLabel):
    """Cuts a long text in the middle instead of widening the window; the tooltip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._full = ""
        self.setMinimumWidth(40)

    @property
    def full(self) -> str:
        """The text uncut."""
        return self._full

    def set_full(self, text: str) -> None:
        """Show this text."""
        self._full = text
        self.setToolTip(as_plain(text))
        self._elide()

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self._full) + 4, super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._full, Qt.TextElideMode.ElideMiddle, max(self.width(), 40)))


def elided_pair(metrics: QFontMetrics, first: str, joint: str, second: str, width: int) -> str:
    """Two names in so many pixels: where there is too little room each is cut for itself, so that both can be told."""
    whole = f"{first}{joint}{second}"
    if metrics.horizontalAdvance(whole) <= width:
        return whole
    room = width - metrics.horizontalAdvance(joint)
    half, wide = room // 2, [metrics.horizontalAdvance(name) for name in (first, second)]
    left = max(half, room - wide[1]) if wide[1] < half else min(half, wide[0])
    parts = [
        metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, space)
        for name, space in ((first, left), (second, room - left))
    ]
    return joint.join(parts)


def button(text: str, tooltip: str, primary: bool = False) -> QPushButton:
    """A button in the program's look."""
    made = QPushButton(text)
    made.setObjectName("primary" if primary else "secondary")
    made.setToolTip(tooltip)
    made.setAccessibleName(text.strip())
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    return made


class Tabs(QWidget):
    """A row of names, one of which is chosen: for the parts of a card.

    Args:
        parts: name and tooltip of each; the first is chosen.
    """

    chosen = Signal(int)
    """The person chose this one."""

    def __init__(self, parts: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.group = QButtonGroup(self)
        for number, (name, tip) in enumerate(parts):
            tab = QToolButton()
            tab.setObjectName("tab")
            tab.setText(name)
            tab.setToolTip(tip)
            tab.setAccessibleName(name)
            tab.setCheckable(True)
            self.group.addButton(tab, number)
            row.addWidget(tab)
        row.addStretch(1)
        self.choose(0)
        self.group.idClicked.connect(self.chosen)

    @property
    def current(self) -> int:
        """Which is chosen."""
        return self.group.checkedId()

    def choose(self, number: int) -> None:
        """Without telling."""
        self.group.button(number).setChecked(True)


class IconButton(QToolButton):
    """A small button that is only an icon; the tooltip's first words are also its name.

    Args:
        icon: name of a shipped icon.
        name: for screen readers and as the tooltip's first words.
        tip: the rest of the tooltip.
        theme: for colours.
    """

    def __init__(self, icon: str, name: str, tip: str, theme: Theme) -> None:
        super().__init__()
        self._icon = icon
        self._theme = theme
        self.setAutoRaise(True)
        self.setAccessibleName(name)
        self.setToolTip(f"{name}{tip}")
        self._paint_icon()
        theme.changed.connect(self._paint_icon)

    def set_icon(self, icon: str) -> None:
        """Another one."""
        self._icon = icon
        self._paint_icon()

    @Slot()
    def _paint_icon(self) -> None:
        colors = self._theme.colors
        self.setIcon(icons.icon(self._icon, colors.muted if self.isEnabled() else colors.track))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.EnabledChange:
            self._paint_icon()


class Bar(QWidget):
    """A thin rounded bar, 0 to 1."""

    def __init__(self, theme: Theme, color: str = "accent", height: int = 6, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._color = color
        self._value = 0.0
        self._height = height
        self.setFixedHeight(height)
        theme.changed.connect(self.update)

    def set_value(self, value: float, color: str = "") -> None:
        """Fill; `color` is a field of `Colors`."""
        self._value = min(max(value, 0.0), 1.0)
        self._color = color or self._color
        self.update()

    @property
    def value(self) -> float:
        return self._value

    def sizeHint(self) -> QSize:
        return QSize(120, self._height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        colors = self._theme.colors
        area = QRectF(0, 0, self.width(), self.height())
        paint_bar(painter, area, self._value, getattr(colors, self._color), colors.track)


def paint_bar(painter: QPainter, area: QRectF, value: float, color: str, track: str) -> None:
    """A bar anywhere, e.g. in a delegate."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    radius = area.height() / 2
    painter.setBrush(QColor(track))
    painter.drawRoundedRect(area, radius, radius)
    if value > 0:
        filled = QRectF(area)
        filled.setWidth(max(area.width() * min(value, 1.0), area.height()))
        painter.setBrush(QColor(color))
        painter.drawRoundedRect(filled, radius, radius)
