"""Choosing a well-known set of pictures to try things on: what it is, what it teaches, what the download costs."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.formatting import plural
from ftgui.data.example_sets import ExampleSet
from ftgui.protocol import messages as m
from ftgui.ui.data.example_sets_table import CLASSES, IMAGES, LICENCE, NAME, SIZE, ExampleTable
from ftgui.ui.engine_client import download_settings
from ftgui.ui.model.download_options import DownloadOptions
from ftgui.ui.model.model_table import file_size
from ftgui.ui.toolkit.basics import Card, button, label
from ftgui.ui.toolkit.search_keys import SearchKeys
from ftgui.ui.toolkit.searched_list import search_field, searched_view
from ftgui.ui.toolkit.theme import Theme

OFFLINE = (
    "It is not on this computer, and ftgui is set to never use the network. Untick that under “Downloads…”, or close this "
    "and open a folder of your own images."
)


class ExampleDialog(QDialog):
    """Emits `chosen`; not modal."""

    chosen = Signal(ExampleSet)
    downloads_changed = Signal(m.Configure)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Example sets")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        room = self.screen().availableSize()
        self.resize(min(860, room.width() - 40), min(600, room.height() - 80))
        self._offline = download_settings.download_settings().offline
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        self._make_search(layout)
        self._make_table(layout, theme)
        self._make_details(layout)
        self.downloads = DownloadOptions(download_settings.download_settings())
        self.downloads.changed.connect(self._downloads_changed)
        self.downloads.hide()
        layout.addWidget(self.downloads)
        self._make_buttons(layout)
        theme.changed.connect(self.table.viewport().update)
        self._search()

    # --- assembly ---------------------------------------------------------------------------------------------------

    def _make_search(self, layout: QVBoxLayout) -> None:
        self.search = search_field("Search: parts of a name, a licence, or what it teaches", "Search example sets")
        self.search.textChanged.connect(self._search)
        layout.addWidget(self.search)

    def _make_table(self, layout: QVBoxLayout, theme: Theme) -> None:
        self.model = ExampleTable(theme, self)
        table = self.table = searched_view(
            self.model, "Example sets", NAME, {CLASSES: 72, IMAGES: 80, SIZE: 124, LICENCE: 215}
        )
        table.doubleClicked.connect(self._double_clicked)
        table.selectionModel().currentRowChanged.connect(self._selected)
        SearchKeys(self.search, table)
        layout.addWidget(table, 1)

    def _make_details(self, layout: QVBoxLayout) -> None:
        card = Card()
        self.name = label("", "title")
        self.teaches = label("", "", wrap=True)
        self.facts = label("", "muted", wrap=True)
        self.why_not = label("", "error", wrap=True)
        for line in (self.name, self.teaches, self.facts, self.why_not):
            card.body.addWidget(line)
        layout.addWidget(card)

    def _make_buttons(self, layout: QVBoxLayout) -> None:
        row = QHBoxLayout()
        self.options = button("Downloads…", "Work offline, or take files from a mirror")
        self.options.setCheckable(True)
        cancel = button("Cancel", "Keep what is open")
        self.use = button("Download and open", "", primary=True)
        self.options.toggled.connect(self._show_options)
        cancel.clicked.connect(self.reject)
        self.use.clicked.connect(self._use)
        for other in (self.options, cancel):
            other.setAutoDefault(False)  # Enter is for the set, wherever the focus is
        self.use.setDefault(True)
        row.addWidget(self.options)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.use)
        layout.addLayout(row)

    # --- finding ----------------------------------------------------------------------------------------------------

    @Slot()
    def _search(self) -> None:
        selected, typed = self.selected, self.search.text().strip()
        self.model.search(typed)
        # What is typed leads to the best match; without a text the selection stays where it was.
        row = -1 if typed else self.model.row_of(selected)
        if self.model.rows:
            self.table.setCurrentIndex(self.model.index(max(row, 0), NAME))
        self._show_details()

    @property
    def selected(self) -> ExampleSet | None:
        """The set of the current row."""
        index = self.table.currentIndex()
        return self.model.rows[index.row()] if index.isValid() else None

    # --- details ----------------------------------------------------------------------------------------------------

    @Slot(QModelIndex, QModelIndex)
    def _selected(self, _now: QModelIndex, _before: QModelIndex) -> None:
        self._show_details()

    def _show_details(self) -> None:
        example = self.selected
        here = example is not None and example.is_here
        refused = example is not None and not here and self._offline
        self.why_not.setText(OFFLINE if refused else "")
        self.why_not.setVisible(refused)
        self.use.setEnabled(example is not None and not refused)
        self.use.setText("Open" if here else "Download and open")
        self.use.setAccessibleName(self.use.text())
        if example is None:
            self.name.setText("No set matches all of these words")
            self.teaches.clear()
            self.facts.clear()
            return
        size = f"download of about {file_size(example.megabytes)}"
        self.use.setToolTip(
            "Open it like any folder" if here else f"A {size}, in the background; it can be cancelled and resumed later"
        )
        self.name.setText(example.title)
        self.teaches.setText(example.teaches)
        facts = [plural(example.classes, "class"), plural(example.images, "image"), example.splits]
        facts += [f"licence: {example.licence}", "on this computer" if here else size]
        self.facts.setText(" · ".join(facts))

    @Slot(bool)
    def _show_options(self, shown: bool) -> None:
        self.downloads.setVisible(shown)

    @Slot(m.Configure)
    def _downloads_changed(self, chosen: m.Configure) -> None:
        self._offline = chosen.offline
        self._show_details()
        self.downloads_changed.emit(chosen)

    @Slot(QModelIndex)
    def _double_clicked(self, _index: QModelIndex) -> None:
        self._use()

    @Slot()
    def _use(self) -> None:
        if self.selected is not None and self.use.isEnabled():
            self.chosen.emit(self.selected)
            self.accept()
