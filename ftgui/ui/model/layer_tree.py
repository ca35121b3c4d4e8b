"""The engine's layer tree as a Qt model. Ticks show what was asked for, marked until the engine has done it."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from ftgui.base.formatting import count, plural, shape
from ftgui.protocol.layer_names import LayerNames
from ftgui.protocol.messages import LayerNode, ModelLoaded

Index = QModelIndex | QPersistentModelIndex

LAYER, OUTPUT, PARAMETERS, LEARNING = range(4)
_HEADERS = ("Layer", "Output", "Params", "Update / weight")

MOVES = Qt.ItemDataRole.UserRole + 1
"""Share of its weights by which a row moves per step, of the column `LEARNING`; None where nothing is known."""

PENDING = Qt.ItemDataRole.UserRole + 2
"""Whether the engine has yet to do what a row's tick asks for."""

TOO_FAST, TOO_SLOW = 1e-1, 1e-6
"""Above: what the weights knew is gone after a few steps. Below: they could as well be frozen."""

_BAR_STEPS = 120
"""Into which a bar of the column is cut: changes that nobody could see are no reason to paint."""

_HEADER_TIPS = {
    OUTPUT: "Shape of the layer's output for one image: height × width × channels.",
    PARAMETERS: "Parameters of the layer and of everything below it. Training changes those of ticked layers.",
    LEARNING: (
        "How far each step moves a layer's weights, compared with their size; the bar is logarithmic, "
        "from a millionth to a tenth.\n"
        "Normal is around 0.1 %, a bar a little over half.\n"
        "Far too high, over 10 % (red, with a sign): features are being destroyed. Lower the learning rate.\n"
        "Far too low, under 0.0001 % (an empty bar): the layer learns nothing. Raise the rate, or freeze the layer."
    ),
}

_EXPLANATIONS = {
    "stem": "The first layers: edges and colours. Almost never worth changing.",
    "stage": "A stage of the backbone. Early ones see textures, late ones parts of things.",
    "neck": "Combines the last stage's features, just before the head.",
    "head": "The new last layer: turns features into your classes. It starts with random weights, so it learns first.",
}


class LayerTreeModel(QAbstractItemModel):
    """Rows are `LayerNode`s; internal ids are their indices."""

    tick_wanted = Signal(list, str)
    """Names of the layers that should learn (and only they), and words for undo."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._nodes: list[LayerNode] = []
        self._names = LayerNames([])
        self._children: list[list[int]] = [[]]
        self._position: list[int] = []
        self._units_below: list[frozenset[int]] = []
        self._ticked: frozenset[int] = frozenset()
        """Units that were asked for."""
        self._learning: frozenset[int] = frozenset()
        """Units that the engine lets learn."""
        self._moves: dict[int, float] = {}
        """As told, of rows that own parameters."""
        self._shown_moves: list[float | None] = []
        """Of every row."""

    # --- what the engine says ---------------------------------------------------------------------------------------

    def show_model(self, model: ModelLoaded | None) -> None:
        """Another model, or none."""
        self.beginResetModel()
        self._nodes = list(model.layers) if model else []
        self._names = LayerNames(self._nodes)
        self._ticked = self._learning = frozenset(model.trainable) if model else frozenset()
        self._children = [[] for _ in range(len(self._nodes) + 1)]
        self._position = []
        for index, node in enumerate(self._nodes):
            siblings = self._children[node.parent]  # -1, the last list, holds the top rows
            self._position.append(len(siblings))
            siblings.append(index)
        below: list[set[int]] = [{i} if node.own_parameters else set() for i, node in enumerate(self._nodes)]
        for index in reversed(range(len(self._nodes))):
            if self._nodes[index].parent >= 0:
                below[self._nodes[index].parent] |= below[index]
        self._units_below = [frozenset(units) for units in below]
        self._moves = {}
        self._shown_moves = [None] * len(self._nodes)
        self.endResetModel()

    def show_ticks(self, ticked: Collection[int], learning: Collection[int]) -> None:
        """Only rows that look different now are repainted.

        Args:
            ticked: units that were asked for.
            learning: units that the engine lets learn.
        """
        before = self._ticked, self._learning
        self._ticked, self._learning = frozenset(ticked), frozenset(learning)
        changed = (before[0] ^ self._ticked) | (before[1] ^ self._learning)
        for index, units in enumerate(self._units_below):
            if units & changed:
                roles = [Qt.ItemDataRole.CheckStateRole, Qt.ItemDataRole.ForegroundRole, PENDING]
                self.dataChanged.emit(self._index(index, LAYER), self._index(index, PARAMETERS), roles)
        if before[1] != self._learning:
            self._update_moves()

    def show_learning(self, rows: list[int], relative: list[float]) -> None:
        """How much rows that own parameters move per step; only cells that look different now are repainted."""
        self._moves = dict(zip(rows, relative, strict=True))
        self._update_moves()

    def _update_moves(self) -> None:
        """A row shows the mean of what learns in it and below, by number of parameters."""
        count = len(self._nodes)
        weights, sums = [0] * count, [0.0] * count
        for row in reversed(range(count)):  # children come after their parents
            node = self._nodes[row]
            if row in self._learning and row in self._moves:
                weights[row] += node.own_parameters
                sums[row] += node.own_parameters * self._moves[row]
            if node.parent >= 0:
                weights[node.parent] += weights[row]
                sums[node.parent] += sums[row]
        before = self._shown_moves
        self._shown_moves = [total / weight if weight else None for total, weight in zip(sums, weights, strict=True)]
        for row, (old, new) in enumerate(zip(before, self._shown_moves, strict=True)):
            if _looks(old) != _looks(new):
                cell = self._index(row, LEARNING)
                self.dataChanged.emit(cell, cell, [MOVES])

    # --- QAbstractItemModel -----------------------------------------------------------------------------------------

    def name_at(self, index: Index) -> str:
        """Of a row."""
        return self._nodes[index.internalId()].name

    def _index(self, node: int, column: int) -> QModelIndex:
        return self.createIndex(self._position[node], column, node)

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's signature
        siblings = self._children[parent.internalId() if parent.isValid() else -1]
        if not (0 <= row < len(siblings) and 0 <= column < len(_HEADERS)):
            return QModelIndex()
        return self.createIndex(row, column, siblings[row])

    def parent(self, index: Index) -> QModelIndex:  # type: ignore[override]
        above = self._nodes[index.internalId()].parent if index.isValid() else -1
        return QModelIndex() if above < 0 else self._index(above, LAYER)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        if parent.isValid() and parent.column() != LAYER:
            return 0
        return len(self._children[parent.internalId() if parent.isValid() else -1])

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: ARG002, B008
        return len(_HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return _HEADER_TIPS.get(section)
        return _HEADERS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == LAYER and self._units_below[index.internalId()]:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        number, column = index.internalId(), index.column()
        node = self._nodes[number]
        if column == LEARNING:
            return self._learning_data(number, role)
        if role == Qt.ItemDataRole.DisplayRole:
            return (node.label, shape(node.output), count(node.parameters) if node.parameters else "")[column]
        if role == Qt.ItemDataRole.CheckStateRole and column == LAYER and self._units_below[number]:
            return self.check_state(number)
        if role == PENDING:
            return self._is_pending(number)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(number)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == LAYER:
            state = {Qt.CheckState.Checked: "learns", Qt.CheckState.Unchecked: "frozen"}.get(
                self.check_state(number), "learns in part"
            )
            asked = ", requested" if self._is_pending(number) else ""
            return f"{node.label}, {state}{asked}, {plural(node.parameters, 'parameter')}"
        return None

    def _learning_data(self, number: int, role: int) -> Any:
        moves = self._shown_moves[number]
        if role == MOVES:
            return moves
        if moves is not None and role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{self._nodes[number].label}: {learning_words(moves)}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        self.toggle(index.internalId(), Qt.CheckState(value) != Qt.CheckState.Unchecked)
        return False  # whoever takes the wish tells by `show_ticks` what is asked for now

    # --- ticks ------------------------------------------------------------------------------------------------------

    def resolve(self, layers: list[str]) -> frozenset[int]:
        """The units that names mean; see `LayerNames.resolve`."""
        return self._names.resolve(layers)

    @property
    def ticked(self) -> frozenset[int]:
        """Units that were asked for."""
        return self._ticked

    def parameters_of(self, units: frozenset[int]) -> int:
        """Numbers in some units."""
        return sum(self._nodes[unit].own_parameters for unit in units)

    def check_state(self, number: int) -> Qt.CheckState:
        """All, none or some of the units of a row are to learn."""
        units = self._units_below[number]
        ticked = units & self._ticked
        if not ticked:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked if ticked == units else Qt.CheckState.PartiallyChecked

    def toggle(self, number: int, learn: bool) -> None:
        """Ask that a row and all below it learn, or freeze, beside what was asked for before."""
        units = self._units_below[number]
        wanted = self._ticked | units if learn else self._ticked - units
        self.tick_wanted.emit(
            self._names.shortest(wanted), f"{'Tick' if learn else 'Untick'} {self._nodes[number].label}"
        )

    def _is_pending(self, number: int) -> bool:
        return bool(self._units_below[number] & (self._ticked ^ self._learning))

    def _tooltip(self, number: int) -> str:
        node = self._nodes[number]
        kind = node.label.split(" ")[0]
        lines = [_EXPLANATIONS[kind]] if node.parent < 0 and kind in _EXPLANATIONS else []
        lines.append(f"{node.name} · {node.kind} · {plural(node.parameters, 'parameter')}")
        lines.append(
            "Ticked layers learn; the others stay exactly as they are." if node.parameters else "Nothing to learn here."
        )
        if self._is_pending(number):
            lines.append("Requested; the engine applies it as soon as it can.")
        return "\n".join(lines)


def bar_position(moves: float) -> float:
    """Where a value lies on the bars' logarithmic scale, 0 to 1."""
    if not moves > TOO_SLOW:
        return 0.0
    return min(math.log(moves / TOO_SLOW) / math.log(TOO_FAST / TOO_SLOW), 1.0)


def learning_words(moves: float) -> str:
    """A value in words, and what is wrong with it if something is."""
    percent = f"{100 * moves:.2g}" if moves < 0.1 else f"{100 * moves:.0f}"
    if moves < TOO_SLOW:
        percent = "less than 0.0001"
    words = f"moves by {percent} % of its weights per step"
    if moves > TOO_FAST:
        return f"{words}. Far too much: pretrained features are being destroyed."
    return f"{words}. It learns next to nothing." if moves < TOO_SLOW else words


def _looks(moves: float | None) -> tuple[int, bool] | None:
    """Two values with the same look need no painting."""
    return None if moves is None else (round(bar_position(moves) * _BAR_STEPS), moves > TOO_FAST)
