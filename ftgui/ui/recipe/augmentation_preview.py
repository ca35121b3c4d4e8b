"""What the model will see of an image in training."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPalette, QPixmap, QShowEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ftgui.data.images.decoding import EXTENSIONS
from ftgui.data.images.intensity import IntensityRange
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import ElidedLabel, button, label
from ftgui.ui.toolkit.drop_offer import Kind, look_at
from ftgui.ui.toolkit.file_choice import IMAGES, choose_file

COUNT = 6
_SIDE, _COLUMNS = 100, 3


class AugmentationPreview(QWidget):
    """Six views of one image as the augmentation makes them, asked of the engine while the strip can be seen.

    Args:
        workspace: asked for views; its dataset gives the first image.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._path: Path | None = None
        self._asked: tuple[Path, Augmentation, IntensityRange | None] | None = None
        self._request = 0
        self.setAcceptDrops(True)
        self.setToolTip("What the model will see of this image. Drop another image here to see its views.")
        self.name = ElidedLabel()
        self.name.setObjectName("muted")
        self.choose = button("Image…", "Look at another image")
        self.choose.setAccessibleName("Choose the image whose views are shown")
        self.choose.clicked.connect(self._choose)
        self.again = button("Again", "Draws other random views of the same image")
        self.again.clicked.connect(self._ask_anew)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.name, 1)
        row.addWidget(self.again)
        row.addWidget(self.choose)
        grid = QGridLayout()
        grid.setSpacing(4)
        self.pictures = [QLabel() for _ in range(COUNT)]
        for number, picture in enumerate(self.pictures):
            picture.setFixedSize(_SIDE, _SIDE)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setBackgroundRole(QPalette.ColorRole.Midlight)
            picture.setAutoFillBackground(True)  # the place of a view that has not come yet
            picture.setAccessibleName(f"View {number + 1} of the image")
            grid.addWidget(picture, number // _COLUMNS, number % _COLUMNS)
        grid.setColumnStretch(_COLUMNS, 1)
        self.note = label("", "muted", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.note)
        column.addLayout(grid)
        self.note.hide()
        workspace.prediction.views_arrived.connect(self._arrived)
        workspace.prediction.views_failed.connect(self._failed)
        workspace.model.changed.connect(self._ask_anew)
        workspace.recipe_changed.connect(self._ask)
        workspace.intensity.changed.connect(self._ask)
        workspace.project_changed.connect(self._forget)

    # --- asking -----------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(0, self._ask)  # once the section is laid out

    def look_at(self, path: Path) -> None:
        """Show views of this image."""
        self._path = path
        self._ask()

    @Slot()
    def _forget(self) -> None:
        self._path = self._asked = None
        self._clear()

    @Slot()
    def _ask_anew(self) -> None:
        self._asked = None
        self._ask()

    @Slot()
    def _ask(self) -> None:
        """Unless it can't be seen, or these views are shown already."""
        if not self.isVisible():
            return
        path = self._shown_path()
        self.again.setEnabled(path is not None)
        if path is None:
            self._say("Choose an image, or drop one here, to see what the model would see of it.")
            return
        self._show_name()
        wanted = (path, self._workspace.recipe.augmentation, self._workspace.intensity.range)
        if wanted == self._asked:
            return
        self._request = self._workspace.prediction.show_views(path, COUNT)
        if self._request:
            self._asked = wanted
        else:
            self._say("The views appear when the model is loaded.")

    def _show_name(self) -> None:
        path = self._shown_path()
        self.name.set_full(path.name if path is not None else "")

    def _shown_path(self) -> Path | None:
        contents = self._workspace.contents
        return self._path or (contents.example if contents is not None else None)

    @Slot()
    def _choose(self) -> None:
        patterns = " ".join(f"*{ending}" for ending in sorted(EXTENSIONS))
        path = choose_file(self, "Look at an image", IMAGES, f"Images ({patterns});;All files (*)")
        if path is not None:
            self.look_at(path)

    # --- answers ----------------------------------------------------------------------------------------------------

    @Slot(m.AugmentedViews)
    def _arrived(self, event: m.AugmentedViews) -> None:
        if event.request != self._request:
            return  # of a question that a newer one has replaced
        self._clear()
        scale = self.devicePixelRatioF()
        side = round(_SIDE * scale)
        for label_, content in zip(self.pictures, event.images, strict=False):
            picture = QPixmap()
            picture.loadFromData(content)
            if not picture.isNull():
                picture = picture.scaled(
                    side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
                )
                picture.setDevicePixelRatio(scale)
                label_.setPixmap(picture)

    @Slot(int, str)
    def _failed(self, request: int, sentence: str) -> None:
        if request == self._request:
            self._asked = None
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._clear()
        self.note.setText(sentence)
        self.note.show()

    def _clear(self) -> None:
        self.note.hide()
        for picture in self.pictures:
            picture.clear()

    # --- drops ------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        # What is no image goes on to the window, which says what it would do with it.
        if look_at(event.mimeData(), self._workspace.engine.busy).kind is Kind.IMAGE:
            event.acceptProposedAction()
            self.name.set_full("Drop to see its views")
        else:
            event.ignore()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._show_name()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.look_at(look_at(event.mimeData(), self._workspace.engine.busy).path)
