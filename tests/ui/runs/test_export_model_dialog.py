"""The dialog that takes a model away: what can be ticked, what is told, and every way it can end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from ftgui.protocol import messages as m
from ftgui.runs.model_folder import About
from ftgui.runs.run_folders import new_run_folder
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.runs.export_model_dialog import ExportModelDialog
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> MainWindow:
    open_project(qtbot, window, fake, make_dataset())
    return window


@pytest.fixture
def run(opened: MainWindow) -> Path:
    """A run that left a model."""
    assert opened.workspace.project is not None
    folder = new_run_folder(opened.workspace.project, "head")
    (folder / "best").mkdir()
    (folder / "best" / "model.safetensors").write_bytes(b"")
    about = About(
        backbone="tf_efficientnet_lite0", weights="pretrained", class_names=["a"], preprocessing={}, threshold=0.4
    )
    (folder / "best" / "ftgui.json").write_bytes(msgspec.json.encode(about))
    return folder


@pytest.fixture
def dialog(opened: MainWindow, fake: FakeEngine, run: Path) -> ExportModelDialog:
    opened.workspace.recipe_editor.change("", "threshold", 0.4)
    opened.dialogs.export_model()
    fake.settle()
    found = opened.findChild(ExportModelDialog)
    assert found is not None
    return found


def results(dialog: ExportModelDialog) -> list[str]:
    found = []
    for at in range(dialog.results.count()):
        widget = dialog.results.itemAt(at).widget()
        assert isinstance(widget, QLabel)
        found.append(widget.text())
    return found


def play(fake: FakeEngine, event: m.Event) -> None:
    fake.tell(event)


def sent(fake: FakeEngine) -> list[m.Export]:
    return [command for command in fake.sent if isinstance(command, m.Export)]


def test_without_a_trained_model_it_says_so(opened: MainWindow, fake: FakeEngine) -> None:
    said: list[str] = []
    opened.status.say = lambda _kind, text: said.append(text)  # type: ignore[method-assign]
    opened.dialogs.export_model()
    fake.settle()
    assert opened.findChild(ExportModelDialog) is None and said == ["There is no trained model yet; train one first."]


def test_all_of_it(
    qtbot, dialog: ExportModelDialog, opened: MainWindow, fake: FakeEngine, run: Path, tmp_path: Path
) -> None:
    assert dialog.kinds == list(m.EXPORT_KINDS) and dialog.threshold.value() == 40
    dialog.choices["torch"].setChecked(False)
    dialog.threshold.setValue(55)
    dialog.write(tmp_path)
    (command,) = sent(fake)
    assert opened.workspace.project is not None
    catalog = str(opened.workspace.project.catalog_path)
    assert command == m.Export(
        command.request, str(run), ["folder", "onnx", "script"], str(tmp_path), catalog, pytest.approx(0.55)
    )
    assert not dialog.go.isEnabled() and dialog.end.text() == "Cancel" and not dialog.choices["onnx"].isEnabled()
    assert [problem.kind for problem in opened.workspace.readiness.obstacles()] == ["exporting"]
    play(fake, m.Progress("writing and checking ONNX", 1, 4, request=command.request))
    qtbot.waitUntil(lambda: dialog.said.text() == "Writing and checking ONNX…")
    assert dialog.bar.isVisible() and dialog.bar.value == 0.25
    play(fake, m.Exported(command.request + 1, "folder", ["other"], {}, 0, "", ""))  # of an earlier one
    play(
        fake,
        m.Exported(
            command.request, "folder", ["model.safetensors"], {"1": 2e-7, "7": 1e-7}, 64, "validation images", ""
        ),
    )
    play(fake, m.Exported(command.request, "onnx", [], {}, 0, "validation images", "It takes onnx."))
    play(fake, m.Exported(command.request, "script", ["train.py", "draws.py"], {}, 0, "validation images", ""))
    play(fake, m.ExportFinished(command.request, str(tmp_path / "new"), stopped=False))
    qtbot.waitUntil(lambda: "The model is in" in dialog.said.text())
    first, second, third = results(dialog)
    assert first.startswith("✓ Model folder: run on 64 images") and "answers 2.0e-07" in first
    assert second == "✗ ONNX: It takes onnx." and third == "✓ Script that repeats the training: train.py, draws.py."
    assert "It does not contain what failed." in dialog.said.text()
    assert dialog.show_folder.isVisible() and dialog.go.isEnabled() and dialog.end.text() == "Close"
    assert not dialog.bar.isVisible() and opened.workspace.readiness.obstacles() == []


def _stop(fake: FakeEngine, dialog: ExportModelDialog, request: int) -> None:
    dialog.end.click()
    assert fake.last(m.CancelRequest).request == fake.last(m.Export).request
    play(fake, m.ExportFinished(request, "", stopped=True))


def _refuse(fake: FakeEngine, _dialog: ExportModelDialog, request: int) -> None:
    fake.tell(m.CommandFailed(request, "The disk is full."))


def _crash(fake: FakeEngine, _dialog: ExportModelDialog, _request: int) -> None:
    fake.state(EngineKind.CRASHED, exit_code=1)


@pytest.mark.parametrize(
    ("end", "words"),
    [(_stop, "Stopped; nothing was left behind."), (_refuse, "The disk is full."), (_crash, "The engine ended before")],
)
def test_other_ends(
    qtbot, dialog: ExportModelDialog, fake: FakeEngine, tmp_path: Path, end: Callable[..., None], words: str
) -> None:
    dialog.write(tmp_path)
    end(fake, dialog, sent(fake)[-1].request)
    qtbot.waitUntil(lambda: words in dialog.said.text())
    assert dialog.end.text() == "Close" and not dialog.show_folder.isVisible() and not dialog.bar.isVisible()


def test_it_can_be_begun_only_when_it_can_be_done(dialog: ExportModelDialog, fake: FakeEngine) -> None:
    assert dialog.go.isEnabled()
    for box in dialog.choices.values():
        box.setChecked(False)
    assert not dialog.go.isEnabled() and dialog.go.toolTip() == "Tick what to write."
    dialog.choices["onnx"].setChecked(True)
    fake.state(EngineKind.TRAINING)
    assert not dialog.go.isEnabled() and "Training is in progress" in dialog.go.toolTip()
    fake.state(EngineKind.READY)
    assert dialog.go.isEnabled()


def test_closing_stops_it(dialog: ExportModelDialog, fake: FakeEngine, tmp_path: Path) -> None:
    dialog.write(tmp_path)
    dialog.reject()
    assert fake.last(m.CancelRequest).request == fake.last(m.Export).request


@pytest.mark.parametrize(("typed", "threshold"), [("7.5", 0.075), ("7,5 %", 0.075), ("never", 0.0), ("99,95", 0.9995)])
def test_the_threshold_as_people_type_it(
    qtbot, dialog: ExportModelDialog, fake: FakeEngine, tmp_path: Path, typed: str, threshold: float
) -> None:
    dialog.threshold.selectAll()
    qtbot.keyClicks(dialog.threshold.lineEdit(), typed)
    assert dialog.go.isEnabled() and dialog.refusal.text() == ""
    dialog.write(tmp_path)
    assert sent(fake)[-1].threshold == threshold


def test_a_threshold_that_could_be_two_is_not_exported(qtbot, dialog: ExportModelDialog) -> None:
    dialog.threshold.selectAll()
    qtbot.keyClicks(dialog.threshold.lineEdit(), "1.500")
    assert not dialog.go.isEnabled() and "can mean 1.5 or 1500" in dialog.refusal.text()
    qtbot.keyClick(dialog.threshold.lineEdit(), Qt.Key.Key_Tab)
    dialog.threshold.interpretText()
    assert not dialog.go.isEnabled() and dialog.threshold.number() == 40, (
        "not until a number is typed that is understood"
    )
    dialog.threshold.stepUp()
    assert dialog.go.isEnabled() and dialog.threshold.number() == 41 and dialog.refusal.text() == ""
