"""Finding a model among two thousand, knowing what one gets, and saying where weights may come from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit

from ftgui.data.model_zoo import GOOD_FIRST_CHOICES, KnownModel, find, known_models
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from ftgui.ui.engine_client import download_settings
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.model.model_chooser import ModelChooser
from ftgui.ui.model.model_table import LICENCE, NAME, PARAMETERS, WEIGHTS, ModelTable
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.toolkit.theme import Theme
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_weights_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))


@pytest.fixture
def chooser(window: MainWindow, fake: FakeEngine) -> Iterator[ModelChooser]:
    fake.become_ready()
    window.dialogs.choose_model()
    made = window.findChild(ModelChooser)
    assert made is not None
    yield made
    if shiboken6.isValid(made):  # it is deleted when it closes
        made.close()


def models(table: ModelTable) -> list[str]:
    return [row.name for row in table.rows if isinstance(row, KnownModel)]


def chosen(fake: FakeEngine) -> Backbone:
    return fake.last(m.LoadModel).backbone


# --- finding --------------------------------------------------------------------------------------------------------


def test_a_stranger_sees_good_choices_first(chooser: ModelChooser) -> None:
    assert chooser.model.rows[0] == "Good first choices"
    assert models(chooser.model)[: len(GOOD_FIRST_CHOICES)] == list(GOOD_FIRST_CHOICES)
    assert f"All {len(known_models()):,} models" in chooser.model.rows
    assert chooser.selected is not None and chooser.selected.name == "tf_efficientnet_lite0"
    assert chooser.words.text().startswith("Good first choice")
    assert "come with ftgui" in chooser.facts.text() and "Apache-2.0" in chooser.facts.text()


def test_words_in_any_order_match_name_licence_and_data_set(chooser: ModelChooser) -> None:
    chooser.search.setText("in12k Apache TINY convnext")
    assert models(chooser.model)[0] == "convnext_tiny.in12k_ft_in1k"
    assert all("convnext" in name and "tiny" in name for name in models(chooser.model))
    chooser.search.setText("imagenet-22k cc-by-nc")
    assert models(chooser.model) and all(find(n).licence.startswith("CC-BY-NC") for n in models(chooser.model))
    assert chooser.found.text().startswith(f"{len(models(chooser.model)):,} of ")


def test_a_name_typed_in_full_comes_first(chooser: ModelChooser) -> None:
    chooser.search.setText("resnet34")  # no good first choice; torchvision/resnet34 stands before it in the list
    assert chooser.selected.name == "resnet34.a1_in1k"
    chooser.search.setText("torchvision/resnet50")
    assert chooser.selected.name == "torchvision/resnet50"


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("here", lambda model: model.name == "tf_efficientnet_lite0"),
        ("torchvision", lambda model: model.name.startswith("torchvision/")),
        ("timm", lambda model: not model.name.startswith("torchvision/")),
        ("commercial", lambda model: model.licence in ("Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0")),
        ("small", lambda model: model.parameters < 10_000_000),
    ],
)
def test_chips_filter(chooser: ModelChooser, key: str, right) -> None:
    chooser.chips[key].click()
    assert set(models(chooser.model)) == {model.name for model in known_models() if right(model)}
    chooser.chips[key].click()
    assert chooser.model.found == len(known_models())


def test_a_header_sorts_and_the_third_click_brings_the_groups_back(chooser: ModelChooser) -> None:
    header = chooser.table.horizontalHeader()

    def click() -> None:
        middle = header.sectionViewportPosition(PARAMETERS) + 20
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(middle, 8))

    click()
    sizes = [row.parameters for row in chooser.model.rows]
    assert sizes == sorted(sizes) and len(sizes) == len(known_models())
    click()
    assert [row.parameters for row in chooser.model.rows] == sizes[::-1]
    click()
    assert chooser.model.rows[0] == "Good first choices"


@pytest.mark.parametrize("column", [NAME, LICENCE, WEIGHTS])
def test_every_column_sorts(chooser: ModelChooser, column: int) -> None:
    chooser.model.sort(column)
    first = chooser.model.rows[0]
    assert {NAME: "aimv2", LICENCE: "", WEIGHTS: "tf_efficientnet_lite0"}[column] in first.name
    assert column != LICENCE or first.licence


def test_filtering_is_quick(chooser: ModelChooser) -> None:
    words = ["r", "re", "res", "resn", "resnet 1k", "", "vit apache", "e", "nothing at all"]
    started = time.perf_counter()
    for word in words:
        chooser.search.setText(word)
    each = (time.perf_counter() - started) / len(words)
    print(f"{each * 1000:.1f} ms for each change of the search")
    assert each < 0.05


# --- choosing -------------------------------------------------------------------------------------------------------


def test_keyboard_alone_chooses(chooser: ModelChooser, fake: FakeEngine) -> None:
    QTest.keyClicks(chooser.search, "resnet18")
    QTest.keyClick(chooser.search, Qt.Key.Key_Down)
    assert chooser.focusWidget() is chooser.table
    QTest.keyClick(chooser.table, Qt.Key.Key_Down)
    second = models(chooser.model)[1]
    assert chooser.selected.name == second
    loads = len([command for command in fake.sent if isinstance(command, m.LoadModel)])
    QTest.keyClick(chooser.table, Qt.Key.Key_Return)
    assert chosen(fake) == Backbone(name=second) and download_settings.recent_models() == [second]
    assert len([command for command in fake.sent if isinstance(command, m.LoadModel)]) == loads + 1
    assert not shiboken6.isValid(chooser) or not chooser.isVisible()


def test_arrow_keys_pass_over_headings(chooser: ModelChooser) -> None:
    chooser.table.setFocus()
    last_good = len(GOOD_FIRST_CHOICES)
    chooser.table.setCurrentIndex(chooser.model.index(last_good, 0))
    QTest.keyClick(chooser.table, Qt.Key.Key_Down)
    assert chooser.selected is not None and chooser.table.currentIndex().row() == last_good + 2


def test_typing_in_the_list_goes_on_in_the_search(chooser: ModelChooser) -> None:
    chooser.table.setFocus()
    QTest.keyClick(chooser.table, Qt.Key.Key_V)
    assert chooser.search.text() == "v" and chooser.focusWidget() is chooser.search


def test_recent_ones_come_first_next_time(window: MainWindow, chooser: ModelChooser, fake: FakeEngine) -> None:
    for name in ("resnet18.a1_in1k", "torchvision/vgg11", "resnet18.a1_in1k"):
        download_settings.note_recent(name)
    again = ModelChooser(Backbone(), [], window.theme, window)
    assert again.model.rows[0] == "Recently used"
    assert models(again.model)[:2] == ["resnet18.a1_in1k", "torchvision/vgg11"]
    again.search.setText("vgg")
    assert models(again.model)[0] == "torchvision/vgg11"
    again.deleteLater()


def test_a_name_that_is_not_in_the_list_can_be_used(chooser: ModelChooser, fake: FakeEngine) -> None:
    chooser.search.setText("resnet50.next_year")
    assert chooser.selected is None and "Not in ftgui's list" in chooser.words.text()
    chooser.use.click()
    assert chosen(fake) == Backbone(name="resnet50.next_year")


def test_nothing_found_by_filters_alone_can_not_be_used(chooser: ModelChooser) -> None:
    for key in ("torchvision", "timm"):
        chooser.chips[key].click()
    assert chooser.model.found == 0 and not chooser.use.isEnabled()


def test_a_model_without_weights_is_from_scratch_and_the_next_one_is_not(chooser: ModelChooser) -> None:
    nameless = next(model.name for model in known_models() if not model.place and model.megabytes == 0)
    chooser.search.setText(nameless)
    assert chooser.weights.currentText() == "From scratch" and "do not exist" in chooser.facts.text()
    chooser.search.setText("resnet50")
    assert chooser.weights.currentText() == "Pretrained weights"


def test_from_scratch_stays_chosen(chooser: ModelChooser, fake: FakeEngine) -> None:
    chooser.weights.setCurrentIndex(1)
    chooser.weights.activated.emit(1)
    chooser.search.setText("resnet18")
    chooser.use.click()
    assert chosen(fake) == Backbone(name="resnet18.a1_in1k", weights="none")


def test_the_present_model_is_selected(window: MainWindow, theme: Theme) -> None:
    for name, selected in (("resnet50", "resnet50.a1_in1k"), ("torchvision/vgg11", "torchvision/vgg11")):
        made = ModelChooser(Backbone(name=name, weights="none"), [], theme, window)
        assert made.selected.name == selected and made.weights.currentText() == "From scratch"
        made.deleteLater()


def test_a_non_commercial_licence_is_said_in_full(chooser: ModelChooser) -> None:
    chooser.search.setText("torchvision/vit_h_14")
    assert "CC-BY-NC-4.0 — not for commercial use" in chooser.facts.text()
    assert "to download, 2.5 GB" in chooser.facts.text()


def test_everything_has_a_name_and_a_tooltip(chooser: ModelChooser) -> None:
    chooser.options.setChecked(True)
    for kind in (QAbstractButton, QLineEdit, QComboBox):
        for widget in chooser.findChildren(kind):
            if widget.isVisibleTo(chooser) and not isinstance(widget.parent(), QComboBox | QLineEdit):
                assert widget.accessibleName(), widget
                assert widget.toolTip(), widget


# --- downloads ------------------------------------------------------------------------------------------------------


def test_download_settings_reach_the_engine_now_and_at_the_next_start(
    window: MainWindow, chooser: ModelChooser, fake: FakeEngine
) -> None:
    assert fake.last(m.Configure) == m.Configure()
    chooser.options.setChecked(True)
    chooser.downloads.offline.click()
    chooser.downloads.hub_mirror.setText(" https://mirror.example ")
    chooser.downloads.hub_mirror.editingFinished.emit()
    wanted = m.Configure(offline=True, hub_mirror="https://mirror.example")
    assert fake.last(m.Configure) == wanted
    fake.sent.clear()
    fake.state(EngineKind.NOT_STARTED)
    fake.become_ready()
    assert fake.sent[0] == wanted, "the engine must know before it is asked for a model"


def test_enter_in_an_address_settles_it_and_chooses_nothing(chooser: ModelChooser, fake: FakeEngine) -> None:
    chooser.options.setChecked(True)
    QTest.keyClicks(chooser.downloads.torchvision_mirror, "http://here")
    QTest.keyClick(chooser.downloads.torchvision_mirror, Qt.Key.Key_Return)
    assert fake.last(m.Configure).torchvision_mirror == "http://here"
    assert chooser.isVisible() and fake.sent[-1] == fake.last(m.Configure)


def test_what_is_no_address_is_not_sent(chooser: ModelChooser, fake: FakeEngine) -> None:
    before = len(fake.sent)
    chooser.options.setChecked(True)
    chooser.downloads.hub_mirror.setText("mirror")
    chooser.downloads.hub_mirror.editingFinished.emit()
    assert len(fake.sent) == before and "“mirror” is not a web address" in chooser.downloads.problem.text()


def test_a_download_shows_megabytes_and_can_be_cancelled(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset
) -> None:
    open_project(qtbot, window, fake, make_dataset())
    workspace, status = window.workspace, window.status
    before = workspace.recipe.backbone
    workspace.model.choose_backbone(Backbone(name="resnet50"))
    fake.tell(m.Progress("downloading resnet50", 12_000_000, 98_000_000, "bytes", fake.last(m.LoadModel).request))
    assert status.left.text() == "downloading resnet50 · 12 of 98 MB"
    assert "still loading" in workspace.readiness.obstacles()[-1].message
    assert status.cancel.isVisible() and abs(status.bar.value - 12 / 98) < 1e-6
    status.cancel.click()
    assert fake.last(m.CancelRequest)
    why = "The download was cancelled; the model before stays."
    fake.tell(m.CommandFailed(fake.last(m.LoadModel).request, why))
    assert not status.cancel.isVisible() and status.text.text() == why
    assert status.severity == "info" and workspace.recipe.backbone == before
    assert not any("loading" in obstacle.message for obstacle in workspace.readiness.obstacles())


def test_cancelling_never_stops_a_training(window: MainWindow, fake: FakeEngine) -> None:
    fake.become_ready()
    fake.state(EngineKind.TRAINING)
    window.workspace.cancel()
    assert not any(isinstance(command, m.CancelRequest) for command in fake.sent)
