"""A wrong label found through the matrix, put right, trained again: the real main(), the real engine, mouse and keys."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from ftgui.cli import main
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.predict.predict_page import COMPARE, SIMILAR
from ftgui.ui.shell.main_window import EVALUATE, MainWindow
from tests.conftest import Maker, picture, plain
from tests.e2e.driver import choose_preset, click, drop, is_ready

Steps = Iterator[Callable[[], bool]]

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]


def click_cell(window: MainWindow, label: str, answer: str) -> None:
    matrix = window.evaluate_page.confusion.matrix
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
        choose_preset(window, "Head only")
        yield is_ready(window)
        workspace.recipe_editor.change_phase(0, epochs=6)
        workspace.recipe_editor.change("augmentation", "preset", "none")  # one view of each image, not eight
        click(window.top.train)
        yield lambda: workspace.engine.busy
        yield lambda: workspace.engine.kind is EngineKind.READY
        window.show_page(EVALUATE)
        yield lambda: page.summary.headline.text() == "Accuracy 97.3 %" and not workspace.training_requests.evaluating
        assert "36 of 37" in plain(page.summary.detail)

        click_cell(window, "green", "red")
        yield lambda: shown(window) == ["val/green/wrong.jpg"]
        page.browser.grid.choose(list(page.browser.grid.images.ids))
        page.browser.grid.setFocus()
        QTest.keyClick(page.browser.grid, Qt.Key.Key_3)  # blue, green, red
        yield lambda: page.summary.headline.text() == "Accuracy 100.0 %"
        assert workspace.undo_stack.undoText() == "Relabel 1 image to red"

        click(page.summary.train)
        yield lambda: workspace.engine.busy
        yield lambda: workspace.engine.kind is EngineKind.READY and not workspace.training_requests.evaluating
        window.show_page(EVALUATE)
        yield (
            lambda: (
                plain(page.summary.detail).startswith("Run 2 ") and page.summary.headline.text() == "Accuracy 100.0 %"
            )
        )

        predict = window.predict_page
        window.show_page(3)
        drop(window, elsewhere / "0.png")
        yield lambda: predict.answer.verdict.text() == "blue"
        click(predict.image.why)
        yield lambda: predict.image.picture.has_heat
        predict.show_view(COMPARE)
        yield lambda: predict.others.before.rows[0].isVisible() and predict.others.now.rows[0].name.full == "blue"
        predict.show_view(SIMILAR)
        yield lambda: predict.similar.images.count() == 8
        assert "blue" in predict.similar.images.item(0).text()
        drop(window, elsewhere)
        yield predict.files.save.isVisible
        assert predict.files.state.text().startswith("40 images · by run 2")
        assert {predict.files.answers.index(row, 1).data() for row in range(40)} == {"blue"}

    assert run_window(script) == 0
    runs = sorted((tmp_path / "ftgui-data" / "projects").glob("*/runs/*-*"))
    assert len(runs) == 2
    accuracies = [json.loads((run / "result.json").read_text(encoding="utf-8"))["best_accuracy"] for run in runs]
    assert accuracies[0] == pytest.approx(36 / 37) and accuracies[1] == 1
    assert {path: path.read_bytes() for path in dataset.rglob("*.jpg")} == before, "no file was touched"
    _take_it_away(runs[1], tmp_path)


def _take_it_away(run: Path, tmp_path: Path) -> None:
    """As ONNX, asked in a process that has no torch; and as a script that comes to the same accuracy."""
    assert main.main(["export", str(run), "--to", str(tmp_path / "away"), "--kinds", "onnx,script"]) == 0
    (folder,) = (tmp_path / "away").iterdir()
    proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    differences = proof["largest_difference_in_probability"]["model.onnx"]
    assert {"batches of 1", "batches of 7"} <= set(differences) and max(differences.values()) < 1e-3
    for number, color in enumerate([(200, 40, 40), (40, 180, 60), (40, 60, 200)]):
        picture(color, 4321 + number).save(tmp_path / f"{number}.png")
    without_torch = (
        "import runpy, sys\nfor name in ('torch', 'timm', 'ftgui'): sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(folder)!r})\nrunpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__')"
    )
    pictures = [str(tmp_path / f"{number}.png") for number in range(3)]
    asked = [sys.executable, "-c", without_torch, "--json", *pictures]
    said = subprocess.run(asked, capture_output=True, encoding="utf-8", timeout=120, check=True, cwd=tmp_path)
    assert [json.loads(line)["answer"] for line in said.stdout.splitlines()] == ["red", "green", "blue"]
    script = [sys.executable, str(folder / "train.py"), "--device", "cpu"]
    repeated = subprocess.run(script, capture_output=True, encoding="utf-8", timeout=300, check=True, cwd=tmp_path)
    assert "Best validation accuracy 100.0%" in repeated.stdout
