"""The Evaluate page: cells that open their images, mistakes put right, another folder, confidence and the threshold."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.metrics import class_figures
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.evaluate.evaluate_page import CLASSES, CONFIDENCE, MATRIX, EvaluatePage
from ftgui.ui.project.evaluation import EVALUATED_AT_ONCE
from ftgui.ui.shell.main_window import EVALUATE, PREDICT, MainWindow
from tests.conftest import Maker, plain
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import drop, finish, hover, open_project, start_training, urls

pytestmark = pytest.mark.slow


def shown_paths(page: EvaluatePage) -> list[str]:
    images = page.browser.grid.images
    return [images.row(place).path for place in range(images.rowCount())]


def answer_all(window: MainWindow, fake: FakeEngine, wrong: dict[str, tuple[str, float]]) -> None:
    """The model says of every image what its label says, but for these."""
    question = fake.last(m.EvaluateImages)
    with CatalogReader(Path(question.catalog)) as catalog:
        images = catalog.usable(question.splits)
    said = [wrong.get(path, (name, 0.95)) for path, name, _ in images]
    losses = [0.05 if answer == name else 3.0 for (_, name, _), (answer, _) in zip(images, said, strict=True)]
    fake.tell(
        m.EvaluatedImages(
            question.request,
            [path for path, *_ in images],
            [answer for answer, _ in said],
            [sure for _, sure in said],
            losses,
            len(images),
            len(images),
            False,
        )
    )
    fake.tell(m.EvaluatedImages(question.request, [], [], [], [], len(images), len(images), True))


@pytest.fixture
def page(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> EvaluatePage:
    """After a training, with 2 of 8 validation images called wrong."""
    open_project(qtbot, window, fake, make_dataset(count=4, splits=("train", "val")))
    finish(window, fake, start_training(window, fake))
    fake.state(EngineKind.TRAINING)
    fake.state(EngineKind.READY)
    answer_all(window, fake, {"val/blue/blue1.jpg": ("red", 0.7), "val/red/red0.jpg": ("blue", 0.99)})
    window.show_page(EVALUATE)
    made = window.evaluate_page
    qtbot.waitUntil(lambda: made.summary.headline.text() == "Accuracy 75.0 %")
    qtbot.waitUntil(lambda: made.browser.grid.images.rowCount() == 2)
    return made


def test_the_figures_and_the_surest_mistakes_first(page: EvaluatePage) -> None:
    assert "Run 1 on the validation images · 6 of 8" in plain(page.summary.detail)
    assert "mean F1 75.0 %" in plain(page.summary.detail)
    assert shown_paths(page) == ["val/red/red0.jpg", "val/blue/blue1.jpg"]
    assert page.browser.title.text() == "Mistakes, most confident first · 2 images"
    cells = [[page.confusion.matrix.matrix.index(row, column).data() for column in range(2)] for row in range(2)]
    assert cells == [["3", "1"], ["1", "3"]]


def click_cell(page: EvaluatePage, row: int, column: int) -> None:
    place = page.confusion.matrix.visualRect(page.confusion.matrix.matrix.index(row, column)).center()
    QTest.mouseClick(
        page.confusion.matrix.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(place)
    )


def test_every_cell_opens_exactly_its_images(qtbot, page: EvaluatePage) -> None:
    wanted = {
        (0, 0): {"val/blue/blue0.jpg", "val/blue/blue2.jpg", "val/blue/blue3.jpg"},
        (0, 1): {"val/blue/blue1.jpg"},
        (1, 0): {"val/red/red0.jpg"},
        (1, 1): {"val/red/red1.jpg", "val/red/red2.jpg", "val/red/red3.jpg"},
    }
    for (row, column), paths in wanted.items():
        click_cell(page, row, column)
        qtbot.waitUntil(lambda paths=paths: set(shown_paths(page)) == paths)
    assert page.browser.title.text() == "“red” recognised · 3 images"
    page.confusion.matrix.setFocus()
    QTest.keyClick(page.confusion.matrix, Qt.Key.Key_Left)
    QTest.keyClick(page.confusion.matrix, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown_paths(page) == ["val/red/red0.jpg"])


def test_a_wrong_label_is_put_right_from_the_matrix_and_given_back(
    qtbot, page: EvaluatePage, window: MainWindow
) -> None:
    click_cell(page, 1, 0)
    qtbot.waitUntil(lambda: shown_paths(page) == ["val/red/red0.jpg"])
    page.browser.grid.setFocus()
    page.browser.grid.choose(list(page.browser.grid.images.ids))
    QTest.keyClick(page.browser.grid, Qt.Key.Key_1)  # the first class is "blue"
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 87.5 %")
    qtbot.waitUntil(lambda: shown_paths(page) == [], timeout=5000)
    assert page.browser.nothing.isVisible()
    assert window.workspace.undo_stack.undoText() == "Relabel 1 image to blue"
    window.workspace.undo_stack.undo()
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 75.0 %")
    qtbot.waitUntil(lambda: shown_paths(page) == ["val/red/red0.jpg"])
    page.browser.grid.choose(list(page.browser.grid.images.ids))
    QTest.keyClick(page.browser.grid, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: "6 of 7" in plain(page.summary.detail))
    qtbot.waitUntil(lambda: shown_paths(page) == [])


def test_most_confused_pairs_and_classes_lead_to_their_images(qtbot, page: EvaluatePage) -> None:
    chip = next(chip for chip in page.summary.pairs.chips if "red → blue" in chip.text())
    chip.click()
    qtbot.waitUntil(lambda: shown_paths(page) == ["val/red/red0.jpg"])
    assert page.confusion.matrix.matrix.names_at(page.confusion.matrix.currentIndex()) == ("red", "blue")
    page.show_view(CLASSES)
    rows = [[page.classes.figures.index(row, column).data() for column in range(5)] for row in range(2)]
    assert rows == [["blue", "75%", "75%", "75%", "4"], ["red", "75%", "75%", "75%", "4"]]
    page.classes.clicked.emit(page.classes.figures.index(0, 0))
    qtbot.waitUntil(lambda: shown_paths(page) == ["val/blue/blue1.jpg"])
    page.browser.all_errors.click()
    qtbot.waitUntil(lambda: len(shown_paths(page)) == 2)


def test_classes_sort_by_their_header(page: EvaluatePage) -> None:
    page.classes.figures.sort(0, Qt.SortOrder.DescendingOrder)
    assert [page.classes.figures.name_at(row) for row in range(2)] == ["red", "blue"]
    page.classes.figures.sort(0, Qt.SortOrder.AscendingOrder)
    assert [page.classes.figures.name_at(row) for row in range(2)] == ["blue", "red"]


def test_counts_shares_and_order(page: EvaluatePage) -> None:
    page.confusion.numbers.setCurrentIndex(1)
    page.confusion.numbers.activated.emit(1)
    assert page.confusion.matrix.matrix.index(0, 0).data() == "75"
    page.confusion.matrix.show_matrix(["a", "b", "c"], np.array([[5, 0, 0], [0, 1, 4], [0, 0, 5]]))
    page.confusion.order.setCurrentIndex(1)
    page.confusion.order.activated.emit(1)
    names = [page.confusion.matrix.matrix.headerData(place, Qt.Orientation.Vertical) for place in range(3)]
    assert names == ["b", "c", "a"]
    assert page.confusion.matrix.matrix.names_at(page.confusion.matrix.matrix.index(0, 1)) == ("b", "c")
    assert page.confusion.matrix.matrix.index(0, 1).data() == "80"


@pytest.mark.parametrize("count", [1, 2, 40, 200])
def test_a_matrix_of_any_size_can_be_read(qtbot, page: EvaluatePage, count: int) -> None:
    names = [f"a class with a rather long name, number {number}" for number in range(count)]
    page.confusion.matrix.show_matrix(names, np.eye(count, dtype=np.int64) * 7)
    assert page.confusion.matrix.rowHeight(0) >= 18 and page.confusion.matrix.columnWidth(0) >= 18
    scrolls = page.confusion.matrix.horizontalScrollBar().maximum() > 0
    assert scrolls == (count >= 40), "only what has no room is scrolled"
    assert page.confusion.matrix.matrix.data(page.confusion.matrix.matrix.index(0, 0)) == "7"


def test_splits_and_all_images(qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine) -> None:
    page.summary.which.setCurrentIndex(2)
    page.summary.which.activated.emit(2)
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 100.0 %")
    assert "the training images · 8 of 8" in plain(page.summary.detail)
    page.summary.which.setCurrentIndex(1)
    page.summary.which.activated.emit(1)
    qtbot.waitUntil(page.empty.isVisible)
    assert "No test images have been evaluated yet, or there are none" in plain(page.summary.detail)
    page.summary.which.setCurrentIndex(3)
    page.summary.which.activated.emit(3)
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 87.5 %")


def test_before_the_images_are_looked_at_the_figures_are_those_of_the_run(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    open_project(qtbot, window, fake, make_dataset(count=4, splits=("train", "val")))
    assert window.evaluate_page.summary.headline.text() == "Nothing to evaluate yet"
    finish(window, fake, start_training(window, fake))
    page = window.evaluate_page
    window.show_page(EVALUATE)
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 87.5 %")
    assert page.summary.look.isVisible() and "loss 0.300" in plain(page.summary.detail)
    # Said when the images have been looked for, in the background; once, on a loaded machine, five seconds were too few.
    qtbot.waitUntil(
        lambda: page.browser.nothing.text().startswith("Single images have not been evaluated"), timeout=30_000
    )


def test_too_many_images_are_looked_at_only_when_asked(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert EVALUATED_AT_ONCE == 3000
    monkeypatch.setattr("ftgui.ui.project.evaluation.EVALUATED_AT_ONCE", 10)
    open_project(qtbot, window, fake, make_dataset(count=4, splits=("train", "val")))
    finish(window, fake, start_training(window, fake))
    fake.state(EngineKind.TRAINING)
    fake.state(EngineKind.READY)
    evaluating = fake.last(m.EvaluateImages)
    assert evaluating.splits == ["val", "test"], "16 are too many, 8 are not"
    fake.sent.clear()
    monkeypatch.setattr("ftgui.ui.project.evaluation.EVALUATED_AT_ONCE", 5)
    fake.tell(m.EvaluatedImages(evaluating.request, [], [], [], [], 0, 0, True))
    finish(window, fake, start_training(window, fake))
    fake.state(EngineKind.TRAINING)
    fake.state(EngineKind.READY)
    assert not [command for command in fake.sent if isinstance(command, m.EvaluateImages)]
    window.show_page(EVALUATE)
    qtbot.waitUntil(window.evaluate_page.summary.look.isVisible)
    window.evaluate_page.summary.look.click()
    assert fake.last(m.EvaluateImages).splits == []


def test_confidence_and_the_threshold(qtbot, page: EvaluatePage, window: MainWindow) -> None:
    page.show_view(CONFIDENCE)
    view = page.confidence
    assert view.consequence.text() == "Never: every image is answered, 75.0 % of them correctly."
    view.slider.setValue(80)
    assert view.consequence.text() == (
        "Below 80%: 87.5 % of the images are answered, 85.7 % of them correctly (instead of 75.0 %)."
    )
    assert window.workspace.recipe.threshold == 0.8
    view.show_unknown.click()
    qtbot.waitUntil(lambda: shown_paths(page) == ["val/blue/blue1.jpg"])
    assert "don't know" in page.browser.title.text()
    window.workspace.undo_stack.undo()
    assert window.workspace.recipe.threshold == 0 and view.slider.value() == 0
    view.bin_chosen.emit(0.9, 1.0)
    qtbot.waitUntil(lambda: len(shown_paths(page)) == 7)
    bins = {(round(one.low, 1), one.count) for one in view.bins if one.count}
    assert bins == {(0.6, 1), (0.9, 7)}
    assert "points off" in view.calibration.text()


def test_another_folder_is_evaluated_and_left_alone(
    qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    other = make_dataset(count=3, classes=("red", "green"), name="field trip")
    hover(window, urls(other))
    assert window.overlay.text.startswith("How good is the model on “field trip”?")
    window.drop_target.leave()
    drop(window, urls(other))
    qtbot.waitUntil(lambda: window.workspace.evaluation.folder is not None)
    question = fake.last(m.EvaluateImages)
    assert question.run_folder == "" and "evaluations" in question.catalog
    answer_all(window, fake, {f"green/green{n}.jpg": ("blue", 0.8) for n in range(3)})
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 50.0 %")
    assert "on “field trip”" in plain(page.summary.detail) and page.summary.which.currentText() == "“field trip”"
    qtbot.waitUntil(lambda: len(shown_paths(page)) == 3)
    grid = page.browser.grid
    grid.choose(list(grid.images.ids))
    QTest.keyClick(grid, Qt.Key.Key_Delete)
    assert not page.browser.edit.isVisible() and window.workspace.undo_stack.count() == 0
    counts: Counter[str] = Counter()
    for splits in window.workspace.contents.counts.values():
        counts += splits
    assert counts.total() == 16, "the dataset is what it was"
    page.summary.which.setCurrentIndex(0)
    page.summary.which.activated.emit(0)
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 75.0 %")
    assert page.summary.which.count() == 4 and page.browser.edit.isVisible()
    assert other.is_dir() and len(list(other.rglob("*.jpg"))) == 6


def test_an_archive_is_evaluated_like_a_folder(
    qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine, make_dataset: Maker, tmp_path: Path
) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "trip"), "zip", make_dataset(count=3, name="packed")))
    hover(window, urls(packed))
    assert window.overlay.text.startswith("How good is the model on “trip.zip”?")
    window.drop_target.leave()
    drop(window, urls(packed))
    qtbot.waitUntil(lambda: window.workspace.evaluation.folder is not None)
    with CatalogReader(Path(fake.last(m.EvaluateImages).catalog)) as catalog:
        assert len(catalog.usable()) == 6 and (catalog.root / "red" / "red0.jpg").is_file()


def test_a_hopeless_folder_is_refused_in_words(qtbot, page: EvaluatePage, window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    drop(window, urls(tmp_path / "empty"))
    window.workspace.evaluation._opening.progress.emit(1, 0)  # it had begun to tell how far it is
    qtbot.waitUntil(lambda: "is empty" in window.status.text.text())
    assert page.summary.headline.text() == "Accuracy 75.0 %" and window.status.left.text() == ""


def test_a_folder_of_other_classes_is_refused_with_both_names_and_changes_nothing(
    qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    other = make_dataset(count=3, classes=("cat", "dog"), name="pets")
    fake.sent.clear()
    drop(window, urls(other))
    qtbot.waitUntil(lambda: "can't be evaluated" in window.status.text.text())
    assert "“cat”, “dog”" in window.status.text.text() and "“blue”, “red”" in window.status.text.text()
    assert page.summary.headline.text() == "Accuracy 75.0 %" and page.summary.which.count() == 4 and not fake.sent


@pytest.mark.parametrize("how", ["refused", "engine gone"])
def test_a_folder_that_is_not_evaluated_after_all_leaves_the_figures_of_the_dataset(
    qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine, make_dataset: Maker, how: str
) -> None:
    drop(window, urls(make_dataset(count=3, name="trip")))
    qtbot.waitUntil(lambda: window.workspace.evaluation.folder is not None)
    question = fake.last(m.EvaluateImages)
    if how == "refused":
        fake.tell(m.CommandFailed(question.request - 1, "Of an earlier one."))
        assert window.workspace.training_requests.evaluating
        fake.tell(m.CommandFailed(question.request, "None of the images is …"))
    else:
        fake.state(EngineKind.CRASHED)
    assert window.workspace.evaluation.folder is None and not window.workspace.training_requests.evaluating
    qtbot.waitUntil(lambda: page.summary.headline.text() == "Accuracy 75.0 %")


def test_a_trained_model_is_never_told_to_train_first(
    qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine
) -> None:
    window.workspace.dataset.answers.forget("")
    for split in ("", "test", "train"):
        window.workspace.evaluation.choose_split(split)
        qtbot.waitUntil(lambda: page.summary.headline.text() == "Nothing to show here")
        assert "Train first" not in plain(page.summary.detail) and page.summary.look.isVisible()


def test_show_why_leads_to_the_predict_page(qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine) -> None:
    page.browser.grid.choose([page.browser.grid.images.ids[0]])
    page.browser.why.click()
    assert window.pages.currentIndex() == PREDICT and window.predict_page.image.why.isChecked()
    assert fake.last(m.Predict).path.endswith("red0.jpg")


def test_train_again_trains(page: EvaluatePage, window: MainWindow, fake: FakeEngine) -> None:
    fake.sent.clear()
    page.summary.train.click()
    assert isinstance(fake.last(m.Train), m.Train)


def test_a_renamed_class_keeps_its_model(qtbot, page: EvaluatePage, window: MainWindow, fake: FakeEngine) -> None:
    run = window.workspace.model.run
    best = run / "best"
    best.mkdir()
    (best / "model.safetensors").write_bytes(b"")
    about = (
        '{"backbone": "tf_efficientnet_lite0", "weights": "pretrained", "class_names": ["blue", "red"], "format": 1,'
    )
    (best / "ftgui.json").write_text(about + ' "preprocessing": {}}')
    images = [(split, name, n) for split in ("train", "val") for name in ("blue", "red") for n in range(4)]
    lines = [f"{split}/{name}/{name}{n}.jpg,{name},{split}" for split, name, n in images]
    (run / "samples.csv").write_text("path,class_name,split\n" + "\n".join(lines) + "\n")
    fake.sent.clear()
    window.workspace.dataset_editor.rename_class("blue", "violet")
    qtbot.waitUntil(lambda: any(isinstance(command, m.LoadModel) for command in fake.sent))
    command = fake.last(m.LoadModel)
    assert (command.class_names, command.trained_names) == (["red", "violet"], ["violet", "red"])
    qtbot.waitUntil(lambda: page.confusion.matrix.matrix.headerData(1, Qt.Orientation.Vertical) == "violet")
    assert page.summary.headline.text() == "Accuracy 75.0 %", "what was said of the class was said of it by any name"


def test_figures_that_are_not_known_are_dashes(page: EvaluatePage) -> None:
    page.classes.figures.show_figures(["a", "b"], class_figures(np.array([[2, 0], [0, 0]])))
    rows = [[page.classes.figures.index(row, column).data() for column in range(5)] for row in range(2)]
    assert sorted(rows) == [["a", "100%", "100%", "100%", "2"], ["b", "–", "–", "–", "0"]]
    assert math.isnan(class_figures(np.array([[2, 0], [0, 0]])).f1[1])
    page.show_view(MATRIX)


def test_a_run_that_learned_nothing_does_not_stand_for_the_model(
    page: EvaluatePage, window: MainWindow, fake: FakeEngine
) -> None:
    before = window.workspace.model.run
    run = start_training(window, fake)
    fake.sent.clear()
    fake.state(EngineKind.READY)
    fake.tell(m.TrainingFinished(str(run), "exploded", "Too high.", 0, math.nan, 2, 1.0, None, usable=False))
    assert window.workspace.model.run == before
    assert not [command for command in fake.sent if isinstance(command, m.EvaluateImages)]


@pytest.mark.parametrize("reason", ["exploded", "failed", "stopped"])
def test_a_run_that_did_not_finish_never_stands_for_the_model_by_itself(
    page: EvaluatePage, window: MainWindow, fake: FakeEngine, reason: str
) -> None:
    before = window.workspace.model.run
    (before / "best").mkdir()
    (before / "best" / "model.safetensors").write_bytes(b"")
    run = start_training(window, fake)
    fake.sent.clear()
    fake.tell(m.TrainingFinished(str(run), reason, "Over.", 1, 0.99, 9, 1.0, None))
    fake.state(EngineKind.READY)
    assert window.workspace.model.run == before
    assert fake.last(m.LoadModel).trained_weights == str(before / "best"), "the engine's memory holds the other's"
    fake.answer_load()
    assert not [command for command in fake.sent if isinstance(command, m.EvaluateImages)]
    assert "run 1 (87.5 %) stays in use" in window.status.text.text()
    assert window.status.use_run.isVisible() and window.status.use_run.text() == "Use run 2"


def test_a_model_that_does_not_load_leaves_the_run_of_the_one_before(
    page: EvaluatePage, window: MainWindow, fake: FakeEngine
) -> None:
    before = window.workspace.model.run
    window.workspace.model.choose_backbone(Backbone(name="resnet18"))
    assert window.workspace.model.run == before
    command = fake.last(m.LoadModel)
    fake.tell(m.CommandFailed(command.request, "There is no network."))
    assert window.workspace.model.run == before


def test_another_folder_waits_until_the_images_were_looked_at(
    page: EvaluatePage, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    other = make_dataset(count=3, name="field trip")
    window.workspace.evaluation.look()
    fake.sent.clear()
    drop(window, urls(other))
    assert "Other images are still being evaluated" in window.status.text.text()
    assert not fake.sent and window.workspace.evaluation.folder is None
