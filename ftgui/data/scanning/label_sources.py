"""Gathers every way to read a dataset folder, and decides which one counts (`ftgui.data.scanning.readings`).

Folders that plainly say the classes are decided on by names alone, so that images can be taken as they are listed. Only where
something else may say them (a table, the file names) is everything listed first.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ftgui.base.files import is_text
from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning import label_tables, table_columns
from ftgui.data.scanning.file_index import FileIndex
from ftgui.data.scanning.folder_layouts import FolderPlan, base_of, folder_plans
from ftgui.data.scanning.foreign_layouts import MASK_FOLDERS, recognise
from ftgui.data.scanning.found import MOST_TABLE_BYTES, TABLE_EXTENSIONS, Collector, Columns, DatasetError, Found
from ftgui.data.scanning.names import listing, split_name, words
from ftgui.data.scanning.readings import (
    ASK,
    Choice,
    Reading,
    choose,
    folder_reading,
    name_reading,
    table_readings,
    why_refused,
)
from ftgui.data.scanning.table_columns import Refused, Table
from ftgui.data.scanning.table_files import TableError, rows_of
from ftgui.data.scanning.walk import Entry, Folder, folders_below
from ftgui.protocol.problem import Problem

_TABLE_FOLDERS = frozenset(
    words(
        "meta metadata annotations annotation labels label csv tables lists list split splits imagesets info data main"
    )
)
_LIKELY = ("metadata", "labels", "annotations", "train", "list")
"""Words in the names of tables of labels, the likeliest first."""
_MOST_TABLES = 60
"""In one folder; more are not tables but something beside each image."""
_UNREADABLE_TABLES = (
    ".xlsx",
    ".xls",
    ".ods",
    ".parquet",
    ".feather",
    ".mat",
    ".npy",
    ".pkl",
    ".arrow",
    ".db",
    ".sqlite",
)
_REFUSED_SHARE = 0.3
_ENOUGH = 10


@dataclass(frozen=True)
class Wanted:
    """What the person or the recipe says of how to read a dataset."""

    layout: str = ""
    """As in `ftgui.protocol.recipe.Dataset.layout`, or `ASK`."""
    columns: Columns | None = None
    """Of the table that says the classes."""
    pattern: str = ""
    """Of the file names that do."""


@dataclass
class Decision:
    """What counts, and what is needed to take it."""

    plan: FolderPlan | None = None
    """To be taken folder by folder."""
    reading: Reading | None = None
    """If everything was listed and compared."""
    images: dict[str, Entry] = field(default_factory=dict)
    """Path -> file, if everything was listed."""
    others: list[str] = field(default_factory=list)
    """Paths of other files, likewise."""
    splits: dict[str, str] = field(default_factory=dict)
    """Path -> split, from list files, of images whose class the folders say."""
    split_source: str = ""
    """Names of these files."""


def decide(top: Folder, collector: Collector, wanted: Wanted) -> Decision:
    """How to read a dataset folder.

    Raises:
        DatasetError: nothing says any classes, or what was wanted is not there; the text says why.
        LayoutQuestion, TableQuestion: the person must say.
        Cancelled: through the collector's job.
    """
    base = base_of(top)
    plans = folder_plans(base)
    by_layout = {plan.layout: plan for plan in plans}
    if wanted.layout in by_layout:
        return Decision(plan=by_layout[wanted.layout])
    wanted = _still_possible(wanted, top, collector.found)
    files = _table_files(top, base)
    foreign = "" if wanted.layout else recognise(top, base)
    flat = not any(folder.has_images() for folder in base.folders) and bool(base.images)
    plain = len(plans) > 0 and plans[0].certain and not flat
    if plain and not files and not foreign and wanted == Wanted():
        return Decision(plan=plans[0])
    return _Comparison(top, collector, wanted, plans, files, foreign).decision()


def _still_possible(wanted: Wanted, top: Folder, found: Found) -> Wanted:
    """What was chosen earlier may be gone; then it is said, and decided anew."""
    gone = ""
    if wanted.layout == "table" and wanted.columns and not (Path(top.path) / wanted.columns.table).is_file():
        gone = f"“{wanted.columns.table}”, from which the classes came, is no longer there."
    elif wanted.layout not in ("", ASK, "table", "file names"):
        gone = f"The folders are no longer arranged as the recipe says ({wanted.layout})."
    if not gone:
        return wanted
    found.problem(
        Problem("warning", "table-refused", f"{gone} Where the classes come from was decided again.", top.name)
    )
    return Wanted()


class _Comparison:
    """Lists everything and compares all readings."""

    def __init__(
        self,
        top: Folder,
        collector: Collector,
        wanted: Wanted,
        plans: list[FolderPlan],
        files: list[str],
        foreign: str,
    ) -> None:
        self.top = top
        self.root = Path(top.path)
        self.found = collector.found
        self.wanted = wanted
        self.presets = plans[:1] if plans and plans[0].certain and wanted.layout != ASK else plans
        self.files = files
        self.foreign = foreign
        self.refused: list[Refused] = []
        self.chosen: Table | None = None
        """The table that the person named."""
        self.images: dict[str, Entry] = {}
        self.others: list[str] = []
        looked = len(self.found.folders)
        for folder in folders_below(top):
            self.found.folders.append(Path(folder.path))
            collector.look()
            prefix = f"{folder.relative}/" if folder.relative else ""
            images = folder.images
            of_folder = {prefix + entry.name: entry for entry in images}
            if not is_text("".join(of_folder)):
                of_folder = {path: entry for path, entry in of_folder.items() if is_text(path)}
            self.images.update(of_folder)
            if len(images) < len(folder.files):
                self.others += [prefix + entry.name for entry in folder.files if not is_image_name(entry.name)]
        self.looked = looked
        self.photos = self._photos()
        self.index = FileIndex(self.photos)

    def _photos(self) -> list[str]:
        """Without masks that are called like the photos they belong to."""
        of_masks = lru_cache(None)(_is_of_masks)
        photos = [path for path in self.images if not of_masks(path.rpartition("/")[0])]
        return photos or list(self.images)

    def decision(self) -> Decision:
        understood = self._tables()
        lists = [table for table in understood if not table.columns.label and not table.one_hot]
        readings = self._readings([table for table in understood if table not in lists])
        if self.foreign and not any(reading.tables and reading.score > 0.5 for reading in readings):
            raise DatasetError(self.foreign)
        choice = choose(self.top.name, readings, self.wanted.layout, why_refused(self.refused))
        if choice is None:
            if why := self._why_nothing():
                raise DatasetError(why)
            del self.found.folders[self.looked :]
            return Decision(FolderPlan("class", (), tuple(self.top.folders), (self.top,)))  # it is said where all lies
        self._say(choice)
        reading = choice.reading
        if reading.plan is not None:
            splits, source = self._listed_splits(reading, lists)
            del self.found.folders[self.looked :]
            return Decision(reading.plan, reading, splits=splits, split_source=source)
        return Decision(None, reading, self.images, self.others)

    def _tables(self) -> list[Table]:
        columns = self.wanted.columns
        self.chosen = table_columns.chosen(self.root, columns, self.index) if columns is not None else None
        understood = [self.chosen] if self.chosen is not None else []
        if self.wanted.layout == "file names":
            return []
        for name in sorted(self.files, key=_likeliness):
            if self.chosen is not None and name == self.chosen.columns.table:
                continue
            table = table_columns.understand(self.root / name, name, self.index)
            if isinstance(table, Refused):
                self.refused.append(table)
            elif table is not None:
                understood.append(table)
        return understood

    def _readings(self, labelled: list[Table]) -> list[Reading]:
        paths = self.photos
        found: list[Reading] = []
        for reading in table_readings(labelled, self.index, len(paths)):
            if (why := _too_contradictory(reading)) is not None:
                self.refused.append(why)
            else:
                found.append(reading)
        if self.chosen is not None:
            found = [reading for reading in found if self.chosen in reading.tables and reading.of]
            if not found:
                raise DatasetError(why_refused(self.refused) or _names_nothing(self.top.name, self.chosen))
            return found
        if self.wanted.layout in ("", ASK):
            found += [folder_reading(plan, paths) for plan in self.presets]
        if self._may_be_named(found):
            by_name = name_reading(paths, self.wanted.pattern)
            found += [by_name] if by_name is not None else []
        return found

    def _may_be_named(self, found: list[Reading]) -> bool:
        """Whether the files' names are worth a look: nothing else says the classes for certain."""
        if self.wanted.layout in ("file names", ASK):
            return True
        folders = [reading for reading in found if reading.plan is not None and len(reading.classes) > 1]
        if any(reading.images > len(self.photos) / 2 for reading in folders):
            return False
        return self.wanted.layout == "" and not any(reading.images and reading.weight == 1 for reading in found)

    def _say(self, choice: Choice) -> None:
        """What says the classes, what was joined to it, and what was not used."""
        reading = choice.reading
        said: list[str] = []
        if reading.plan is None:
            self.found.source = reading.source
            said.append(f"Classes from {reading.source}, {reading.images:,} of {reading.total:,} images.")
        for other in choice.unused:
            why = f": {other.reasons[0]}" if other.reasons else ""
            said.append(f"Not used: {other.source} ({other.summary()}){why}.")
        if choice.agreeing:
            names = " and ".join(other.source for other in choice.agreeing)
            said.append(f"The classes are the same from {names}.")
        if said:
            self.found.problem(Problem("info", "reading", " ".join(said), fix=_HOW_OTHERWISE))
        for refused in self.refused:
            name = refused.file.relative_to(self.root).as_posix()
            self.found.problem(Problem("warning", "table-refused", refused.why, name))

    def _listed_splits(self, reading: Reading, lists: list[Table]) -> tuple[dict[str, str], str]:
        """Splits from list files, where the folders say none, as in Food-101 and CUB."""
        if reading.splits:
            return {}, ""
        splits: dict[str, str] = {}
        used: list[str] = []
        for table in lists:
            own = {path: split for path, (_, split) in label_tables.read(table, self.index).of.items() if split}
            if own:
                splits = own | splits
                used.append(table.file.name)
        if not splits:
            splits = _numbered_splits(self.root, self.others, self.index)
            used = ["train_test_split.txt"] if splits else []
        if "train" not in splits.values():
            return {}, ""
        return splits, " and ".join(dict.fromkeys(used))

    def _why_nothing(self) -> str:
        """Tables that are there and can't be used; empty: there are none."""
        if not self.images:
            return ""
        why = why_refused(self.refused)
        foreign = [path for path in self.others if path.lower().endswith(_UNREADABLE_TABLES)]
        if not why and foreign:
            file = f"{listing(foreign, 2)} can't be read"
            why = f"{file}: save it as CSV with a column “file_name” and a column “label”."
        if not why:
            return ""
        count = len(self.images)
        lie = f"The {count:,} images in “{self.top.name}” are" if count > 1 else f"The image in “{self.top.name}” is"
        return f"{lie} not in a class folder, and no table names the classes. {why}"


def _is_of_masks(folder: str) -> bool:
    return any(part.lower() in MASK_FOLDERS for part in folder.split("/"))


_HOW_OTHERWISE = "If that is wrong, choose another way to read the folder."


def _likeliness(name: str) -> tuple[int, int, str]:
    stem = Path(name).stem.lower()
    return next((n for n, word in enumerate(_LIKELY) if word in stem), len(_LIKELY)), name.count("/"), name


def _too_contradictory(reading: Reading) -> Refused | None:
    """Nearly a table of several labels an image, one to a line."""
    twice = {path for labels in reading.labels for path, _, _ in labels.twice}
    if reading.images < _ENOUGH or len(twice) < _REFUSED_SHARE * reading.images:
        return None
    return Refused(
        reading.tables[0].file,
        f"“{reading.source}” lists {len(twice):,} of {reading.images:,} images under several classes. ftgui learns one class "
        "per image so far: leave one line for each.",
    )


def _names_nothing(name: str, table: Table) -> str:
    return f"“{table.file.name}” names none of the images in “{name}”, or gives them no class."


def _numbered_splits(root: Path, others: list[str], index: FileIndex) -> dict[str, str]:
    """CUB's ``images.txt`` (number, path) with ``train_test_split.txt`` (number, 1 for train)."""
    for path in others:
        if (
            path.rpartition("/")[2] != "train_test_split.txt"
            or path.replace("train_test_split", "images") not in others
        ):
            continue
        numbers: dict[str, str] = {}
        with suppress(OSError, ValueError):
            text = (root / path.replace("train_test_split", "images")).read_text(encoding="utf-8")
            numbers = {
                line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in text.splitlines() if " " in line
            }
            lines = [line.split() for line in (root / path).read_text(encoding="utf-8").splitlines()]
            pairs = [(index.find(numbers.get(line[0], "")), line[1]) for line in lines if len(line) == 2]
            return {found: "train" if sign == "1" else "test" for found, sign in pairs if found is not None}
    return {}


# --- which files may be tables --------------------------------------------------------------------------------------


def _table_files(top: Folder, base: Folder) -> list[str]:
    """Paths of files that may say classes or splits, judged by their first lines."""
    places = [top]
    while places[-1].relative != base.relative:
        inner = next((f for f in places[-1].folders if f"{base.relative}/".startswith(f"{f.relative}/")), None)
        if inner is None:
            break
        places.append(inner)
    for place in list(places):
        for folder in place.folders:
            if folder.name.lower() in _TABLE_FOLDERS:
                places += [folder, *(inner for inner in folder.folders if inner.name.lower() in _TABLE_FOLDERS)]
            elif split_name(folder.name).split or (len(place.folders) == 1 and folder.images):
                places.append(folder)
    found: list[str] = []
    for place in dict.fromkeys(places):
        files = [entry for entry in place.files if _ends_like_table(entry.name)]
        if len(files) <= _MOST_TABLES:
            prefix = f"{place.relative}/" if place.relative else ""
            found += [prefix + entry.name for entry in files if may_be_table(Path(entry.path))]
    return found


def _ends_like_table(name: str) -> bool:
    return Path(name).suffix.lower() in TABLE_EXTENSIONS


def may_be_table(file: Path) -> bool:
    """Whether the first lines of a file could name images: one is called by its ending, or there are several columns."""
    if not _ends_like_table(file.name):
        return False
    try:
        if not file.is_file() or file.stat().st_size > MOST_TABLE_BYTES:
            return False
        rows = rows_of(file, is_image_name)
        for row in itertools.islice(rows, 50):
            cells = [str(value) for value in row.values()]
            if any(is_image_name(cell) for cell in cells):
                return True
            if file.suffix.lower() != ".txt" and len(cells) > 1:
                return True
            if file.suffix.lower() == ".txt" and _may_list(cells):
                return True
    except OSError:
        return False
    except TableError:
        return file.suffix.lower() != ".txt"  # it is said what is wrong with it
    return False


_LISTED: Callable[[str], object] = re.compile(r"[^\s]*[/_\d][^\s]*").fullmatch


def _may_list(cells: list[str]) -> bool:
    """A line of a list without endings: ``apple_pie/1005649``, ``Abyssinian_100 1 1 1``; not one of prose."""
    return bool(cells) and bool(_LISTED(cells[0])) and len(cells) <= 6 and all(cell.isdigit() for cell in cells[1:])
