"""Table or folders? Every way to read a dataset is scored, a clear winner is taken, else the person is asked.

A `Reading` says what would come of it; nothing here touches the disk but through the listing and the tables it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ftgui.base.patterns import Pattern, compile_pattern
from ftgui.data.scanning.file_index import FileIndex
from ftgui.data.scanning.folder_layouts import FolderPlan, assigned
from ftgui.data.scanning.found import Columns, DatasetError, summary
from ftgui.data.scanning.label_tables import Labels, read
from ftgui.data.scanning.names import ClassNames, fold, listing, split_name
from ftgui.data.scanning.table_columns import Refused, Table
from ftgui.protocol.recipe import why_no_pattern

ASK = "ask"
"""As a layout: the person wants to choose among all that are possible."""
_CLEAR = 1.5
"""How many times as good as any other the best reading is taken without asking."""
NAME_PATTERN = r"(.+?)[\s._-]*\(?\d+\)?"
"""File names that say their class, as ``cat.12.jpg`` or ``Abyssinian_3.jpg``: class, sign, number."""
_NAMED_SHARE = 0.95
_OVERLAP = 0.05


@dataclass(frozen=True)
class Reading:
    """One way to read a dataset, and what would come of it."""

    layout: str
    """As in `ftgui.protocol.recipe.Dataset.layout`."""
    source: str
    """What says the classes, in words: ``"the folders"``, ``"labels.csv"``."""
    of: dict[str, tuple[str, str]] = field(repr=False)
    """Path of each image that it has a class for -> class, split."""
    total: int
    """Images that are there."""
    weight: float
    """How much its names look like those of classes, 0 to 1."""
    reasons: tuple[str, ...] = ()
    """Why it is worth less than it could be."""
    plan: FolderPlan | None = None
    tables: tuple[Table, ...] = ()
    labels: tuple[Labels, ...] = ()
    """One for each table."""

    @property
    def images(self) -> int:
        return len(self.of)

    @cached_property
    def classes(self) -> Counter[str]:
        """Images of each class, spellings joined."""
        names = ClassNames()
        counted: Counter[str] = Counter()
        for (name, _), images in self._said.items():
            counted[names(name)] += images
        return counted

    @cached_property
    def _said(self) -> Counter[tuple[str, str]]:
        """Images of each class and split, as written."""
        return Counter(self.of.values())

    @cached_property
    def splits(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for (_, split), images in self._said.items():
            counted[split] += images if split else 0
        return +counted

    @cached_property
    def score(self) -> float:
        """0 to 1: share of the images, of those the share in classes with several, and the look of the names."""
        classes = self.classes
        several = sum(count for count in classes.values() if count > 1) / max(self.images, 1)
        return self.images / max(self.total, 1) * several * self.weight * (1.0 if len(classes) > 1 else 0.1)

    @property
    def columns(self) -> Columns | None:
        """Of its first table, for the recipe; without columns where the table is to be looked at anew."""
        if not self.tables:
            return None
        table = self.tables[0]
        return Columns(table.columns.table, "", "") if table.question or table.one_hot else table.columns

    def summary(self) -> str:
        """E.g. ``"2 classes, 24 of 30 images"``."""
        counted = summary(len(self.classes), self.images)
        return counted if self.images == self.total else counted.replace(" image", f" of {self.total:,} image")

    def agrees(self, other: Reading) -> bool:
        """Whether both part the images that they share in the same way, whatever they call the parts."""
        both = set(zip(self.of.values(), map(other.of.get, self.of), strict=True))
        written = {(own[0], its[0]) for own, its in both if its is not None}
        pairs = {(fold(own), fold(its)) for own, its in written}
        return bool(pairs) and len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


class LayoutQuestion(DatasetError):
    """Several things may say the classes, and none clearly.

    Args:
        name: of the dataset.
        readings: the best first.
        note: what else is to be known: sentences about tables that can't be used.
    """

    def __init__(self, name: str, readings: Sequence[Reading], note: str = "") -> None:
        said = " or ".join(f"{reading.source} ({reading.summary()})" for reading in readings)
        fields = " or ".join(dict.fromkeys(_recipe_fields(reading) for reading in readings))
        asked = f"Where do the classes of “{name}” come from: {said}? Set {fields} under [dataset] in the recipe."
        super().__init__(f"{note} {asked}".strip())
        self.name = name
        self.note = note
        self.readings = tuple(readings)


def _recipe_fields(reading: Reading) -> str:
    if reading.columns is None:
        return f'layout = "{reading.layout}"'
    columns = reading.columns
    named = "".join(
        f', {key} = "{value}"'
        for key, value in (("path_column", columns.path), ("label_column", columns.label))
        if value
    )
    return f'layout = "table" with table = "{columns.table}"{named}'


@dataclass(frozen=True)
class Choice:
    """What was decided, and what is to be said of it."""

    reading: Reading
    unused: tuple[Reading, ...]
    agreeing: tuple[Reading, ...]


def choose(name: str, readings: list[Reading], layout: str = "", note: str = "") -> Choice | None:
    """The clear winner, or None where nothing says any classes.

    Args:
        name: of the dataset.
        readings: all that there are.
        layout: that was wanted: `ASK` asks in any case.
        note: sentences about tables that can't be used.

    Raises:
        LayoutQuestion: there is none.
        TableQuestion: the winner is a table whose columns are not clear.
    """
    ranked = sorted((reading for reading in readings if reading.images), key=lambda r: r.score, reverse=True)
    if not ranked:
        return None
    if layout == ASK:
        raise LayoutQuestion(name, ranked, note)
    same = [reading for reading in ranked if reading is ranked[0] or reading.agrees(ranked[0])]
    best = _preferred(same)
    agreeing = [reading for reading in same if reading is not best]
    others = [reading for reading in ranked if reading is not best and reading not in agreeing]
    rivals = [reading for reading in others if reading.score * _CLEAR > best.score > 0]
    if best.tables and best.weight < 1:  # numbers in a column without a name, and names that say the same
        rivals += [reading for reading in agreeing if reading.layout == "file names"]
    if rivals or (best.layout == "file names" != layout):  # a pattern in names is a guess, which the person confirms
        raise LayoutQuestion(name, [best, *rivals], note)
    if best.tables and best.tables[0].question is not None:
        raise best.tables[0].question
    return Choice(best, tuple(others), tuple(agreeing))


def _preferred(same: list[Reading]) -> Reading:
    """Of readings that say the same, the best first: the folders, unless a table says splits as well."""
    best = same[0]
    folders = next((reading for reading in same if reading.plan is not None), None)
    table = next((reading for reading in same if reading.tables), None)
    if folders is None or table is None:
        return best
    if table.splits and not folders.splits and table.images >= folders.images * (1 - _OVERLAP):
        return table
    return folders if folders.images >= table.images else best


# --- making readings ------------------------------------------------------------------------------------------------


def folder_reading(plan: FolderPlan, paths: list[str]) -> Reading:
    """What comes of reading the folders so."""
    of = assigned(plan, paths)
    reasons = ("the folders' names look like those of parts",) if plan.names_weight < 1 else ()
    return Reading(plan.layout, _FOLDERS[plan.layout], of, len(paths), plan.names_weight, reasons, plan)


_FOLDERS = {
    "class": "the folders",
    "split/class": "the folders below those of the splits",
    "class/split": "the folders, with one for each split in them",
    "part/class": "the folders below those of the parts",
}


def table_readings(tables: Sequence[Table], index: FileIndex, total: int) -> list[Reading]:
    """What comes of the tables: each by itself, or several that are parts of one (``train.csv`` and ``val.csv``).

    Raises:
        DatasetError: one of them can't be read to its end.
    """
    groups: list[list[tuple[Table, Labels]]] = []
    for table in tables:
        labels = read(table, index)
        group = next((group for group in groups if _joins(group, table, labels)), None)
        if group is None:
            groups.append([(table, labels)])
        else:
            group.append((table, labels))
    return [_table_reading(group, total) for group in groups]


def _joins(group: list[tuple[Table, Labels]], table: Table, labels: Labels) -> bool:
    """Tables of the same columns that name other images are parts of one."""
    first = group[0][0]
    if min(first.weight, table.weight) < 0.5 or (first.columns.label, first.one_hot) != (
        table.columns.label,
        table.one_hot,
    ):
        return False
    if fold(first.columns.path) != fold(table.columns.path) or not labels.of:
        return False
    before = set().union(*(known.of.keys() for _, known in group))
    if len(before & labels.of.keys()) > _OVERLAP * min(len(before), len(labels.of)):
        return False
    classes = {fold(name) for _, known in group for name in known.classes()}
    return bool(classes & {fold(name) for name in labels.classes()})


def _table_reading(group: list[tuple[Table, Labels]], total: int) -> Reading:
    of: dict[str, tuple[str, str]] = {}
    for _, said in group:
        of = said.of | of  # the first counts
    if not any(split for _, split in set(of.values())):
        of = _with_splits_of_folders(of)
    files = [table.file.name for table, _ in group]
    source = " and ".join([", ".join(files[:-1]), files[-1]] if len(files) > 1 else files)
    tables, labels = tuple(table for table, _ in group), tuple(labels for _, labels in group)
    return Reading(
        "table", source, of, total, min(t.weight for t in tables), tables[0].reasons, tables=tables, labels=labels
    )


def _with_splits_of_folders(of: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """A table that says no splits leaves them to the folders, if these are splits throughout."""
    splits = {folder: _split_above(folder) for folder in {path.rpartition("/")[0] for path in of}}
    if len(set(splits.values()) - {""}) < 2 or "" in splits.values():
        return of
    return {path: (name, splits[path.rpartition("/")[0]]) for path, (name, _) in of.items()}


def _split_above(folder: str) -> str:
    return next((split for part in folder.split("/") if (split := split_name(part).split)), "")


def name_reading(paths: list[str], pattern: str = "") -> Reading | None:
    """Classes in the names of files, if they seem to be there; of a pattern that was chosen in any case.

    Raises:
        DatasetError: the pattern is not a regular expression.
    """
    if why := why_no_pattern(pattern):
        raise DatasetError(f"name_pattern: {why}")
    match = compile_pattern(pattern or NAME_PATTERN)
    of = {path: (found, "") for path in paths if (found := _class_in(match, path))}
    counts = Counter(name for name, _ in of.values())
    several = sum(count for count in counts.values() if count > 1)
    if not pattern and (len(counts) < 2 or several < _NAMED_SHARE * len(paths)):
        return None
    return Reading("file names", f"the file names ({listing(sorted(counts), 3)})", of, len(paths), 0.5)


def _class_in(pattern: Pattern, path: str) -> str:
    return (pattern.match_all(path.rpartition("/")[2].rpartition(".")[0]) or "").strip(" ._-")


def why_refused(refused: Sequence[Refused]) -> str:
    """All sentences about tables that can't be used."""
    return " ".join(dict.fromkeys(each.why for each in refused))
