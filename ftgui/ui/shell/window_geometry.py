"""Where the window was and how large, from one start to the next."""

from __future__ import annotations

from PySide6.QtCore import QSettings
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

_LARGEST = (1440, 900)
"""Pixels, of the first start; less on a smaller screen."""
_FRAME = (16, 48)
"""Pixels that the system's frame around a window may take; how many is known only once it is shown."""


def restore_geometry(window: QWidget) -> None:
    """As it was when it was closed last."""
    geometry = QSettings().value("geometry")
    if not (geometry and window.restoreGeometry(geometry)):
        screen = QGuiApplication.primaryScreen().availableSize()
        width, height = screen.width() - _FRAME[0], screen.height() - _FRAME[1]
        window.resize(min(_LARGEST[0], width), min(_LARGEST[1], height))


def save_geometry(window: QWidget) -> None:
    """For the next start."""
    QSettings().setValue("geometry", window.saveGeometry())
