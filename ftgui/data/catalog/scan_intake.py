"""How what a scan finds comes into the catalog: a rescan keeps all that is known or was decided about the images."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.schema import INDEX_BY_CLASS
from ftgui.data.catalog.split import Splitting
from ftgui.data.catalog.split_assignment import assign_splits
from ftgui.data.scanning.found import Found, FoundImage


class ScanIntake:
    """Takes in one scan. From the first images until `finish` the catalog counts as incomplete.

    Args:
        catalog: that the images come into.
        root: the dataset folder that their paths are relative to.
    """

    def __init__(self, catalog: Catalog, root: Path) -> None:
        self._catalog = catalog
        self._root = root
        self._begun = False
        self._all_new = False
        """This scan is the catalog's first."""

    def _begin(self) -> None:
        with self._catalog.transaction() as db:
            self._all_new = db.execute("SELECT NOT EXISTS (SELECT 1 FROM images)").fetchone()[0] == 1
            if self._all_new:
                db.execute("DROP INDEX IF EXISTS images_by_class")  # made at the end, in a tenth of the time
            db.execute("CREATE TEMP TABLE IF NOT EXISTS present (path TEXT PRIMARY KEY) WITHOUT ROWID")
            db.execute("DELETE FROM present")
            self._catalog.keep("root", str(self._root))
            self._catalog.keep("complete", "0")
        self._begun = True

    def take(self, images: Sequence[FoundImage]) -> None:
        """Images that a scan found. What is known about those that did not change stays."""
        if not self._begun:
            self._begin()
        # One statement for all: executemany lets go of the interpreter for every row, and waits for it again.
        batch = json.dumps(images)
        with self._catalog.transaction() as db:
            if not self._all_new:
                db.execute("INSERT OR IGNORE INTO present SELECT value->>0 FROM json_each(?)", (batch,))
            db.execute(
                """INSERT INTO images (path, found_class, class_name, found_split, split, size, mtime)
                SELECT value->>0, value->>1, coalesce((SELECT class_name FROM renamed WHERE found = value->>1), value->>1),
                    value->>2, '', value->>3, value->>4 FROM json_each(?) WHERE true
                ON CONFLICT (path) DO UPDATE SET
                    class_name = iif(found_class = excluded.found_class, class_name, excluded.class_name),
                    found_class = excluded.found_class,
                    split = iif(found_split = excluded.found_split OR pinned, split, ''),
                    found_split = excluded.found_split, size = excluded.size, mtime = excluded.mtime
                WHERE size != excluded.size OR mtime != excluded.mtime OR found_class != excluded.found_class
                    OR found_split != excluded.found_split""",
                (batch,),
            )

    def finish(self, found: Found, splitting: Splitting) -> None:
        """All images were taken, at least one: forget what vanished, store the problems, split what has no split yet."""
        with self._catalog.transaction() as db:
            if not self._all_new:
                _forget_vanished(db, found)
                _look_at_added(db, found.root)
            db.execute("DELETE FROM problems")
            db.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?, ?)",
                ((p.severity, p.kind, p.message, p.path, p.fix) for p in found.problems),
            )
            self._catalog.keep("problem_counts", json.dumps(found.problem_counts))
            self._catalog.keep("complete", "1")
        with self._catalog.transaction() as db:
            assign_splits(self._catalog, db, splitting)
            db.execute(INDEX_BY_CLASS)


def _forget_vanished(db: sqlite3.Connection, found: Found) -> None:
    """Not what could not be looked at this time, nor what was added by hand from elsewhere."""
    if "" in found.not_seen:
        return
    absent = db.execute(
        "SELECT id, path FROM images WHERE path NOT IN (SELECT path FROM present) AND found_class != ''"
    ).fetchall()
    gone = [(id_,) for id_, path in absent if found.not_seen.isdisjoint(_itself_and_folders(path))]
    db.executemany("DELETE FROM images WHERE id = ?", gone)


def _look_at_added(db: sqlite3.Connection, root: Path) -> None:
    """Images from elsewhere are in no folder that is scanned: have they changed, or gone?"""
    for id_, path in db.execute("SELECT id, path FROM images WHERE found_class = ''").fetchall():
        try:
            status = (root / path).stat()
        except OSError:  # decoding says why
            db.execute("UPDATE images SET digest = NULL WHERE id = ?", (id_,))
        else:
            values = (status.st_size, status.st_mtime, id_)
            db.execute("UPDATE images SET size = ?, mtime = ? WHERE id = ?", values)


def _itself_and_folders(path: str) -> Iterator[str]:
    """``a/b/c.jpg`` -> itself, ``a/b``, ``a``."""
    while path:
        yield path
        path = path.rpartition("/")[0]
