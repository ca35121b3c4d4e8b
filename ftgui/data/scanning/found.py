"""What a scan finds: images, classes, problems; and the errors that end one. No searching here."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ftgui.base.job import Job
from ftgui.data.scanning.names import ClassNames
from ftgui.protocol.problem import Problem

TABLE_EXTENSIONS = frozenset({".csv", ".tsv", ".jsonl", ".json", ".txt"})
"""Files that may say the classes of images."""
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Endings of files that can be unpacked."""
MOST_TABLE_BYTES = 500 * 2**20

MOST_KEPT = 1000
"""Problems of one kind that are kept one by one; of the rest only the number."""

_BATCH = 2000
_BATCH_SECONDS = 0.2
_LOOK_EVERY = 64
"""Files; a slow network drive lists some hundred a second."""


class DatasetError(Exception):
    """A folder that can't be a dataset; the text says why and what to do, in words."""


class ImagesGoneError(DatasetError):
    """There are none in a folder in which a project knows some: it was moved, or its drive is not connected.

    Args:
        there: says so.
        images: that the project knows.
        project: its folder.
        root: where the images were.
    """

    def __init__(self, there: str, images: int, project: Path, root: Path) -> None:
        super().__init__(
            f"{there}; this project knows {images:,} in it. Connect the drive they are on, or say where the folder was moved "
            "to. Nothing is lost: labels, exclusions, split and runs are kept."
        )
        self.images = images
        self.project = project
        self.root = root


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a table is what."""

    table: str
    """Path of the file below the dataset folder, with ``/``."""
    path: str
    """Column of the files; of a table without a head ``"column 1"`` and so on."""
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
    source: str = ""
    """What said the classes, where that was not plainly the folders: ``"labels.csv"``."""

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
        """E.g. ``"2 classes, 397 images"``, ``"2 classes, 397 images (classes from labels.csv)"``."""
        source = f" (classes from {self.source})" if self.source else ""
        return summary(len(self.counts), self.images) + source

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
    """Hands images on in batches, so that the first can be looked at while the rest are searched for.

    Args:
        found: counts them.
        job: is told how many there are.
        take: gets the batches.
        known: class names whose spelling counts more than that of the folders or tables.
    """

    def __init__(self, found: Found, job: Job, take: Take | None, known: Iterable[str] = ()) -> None:
        self.found = found
        self.job = job
        self.names = ClassNames(known)
        self._take = take
        self._batch: list[FoundImage] = []
        self._sent = time.monotonic()
        self._count = 0
        self._looks = -1

    def image(self, path: str, class_name: str, split: str, status: os.stat_result) -> None:
        """One was found."""
        class_name = self.names(class_name)
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
