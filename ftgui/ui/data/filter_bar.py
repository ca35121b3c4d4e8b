"""What to show of the dataset, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from PySide6.QtCore import QSettings, QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ftgui.data.catalog.query import ORDERS, Query
from ftgui.ui.images.image_grid import SIZES
from ftgui.ui.toolkit.basics import IconButton, label
from ftgui.ui.toolkit.theme import Theme

_STATES: dict[str, dict[str, bool]] = {
    "All images": {},
    "Used": {"excluded": False},
    "Excluded": {"excluded": True},
    "Wrong": {"correct": False},
    "Right": {"correct": True},
}
"""Wrong and right: of the model's last word on it."""
_TYPING = 150
"""Milliseconds after a key before the search begins."""


class Filters(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the bar is set; empty texts: as at first."""

    class_name: str = ""
    split: str = ""
    state: str = ""
    kind: str = ""
    text: str = ""
    order: str = ""
    descending: bool = False


class BrowseBar(QWidget):
    """Two rows of fields.

    Args:
        theme: for colours.
    """

    changed = Signal()
    """`query`."""
    size_chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.kind = ""
        """Problem whose images are shown; chosen elsewhere."""
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search file names")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search file names")
        self.search.setToolTip("A part of the names of files or folders (Ctrl+F or /)")
        self.search.setAcceptDrops(False)
        self.class_filter = _combo("Show only one class", ["All classes"])
        self.split_filter = _combo("Show only one split", ["All splits", "train", "val", "test"])
        self.state_filter = _combo("Show only used or excluded images, or those that the model gets wrong", _STATES)
        self.order = _combo("Sort by", [f"By {order}" for order in ORDERS])
        self.thumbnail_size = _combo("Size of the thumbnails", SIZES)
        self.thumbnail_size.setCurrentText(str(QSettings().value("thumbnails", "Medium", type=str)))
        self.direction = IconButton("arrow-up", "Reverse the order", "", theme)
        self.direction.setCheckable(True)
        self.count = label("", "muted")
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.search, 1)
        first.addWidget(self.order)
        first.addWidget(self.direction)
        first.addWidget(self.thumbnail_size)
        for combo in (self.class_filter, self.split_filter, self.state_filter):
            second.addWidget(combo)
        self.class_filter.setMinimumWidth(90)
        second.addStretch(1)
        second.addWidget(self.count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(first)
        layout.addLayout(second)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING)
        self._typing.timeout.connect(self.changed)
        self.search.textChanged.connect(self._typed)
        for combo in (self.class_filter, self.split_filter, self.state_filter, self.order):
            combo.activated.connect(self._chosen)
        self.direction.toggled.connect(self._turned)
        self.thumbnail_size.textActivated.connect(self._size)

    @Slot()
    def _typed(self) -> None:
        self._typing.start()

    def query(self) -> Query:
        """As set now."""
        state = _STATES[self.state_filter.currentText()]
        return Query(
            class_name=self.class_name,
            split=self.split_filter.currentText() if self.split_filter.currentIndex() else "",
            kind=self.kind,
            excluded=state.get("excluded"),
            correct=state.get("correct"),
            text=self.search.text(),
            order=list(ORDERS)[self.order.currentIndex()],
            descending=self.direction.isChecked(),
        )

    @property
    def filters(self) -> Filters:
        """As set now, to be set again another day."""
        split, state, order = (combo.currentText() for combo in (self.split_filter, self.state_filter, self.order))
        return Filters(self.class_name, split, state, self.kind, self.search.text(), order, self.direction.isChecked())

    def use(self, filters: Filters) -> None:
        """Set it so; what there is no longer stays as at first."""
        blocked = self.blockSignals(True)
        self.kind = filters.kind
        self.search.setText(filters.text)
        self._typing.stop()
        self.class_filter.setCurrentIndex(max(self.class_filter.findData(filters.class_name), 0))
        for combo, text in (
            (self.split_filter, filters.split),
            (self.state_filter, filters.state),
            (self.order, filters.order),
        ):
            combo.setCurrentIndex(max(combo.findText(text), 0))
        self.direction.setChecked(filters.descending)
        self.blockSignals(blocked)
        self.changed.emit()

    @property
    def class_name(self) -> str:
        """The only class shown; empty: all."""
        return self.class_filter.currentData() or ""

    @property
    def narrow(self) -> bool:
        """Not all images are asked for."""
        query = self.query()
        return Query(order=query.order, descending=query.descending) != query

    def show_classes(self, names: Iterable[str]) -> None:
        """Which there are; the one chosen stays chosen if it still exists."""
        chosen = self.class_name
        self.class_filter.clear()
        self.class_filter.addItem("All classes", "")
        for name in names:
            self.class_filter.addItem(name, name)
        self.class_filter.setCurrentIndex(max(self.class_filter.findData(chosen), 0))

    def choose_class(self, name: str) -> None:
        """Show only this class; empty: all."""
        self.class_filter.setCurrentIndex(max(self.class_filter.findData(name), 0))
        self.changed.emit()

    def choose_kind(self, kind: str) -> None:
        """Show only images with this problem; empty: all."""
        self.kind = kind
        self.changed.emit()

    @Slot()
    def clear(self) -> None:
        """Show all."""
        self.kind = ""
        self.search.clear()
        for combo in (self.class_filter, self.split_filter, self.state_filter):
            combo.setCurrentIndex(0)
        self.changed.emit()

    @Slot(int)
    def _chosen(self, _index: int) -> None:
        self.changed.emit()

    @Slot(bool)
    def _turned(self, down: bool) -> None:
        self.direction.set_icon("arrow-down" if down else "arrow-up")
        self.changed.emit()

    @Slot(str)
    def _size(self, name: str) -> None:
        QSettings().setValue("thumbnails", name)
        self.size_chosen.emit(name)


def _combo(name: str, texts: Iterable[str]) -> QComboBox:
    made = QComboBox()
    made.addItems(list(texts))
    made.setAccessibleName(name)
    made.setToolTip(name)
    made.setMaximumWidth(170)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(6)
    return made
