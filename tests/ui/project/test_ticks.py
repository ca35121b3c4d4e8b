"""Ticks are shown at once, whatever the engine is doing, and toggling works on what was asked for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project import recipe_saver
from ftgui.ui.project.recipe_saver import RecipeSaver
from ftgui.ui.shell.main_window import TRAIN, MainWindow
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.model.test_layer_tree import click_tick, state
from tests.ui.shell.test_main_window import open_project
from tests.ui.train.test_run_controls import begin, steps

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> MainWindow:
    open_project(qtbot, window, fake, make_dataset())
    window.layers.tree.expandAll()
    return window


def ticked(window: MainWindow) -> list[str]:
    return [label for label in ("stem", "stage 1", "head") if state(window.layers, label).value]


def test_a_second_click_takes_back_what_the_engine_has_not_answered(qtbot, opened, fake: FakeEngine) -> None:
    opened.train_or_pause()
    begin(opened, fake)
    fake.tell(m.FreezingChanged(0, [5], ["head"], 6, 66))
    assert ticked(opened) == ["head"]
    click_tick(qtbot, opened.layers, "stem")
    assert ticked(opened) == ["stem", "head"] and opened.workspace.layer_ticks.pending
    first = fake.last(m.SetTrainable)
    click_tick(qtbot, opened.layers, "stem")
    assert ticked(opened) == ["head"] and not opened.workspace.layer_ticks.pending
    assert [c.layers for c in fake.sent if isinstance(c, m.SetTrainable)][-2:] == [["stem", "head"], ["head"]]
    # The answer to the first comes late and is not the end of it.
    fake.tell(m.FreezingChanged(first.request, [0, 5], ["stem", "head"], 16, 66))
    assert ticked(opened) == ["head"] and opened.workspace.layer_ticks.pending
    fake.answer_ticks()
    assert ticked(opened) == ["head"] and not opened.workspace.layer_ticks.pending


def test_what_is_refused_is_no_longer_shown(qtbot, opened, fake: FakeEngine) -> None:
    opened.train_or_pause()
    begin(opened, fake)
    fake.tell(m.FreezingChanged(0, [5], ["head"], 6, 66))
    click_tick(qtbot, opened.layers, "head")
    assert ticked(opened) == []
    fake.fail(m.SetTrainable, "Nothing would learn.")
    assert ticked(opened) == ["head"]


def test_the_tree_shows_the_phase_its_header_names_while_the_engine_is_busy_with_a_cost(
    opened, fake: FakeEngine
) -> None:
    """The engine answers nothing here, as while it measures."""
    opened.workspace.recipe_editor.select(0)
    assert opened.layers.whose.full == "phase 1: trainable layers" and ticked(opened) == ["head"]
    opened.workspace.recipe_editor.select(1)
    assert opened.layers.whose.full == "phase 2: trainable layers" and ticked(opened) == ["stage 1", "head"]
    assert opened.layers.preset.currentText() == "Last stage + head"
    assert "will learn" not in opened.layers.counts.text(), "it never learned otherwise"
    opened.workspace.recipe_editor.select(0)
    assert "<b>6</b> of 66 parameters will learn" in opened.layers.counts.text()
    fake.answer_ticks()
    assert "<b>6</b> of 66 parameters learn" in opened.layers.counts.text()


def test_before_a_run_has_begun_its_first_phase_is_shown(opened, fake: FakeEngine) -> None:
    assert ticked(opened) == ["stage 1", "head"], "the selected one is the second"
    opened.train_or_pause()
    fake.state(EngineKind.TRAINING)
    assert opened.layers.whose.full == "trainable layers now" and ticked(opened) == ["head"]


def test_the_words_beside_the_plots_follow_the_ticks(qtbot, opened, fake: FakeEngine) -> None:
    opened.show_page(TRAIN)
    page = opened.train_page
    opened.train_or_pause()
    fake.state(EngineKind.TRAINING)
    fake.tell(m.FreezingChanged(0, [5], ["head"], 6, 66))
    begin(opened, fake)
    assert page.explanation.text().startswith("Only the new head learns.")
    click_tick(qtbot, opened.layers, "stage 1")
    assert page.explanation.text().startswith("Requested: stage 1 and the head should learn.")
    fake.answer_ticks()
    assert page.explanation.text().startswith("As ticked, training now changes stage 1 and the head, at up to 1e-3")
    click_tick(qtbot, opened.layers, "stage 1")
    fake.answer_ticks()
    assert page.explanation.text().startswith("Only the new head learns.")


def test_a_tick_is_saved_once_under_its_shortest_name(opened, fake: FakeEngine, monkeypatch) -> None:
    saved: list[list[str]] = []
    whole = recipe_file.save
    opened.workspace.saver.wait()
    monkeypatch.setattr(
        recipe_saver.recipe_file,
        "save",
        lambda recipe, path: (saved.append(recipe.phases[1].train), whole(recipe, path)),
    )
    opened.workspace.layer_ticks.tick(["stem", "blocks.0", "blocks.1:own", "blocks.1.conv", "head"], "Tick")
    fake.answer_ticks()
    opened.workspace.saver.wait()
    assert saved == [["everything"]]
    assert recipe_file.load(opened.workspace.project.recipe_path).phases[1].train == ["everything"]


# --- saving off the window's thread -----------------------------------------------------------------------------------


def test_edits_while_a_save_goes_on_are_written_together(qapp, tmp_path: Path, monkeypatch) -> None:
    saver = RecipeSaver(qapp)
    goes_on, may_end = threading.Event(), threading.Event()
    seeds: list[int] = []

    def slow(recipe: Recipe, path: Path) -> None:
        goes_on.set()
        assert may_end.wait(10)
        seeds.append(recipe.seed)

    monkeypatch.setattr(recipe_saver.recipe_file, "save", slow)
    for seed in range(1, 6):
        saver.save(Recipe(seed=seed), tmp_path / "recipe.toml")
        assert goes_on.wait(10), "writing begins at once, and `save` did not wait for it"
    may_end.set()
    saver.close()
    assert seeds == [1, 5]


def test_what_could_not_be_saved_is_said_and_tried_again_at_the_end(qtbot, qapp, tmp_path: Path) -> None:
    saver = RecipeSaver(qapp)
    blocked = tmp_path / "gone" / "recipe.toml"
    blocked.parent.touch()
    with qtbot.waitSignal(saver.failed) as failed:
        saver.save(Recipe(seed=3), blocked)
    assert failed.args[0].startswith("The recipe could not be saved")
    blocked.parent.unlink()
    blocked.parent.mkdir()
    saver.close()
    assert recipe_file.load(blocked).seed == 3


def test_closing_keeps_the_edit_of_a_moment_ago(opened, workspace, monkeypatch) -> None:
    path = workspace.project.recipe_path
    workspace.recipe_editor.change("", "seed", 42)
    workspace.saver.close()
    assert recipe_file.load(path).seed == 42


# --- before the first step --------------------------------------------------------------------------------------------


def test_between_train_and_the_first_step_the_page_says_what_is_done(opened, fake: FakeEngine) -> None:
    opened.show_page(TRAIN)
    page = opened.train_page
    assert page.headline.text().startswith("No training is in progress.")
    opened.train_or_pause()
    fake.state(EngineKind.TRAINING)
    assert page.headline.text() == "Run 1 starts." and "read once" in page.explanation.text()
    assert page.loss.note.text() == "The curve begins with the first step."
    fake.tell(m.Progress("reading images", 1200, 30000))
    assert page.words.preparing.isVisible() and page.words.preparing.text.text() == "Reading images: 1,200 of 30,000"
    assert page.words.preparing.bar.value == pytest.approx(0.04)
    begin(opened, fake)
    fake.tell(m.Progress("computing the frozen part once", 1, 4))
    assert page.words.preparing.isVisible() and page.headline.text().startswith("Phase 1")
    steps(fake, 1)
    assert not page.words.preparing.isVisible() and page.loss.note.text() == ""
