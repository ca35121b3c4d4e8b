"""Images of the catalog for the grid of thumbnails."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import (
    QByteArray,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QStringListModel,
    Qt,
    QUrl,
    Slot,
)
from PySide6.QtGui import QPixmap

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import ImageRow
from ftgui.ui.images.thumbnails import Thumbnails
from ftgui.ui.toolkit.plain_text import as_plain

ROW_ROLE = Qt.ItemDataRole.UserRole
IMAGES_MIME = "application/x-ftgui-images"
"""Ids of images of the open catalog, 8 bytes each."""

_PAGE = 128
"""Rows read at once: a screen's worth, a fraction of a millisecond."""
_PAGES_KEPT = 64
_MOST_URLS = 200
"""Files that a drag into another program takes along."""


class ImageListModel(QStringListModel):
    """Knows ids only; what is looked at is read from the catalog, page by page.

    A list of empty strings, so that C++ knows how many rows there are: to lay out a million, QListView asks for that a
    million times, and a `rowCount` in Python kept the interpreter busy for 4 s after every filter (measured).

    Filtered and sorted by SQL, not by a proxy: a Python proxy took 8 s to sort 50,000 rows (measured).
    """

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._catalog: CatalogReader | None = None
        self._root = Path()
        self.ids: array[int] = array("q")
        """Of the images shown, in order."""
        self._pages: OrderedDict[int, list[ImageRow | None]] = OrderedDict()
        self._waiting: dict[str, int] = {}
        thumbnails.arrived.connect(self._arrived)

    def show_images(self, catalog: CatalogReader | None, root: Path, ids: array[int]) -> bool:
        """Show these images of a catalog, which lie in the folder `root`.

        Returns:
            whether they are others than before, or in another order. If not, only what is said of them is read anew.
        """
        self._pages.clear()
        if ids == self.ids and root == self._root:
            self._catalog = catalog
            if ids:
                self.dataChanged.emit(self.index(0), self.index(len(ids) - 1))
            return False
        self._catalog, self._root, self.ids = catalog, root, ids
        self._waiting.clear()
        self.setStringList([""] * len(ids))
        return True

    def row(self, number: int) -> ImageRow | None:
        """What the catalog says of the image in this place; None if it is gone."""
        page, place = divmod(number, _PAGE)
        if page not in self._pages:
            ids = self.ids[page * _PAGE : (page + 1) * _PAGE]
            known = {row.id: row for row in self._catalog.rows(ids)} if self._catalog else {}
            self._pages[page] = [known.get(id_) for id_ in ids]
            while len(self._pages) > _PAGES_KEPT:
                self._pages.popitem(last=False)
        return self._pages[page][place]

    def path(self, index: QModelIndex) -> Path | None:
        """The file of a row."""
        row = self.row(index.row())
        return self._root / row.path if row else None

    def places(self, ids: Sequence[int]) -> list[int]:
        """Where these images are shown now, without those that are not."""
        return (
            np.flatnonzero(np.isin(np.frombuffer(self.ids, np.int64), np.asarray(ids, np.int64))).tolist()
            if ids
            else []
        )

    def flags(self, _index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.row(index.row()) if index.isValid() else None
        if row is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return row.class_name
        if role == Qt.ItemDataRole.DecorationRole:
            file = self._root / row.path
            picture = self._thumbnails.get(file, row.mtime)
            if self._thumbnails.waits_for(file):
                self._waiting[str(file)] = index.row()
            return picture
        if role == Qt.ItemDataRole.ToolTipRole:
            problem = f"\n{row.problem}" if row.problem else ""
            out = " · excluded" if row.excluded else ""
            said = f"\nThe model says: {row.prediction}" if row.prediction else ""
            return as_plain(
                f"{row.path}\n{row.class_name} · {row.split}{out}{said}{problem}\nDouble-click to enlarge it."
            )
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.class_name}, {row.path}{', excluded' if row.excluded else ''}"
        if role == ROW_ROLE:
            return row
        return None

    def mimeTypes(self) -> list[str]:
        return [IMAGES_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Ids for our own lists, files for other programs."""
        mime = QMimeData()
        ids = array("q", (self.ids[index.row()] for index in indexes))
        mime.setData(IMAGES_MIME, QByteArray(ids.tobytes()))
        files = [self.path(index) for index in indexes[:_MOST_URLS]]
        mime.setUrls([QUrl.fromLocalFile(str(file)) for file in files if file is not None])
        return mime

    @Slot(str)
    def _arrived(self, path: str) -> None:
        number = self._waiting.pop(path, None)
        if number is not None and number < len(self.ids):
            index = self.index(number)
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])


def ids_in(mime: QMimeData) -> list[int]:
    """The images of our own catalog that are dragged."""
    ids: array[int] = array("q")
    ids.frombytes(mime.data(IMAGES_MIME).data())
    return ids.tolist()


def is_missing(picture: QPixmap | None) -> bool:
    """Whether decoding was tried and failed (a null pixmap), as against still going on (None)."""
    return picture is not None and picture.isNull()
