"""Finding the images of a dataset folder: which file, which class, which split. Reads names only, opens no image.

Two layouts are recognised by folders: ``class/…/image.jpg`` and ``train|val|valid|test/class/…/image.jpg``. A folder that
only wraps one of these (as unpacked archives do) is looked through. Where folders say nothing, a table may:
`ftgui.data.tables`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ftgui.data.formats import is_image_name
from ftgui.data.job import Job
from ftgui.protocol.problem import Problem

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Folder names (compared in lower case) that mean a split."""

TABLE_EXTENSIONS = frozenset({".csv", ".tsv", ".jsonl", ".txt"})
"""Files that may say the classes of images."""
MOST_TABLE_BYTES = 500 * 2**20

MOST_KEPT = 1000
"""Problems of one kind that are kept one by one; of the rest only the number."""

_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_BATCH = 2000
_BATCH_SECONDS = 0.2
_LOOK_EVERY = 64
"""Files; a slow network drive lists some hundred a second."""


class DatasetError(Exception):
    """A folder that can't be a dataset; the text says why and what to do, in words."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a table is what."""

    table: str
    """Name of the file, in the dataset folder."""
    path: str
    label: str
    split: str = ""
    """Empty: the table says no splits."""


class FoundImage(NamedTuple):
    """One image file by its place in the tree."""

    path: str
    """Relative to the dataset folder, with ``/``."""
    class_name: str
    split: str
    """``"train"``, ``"val"``, ``"test"``; empty when nothing says."""
    size: int
    """Bytes."""
    mtime: float


@dataclass
class Found:
    """What `scan` saw, beside the images themselves."""

    root: Path
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """Class name -> split (empty: not said) -> images."""
    problems: list[Problem] = field(default_factory=list)
    """At most `MOST_KEPT` of a kind."""
    problem_counts: Counter[str] = field(default_factory=Counter)
    """Kind -> how many there are."""
    folders: list[Path] = field(default_factory=list)
    """Every folder that was looked into."""
    not_seen: set[str] = field(default_factory=set)
    """Folders that could not be listed and files that could not be looked at, by their paths as in `FoundImage`; the empty
    one is the whole dataset. What is known about images there stays known, however many they are."""

    @property
    def images(self) -> int:
        return sum(splits.total() for splits in self.counts.values())

    def has(self, split: str) -> bool:
        """Whether any image was found to belong to this split."""
        return any(splits[split] for splits in self.counts.values())

    @property
    def class_names(self) -> list[str]:
        """Sorted by name, as torchvision's ImageFolder does, so that the order never depends on the file system."""
        return sorted(self.counts)

    def summary(self) -> str:
        """E.g. ``"2 classes, 397 images"``."""
        return summary(len(self.counts), self.images)

    def problem(self, problem: Problem) -> None:
        """Keep it, or only count it."""
        self.problem_counts[problem.kind] += 1
        if self.problem_counts[problem.kind] <= MOST_KEPT:
            self.problems.append(problem)


def summary(classes: int, images: int) -> str:
    """Counts in words."""
    return f"{classes:,} class{'' if classes == 1 else 'es'}, {images:,} image{'' if images == 1 else 's'}"


Take = Callable[[list[FoundImage]], None]


class Collector:
    """Hands images on in batches, so that the first can be looked at while the rest are searched for."""

    def __init__(self, found: Found, job: Job, take: Take | None) -> None:
        self.found = found
        self.job = job
        self._take = take
        self._batch: list[FoundImage] = []
        self._sent = time.monotonic()
        self._count = 0
        self._looks = -1

    def image(self, path: str, class_name: str, split: str, status: os.stat_result) -> None:
        """One was found."""
        counts = self.found.counts.get(class_name)
        if counts is None:
            counts = self.found.counts[class_name] = Counter()
        counts[split] += 1
        self._count += 1
        if self._take is not None:
            self._batch.append(FoundImage(path, class_name, split, status.st_size, status.st_mtime))
            if len(self._batch) >= _BATCH:
                self.flush()

    def look(self) -> None:
        """Between two files: tell how far it is, or stop; do not keep what was found for long."""
        self._looks += 1
        if self._looks % _LOOK_EVERY == 0:
            self.job.progress(self._count)
            if time.monotonic() - self._sent > _BATCH_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Hand on what is left."""
        if self._take is not None and self._batch:
            self._take(self._batch)
            self._batch = []
        self._sent = time.monotonic()


def scan(
    folder: Path,
    job: Job | None = None,
    take: Take | None = None,
    columns: Columns | None = None,
    only: Sequence[str] = (),
) -> Found:
    """Look through a dropped folder.

    What is not an image, can't be listed or lies outside a class folder becomes a problem; nothing here is fatal
    but an unreadable or wholly unsuitable folder.

    Args:
        folder: to look through.
        job: progress in images; total unknown.
        take: called with batches of images as they are found.
        columns: the table that says the classes, if the person was asked.
        only: names of the class folders to look into; empty: all.

    Raises:
        DatasetError: not a folder, no permission, or no images with classes.
        TableQuestion: a table may say the classes, but which column is what is not clear.
        Cancelled: through `job`.
    """
    root = folder.absolute() if only else dataset_root(folder)
    found = Found(root, folders=[root])
    collector = Collector(found, job or Job(), take)
    top_folders, top_files = _list(root, raising=True)
    if only:
        top_folders, top_files = [entry for entry in top_folders if entry.name in only], []
    split_layout = any(split_of(entry.name) == "train" for entry in top_folders)
    if columns is not None or (not only and _folders_may_not_do(top_folders, top_files, split_layout)):
        from ftgui.data.listed import take_listed  # it stands on this module

        if take_listed(collector, columns):
            collector.flush()
            return found
    for entry in top_files:
        _outside(found, entry.name, entry.name)
    for entry in top_folders:
        split = split_of(entry.name) if split_layout else ""
        if split_layout and not split:
            for relative, file in walk(collector, entry.name, entry.path):
                _outside(found, relative, file.name)
        elif split_layout:
            class_folders, stray = _list_or_problem(found, entry.name, entry.path)
            found.folders.append(Path(entry.path))
            for file in stray:
                _outside(found, f"{entry.name}/{file.name}", file.name)
            for inner in class_folders:
                _take_class(collector, f"{entry.name}/{inner.name}", inner, split)
        else:
            _take_class(collector, entry.name, entry, "")
    if not found.counts:
        raise DatasetError(_why_nothing(found, folder))
    collector.flush()
    return found


def count_images(folder: Path, job: Job) -> int:
    """How many files below a folder are images by their names: many times faster than `scan`, for a progress bar.

    Raises:
        Cancelled: through `job`.
    """
    count = 0
    waiting = [str(folder)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        job.progress(count)
        with contextlib.suppress(OSError), os.scandir(path) as entries:  # `scan` says why it can't be read
            for entry in entries:
                if is_image_name(entry.name):
                    count += not entry.name.startswith(".")
                elif not is_junk(entry.name) and _is_folder(entry):
                    waiting.append(entry.path)
    return count


def dataset_root(folder: Path) -> Path:
    """The folder whose folders are classes or splits: `folder` itself, or the one that it only wraps.

    Raises:
        DatasetError: there is no folder that can be read.
    """
    root = _unwrap(folder.absolute())
    if not is_text(str(root)):
        raise DatasetError(
            f"The name of the folder “{shown(root.name)}” is not valid text. Rename it, then open it again."
        )
    return root


def _unwrap(folder: Path) -> Path:
    """Go through folders that hold nothing but one other folder with folders in it."""
    if not folder.exists():
        raise DatasetError(f"“{folder.name}” is no longer there.")
    if not folder.is_dir():
        raise DatasetError(f"“{folder.name}” is not a folder. Drop the folder that holds one folder per class.")
    current = folder
    while True:
        folders, files = _list(current, raising=True)
        if len(folders) != 1 or any(is_image_name(entry.name) for entry in files) or split_of(folders[0].name):
            return current
        try:
            inner, _ = _list(folders[0].path)
        except OSError:
            return current  # said by `scan`, as a problem of that folder
        if not inner or (len(inner) == 1 and any(_may_be_table(entry.name) for entry in files)):
            return current  # what lies beside may say the classes
        current = Path(folders[0].path)


def _folders_may_not_do(folders: list[os.DirEntry[str]], files: list[os.DirEntry[str]], split_layout: bool) -> bool:
    """Folders do not seem to say the classes; perhaps a table does."""
    return len(folders) < 2 or _is_flat(files) or (split_layout and _are_flat(folders))


def _is_flat(files: list[os.DirEntry[str]]) -> bool:
    """Images lie side by side."""
    return any(is_image_name(entry.name) for entry in files)


def _are_flat(folders: list[os.DirEntry[str]]) -> bool:
    """Split folders with images directly in them, as in Hugging Face's imagefolder with metadata."""
    for entry in folders:
        with contextlib.suppress(OSError):
            if split_of(entry.name) and _is_flat(_list(entry.path)[1]):
                return True
    return False


def _may_be_table(name: str) -> bool:
    return Path(name).suffix.lower() in TABLE_EXTENSIONS


def split_of(name: str) -> str:
    """The split that a word means; empty: none."""
    return SPLIT_NAMES.get(name.lower(), "")


def is_junk(name: str) -> bool:
    """A file or folder that people don't know they have: hidden, or some system's own."""
    return name.startswith(".") or name.lower() in _JUNK


def _list(folder: Path | str, raising: bool = False) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """Folders and files in `folder`, sorted by name, hidden ones and system junk left out."""
    folders: list[os.DirEntry[str]] = []
    files: list[os.DirEntry[str]] = []
    name = Path(folder).name
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_junk(entry.name):
                    (folders if _is_folder(entry) else files).append(entry)
    except PermissionError as error:
        if raising:
            raise DatasetError(f"You have no permission to read the folder “{name}”.") from error
        raise
    except OSError as error:
        if raising:
            raise DatasetError(f"The folder “{name}” can't be read: {error.strerror or error}.") from error
        raise
    folders.sort(key=_by_name)
    files.sort(key=_by_name)
    return folders, files


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link that leads to itself, or to where nobody may look, is told as a file that can't be read: it must not take
    along what lies beside it."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _by_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _list_or_problem(found: Found, relative: str, path: str) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    try:
        return _list(path)
    except PermissionError:
        message, fix = "No permission to read this folder.", "Give yourself the right to read it, then open again."
    except OSError as error:
        message, fix = f"This folder can't be read: {error.strerror or error}.", ""
    found.not_seen.add(relative.removeprefix("/"))
    found.problem(Problem("error", "folder-unreadable", message, shown(relative), fix))
    return [], []


def walk(collector: Collector, relative: str, path: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file below a folder, with its path below the root; linked folders are followed, each real folder once."""
    waiting = [(relative, path)]
    seen: set[str] = set()
    while waiting:
        relative, path = waiting.pop()
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        folders, files = _list_or_problem(collector.found, relative, path)
        collector.found.folders.append(Path(path))
        waiting += [(f"{relative}/{entry.name}", entry.path) for entry in reversed(folders)]
        for entry in files:
            collector.look()
            yield f"{relative}/{entry.name}", entry


def _take_class(collector: Collector, relative: str, folder: os.DirEntry[str], split: str) -> None:
    for path, file in walk(collector, relative, folder.path):
        _take_file(collector, path, file, folder.name, split)


def _take_file(collector: Collector, relative: str, file: os.DirEntry[str], class_name: str, split: str) -> None:
    found = collector.found
    if not is_text(relative):
        found.problem(
            Problem(
                "error",
                "bad-name",
                "The name of this file or of its folder is not valid text; it is left out.",
                shown(relative),
                "Rename it.",
            )
        )
        return
    if not is_image_name(file.name):
        found.problem(Problem("info", "other-file", "This file is not an image; it is ignored.", relative))
        return
    take_file(collector, relative, file, class_name, split)


def take_file(collector: Collector, path: str, file: os.DirEntry[str], class_name: str, split: str) -> None:
    """Take an image file of a class, or say why not.

    Args:
        path: relative to the dataset folder, with ``/``.
    """
    found = collector.found
    try:
        status = file.stat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            found.not_seen.add(path)
        text = f"The file can't be read: {error.strerror or error}."
        found.problem(Problem("error", "no-access", text, path, "Replace the file; it is left out."))
        return
    if not stat.S_ISREG(status.st_mode):
        text = "This is no file but a pipe, a socket or a device; it is left out."
        found.problem(Problem("warning", "no-file", text, path, "Remove it."))
        return
    collector.image(path, class_name, split, status)


def _outside(found: Found, relative: str, name: str) -> None:
    relative = shown(relative)
    if is_image_name(name):
        found.problem(
            Problem(
                "warning",
                "outside-class",
                "This image lies outside a class folder, so its class is not known; it is left out.",
                relative,
                "Move it into the folder of its class.",
            )
        )
    else:
        found.problem(Problem("info", "other-file", "This file is not an image; it is ignored.", relative))


def is_text(name: str) -> bool:
    """Whether the name can be shown and stored; names from old archives may hold bytes that are no UTF-8."""
    return name.isascii() or shown(name) == name


def shown(name: str) -> str:
    """A name as it can be shown and stored: bytes that are not UTF-8 (from old archives) become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _why_nothing(found: Found, folder: Path) -> str:
    kinds = found.problem_counts
    if count := kinds["outside-class"]:
        return (
            f"The {count:,} image{'s' if count > 1 else ''} in “{folder.name}” lie{'' if count > 1 else 's'} in no class "
            "folder. Make one folder per class and put the images into them."
        )
    if kinds["folder-unreadable"]:
        return f"You have no permission to read the folders in “{folder.name}”."
    if kinds:
        return f"There are no images in “{folder.name}”, only other files ({kinds.total():,})."
    return f"“{folder.name}” is empty. Drop a folder that holds one folder of images per class."
