"""What an edit of the images has just done, with the way back, where nobody can miss it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QEnterEvent, QUndoStack
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from ftgui.ui.toolkit.basics import ElidedLabel, button

SHOWN_MILLISECONDS = 8000
"""Long enough to read a line, look at the image, and reach the button."""
_MARGIN = 12
_WIDEST = 560


class EditNotice(QFrame):
    """Lies over the lower edge of the pages for some seconds; stays while the mouse is on it.

    One key may change a hundred labels, and by mistake. The line at the bottom says so too, in words that the next progress
    report or error replaces.

    Args:
        undo_stack: whose newest step the button undoes. When that is undone, or another comes, this goes away: the button
            never undoes anything but what is said beside it.
        area: that it lies over.
    """

    def __init__(self, undo_stack: QUndoStack, area: QWidget) -> None:
        super().__init__(area)
        self.setObjectName("notice")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area = area
        self.text = ElidedLabel()
        self.undo = button("Undo", "Undo the change named here (Ctrl+Z)")
        self.undo.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # a click must not take the keyboard away from the images
        self.undo.clicked.connect(undo_stack.undo)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 6, 6)
        row.addWidget(self.text, 1)
        row.addWidget(self.undo)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SHOWN_MILLISECONDS)
        self._timer.timeout.connect(self.hide)
        undo_stack.indexChanged.connect(self._other_step)
        area.installEventFilter(self)
        self.hide()

    @Slot(str)
    def say(self, words: str) -> None:
        """The newest step of the undo stack in words."""
        self.text.set_full(words)
        self.setAccessibleName(words)
        self._place()
        self.show()
        self.raise_()
        self._timer.start()

    @Slot(int)
    def _other_step(self, _index: int) -> None:
        self._timer.stop()
        self.hide()

    def _place(self) -> None:
        area = self._area.rect()
        wanted = self.text.fontMetrics().horizontalAdvance(self.text.full) + self.undo.sizeHint().width() + 60
        width = min(wanted, _WIDEST, area.width() - 2 * _MARGIN)
        height = self.sizeHint().height()
        self.setGeometry((area.width() - width) // 2, area.height() - height - _MARGIN, width, height)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._timer.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize and watched is self._area:
            self._place()
        return False
