"""A dataset folder that was moved: its project is found by what the images are, not by where they lie."""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftgui.base import paths
from ftgui.base.files import write_atomically
from ftgui.base.job import Job
from ftgui.data.catalog.errors import CatalogError
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.project import Project, link_of, own_place, project_place
from ftgui.data.scanning.found import DatasetError
from ftgui.data.scanning.walk import count_images
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError

log = logging.getLogger(__name__)

_LOOKED_AT = 100
"""Images of a project that are looked for by name and size."""
_READ = 8
"""Of them, that are read."""
_LEAST = 0.9
"""Of the images looked for must be there: who moves a folder may have tidied it up as well."""


@dataclass(frozen=True)
class MovedProject:
    """A project whose dataset lies in another folder now."""

    project: Project
    before: Path
    """Where the dataset was."""
    now: Path
    images: int
    """That the project knows."""
    runs: int


def find_moved(dataset: Path, only: Sequence[str], job: Job) -> MovedProject | None:
    """The project that knows the images in a folder from another one, which is gone.

    A copy of a dataset that is still there is none: it is a dataset of its own.

    Args:
        dataset: the folder whose folders are classes or splits.
        only: names of the folders in it that count; empty: all.
        job: may be cancelled.

    Raises:
        Cancelled: through `job`.
    """
    for project in _projects():
        job.progress(0)
        try:
            with CatalogReader(project.catalog_path) as catalog:
                if not catalog.has_dataset or not _is_gone(before := catalog.root) or _only_of(project) != sorted(only):
                    continue
                if len(catalog.sample_files(1)) and _share(catalog, dataset, job) >= _LEAST:
                    return _moved(project, catalog, before, dataset)
        except (CatalogError, sqlite3.Error, RecipeError, OSError) as error:  # one that can't be read is nobody's
            log.info("%s is not compared: %s", project.folder, error)
    return None


def project_of_gone(dataset: Path) -> MovedProject | None:
    """The project of a dataset that was in this folder, or in one below it that it wraps; `now` is `before`."""
    for project in _projects():
        try:
            with CatalogReader(project.catalog_path) as catalog:
                root = catalog.root if catalog.has_dataset else None
                if root is not None and (root == dataset or dataset in root.parents) and catalog.sample_files(1):
                    return _moved(project, catalog, root, root)
        except (CatalogError, sqlite3.Error, OSError) as error:
            log.info("%s is not compared: %s", project.folder, error)
    return None


def require_same(project: Project, dataset: Path, job: Job) -> MovedProject:
    """Look whether a folder holds the images of a project.

    Raises:
        DatasetError: it does not.
        CatalogError: the project's catalog can't be read.
    """
    with CatalogReader(project.catalog_path) as catalog:
        share = _share(catalog, dataset, job)
        if share < _LEAST:
            files = catalog.sample_files(_LOOKED_AT)
            raise DatasetError(
                f"“{dataset.name}” does not hold the images of this project: of {len(files):,} looked for, "
                f"{round(share * len(files)):,} are there. Choose the folder that holds the same folders and files as before."
            )
        return _moved(project, catalog, catalog.root, dataset)


def settle(moved: MovedProject, only: Sequence[str] = ()) -> None:
    """From now on whoever opens the new folder finds this project, and whoever opens another one in the old place does not.

    The project stays where it is, so nothing that points to it, open or written down, has to follow.

    Raises:
        DatasetError: the new folder has a project with runs of its own.
        OSError: it can't be written down.
    """
    own = own_place(moved.now, only)
    if moved.project.folder.parent != own.parent:
        return  # in a place of the person's choice; nobody looks for it by its dataset
    if own != moved.project.folder and project_place(moved.now, only) != moved.project.folder:
        other = Project(project_place(moved.now, only))
        if other.runs_folder.is_dir() and any(other.runs_folder.iterdir()):
            raise DatasetError(
                f"“{moved.now.name}” has been opened before as a dataset of its own, with runs in {other.folder}. Move that "
                "folder away first if the earlier project is to go on."
            )
    if own == moved.project.folder:
        link_of(own).unlink(missing_ok=True)
    else:
        write_atomically(link_of(own), moved.project.folder.name.encode())
    former = own_place(moved.before, only)
    if moved.before != moved.now:
        if former == moved.project.folder:
            write_atomically(link_of(former), _free_name(former).encode())
        else:
            link_of(former).unlink(missing_ok=True)


def _free_name(place: Path) -> str:
    number = 2
    while place.with_name(f"{place.name}-{number}").exists():
        number += 1
    return f"{place.name}-{number}"


def _projects() -> Iterator[Project]:
    """Those of all datasets, the one used last first."""
    folder = paths.data_dir() / "projects"
    found = [Project(each) for each in folder.iterdir()] if folder.is_dir() else []
    dated = [(each.catalog_path.stat().st_mtime, each) for each in found if each.catalog_path.is_file()]
    return (each for _, each in sorted(dated, key=lambda pair: pair[0], reverse=True))


def _only_of(project: Project) -> list[str]:
    return sorted(recipe_file.load(project.recipe_path).dataset.folders) if project.recipe_path.is_file() else []


def _is_gone(folder: Path) -> bool:
    """Also where an archive was unpacked: from another place it is unpacked anew, and the images are the same."""
    return folder.is_relative_to(paths.data_dir() / "unpacked") or not count_images(folder, Job(), enough=1)


def _share(catalog: CatalogReader, dataset: Path, job: Job) -> float:
    """Of some of a catalog's images, how many are in a folder: by name and size, and of a few by all bytes."""
    files = catalog.sample_files(_LOOKED_AT)
    there = read = same = 0
    for path, size, digest in files:
        job.progress(there, len(files))
        file = dataset / path
        try:
            if file.stat().st_size != size:
                continue
            there += 1
            if digest is not None and read < _READ:
                read += 1
                with file.open("rb") as stream:
                    same += hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest() == digest
        except OSError:
            continue
    return there / len(files) if files and same >= read * _LEAST else 0.0


def _moved(project: Project, catalog: CatalogReader, before: Path, now: Path) -> MovedProject:
    runs = len([each for each in project.runs_folder.iterdir() if _is_run(each)]) if project.runs_folder.is_dir() else 0
    return MovedProject(project, before, now, catalog.found_images(), runs)


def _is_run(folder: Path) -> bool:
    return re.match(r"\d+-", folder.name) is not None
