"""The system's dialogs for files and folders. Each begins where something of its kind was chosen last."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog, QWidget

DATASETS, IMAGES, WEIGHTS_FILES, REPORTS, TABLES, MODELS = (
    "datasets",
    "images",
    "weights",
    "reports",
    "tables",
    "models",
)
"""Kinds, which people keep in different places."""


def choose_folder(parent: QWidget, title: str, kind: str) -> Path | None:
    """A folder; None: the person chose none."""
    return _chosen(QFileDialog.getExistingDirectory(parent, title, _last(kind)), kind)


def choose_file(parent: QWidget, title: str, kind: str, patterns: str) -> Path | None:
    """A file to be read.

    Args:
        parent: over which the dialog opens.
        title: of the dialog.
        kind: one of those above.
        patterns: as Qt writes them, e.g. ``"Images (*.jpg *.png);;All files (*)"``.
    """
    path, _ = QFileDialog.getOpenFileName(parent, title, _last(kind), patterns)
    return _chosen(path, kind)


def choose_files(parent: QWidget, title: str, kind: str, patterns: str) -> list[Path]:
    """As `choose_file`, several; empty: the person chose none."""
    paths, _ = QFileDialog.getOpenFileNames(parent, title, _last(kind), patterns)
    for path in paths[:1]:
        _chosen(path, kind)
    return [Path(path) for path in paths]


def choose_place(parent: QWidget, title: str, kind: str, name: str, patterns: str) -> Path | None:
    """A file to be written.

    Args:
        parent, title, kind, patterns: as `choose_file`.
        name: that is proposed.
    """
    last = _last(kind)
    path, _ = QFileDialog.getSaveFileName(parent, title, str(Path(last, name)) if last else name, patterns)
    return _chosen(path, kind)


def _key(kind: str) -> str:
    return f"last folder of {kind}"


def _last(kind: str) -> str:
    """Empty: the system's own choice. Whether the folder still is there is left to the dialog: it may be on a drive that
    hangs."""
    return str(QSettings().value(_key(kind), "", type=str))


def _chosen(path: str, kind: str) -> Path | None:
    if not path:
        return None
    QSettings().setValue(_key(kind), str(Path(path).parent))
    return Path(path)
