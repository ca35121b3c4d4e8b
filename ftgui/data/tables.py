"""Datasets whose classes stand in a table beside the images: metadata.csv or .jsonl, labels.csv, any CSV, or list files.

The table is used where folders say no classes. What its columns mean is guessed from their names and contents; where that
fails the person is asked once (`TableQuestion`), and the recipe remembers the answer.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ftgui.data.formats import EXTENSIONS, is_image_name
from ftgui.data.scan import MOST_TABLE_BYTES, TABLE_EXTENSIONS, Columns, DatasetError, split_of

_PATH_NAMES = (
    "file_name",
    "filename",
    "filepath",
    "file_path",
    "file",
    "path",
    "image_path",
    "image",
    "img",
    "image_id",
)
_LABEL_NAMES = ("label", "class", "class_name", "classname", "category", "target", "labels", "species", "breed", "tag")
_SPLIT_NAMES = ("split", "subset", "set", "partition", "dataset", "fold")
_LIKELY = ("metadata", "labels", "annotations", "train", "list")
_SHOWN = 5
"""Rows that a question shows."""
_TRIED = 200
"""Rows from which it is judged whether a column names files."""


class TableQuestion(DatasetError):
    """There is a table, but it is not clear which column is what.

    Args:
        table: the file.
        columns: names of its columns.
        rows: the first few.
        guess: what the columns probably mean; empty where not even that can be said.
    """

    def __init__(self, table: Path, columns: list[str], rows: list[list[str]], guess: Columns) -> None:
        super().__init__(f"It is not clear which columns of “{table.name}” hold the file names and the classes.")
        self.table = table
        self.columns = columns
        self.rows = rows
        self.guess = guess


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a table."""

    path: str
    """As written, with ``/``."""
    class_name: str
    split: str


@dataclass(frozen=True)
class Table:
    """A table that was understood."""

    file: Path
    columns: Columns
    split: str = ""
    """Of all its images, from the file's or folder's name."""


def understand(folder: Path, names: list[str], files: set[str], wanted: Columns | None) -> list[Table]:
    """The tables of a folder that say the classes of its images.

    Args:
        folder: that holds them.
        names: of the files directly in it.
        files: paths of all images below it, with ``/``.
        wanted: what the person answered before.

    Raises:
        TableQuestion: there is one that may do, but its columns are not clear.
        DatasetError: the one that the person chose can't be read.
    """
    if wanted is not None and _still_fits(folder / wanted.table, wanted):
        return [Table(folder / wanted.table, wanted)]
    question: TableQuestion | None = None
    index = Index(files)
    tables: list[Table] = []
    for name in sorted(names, key=_likeliness):
        path = folder / name
        if path.suffix.lower() not in TABLE_EXTENSIONS or not _may_be_read(path):
            continue
        if tables and path.suffix.lower() != ".txt":
            break  # one table with columns says all; lists come in several, one for each split
        try:
            rows = list(itertools.islice(_rows(path), _TRIED))
        except (OSError, ValueError, csv.Error):
            continue  # some other file that happens to have this ending
        if not rows:
            continue
        columns, certain = _guess(path, rows, index)
        if certain:
            tables.append(Table(path, columns, split_of(path.stem)))
        elif columns.path and question is None:
            shown = [[str(row.get(key, "")) for key in rows[0]] for row in rows[:_SHOWN]]
            question = TableQuestion(path, list(rows[0]), shown, columns)
    if not tables and question is not None:
        raise question
    return tables


def _may_be_read(path: Path) -> bool:
    """It is a file (a pipe would keep its reader waiting for ever) and not beyond all measure."""
    try:
        return path.is_file() and path.stat().st_size <= MOST_TABLE_BYTES
    except OSError:
        return False


def _still_fits(file: Path, columns: Columns) -> bool:
    """The table that was asked about is still there, with these columns; if not, it is guessed or asked again."""
    try:
        first = next(_rows(file), {})
    except (OSError, ValueError, csv.Error):
        return False
    return {columns.path, columns.label} <= set(first)


def _likeliness(name: str) -> tuple[int, str]:
    stem = Path(name).stem.lower()
    return next((n for n, word in enumerate(_LIKELY) if word in stem), len(_LIKELY)), name


def _guess(file: Path, rows: list[dict[str, Any]], index: Index) -> tuple[Columns, bool]:
    """What the columns mean, and whether that is certain."""
    keys = list(rows[0])
    by_files = {key: sum(index.find(str(row.get(key, ""))) is not None for row in rows) / len(rows) for key in keys}
    path = max(keys, key=lambda key: (by_files[key], _rank(key, _PATH_NAMES)))
    if by_files[path] < 0.5 or not _names_files(path, rows, index):
        return Columns(file.name, "", ""), False
    others = [key for key in keys if key != path]
    split = next((key for key in others if _is_split(key, rows)), "")
    labels = [key for key in others if key != split]
    named = [key for key in labels if key.lower() in _LABEL_NAMES]
    label = named[0] if named else (labels[0] if labels else "")
    return Columns(file.name, path, label, split), bool(named or len(labels) == 1)


def _names_files(key: str, rows: list[dict[str, Any]], index: Index) -> bool:
    """Not only numbers that files happen to be called by, such as prices."""
    values = {str(row.get(key, "")) for row in rows}
    if key.lower() in _PATH_NAMES or any(is_image_name(value) for value in values):
        return True
    return len({index.find(value) for value in values} - {None}) >= min(len(index), _TRIED) / 2


def _rank(key: str, names: tuple[str, ...]) -> int:
    return -names.index(key.lower()) if key.lower() in names else -len(names)


def _is_split(key: str, rows: list[dict[str, Any]]) -> bool:
    values = {str(row.get(key, "")).lower() for row in rows}
    return key.lower() in _SPLIT_NAMES and any(split_of(value) for value in values)


def read(table: Table) -> Iterator[Listed]:
    """Every line that names a file and a class.

    Raises:
        DatasetError: the table can't be read, or lacks a column.
    """
    columns = table.columns
    try:
        for number, row in enumerate(_rows(table.file)):
            if number == 0 and not {columns.path, columns.label} <= set(row):
                raise DatasetError(
                    f"“{table.file.name}” has no columns “{columns.path}” and “{columns.label}” any more."
                )
            path, label = str(row.get(columns.path) or "").strip(), row.get(columns.label)
            label = "" if label is None else str(label).strip()
            if path and label:
                split = split_of(str(row.get(columns.split, ""))) if columns.split else table.split
                yield Listed(path.replace("\\", "/"), label.replace("/", "-"), split)
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"“{table.file.name}” can't be read: {error}.") from error


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    text = io.open(file, encoding="utf-8-sig", errors="replace", newline="")  # noqa: SIM115, UP020 - closed below
    with text:
        if file.suffix.lower() == ".jsonl":
            for line in text:
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("a line is no object")
                    yield row
        elif file.suffix.lower() == ".txt":
            yield from _list_rows(text)
        else:
            head = text.read(8192)
            text.seek(0)
            try:
                dialect: Any = csv.Sniffer().sniff(head, delimiters=",;\t|")
            except csv.Error:
                dialect = csv.excel
            for row in csv.DictReader(text, dialect=dialect, restkey="…"):
                yield {str(key): value for key, value in row.items() if key is not None}


def _list_rows(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """``path label`` per line, as for ImageNet: the path may hold blanks, so it ends where an image's ending does."""
    for line in lines:
        words = line.strip()
        ends = [words.lower().find(f"{ending} ") for ending in EXTENSIONS] + [
            words.lower().find(f"{ending}\t") for ending in EXTENSIONS
        ]
        end = max((end for end in ends if end > 0), default=-1)
        if end > 0:
            space = min(place for place in (words.find(" ", end), words.find("\t", end)) if place > 0)
            yield {"path": words[:space], "label": words[space:].strip()}


class Index:
    """Finds the file that a table means: by its path, without its ending, or by its name alone.

    Args:
        files: paths of images, with ``/``.
    """

    def __init__(self, files: set[str]) -> None:
        self._files = files
        self._others: dict[str, str | None] = {}
        for path in files:
            pure = PurePosixPath(path)
            for alias in {path.rpartition(".")[0], pure.name, pure.stem}:
                # Of two files of one name neither is meant.
                self._others[alias] = None if alias in self._others else path

    def __len__(self) -> int:
        return len(self._files)

    def find(self, written: str) -> str | None:
        """The path of the one file that is meant, or None."""
        plain = written.replace("\\", "/").removeprefix("./").strip()
        if plain in self._files:
            return plain
        found = self._others.get(plain)
        if found is None and "/" in plain and is_image_name(plain):
            found = self._others.get(os.path.basename(plain))  # noqa: PTH119 - may be another system's path
        return found
