"""The dataset as it is now, after all edits, for other programs: folders of classes, or a table. Originals stay as they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ftgui.base.files import reason, replacing
from ftgui.base.foreign_text import TableWriter
from ftgui.base.job import Job
from ftgui.base.paths import safe_name
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import reference
from ftgui.data.scanning.found import DatasetError


@dataclass(frozen=True)
class Exported:
    """What was written."""

    images: int
    copied: int
    """Of them copied, because they could not be linked."""


def export_folders(catalog: CatalogReader, target: Path, link: bool, job: Job) -> Exported:
    """Write ``split/class/image`` for every image that is used.

    Args:
        catalog: the dataset.
        target: an empty or new folder.
        link: hard links, which take no room; where the file system can't, copies.
        job: progress in images.

    Raises:
        DatasetError: `target` is not empty, or can't be written to.
        Cancelled: through `job`; what was written so far stays.
    """
    if target.absolute().is_relative_to(catalog.root):
        raise DatasetError(
            "The copy can't be inside the dataset, because it would become part of it. Choose another folder."
        )
    if target.exists() and any(target.iterdir()):
        raise DatasetError(f"The folder “{target.name}” is not empty. Choose another, or a new one.")
    samples = catalog.samples()
    folder_of = _folders(sample.class_name for sample in samples)
    taken: set[Path] = set()
    copied = 0
    try:
        for done, sample in enumerate(samples):
            job.progress(done, len(samples))
            folder = target / sample.split / folder_of[sample.class_name]
            file = _free_name(folder / sample.path.name, taken)
            folder.mkdir(parents=True, exist_ok=True)
            copied += not (link and _link(sample.path, file))
            if not file.exists():
                _copy(sample.path, file)
    except OSError as error:
        raise DatasetError(f"Writing to “{target}” failed: {reason(error)}.") from error
    job.progress(len(samples), len(samples))
    return Exported(len(samples), copied)


def _folders(names: Iterable[str]) -> dict[str, str]:
    """Class name -> folder name; two classes never share one, whatever the file system takes for the same."""
    folders: dict[str, str] = {}
    for name in dict.fromkeys(names):
        # A folder whose name begins with a dot is hidden, also from whoever opens the copy.
        safe = f"_{safe_name(name)}" if name.startswith(".") else safe_name(name)
        folder, number = safe, 1
        while folder.lower() in {other.lower() for other in folders.values()}:
            number += 1
            folder = f"{safe} ({number})"
        folders[name] = folder
    return folders


def _free_name(file: Path, taken: set[Path]) -> Path:
    """Images of one class may have one name in different folders."""
    candidate, number = file, 1
    while Path(str(candidate).lower()) in taken:
        number += 1
        candidate = file.with_stem(f"{file.stem} ({number})")
    taken.add(Path(str(candidate).lower()))
    return candidate


def _copy(source: Path, target: Path) -> None:
    """With its time, but with the mode of a new file: originals may be for their owner only, or read-only."""
    shutil.copyfile(source, target)
    status = source.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def export_table(catalog: CatalogReader, target: Path) -> Exported:
    """Write a CSV with path, class and split of every image that is used; `ftgui` opens it again beside the images.

    Raises:
        DatasetError: it can't be written.
    """
    samples, root = catalog.samples(), catalog.root
    try:
        with replacing(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            table = TableWriter(file)
            table.row(["file_name", "label", "split"])
            for sample in samples:
                table.row((reference(sample.path, root), sample.class_name, sample.split))
    except OSError as error:
        raise DatasetError(f"“{target.name}” can't be written: {reason(error)}.") from error
    return Exported(len(samples), 0)
