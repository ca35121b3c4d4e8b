"""How much each layer learns: the column comes with the first figures, fits, and paints only what changed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QStyleOptionViewItem

from ftgui.protocol import messages as m
from ftgui.ui.model.layer_panel import LayerPanel
from ftgui.ui.model.layer_tree import LEARNING, MOVES, OUTPUT, bar_position, learning_words
from ftgui.ui.toolkit.theme import Colors, Theme
from tests.ui.fake_engine import UNITS, FakeEngine, loaded
from tests.ui.model.test_layer_tree import index_of
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


@pytest.fixture
def panel(qtbot, theme) -> LayerPanel:
    made = LayerPanel(theme)
    qtbot.addWidget(made)
    made.resize(380, 500)
    made.show()
    made.show_model(loaded(UNITS))
    made.tree.expandAll()
    return made


def moves(panel: LayerPanel, label: str) -> float | None:
    return index_of(panel.model, label).siblingAtColumn(LEARNING).data(MOVES)


def painted(panel: LayerPanel, label: str, colors: Colors) -> QImage:
    index = index_of(panel.model, label).siblingAtColumn(LEARNING)
    image = QImage(62, 25, QImage.Format.Format_RGB32)
    image.fill(QColor(colors.card))
    option = QStyleOptionViewItem()
    panel.tree.initViewItemOption(option)
    option.rect = image.rect()
    painter = QPainter(image)
    panel.tree.itemDelegateForColumn(LEARNING).paint(painter, option, index)
    painter.end()
    return image


def pixels(image: QImage, color: str) -> int:
    wanted = QColor(color).rgb()
    return sum(image.pixel(x, y) == wanted for x in range(image.width()) for y in range(image.height()))


def test_the_column_comes_with_the_first_figures_and_goes_with_the_model(panel: LayerPanel) -> None:
    assert panel.tree.isColumnHidden(LEARNING)
    panel.show_learning(m.UpdateRatios(1, [5], [1e-3]))
    assert not panel.tree.isColumnHidden(LEARNING)
    panel.learning_over()
    assert not panel.tree.isColumnHidden(LEARNING)
    panel.show_model(loaded([5]))
    assert panel.tree.isColumnHidden(LEARNING) and moves(panel, "head") is None


def test_inner_rows_show_the_mean_by_parameters_of_what_learns(panel: LayerPanel) -> None:
    panel.model.show_learning([2, 3, 4], [1e-3, 4e-3, 2e-3])
    assert moves(panel, "block 0") == 1e-3
    assert moves(panel, "conv") == 2e-3
    assert moves(panel, "block 1") == pytest.approx((5 * 4e-3 + 25 * 2e-3) / 30)
    assert moves(panel, "stage 1") == pytest.approx((20 * 1e-3 + 5 * 4e-3 + 25 * 2e-3) / 50)
    assert moves(panel, "stem") is None


def test_frozen_rows_show_nothing(panel: LayerPanel) -> None:
    panel.model.show_learning([0, 2, 5], [1e-3, 2e-3, 3e-3])
    panel.model.show_ticks({2, 5}, {2, 5})
    assert moves(panel, "stem") is None and moves(panel, "stage 1") == 2e-3


def test_only_cells_that_look_different_are_repainted(qtbot, panel: LayerPanel) -> None:
    panel.model.show_learning([0, 5], [1e-3, 1e-2])
    changed: list[tuple[QModelIndex, QModelIndex]] = []
    panel.model.dataChanged.connect(lambda first, last, _roles: changed.append((first, last)))
    panel.model.show_learning([0, 5], [1e-3, 1.001e-2])
    assert changed == [], "nobody could see that"
    panel.model.show_learning([0, 5], [1e-3, 5e-2])
    assert changed == [(index_of(panel.model, "head").siblingAtColumn(LEARNING),) * 2]
    assert moves(panel, "head") == pytest.approx(5e-2)


def test_the_scale_is_logarithmic() -> None:
    assert [bar_position(value) for value in (0, 1e-7, 1e-6)] == [0, 0, 0]
    assert bar_position(1e-3) == pytest.approx(0.6)
    assert bar_position(1e-1) == bar_position(5.0) == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.2e-3, "moves by 0.12 % of its weights per step"),
        (0.0999, "moves by 10 % of its weights per step"),
        (0.31, "moves by 31 % of its weights per step. Far too much: pretrained features are being destroyed."),
        (1e-9, "moves by less than 0.0001 % of its weights per step. It learns next to nothing."),
    ],
)
def test_the_tooltip_says_the_number(panel: LayerPanel, value: float, words: str) -> None:
    assert learning_words(value) == words
    panel.model.show_learning([5], [value])
    cell = index_of(panel.model, "head").siblingAtColumn(LEARNING)
    assert cell.data(Qt.ItemDataRole.ToolTipRole) == cell.data(Qt.ItemDataRole.AccessibleTextRole) == f"head: {words}"


def test_bars_grow_with_the_value_and_grey_after_the_run(panel: LayerPanel, theme: Theme) -> None:
    colors = theme.colors
    panel.show_learning(m.UpdateRatios(1, [0, 5], [1e-5, 1e-2]))
    slow, fast = (
        pixels(painted(panel, "stem", colors), colors.second),
        pixels(painted(panel, "head", colors), colors.second),
    )
    assert 0 < slow < fast / 2
    assert pixels(painted(panel, "stage 1", colors), colors.track) == 0, "a frozen row has not even an empty bar"
    panel.learning_over()
    over = painted(panel, "head", colors)
    assert pixels(over, colors.second) == 0 and pixels(over, colors.muted) == fast


def test_too_fast_has_a_sign_besides_its_colour(panel: LayerPanel, theme: Theme) -> None:
    colors = theme.colors
    panel.show_learning(m.UpdateRatios(1, [5], [0.5]))
    image = painted(panel, "head", colors)
    sign, gap = image.copy(44, 0, 18, 25), image.copy(43, 0, 1, 25)
    assert sign.size().width() * 25 - pixels(sign, colors.card) > 30, "something is drawn there"
    assert pixels(gap, colors.card) == 25, "apart from the bar"
    assert pixels(image.copy(0, 0, 43, 25), colors.error) > 100
    panel.learning_over()
    assert pixels(painted(panel, "head", colors), colors.error) == 0


def test_the_output_makes_room_in_a_narrow_column_only(qtbot, panel: LayerPanel) -> None:
    panel.resize(300, 500)
    panel.show_learning(m.UpdateRatios(1, [5], [1e-3]))
    assert panel.tree.isColumnHidden(OUTPUT)
    qtbot.waitUntil(lambda: panel.tree.columnWidth(0) >= panel.tree.sizeHintForColumn(0))
    panel.resize(700, 500)
    qtbot.waitUntil(lambda: not panel.tree.isColumnHidden(OUTPUT))


def test_the_header_teaches(panel: LayerPanel) -> None:
    tip = panel.model.headerData(LEARNING, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    assert all(word in tip for word in ("Normal", "too high", "destroyed", "too low", "nothing"))


def test_a_run_shows_it_and_its_end_greys_it(qtbot, window, fake: FakeEngine, make_dataset) -> None:
    open_project(qtbot, window, fake, make_dataset())
    delegate = window.layers.tree.itemDelegateForColumn(LEARNING)
    window.workspace.training_requests.learning.emit(m.UpdateRatios(1, [5], [1e-3]))
    assert not window.layers.tree.isColumnHidden(LEARNING) and delegate.live
    window.workspace.training.event_arrived.emit(None)
    assert not delegate.live
