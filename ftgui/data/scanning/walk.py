"""The folders and files below a folder, listed when they are asked for and each at most once; no image is opened."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ftgui.base.files import is_text, reason, shown
from ftgui.base.job import Job
from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning.found import Collector, DatasetError, Found
from ftgui.data.scanning.names import words
from ftgui.protocol.problem import Problem

Entry = os.DirEntry[str]

_JUNK = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "__pycache__", "node_modules", "system volume information"}
    | {"lost+found", "network trash folder", "temporary items"}
    | {"$recycle.bin", "recycler", "recycled", "#recycle", "@recycle"}  # recycle bins of Windows, Synology, QNAP
    | {"@eadir", "#snapshot", "@recently-snapshot", "@tmp", "@sharebin"}  # thumbnails and snapshots of both
)
_LIBRARIES = (
    ".photoslibrary",
    ".photolibrary",
    ".aplibrary",
    ".migratedphotolibrary",
    ".lrdata",
    ".lrlibrary",
    ".lrcat-data",
)
"""Folders in which a program keeps its pictures, several sizes of each."""
_NEVER_CLASSES = frozenset(
    words(
        ".git .svn .hg .bzr .cache .thumbnails .thumbs .trash .trashes .ipynb_checkpoints .venv .idea .vscode "
        ".fseventsd .spotlight-v100 .documentrevisions-v100 .temporaryitems .appledouble .picasaoriginals .comments "
        ".dtrash .sync .stfolder .stversions .dropbox .dropbox.cache .@__thumb .snapshot .snapshots .zfs .config .local "
        ".dvc"
    )
)
"""Hidden folders of programs; others may be classes (``.308``)."""


def is_junk(name: str) -> bool:
    """A file or folder that people don't know they have: hidden, or some system's own."""
    return name.startswith(".") or name.lower() in _JUNK


def is_library(name: str) -> bool:
    """Whether a folder is where Photos, iPhoto, Aperture or Lightroom keep their pictures."""
    return name.lower().endswith(_LIBRARIES)


class Folder:
    """One folder in the tree.

    Args:
        path: of the file system.
        relative: to the dataset folder, with ``/``; empty: that folder itself.
        found: gets a problem when it can't be listed.
    """

    __slots__ = ("_files", "_folders", "_found", "path", "relative")

    def __init__(self, path: str, relative: str, found: Found) -> None:
        self.path = path
        self.relative = relative
        self._found = found
        self._folders: list[Folder] | None = None
        self._files: list[Entry] = []

    @property
    def name(self) -> str:
        return os.path.basename(self.path)  # noqa: PTH119 - asked for every folder

    @property
    def folders(self) -> list[Folder]:
        """Sorted by name; without hidden ones and other programs' own."""
        if self._folders is None:
            self._list()
        return self._folders or []

    @property
    def files(self) -> list[Entry]:
        """Sorted by name; without hidden ones and other programs' own."""
        if self._folders is None:
            self._list()
        return self._files

    @property
    def images(self) -> list[Entry]:
        """Files that are images by their names, directly in it."""
        return [entry for entry in self.files if is_image_name(entry.name)]

    def child(self, name: str) -> Folder | None:
        """The folder of this name in it, in any case."""
        return next((folder for folder in self.folders if folder.name.lower() == name.lower()), None)

    def has_images(self) -> bool:
        """Whether any image lies in it or below."""
        return any(is_image_name(entry.name) for folder in folders_below(self) for entry in folder.files)

    def forget(self) -> None:
        """What it holds was taken; let the memory go."""
        self._folders, self._files = [], []

    def _list(self) -> None:
        self._folders, self._files = [], []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    self._sort_in(entry)
        except PermissionError:
            message, fix = (
                "No permission to read this folder.",
                "Give yourself permission to read it, then open it again.",
            )
            self._unreadable(message, fix)
        except OSError as error:
            self._unreadable(f"This folder can't be read: {reason(error)}.", "")
        self._folders.sort(key=lambda folder: folder.name)
        self._files.sort(key=lambda entry: entry.name)

    def _sort_in(self, entry: Entry) -> None:
        assert self._folders is not None
        relative = f"{self.relative}/{entry.name}" if self.relative else entry.name
        is_folder = _is_folder(entry)
        if not is_folder:
            if entry.is_symlink() and not is_image_name(entry.name) and _leads_nowhere(entry):
                self._found.not_seen.add(relative)  # what was below it may be on a drive that is not mounted today
            if not is_junk(entry.name):
                self._files.append(entry)
        elif is_library(entry.name):
            self._found.problem(
                Problem(
                    "warning",
                    "photo-library",
                    "The library of a photo program, which is not searched.",
                    shown(relative),
                    "Export the images from the program into one folder per class.",
                )
            )
        elif not is_junk(entry.name):
            self._folders.append(Folder(entry.path, relative, self._found))
        elif entry.name.startswith(".") and entry.name.lower() not in _NEVER_CLASSES and _holds_images(entry.path):
            text = "A hidden folder of images (its name begins with a dot); it is left out."
            fix = "If it is a class, give it a name without the dot."
            self._found.problem(Problem("warning", "hidden-folder", text, shown(relative), fix))

    def _unreadable(self, message: str, fix: str) -> None:
        self._found.not_seen.add(self.relative)
        self._found.problem(Problem("error", "folder-unreadable", message, shown(self.relative), fix))


def _leads_nowhere(entry: Entry) -> bool:
    try:
        entry.stat()
    except OSError:
        return True
    return False


def _is_folder(entry: Entry) -> bool:
    """A link that leads to itself, or to where nobody may look, is told as a file that can't be read: it must not take
    along what lies beside it."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _holds_images(path: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        return any(is_image_name(entry.name) and not entry.name.startswith(".") for entry in entries)
    return False


def open_folder(path: Path, found: Found | None = None) -> Folder:
    """The top of a tree.

    Raises:
        DatasetError: it is not there, no folder, or can't be listed.
    """
    if not path.exists():
        raise DatasetError(f"“{path.name}” is no longer there.")
    if not path.is_dir():
        raise DatasetError(f"“{path.name}” is not a folder. Drop the folder that holds one folder per class.")
    try:
        with os.scandir(path):
            pass
    except PermissionError as error:
        raise DatasetError(f"You have no permission to read the folder “{path.name}”.") from error
    except OSError as error:
        raise DatasetError(f"The folder “{path.name}” can't be read: {reason(error)}.") from error
    return Folder(str(path), "", found if found is not None else Found(path))


def folders_below(folder: Folder) -> Iterator[Folder]:
    """A folder and all that lie below it, in order; linked ones are followed, each real folder once, and none that it
    lies in itself: a link to the dataset within a class would make all images that class's."""
    waiting = [folder]
    seen = set(_above(folder))
    while waiting:
        current = waiting.pop()
        real = os.path.realpath(current.path)
        if real in seen:
            continue
        seen.add(real)
        waiting += reversed(current.folders)
        yield current


def _above(folder: Folder) -> Iterator[str]:
    """The real folders that it lies in, up to the dataset's."""
    path = folder.path
    for _ in filter(None, folder.relative.split("/")):
        path = os.path.dirname(path)  # noqa: PTH120 - asked for every folder
        yield os.path.realpath(path)


def walk(collector: Collector, folder: Folder, keep: bool = False) -> Iterator[tuple[str, Entry]]:
    """Every file below a folder, with its path below the root.

    Args:
        collector: is told of folders, and that time passes.
        folder: where to begin.
        keep: what was listed is needed again.
    """
    for current in folders_below(folder):
        collector.found.folders.append(Path(current.path))
        prefix = f"{current.relative}/" if current.relative else ""
        for entry in current.files:
            collector.look()
            yield prefix + entry.name, entry
        if not keep:
            current.forget()


def status_of(found: Found, relative: str, entry: Entry) -> os.stat_result | None:
    """Size and date of a regular file; for anything else a problem is kept."""
    if not is_text(relative):
        text = "The name of this file or of its folder is not valid text; it is left out."
        found.problem(Problem("error", "bad-name", text, shown(relative), "Rename it."))
        return None
    try:
        status = entry.stat()
    except OSError as error:
        # A link to what is not there may lead to a drive that is not mounted today.
        if not isinstance(error, FileNotFoundError) or entry.is_symlink():
            found.not_seen.add(relative)
        text = f"The file can't be read: {reason(error)}."
        found.problem(Problem("error", "no-access", text, relative, "Replace the file; it is left out."))
        return None
    if not stat.S_ISREG(status.st_mode):  # whoever opens a pipe waits for ever
        text = "This is not a file but a pipe, a socket or a device; it is left out."
        found.problem(Problem("warning", "no-file", text, relative, "Remove it."))
        return None
    return status


def count_images(folder: Path, job: Job, enough: int | None = None) -> int:
    """How many files below a folder are images by their names: many times faster than a scan, for a progress bar.

    Args:
        folder: to look through.
        job: progress in images.
        enough: stop as soon as there are so many.

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
        with contextlib.suppress(OSError), os.scandir(path) as entries:  # the scan says why it can't be read
            for entry in entries:
                if is_image_name(entry.name):
                    count += not entry.name.startswith(".")
                    # a folder may be called so (Synology's thumbnails): what it holds is counted by nobody
                elif not is_junk(entry.name) and not is_library(entry.name):
                    waiting += [entry.path] if _is_folder(entry) else []
                if enough is not None and count >= enough:
                    return count
    return count
