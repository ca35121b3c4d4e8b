"""The window's thread leaves the disk alone: a network drive that hangs must not freeze the window."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ftgui.protocol import messages as m
from ftgui.runs.run_folders import new_run_folder
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import DATA, EVALUATE, PREDICT, RUNS, TRAIN, MainWindow
from tests.conftest import Maker, leave_checkpoint
from tests.ui.disk_guard import watch
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import drop, open_project, urls
from tests.ui.train.test_run_controls import begin, finish, steps, train

pytestmark = pytest.mark.slow

PERMITTED = {
    "ui/toolkit/drop_offer.py:_look_at_path": "what is dragged is a folder or a file, which has to be said while it hovers",
    "ui/project/dataset.py:_show": "opens the catalog, which the thread that looked through the folder has just written",
    "ui/images/image_list.py:row": "reads a page of what the grid paints; readers wait for nobody, and the project is local",
    "ui/images/image_browser.py:open_viewer": "reads one row, likewise",
}
"""What is left of the window's own reading: of the catalog in the person's data folder, and one look at what is dragged."""


@pytest.mark.parametrize(
    ("kind", "touch"),
    [
        ("open", lambda folder: (folder / "a.txt").read_text(encoding="utf-8")),
        ("os.listdir", os.listdir),
        ("os.scandir", lambda folder: list(os.scandir(folder))),
        ("os.mkdir", lambda folder: (folder / "new").mkdir()),
        ("os.rename", lambda folder: (folder / "a.txt").rename(folder / "b.txt")),
        ("os.remove", lambda folder: (folder / "a.txt").unlink()),
        ("os.stat", lambda folder: (folder / "a.txt").is_file()),
        ("shutil.rmtree", shutil.rmtree),
        ("sqlite3.connect", lambda folder: sqlite3.connect(folder / "c.sqlite").close()),
        ("sqlite3 execute", lambda folder: sqlite3.connect(folder / "c.sqlite").execute("SELECT 1").connection.close()),
    ],
)
def test_the_guard_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, touch: Callable) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "a.txt").write_text("x", encoding="utf-8")
    monkeypatch.setattr("tests.ui.disk_guard._functions", lambda: ["ui/somewhere.py:it"])
    with watch([folder], {}, monkeypatch) as guard:
        touch(folder)
    assert any(line.startswith(kind) for line in guard.met), guard.met
    with watch([tmp_path / "another"], {}, monkeypatch) as guard:
        shutil.rmtree(folder, ignore_errors=True)
    assert not guard.met


def relabel_and_undo(qtbot, window: MainWindow, fake: FakeEngine) -> None:
    page, workspace = window.data_page, window.workspace
    window.show_page(DATA)
    page.grid.selectAll()
    image = page.grid.chosen()[0]
    workspace.dataset_editor.relabel([image], "red")
    workspace.dataset_editor.relabel([image], "blue")
    fake.settle()
    assert workspace.undo_stack.undoText().startswith("Relabel 1 image to ")
    workspace.undo_stack.undo()
    workspace.undo_stack.redo()
    page.browser.open_viewer(image)
    fake.settle()
    page.browser.viewer.leave()
    qtbot.waitUntil(lambda: not workspace.checking and not page.browser.finding)


def train_and_stop(window: MainWindow, fake: FakeEngine) -> Path:
    """A run that learns something and is stopped."""
    window.show_page(TRAIN)
    run = train(window, fake)
    steps(fake, 1)
    window.workspace.training.stop()
    fake.state(EngineKind.STOPPING)
    leave_checkpoint(run, window.workspace.recipe)
    finish(window, fake, run, "stopped")
    return run


def go_on(qtbot, window: MainWindow, fake: FakeEngine, run: Path) -> None:
    """Continue it, to its end."""
    window.workspace.model.load()
    fake.answer_load()
    advisor = window.train_page.advisor
    qtbot.waitUntil(lambda: advisor.can_act and advisor.open_run is not None)
    advisor.continue_run()
    assert fake.last(m.Continue).run_folder == str(run)
    begin(window, fake, step=1240)
    finish(window, fake, run, "done")
    assert window.workspace.present.folder == run


def predict(window: MainWindow, fake: FakeEngine, image: Path) -> None:
    drop(window, urls(image))
    assert window.pages.currentIndex() == PREDICT
    fake.tell(m.Prediction(fake.last(m.Predict).request, [0.3, 0.7], ["blue", "red"], 31.4, True, 12))


def evaluate(qtbot, window: MainWindow, fake: FakeEngine, image: str) -> None:
    window.show_page(EVALUATE)
    window.workspace.evaluation.look()
    asked = fake.last(m.EvaluateImages)
    fake.tell(m.EvaluatedImages(asked.request, [image], ["blue"], [0.9], [2.0], 1, 1, False))
    fake.tell(m.EvaluatedImages(asked.request, [], [], [], [], 1, 1, True))
    qtbot.waitUntil(lambda: window.workspace.evaluation.shown is not None)


def look_at_runs(qtbot, window: MainWindow, fake: FakeEngine) -> None:
    train_and_stop(window, fake)
    window.show_page(RUNS)
    page = window.runs_page
    qtbot.waitUntil(lambda: len(page.runs.records) == 2 and not page.runs.working)
    page.runs.say(page.runs.records[0], starred=True)
    qtbot.waitUntil(lambda: any(record.starred for record in page.runs.records) and not page.runs.working)
    page.list.table.selectAll()
    page.actions_["data"].trigger()
    fake.settle()
    window.dialogs.export_model()
    fake.settle()


def test_the_main_job_leaves_the_disk_to_other_threads(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_dataset(count=8)
    projects = Path(os.environ["FTGUI_DATA_DIR"])
    workspace = window.workspace
    with watch([folder, projects], PERMITTED, monkeypatch) as guard:
        open_project(qtbot, window, fake, folder)
        workspace.recipe_editor.tick(["head"], "Tick head")
        fake.settle()
        relabel_and_undo(qtbot, window, fake)
        first = train_and_stop(window, fake)
        go_on(qtbot, window, fake, first)
        predict(window, fake, folder / "red" / "red0.jpg")
        evaluate(qtbot, window, fake, "red/red0.jpg")
        look_at_runs(qtbot, window, fake)
        workspace.dataset.rescan()
        qtbot.waitUntil(lambda: not workspace.checking)
    assert not guard.met, "\n".join(dict.fromkeys(guard.met))
    assert guard.used == set(PERMITTED), "what is permitted is needed"


def test_while_the_drive_hangs_train_says_so_and_is_asked_once(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_project(qtbot, window, fake, make_dataset(count=8))
    go_on = hanging(monkeypatch)
    fake.disk_works = lambda: False
    window.train_or_pause()
    window.train_or_pause()
    assert window.top.train.text() == " Starting…" and not window.top.train.isEnabled()
    assert not any(isinstance(command, m.Train) for command in fake.sent)
    go_on.set()
    qtbot.waitUntil(lambda: any(isinstance(command, m.Train) for command in fake.sent))
    assert sum(isinstance(command, m.Train) for command in fake.sent) == 1
    assert Path(fake.last(m.Train).run_folder).is_dir(), "it exists before the engine is told"


def test_a_folder_made_for_a_project_that_was_closed_goes_again(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_project(qtbot, window, fake, make_dataset(count=8))
    runs = window.workspace.project.runs_folder
    go_on = hanging(monkeypatch)
    fake.disk_works = lambda: False
    window.train_or_pause()
    with qtbot.waitSignal(window.workspace.project_changed):
        window.workspace.open_dataset(make_dataset(count=6, name="another"))
    assert window.top.train.text() == " Train"
    go_on.set()
    qtbot.waitUntil(lambda: not window.workspace.disk_tasks.working)
    assert list(runs.iterdir()) == []
    assert not any(isinstance(command, m.Train) for command in fake.sent)


def hanging(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Making a run's folder takes until this is set."""
    go_on = threading.Event()

    def slowly(*args: object) -> Path:
        go_on.wait(20)
        return new_run_folder(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("ftgui.ui.project.training.new_run_folder", slowly)
    return go_on


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are always text")
def test_images_are_asked_about_without_the_windows_thread_touching_them(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were chosen in a dialog, and one whose name is no text, so that its bytes are sent instead."""
    folder = make_dataset(count=8)
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg"))
    shutil.copy(folder / "red" / "red0.jpg", odd)
    content = odd.read_bytes()
    open_project(qtbot, window, fake, folder)
    with watch([folder], {}, monkeypatch) as guard:
        window.ask_about([folder / "red" / "red0.jpg", odd])
        qtbot.waitUntil(lambda: sum(isinstance(each, m.Predict) for each in fake.sent) == 2)
    assert not guard.met, "\n".join(guard.met)
    named, sent = [each for each in fake.sent if isinstance(each, m.Predict)]
    assert named.path == str(folder / "red" / "red0.jpg") and (sent.path, sent.content) == ("", content)
