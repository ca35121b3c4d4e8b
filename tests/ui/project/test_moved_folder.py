"""A dataset folder that was moved: its project is found by what the images are, and nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog

from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.runs.run_folders import continuable
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.shell.questions import Choice
from tests.conftest import Maker, picture
from tests.made_runs import make_run
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow

State = tuple[list[tuple[str, str, str]], int, int]


def state_of(window: MainWindow) -> State:
    workspace = window.workspace
    assert workspace.catalog is not None and workspace.contents is not None
    return sorted(workspace.catalog.entries()), workspace.contents.excluded, workspace.recipe.seed


def answers(window: MainWindow) -> tuple[str, dict[str, object]]:
    (asked,) = [choice for choice in window.findChildren(Choice) if choice.isVisible()]
    return f"{asked.text()} {asked.informativeText()}", {b.text().replace("&", ""): b for b in asked.buttons()}


@pytest.fixture
def folder(make_dataset: Maker) -> Path:
    """With a run that can go on."""
    made = make_dataset(count=10)
    make_run(Project.for_dataset(made).runs_folder, 1, reason="stopped", checkpoint=True)
    return made


@pytest.fixture
def edited(qtbot, window: MainWindow, fake: FakeEngine, folder: Path) -> Iterator[tuple[Project, State]]:
    """A project with a relabelled and an excluded image, another split and seed."""
    open_project(qtbot, window, fake, folder)
    workspace = window.workspace
    workspace.dataset_editor.relabel([1], "red")
    workspace.dataset_editor.exclude([2])
    workspace.dataset_editor.move([3], "val")
    workspace.recipe_editor.change("", "seed", 7)
    qtbot.waitUntil(lambda: not workspace.checking and workspace.contents.excluded == 1)
    yield workspace.project, state_of(window)


def away(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    """Another dataset is open."""
    number = len(list((window.workspace.project.folder.parent).iterdir()))
    open_project(qtbot, window, fake, make_dataset(classes=("cat", "dog"), name=f"others{number}"))


def test_moved_while_it_is_open_it_is_asked_for_and_found(
    qtbot, window: MainWindow, fake: FakeEngine, folder: Path, edited, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, (project, before) = window.workspace, edited
    elsewhere = folder.with_name("elsewhere") / "deep"
    elsewhere.parent.mkdir()
    workspace.dataset.watch.look_every(20)
    with qtbot.waitSignal(workspace.dataset.gone):
        folder.rename(elsewhere)
    said, buttons = answers(window)
    assert "“pictures” is gone." in said and "20 images" in said and set(buttons) == {"Find it…", "Later"}
    assert workspace.readiness.obstacles()[0].kind == "gone" and state_of(window) == before
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(elsewhere))
    with qtbot.waitSignal(workspace.dataset.scanned):
        buttons["Find it…"].click()
    qtbot.waitUntil(lambda: not workspace.checking)
    assert workspace.project == project and workspace.contents.root == elsewhere and state_of(window) == before
    workspace.saver.wait()
    assert recipe_file.load(project.recipe_path).dataset.folder == str(elsewhere)
    fake.answer_load()
    assert not workspace.readiness.obstacles()
    run = continuable(project.runs_folder / "0001-head")
    workspace.training.continue_run(run)
    assert fake.last(m.Continue).catalog == str(project.catalog_path)
    assert Project.for_dataset(elsewhere) == project and Project.for_dataset(folder) != project


def test_dropped_from_the_new_place_it_is_recognised_and_asked_once(
    qtbot, window: MainWindow, fake: FakeEngine, folder: Path, edited, make_dataset: Maker
) -> None:
    workspace, (project, before) = window.workspace, edited
    away(qtbot, window, fake, make_dataset)
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    with qtbot.waitSignal(workspace.dataset.recognised):
        workspace.open_dataset(elsewhere)
    said, buttons = answers(window)
    assert "This looks like “pictures”, moved." in said and "20 images and 1 run" in said
    assert set(buttons) == {"Continue with it", "Start over", "Cancel"} and workspace.project != project
    with qtbot.waitSignal(workspace.dataset.scanned):
        buttons["Continue with it"].click()
    qtbot.waitUntil(lambda: not workspace.checking)
    assert workspace.project == project and state_of(window) == before
    # Known from now on; and whatever comes into the old place is another dataset.
    away(qtbot, window, fake, make_dataset)
    with qtbot.waitSignal(workspace.dataset.scanned):
        workspace.open_dataset(elsewhere)
    assert workspace.project == project and state_of(window) == before
    make_dataset(count=3)
    with qtbot.waitSignal(workspace.dataset.scanned):
        workspace.open_dataset(folder)
    assert workspace.project != project and state_of(window)[1:] == (0, 0)
    # Moved back, over what is there meanwhile.
    shutil.rmtree(folder)
    elsewhere.rename(folder)
    qtbot.waitUntil(lambda: not workspace.checking)
    with qtbot.waitSignal(workspace.dataset.scanned):
        workspace.find_moved(workspace.dataset.shown_wish, project.folder, folder)
    qtbot.waitUntil(lambda: not workspace.checking)
    assert workspace.project == project == Project.for_dataset(folder) and state_of(window) == before


def test_begun_anew_the_earlier_project_stays_and_nothing_is_asked_again(
    qtbot, window: MainWindow, fake: FakeEngine, folder: Path, edited, make_dataset: Maker
) -> None:
    workspace, (project, before) = window.workspace, edited
    away(qtbot, window, fake, make_dataset)
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    with qtbot.waitSignal(workspace.dataset.recognised):
        workspace.open_dataset(elsewhere)
    with qtbot.waitSignal(workspace.dataset.scanned):
        answers(window)[1]["Start over"].click()
    assert workspace.project != project and state_of(window)[1:] == (0, 0)
    with project.catalog() as catalog:
        assert sorted(catalog.entries()) == before[0] and catalog.root == folder
    away(qtbot, window, fake, make_dataset)
    with qtbot.waitSignal(workspace.dataset.scanned):
        workspace.open_dataset(elsewhere)
    assert workspace.project != project


def test_opened_where_it_was_it_can_be_found(
    qtbot, window: MainWindow, fake: FakeEngine, folder: Path, edited, make_dataset: Maker, monkeypatch
) -> None:
    workspace, (project, before) = window.workspace, edited
    away(qtbot, window, fake, make_dataset)
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    with qtbot.waitSignal(workspace.dataset.gone):
        workspace.open_dataset(folder)
    assert "“pictures” is no longer there; this project knows 20 in it." in window.status.text.text()
    others = workspace.contents.root
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(others))
    with qtbot.waitSignal(workspace.dataset.failed) as failed:
        answers(window)[1]["Find it…"].click()
    assert f"“{others.name}” does not hold the images of this project: of 20 looked for, 0" in failed.args[0]
    qtbot.waitUntil(lambda: not [choice for choice in window.findChildren(Choice) if choice.isVisible()])
    with qtbot.waitSignal(workspace.dataset.gone):
        workspace.open_dataset(folder)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(elsewhere))
    with qtbot.waitSignal(workspace.dataset.scanned):
        answers(window)[1]["Find it…"].click()
    assert workspace.project == project and state_of(window) == before


@pytest.mark.parametrize("kind", ["copy", "other pictures", "a few the same"])
def test_what_is_another_dataset_is_opened_as_one(
    qtbot, window: MainWindow, fake: FakeEngine, folder: Path, edited, make_dataset: Maker, kind: str
) -> None:
    workspace, (project, _) = window.workspace, edited
    away(qtbot, window, fake, make_dataset)
    elsewhere = folder.with_name("elsewhere")
    shutil.copytree(folder, elsewhere)
    if kind != "copy":
        shutil.rmtree(folder)
    if kind == "other pictures":  # of the same names and sizes
        for file in elsewhere.rglob("*.jpg"):
            content = bytearray(file.read_bytes())
            content[-20] ^= 1
            file.write_bytes(bytes(content))
    if kind == "a few the same":
        for file in sorted(elsewhere.rglob("*.jpg"))[::2]:
            picture((1, 2, 3), len(file.name)).resize((9, 9)).save(file)
    with qtbot.waitSignal(workspace.dataset.scanned):
        workspace.open_dataset(elsewhere)
    assert workspace.project != project and state_of(window)[1:] == (0, 0)
