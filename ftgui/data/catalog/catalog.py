"""The catalog: one SQLite row per image of a dataset. The only truth about what is in it.

The window writes it, the engine reads it in its own process (write-ahead logging lets both at once). What a scan finds, what
decoding shows and what the person decides are kept apart: a rescan never undoes an edit. Scans come in through `scan_intake`,
what the person changes through `edits`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import msgspec

from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Checked, ImageAnswer
from ftgui.data.catalog.schema import DEEP
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.intensity_survey import IntensitySurvey


class Catalog(CatalogReader):
    """An open catalog that may be written too; its file is made when missing. Use one per thread and close it.

    Args:
        path: of the file.
        any_thread: its owner sees to it that only one thread at a time uses it.
        patience: seconds to wait for others who write; then `sqlite3.OperationalError`, and nothing was done.

    Raises:
        CatalogError: the file is of another version or not a catalog.
    """

    read_only: ClassVar[bool] = False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and nobody else writes meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            # A commit that fails leaves the transaction open, and nothing could be written any more; a full disk may have
            # ended it already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def keep(self, key: str, value: str) -> None:
        """Keep a value beside the images, for `kept`; as part of a transaction that goes on."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def move_to(self, root: Path) -> None:
        """The same images lie in another folder now."""
        with self.transaction():
            self.keep("root", str(root))

    def record_checked(self, checked: Iterable[Checked]) -> None:
        """Store what decoding showed."""
        with self.transaction() as db:
            for c in checked:
                row = db.execute(
                    """UPDATE images SET width = ?, height = ?, mode = ?, format = ?, orientation = ?, digest = ?,
                    dhash = ?, brightness = ?, problem = ? WHERE path = ? AND size = ? AND mtime = ? RETURNING id""",
                    (
                        *(c.width, c.height, c.mode, c.format, c.orientation, c.digest, c.dhash, c.brightness),
                        *(c.problem, c.path, c.size, c.mtime),
                    ),
                ).fetchone()
                if row is not None:
                    db.execute("DELETE FROM findings WHERE image = ?", row)
                    db.executemany(
                        "INSERT INTO findings (image, kind, detail) VALUES (?, ?, ?)", [(*row, *f) for f in c.findings]
                    )

    def replace_findings(self, kinds: Sequence[str], found: Iterable[tuple[int, str, str, int | None]]) -> None:
        """What comparing images with each other showed: image, kind, what exactly, the other image."""
        with self.transaction() as db:
            db.execute("DELETE FROM findings WHERE kind IN (SELECT value FROM json_each(?))", (json.dumps(kinds),))
            db.executemany(
                """INSERT OR IGNORE INTO findings (image, kind, detail, other)
                SELECT :image, :kind, :detail, :other WHERE EXISTS (SELECT 1 FROM images WHERE id = :image)""",
                (dict(zip(("image", "kind", "detail", "other"), finding, strict=True)) for finding in found),
            )

    def forget_answers(self, by: str = "") -> None:
        """What a model said of the images no longer counts; what comes next is said by that run's."""
        with self.transaction() as db:
            db.execute(
                """UPDATE images SET prediction = NULL, confidence = NULL, loss = NULL, judged_class = NULL
                WHERE prediction IS NOT NULL"""
            )
            self.keep("judged_by", by)

    def record_answers(self, said: Iterable[ImageAnswer]) -> None:
        """What a model says: path, class, its probability, and how much the label surprises it."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE images SET prediction = ?, confidence = ?, loss = ?, judged_class = class_name WHERE path = ?",
                ((prediction, confidence, loss, path) for path, prediction, confidence, loss in said),
            )

    def keep_intensity_survey(self, seen: IntensitySurvey | None) -> None:
        """For `intensity_survey`."""
        with self.transaction():
            self.keep("intensity", msgspec.json.encode(seen).decode())

    def read_from_now_with(self, intensity: IntensityRange | None) -> None:
        """What was seen of images with more than 8 bits in another range no longer counts: `unchecked` names them again."""
        if intensity != self.read_with:
            with self.transaction() as db:
                db.execute(f"UPDATE images SET digest = NULL, dhash = NULL, brightness = NULL WHERE {DEEP}")
                self.keep("read_with", msgspec.json.encode(intensity).decode())
