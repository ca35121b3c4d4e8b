"""A picture, and over it what of it speaks for a class."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ftgui.protocol.messages import Explanation

_STOPS = (
    (0.0, (20, 11, 82)),
    (0.35, (120, 28, 109)),
    (0.6, (218, 72, 59)),
    (0.8, (252, 150, 8)),
    (1.0, (252, 255, 164)),
)
"""Value -> RGB: dark to light all the way, so that it also reads without colour (after matplotlib's "inferno")."""


class SaliencyView(QWidget):
    """Scales its picture to the room there is, never up beyond twice its own size."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QImage()
        self._heat = QImage()
        self._area = QRectF()
        self._strength = 0.6
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("The image asked about")

    def sizeHint(self) -> QSize:
        return QSize(480, 360)

    @property
    def has_picture(self) -> bool:
        """There is one to be seen."""
        return not self._picture.isNull()

    @property
    def has_heat(self) -> bool:
        """Something lies over the picture."""
        return not self._heat.isNull()

    def show_picture(self, image: QImage) -> None:
        """Another one; what lay over the one before is gone."""
        self._picture, self._heat = image, QImage()
        self.update()

    def show_heat(self, explanation: Explanation | None) -> None:
        """Lay an explanation over the picture, or nothing."""
        self._heat = QImage() if explanation is None else heat_image(np.array(explanation.heat, np.float64))
        if explanation is not None:
            left, top, right, bottom = explanation.area
            self._area = QRectF(left, top, right - left, bottom - top)
        self.update()

    def set_strength(self, strength: float) -> None:
        """Opacity of the hottest place, 0 to 1."""
        self._strength = strength
        self.update()

    def _frame(self) -> QRectF:
        """Where the picture is painted."""
        width, height = max(self._picture.width(), 1), max(self._picture.height(), 1)
        scale = min(self.width() / width, self.height() / height, 2.0)
        shown = QRectF(0, 0, width * scale, height * scale)
        shown.moveCenter(QRectF(self.rect()).center())
        return shown

    def seen_frame(self) -> QRectF:
        """Where the part is painted that the model sees."""
        frame, area = self._frame(), self._area
        return QRectF(
            frame.left() + area.left() * frame.width(),
            frame.top() + area.top() * frame.height(),
            area.width() * frame.width(),
            area.height() * frame.height(),
        )

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._picture.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        frame = self._frame()
        painter.drawImage(frame, self._picture)
        if self._heat.isNull():
            return
        seen = self.seen_frame()
        painter.setClipRect(frame)
        painter.setOpacity(self._strength)
        painter.drawImage(seen, self._heat)
        painter.setOpacity(1)
        unseen = QColor(0, 0, 0, 150)  # what the model does not see
        for part in (
            QRectF(frame.left(), frame.top(), frame.width(), seen.top() - frame.top()),
            QRectF(frame.left(), seen.bottom(), frame.width(), frame.bottom() - seen.bottom()),
            QRectF(frame.left(), seen.top(), seen.left() - frame.left(), seen.height()),
            QRectF(seen.right(), seen.top(), frame.right() - seen.right(), seen.height()),
        ):
            if part.width() > 0 and part.height() > 0:
                painter.fillRect(part, unseen)
        painter.setPen(QColor(255, 255, 255, 120))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(seen)


def heat_image(values: np.ndarray) -> QImage:
    """(h, w) from 0 to 1 as a smooth picture: cold places are transparent.

    Args:
        values: at least 1 × 1.
    """
    small = QImage(values.shape[1], values.shape[0], QImage.Format.Format_Grayscale16)
    rows = np.ascontiguousarray((values.clip(0, 1) * 65535).astype(np.uint16))
    for y in range(values.shape[0]):
        small.scanLine(y)[: 2 * values.shape[1]] = rows[y].tobytes()  # type: ignore[index]
    # Enlarged before it is coloured, or colours between two places would be ones that stand for other values.
    side = 224
    large = small.scaled(side, side, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
    large = large.convertToFormat(QImage.Format.Format_Grayscale8)
    grey = np.frombuffer(large.constBits(), np.uint8).reshape(side, large.bytesPerLine())[:, :side] / 255
    channels = [np.interp(grey, [at for at, _ in _STOPS], [color[i] for _, color in _STOPS]) for i in range(3)]
    alpha = np.interp(grey, [0.0, 0.5, 1.0], [0.15, 0.75, 1.0]) * 255
    rgba = np.ascontiguousarray(np.stack([*channels, alpha], -1).astype(np.uint8))
    return QImage(rgba.tobytes(), side, side, 4 * side, QImage.Format.Format_RGBA8888).copy()
