"""The Data page says how images of more than 8 bits are read, and changes it; every picture of them follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.ui.data.data_page import DataPage
from ftgui.ui.data.intensity_editor import IntensityEditor
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.images.thumbnails import Thumbnails
from ftgui.ui.shell.main_window import DATA, MainWindow
from tests.conftest import Maker, plain
from tests.deep_images import make_microscopy
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


def brightness(image: QImage) -> float:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    return float(np.frombuffer(grey.constBits(), np.uint8).mean())


def thumbnail(page: DataPage) -> float:
    """How bright the first thumbnail is; -1 while there is none."""
    images = page.grid.images
    row = images.row(0) if images.ids else None
    catalog = page.window().workspace.catalog
    if row is None or catalog is None:
        return -1
    picture = page.grid.thumbnails.get(catalog.root / row.path, row.mtime)
    return -1 if picture is None or picture.isNull() else brightness(picture.toImage())


def test_the_range_is_found_said_changed_and_undone(
    qtbot, window: MainWindow, fake: FakeEngine, tmp_path: Path
) -> None:
    workspace = window.workspace
    open_project(qtbot, window, fake, make_microscopy(tmp_path / "cells", count=4))
    window.show_page(DATA)
    page = window.data_page
    qtbot.waitUntil(lambda: workspace.intensity.range == (0, 4095) and not workspace.checking)
    assert page.intensity_box.isVisible()
    assert plain(page.intensity).endswith("values 0 to 4,095; shown and trained as 0 to 4,095")
    qtbot.waitUntil(lambda: thumbnail(page) > 20)

    page.change_intensity.click()
    (editor,) = page.findChildren(IntensityEditor)
    assert editor.way.currentText() == "Automatic: 0 to 4,095" and not editor.low.isEnabled()
    editor.way.setCurrentIndex(2)
    editor.high.setText("4,095")
    apply = editor.buttons.button(editor.buttons.StandardButton.Apply)
    assert not apply.isEnabled() and "can mean 4.0950 or 4095" in editor.says.text()
    editor.high.setText("65535")
    apply.click()
    assert workspace.recipe.dataset.intensity == (0, 65535) and workspace.intensity.range == (0, 65535)
    workspace.saver.wait()
    assert recipe_file.load(workspace.project.recipe_path).dataset.intensity == (0, 65535)
    assert plain(page.intensity).endswith("shown and trained as 0 to 65,535")
    qtbot.waitUntil(lambda: 0 <= thumbnail(page) < 10)
    qtbot.waitUntil(lambda: not workspace.checking)
    assert {group.kind for group in workspace.contents.groups} >= {"hardly-seen"}

    workspace.prediction.show_views(workspace.catalog.example(), 1)
    assert fake.last(m.PreviewAugmentation).intensity == (0, 65535)
    workspace.undo_stack.undo()
    assert workspace.intensity.range == (0, 4095)
    qtbot.waitUntil(lambda: thumbnail(page) > 20)
    qtbot.waitUntil(lambda: "hardly-seen" not in {group.kind for group in workspace.contents.groups})
    editor.close()


def test_a_set_of_eight_bits_says_nothing_of_ranges(
    qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker
) -> None:
    open_project(qtbot, window, fake, make_dataset())
    window.show_page(DATA)
    qtbot.waitUntil(lambda: not window.workspace.checking)
    assert window.workspace.intensity.range is None and not window.data_page.intensity_box.isVisible()


def test_the_range_is_not_changed_under_a_training(qtbot, window: MainWindow, fake: FakeEngine, tmp_path: Path) -> None:
    open_project(qtbot, window, fake, make_microscopy(tmp_path / "cells", count=4))
    window.show_page(DATA)
    qtbot.waitUntil(lambda: window.workspace.intensity.range is not None)
    fake.state(EngineKind.TRAINING)
    window.data_page.change_intensity.click()
    assert not window.data_page.findChildren(IntensityEditor)
    assert "Training is in progress" in window.status.text.text()


def test_what_was_decoded_for_another_range_is_not_shown(qtbot, window: MainWindow, tmp_path: Path) -> None:
    """Its decoding may have begun before the range changed."""
    thumbnails = Thumbnails(32, window, threads=0)  # nobody decodes; the test does
    file = str(tmp_path / "x.png")
    thumbnails.get(tmp_path / "x.png", 1.0)
    old = thumbnails.next_wish()
    thumbnails.set_intensity((0, 4095))
    thumbnails.get(tmp_path / "x.png", 1.0)
    new = thumbnails.next_wish()
    assert old is not None and new is not None and (old.intensity, new.intensity) == (None, (0, 4095))
    image = QImage(32, 32, QImage.Format.Format_RGB888)
    with qtbot.assertNotEmitted(thumbnails.arrived):
        thumbnails.decoded.emit(file, old.generation, image)
    with qtbot.waitSignal(thumbnails.arrived):
        thumbnails.decoded.emit(file, new.generation, image)
