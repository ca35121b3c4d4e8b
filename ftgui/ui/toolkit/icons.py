"""Icons from the shipped lucide SVGs, drawn in the theme's colours."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ftgui.base.paths import resource


@lru_cache(maxsize=256)
def icon(name: str, color: str, size: int = 16) -> QIcon:
    """A shipped icon in a colour; crisp at one and two times its size."""
    result = QIcon()
    for scale in (1, 2):
        result.addPixmap(_pixmap(name, color, size * scale, scale))
    return result


def pixmap(name: str, color: str, size: int, scale: float = 1.0) -> QPixmap:
    """The same as a picture for a label."""
    return _pixmap(name, color, round(size * scale), scale)


def _pixmap(name: str, color: str, pixels: int, scale: float) -> QPixmap:
    svg = resource("icons", f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", color)
    renderer = QSvgRenderer(QByteArray(svg.encode("utf-8")))
    picture = QPixmap(QSize(pixels, pixels))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    renderer.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    picture.setDevicePixelRatio(scale)
    return picture
