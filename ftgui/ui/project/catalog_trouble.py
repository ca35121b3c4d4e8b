"""Says what goes wrong with the open catalog, once, however often those who read it meet the same."""

from __future__ import annotations

import sqlite3

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.catalog.errors import CatalogDamaged, CatalogError, as_catalog_error


class CatalogTrouble(QObject):
    """Of one catalog after the other; see `begin`."""

    damaged = Signal(object)
    """A `CatalogDamaged`: nothing more is said of this catalog."""
    went_wrong = Signal(str)
    """Anything else, in a sentence."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._said = False

    def begin(self) -> None:
        """Another catalog is open, of which nothing was said."""
        self._said = False

    def met(self, error: sqlite3.Error | CatalogError) -> None:
        """Somebody met it while reading or writing the open catalog."""
        known = error if isinstance(error, CatalogError) else as_catalog_error(error)
        self.say(known, str(known))

    @Slot(object, str)
    def say(self, error: Exception | None, sentence: str) -> None:
        """Something did not work.

        Args:
            error: why; None: an unexpected exception.
            sentence: said of it, unless the catalog is damaged.
        """
        if self._said:
            return  # whoever draws meets it again and again
        self._said = True
        if isinstance(error, CatalogDamaged):
            self.damaged.emit(error)
            return
        try:
            self.went_wrong.emit(sentence)  # who hears of it may read the catalog at once
        finally:
            self._said = False
