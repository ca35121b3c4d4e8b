"""Tables beside the images that may say their classes: metadata.csv or .jsonl, labels.csv, any CSV, or list files.

What the columns mean is judged by their contents first, by their names second. A table that can't say one class an image
is refused with the reason; one whose columns are not clear can be asked about (`TableQuestion`).
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning.found import Columns, DatasetError
from ftgui.data.scanning.names import fold, fold_path, split_name, split_of, words
from ftgui.data.scanning.table_files import TableError, columns_of, rows_of

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
_ZEROS = frozenset({"0", "0.0", "-1", "false", ""})
_ONES = frozenset({"1", "1.0", "true"})


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


def understand(file: Path, name: str, index: Index) -> Table | Refused | None:
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
        return Refused(file, f"“{file.name}” can't be read: {error.strerror or error}.")
    except TableError as error:
        return Refused(file, f"“{file.name}” can't be used: {error}.")
    if not rows:
        return None
    return _Guess(file, name, rows, index).table()


class _Guess:
    """Looks at the first rows of a table."""

    def __init__(self, file: Path, name: str, rows: list[dict[str, Any]], index: Index) -> None:
        self.file = file
        self.name = name
        self.rows = rows
        self.index = index
        self.near = name.rpartition("/")[0]
        self.keys = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
        self.cells = {key: [_text(row.get(key)) for row in rows] for key in self.keys}

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
                return Table(self.file, columns, file_split, reasons=("it says splits only",))
            return None
        if any(word in self.file.stem.lower() for word in _SUBMISSIONS):
            return Table(
                self.file,
                replace(columns, label=labels[0]),
                weight=0.02,
                reasons=("a list to be handed in, not of labels",),
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
        return named and bool(values - {""}) and values <= _ZEROS | _ONES

    def _boxes(self, path: str, others: list[str]) -> Refused | None:
        lower = {key.lower() for key in others}
        if any(box <= lower for box in _BOXES) and len(set(self.cells[path])) < len(self.rows):
            return Refused(
                self.file,
                f"“{self.file.name}” says where things are in the images (object detection), several to an image. ftgui "
                "learns one class per image: cut the things out, into one folder per class.",
            )
        return None

    def _one_hot(self, table: Table) -> Table | Refused:
        ones = Counter(
            sum(self.cells[key][at].lower() in _ONES for key in table.one_hot) for at in range(len(self.rows))
        )
        several = sum(count for number, count in ones.items() if number > 1)
        if several > ones[1] * 0.02:
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
        if several := _several([_labels_in(row.get(label)) for row in self.rows]):
            return Refused(
                self.file,
                f"“{self.file.name}” gives images several labels (“{several}” in the column “{label}”). ftgui learns one "
                "class per image so far: leave one label in each cell.",
            )
        if named:
            return table
        if len(candidates) == 1:
            return replace(table, weight=0.6, reasons=(f"the column “{label}” is not called label or class",))
        shown = [[_text(row.get(key)) for key in self.keys] for row in self.rows[:_SHOWN]]
        question = TableQuestion(self.file, self.keys, shown, table.columns)
        return replace(table, weight=0.6, question=question, reasons=("several columns could be the class",))

    def _may_be_label(self, key: str) -> bool:
        return not (key.lower() in _NEVER_LABELS or key.lower().startswith("unnamed")) and not self._why_not(key)

    def _why_not(self, key: str) -> str:
        """Why a column's contents don't look like classes; empty: they do."""
        values = [cell for cell in self.cells[key] if cell]
        distinct = len(set(values))
        if distinct < 2 and len(values) > 1:
            return f"the column “{key}” has one value only"
        numbers = [number for value in values if (number := _number(value)) is not None]
        if len(numbers) == len(values) and any(number != int(number) for number in numbers):
            return f"the column “{key}” holds measures"
        if distinct > len(values) / 2 and len(values) >= 8:
            return f"the column “{key}” has another value in nearly every row"
        if len(numbers) == len(values) and distinct > max(100, len(values) / 5):
            return f"the column “{key}” holds measures"
        return ""

    def _without_twins(self, keys: list[str]) -> list[str]:
        """Of columns that say the same (a number and a name of the class) the one in words."""
        kept: list[str] = []
        for key in sorted(keys, key=lambda key: all(_number(cell) is not None for cell in self.cells[key] if cell)):
            if not any(_same_partition(self.cells[key], self.cells[other]) for other in kept):
                kept.append(key)
        return sorted(kept, key=keys.index)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _texts(cells: list[Any]) -> list[str]:
    return list(map(str.strip, cells)) if set(map(type, cells)) <= {str} else [_text(cell) for cell in cells]


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


def _labels_in(value: Any) -> list[str]:
    """The labels in a cell, which may be a list or an object as JSON or Python write them."""
    if isinstance(value, str) and value.strip()[:1] == "[" and value.strip()[-1:] == "]":
        for parse in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                value = parse(value.strip())
                break
    if isinstance(value, list | tuple):
        return [text for part in value for text in _labels_in(part)]
    if isinstance(value, dict):
        value = value.get("name", value.get("label", value.get("id")))
    text = _text(value)
    return [] if text.lower() in ("", "nan", "null", "none") and not isinstance(value, bool) else [text]


def _several(rows: list[list[str]]) -> str:
    """An example of a cell with several labels, if that is what the column holds; empty: one label each."""
    for labels in rows:
        if len(labels) > 1:
            return ", ".join(labels)
    cells = Counter(labels[0] for labels in rows if labels)
    for separator, strict in ((";", False), ("|", False), (",", True), (" ", True)):
        combined = {cell: [part.strip() for part in cell.split(separator) if part.strip()] for cell in cells}
        combined = {cell: parts for cell, parts in combined.items() if len(parts) > 1}
        known = cells.keys() - combined.keys()
        if not strict:
            uses = Counter(part for parts in combined.values() for part in set(parts))
            known |= {part for part, count in uses.items() if count > 1}
        enough = all if strict else any
        mixed = [cell for cell, parts in combined.items() if enough(part in known for part in parts)]
        if len(mixed) > (1 if strict else 0) and len(mixed) * 2 > len(combined):
            return mixed[0]
    return ""


def read(table: Table, index: Index) -> Labels:
    """All that a table says.

    Raises:
        DatasetError: the table can't be read, or lacks a column.
    """
    columns, labels = table.columns, Labels()
    near = columns.table.rpartition("/")[0]
    named = {columns.path, columns.label} - {""}
    wanted = named | {columns.split, *table.one_hot} - {""}
    labels_in = _Cells()
    try:
        portions = columns_of(table.file, lambda cell: index.find(cell, near) is not None, wanted)
        for seen, portion in enumerate(portions):
            if seen == 0 and columns.path not in portion:
                raise DatasetError(f"“{table.file.name}” has no columns {listed(named)} any more.")
            files = _texts(portion.get(columns.path, []))
            classes = _classes_of(table, portion, labels_in, len(files))
            splits = _splits_of(table, portion, len(files))
            if near or not _enter_all(labels, index, files, classes, splits):
                for written, names, split in zip(files, classes, splits, strict=True):
                    _enter(labels, table, index, written, names, split)
    except OSError as error:
        raise DatasetError(f"“{table.file.name}” can't be read: {error.strerror or error}.") from error
    except TableError as error:
        raise DatasetError(f"“{table.file.name}” can't be used: {error}.") from error
    return labels


def _enter(labels: Labels, table: Table, index: Index, written: str, names: list[str], split: str) -> None:
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


def _enter_all(labels: Labels, index: Index, files: list[str], classes: list[list[str]], splits: Sequence[str]) -> bool:
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
        found = self[cell] = _labels_in(cell)
        return found


def _classes_of(table: Table, portion: dict[str, list[Any]], labels_in: _Cells, count: int) -> list[list[str]]:
    """What each row says; of one-hot columns those with a one."""
    if table.one_hot:
        ones = [[_text(cell).lower() in _ONES for cell in portion.get(key, [""] * count)] for key in table.one_hot]
        return [list(itertools.compress(table.one_hot, row)) for row in zip(*ones, strict=True)]
    if not table.columns.label:
        return [[]] * count
    cells = portion.get(table.columns.label, [None] * count)
    if set(map(type, cells)) <= {str}:
        return list(map(labels_in.__getitem__, cells))
    return [labels_in[cell] if isinstance(cell, str) else _labels_in(cell) for cell in cells]


def _splits_of(table: Table, portion: dict[str, list[Any]], count: int) -> list[str]:
    if not table.columns.split:
        return [table.split] * count
    return list(map(lru_cache(1024)(split_of), _texts(portion.get(table.columns.split, [""] * count))))


def listed(names: Iterable[str]) -> str:
    """E.g. ``"“a” and “b”"``."""
    return " and ".join(f"“{name}”" for name in sorted(names))


def chosen(root: Path, columns: Columns, index: Index) -> Table | None:
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


class Index:
    """Finds the file that a table means: by its path or the end of it, without its ending, in any case and kind of accents.

    Args:
        files: paths of images, with ``/``.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._files = dict.fromkeys(files)

    @cached_property
    def _paths(self) -> dict[str, Sequence[str]]:
        """Folded path -> the paths."""
        return _grouped(self._folded, list(self._files))

    @cached_property
    def _names(self) -> dict[str, Sequence[str]]:
        """Folded file name -> the paths."""
        return _grouped([path.rpartition("/")[2] for path in self._folded], list(self._files))

    @cached_property
    def _stems(self) -> dict[str, Sequence[str]]:
        """Folded file name without its ending -> the paths."""
        return _grouped([path.rpartition("/")[2].rpartition(".")[0] for path in self._folded], list(self._files))

    @cached_property
    def _folded(self) -> list[str]:
        return [fold_path(path) for path in self._files]

    @cached_property
    def _only(self) -> dict[str, str]:
        """File name -> the path, if no two files have the same name; else nothing."""
        found = {path.rpartition("/")[2]: path for path in self._files}
        return found if len(found) == len(self._files) else {}

    def exact(self, written: Sequence[str]) -> Sequence[str] | None:
        """The paths that are meant if all are written as they are: whole, or as file names that are there once.

        Many times faster than `find`; None: some are not, and must be looked for one by one.
        """
        if self._files.keys() >= set(written):
            return written
        found = list(map(self._only.get, written))
        return [path for path in found if path is not None] if None not in found else None

    def __len__(self) -> int:
        return len(self._files)

    def find(self, written: str, near: str = "", split: str = "") -> str | None:
        """The path of the one file that is meant, or None.

        Args:
            written: a path, perhaps another computer's, or only the end of one.
            near: folder of the table, whose files are meant first.
            split: of the table, whose folder's files are meant first.
        """
        if not written:
            return None
        if not near and written in self._files:
            return written
        if written in self._only:
            return self._only[written]
        plain = fold_path(written)
        for whole in [f"{fold_path(near)}/{plain}", plain] if near else [plain]:
            if paths := self._paths.get(whole):
                return _exact(paths, written)
        name = plain.rpartition("/")[2]
        candidates = [*self._names.get(name, ()), *self._stems.get(name, ())] if name else []
        if not candidates:
            return None
        return _meant(candidates, plain, near, split)


def _grouped(keys: Sequence[str], paths: Sequence[str]) -> dict[str, Sequence[str]]:
    unique: dict[str, Sequence[str]] = dict(zip(keys, zip(paths, strict=True), strict=True))
    if len(unique) == len(keys):
        return unique
    found: dict[str, list[str]] = {}
    for key, path in zip(keys, paths, strict=True):
        found.setdefault(key, []).append(path)
    return dict(found)


def _exact(paths: Sequence[str], written: str) -> str | None:
    """Of paths that differ in case only, the one that is written so."""
    if len(paths) == 1:
        return paths[0]
    plain = written.strip().replace("\\", "/").removeprefix("./")
    return next((path for path in paths if path.endswith(plain)), None)


def _meant(candidates: list[str], plain: str, near: str, split: str) -> str | None:
    """Of files of one name the one whose path ends most like what is written; of two equally good ones neither."""
    if len(candidates) == 1:
        return candidates[0]
    parts = plain.split("/")[:-1]

    def likeness(path: str) -> tuple[int, bool, bool, bool]:
        own = fold_path(path).split("/")
        alike = sum(
            1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(own[-2::-1], parts[::-1], strict=False))
        )
        whole = own[-1] == plain.split("/")[-1]
        in_split = bool(split) and any(split_name(part).split == split for part in own[:-1])
        return alike, whole, bool(near) and path.startswith(f"{near}/"), in_split

    ranked = sorted(candidates, key=likeness, reverse=True)
    best = likeness(ranked[0])
    if best == likeness(ranked[1]) or (parts and best[0] == 0 and not (best[2] or best[3])):
        return None
    return ranked[0]
