"""Choosing the backbone: find it among all known ones, see what it is good for, and where its weights come from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.formatting import count
from ftgui.data import model_zoo
from ftgui.data.model_zoo import KnownModel, Source
from ftgui.data.weights_kinds import WEIGHTS_ENDINGS
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, Backbone
from ftgui.ui.engine_client import download_settings
from ftgui.ui.model.download_options import DownloadOptions
from ftgui.ui.model.model_table import FILTERS, INPUT, LICENCE, NAME, PARAMETERS, REASON, WEIGHTS, ModelTable
from ftgui.ui.toolkit.basics import Card, button, label
from ftgui.ui.toolkit.file_choice import WEIGHTS_FILES, choose_file
from ftgui.ui.toolkit.search_keys import SearchKeys
from ftgui.ui.toolkit.searched_list import search_field, searched_view
from ftgui.ui.toolkit.theme import Theme

WEIGHTS_FILTER = f"Weights ({' '.join('*' + ending for ending in WEIGHTS_ENDINGS)});;All files (*)"
FILE = "file"
"""The weights selector's third choice; the other two are `Backbone.weights` itself."""


class ModelChooser(QDialog):
    """Emits `chosen`; whether the choice works, the engine says.

    Args:
        present: what the recipe names.
        engine_names: what the engine's own libraries know, which may be other versions; empty while it starts.
    """

    chosen = Signal(Backbone)
    downloads_changed = Signal(m.Configure)

    def __init__(self, present: Backbone, engine_names: list[str], theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose a model")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        room = self.screen().availableSize()
        self.resize(min(1160, room.width() - 40), min(720, room.height() - 80))
        self._engine_names = frozenset(engine_names)
        self._file = ""
        self._weights_before = PRETRAINED
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        self._make_search(layout)
        self._make_table(layout, theme)
        self._make_details(layout)
        self.downloads = DownloadOptions(download_settings.download_settings())
        self.downloads.changed.connect(self.downloads_changed)
        self.downloads.hide()
        layout.addWidget(self.downloads)
        self._make_buttons(layout)
        self._show_present(present)
        theme.changed.connect(self.table.viewport().update)

    # --- assembly ---------------------------------------------------------------------------------------------------

    def _make_search(self, layout: QVBoxLayout) -> None:
        self.search = search_field("Search: parts of a name, a licence or a dataset, in any order", "Search models")
        self.search.textChanged.connect(self._search)
        layout.addWidget(self.search)
        row = QHBoxLayout()
        row.setSpacing(6)
        self.chips: dict[str, QToolButton] = {}
        for key, (text, tooltip) in FILTERS.items():
            chip = QToolButton()
            chip.setObjectName("chip")
            chip.setText(text)
            chip.setAccessibleName(f"Only {text}")
            chip.setToolTip(tooltip)
            chip.setCheckable(True)
            chip.setCursor(Qt.CursorShape.PointingHandCursor)
            chip.toggled.connect(self._search)
            row.addWidget(chip)
            self.chips[key] = chip
        row.addStretch(1)
        self.found = label("", "muted")
        row.addWidget(self.found)
        layout.addLayout(row)

    def _make_table(self, layout: QVBoxLayout, theme: Theme) -> None:
        self.model = ModelTable(
            model_zoo.known_models(), model_zoo.weights_here(), download_settings.recent_models(), theme, self
        )
        table = self.table = searched_view(
            self.model, "Models", NAME, {PARAMETERS: 96, INPUT: 90, LICENCE: 285, WEIGHTS: 150}
        )
        table.setItemDelegateForColumn(NAME, _NameDelegate(theme, table))
        table.doubleClicked.connect(self._double_clicked)
        table.selectionModel().currentRowChanged.connect(self._selected)
        self.model.modelReset.connect(self._span_headings)
        SearchKeys(self.search, table, first_row=1)
        layout.addWidget(table, 1)

    def _make_details(self, layout: QVBoxLayout) -> None:
        card = Card()
        self.name = label("", "title")
        self.words = label("", "", wrap=True)
        self.facts = label("", "muted", wrap=True)
        for line in (self.name, self.words, self.facts):
            card.body.addWidget(line)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.weights = QComboBox()
        self.weights.setAccessibleName("Weights")
        self.weights.setToolTip(
            "Pretrained weights already see shapes and textures, so few images are enough; from scratch needs very many"
        )
        for text, kind in (("Pretrained weights", PRETRAINED), ("From scratch", FROM_SCRATCH), ("My own file…", FILE)):
            self.weights.addItem(text, kind)
        self.weights.activated.connect(self._weights_chosen)
        self.file_label = label("", "muted", wrap=True)
        row.addWidget(self.weights)
        row.addWidget(self.file_label, 1)
        card.body.addLayout(row)
        layout.addWidget(card)

    def _make_buttons(self, layout: QVBoxLayout) -> None:
        row = QHBoxLayout()
        self.options = button("Downloads…", "Work offline, or take weights from a mirror")
        self.options.setCheckable(True)
        self.options.toggled.connect(self.downloads.setVisible)
        cancel = button("Cancel", "Keep the current model")
        self.use = button("Use this model", "Load it; missing weights are downloaded first", primary=True)
        cancel.clicked.connect(self.reject)
        self.use.clicked.connect(self._use)
        for other in (self.options, cancel):
            other.setAutoDefault(False)  # Enter is for the model, wherever the focus is
        self.use.setDefault(True)
        row.addWidget(self.options)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.use)
        layout.addLayout(row)

    def _show_present(self, present: Backbone) -> None:
        if present.weights in (PRETRAINED, FROM_SCRATCH):
            self._weights_before = present.weights
            self._set_weights(present.weights)
        else:
            self._take_file(present.weights)
        self._search()
        known = model_zoo.find(present.name)
        row = self.model.row_of(known.name) if known else -1
        if row >= 0:
            self._select(row)
        else:
            self.search.setText(present.name)

    # --- finding ----------------------------------------------------------------------------------------------------

    @Slot()
    def _search(self) -> None:
        selected = self.selected
        typed = self.search.text().strip()
        self.model.search(typed, frozenset(key for key, chip in self.chips.items() if chip.isChecked()))
        self._span_headings()
        found = self.model.found
        self.found.setText(f"{found:,} of {len(model_zoo.known_models()):,} models")
        # What is typed leads to the best match; without a text the selection stays where it was.
        row = -1 if typed else self.model.row_of(selected.name) if selected else -1
        first = next((i for i, item in enumerate(self.model.rows) if isinstance(item, KnownModel)), -1)
        self._select(row if row >= 0 else first)
        self._show_details()

    @Slot()
    def _span_headings(self) -> None:
        self.table.clearSpans()
        for row in self.model.headings():
            self.table.setSpan(row, 0, 1, self.model.columnCount())

    def _select(self, row: int) -> None:
        if row >= 0:
            index = self.model.index(row, NAME)
            self.table.setCurrentIndex(index)
            if row <= 1:
                self.table.scrollToTop()  # or the heading above the first model would stay out of sight

    @property
    def selected(self) -> KnownModel | None:
        """The model of the current row."""
        index = self.table.currentIndex()
        row = self.model.rows[index.row()] if index.isValid() else ""
        return row if isinstance(row, KnownModel) else None

    # --- details and weights ----------------------------------------------------------------------------------------

    @Slot(QModelIndex, QModelIndex)
    def _selected(self, _now: QModelIndex, _before: QModelIndex) -> None:
        self._show_details()

    def _show_details(self) -> None:
        model, typed = self.selected, self.search.text().strip()
        self.use.setEnabled(model is not None or bool(typed))
        if model is not None:
            self._show_model(model)
            return
        self.name.setText(typed or "No model matches all filters")
        known = typed in self._engine_names
        self.words.setText(
            ""
            if not typed
            else "Not in ftgui's list, but the engine knows this name."
            if known
            else "Not in ftgui's list. If the engine's timm or torchvision knows this name, it can be used anyway."
        )
        self.facts.setText("Its size and the licence of its weights are not known here." if typed else "")

    def _show_model(self, model: KnownModel) -> None:
        self.name.setText(model.name)
        self.words.setText(model_zoo.in_plain_words(model))
        facts = [f"{count(model.parameters)} parameters", f"{model.input} × {model.input} pixels"]
        if model.source is not Source.NONE:
            facts.append(f"licence of the weights: {model.licence_details}")
        facts.append(f"weights {self.model.weights_words(model)}")
        self.facts.setText(" · ".join(facts))
        if model.source is Source.NONE and self.weights.currentData() == PRETRAINED:
            self._set_weights(FROM_SCRATCH)
        elif model.source is not Source.NONE and self._weights_before == PRETRAINED:
            self._set_weights(PRETRAINED)

    def use_file(self, path: str) -> None:
        """Take weights from a file; one that is named after a model selects that."""
        self._take_file(path, self._select_named_in(Path(path).name))

    def _take_file(self, path: str, why: str = "") -> None:
        self._file = path
        self._weights_before = FILE
        self._set_weights(FILE)
        words = why or "it must have been made with the model selected above."
        self.file_label.setText(f"{Path(path).name} — {words}")

    def _select_named_in(self, file_name: str) -> str:
        """Select the model that a file is named after, unless another kind of it is selected.

        Returns:
            what was done, for the person; empty: nothing.
        """
        named = model_zoo.named_in(file_name)
        known = model_zoo.find(named) or model_zoo.find(f"torchvision/{named}") if named else None
        if known is None or (self.selected is not None and self.selected.name.partition(".")[0] == named):
            return ""
        if self.model.row_of(known.name) < 0:
            self.search.setText(known.name)
        self._select(self.model.row_of(known.name))
        return f"{known.name} is selected, because the file is named after it; choose another if the file belongs to that one."

    def _set_weights(self, kind: str) -> None:
        """Without remembering it as the person's choice."""
        self.weights.setCurrentIndex(self.weights.findData(kind))

    @Slot(int)
    def _weights_chosen(self, _row: int) -> None:
        self.file_label.clear()
        if self.weights.currentData() == FILE:
            path = choose_file(self, "Weights file", WEIGHTS_FILES, WEIGHTS_FILTER)
            if path is not None:
                self.use_file(str(path))
                return
            self._set_weights(PRETRAINED)
        self._weights_before = self.weights.currentData()

    @Slot(QModelIndex)
    def _double_clicked(self, _index: QModelIndex) -> None:
        if self.selected is not None:
            self._use()

    @Slot()
    def _use(self) -> None:
        model = self.selected
        name = model.name if model else self.search.text().strip()
        if not name:
            return
        kind = self.weights.currentData()
        download_settings.note_recent(name)
        self.chosen.emit(Backbone(name=name, weights=self._file if kind == FILE else kind))
        self.accept()


class _NameDelegate(QStyledItemDelegate):
    """The name, and after it in a softer colour why it is a good first choice."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        reason = index.data(REASON)
        if not reason:
            return
        taken = option.fontMetrics.horizontalAdvance(index.data()) + 22
        area = option.rect.adjusted(taken, 0, -6, 0)
        painter.save()
        painter.setPen(QColor(self._theme.colors.muted))
        text = option.fontMetrics.elidedText(reason, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()
