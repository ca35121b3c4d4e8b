"""Which images to show, and in which order: answered within a frame or two, for a million rows too."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

LIKELY_WRONG = "likely-wrong"
SUSPECT = "usable AND loss >= 2 AND judged_class = class_name AND prediction != class_name"
"""The label has a probability of less than 0.14 to the model, which says something else."""


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions hold together; an empty one asks for nothing."""

    class_name: str = ""
    split: str = ""
    kind: str = ""
    """Of problem, as in `ftgui.data.catalog.problem_kinds.KINDS`."""
    excluded: bool | None = None
    usable: bool = False
    """Only images that can be read and are not excluded."""
    prediction: str = ""
    """What the model says they are."""
    surest: float = 1.0
    """Only images that the model is at most so sure of, 0 to 1; below 1, without those it was not asked about."""
    least_sure: float = 0.0
    """Only images that the model is surer of than that; above 0, likewise."""
    correct: bool | None = None
    """Whether the model says what the label says; images it was not asked about are neither."""
    text: str = ""
    """Part of the path, in upper or lower case."""
    order: str = "name"
    """One of `ORDERS`."""
    descending: bool = False


class Finder:
    """Answers queries on one connection, and keeps what it sorted until somebody changes the catalog.

    SQL finds the images and numpy puts them in order: SQLite would sort a fifth of a million rows for 6 s, walking an index
    of the one column and looking up each row for the other (measured).

    Args:
        db: of the catalog; used on one thread at a time.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._version: tuple[int, int] | None = None
        self._sorted: dict[str, Ids] = {}

    def find(self, query: Query) -> array[int]:
        """Ids of the images that a query asks for, in its order."""
        version = (self._db.execute("PRAGMA data_version").fetchone()[0], self._db.total_changes)
        if version != self._version:
            self._version = version
            self._sorted.clear()
        found = self._matching(query)
        if query.order not in self._sorted:
            self._sorted[query.order] = _SORTS[query.order](self._db)
        ids = self._sorted[query.order]
        if found is not None:
            ids = ids[np.isin(ids, found, kind="table" if len(found) > 1000 else None)]
        result = array("q")
        result.frombytes((ids[::-1] if query.descending else ids).tobytes())
        return result

    def _matching(self, query: Query) -> Ids | None:
        """In any order; None: all."""
        conditions = [
            ("class_name = ?", query.class_name, query.class_name),
            ("split = ?", query.split, query.split),
            ("prediction = ?", query.prediction, query.prediction),
            ("confidence <= ?", query.surest < 1, query.surest),
            ("confidence > ?", query.least_sure > 0, query.least_sure),
            ("id IN (SELECT image FROM findings WHERE kind = ?)", query.kind not in ("", LIKELY_WRONG), query.kind),
            (f"{SUSPECT} AND ?", query.kind == LIKELY_WRONG, 1),
            ("(prediction = class_name) = ?", query.correct is not None, int(bool(query.correct))),
            ("usable = ?", query.usable, 1),
            ("excluded = ?", query.excluded is not None, int(bool(query.excluded))),
            ("instr(lower(path), lower(?))", query.text, query.text),
        ]
        used = [(sql, value) for sql, given, value in conditions if given]
        if not used:
            return None
        where = " AND ".join(sql for sql, _ in used)
        return _ids(self._db.execute(f"SELECT id FROM images WHERE {where}", [value for _, value in used]))


def _ids(rows: sqlite3.Cursor) -> Ids:
    return np.fromiter((row[0] for row in rows), np.int64)


def _by_name(db: sqlite3.Connection) -> Ids:
    return _ids(db.execute("SELECT id FROM images ORDER BY path"))  # the index of paths alone says it


def _by_class(db: sqlite3.Connection) -> Ids:
    """Within a class by name."""
    # Both from the index of classes alone: ids class by class, and how many each has.
    grouped = _ids(db.execute("SELECT id FROM images ORDER BY class_name"))
    sizes = [size for _, size in db.execute("SELECT class_name, count(*) FROM images GROUP BY 1 ORDER BY 1")]
    class_of = np.repeat(np.arange(len(sizes)), sizes)
    by_name = _by_name(db)
    order = np.argsort(grouped)
    return by_name[np.argsort(class_of[order][np.searchsorted(grouped[order], by_name)], kind="stable")]


def _by(column: str) -> Callable[[sqlite3.Connection], Ids]:
    def sort(db: sqlite3.Connection) -> Ids:
        pairs = np.fromiter(
            db.execute(f"SELECT id, coalesce({column}, -1) FROM images ORDER BY id"),
            np.dtype([("id", np.int64), ("value", np.float64)]),
        )
        ids: Ids = pairs["id"][np.argsort(pairs["value"], kind="stable")]
        return ids

    return sort


_SORTS: dict[str, Callable[[sqlite3.Connection], Ids]] = {
    "name": _by_name,
    "class": _by_class,
    "date": _by("mtime"),
    "file size": _by("size"),
    "dimensions": _by("width * height"),
    "brightness": _by("brightness"),
    "confidence": _by("confidence"),
    "loss": _by("iif(judged_class = class_name, loss, NULL)"),
}
ORDERS = tuple(_SORTS)
"""What the images can be sorted by."""
