"""Everything that is wrong with the dataset, worst first: a click shows the images, a button puts it right."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.formatting import plural
from ftgui.data.catalog.problem_kinds import KINDS, READ_OTHERWISE, Group
from ftgui.data.catalog.query import LIKELY_WRONG
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import label
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

_KIND_ROLE = Qt.ItemDataRole.UserRole
_ACTION_ROLE = Qt.ItemDataRole.UserRole + 1
_SEVERITY_ICONS = {"error": "circle-alert", "warning": "triangle-alert", "info": "info"}


class _Wrapping(QStyledItemDelegate):
    """Rows as high as their text needs: Qt's own hint of a tree's row knows no width to wrap it in."""

    def __init__(self, tree: QTreeWidget) -> None:
        super().__init__(tree)
        self._tree = tree

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        depth = 2 if index.parent().isValid() else 1
        width = self._tree.viewport().width() - depth * self._tree.indentation()
        option.rect = QRect(0, 0, width, 1)
        return QSize(width, super().sizeHint(option, index).height())


class _Tree(QTreeWidget):
    """Wants to be as high as the rows that can be seen."""

    def sizeHint(self) -> QSize:
        tops = [item for row in range(self.topLevelItemCount()) if (item := self.topLevelItem(row)) is not None]
        height = sum(self.visualItemRect(item).height() for item in tops)
        for top in tops:
            children = [top.child(row) for row in range(top.childCount() if top.isExpanded() else 0)]
            height += sum(self.visualItemRect(child).height() for child in children if child is not None)
        return QSize(super().sizeHint().width(), height + 2 if tops else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            # Rows wrap otherwise now.
            self.doItemsLayout()
            self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        return QSize(
            super().minimumSizeHint().width(), min(self.sizeHint().height(), 4 * max(self.sizeHintForRow(0), 1))
        )


class ProblemList(QWidget):
    """One row per kind of problem, below it the files.

    Args:
        theme: for colours.
    """

    chosen = Signal(str)
    """Show the images with this kind of problem; empty: all again."""
    file_chosen = Signal(str, str)
    """Kind, and the path of one of them."""
    read_otherwise = Signal()
    """The person wants to say what says the classes."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._groups: list[Group] = []
        self._chosen = ""
        self._model = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.note = label("", "muted", wrap=True)
        self.tree = _Tree()
        self.tree.setHeaderHidden(True)
        self.tree.setFrameShape(QTreeWidget.Shape.NoFrame)
        self.tree.setIndentation(8)
        self.tree.setAcceptDrops(False)
        self.tree.setWordWrap(True)
        self.tree.setItemDelegate(_Wrapping(self.tree))
        self.tree.setAccessibleName("Problems")
        self.tree.itemClicked.connect(self._clicked)
        self.tree.itemActivated.connect(self._clicked)
        self.tree.itemExpanded.connect(self.tree.updateGeometry)
        self.tree.itemCollapsed.connect(self.tree.updateGeometry)
        # No higher than its rows: what it does not need, the classes above it can use.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.tree.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout.addWidget(self.note)
        layout.addWidget(self.tree, 1)
        theme.changed.connect(self._fill)

    def show_groups(self, groups: list[Group], note: str, chosen: str, model: str = "") -> None:
        """Problems, what to say above them, which kind's images are shown, and which model says that labels are wrong."""
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self._chosen = chosen
        if (groups, model) != (self._groups, self._model):
            self._groups, self._model = groups, model
            self._fill()
        for item in self._tops():
            item.setSelected(item.data(0, _KIND_ROLE) == chosen)

    def _tops(self) -> list[QTreeWidgetItem]:
        items = (self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount()))
        return [item for item in items if item is not None]

    @Slot()
    def _fill(self) -> None:
        colors = self._theme.colors
        dots = {"error": colors.error, "warning": colors.warning, "info": colors.muted}
        tree = self.tree
        open_kinds = {item.data(0, _KIND_ROLE) for item in self._tops() if item.isExpanded()}
        first = not tree.topLevelItemCount()
        tree.clear()
        for group in self._groups:
            kind = KINDS[group.kind]
            top = QTreeWidgetItem([f"{plural(group.count, kind.noun)} {kind.words}"])
            top.setIcon(0, icons.icon(_SEVERITY_ICONS[kind.severity], dots[kind.severity], 14))
            top.setData(0, _KIND_ROLE, group.kind)
            how = "\nClick to see the images." if group.images else ""
            who = f"\nAccording to {self._model}." if group.kind == LIKELY_WRONG and self._model else ""
            if who:
                top.setText(0, f"{top.text(0)} · {self._model}")
            top.setToolTip(0, as_plain(f"{top.text(0)}\n{kind.teaches}\n{kind.fix}".strip() + who + how))
            for problem in group.examples:
                child = QTreeWidgetItem([problem.path or problem.message])
                child.setData(0, _KIND_ROLE, group.kind)
                child.setToolTip(0, as_plain(f"{problem.path}\n{problem.message}\n{problem.fix}".strip()))
                top.addChild(child)
            if kind.action == READ_OTHERWISE:
                way_out = QTreeWidgetItem(["Read it another way…"])
                way_out.setData(0, _KIND_ROLE, group.kind)
                way_out.setData(0, _ACTION_ROLE, kind.action)
                way_out.setToolTip(0, kind.fix)
                top.addChild(way_out)
            if group.count > len(group.examples):
                top.addChild(QTreeWidgetItem([f"and {group.count - len(group.examples):,} more"]))
            tree.addTopLevelItem(top)
            # What was decided without asking is to be seen without a click.
            top.setExpanded(group.kind in open_kinds or (kind.action == READ_OTHERWISE and first))
        tree.updateGeometry()

    @Slot(QTreeWidgetItem)
    def _clicked(self, item: QTreeWidgetItem) -> None:
        kind = item.data(0, _KIND_ROLE)
        if item.data(0, _ACTION_ROLE):
            self.read_otherwise.emit()
            return
        group = next((group for group in self._groups if group.kind == kind), None)
        parent = item.parent()
        if group is None or not group.images:
            if parent is None:
                item.setExpanded(not item.isExpanded())
            return
        if parent is not None:
            self.file_chosen.emit(kind, group.examples[parent.indexOfChild(item)].path)
            return
        self._chosen = "" if kind == self._chosen else kind
        item.setSelected(bool(self._chosen))
        self.chosen.emit(self._chosen)
