"""Drops, buttons and texts of the window, with an engine that the test plays."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication

from ftgui.data.catalog.query import Query
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.model.model_chooser import ModelChooser
from ftgui.ui.project.stopping import what_is_left
from ftgui.ui.shell.main_window import DATA, EVALUATE, PREDICT, TRAIN, MainWindow
from tests.conftest import Maker, leave_checkpoint, picture, plain
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.slow


def urls(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def hover(window: MainWindow, mime: QMimeData) -> None:
    event = QDragEnterEvent(
        QPoint(300, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(window, event)
    assert event.isAccepted()


def drop(window: MainWindow, mime: QMimeData) -> None:
    hover(window, mime)
    event = QDropEvent(
        QPointF(300, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(window, event)
    assert not window.overlay.isVisible()


def open_project(qtbot, window: MainWindow, fake: FakeEngine, folder: Path) -> None:
    with qtbot.waitSignal(window.workspace.project_changed):
        drop(window, urls(folder))
    qtbot.waitUntil(lambda: not window.workspace.checking)
    fake.become_ready()


# --- drops ----------------------------------------------------------------------------------------------------------


def test_a_hovering_folder_says_what_it_holds(qtbot, window: MainWindow, make_dataset: Maker) -> None:
    hover(window, urls(make_dataset(count=4)))
    qtbot.waitUntil(lambda: window.overlay.text == "Open “pictures”\n2 classes, 8 images")
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert not window.overlay.isVisible()


def test_an_archive_says_what_it_holds_and_opens(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker, tmp_path: Path
) -> None:
    file = Path(shutil.make_archive(str(tmp_path / "Käfer"), "zip", make_dataset(count=4)))
    hover(window, urls(file))
    qtbot.waitUntil(lambda: window.overlay.text == "Open “Käfer.zip”\n8 images; they are unpacked first")
    open_project(qtbot, window, fake, file)
    assert window.workspace.contents.class_names == ["blue", "red"]
    assert window.top.project.text() == "Käfer"
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK")
    with qtbot.waitSignal(window.workspace.message) as said:
        drop(window, urls(broken))
    assert said.args[0] == "error" and "“broken.zip” is damaged" in said.args[1]
    assert window.workspace.contents.class_names == ["blue", "red"], "what was open stays open"


def test_a_dropped_folder_is_opened(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset(count=4))
    assert window.top.project.text() == "pictures"
    assert window.top.summary.text() == "2 classes, 8 images"
    assert [window.data_page.classes.item(i).text() for i in range(2)] == ["blue", "red"]
    assert "train 6 · val 2 · test 0" in window.data_page.split.text()
    assert window.data_page.grid.images.rowCount() == 8
    assert fake.last(m.LoadModel).class_names == ["blue", "red"]
    assert window.workspace.project.recipe_path.is_file()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.mkdir(), "is empty"),
        (lambda path: path.mkdir() or picture((1, 1, 1), 1).save(path / "a.jpg"), "is not in a class folder"),
    ],
)
def test_hopeless_folders_are_refused_in_words(qtbot, window: MainWindow, tmp_path: Path, make, sentence) -> None:
    make(tmp_path / "it")
    hover(window, urls(tmp_path / "it"))
    qtbot.waitUntil(lambda: sentence in window.overlay.text)
    drop(window, urls(tmp_path / "it"))
    qtbot.waitUntil(lambda: sentence in window.status.text.text())
    assert window.workspace.project is None


def test_a_dropped_text_file_is_refused_in_words(window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello", encoding="utf-8")
    hover(window, urls(path))
    assert "“notes.txt” is not an image" in window.overlay.text
    drop(window, urls(path))
    assert "“notes.txt” is not an image" in window.status.text.text()
    assert not fake.sent


def test_several_things_and_web_links_are_refused(window: MainWindow, tmp_path: Path) -> None:
    hover(window, urls(tmp_path / "a.jpg", tmp_path / "b.txt"))
    assert "Only one at a time" in window.overlay.text
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/cat.jpg")])
    hover(window, mime)
    assert "not on your computer" in window.overlay.text


def test_a_dropped_image_is_asked_about(qtbot, window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    fake.become_ready()
    path = tmp_path / "写真 1.jpg"
    picture((200, 40, 40), 1).save(path)
    hover(window, urls(path))
    assert "What is “写真 1.jpg”?" in window.overlay.text
    drop(window, urls(path))
    assert window.pages.currentIndex() == PREDICT
    question = fake.last(m.Predict)
    assert question.path == str(path)
    fake.tell(m.Prediction(question.request, [0.2, 0.7, 0.1], ["a", "b", "c"], 31.4, True, 12))
    assert window.predict_page.answer.verdict.text() == "b"
    assert window.predict_page.answer.timing.text() == "answered in 31 ms · weights of step 12"
    shown = [row.name.full for row in window.predict_page.answer.bars.rows if not row.isHidden()]
    assert shown == ["b", "a", "c"]
    qtbot.waitUntil(lambda: window.predict_page.image.picture.has_picture)


def test_before_training_the_answer_is_called_a_guess(window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    fake.become_ready()
    drop(window, urls(tmp_path / "x.jpg"))
    fake.tell(m.Prediction(fake.last(m.Predict).request, [0.5, 0.5], ["a", "b"], 9.0, False, 0))
    assert window.predict_page.answer.verdict.text() == "A guess"
    assert "not learned your classes yet" in window.predict_page.answer.caution.text()


def test_a_late_answer_does_not_overwrite_a_newer_question(
    window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    fake.become_ready()
    drop(window, urls(tmp_path / "old.jpg"))
    old = fake.last(m.Predict).request
    drop(window, urls(tmp_path / "new.jpg"))
    fake.tell(m.Prediction(old, [1.0, 0.0], ["a", "b"], 9.0, True, 0))
    assert window.predict_page.answer.verdict.text() == "…"
    failure = m.CommandFailed(fake.last(m.Predict).request, "The file is no longer there.")
    fake.tell(failure)
    assert window.predict_page.answer.verdict.text() == "No answer"
    assert window.predict_page.answer.caution.text() == "The file is no longer there."


def test_pasting_pixels_and_files(window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    fake.become_ready()
    image = QImage(20, 10, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    QGuiApplication.clipboard().setImage(image)
    window.paste()
    assert fake.last(m.Predict).content.startswith(b"\x89PNG")
    QGuiApplication.clipboard().setMimeData(urls(tmp_path / "a.png"))
    window.paste()
    assert fake.last(m.Predict).path == str(tmp_path / "a.png")
    QGuiApplication.clipboard().setText("words")
    window.paste()
    assert "Nothing that ftgui can use" in window.status.text.text()


def test_a_dropped_weights_file_opens_the_model_chooser(window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    fake.become_ready()
    path = tmp_path / "mine.safetensors"
    path.touch()
    drop(window, urls(path))
    (chooser,) = [w for w in QApplication.topLevelWidgets() if w.windowTitle() == "Choose a model"]
    assert "mine.safetensors" in chooser.file_label.text()
    chooser.search.setText("resnet18")
    chooser.use.click()
    assert fake.last(m.LoadModel).backbone == Backbone(name="resnet18.a1_in1k", weights=str(path))


@pytest.mark.parametrize("name", ["model_best.pth.tar", "epoch3.ckpt", "pytorch_model.bin", "W.PTH", "x.pt"])
def test_weights_by_any_usual_name_open_the_model_chooser(
    window: MainWindow, fake: FakeEngine, tmp_path: Path, name: str
) -> None:
    fake.become_ready()
    path = tmp_path / name
    path.touch()
    hover(window, urls(path))
    assert window.overlay.text == f"Use the weights “{name}”\nDrop to choose the model they belong to"
    drop(window, urls(path))
    chooser = window.findChild(ModelChooser)
    assert chooser is not None and name in chooser.file_label.text()
    chooser.use.click()
    assert fake.last(m.LoadModel).backbone == Backbone(weights=str(path))


def test_weights_named_after_a_model_select_it(window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    fake.become_ready()
    path = tmp_path / "best_resnet18-f37072fd.pth"
    path.touch()
    drop(window, urls(path))
    chooser = window.findChild(ModelChooser)
    assert (
        chooser is not None and "resnet18.a1_in1k is selected, because the file is named" in chooser.file_label.text()
    )
    chooser.use.click()
    assert fake.last(m.LoadModel).backbone == Backbone(name="resnet18.a1_in1k", weights=str(path))


@pytest.mark.parametrize(
    ("name", "words"), [("m.onnx", "an ONNX model"), ("m.h5", "Keras writes"), ("m.tflite", "Lite")]
)
def test_models_of_other_programs_are_refused_for_what_they_are(
    window: MainWindow, fake: FakeEngine, tmp_path: Path, name: str, words: str
) -> None:
    fake.become_ready()
    path = tmp_path / name
    path.touch()
    drop(window, urls(path))
    assert words in window.status.text.text() and f"“{name}” can't be used" in window.status.text.text()


def test_what_was_taken_of_a_weights_file_is_in_the_status_line(window: MainWindow, fake: FakeEngine) -> None:
    fake.become_ready()
    fake.tell(m.Log("notice", "w.pth: all 7 tensors taken; nothing missing"))
    assert window.status.text.text() == "w.pth: all 7 tensors taken; nothing missing"
    fake.tell(m.Log("info", "something for the log"))
    assert window.status.text.text() == "w.pth: all 7 tensors taken; nothing missing"


def test_a_model_that_can_not_be_loaded_leaves_the_one_before(qtbot, window, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    window.workspace.model.choose_backbone(Backbone(name="resnet18"))
    failed = m.CommandFailed(fake.last(m.LoadModel).request, "could not be downloaded")
    fake.tell(failed)
    assert window.status.text.text() == "could not be downloaded"
    assert window.workspace.recipe.backbone == Backbone()
    window.workspace.saver.wait()
    assert recipe_file.load(window.workspace.project.recipe_path).backbone == Backbone()
    assert window.top.train.isEnabled()


def test_going_back_from_a_failed_model_keeps_the_whole_recipe(qtbot, window, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    window.workspace.layer_ticks.tick(["head"], "x")
    fake.answer_ticks()
    window.recipe.cards[0].fields["epochs"].editor.setValue(20)
    before = window.workspace.recipe
    window.workspace.model.choose_backbone(Backbone(name="resnet18"))
    first = fake.last(m.LoadModel).request
    window.workspace.model.choose_backbone(Backbone(name="resnet50"))
    fake.tell(m.CommandFailed(first, "late and no longer of interest"))
    assert window.workspace.recipe.backbone.name == "resnet50"
    fake.tell(m.CommandFailed(fake.last(m.LoadModel).request, "offline"))
    window.workspace.saver.wait()
    assert window.workspace.recipe == before == recipe_file.load(window.workspace.project.recipe_path)
    assert window.recipe.cards[0].fields["epochs"].editor.value() == 20 and window.top.train.isEnabled()


def test_undo_of_labels_outlives_a_chosen_model_and_one_that_fails(qtbot, window, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    workspace = window.workspace
    stack, catalog = workspace.undo_stack, workspace.catalog
    ids = list(catalog.find(Query(class_name="red")))[:2]
    workspace.dataset_editor.relabel(ids, "blue")
    loads = sum(isinstance(command, m.LoadModel) for command in fake.sent)
    workspace.model.choose_backbone(Backbone(name="resnet18"))
    assert fake.last(m.LoadModel).backbone.name == "resnet18"
    fake.tell(m.CommandFailed(fake.last(m.LoadModel).request, "offline"))
    assert workspace.recipe.backbone == Backbone()
    assert sum(isinstance(command, m.LoadModel) for command in fake.sent) == loads + 1, "the engine still holds it"
    assert stack.undoText() == "Relabel 2 images to blue" and stack.redoText() == "Choose resnet18"
    stack.redo()
    fake.answer_load()
    workspace.dataset_editor.exclude(ids, True)
    stack.undo()
    stack.undo()
    assert fake.last(m.LoadModel).backbone == Backbone() == workspace.recipe.backbone
    fake.answer_load()
    workspace.saver.wait()
    assert recipe_file.load(workspace.project.recipe_path).backbone == Backbone()
    stack.undo()
    fake.settle()
    assert {row.class_name for row in catalog.rows(ids)} == {"red"} and not stack.canUndo()
    for _ in range(3):
        stack.redo()
    assert fake.last(m.LoadModel).backbone.name == "resnet18"
    assert all(row.excluded and row.class_name == "blue" for row in catalog.rows(ids))


def test_a_project_whose_model_can_not_be_loaded_says_so_and_keeps_its_recipe(
    qtbot, window, fake, make_dataset
) -> None:
    with qtbot.waitSignal(window.workspace.project_changed):
        drop(window, urls(make_dataset()))
    qtbot.waitUntil(lambda: not window.workspace.checking)
    window.workspace.saver.wait()
    saved = window.workspace.project.recipe_path.read_text(encoding="utf-8")
    fake.state(EngineKind.STARTING)
    fake.state(EngineKind.READY)
    fake.tell(m.Ready("2", [m.Device(id="cpu", name="CPU", memory=1)], ["a"], 1.0))
    failed = m.CommandFailed(fake.last(m.LoadModel).request, "could not be downloaded")
    fake.tell(failed)
    assert not window.top.train.isEnabled()
    assert window.top.train.toolTip() == "The model could not be loaded: could not be downloaded"
    assert "could not be downloaded" in window.layers.placeholder.text()
    assert window.workspace.project.recipe_path.read_text(encoding="utf-8") == saved
    window.workspace.model.choose_backbone(Backbone(name="resnet18"))
    failed = m.CommandFailed(fake.last(m.LoadModel).request, "nor this one")
    fake.tell(failed)
    assert window.top.train.toolTip() == "The model could not be loaded: nor this one"
    window.workspace.saver.wait()
    assert window.workspace.project.recipe_path.read_text(encoding="utf-8") == saved
    window.workspace.model.choose_backbone(Backbone())
    fake.answer_load()
    assert window.top.train.isEnabled()


def test_another_projects_model_is_not_taken_for_this_ones(qtbot, window, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    with qtbot.waitSignal(window.workspace.project_changed):
        drop(window, urls(make_dataset(classes=("grey", "green"), name="other")))
    for why in ("offline", "still offline"):
        fake.tell(m.CommandFailed(fake.last(m.LoadModel).request, why))
        assert not window.top.train.isEnabled() and why in window.top.train.toolTip()
        window.workspace.model.choose_backbone(Backbone(name="resnet18"))


def test_a_device_that_is_gone_is_replaced_and_told(qtbot, window: MainWindow, fake, make_dataset: Maker) -> None:
    root = make_dataset()
    open_project(qtbot, window, fake, root)
    window.workspace.recipe_editor.replace(device="cuda:3")
    with qtbot.waitSignal(window.workspace.project_changed):
        drop(window, urls(root))
    assert window.workspace.recipe.device == "auto" and "no device “cuda:3”" in window.status.text.text()


def test_a_refused_drop_does_not_end_the_check_of_the_open_dataset(qtbot, window, fake, make_dataset, tmp_path) -> None:
    root = make_dataset(count=40)
    (root / "red" / "red9.jpg").write_bytes(b"broken")
    (tmp_path / "empty").mkdir()
    with qtbot.waitSignal(window.workspace.project_changed):
        drop(window, urls(root))
    drop(window, urls(tmp_path / "empty"))
    qtbot.waitUntil(lambda: "is empty" in window.status.text.text())
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert window.data_page.problems.tree.topLevelItem(0).text(0) == "1 image with non-image content"
    assert not window.data_page.problems.note.isVisible()
    assert "is empty" in window.status.text.text(), "progress does not wipe an error away"


# --- ticks and the recipe -------------------------------------------------------------------------------------------


def test_train_is_off_with_a_reason_until_it_makes_sense(qtbot, window, fake, make_dataset: Maker) -> None:
    assert not window.top.train.isEnabled() and "Drop a folder" in window.top.train.toolTip()
    open_project(qtbot, window, fake, make_dataset())
    assert window.top.train.isEnabled()
    window.workspace.layer_ticks.tick([], "Untick head")
    fake.answer_ticks()
    assert not window.top.train.isEnabled()
    assert "nothing would learn: all layers are frozen" in window.top.train.toolTip().lower()
    assert "Nothing would learn: all layers are frozen" in window.layers.note.text()
    window.train_or_pause()
    assert not any(isinstance(command, m.Train) for command in fake.sent)
    window.workspace.undo_stack.undo()
    fake.answer_ticks()
    assert window.top.train.isEnabled()


def test_a_single_class_can_not_be_trained(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset(classes=("red",)))
    assert not window.top.train.isEnabled()
    assert "only one class to learn (“red”); telling things apart takes two" in window.top.train.toolTip()


# --- training -------------------------------------------------------------------------------------------------------


def start_training(window: MainWindow, fake: FakeEngine) -> Path:
    window.train_or_pause()
    command = fake.last(m.Train)
    fake.state(EngineKind.TRAINING)
    fake.tell(m.FreezingChanged(0, [5], ["head"], 6, 66))
    for event in (
        m.TrainingStarted(command.run_folder, 1, ["Head"], 5, 10, 2, "cpu"),
        m.PhaseStarted(0, "Head", 0, 5, 5, 1e-3, "aa"),
        m.StepMetrics([1, 2], [0.9, 0.8], [0.5, 0.6], [1e-4, 1e-3], 0, 1, 120.0, 65.0, []),
        m.EpochFinished(0, 1, 2, 0.85, 0.55, 0.7, 0.75, True, 1.0, [0.5, 1.0]),
    ):
        fake.tell(event)
    return Path(command.run_folder)


def test_a_new_phase_is_told_before_its_first_step(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    """Which may be long after: the frozen part is computed first."""
    open_project(qtbot, window, fake, make_dataset())
    window.train_or_pause()
    fake.state(EngineKind.TRAINING)
    run_folder = fake.last(m.Train).run_folder
    fake.tell(m.TrainingStarted(run_folder, 1, ["Head", "Last stage"], 30, 10, 2, "cpu"))
    fake.tell(m.PhaseStarted(1, "Last stage", 88, 15, 26, 1e-3, "aa"))
    assert window.status.text.text() == "Run 1 · phase 2 of 2"
    fake.tell(m.StepMetrics([89], [0.9], [0.5], [1e-4], 1, 12, 120.0, -1.0, []))
    assert window.status.text.text() == "Run 1 · phase 2 of 2 · epoch 12 of 26", "the first one ended early"


def finish(window: MainWindow, fake: FakeEngine, run: Path, reason: str = "done", steps: int = 2) -> None:
    evaluation = m.Evaluation(["blue", "red"], [[3, 1], [0, 4]], 0.3, 0.875)
    fake.state(EngineKind.READY)
    fake.tell(m.TrainingFinished(str(run), reason, "Training is done.", 1, 0.875, steps, 9.0, evaluation))


def test_a_run_from_train_to_evaluate(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    run = start_training(window, fake)
    assert run.name.startswith("0001-")
    assert window.pages.currentIndex() == TRAIN
    assert window.top.train.text().strip() == "Pause" and window.top.stop.isEnabled()
    assert window.status.text.text() == "Run 1 · phase 1 of 1 · epoch 1 of 5"
    assert window.status.left.text() == "≈ 1:05 left · 120 img/s"
    assert "val accuracy <b>75.0 %</b> · best 75.0 % at epoch 1" in window.status.score.text()
    assert not window.recipe.cards[0].fields["epochs"].editor.isEnabled()
    qtbot.waitUntil(lambda: window.train_page.loss.steps.y.tolist() == [0.9, 0.8])
    assert window.train_page.accuracy.val.y.tolist() == [0.75]
    assert window.train_page.lr.steps.y.tolist() == pytest.approx([0.1, 1.0])
    assert len(window.train_page.loss.marks.phases) == 1
    assert "Only the new head learns" in window.train_page.explanation.text()
    finish(window, fake, run)
    assert window.top.train.text().strip() == "Train" and window.top.train.isEnabled()
    window.show_page(EVALUATE)
    qtbot.waitUntil(lambda: window.evaluate_page.summary.headline.text() == "Accuracy 87.5 %")
    assert "Run 1 on the validation images · 7 of 8 · 95 % interval 53 to 98 %" in plain(
        window.evaluate_page.summary.detail
    )
    assert window.evaluate_page.confusion.matrix.matrix.index(0, 1).data() == "1"


def test_training_by_keys(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    train, stop = window.menu.train, window.menu.stop
    qtbot.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert not train.isEnabled() and not stop.isEnabled() and not any(isinstance(c, m.Train) for c in fake.sent)
    open_project(qtbot, window, fake, make_dataset())
    assert (train.text(), train.isEnabled(), stop.isEnabled()) == ("Train", True, False)
    qtbot.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert fake.last(m.Train)
    fake.state(EngineKind.TRAINING)
    assert (train.text(), stop.isEnabled()) == ("Pause", True)
    qtbot.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert fake.last(m.Pause)
    qtbot.keyClick(window, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert fake.last(m.CancelRequest)


def test_pause_resume_and_stop(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    start_training(window, fake)
    window.train_or_pause()
    assert fake.last(m.Pause)
    fake.tell(m.Paused(2))
    assert window.top.train.text().strip() == "Resume"
    window.train_or_pause()
    assert fake.last(m.Resume)
    fake.tell(m.Resumed(2))
    qtbot.mouseClick(window.top.stop, Qt.MouseButton.LeftButton)
    assert fake.last(m.CancelRequest) and not fake.killed
    fake.state(EngineKind.STOPPING)
    assert window.status.text.text() == "Stopping after this step…" and window.top.stop.text().strip() == "Stopping…"
    assert not window.top.stop.isEnabled()
    window.workspace.training.stop()
    assert not fake.killed and len([c for c in fake.sent if isinstance(c, m.CancelRequest)]) == 1, "twice is once"


def test_an_engine_that_does_not_stop_can_be_ended_by_a_button_of_its_own(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    open_project(qtbot, window, fake, make_dataset())
    run = start_training(window, fake)
    stopping, end_engine = window.workspace.stopping, window.status.end_engine
    window.workspace.training.stop()
    fake.state(EngineKind.STOPPING)
    assert stopping.patience.isActive() and stopping.patience.interval() == 10_000
    stopping.end_engine()
    assert not end_engine.isVisible() and not fake.killed, "not yet"
    stopping.patience.timeout.emit()
    assert end_engine.isVisible() and "Wait, or end the engine" in window.status.text.text()
    qtbot.mouseClick(end_engine, Qt.MouseButton.LeftButton)
    assert fake.killed == 1
    before = fake.started
    fake.state(EngineKind.NOT_STARTED)
    assert fake.started == before + 1, "a killed engine is replaced at once"
    assert not end_engine.isVisible()
    assert window.status.text.text() == "The engine was ended. Run 1 left no model.", "it had written none"
    assert window.train_page.explanation.text() == "Run 1 left no model."
    assert window.workspace.project is not None and not window.top.stop.isEnabled()
    fake.become_ready()
    assert "ended" not in window.status.text.text(), "it goes away"
    leave_checkpoint(run, window.workspace.recipe, step=7)
    (run / "best").mkdir()
    (run / "best" / "model.safetensors").touch()
    assert what_is_left(run) == "The best weights of run 1 so far are in its folder. It can be continued from step 7."


def test_a_run_stopped_at_once_is_told_as_what_it_was(window: MainWindow, fake, make_dataset: Maker, qtbot) -> None:
    open_project(qtbot, window, fake, make_dataset())
    run = start_training(window, fake)
    stopped = m.TrainingFinished(str(run), "stopped", "Stopped before the first step.", 0, math.nan, 0, 1.0, None)
    fake.tell(stopped)
    assert window.train_page.explanation.text() == "It ended before the first step: nothing has changed."


def test_two_quick_clicks_on_train_are_one_run(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    open_project(qtbot, window, fake, make_dataset())
    window.train_or_pause()
    window.train_or_pause()
    assert len([command for command in fake.sent if isinstance(command, m.Train)]) == 1
    assert sum(path.is_dir() for path in window.workspace.project.runs_folder.iterdir()) == 1


def test_a_training_the_engine_refuses_leaves_no_folder(qtbot, window: MainWindow, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    window.train_or_pause()
    request = fake.last(m.Train).request
    fake.state(EngineKind.TRAINING)
    fake.state(EngineKind.READY)
    fake.tell(m.CommandFailed(request, "There is no device “x” here."))
    assert window.status.text.text() == "There is no device “x” here."
    assert window.train_page.headline.text() == "Training did not start."
    assert window.train_page.explanation.text() == "There is no device “x” here."
    assert not any(path.is_dir() for path in window.workspace.project.runs_folder.iterdir())
    assert window.top.train.isEnabled()


def test_resuming_takes_the_word_paused_back(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    start_training(window, fake)
    fake.tell(m.Paused(2))
    assert "Paused" in window.train_page.words.figures.text() and "Paused" in window.status.text.text()
    fake.tell(m.Resumed(2))
    assert "Paused" not in window.train_page.words.figures.text() + window.status.text.text()


def test_a_crash_is_told_in_words_and_nothing_is_lost(qtbot, window: MainWindow, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    window.workspace.layer_ticks.tick(["everything"], "x")
    fake.answer_ticks()
    start_training(window, fake)
    fake.state(EngineKind.CRASHED, exit_code=-9, last_words="CUDA error: an illegal memory access")
    text = window.status.text.text()
    assert "stopped unexpectedly" in text and "illegal memory access" in text and "Run 1 left no model." in text
    assert window.status.restart.isVisible()
    assert "Training ended before it was finished" in window.train_page.headline.text()
    assert not window.top.train.isEnabled() and window.data_page.grid.images.rowCount() == 12
    started = fake.started
    qtbot.mouseClick(window.status.restart, Qt.MouseButton.LeftButton)
    assert fake.started == started + 1
    fake.become_ready()
    assert fake.last(m.LoadModel).train == ["everything"]
    assert not window.status.restart.isVisible() and window.top.train.isEnabled()


def test_a_run_that_learned_nothing_leaves_no_folder(qtbot, window: MainWindow, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    run = start_training(window, fake)
    assert run.is_dir()
    finish(window, fake, run, "failed", steps=0)
    assert not run.exists()


def test_other_datasets_wait_for_the_training(qtbot, window: MainWindow, fake, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    start_training(window, fake)
    other = make_dataset(name="other")
    drop(window, urls(other))
    assert "Training is in progress" in window.status.text.text()
    assert window.workspace.catalog.root.name == "pictures"


def test_no_validation_images_are_told(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset())
    start_training(window, fake)
    fake.tell(m.EpochFinished(0, 2, 4, 0.5, 0.9, math.nan, math.nan, True, 1.0, []))
    assert "No validation images" in window.train_page.words.figures.text()


# --- data page ------------------------------------------------------------------------------------------------------


def test_problems_are_listed_with_their_files(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    root = make_dataset(count=14)
    (root / "red" / "red0.jpg").write_bytes((root / "red" / "red0.jpg").read_bytes()[:900])
    (root / "red" / "notes.txt").write_text("x", encoding="utf-8")
    open_project(qtbot, window, fake, root)
    page = window.data_page
    tree = page.problems.tree
    texts = [tree.topLevelItem(i).text(0) for i in range(tree.topLevelItemCount())]
    assert texts == ["1 image cut off", "1 file with no image in it"]
    assert tree.topLevelItem(0).child(0).text(0) == "red/red0.jpg"
    assert "cut off" in tree.topLevelItem(0).child(0).toolTip(0)
    tree.itemClicked.emit(tree.topLevelItem(0), 0)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 1)
    assert page.banner.isVisibleTo(page) and "ends too early" in page.banner.text.text()
    tree.itemClicked.emit(tree.topLevelItem(0), 0)
    qtbot.waitUntil(lambda: page.grid.images.rowCount() == 28)
    assert not page.banner.isVisibleTo(page)


def test_searching_and_filtering(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> None:
    open_project(qtbot, window, fake, make_dataset(count=4))
    page = window.data_page
    images = page.grid.images
    page.bar.search.setText("red1")
    qtbot.waitUntil(lambda: images.rowCount() == 1)
    assert page.bar.count.text() == "1 of 8"
    page.bar.search.setText("nothing like it")
    qtbot.waitUntil(lambda: images.rowCount() == 0)
    assert page.browser.nothing.isVisible()
    page.bar.search.clear()
    qtbot.waitUntil(lambda: images.rowCount() == 8)
    page.classes.itemClicked.emit(page.classes.item(0))
    qtbot.waitUntil(lambda: images.rowCount() == 4)
    assert page.bar.class_filter.currentText() == "blue"
    page.classes.itemClicked.emit(page.classes.item(0))
    qtbot.waitUntil(lambda: images.rowCount() == 8)


def test_thumbnails_are_upright_and_the_viewer_asks(qtbot, window, fake, make_dataset: Maker) -> None:
    from PIL import Image

    root = make_dataset(count=3)
    wide = Image.new("RGB", (90, 30), (0, 0, 255))
    wide.paste((255, 0, 0), (0, 0, 45, 30))  # red at the left
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    wide.transpose(Image.Transpose.ROTATE_180).save(root / "blue" / "blue0.jpg", exif=exif, quality=95)
    open_project(qtbot, window, fake, root)
    window.show_page(DATA)
    index = window.data_page.grid.images.index(0)

    def thumbnail():
        return index.data(Qt.ItemDataRole.DecorationRole)

    qtbot.waitUntil(lambda: thumbnail() is not None)
    image = thumbnail().toImage()
    left, right = image.pixelColor(5, image.height() // 2), image.pixelColor(image.width() - 6, image.height() // 2)
    assert left.red() > 200 > left.blue() and right.blue() > 200 > right.red()
    window.data_page.grid.doubleClicked.emit(index)
    viewer = window.data_page.viewer
    qtbot.waitUntil(lambda: viewer.isVisible() and viewer.canvas.shown)
    viewer.ask.click()
    assert fake.last(m.Predict).path == str(root / "blue" / "blue0.jpg")


def test_everything_has_an_accessible_name(window: MainWindow) -> None:
    from PySide6.QtWidgets import (
        QAbstractButton,
        QAbstractItemView,
        QAbstractSpinBox,
        QComboBox,
        QHeaderView,
        QLineEdit,
    )

    nameless = [
        f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}"
        for kind in (QAbstractButton, QComboBox, QLineEdit, QAbstractSpinBox, QAbstractItemView)
        for widget in window.findChildren(kind)
        if widget.window() is window
        and not widget.accessibleName()
        and not isinstance(widget, QHeaderView)
        and not widget.objectName().startswith("qt_")
        and not isinstance(widget.parent(), QComboBox | QAbstractSpinBox | QLineEdit | QAbstractItemView)
        and not type(widget.parent()).__name__.startswith("QComboBox")
    ]
    assert not nameless


def test_a_folder_that_can_not_be_opened_is_still_said_when_the_engine_is_ready(
    qtbot, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    fake.state(EngineKind.STARTING)
    window.workspace.open_dataset(tmp_path / "nothing")
    qtbot.waitUntil(lambda: "no longer there" in window.status.text.text())
    fake.state(EngineKind.READY)
    assert "no longer there" in window.status.text.text()
    fake.state(EngineKind.CRASHED, exit_code=-1)
    assert "stopped unexpectedly" in window.status.text.text()
    fake.state(EngineKind.STARTING)
    fake.state(EngineKind.READY)
    assert window.status.text.text().startswith("Ready")
