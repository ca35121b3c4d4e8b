"""A search field above a table: the keyboard goes from one to the other by itself."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLineEdit


def focus_search(search: QLineEdit) -> None:
    """For Ctrl+F: what is typed next replaces what was searched for before."""
    search.setFocus(Qt.FocusReason.ShortcutFocusReason)
    search.selectAll()


class SearchKeys(QObject):
    """Down leads from the search into the table; whatever is typed there goes on in the search.

    Args:
        search: the field.
        table: below it; owns this object.
        first_row: the first that can be chosen.
        typing_searches: no key alone changes anything in the table, so letters typed there are meant for the search.
    """

    def __init__(
        self, search: QLineEdit, table: QAbstractItemView, first_row: int = 0, typing_searches: bool = True
    ) -> None:
        super().__init__(table)
        self._search, self._table, self._first_row = search, table, first_row
        self._typing_searches = typing_searches
        search.installEventFilter(self)
        table.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if watched is self._search and event.key() in (Qt.Key.Key_Down, Qt.Key.Key_PageDown):
                self._table.setFocus()
                return self._table.currentIndex().row() <= self._first_row  # from the top, the first press only enters
            if self._typing_searches and watched is self._table and event.text().isprintable() and event.text().strip():
                self._search.setFocus()
                QApplication.sendEvent(self._search, event)
                return True
        return super().eventFilter(watched, event)
