"""What changed in the data from one run to another: each run keeps the exact list of images it used."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ftgui.base.foreign_text import TableWriter, plain_cell
from ftgui.data.catalog.reading import CatalogReader

SAMPLES_FILE = "samples.csv"
"""In a run's folder: path, class_name, split."""

Samples = dict[str, tuple[str, str]]
"""Path -> class name and split."""


@dataclass
class Changes:
    """Paths, and for what changed the values before and after."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    relabelled: list[tuple[str, str, str]] = field(default_factory=list)
    moved: list[tuple[str, str, str]] = field(default_factory=list)

    def summary(self) -> str:
        """In words, e.g. ``"3 added, 1 relabelled"``."""
        parts = {
            "added": len(self.added),
            "removed": len(self.removed),
            "relabelled": len(self.relabelled),
            "moved to another split": len(self.moved),
        }
        said = [f"{count:,} {word}" for word, count in parts.items() if count]
        return ", ".join(said) if said else "the same images, classes and splits"


def compare_runs(before: Path, after: Path) -> Changes:
    """Compare the data of two run folders.

    Raises:
        OSError: a list can't be read.
        ValueError: it is no such list.
    """
    old, new = read_samples(before), read_samples(after)
    changes = Changes(
        added=sorted(new.keys() - old.keys()),
        removed=sorted(old.keys() - new.keys()),
    )
    for path in sorted(old.keys() & new.keys()):
        (class_before, split_before), (class_after, split_after) = old[path], new[path]
        if class_before != class_after:
            changes.relabelled.append((path, class_before, class_after))
        if split_before != split_after:
            changes.moved.append((path, split_before, split_after))
    return changes


def read_samples(run_folder: Path) -> Samples:
    """Path -> class name and split of the images a run used, in its order.

    Raises:
        OSError: the list can't be read.
        ValueError: it is no such list.
    """
    with (run_folder / SAMPLES_FILE).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        try:
            rows = [[plain_cell(cell) for cell in row] for row in csv.reader(file)]
        except csv.Error as error:  # no ValueError
            raise ValueError(f"{SAMPLES_FILE} can't be read: {error}") from error
    if not rows or rows[0] != ["path", "class_name", "split"] or any(len(row) != 3 for row in rows):
        raise ValueError(f"{run_folder / SAMPLES_FILE} is not a list of samples")
    return {path: (class_name, split) for path, class_name, split in rows[1:]}


def table_of_samples(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """The list that `read_samples` reads: path, class name and split of each image, with cells made harmless for spreadsheets."""
    text = io.StringIO()
    table = TableWriter(text)
    table.row(["path", "class_name", "split"])
    for row in rows:
        table.row(row)
    return text.getvalue().encode("utf-8", "surrogateescape")


def renamed_since(run_folder: Path, catalog: CatalogReader) -> list[str]:
    """What a run's classes are called in the catalog now, if they were only renamed.

    A class is what most of its images are now: that also finds a rename that was undone, or made by the folders.

    Args:
        run_folder: of the run.
        catalog: of the same project.

    Returns:
        the present names in the order of the model's outputs, which is that of the names in the run's list; empty if two
        classes became one, or one is gone.

    Raises:
        OSError, ValueError: as `read_samples`.
    """
    began = read_samples(run_folder)
    then = sorted({name for name, split in began.values() if split == "train"})
    names = classes_now(began, {path: (name, split) for path, name, split in catalog.entries()}, then)
    return names if all(names) and len(set(names)) == len(names) else []


def classes_now(began: Samples, now: Samples, class_names: Iterable[str]) -> list[str]:
    """What most images of each of these classes are now, in their order; empty: all of them are gone."""
    votes: dict[str, Counter[str]] = {name: Counter() for name in class_names}
    for path, (name, _) in began.items():
        if name in votes and path in now:
            votes[name][now[path][0]] += 1
    return [count.most_common(1)[0][0] if count else "" for count in votes.values()]
