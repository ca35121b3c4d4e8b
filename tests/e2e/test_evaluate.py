"""A wrong label found through the matrix, put right, trained again: the real main(), the real engine, mouse and keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from ftgui.ui.main_window import EVALUATE, MainWindow
from ftgui.ui.pages.predict_page import COMPARE, SIMILAR
from ftgui.ui.workers.engine_worker import EngineKind
from tests.conftest import Maker, picture, plain
from tests.e2e.driver import click, drop, is_ready

Steps = Iterator[Callable[[], bool]]

pytestmark = pytest.mark.timeout(600)


def click_cell(window: MainWindow, label: str, answer: str) -> None:
    matrix = window.evaluate_page.matrix
    place = matrix.visualRect(matrix.matrix.place_of(label, answer)).center()
    QTest.mouseClick(matrix.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(place))


def shown(window: MainWindow) -> list[str]:
    images = window.evaluate_page.browser.grid.images
    return [images.row(place).path for place in range(images.rowCount())]


def test_a_planted_wrong_label_is_found_relabelled_and_gone_after_the_next_training(
    run_window, make_dataset: Maker, tmp_path: Path
) -> None:
    dataset = make_dataset(classes=("red", "green", "blue"), count=12, splits=("train", "val"), name="planted")
    picture((200, 40, 40), 777).save(dataset / "val" / "green" / "wrong.jpg")
    before = {path: path.read_bytes() for path in dataset.rglob("*.jpg")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for number in range(40):
        picture((40, 60, 200), 900 + number).save(elsewhere / f"{number}.png")

    def script(window: MainWindow) -> Steps:
        page, workspace = window.evaluate_page, window.workspace
        drop(window, dataset)
        yield is_ready(window)
        next(action for action in window.recipe.plans.menu().actions() if action.text() == "Head only").trigger()
        yield is_ready(window)
        click(window.top.train)
        yield lambda: workspace.engine.busy
        yield lambda: workspace.engine.kind is EngineKind.READY
        window.show_page(EVALUATE)
        yield lambda: page.headline.text() == "97.3 % right" and not workspace.steering.judging
        assert "36 of 37" in plain(page.detail)

        click_cell(window, "green", "red")
        yield lambda: shown(window) == ["val/green/wrong.jpg"]
        page.browser.grid.choose(list(page.browser.grid.images.ids))
        page.browser.grid.setFocus()
        QTest.keyClick(page.browser.grid, Qt.Key.Key_3)  # blue, green, red
        yield lambda: page.headline.text() == "100.0 % right"
        assert workspace.undo_stack.undoText() == "Relabel 1 image to red"

        click(page.train)
        yield lambda: workspace.engine.busy
        yield lambda: workspace.engine.kind is EngineKind.READY and not workspace.steering.judging
        window.show_page(EVALUATE)
        yield lambda: plain(page.detail).startswith("Run 2 ") and page.headline.text() == "100.0 % right"

        predict = window.predict_page
        window.show_page(3)
        drop(window, elsewhere / "0.png")
        yield lambda: predict.verdict.text() == "blue"
        click(predict.why)
        yield lambda: predict.picture.has_heat
        predict.show_view(COMPARE)
        yield lambda: predict.others.before._rows[0].isVisible() and predict.others.now._rows[0].name.full == "blue"
        predict.show_view(SIMILAR)
        yield lambda: predict.neighbors.count() == 8
        assert "blue" in predict.neighbors.item(0).text()
        drop(window, elsewhere)
        yield predict.files.save.isVisible
        assert predict.files.state.text() == "40 images"
        assert {predict.files.answers.index(row, 1).data() for row in range(40)} == {"blue"}

    assert run_window(script) == 0
    runs = sorted((tmp_path / "ftgui-data" / "projects").glob("*/runs/*-*"))
    assert len(runs) == 2
    accuracies = [json.loads((run / "result.json").read_text(encoding="utf-8"))["best_accuracy"] for run in runs]
    assert accuracies[0] == pytest.approx(36 / 37) and accuracies[1] == 1
    assert {path: path.read_bytes() for path in dataset.rglob("*.jpg")} == before, "no file was touched"
