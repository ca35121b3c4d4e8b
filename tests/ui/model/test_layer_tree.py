"""Ticks by mouse and keyboard ask; the tree shows what was asked for, marked until the engine has done it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from ftgui.base.formatting import count, plural, shape
from ftgui.protocol import messages as m
from ftgui.protocol.rates import rate
from ftgui.ui.model.layer_panel import LayerPanel
from ftgui.ui.model.layer_tree import PENDING, LayerTreeModel
from tests.ui.fake_engine import loaded

pytestmark = pytest.mark.slow


@pytest.fixture
def panel(qtbot, theme) -> LayerPanel:
    made = LayerPanel(theme)
    qtbot.addWidget(made)
    made.resize(380, 500)
    made.show()
    made.show_model(loaded([5]))
    made.tree.expandAll()
    return made


def index_of(model: LayerTreeModel, label: str) -> QModelIndex:
    return model.match(model.index(0, 0), Qt.ItemDataRole.DisplayRole, label, 1, Qt.MatchFlag.MatchRecursive)[0]


def click_tick(qtbot, panel: LayerPanel, label: str) -> None:
    index = index_of(panel.model, label)
    option = QStyleOptionViewItem()
    panel.tree.initViewItemOption(option)
    option.rect = panel.tree.visualRect(index)
    panel.tree.itemDelegate().initStyleOption(option, index)
    box = panel.tree.style().subElementRect(QStyle.SubElement.SE_ItemViewItemCheckIndicator, option, panel.tree)
    qtbot.mouseClick(panel.tree.viewport(), Qt.MouseButton.LeftButton, pos=box.center())


def state(panel: LayerPanel, label: str) -> Qt.CheckState:
    return Qt.CheckState(index_of(panel.model, label).data(Qt.ItemDataRole.CheckStateRole))


def test_the_model_is_a_proper_one(panel: LayerPanel) -> None:
    QAbstractItemModelTester(panel.model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    panel.model.show_ticks({0, 5}, {5})
    panel.model.show_model(None)
    panel.model.show_model(loaded([2]))


def test_ticks_are_three_valued(panel: LayerPanel) -> None:
    panel.model.show_ticks({2, 5}, {2, 5})
    assert state(panel, "stage 1") == Qt.CheckState.PartiallyChecked
    assert state(panel, "block 0") == Qt.CheckState.Checked
    assert state(panel, "block 1") == Qt.CheckState.Unchecked
    panel.model.show_ticks({2, 3, 4}, {2, 3, 4})
    assert state(panel, "stage 1") == Qt.CheckState.Checked
    panel.model.show_ticks({3}, {3})
    assert state(panel, "block 1") == Qt.CheckState.PartiallyChecked


def test_a_click_asks_and_changes_nothing_by_itself(qtbot, panel: LayerPanel) -> None:
    with qtbot.waitSignal(panel.ticks_wanted) as asked:
        click_tick(qtbot, panel, "stage 1")
    assert asked.args == [["stage 1", "head"], "Tick stage 1"]
    assert state(panel, "stage 1") == Qt.CheckState.Unchecked


def test_a_click_on_a_part_ticked_row_ticks_all_of_it(qtbot, panel: LayerPanel) -> None:
    panel.model.show_ticks({2, 5}, {2, 5})
    with qtbot.waitSignal(panel.ticks_wanted) as asked:
        click_tick(qtbot, panel, "stage 1")
    assert asked.args[0] == ["stage 1", "head"]


def test_space_ticks_from_any_column(qtbot, panel: LayerPanel) -> None:
    panel.tree.setCurrentIndex(index_of(panel.model, "head").siblingAtColumn(2))
    with qtbot.waitSignal(panel.ticks_wanted) as asked:
        qtbot.keyClick(panel.tree, Qt.Key.Key_Space)
    assert asked.args == [[], "Untick head"]


def test_what_was_asked_for_is_marked_until_the_engine_has_done_it(panel: LayerPanel) -> None:
    def look(label: str) -> tuple[Qt.CheckState, bool]:
        return state(panel, label), bool(index_of(panel.model, label).data(PENDING))

    panel.show_ticks(frozenset({0}), frozenset({5}))
    assert look("stem") == (Qt.CheckState.Checked, True) and look("head") == (Qt.CheckState.Unchecked, True)
    assert look("stage 1") == (Qt.CheckState.Unchecked, False)
    assert "requested" in index_of(panel.model, "stem").data(Qt.ItemDataRole.AccessibleTextRole)
    assert "<b>10</b> of 66 parameters will learn" in panel.counts.text()
    panel.show_freezing(m.FreezingChanged(1, [0], ["stem"], 10, 66))
    panel.show_ticks(frozenset({0}), frozenset({0}))
    assert look("stem") == (Qt.CheckState.Checked, False) and look("head") == (Qt.CheckState.Unchecked, False)
    assert "<b>10</b> of 66 parameters learn" in panel.counts.text()


def test_typing_leads_nowhere(qtbot, panel: LayerPanel) -> None:
    """Where Space ticks, letters before it must not have chosen another layer."""
    panel.tree.setFocus()
    panel.tree.setCurrentIndex(index_of(panel.model, "stem"))
    qtbot.keyClicks(panel.tree, "head")
    assert panel.tree.currentIndex().data() == "stem"


def test_counts_are_the_engines_and_nothing_ticked_says_why(panel: LayerPanel) -> None:
    panel.show_freezing(m.FreezingChanged(1, [5], ["head"], 2562, 3_373_570))
    assert "<b>2.6 k</b> of 3.37 M" in panel.counts.text()
    assert panel.counts.text().endswith("parameters learn, under 1 %") and panel.note.isHidden()
    panel.show_freezing(m.FreezingChanged(2, [], [], 0, 3_373_570))
    assert "Nothing would learn: all layers are frozen" in panel.note.text()


def test_the_proof_is_shown_and_goes_with_the_next_tick(panel: LayerPanel) -> None:
    panel.show_proof(True, "abcdef0123456789")
    assert panel.proof.text() == "✓ frozen part unchanged · abcdef01"
    panel.show_freezing(m.FreezingChanged(0, [5], ["head"], 6, 66))
    assert panel.proof.isVisible()
    panel.show_freezing(m.FreezingChanged(3, [5], ["head"], 6, 66))
    assert panel.proof.isVisible(), "the same layers: what was proved still holds"
    panel.show_freezing(m.FreezingChanged(4, [0, 5], ["stem", "head"], 16, 66))
    assert not panel.proof.isVisible()


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        ({5}, "Head"),
        ({2, 3, 4, 5}, "Last stage + head"),
        ({2, 3, 4}, "Your ticks"),
        ({0, 2, 3, 4, 5}, "Everything"),
        ({0, 5}, "Your ticks"),
        (set(), "Your ticks"),
    ],
)
def test_the_preset_box_follows_the_ticks(panel: LayerPanel, units: set[int], shown: str) -> None:
    panel.show_ticks(frozenset(units), frozenset({5}))
    assert panel.preset.currentText() == shown


def test_choosing_a_preset_asks(qtbot, panel: LayerPanel) -> None:
    panel.preset.setFocus()
    with qtbot.waitSignal(panel.ticks_wanted) as asked:
        panel.preset.setCurrentText("Everything")
        panel.preset.activated.emit(panel.preset.currentIndex())
    assert asked.args == [["everything"], "Preset Everything"]


def test_words() -> None:
    assert [count(n) for n in (928, 1400, 999_949, 999_950, 1_652_640)] == [
        "928",
        "1.4 k",
        "999.9 k",
        "1.00 M",
        "1.65 M",
    ]
    assert [rate(r) for r in (1e-3, 3.2e-4, 0.5, 1.0)] == ["1e-3", "3.2e-4", "5e-1", "1e0"]
    assert shape([32, 112, 112]) == "112×112×32" and shape([197, 192]) == "197×192" and shape([]) == ""
    assert [plural(1, "class"), plural(2, "class"), plural(2062, "image")] == ["1 class", "2 classes", "2,062 images"]
