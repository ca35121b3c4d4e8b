"""The catalog: one SQLite row per image of a dataset. The only truth about what is in it.

The window writes it, the engine reads it in its own process (write-ahead logging lets both at once).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ftgui.data import split as splitting
from ftgui.data.scan import Found, summary
from ftgui.protocol.problem import Problem, Severity

CATALOG_VERSION = 1
MIN_IMAGES_PER_CLASS = 10
"""Fewer training images in a class are warned about."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    class_name TEXT NOT NULL,
    split TEXT NOT NULL CHECK (split IN ('train', 'val', 'test')),
    size INTEGER NOT NULL,
    mtime REAL NOT NULL,
    width INTEGER,
    height INTEGER,
    mode TEXT,
    problem TEXT,
    excluded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX images_by_class ON images (class_name, split);
CREATE TABLE problems (
    severity TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, path TEXT NOT NULL, fix TEXT NOT NULL
) STRICT;
"""


class CatalogError(Exception):
    """The catalog file can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image as the window lists it."""

    id: int
    path: str
    class_name: str
    split: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One image as training uses it."""

    path: Path
    class_name: str
    target: int
    """Index into the class names."""
    split: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What decoding an image showed."""

    path: str
    width: int | None
    height: int | None
    mode: str | None
    problem: str | None
    """None: it decodes."""


@dataclass(frozen=True)
class Contents:
    """What a catalog holds, in figures: read once after every change, not with every repaint."""

    root: Path
    class_names: list[str]
    """Classes that can be learned."""
    counts: dict[str, Counter[str]]
    """class name -> split -> usable images, also for classes that can't be learned."""
    problems: list[Problem]
    split_from_folders: bool

    @property
    def summary(self) -> str:
        """E.g. ``"2 classes, 397 images"``."""
        return summary(len(self.counts), sum(splits.total() for splits in self.counts.values()))


class Catalog:
    """An open catalog. Use one per thread and close it.

    Raises:
        CatalogError: the file is of another version or not a catalog.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        uri = f"{path.resolve().as_uri()}{'?mode=ro' if read_only else ''}"
        try:
            self._db = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not read_only:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {CATALOG_VERSION}; COMMIT;")
            elif version != CATALOG_VERSION:
                raise CatalogError(f"The catalog has version {version}; this ftgui reads version {CATALOG_VERSION}.")
        except sqlite3.Error as error:
            raise CatalogError(f"The catalog {path} can't be opened: {error}") from error

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- writing ----------------------------------------------------------------------------------------------------

    def replace(self, found: Found, val_fraction: float, seed: int) -> None:
        """Make the catalog say what a scan found, in one transaction.

        Images whose size and time are unchanged keep what is known about them. Images without a split from their
        folders get a seeded stratified one; a dataset with split folders but no ``val`` takes it out of ``train``.
        """
        has_val = any(image.split == "val" for image in found.images)
        pool = [image for image in found.images if not image.split or (image.split == "train" and not has_val)]
        split_of = splitting.stratified(((i.path, i.class_name) for i in pool), val_fraction, seed)
        with self._transaction() as db:
            db.execute("CREATE TEMP TABLE present (path TEXT PRIMARY KEY)")
            db.executemany("INSERT INTO present VALUES (?)", ((image.path,) for image in found.images))
            db.execute("DELETE FROM images WHERE path NOT IN (SELECT path FROM present)")
            db.execute("DROP TABLE present")
            db.executemany(
                """INSERT INTO images (path, class_name, split, size, mtime) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (path) DO UPDATE SET class_name = ?2, split = ?3, size = ?4, mtime = ?5,
                    width = iif(size = ?4 AND mtime = ?5, width, NULL),
                    height = iif(size = ?4 AND mtime = ?5, height, NULL),
                    mode = iif(size = ?4 AND mtime = ?5, mode, NULL),
                    problem = iif(size = ?4 AND mtime = ?5, problem, NULL)""",
                (
                    (image.path, image.class_name, split_of.get(image.path, image.split), image.size, image.mtime)
                    for image in found.images
                ),
            )
            db.execute("DELETE FROM problems")
            db.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?, ?)",
                ((p.severity, p.kind, p.message, p.path, p.fix) for p in found.problems),
            )
            settings = {"root": str(found.root), "split_from_folders": str(int(found.split_folders and has_val))}
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", settings.items())

    def record_checked(self, checked: Iterable[Checked]) -> None:
        """Store what decoding showed."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE images SET width = ?, height = ?, mode = ?, problem = ? WHERE path = ?",
                ((c.width, c.height, c.mode, c.problem, c.path) for c in checked),
            )

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def root(self) -> Path:
        """The dataset folder that paths are relative to."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'root'").fetchone()
        if row is None:
            raise CatalogError("The catalog is empty: no dataset was opened in this project.")
        return Path(row[0])

    @property
    def split_from_folders(self) -> bool:
        """Whether the folders' names gave the validation images."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'split_from_folders'").fetchone()
        return row is not None and row[0] == "1"

    def class_names(self) -> list[str]:
        """Classes with a usable training image, sorted: what the model's outputs mean."""
        rows = self._db.execute(
            "SELECT DISTINCT class_name FROM images WHERE split = 'train' AND problem IS NULL AND NOT excluded"
        )
        return sorted(row[0] for row in rows)

    def counts(self) -> dict[str, Counter[str]]:
        """class name -> split -> images that can be used."""
        counts: dict[str, Counter[str]] = {}
        rows = self._db.execute(
            "SELECT class_name, split, sum(problem IS NULL AND NOT excluded) FROM images GROUP BY class_name, split"
        )
        for class_name, split, count in rows:
            counts.setdefault(class_name, Counter())[split] = count
        return dict(sorted(counts.items()))

    def contents(self) -> Contents:
        """Everything the window shows beside the images themselves."""
        return Contents(self.root, self.class_names(), self.counts(), self.problems(), self.split_from_folders)

    def images(self, class_name: str = "", text: str = "") -> list[ImageRow]:
        """All images, or those of a class and with a text in the path, in path order."""
        rows = self._db.execute(
            """SELECT id, path, class_name, split, problem FROM images
            WHERE (?1 = '' OR class_name = ?1) AND (?2 = '' OR instr(lower(path), lower(?2)))
            ORDER BY path""",
            (class_name, text),
        )
        return [ImageRow(*row) for row in rows]

    def unchecked(self) -> list[str]:
        """Paths of images that nobody has tried to decode yet."""
        rows = self._db.execute("SELECT path FROM images WHERE width IS NULL AND problem IS NULL ORDER BY path")
        return [row[0] for row in rows]

    def samples(self) -> list[Sample]:
        """Every usable image of a class that can be learned, ordered by path."""
        root = self.root
        target = {name: index for index, name in enumerate(self.class_names())}
        rows = self._db.execute(
            "SELECT path, class_name, split FROM images WHERE problem IS NULL AND NOT excluded ORDER BY path"
        )
        return [Sample(root / path, name, target[name], split) for path, name, split in rows if name in target]

    def example(self) -> Path | None:
        """An image the model will not learn from, to watch it by: the first usable validation image."""
        row = self._db.execute(
            "SELECT path FROM images WHERE split = 'val' AND problem IS NULL AND NOT excluded ORDER BY path LIMIT 1"
        ).fetchone()
        return self.root / row[0] if row else None

    def problems(self) -> list[Problem]:
        """Everything that is wrong: from the scan, from decoding, and about the dataset as a whole."""
        found = self._dataset_problems()
        found += [
            Problem("error", "unreadable", message, path, "Replace the file; it is left out of training.")
            for path, message in self._db.execute(
                "SELECT path, problem FROM images WHERE problem IS NOT NULL ORDER BY path"
            )
        ]
        severity: Severity
        for severity, kind, message, path, fix in self._db.execute(
            "SELECT severity, kind, message, path, fix FROM problems ORDER BY path"
        ):
            found.append(Problem(severity, kind, message, path, fix))
        return found

    def _dataset_problems(self) -> list[Problem]:
        found: list[Problem] = []
        counts = self.counts()
        trainable = [name for name, splits in counts.items() if splits["train"]]
        if len(trainable) < 2:
            only = f" (“{trainable[0]}”)" if trainable else ""
            found.append(
                Problem(
                    "error",
                    "one-class",
                    f"There is {'only one class' if trainable else 'no class'} to learn{only}; telling things apart takes two.",
                    fix="Drop the folder above, the one that holds a folder for each class.",
                )
            )
        for name, splits in counts.items():
            usable = splits.total()
            if name not in trainable:
                where = " and ".join(split for split in splits if splits[split]) or "no split"
                message = (
                    f"Class “{name}” has images in {where} but none to train on; they are left out."
                    if usable
                    else f"Class “{name}” has no usable image; it is left out."
                )
                found.append(Problem("warning", "class-unknown", message, name, "Add training images of it."))
            elif usable == 1:
                found.append(
                    Problem(
                        "warning",
                        "class-too-small",
                        f"Class “{name}” has one image: it can be learned from but never checked.",
                        name,
                        f"Add images; {MIN_IMAGES_PER_CLASS} or more work far better.",
                    )
                )
            elif splits["train"] < MIN_IMAGES_PER_CLASS:
                found.append(
                    Problem(
                        "warning",
                        "class-too-small",
                        f"Class “{name}” has only {splits['train']} training image{'s' if splits['train'] > 1 else ''}.",
                        name,
                        f"Add images; {MIN_IMAGES_PER_CLASS} or more work far better.",
                    )
                )
        return found
