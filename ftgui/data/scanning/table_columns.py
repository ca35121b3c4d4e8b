"""What the columns of a table beside the images mean: judged by their contents first, by their names second.

A table that can't say one class an image is refused with the reason; one whose columns are not clear can be asked about
(`TableQuestion`).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftgui.base.files import reason
from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning.file_index import FileIndex
from ftgui.data.scanning.found import Columns, DatasetError
from ftgui.data.scanning.names import split_name, split_of, words
from ftgui.data.scanning.table_cells import ONES, ZEROS, labels_in, several, text
from ftgui.data.scanning.table_files import TableError, rows_of

_PATH_NAMES = words(
    "file_name filename filepath filepaths file_path file path image_path img_path image img image_id id_code "
    "image_name photo picture datei bild fichier archivo id"
)
_LABEL_NAMES = words(
    "label labels class class_name classname class_label category category_name target species breed tag diagnosis "
    "dx ground_truth groundtruth variety cultivar disease klasse kategorie art classe clase etiqueta étiquette "
    "categoria label_name class_id label_id category_id y"
)
_SPLIT_NAMES = ("split", "subset", "set", "partition", "dataset", "data set", "data_set", "fold", "phase")
_NEVER_LABELS = frozenset(
    words(
        "width height size bytes filesize file_size fold index idx date time datetime timestamp age url md5 sha1 sha256 "
        "hash lat lon latitude longitude xmin ymin xmax ymax x_min y_min x_max y_max bbox confidence score weight "
        "is_valid"
    )
)
_BOXES = ({"xmin", "ymin"}, {"x_min", "y_min"}, {"bbox"}, {"x1", "y1", "x2", "y2"}, {"encodedpixels"}, {"segmentation"})
_SUBMISSIONS = ("submission", "submit", "prediction")
_SHOWN = 5
"""Rows that a question shows."""
_TRIED = 2000
"""Rows from which it is judged what the columns mean."""
_FOUND_SHARE = 0.5
"""Of the rows, that must name a file for a column to be that of the files."""


class TableQuestion(DatasetError):
    """There is a table, but it is not clear which column is what.

    Args:
        table: the file.
        columns: names of its columns.
        rows: the first few.
        guess: what the columns probably mean; empty where not even that can be said.
    """

    def __init__(self, table: Path, columns: list[str], rows: list[list[str]], guess: Columns) -> None:
        super().__init__(
            f"It is not clear which columns of “{table.name}” hold the file names and the classes. Set table, path_column "
            "and label_column under [dataset] in the recipe."
        )
        self.table = table
        self.columns = columns
        self.rows = rows
        self.guess = guess


@dataclass(frozen=True)
class Table:
    """A table whose columns are understood, or nearly."""

    file: Path
    columns: Columns
    """`label` is empty where `one_hot` says the classes, or where the table says only splits."""
    split: str = ""
    """Of all its images, from the file's or folder's name."""
    one_hot: tuple[str, ...] = ()
    """Columns of ones and zeros, each a class."""
    weight: float = 1.0
    """How much the columns look like those of labels, 0 to 1."""
    reasons: tuple[str, ...] = ()
    question: TableQuestion | None = None
    """If it is not clear which column is what."""


@dataclass(frozen=True)
class Refused:
    """A table that can't say one class an image."""

    file: Path
    why: str
    """A sentence that names it."""


def understand(file: Path, name: str, index: FileIndex) -> Table | Refused | None:
    """What a file says, judged by its first rows.

    Args:
        file: the file.
        name: its path below the dataset folder, with ``/``.
        index: all images.

    Returns:
        None if it is about something else.
    """
    near = name.rpartition("/")[0]
    try:
        rows = list(itertools.islice(rows_of(file, lambda cell: index.find(cell, near) is not None), _TRIED))
    except OSError as error:
        return Refused(file, f"“{file.name}” can't be read: {reason(error)}.")
    except TableError as error:
        return Refused(file, f"“{file.name}” can't be used: {error}.")
    if not rows:
        return None
    return _Guess(file, name, rows, index).table()


def chosen(root: Path, columns: Columns, index: FileIndex) -> Table | None:
    """The table that the person named, if it is still there and has these columns; without columns they are guessed.

    Raises:
        DatasetError: it can't say the classes.
    """
    file = root / columns.table
    if not file.is_file():
        return None
    if not columns.path:
        understood = understand(file, columns.table, index)
        if isinstance(understood, Refused):
            raise DatasetError(understood.why)
        if understood is not None and understood.question is not None:
            raise understood.question
        return understood
    table = Table(file, columns, split_name(file.stem).split)
    near = columns.table.rpartition("/")[0]
    try:
        rows = rows_of(file, lambda cell: index.find(cell, near) is not None)
        keys = {key for row in itertools.islice(rows, _TRIED) for key in row}
    except (OSError, TableError):
        return None
    return table if {columns.path, columns.label} <= keys else None


class _Guess:
    """Looks at the first rows of a table."""

    def __init__(self, file: Path, name: str, rows: list[dict[str, Any]], index: FileIndex) -> None:
        self.file = file
        self.name = name
        self.rows = rows
        self.index = index
        self.near = name.rpartition("/")[0]
        self.keys = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
        self.cells = {key: [text(row.get(key)) for row in rows] for key in self.keys}

    def table(self) -> Table | Refused | None:
        path = self._path_column()
        if not path:
            return None
        others = [key for key in self.keys if key != path]
        if boxes := self._boxes(path, others):
            return boxes
        split = next((key for key in others if self._is_split(key)), "")
        labels = [key for key in others if key != split]
        columns = Columns(self.name, path, "", split)
        named = [key for key in labels if _is_named(key)]
        one_hot = () if named else tuple(key for key in labels if self._is_binary(key))
        file_split = split_name(self.file.stem).split
        if len(one_hot) > 1:
            return self._one_hot(Table(self.file, columns, file_split, one_hot))
        if not labels:
            if file_split or split:
                return Table(self.file, columns, file_split, reasons=("it gives only splits",))
            return None
        if any(word in self.file.stem.lower() for word in _SUBMISSIONS):
            return Table(
                self.file,
                replace(columns, label=labels[0]),
                weight=0.02,
                reasons=("it looks like a submission file, not a list of labels",),
            )
        return self._labelled(Table(self.file, columns, file_split), labels, named)

    def _path_column(self) -> str:
        """The column that names files, by the share of rows whose files are there; empty: none does."""
        if exact := [key for key in self.keys if self.index.exact(self.cells[key]) is not None]:
            return max(exact, key=lambda key: _rank(key, _PATH_NAMES))
        shares = {
            key: sum(self._find(cell) is not None for cell in self.cells[key]) / len(self.rows) for key in self.keys
        }
        best = max(self.keys, key=lambda key: (shares[key], _rank(key, _PATH_NAMES)))
        if shares[best] < _FOUND_SHARE:
            # A list of which most files are not here still names files, if it says so by their endings.
            endings = {key: sum(is_image_name(cell) for cell in self.cells[key]) / len(self.rows) for key in self.keys}
            best = max(self.keys, key=lambda key: (endings[key] * (shares[key] > 0), shares[key]))
            if endings[best] < _FOUND_SHARE or shares[best] == 0:
                return ""
        return best if self._names_files(best) else ""

    def _find(self, cell: str) -> str | None:
        return self.index.find(cell, self.near) if cell else None

    def _names_files(self, key: str) -> bool:
        """Not only numbers that files happen to be called by, such as prices."""
        values = set(self.cells[key])
        if key.lower() in _PATH_NAMES or any(is_image_name(value) or "/" in value for value in values):
            return True
        found = {self._find(value) for value in values} - {None}
        return len(found) >= min(len(self.index), _TRIED) / 2

    def _is_split(self, key: str) -> bool:
        values = {cell.lower() for cell in self.cells[key] if cell}
        if key.lower() in _SPLIT_NAMES:
            return any(split_of(value) for value in values)
        return 1 < len(values) <= 4 and all(split_of(value) for value in values)

    def _is_binary(self, key: str) -> bool:
        values = {cell.lower() for cell in self.cells[key]}
        named = not re.fullmatch(r"column \d+", key)  # a class needs a name
        return named and bool(values - {""}) and values <= ZEROS | ONES

    def _boxes(self, path: str, others: list[str]) -> Refused | None:
        lower = {key.lower() for key in others}
        if any(box <= lower for box in _BOXES) and len(set(self.cells[path])) < len(self.rows):
            return Refused(
                self.file,
                f"“{self.file.name}” says where things are in the images (object detection), several to an image. ftgui "
                "learns one class per image: crop the objects out, into one folder per class.",
            )
        return None

    def _one_hot(self, table: Table) -> Table | Refused:
        ones = Counter(
            sum(self.cells[key][at].lower() in ONES for key in table.one_hot) for at in range(len(self.rows))
        )
        with_several = sum(count for number, count in ones.items() if number > 1)
        if with_several > ones[1] * 0.02:
            return Refused(
                self.file,
                f"“{self.file.name}” gives images several classes at once (columns {', '.join(table.one_hot[:3])} …). ftgui "
                "learns one class per image so far: leave a single 1 in each row.",
            )
        return replace(table, reasons=("one column of ones and zeros for each class",))

    def _labelled(self, table: Table, labels: list[str], named: list[str]) -> Table | Refused | None:
        candidates = named or [key for key in labels if self._may_be_label(key)]
        candidates = self._without_twins(candidates)
        if not candidates:
            label = next((key for key in labels if key.lower() not in _NEVER_LABELS), labels[0])
            return replace(
                table, columns=replace(table.columns, label=label), weight=0.05, reasons=(self._why_not(label),)
            )
        label = min(candidates, key=lambda key: (-_rank(key, _LABEL_NAMES), len(set(self.cells[key]))))
        table = replace(table, columns=replace(table.columns, label=label))
        if example := several([labels_in(row.get(label)) for row in self.rows]):
            return Refused(
                self.file,
                f"“{self.file.name}” gives images several labels (“{example}” in the column “{label}”). ftgui learns one "
                "class per image so far: leave one label in each cell.",
            )
        if named:
            return table
        if len(candidates) == 1:
            return replace(table, weight=0.6, reasons=(f"the column “{label}” is not called label or class",))
        shown = [[text(row.get(key)) for key in self.keys] for row in self.rows[:_SHOWN]]
        question = TableQuestion(self.file, self.keys, shown, table.columns)
        return replace(table, weight=0.6, question=question, reasons=("several columns could be the class",))

    def _may_be_label(self, key: str) -> bool:
        return not (key.lower() in _NEVER_LABELS or key.lower().startswith("unnamed")) and not self._why_not(key)

    def _why_not(self, key: str) -> str:
        """Why a column's contents don't look like classes; empty: they do."""
        values = [cell for cell in self.cells[key] if cell]
        distinct = len(set(values))
        if distinct < 2 and len(values) > 1:
            return f"the column “{key}” has only one value"
        numbers = [number for value in values if (number := _number(value)) is not None]
        if len(numbers) == len(values) and any(number != int(number) for number in numbers):
            return f"the column “{key}” holds measurements"
        if distinct > len(values) / 2 and len(values) >= 8:
            return f"the column “{key}” has a different value in nearly every row"
        if len(numbers) == len(values) and distinct > max(100, len(values) / 5):
            return f"the column “{key}” holds measurements"
        return ""

    def _without_twins(self, keys: list[str]) -> list[str]:
        """Of columns that say the same (a number and a name of the class) the one in words."""
        kept: list[str] = []
        for key in sorted(keys, key=lambda key: all(_number(cell) is not None for cell in self.cells[key] if cell)):
            if not any(_same_partition(self.cells[key], self.cells[other]) for other in kept):
                kept.append(key)
        return sorted(kept, key=keys.index)


def _rank(key: str, names: tuple[str, ...]) -> int:
    lower = key.lower().replace(" ", "_")
    return -names.index(lower) if lower in names else -len(names)


def _is_named(key: str) -> bool:
    return key.lower().replace(" ", "_") in _LABEL_NAMES


def _number(cell: str) -> float | None:
    with suppress(ValueError, OverflowError):
        number = float(cell.replace(",", ".")) if re.fullmatch(r"[-+]?\d+,\d+", cell) else float(cell)
        return number if abs(number) < 1e300 else None  # neither infinite nor NaN
    return None


def _same_partition(first: Iterable[str], second: Iterable[str]) -> bool:
    """Whether two labellings part the same things in the same way, whatever they call the parts."""
    pairs = set(zip(first, second, strict=False))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
