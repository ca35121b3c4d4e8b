"""The labels that a table beside the images gives: metadata.csv or .jsonl, labels.csv, any CSV, or list files."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ftgui.base.files import reason
from ftgui.data.scanning.file_index import FileIndex
from ftgui.data.scanning.found import DatasetError
from ftgui.data.scanning.names import fold, split_of
from ftgui.data.scanning.table_cells import ONES, labels_in, text, texts
from ftgui.data.scanning.table_columns import Table
from ftgui.data.scanning.table_files import TableError, columns_of


@dataclass
class Labels:
    """All that a table says of the images that are there."""

    of: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Path -> class (empty: the table says splits only), split."""
    missing: list[str] = field(default_factory=list)
    """Names of files that are not there, or of several that could be meant."""
    twice: list[tuple[str, str, str]] = field(default_factory=list)
    """Path, the class that counts, another that is listed too."""
    unlabelled: list[str] = field(default_factory=list)
    """Paths that it lists without a class."""

    def classes(self) -> Counter[str]:
        return Counter(name for name, _ in self.of.values())


def read(table: Table, index: FileIndex) -> Labels:
    """All that a table says.

    Raises:
        DatasetError: the table can't be read, or lacks a column.
    """
    columns, labels = table.columns, Labels()
    near = columns.table.rpartition("/")[0]
    named = {columns.path, columns.label} - {""}
    wanted = named | {columns.split, *table.one_hot} - {""}
    known_cells = _Cells()
    try:
        portions = columns_of(table.file, lambda cell: index.find(cell, near) is not None, wanted)
        for seen, portion in enumerate(portions):
            if seen == 0 and columns.path not in portion:
                raise DatasetError(f"“{table.file.name}” has no columns {_listed(named)} any more.")
            files = texts(portion.get(columns.path, []))
            classes = _classes_of(table, portion, known_cells, len(files))
            splits = _splits_of(table, portion, len(files))
            if near or not _enter_all(labels, index, files, classes, splits):
                for written, names, split in zip(files, classes, splits, strict=True):
                    _enter(labels, table, index, written, names, split)
    except OSError as error:
        raise DatasetError(f"“{table.file.name}” can't be read: {reason(error)}.") from error
    except TableError as error:
        raise DatasetError(f"“{table.file.name}” can't be used: {error}.") from error
    return labels


def _listed(names: Iterable[str]) -> str:
    """E.g. ``"“a” and “b”"``."""
    return " and ".join(f"“{name}”" for name in sorted(names))


def _enter(labels: Labels, table: Table, index: FileIndex, written: str, names: list[str], split: str) -> None:
    """One row."""
    if not written:
        return
    path = index.find(written, table.columns.table.rpartition("/")[0], table.split)
    if path is None:
        labels.missing.append(written.replace("\\", "/"))
    elif not names and (table.columns.label or table.one_hot):
        labels.unlabelled.append(path)
    else:
        name = names[0] if names else ""
        known = labels.of.setdefault(path, (name, split))[0]
        if known != name and fold(known) != fold(name):
            labels.twice.append((path, known, name))


def _enter_all(
    labels: Labels, index: FileIndex, files: list[str], classes: list[list[str]], splits: Sequence[str]
) -> bool:
    """Many rows at once, if nothing is odd about any: each names another image just as it is called, and a class.

    Returns:
        whether they were.
    """
    paths = index.exact(files) if all(classes) else None
    if paths is None or len(set(paths)) < len(paths) or not labels.of.keys().isdisjoint(paths):
        return False
    labels.of.update(zip(paths, zip((names[0] for names in classes), splits, strict=True), strict=True))
    return True


class _Cells(dict[str, list[str]]):
    """The labels in cells, each text looked at once."""

    def __missing__(self, cell: str) -> list[str]:
        found = self[cell] = labels_in(cell)
        return found


def _classes_of(table: Table, portion: dict[str, list[Any]], known_cells: _Cells, count: int) -> list[list[str]]:
    """What each row says; of one-hot columns those with a one."""
    if table.one_hot:
        ones = [[text(cell).lower() in ONES for cell in portion.get(key, [""] * count)] for key in table.one_hot]
        return [list(itertools.compress(table.one_hot, row)) for row in zip(*ones, strict=True)]
    if not table.columns.label:
        return [[]] * count
    cells = portion.get(table.columns.label, [None] * count)
    if set(map(type, cells)) <= {str}:
        return list(map(known_cells.__getitem__, cells))
    return [known_cells[cell] if isinstance(cell, str) else labels_in(cell) for cell in cells]


def _splits_of(table: Table, portion: dict[str, list[Any]], count: int) -> list[str]:
    if not table.columns.split:
        return [table.split] * count
    return list(map(lru_cache(1024)(split_of), texts(portion.get(table.columns.split, [""] * count))))
