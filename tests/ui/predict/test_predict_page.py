"""The Predict page: why, beside other models, alike, many images and folders, "don't know" and "it should be …"."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.predict.batch_table import MOST_ROWS
from ftgui.ui.predict.predict_page import COMPARE, SIMILAR, PredictPage
from ftgui.ui.predict.saliency_view import SaliencyView, heat_image
from ftgui.ui.shell.main_window import MOST_SIDE_BY_SIDE, PREDICT, MainWindow
from tests.conftest import Maker, picture
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import drop, hover, open_project, urls

pytestmark = pytest.mark.slow


@pytest.fixture
def page(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> PredictPage:
    open_project(qtbot, window, fake, make_dataset(count=6))
    window.show_page(PREDICT)
    return window.predict_page


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "from elsewhere" / "photo.jpg"
    path.parent.mkdir()
    picture((200, 40, 40), 1, (160, 80)).save(path)
    return path


def answer(window: MainWindow, fake: FakeEngine, probabilities: tuple[float, ...] = (0.3, 0.7), trained: bool = True):
    question = fake.last(m.Predict)
    event = m.Prediction(question.request, list(probabilities), ["blue", "red"], 12.0, trained, 0)
    fake.tell(event)
    return question


def explanation(fake: FakeEngine, request: int, name: str = "red", layer: str = "stage 1") -> m.Explanation:
    heat = [[0.0, 0.0], [0.0, 1.0]]
    event = m.Explanation(request, name, layer, heat, (0.25, 0.0, 0.75, 1.0), [0.3, 0.7], ["blue", "red"], 20.0)
    fake.tell(event)
    return event


# --- why ------------------------------------------------------------------------------------------------------------


def test_why_asks_for_the_answer_then_for_other_classes_and_layers(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path
) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    QTest.mouseClick(page.image.why, Qt.MouseButton.LeftButton)
    question = fake.last(m.Explain)
    assert (question.path, question.class_name, question.layer) == (str(photo), "", "")
    explanation(fake, question.request)
    qtbot.waitUntil(lambda: page.image.picture.has_heat)
    assert page.image.layer.full == "what supports “red”, as seen by stage 1"
    QTest.mouseClick(page.answer.bars.rows[1], Qt.MouseButton.LeftButton)
    assert fake.last(m.Explain).class_name == "blue"
    tree = window.layers.tree
    tree.setCurrentIndex(window.layers.model.index(1, 0))
    assert fake.last(m.Explain).layer == "stage 1" and fake.last(m.Explain).class_name == "blue"
    late = question.request
    page.image.picture.show_heat(None)
    explanation(fake, late)
    qtbot.wait(20)
    assert not page.image.picture.has_heat, "a late answer is to another question"
    explanation(fake, fake.last(m.Explain).request, "blue")
    qtbot.waitUntil(lambda: page.image.picture.has_heat)
    QTest.mouseClick(page.image.why, Qt.MouseButton.LeftButton)
    assert not page.image.picture.has_heat and page.image.layer.full == ""


def test_a_layer_without_places_is_told_and_not_asked_of_the_next_image(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path
) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    page.image.why.setChecked(True)
    page.pick_layer("head")
    fake.tell(m.CommandFailed(fake.last(m.Explain).request, "“head”: no image positions."))
    qtbot.waitUntil(lambda: page.image.layer.full == "“head”: no image positions.")
    assert window.status.text.text() != "“head”: no image positions.", "said where it was asked"
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    assert fake.last(m.Explain).layer == ""


def test_heat_lies_where_it_belongs(qtbot) -> None:
    widget = SaliencyView()
    qtbot.addWidget(widget)
    widget.resize(400, 200)
    image = QImage(400, 200, QImage.Format.Format_RGB888)
    image.fill(QColor(128, 128, 128))
    widget.show_picture(image)
    heat = [[0.0, 0.0], [0.0, 1.0]]
    widget.show_heat(m.Explanation(1, "a", "l", heat, (0.25, 0.0, 0.75, 1.0), [1.0], ["a"], 1.0))
    widget.set_strength(1.0)
    shown = widget.grab().toImage()
    hot, cold, unseen = (QColor(shown.pixel(x, y)) for x, y in ((290, 190), (110, 10), (20, 100)))
    assert hot.red() > 200 and hot.green() > 180
    assert cold.lightness() < 128 and cold.lightness() > unseen.lightness()
    assert unseen.lightness() < 70, "what the model does not see is dark"
    widget.set_strength(0.0)
    plain = QColor(widget.grab().toImage().pixel(290, 190))
    assert plain == QColor(128, 128, 128)
    assert heat_image(np.ones((1, 1))).width() > 1


# --- don't know and it should be --------------------------------------------------------------------------------------


def test_below_the_threshold_it_does_not_know(
    page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path
) -> None:
    window.workspace.recipe_editor.change("", "threshold", 0.8)
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    assert page.answer.verdict.text() == "Don't know" and page.answer.caution.isVisible()
    assert "Most likely “red”, but 70% is below the threshold of 80%" in page.answer.caution.text()
    assert page.strip.item(0).text() == "don't know"
    window.workspace.recipe_editor.change("", "threshold", 0.6)
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    assert page.answer.verdict.text() == "red" and not page.answer.caution.isVisible()


def test_it_should_be_copies_the_image_into_the_project_and_offers_to_train(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path
) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    menu = page.answer.correct_label.menu()
    menu.aboutToShow.emit()
    assert [action.text() for action in menu.actions() if action.text()] == ["blue", "red", "New class…"]
    menu.actions()[0].trigger()
    catalog = window.workspace.catalog

    def added() -> list[str]:
        return [path for path, name, _ in catalog.usable() if Path(path).is_absolute()]

    qtbot.waitUntil(lambda: len(added()) == 1)
    copy = Path(added()[0])
    assert copy.read_bytes() == photo.read_bytes() and copy.parent == window.workspace.project.folder / "added"
    photo.unlink()
    assert catalog.rows([catalog.id_of(added()[0])])[0].class_name == "blue"
    qtbot.waitUntil(lambda: "In the project it is now “blue”" in window.status.text.text())
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert window.status.train_again.isVisible()
    fake.sent.clear()
    window.status.train_again.click()
    assert isinstance(fake.last(m.Train), m.Train)
    fake.state(EngineKind.READY)
    window.workspace.undo_stack.undo()
    fake.settle()
    assert added() == [] and copy.exists()
    window.workspace.undo_stack.redo()
    fake.settle()
    assert len(added()) == 1


def test_taught_twice_is_relabelled(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path
) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    page.should_be("blue")
    fake.settle()
    catalog = window.workspace.catalog
    qtbot.waitUntil(lambda: len(catalog.usable()) == 13)
    qtbot.waitUntil(lambda: window.workspace.undo_stack.undoText() == "Add 1 image to blue")
    page.should_be("red")
    fake.settle()
    (name,) = (name for path, name, _ in catalog.usable() if Path(path).is_absolute())
    assert name == "red" and len(catalog.usable()) == 13
    window.workspace.undo_stack.undo()
    fake.settle()
    (name,) = (name for path, name, _ in catalog.usable() if Path(path).is_absolute())
    assert name == "blue"


def test_what_comes_late_is_not_shown_under_another_image(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path
) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    page.image.why.setChecked(True)
    late = fake.last(m.Explain).request
    page.show_view(SIMILAR)
    neighbors = fake.last(m.FindSimilar).request
    window.workspace.prediction.ask(photo.parent / "gone.jpg")
    explanation(fake, late)
    fake.tell(m.SimilarImages(neighbors, [m.SimilarImage("red/red0.jpg", "red", 0.9)]))
    qtbot.wait(20)
    assert not page.image.picture.has_heat and page.similar.images.count() == 0


def test_an_image_of_the_dataset_is_relabelled_instead(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine
) -> None:
    own = window.workspace.contents.root / "red" / "red2.jpg"
    window.workspace.prediction.ask(own)
    answer(window, fake)
    page.should_be("blue")
    fake.settle()
    catalog = window.workspace.catalog
    assert catalog.rows([catalog.id_of("red/red2.jpg")])[0].class_name == "blue"
    assert len(catalog.usable()) == 12 and not (window.workspace.project.folder / "added").exists()
    window.workspace.undo_stack.undo()
    fake.settle()
    assert catalog.rows([catalog.id_of("red/red2.jpg")])[0].class_name == "red"


def test_an_image_that_is_gone_is_told(page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    photo.unlink()
    page.should_be("blue")
    fake.settle()
    assert "could not be copied into the project" in window.status.text.text()
    assert len(window.workspace.catalog.usable()) == 12 and not window.status.train_again.isVisible()


# --- beside the answer ----------------------------------------------------------------------------------------------


def test_before_and_after_and_an_earlier_run(
    page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path
) -> None:
    runs = window.workspace.project.runs_folder
    for name in ("0001-head", "0002-last-stage", "0003-broken"):
        (runs / name / "best").mkdir(parents=True)
        if "broken" not in name:
            (runs / name / "best" / "model.safetensors").write_bytes(b"x")
    window.workspace.prediction.ask(photo)
    page.show_view(COMPARE)
    assert not [command for command in fake.sent if isinstance(command, m.Predict) and command.model]
    answer(window, fake)
    before = fake.last(m.Predict)
    assert before.model == m.PRETRAINED_MODEL and before.path == str(photo)
    fake.tell(
        m.Prediction(before.request, [0.6, 0.4], ["bee", "fly"], 1, True, 0, m.PRETRAINED_MODEL, "Lite0 · ImageNet")
    )
    assert page.others.before_title.text() == "Before training: Lite0 · ImageNet"
    assert page.others.before.rows[0].name.full == "bee" and page.others.now.rows[0].name.full == "red"
    titles = [page.others.earlier.itemText(i) for i in range(page.others.earlier.count())]
    assert titles == ["Compare with an earlier run…", "Run 2: last-stage", "Run 1: head"]
    page.others.earlier.setCurrentIndex(2)
    page.others.earlier.activated.emit(2)
    question = fake.last(m.Predict)
    assert question.model == str(runs / "0001-head" / "best")
    fake.tell(m.CommandFailed(question.request, "The model is not whole."))
    assert page.others.earlier_trouble.text() == "The model is not whole."
    assert page.answer.verdict.text() == "red", "the answer itself stays"


def test_alike(qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, photo: Path) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    page.show_view(SIMILAR)
    question = fake.last(m.FindSimilar)
    assert (question.path, question.catalog) == (str(photo), str(window.workspace.project.catalog_path))
    neighbors = [m.SimilarImage("red/red0.jpg", "red", 0.91), m.SimilarImage("blue/blue1.jpg", "blue", 0.5)]
    fake.tell(m.SimilarImages(question.request, neighbors))
    assert [page.similar.images.item(i).text() for i in range(2)] == ["red\n91% similar", "blue\n50% similar"]
    qtbot.waitUntil(lambda: not page.similar.images.loading)
    page.similar.images.itemActivated.emit(page.similar.images.item(1))
    assert fake.last(m.Predict).path.endswith("blue1.jpg")
    answer(window, fake)
    fake.tell(m.CommandFailed(fake.last(m.FindSimilar).request, "Not now."))
    assert page.similar.words.text() == "Not now." and page.similar.images.count() == 0


# --- many images ----------------------------------------------------------------------------------------------------


def test_several_images_are_asked_about_side_by_side(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        picture((60 * number, 90, 120), number).save(path)
    hover(window, urls(*paths))
    assert window.overlay.text == "What are these 3 images?\nDrop to ask the model"
    drop(window, urls(*paths))
    questions = [command for command in fake.sent if isinstance(command, m.Predict)]
    assert [question.path for question in questions] == [str(path) for path in paths]
    for question, sure in zip(questions, (0.9, 0.2, 0.6), strict=True):
        event = m.Prediction(question.request, [sure, 1 - sure], ["blue", "red"], 5, True, 0)
        fake.tell(event)
    assert page.strip_card.isVisible()
    assert [page.strip.item(i).text() for i in range(3)] == ["blue", "red", "blue"]
    assert page.image.name.full == "2.png"
    page.strip.clicked.emit(page.strip.model().index(1, 0))
    assert fake.last(m.Predict).path == str(paths[1]) and page.strip.count() == 3
    qtbot.waitUntil(lambda: not page.strip.loading)


def rows_event(fake: FakeEngine, request: int, count: int, done: int, total: int, over: bool = False, **more) -> None:
    numbers = range(done - count, done)
    fake.tell(
        m.PredictedFiles(
            request,
            [f"/far/{n}.jpg" for n in numbers],
            ["red" if n % 10 else "" for n in numbers],
            [0.8 if n % 10 else math.nan for n in numbers],
            ["" if n % 10 else "It is damaged." for n in numbers],
            done,
            total,
            over,
            **more,
        )
    )


def test_a_folder_is_a_table_that_can_be_saved(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "camera trap"
    folder.mkdir()
    window.workspace.recipe_editor.change("", "threshold", 0.5)
    hover(window, urls(folder))
    assert "What are the images in “camera trap”?" in window.overlay.text
    drop(window, urls(folder))
    question = fake.last(m.PredictFiles)
    assert (question.paths, question.threshold) == ([str(folder)], 0.5)
    view = page.files
    assert view.isVisible() and view.stop.isVisible() and not view.save.isVisible()
    rows_event(fake, question.request, 3000, 3000, 9000)
    assert view.state.text() == "3,000 of 9,000 · 300 can't be read"
    rows_event(fake, question.request, 3000, 6000, 9000)
    assert view.answers.rowCount() == MOST_ROWS and "the first 5,000 shown" in view.state.text()
    view.stop.click()
    assert fake.last(m.CancelRequest)
    rows_event(fake, question.request, 0, 6000, 9000, over=True, stopped=True)
    assert "6,000 images · stopped" in view.state.text() and view.save.isVisible()
    assert view.answers.index(0, 1).data() == "It is damaged." and view.answers.index(1, 2).data() == "80.0 %"
    with Path(question.table).open("w", newline="") as file:
        csv.writer(file).writerows([["path", "answer", "probability", "problem"], ["/far/1.jpg", "red", "0.8", ""]])
    target = tmp_path / "saved.csv"
    view.save_to(target)
    qtbot.waitUntil(target.exists)
    assert target.read_text().splitlines()[1] == "/far/1.jpg,red,0.8,"
    qtbot.waitUntil(lambda: "saved.csv" in window.status.text.text())
    view.save_to(tmp_path / "not there" / "saved.csv")
    qtbot.waitUntil(lambda: "could not be saved" in window.status.text.text())
    assert not view.back.isVisible(), "there is nothing to go back to"
    view.table.activated.emit(view.answers.index(1, 0))
    assert not view.isVisible() and fake.last(m.Predict).path == "/far/1.jpg"
    page.image.to_table.click()
    assert view.isVisible() and view.answers.rowCount() == MOST_ROWS, "nothing of it is lost"
    view.back.click()
    assert not view.isVisible() and page.image.to_table.isVisible()


def test_an_archive_is_unpacked_and_asked_about(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, make_dataset: Maker, tmp_path: Path
) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "camera trap"), "zip", make_dataset(count=2, name="packed")))
    hover(window, urls(packed))
    assert "What are the images in “camera trap.zip”?" in window.overlay.text
    drop(window, urls(packed))
    qtbot.waitUntil(lambda: window.workspace.inference_requests.looking_at_files)
    (folder,) = fake.last(m.PredictFiles).paths
    assert sorted(path.name for path in Path(folder).rglob("*.jpg")) == [
        "blue0.jpg",
        "blue1.jpg",
        "red0.jpg",
        "red1.jpg",
    ]
    rows_event(fake, fake.last(m.PredictFiles).request, 4, 4, 4, over=True)
    packed.write_bytes(b"no archive")
    page.look_at_files([packed])
    qtbot.waitUntil(lambda: "“camera trap.zip” is damaged" in page.files.state.text())
    assert not page.files.stop.isVisible()


def test_a_second_folder_waits_and_a_broken_engine_is_told(
    page: PredictPage, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    page.look_at_files([tmp_path])
    fake.sent.clear()
    page.look_at_files([tmp_path])
    assert not fake.sent and "still being evaluated" in window.status.text.text()
    fake.state(EngineKind.CRASHED, exit_code=1)
    assert page.files.state.text() == "The engine ended before it answered."
    assert not window.workspace.inference_requests.looking_at_files


def test_too_many_images_for_a_strip_are_a_table(page: PredictPage, window: MainWindow, fake: FakeEngine) -> None:
    window.ask_about([Path(f"/far/{number}.jpg") for number in range(MOST_SIDE_BY_SIDE + 1)])
    assert len(fake.last(m.PredictFiles).paths) == MOST_SIDE_BY_SIDE + 1


def test_folders_mean_what_the_page_in_front_is_for(
    page: PredictPage, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    hover(window, urls(tmp_path / "f"))
    assert window.overlay.text.startswith("What are the images")
    window.drop_target.leave()
    window.show_page(0)
    hover(window, urls(tmp_path / "f"))
    assert window.overlay.text.startswith("Open “f”")
    window.drop_target.leave()
    (tmp_path / "x.txt").write_text("")
    window.show_page(PREDICT)
    hover(window, urls(tmp_path / "f", tmp_path / "x.txt"))
    assert window.overlay.text.startswith("Not all of these are images")
    window.drop_target.leave()
    fake.state(EngineKind.TRAINING)
    hover(window, urls(tmp_path / "f"))
    assert window.overlay.text.startswith("What are the images"), "also while it trains"
    window.drop_target.leave()
    fake.state(EngineKind.READY)


def test_another_project_forgets_what_was_asked(
    qtbot, page: PredictPage, window: MainWindow, fake: FakeEngine, make_dataset: Maker, photo: Path
) -> None:
    window.workspace.prediction.ask(photo)
    answer(window, fake)
    with qtbot.waitSignal(window.workspace.project_changed):
        window.workspace.open_dataset(make_dataset(count=3, name="other"))
    assert page.strip.count() == 0 and not page.image.picture.isVisible()
    qtbot.waitUntil(lambda: not window.workspace.checking)
