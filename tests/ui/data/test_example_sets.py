"""Choosing an example set in the window, and what happens while it is on its way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QTableView

from ftgui.data.example_sets import EXAMPLE_SETS, ExampleSet, find
from ftgui.protocol import messages as m
from ftgui.ui.data.example_sets_dialog import ExampleDialog
from ftgui.ui.data.example_sets_table import CLASSES, NAME, SIZE
from ftgui.ui.engine_client import download_settings
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import picture
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


def known(name: str) -> ExampleSet:
    found = find(name)
    assert found is not None
    return found


def make(name: str) -> Path:
    """As the engine leaves a finished set."""
    folder = known(name).folder
    for class_name in ("banded", "woven"):
        (folder / "train" / class_name).mkdir(parents=True)
        for number in range(3):
            picture((90, 80, 120), number, (24, 20)).save(folder / "train" / class_name / f"{number}.jpg")
    return folder


def action(window: MainWindow, text: str) -> QAction:
    return next(action for action in window.actions() if action.text() == text)


@pytest.fixture
def dialog(window: MainWindow, fake: FakeEngine) -> Iterator[ExampleDialog]:
    fake.become_ready()
    next(button for button in window.findChildren(QAbstractButton) if button.text() == "Example sets…").click()
    made = window.findChild(ExampleDialog)
    assert made is not None
    yield made
    if shiboken6.isValid(made):  # it is deleted when it closes
        made.close()


def choose(dialog: ExampleDialog, name: str) -> None:
    dialog.table.setCurrentIndex(dialog.model.index(dialog.model.row_of(known(name)), NAME))
    dialog.use.click()


# --- the list -------------------------------------------------------------------------------------------------------


def test_each_set_says_what_it_is(dialog: ExampleDialog) -> None:
    assert dialog.model.rows == list(EXAMPLE_SETS) and dialog.selected == EXAMPLE_SETS[0]
    for row, example in enumerate(EXAMPLE_SETS):
        dialog.table.selectRow(row)
        assert dialog.name.text() == example.title and dialog.teaches.text() == example.teaches
        for word in (f"{example.classes:,} class", f"{example.images:,} image", example.licence, example.splits):
            assert word in dialog.facts.text()
    assert dialog.use.text() == "Download and open"


def test_words_in_any_order_find(dialog: ExampleDialog) -> None:
    dialog.search.setText("MIT satellite")
    assert [row.name for row in dialog.model.rows] == ["EuroSAT"] and dialog.selected == known("EuroSAT")
    dialog.search.setText("nothing like it")
    assert dialog.selected is None and not dialog.use.isEnabled()
    assert dialog.name.text() == "No set matches all of these words"


@pytest.mark.parametrize(
    ("column", "first", "last"),
    [(NAME, "DTD", "SVHN"), (CLASSES, "Imagenette", "Flowers102"), (SIZE, "MNIST", "Food101")],
)
def test_columns_sort(dialog: ExampleDialog, column: int, first: str, last: str) -> None:
    dialog.table.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    assert (dialog.model.rows[0].name, dialog.model.rows[-1].name) == (first, last)
    dialog.table.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    assert dialog.model.rows[0].name == last


def test_the_keyboard_is_enough(dialog: ExampleDialog, fake: FakeEngine) -> None:
    dialog.search.setFocus()
    QTest.keyClick(dialog.search, Qt.Key.Key_Down)
    assert dialog.table.hasFocus() and dialog.selected == EXAMPLE_SETS[0]
    QTest.keyClick(dialog.table, Qt.Key.Key_Down)
    assert dialog.selected == EXAMPLE_SETS[1]
    QTest.keyClicks(dialog.table, "pets")
    assert dialog.search.text() == "pets" and dialog.selected == known("OxfordIIITPet")
    QTest.keyClick(dialog.search, Qt.Key.Key_Return)
    assert fake.last(m.DownloadExampleSet).name == "OxfordIIITPet"


def test_everything_has_a_name_and_a_tooltip(dialog: ExampleDialog) -> None:
    for kind in (QAbstractButton, QLineEdit, QTableView):
        for widget in dialog.findChildren(kind):
            if widget.isVisible():
                inner = isinstance(
                    widget.parent(), QLineEdit | QTableView
                )  # Qt's own: the cross that clears, the corner
                assert inner or widget.accessibleName(), widget
                assert inner or isinstance(widget, QTableView) or widget.toolTip(), widget


def test_it_fits_a_small_window(dialog: ExampleDialog) -> None:
    dialog.resize(dialog.minimumSizeHint())
    assert dialog.width() <= 700 and dialog.height() <= 480


# --- the network ----------------------------------------------------------------------------------------------------


def test_offline_says_what_to_do_and_lets_what_is_here_be_opened(
    window: MainWindow, fake: FakeEngine, dialog: ExampleDialog
) -> None:
    dialog.close()
    make("DTD")
    download_settings.keep_download_settings(m.Configure(offline=True))
    action(window, "Example sets…").trigger()
    again = window.findChildren(ExampleDialog)[-1]
    assert not again.use.isEnabled() and "never use the network" in again.why_not.text()
    again.table.setCurrentIndex(again.model.index(again.model.row_of(known("DTD")), NAME))
    assert again.use.isEnabled() and again.use.text() == "Open" and not again.why_not.isVisible()
    again.options.click()
    again.downloads.offline.click()
    assert fake.last(m.Configure) == m.Configure(offline=False)
    again.table.selectRow(0)
    assert again.use.isEnabled() and not again.why_not.isVisible()
    again.close()


def test_what_is_here_opens_without_the_engine(
    qtbot, window: MainWindow, fake: FakeEngine, dialog: ExampleDialog
) -> None:
    folder = make("DTD")
    with qtbot.waitSignal(window.workspace.project_changed):
        choose(dialog, "DTD")
    assert window.workspace.catalog.root == folder
    assert not any(isinstance(command, m.DownloadExampleSet) for command in fake.sent)


# --- on its way -----------------------------------------------------------------------------------------------------


def on_its_way(dialog: ExampleDialog, fake: FakeEngine, name: str = "DTD") -> m.DownloadExampleSet:
    choose(dialog, name)
    command = fake.last(m.DownloadExampleSet)
    assert command.name == name
    return command


def progress(fake: FakeEngine, event: m.Progress) -> None:
    fake.tell(event)


def test_progress_cancel_and_what_is_said_then(
    qtbot, window: MainWindow, fake: FakeEngine, dialog: ExampleDialog
) -> None:
    command = on_its_way(dialog, fake)
    status = window.status
    assert status.left.text() == "waiting for the engine…" and status.cancel.isVisible()
    progress(
        fake,
        m.Progress(
            "downloading Textures: dtd.tar.gz",
            12_000_000,
            625_000_000,
            "bytes",
            fake.last(m.DownloadExampleSet).request,
        ),
    )
    qtbot.waitUntil(lambda: status.left.text() == "downloading Textures: dtd.tar.gz · 12 of 625 MB")
    assert status.cancel.isVisible() and status.cancel.text() == "Cancel download"
    progress(fake, m.Progress("unpacking Textures", 1200, 5640, "files", fake.last(m.DownloadExampleSet).request))
    qtbot.waitUntil(lambda: status.left.text() == "unpacking Textures · 1,200 of 5,640")
    assert status.cancel.isVisible() and status.bar.value == pytest.approx(1200 / 5640)
    status.cancel.click()
    assert fake.last(m.CancelRequest)
    sentence = "DTD was cancelled. What has been downloaded is kept, so that it can be resumed."
    fake.tell(m.CommandFailed(command.request, sentence))
    assert status.text.text() == sentence and status.severity == "info"
    assert not status.cancel.isVisible() and not status.bar.isVisible() and not status.left.text()
    assert window.workspace.project is None


def test_when_it_is_there_it_opens(qtbot, window: MainWindow, fake: FakeEngine, dialog: ExampleDialog) -> None:
    command = on_its_way(dialog, fake)
    folder = make("DTD")
    with qtbot.waitSignal(window.workspace.project_changed):
        fake.tell(m.ExampleSetReady(command.request, "DTD", str(folder)))
    assert window.workspace.catalog.root == folder


def test_it_does_not_take_the_place_of_what_was_opened_meanwhile(
    qtbot, window: MainWindow, fake: FakeEngine, dialog: ExampleDialog, make_dataset
) -> None:
    command = on_its_way(dialog, fake)
    mine = make_dataset()
    open_project(qtbot, window, fake, mine)
    folder = make("DTD")
    fake.tell(m.ExampleSetReady(command.request, "DTD", str(folder)))
    qtbot.waitUntil(lambda: "is on this computer now" in window.status.text.text())
    assert window.workspace.catalog.root == mine and not window.workspace.dataset.opening


def test_a_failure_is_an_error_and_another_can_be_chosen(
    window: MainWindow, fake: FakeEngine, dialog: ExampleDialog
) -> None:
    command = on_its_way(dialog, fake)
    window.workspace.open_example(known("MNIST"))
    assert "Describable Textures is still being downloaded" in window.status.text.text()
    assert fake.last(m.DownloadExampleSet) == command
    fake.tell(m.CommandFailed(command.request, "No network."))
    assert window.status.text.text() == "No network." and window.status.severity == "error"
    window.workspace.open_example(known("MNIST"))
    assert fake.last(m.DownloadExampleSet).name == "MNIST"


def test_an_engine_that_ends_takes_it_along(window: MainWindow, fake: FakeEngine, dialog: ExampleDialog) -> None:
    on_its_way(dialog, fake)
    fake.state(EngineKind.CRASHED, exit_code=-1)
    assert window.workspace.examples.preparing is None and not window.status.cancel.isVisible()
    fake.become_ready()
    window.workspace.open_example(known("MNIST"))
    assert fake.last(m.DownloadExampleSet).name == "MNIST"


def test_it_can_be_wanted_and_cancelled_while_the_engine_starts(
    window: MainWindow, fake: FakeEngine, dialog: ExampleDialog
) -> None:
    fake.state(EngineKind.STARTING)
    on_its_way(dialog, fake)
    assert window.status.cancel.isVisible()
    window.status.cancel.click()
    assert fake.last(m.CancelRequest)


def test_not_while_training(window: MainWindow, fake: FakeEngine, dialog: ExampleDialog) -> None:
    fake.state(EngineKind.TRAINING)
    choose(dialog, "DTD")
    assert "Training is in progress" in window.status.text.text()
    assert not any(isinstance(command, m.DownloadExampleSet) for command in fake.sent)


def test_checking_and_downloading_do_not_take_turns(
    qtbot, window: MainWindow, fake: FakeEngine, dialog: ExampleDialog, make_dataset
) -> None:
    """Both report ten times a second; the line shows the download, which can be cancelled."""
    open_project(qtbot, window, fake, make_dataset())
    on_its_way(dialog, fake)
    progress(fake, m.Progress("downloading x", 1, 2, "bytes", fake.last(m.DownloadExampleSet).request))
    qtbot.waitUntil(window.status.cancel.isVisible)
    window.workspace.dataset.progress.emit("checking images", 5, 10)
    assert window.status.left.text().startswith("downloading x") and window.status.cancel.isVisible()
