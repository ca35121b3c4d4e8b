"""One image, large: zoom with the wheel, next and previous with the arrows, all that is known about it beside it."""

from __future__ import annotations

import time
from functools import partial
from html import escape
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ftgui.base.formatting import file_size
from ftgui.base.job import Job
from ftgui.data.catalog.problem_kinds import KINDS
from ftgui.data.catalog.records import ImageDetail
from ftgui.data.images.intensity import IntensityRange
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Card, ElidedLabel, IconButton, button, label
from ftgui.ui.toolkit.pictures import load_picture
from ftgui.ui.toolkit.theme import Theme

LONGEST_SIDE = 4096
"""Pixels that are shown of an image at most."""
_TURNED = {2: "mirrored", 3: "upside down", 4: "mirrored, upside down", 5: "mirrored, on its side", 6: "on its side",
           7: "mirrored, on its side", 8: "on its side"}  # fmt: skip


class Canvas(QWidget):
    """Shows a picture, fitted or zoomed; the place under the mouse stays under it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._image = QImage()
        self.text = ""
        """Words in the place of the picture."""
        self.zoom = 1.0
        """1: the whole picture fits."""
        self._middle = QPointF(0.5, 0.5)
        self._grabbed: QPoint | None = None
        self.setMinimumSize(200, 200)
        self.setAccessibleName("Image")

    def show_image(self, image: QImage, text: str = "") -> None:
        """A picture, or words in its place."""
        self._image, self.text = image, text
        self.fit()

    @property
    def shown(self) -> bool:
        return not self._image.isNull()

    def fit(self) -> None:
        """All of it."""
        self.zoom, self._middle = 1.0, QPointF(0.5, 0.5)
        self.update()

    def _scale(self) -> float:
        """Screen points per picture point."""
        width, height = max(self._image.width(), 1), max(self._image.height(), 1)
        fitted = min(self.width() / width, self.height() / height, 8.0)
        return fitted * self.zoom

    def area(self) -> QRectF:
        """Where the picture is painted."""
        scale = self._scale()
        width, height = self._image.width() * scale, self._image.height() * scale
        x = self.width() / 2 - self._middle.x() * width
        y = self.height() / 2 - self._middle.y() * height
        return QRectF(x, y, width, height)

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Closer or farther, around a place."""
        if not self.shown:
            return
        at = at or QPointF(self.width() / 2, self.height() / 2)
        before = self.area()
        self.zoom = min(max(self.zoom * factor, 1.0), 40.0)
        if self.zoom == 1.0:
            self.fit()
            return
        share = QPointF((at.x() - before.x()) / before.width(), (at.y() - before.y()) / before.height())
        after = self.area()
        moved = QPointF(after.x() + share.x() * after.width(), after.y() + share.y() * after.height()) - at
        self._shift(moved)

    def _shift(self, by: QPointF) -> None:
        area = self.area()
        middle = self._middle + QPointF(by.x() / area.width(), by.y() / area.height())
        self._middle = QPointF(min(max(middle.x(), 0.0), 1.0), min(max(middle.y(), 0.0), 1.0))
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom_by(1.2 ** (event.angleDelta().y() / 120), event.position())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._grabbed = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grabbed is not None:
            now = event.position().toPoint()
            self._shift(QPointF(self._grabbed - now))
            self._grabbed = now

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._grabbed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.zoom > 1:
            self.fit()
        else:
            self.zoom_by(1 / min(self._scale(), 0.5), event.position())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if not self.shown:
            painter.setPen(QColor(self._theme.colors.muted))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self.text)
            return
        # Enlarged far, single pixels are what one wants to see.
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._scale() < 3)
        painter.drawImage(self.area(), self._image)


class Viewer(Card):
    """Lies over the grid; Escape goes back.

    Args:
        theme: for colours.
    """

    step_wanted = Signal(int)
    """-1: previous, +1: next image."""
    key_pressed = Signal(QKeyEvent)
    """One that is not the viewer's own: edits are the grid's."""
    ask_wanted = Signal(Path)
    closed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._file = Path()
        self._mtime = 0.0
        self.intensity: IntensityRange | None = None
        """With which images of more than 8 bits are read."""
        self._task: Task | None = None
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self.canvas = Canvas(theme)
        self.name = ElidedLabel()
        self.place = label("", "muted")
        self.facts = label("", wrap=True)
        self.facts.setTextFormat(Qt.TextFormat.RichText)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.facts.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        top = QHBoxLayout()
        for icon, name, tip, slot in (
            ("chevron-left", "Previous image", " (←)", partial(self.step_wanted.emit, -1)),
            ("chevron-right", "Next image", " (→)", partial(self.step_wanted.emit, 1)),
        ):
            made = IconButton(icon, name, tip, theme)
            made.clicked.connect(slot)
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            top.addWidget(made)
        top.addWidget(self.name, 1)
        top.addWidget(self.place)
        close = IconButton("x", "Back to the images", " (Esc)", theme)
        close.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        close.clicked.connect(self.leave)
        top.addWidget(close)
        side = QVBoxLayout()
        side.addWidget(self.facts, 1)
        self.ask = button("Ask the model", "What does the model say about this image? (Ctrl+Enter)")
        self.ask.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.ask.clicked.connect(self._ask)
        side.addWidget(self.ask)
        holder = QWidget()
        holder.setFixedWidth(190)
        holder.setLayout(side)
        side.setContentsMargins(0, 0, 0, 0)
        middle = QHBoxLayout()
        middle.addWidget(self.canvas, 1)
        middle.addWidget(holder)
        self.body.addLayout(top)
        self.body.addLayout(middle, 1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("One image")
        self.hide()

    def show_image(self, file: Path, detail: ImageDetail, place: str, keys: str) -> None:
        """Load a file, say what is known about it.

        Args:
            file: to show.
            detail: of the catalog.
            place: e.g. ``"12 of 397"``.
            keys: what keys do, for the foot of the facts.
        """
        if self._task is not None:
            self._task.cancel()
        was_open = self.isVisible()
        same = (file, detail.row.mtime) == (self._file, self._mtime) and was_open and self.canvas.shown
        self._file, self._mtime = file, detail.row.mtime
        self.name.set_full(detail.row.path)
        self.place.setText(place)
        self.facts.setText(_facts(detail) + f"<p style='color:gray'>{keys}</p>")
        if not same:
            self.canvas.show_image(QImage(), "…")
            self._task = Task(partial(_load, file, self.intensity), self)
            self._task.done.connect(self._loaded)
            self._task.failed.connect(self._not_loaded)
            self._task.start(self._pool)
        self.show()
        if not was_open:  # later the person may be typing somewhere else
            self.setFocus()

    def read_with(self, intensity: IntensityRange | None) -> None:
        """Another range: what is shown is read anew when it is asked for again."""
        self.intensity = intensity
        self._file = Path()

    def close_threads(self) -> None:
        """Before the program ends."""
        if self._task is not None:
            self._task.cancel()
        self._pool.waitForDone()

    @Slot(object)
    def _loaded(self, image: QImage) -> None:
        if self.sender() is self._task:
            self.canvas.show_image(image)

    @Slot(str)
    def _not_loaded(self, sentence: str) -> None:
        if self.sender() is self._task:
            self.canvas.show_image(QImage(), sentence)

    @Slot()
    def leave(self) -> None:
        """Back to the grid."""
        self.hide()
        self.closed.emit()

    @Slot()
    def _ask(self) -> None:
        self.ask_wanted.emit(self._file)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key == Qt.Key.Key_Escape:
            self.leave()
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Up, Qt.Key.Key_PageUp):
            self.step_wanted.emit(-1)
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_PageDown, Qt.Key.Key_Space):
            self.step_wanted.emit(1)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.canvas.zoom_by(1.25)
        elif key == Qt.Key.Key_Minus:
            self.canvas.zoom_by(0.8)
        elif key == Qt.Key.Key_0:
            self.canvas.fit()
        elif control and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._ask()
        else:
            self.key_pressed.emit(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.canvas.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Covers what it lies over, however that is resized."""
        if event.type() is QEvent.Type.Resize and isinstance(watched, QWidget):
            self.setGeometry(watched.rect())
        return False


def _load(file: Path, intensity: IntensityRange | None, _job: Job) -> QImage:
    return load_picture(file, LONGEST_SIDE, intensity)


def _facts(detail: ImageDetail) -> str:
    """As HTML."""
    row = detail.row
    lines = [("Class", row.class_name), ("Split", row.split + (" (by hand)" if detail.pinned else ""))]
    if detail.found_class and detail.found_class != row.class_name:
        lines.append(("Its folder says", detail.found_class))
    if row.excluded:
        lines.append(("Excluded", "not used"))
    if row.prediction is not None:
        lines.append(("The model says", f"{row.prediction}, {detail.confidence or 0:.0%}"))
        lines.append(("Loss", f"{detail.loss:.2f}" if detail.loss is not None else "not known for this class"))
    if detail.width is not None:
        lines.append(("Size", f"{detail.width:,} × {detail.height:,}"))
        lines.append(("File", f"{detail.format}, {detail.mode}, {file_size(detail.size)}"))
    else:
        lines.append(("File", file_size(detail.size)))
    if detail.orientation in _TURNED:
        lines.append(("Camera", f"held {_TURNED[detail.orientation]}; shown upright"))
    if detail.brightness is not None:
        lines.append(("Brightness", f"{detail.brightness:.0f} of 255"))
    lines.append(("Modified", time.strftime("%Y-%m-%d %H:%M", time.localtime(row.mtime))))
    if detail.digest is not None:
        lines.append(("Hash", detail.digest.hex()[:12]))
    table = "".join(
        f"<tr><td style='color:gray;padding-right:8px'>{name}</td><td>{escape(value)}</td></tr>"
        for name, value in lines
    )
    problems = "".join(
        f"<p><b>{escape(KINDS[kind].words.capitalize())}</b><br>{escape(text)}</p>" for kind, text, _ in detail.findings
    )
    return f"<table cellspacing='0' cellpadding='2'>{table}</table>{problems}"
