"""The signature of the program: the layer tree with its ticks, presets and the count of what learns."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QSizePolicy,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from ftgui.base.formatting import count, duration, size
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import EVERYTHING, HEAD, LAST_STAGE
from ftgui.ui.model.layer_tree import LAYER, LEARNING, OUTPUT, PARAMETERS, PENDING, LayerTreeModel
from ftgui.ui.model.update_ratio_bar import LearningDelegate
from ftgui.ui.project.long_run import LONG_SECONDS
from ftgui.ui.toolkit.basics import Card, ElidedLabel, label
from ftgui.ui.toolkit.theme import Theme

PRESETS = {
    "Head": [HEAD],
    "Last stage + head": [LAST_STAGE, HEAD],
    "Everything": [EVERYTHING],
}
CUSTOM = "Your ticks"
_ROW_HEIGHT = 25
_PRESETS_TIP = (
    "Which layers learn.\nHead: fastest and safest, right for a few hundred images.\n"
    "Last stage + head: the late features adapt too; usually best.\n"
    "Everything: for many images that look unlike photographs."
)
_COST_TIP = (
    "What training the ticked layers costs: an estimate, based on how long each layer takes on this device.\n"
    "Per epoch: all training images forwards and backwards, all validation images forwards.\n"
    "Memory: the engine's peak; on a GPU, that of the device.\n"
)
_CACHED_TIP = (
    "Once: the layers before the first ticked one never change, so they run only once over every view of every image, "
    "and their results are kept. That is why freezing the early layers makes epochs cheap."
)
_UNCACHED_TIP = (
    "Nothing can be kept from one epoch to the next here: the first layers learn, or each epoch sees fresh views. "
    "Freezing the early layers makes epochs cheap, because their output is then computed only once."
)


class _TreeView(QTreeView):
    """Space ticks, Right and Left open and close."""

    toggle_wanted = Signal(QModelIndex)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # Qt does not make a row current when its tick is clicked, so Space would afterwards tick another row or none.
        index = self.indexAt(event.position().toPoint())
        if index.isValid():
            self.setCurrentIndex(index)
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.key() == Qt.Key.Key_Space and index.isValid():
            self.toggle_wanted.emit(index.siblingAtColumn(LAYER))
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, _typed: str) -> None:
        """Letters lead nowhere: a name with a blank, typed here, would tick whatever its first word led to."""


class _Room(QObject):
    """Hides the output's shape, then the number of parameters, where a layer's name would be cut for them.

    Only while the learning column is there.
    """

    def __init__(self, tree: QTreeView) -> None:
        super().__init__(tree)
        self._tree = tree
        tree.viewport().installEventFilter(self)
        tree.expanded.connect(self.share)
        tree.collapsed.connect(self.share)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize:
            self.share()
        return super().eventFilter(watched, event)

    @Slot()
    def share(self) -> None:
        """Decide anew."""
        tree, header = self._tree, self._tree.header()
        width = {
            column: max(tree.sizeHintForColumn(column), header.sectionSizeHint(column))
            for column in (LAYER, OUTPUT, PARAMETERS, LEARNING)
        }
        left = tree.viewport().width() - sum(width.values()) if not tree.isColumnHidden(LEARNING) else 0
        for column in (OUTPUT, PARAMETERS):
            hidden = left < 0
            if hidden:
                left += width[column]
            if hidden != tree.isColumnHidden(column):
                tree.setColumnHidden(column, hidden)


class _FrozenDelegate(QStyledItemDelegate):
    """Frozen rows are written in the muted colour, rows whose tick the engine has yet to take up in italics."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        size = super().sizeHint(option, index)
        return QSize(size.width() + 10, max(size.height(), _ROW_HEIGHT))

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.palette.setColor(option.palette.ColorRole.Window, QColor(self._theme.colors.outline))
        state = index.sibling(index.row(), LAYER).data(Qt.ItemDataRole.CheckStateRole)
        option.font.setItalic(bool(index.sibling(index.row(), LAYER).data(PENDING)))
        learns = state is not None and Qt.CheckState(state) != Qt.CheckState.Unchecked
        if not learns or index.column() != LAYER:
            option.palette.setColor(option.palette.ColorRole.Text, QColor(self._theme.colors.muted))


class LayerPanel(Card):
    """Shows what the engine reports and emits what the person wants.

    Args:
        theme: for colours.
    """

    ticks_wanted = Signal(list, str)
    """Layers that should learn, words for undo."""
    layer_picked = Signal(str)
    """Name of the row that the person made current."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("Layers", parent)
        self._theme = theme
        self.model = LayerTreeModel(self)
        self.model.tick_wanted.connect(self.ticks_wanted)
        self._parameters = (0, 0)
        """That learn, as the engine counted them on the model itself; all."""
        self._learning: frozenset[int] = frozenset()
        self._pending = False
        """What is ticked is not what learns yet."""
        self._proof: tuple[bool, str] | None = None
        self._fill_header()
        self._make_tree()
        self.placeholder = label("The engine is starting…", "muted", wrap=True)
        self.placeholder.setAlignment(Qt.AlignmentFlag.AlignCenter)
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.placeholder)
        self._stack.addWidget(self.tree)
        self.body.addWidget(holder, 1)
        self._add_figures()
        theme.changed.connect(self._show_counts)

    def _fill_header(self) -> None:
        self.whose = ElidedLabel()
        self.whose.setObjectName("muted")
        self.header.insertWidget(1, self.whose, 100)  # all the room the stretch behind it would take
        self.preset = QComboBox()
        self.preset.addItems([*PRESETS, CUSTOM])
        self.preset.setAccessibleName("Preset of ticks")
        self.preset.setToolTip(_PRESETS_TIP)
        self.preset.activated.connect(self._preset_chosen)
        self.header.addWidget(self.preset)

    def _make_tree(self) -> None:
        self.tree = _TreeView()
        self.tree.setModel(self.model)
        self.tree.setItemDelegate(_FrozenDelegate(self._theme, self.tree))
        self.tree.setAccessibleName("Layers of the model")
        self.tree.setFrameShape(QTreeView.Shape.NoFrame)
        self.tree.setUniformRowHeights(True)
        self.tree.setAcceptDrops(False)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setIndentation(16)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(LAYER, QHeaderView.ResizeMode.Stretch)
        header.setSectionsMovable(False)
        header.setHighlightSections(False)
        self._bars = LearningDelegate(self._theme, self.tree)
        self.tree.setItemDelegateForColumn(LEARNING, self._bars)
        self.tree.setColumnHidden(LEARNING, True)
        self._room = _Room(self.tree)
        self.tree.toggle_wanted.connect(self._toggle)
        self.tree.selectionModel().currentChanged.connect(self._picked)

    def _add_figures(self) -> None:
        """Below the tree: how much learns, what it costs, and what is proven."""
        self.counts = label("", wrap=True)
        self.counts.setTextFormat(Qt.TextFormat.RichText)
        self.note = label("", "error", wrap=True)
        self.proof = label("", wrap=True)
        self.cost = label("", "muted")
        self.cost.setAccessibleName("Estimated cost")
        self.cost.setFixedHeight(self.cost.fontMetrics().height() + 2)  # also when empty, or the tree would jump
        self.cost.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for widget in (self.counts, self.note, self.cost, self.proof):
            self.body.addWidget(widget)

    @Slot(QModelIndex, QModelIndex)
    def _picked(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid():
            self.layer_picked.emit(self.model.name_at(index))

    # --- what the engine says ---------------------------------------------------------------------------------------

    def show_model(self, model: m.ModelLoaded | None, why_none: str = "") -> None:
        """A model, or the reason there is none."""
        self.model.show_model(model)
        self.tree.setColumnHidden(LEARNING, True)
        self._room.share()
        self._proof = None
        self.placeholder.setText(why_none)
        self._stack.setCurrentWidget(self.tree if model else self.placeholder)
        self.preset.setEnabled(model is not None)
        self._parameters = (model.trainable_parameters, model.total_parameters) if model else (0, 0)
        self._learning = frozenset(model.trainable) if model else frozenset()
        self._pending = False
        self._show_counts()

    def show_freezing(self, event: m.FreezingChanged) -> None:
        """What learns now."""
        if event.request and frozenset(event.trainable) != self._learning:
            self._proof = None
        self._learning = frozenset(event.trainable)
        self._parameters = (event.trainable_parameters, event.total_parameters)
        self._show_counts()

    def show_ticks(self, ticked: frozenset[int], learning: frozenset[int]) -> None:
        """What was asked for and what the engine lets learn: units, see `LayerTreeModel.show_ticks`."""
        self.model.show_ticks(ticked, learning)
        self._pending = ticked != learning
        presets = (
            {title: self.model.resolve(layers) for title, layers in PRESETS.items()} if self._parameters[1] else {}
        )
        self.preset.setCurrentText(next((title for title, units in presets.items() if units == ticked), CUSTOM))
        self._show_counts()

    def show_whose(self, index: int, name: str, training: bool) -> None:
        """Whose layers these are: the selected phase's, or the running training's."""
        self.whose.set_full("trainable layers now" if training else f"phase {index + 1}: trainable layers")
        self.whose.setToolTip(
            "What the current run is changing now. Ticks take effect from the next step on; the recipe stays as it is."
            if training
            else f"The layers that learn in phase {index + 1}, “{name}”. Choose another phase in the recipe to see its layers."
        )

    def show_proof(self, unchanged: bool, fingerprint: str) -> None:
        """The hash of the frozen part at the end of a phase."""
        self._proof = (unchanged, fingerprint)
        self._show_counts()

    @Slot(m.UpdateRatios)
    def show_learning(self, event: m.UpdateRatios) -> None:
        """How much the layers move, in a training."""
        self._keep_learning(live=True)
        self.model.show_learning(event.rows, event.relative)
        if self.tree.isColumnHidden(LEARNING):
            self.tree.setColumnHidden(LEARNING, False)
            self._room.share()

    def learning_over(self) -> None:
        """The training has ended: what is shown are its last values."""
        self._keep_learning(live=False)

    def _keep_learning(self, live: bool) -> None:
        if self._bars.live != live:
            self._bars.live = live
            self.tree.viewport().update()

    @Slot(object)
    def show_cost(self, cost: m.CostEstimate | None) -> None:
        """What training the ticked layers costs; None: not known."""
        if cost is None:
            self.cost.clear()
            self.cost.setToolTip("")
            return
        once = f" · {duration(cost.prefix_seconds)} once" if cost.prefix_seconds else ""
        self.cost.setText(f"≈ {duration(cost.epoch_seconds)} per epoch{once} · {size(cost.memory)}")
        whole = (
            f"The whole run: {duration(cost.run_seconds)}, if no phase ends early.\n" if cost.run_seconds > 0 else ""
        )
        long = cost.run_seconds > LONG_SECONDS
        self.cost.setStyleSheet(f"color: {self._theme.colors.warning}" if long else "")
        self.cost.setToolTip(whole + _COST_TIP + (_CACHED_TIP if cost.cached else _UNCACHED_TIP))

    @Slot(str)
    def show_withheld(self, why: str) -> None:
        """It is not measured unless the person wants it."""
        self.cost.setText('Measuring ended the engine once. <a href="measure">Measure anyway</a>')
        self.cost.setToolTip(why)

    @Slot()
    def show_measuring(self) -> None:
        """The answer takes a moment, because the model is looked at for the first time."""
        self.cost.setText("measuring what an epoch costs…")
        self.cost.setToolTip("The model runs for a moment on this device, to see how long each layer takes.")

    @Slot()
    def _show_counts(self) -> None:
        learning, total = self._parameters
        if not total:
            for widget in (self.counts, self.note, self.proof):
                widget.clear()
            return
        if self._pending:
            learning = min(self.model.parameters_of(self.model.ticked), total)
        share = learning / total
        percent = "none" if not learning else "under 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
        verb = "will learn" if self._pending else "learn"
        self.counts.setText(f"<b>{count(learning)}</b> of {count(total)} parameters {verb}, {percent}")
        rest = "The rest is frozen and stays as it is." if learning < total else "Nothing is frozen."
        counted = (
            "Requested; the engine applies it as soon as it can." if self._pending else "Counted on the model itself."
        )
        self.counts.setToolTip(f"{counted} {rest}")
        self.note.setText("" if learning else "Nothing would learn: all layers are frozen. Tick at least the head.")
        self.note.setVisible(not learning)
        self._show_proof()

    def _show_proof(self) -> None:
        self.proof.setVisible(self._proof is not None)
        if self._proof is None:
            return
        unchanged, fingerprint = self._proof
        colors = self._theme.colors
        self.proof.setText(f"✓ frozen part unchanged · {fingerprint[:8]}" if unchanged else "✗ frozen part CHANGED")
        self.proof.setStyleSheet(f"color: {colors.good if unchanged else colors.error}")
        self.proof.setToolTip(
            "Every frozen number, running statistics of norms included, was hashed before and after the phase; "
            f"the two fingerprints {'are the same' if unchanged else 'differ'} ({fingerprint})."
        )

    # --- what the person wants --------------------------------------------------------------------------------------

    @Slot(QModelIndex)
    def _toggle(self, index: QModelIndex) -> None:
        if not index.flags() & Qt.ItemFlag.ItemIsUserCheckable:
            return
        number = index.internalId()
        self.model.toggle(number, self.model.check_state(number) != Qt.CheckState.Checked)

    @Slot(int)
    def _preset_chosen(self, _row: int) -> None:
        title = self.preset.currentText()
        if title in PRESETS:
            self.ticks_wanted.emit(PRESETS[title], f"Preset {title}")
