"""What the model will see: asked when it can be seen, shown when it comes, said when it can't be."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication

from ftgui.protocol import messages as m
from ftgui.ui.recipe.augmentation_preview import AugmentationPreview
from ftgui.ui.shell.main_window import MainWindow
from tests.conftest import Maker, picture
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


def png(color: Qt.GlobalColor) -> bytes:
    image = QImage(224, 224, QImage.Format.Format_RGB32)
    image.fill(color)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data.data())


def questions(fake: FakeEngine) -> list[m.PreviewAugmentation]:
    return [command for command in fake.sent if isinstance(command, m.PreviewAugmentation)]


def shown(strip: AugmentationPreview) -> int:
    return sum(not picture.pixmap().isNull() for picture in strip.pictures)


@pytest.fixture
def strip(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> AugmentationPreview:
    open_project(qtbot, window, fake, make_dataset())
    assert not questions(fake), "nobody looks"
    window.recipe.augmentation.toggle.click()
    qtbot.waitUntil(lambda: bool(questions(fake)))
    return window.recipe.views


def test_views_of_the_example_appear(strip: AugmentationPreview, window: MainWindow, fake: FakeEngine) -> None:
    (question,) = questions(fake)
    assert question.path == str(window.workspace.catalog.example()) and question.count == 6
    assert strip.name.full == Path(question.path).name
    window.workspace.prediction.views_arrived.emit(m.AugmentedViews(question.request, [png(Qt.GlobalColor.red)] * 6))
    assert shown(strip) == 6
    assert strip.pictures[5].pixmap().toImage().pixelColor(40, 40).red() == 255


def test_another_augmentation_asks_again_and_the_late_answer_is_dropped(strip, window, fake: FakeEngine) -> None:
    window.workspace.recipe_editor.change("augmentation", "preset", "strong")
    first, second = questions(fake)
    assert second.augmentation.preset == "strong"
    window.workspace.prediction.views_arrived.emit(m.AugmentedViews(first.request, [png(Qt.GlobalColor.red)] * 6))
    assert shown(strip) == 0
    window.workspace.recipe_editor.change_phase(0, epochs=9)
    assert len(questions(fake)) == 2, "the number of epochs changes no view"
    strip.again.click()
    assert len(questions(fake)) == 3


def test_an_image_that_can_not_be_shown_says_why(
    strip: AugmentationPreview, window: MainWindow, fake: FakeEngine
) -> None:
    (question,) = questions(fake)
    fake.tell(m.CommandFailed(question.request, "The file is cut off."))
    assert strip.note.isVisible() and strip.note.text() == "The file is cut off."
    assert "cut off" not in window.status.text.text()


def test_an_image_dropped_on_the_strip_is_looked_at(strip, window, fake: FakeEngine, tmp_path: Path) -> None:
    path = tmp_path / "写真 2.png"
    picture((200, 40, 40), 1).save(path)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    common = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), *common)
    QApplication.sendEvent(strip, enter)
    assert enter.isAccepted() and strip.name.full == "Drop to see its views"
    QApplication.sendEvent(strip, QDropEvent(QPointF(5, 5), *common))
    assert questions(fake)[-1].path == str(path) and strip.name.full == path.name
    assert not any(isinstance(command, m.Predict) for command in fake.sent), "it is not asked about"


def test_without_a_model_it_says_what_is_missing(qtbot, window: MainWindow, fake: FakeEngine) -> None:
    window.recipe.augmentation.toggle.click()
    qtbot.waitUntil(lambda: "Choose an image" in window.recipe.views.note.text())
    window.recipe.views.look_at(Path("x.png"))
    assert "when the model is loaded" in window.recipe.views.note.text() and not questions(fake)
    fake.become_ready()
    assert questions(fake)[-1].path == "x.png"
