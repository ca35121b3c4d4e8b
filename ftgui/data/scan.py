"""Finding the images of a dataset folder: which file, which class, which split. Reads names only, opens nothing.

Two layouts are recognised: ``class/…/image.jpg`` and ``train|val|valid|test/class/…/image.jpg``. A folder that only
wraps one of these (as unpacked archives do) is looked through.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ftgui.data.formats import ANIMATION_EXTENSIONS, is_image_name
from ftgui.data.job import Job
from ftgui.protocol.problem import Problem

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Folder names (compared in lower case) that mean a split."""

_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


class DatasetError(Exception):
    """A folder that can't be a dataset; the text says why and what to do, in words."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One image file by its place in the tree."""

    path: str
    """Relative to the dataset folder, with ``/``."""
    class_name: str
    split: str
    """``"train"``, ``"val"``, ``"test"``; empty when the folders do not say."""
    size: int
    """Bytes."""
    mtime: float


@dataclass
class Found:
    """What `scan` saw."""

    root: Path
    images: list[FoundImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    split_folders: bool = False

    @property
    def class_names(self) -> list[str]:
        """Sorted by name, as torchvision's ImageFolder does, so that the order never depends on the file system."""
        return sorted({image.class_name for image in self.images})

    def summary(self) -> str:
        """E.g. ``"2 classes, 397 images"``."""
        return summary(len(self.class_names), len(self.images))


def summary(classes: int, images: int) -> str:
    """Counts in words."""
    return f"{classes:,} class{'' if classes == 1 else 'es'}, {images:,} image{'' if images == 1 else 's'}"


def scan(folder: Path, job: Job | None = None) -> Found:
    """Look through a dropped folder.

    What is not an image, can't be listed or lies outside a class folder becomes a problem; nothing here is fatal
    but an unreadable or wholly unsuitable folder.

    Raises:
        DatasetError: not a folder, no permission, or no images in class folders.
        Cancelled: through `job`.
    """
    job = job or Job()
    root = _unwrap(folder.absolute())
    if _shown(str(root)) != str(root):
        raise DatasetError(
            f"The name of the folder “{_shown(root.name)}” is not valid text. Rename it, then open it again."
        )
    found = Found(root)
    top_folders, top_files = _list(root, raising=True)
    split_layout = any(_split_of(path) == "train" for path in top_folders)
    found.split_folders = split_layout
    for path in top_files:
        _outside(found, path)
    for path in top_folders:
        split = _split_of(path) if split_layout else ""
        if split_layout and not split:
            for file in _walk(found, path, job):
                _outside(found, file)
        elif split_layout:
            class_folders, stray = _list_or_problem(found, path)
            for file in stray:
                _outside(found, file)
            for class_folder in class_folders:
                _take_class(found, class_folder, split, job)
        else:
            _take_class(found, path, "", job)
    if not found.images:
        raise DatasetError(_why_nothing(found, folder))
    return found


def _unwrap(folder: Path) -> Path:
    """Go through folders that hold nothing but one other folder with folders in it."""
    if not folder.exists():
        raise DatasetError(f"“{folder.name}” is no longer there.")
    if not folder.is_dir():
        raise DatasetError(f"“{folder.name}” is not a folder. Drop the folder that holds one folder per class.")
    current = folder
    while True:
        folders, files = _list(current, raising=True)
        if len(folders) != 1 or any(is_image_name(path) for path in files) or _split_of(folders[0]):
            return current
        try:
            inner, _ = _list(folders[0])
        except OSError:
            return current  # said by `scan`, as a problem of that folder
        if not inner:
            return current
        current = folders[0]


def _split_of(path: Path) -> str:
    return SPLIT_NAMES.get(path.name.lower(), "")


def is_junk(name: str) -> bool:
    """A file or folder that people don't know they have: hidden, or some system's own."""
    return name.startswith(".") or name.lower() in _JUNK


def _list(folder: Path, raising: bool = False) -> tuple[list[Path], list[Path]]:
    """Folders and files in `folder`, sorted, hidden ones and system junk left out."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_junk(entry.name):
                    continue
                (folders if entry.is_dir() else files).append(Path(entry.path))
    except PermissionError as error:
        if raising:
            raise DatasetError(f"You have no permission to read the folder “{folder.name}”.") from error
        raise
    except OSError as error:
        if raising:
            raise DatasetError(f"The folder “{folder.name}” can't be read: {error.strerror or error}.") from error
        raise
    return sorted(folders), sorted(files)


def _list_or_problem(found: Found, folder: Path) -> tuple[list[Path], list[Path]]:
    try:
        return _list(folder)
    except PermissionError:
        message, fix = "No permission to read this folder.", "Give yourself the right to read it, then open again."
    except OSError as error:
        message, fix = f"This folder can't be read: {error.strerror or error}.", ""
    found.problems.append(Problem("error", "folder-unreadable", message, _relative(found, folder), fix))
    return [], []


def _walk(found: Found, folder: Path, job: Job) -> Iterator[Path]:
    """Every file below `folder`; linked folders are followed, each real folder once."""
    waiting = [folder]
    seen: set[str] = set()
    while waiting:
        current = waiting.pop(0)
        real = os.path.realpath(current)
        if real in seen:
            continue
        seen.add(real)
        folders, files = _list_or_problem(found, current)
        waiting[:0] = folders
        for file in files:
            job.progress(len(found.images))
            yield file


def _take_class(found: Found, folder: Path, split: str, job: Job) -> None:
    for file in _walk(found, folder, job):
        _take_file(found, file, folder.name, split)


def _take_file(found: Found, file: Path, class_name: str, split: str) -> None:
    relative = _relative(found, file)
    suffix = file.suffix.lower()
    if file.relative_to(found.root).as_posix() != relative:
        found.problems.append(
            Problem(
                "error",
                "bad-name",
                "The name of this file or of its folder is not valid text; it is left out.",
                relative,
                "Rename it.",
            )
        )
        return
    if suffix in ANIMATION_EXTENSIONS:
        found.problems.append(
            Problem(
                "warning",
                "animation",
                "A GIF is left out: GIFs are mostly graphics and animations.",
                relative,
                "Save it as PNG to train on it.",
            )
        )
        return
    if not is_image_name(file):
        found.problems.append(Problem("info", "not-an-image", "This file is not an image; it is ignored.", relative))
        return
    try:
        status = file.stat()
    except OSError as error:
        found.problems.append(
            Problem("error", "unreadable", f"The file can't be read: {error.strerror or error}.", relative)
        )
        return
    found.images.append(FoundImage(relative, class_name, split, status.st_size, status.st_mtime))


def _outside(found: Found, file: Path) -> None:
    if is_image_name(file):
        problem = Problem(
            "warning",
            "outside-class",
            "This image lies outside a class folder, so its class is not known; it is left out.",
            _relative(found, file),
            "Move it into the folder of its class.",
        )
    else:
        problem = Problem("info", "not-an-image", "This file is not an image; it is ignored.", _relative(found, file))
    found.problems.append(problem)


def _relative(found: Found, path: Path) -> str:
    return _shown(path.relative_to(found.root).as_posix())


def _shown(name: str) -> str:
    """A name as it can be shown and stored: bytes that are not UTF-8 (from old archives) become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _why_nothing(found: Found, folder: Path) -> str:
    kinds = [problem.kind for problem in found.problems]
    if "outside-class" in kinds:
        count = kinds.count("outside-class")
        return (
            f"The {count:,} image{'s' if count > 1 else ''} in “{folder.name}” lie{'' if count > 1 else 's'} in no class "
            "folder. Make one folder per class and put the images into them."
        )
    if "folder-unreadable" in kinds:
        return f"You have no permission to read the folders in “{folder.name}”."
    if kinds:
        return f"There are no images in “{folder.name}”, only other files ({len(kinds):,})."
    return f"“{folder.name}” is empty. Drop a folder that holds one folder of images per class."
