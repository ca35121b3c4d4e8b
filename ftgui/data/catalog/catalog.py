"""The catalog: one SQLite row per image of a dataset. The only truth about what is in it.

The window writes it, the engine reads it in its own process (write-ahead logging lets both at once). What a scan finds, what
decoding shows and what the person decides are kept apart: a rescan never undoes an edit.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import msgspec

from ftgui.data.catalog import split as splitting
from ftgui.data.catalog.class_problems import Look, class_problems
from ftgui.data.catalog.errors import CatalogDamaged, CatalogError, as_catalog_error
from ftgui.data.catalog.problem_kinds import KINDS, ORDER, Group
from ftgui.data.catalog.query import LIKELY_WRONG, SUSPECT, Finder, Query
from ftgui.data.catalog.records import Checked, Contents, Hashed, ImageAnswer, ImageDetail, ImageRow, Sample
from ftgui.data.catalog.split import Splitting
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.intensity_survey import IntensitySurvey
from ftgui.data.metrics import Answers, answers_from
from ftgui.data.scanning.found import Found, FoundImage
from ftgui.protocol.problem import Problem

CATALOG_VERSION = 2
MOST_EXAMPLES = 200
"""Files listed under one kind of problem; the rest are counted."""

_DEEP = "(mode GLOB 'I*' OR mode = 'F' OR mode GLOB '*;16')"
"""Rows of images of more than 8 bits a channel."""
_INDEX = "CREATE INDEX IF NOT EXISTS images_by_class ON images (class_name, split, usable)"
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- or undo could meet another image under the id of one that is gone
    path TEXT NOT NULL UNIQUE,
    found_class TEXT NOT NULL,
    class_name TEXT NOT NULL,
    found_split TEXT NOT NULL,
    split TEXT NOT NULL CHECK (split IN ('', 'train', 'val', 'test')),
    pinned INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL,
    mtime REAL NOT NULL,
    width INTEGER,
    height INTEGER,
    mode TEXT,
    format TEXT,
    orientation INTEGER,
    digest BLOB,
    dhash INTEGER,
    brightness REAL,
    prediction TEXT,
    confidence REAL,
    loss REAL,
    judged_class TEXT,
    problem TEXT,
    excluded INTEGER NOT NULL DEFAULT 0,
    usable INTEGER NOT NULL GENERATED ALWAYS AS (problem IS NULL AND NOT excluded) STORED
) STRICT;
{_INDEX};
CREATE INDEX images_by_digest ON images (digest) WHERE digest IS NOT NULL;
CREATE TABLE renamed (found TEXT PRIMARY KEY, class_name TEXT NOT NULL) STRICT;
CREATE TABLE created (class_name TEXT PRIMARY KEY) STRICT;
CREATE TABLE findings (
    image INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    other INTEGER,
    PRIMARY KEY (image, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_by_kind ON findings (kind, image);
CREATE TABLE problems (
    severity TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, path TEXT NOT NULL, fix TEXT NOT NULL
) STRICT;
CREATE TRIGGER content_changed AFTER UPDATE OF size, mtime ON images
WHEN old.size != new.size OR old.mtime != new.mtime BEGIN
    UPDATE images SET width = NULL, height = NULL, mode = NULL, format = NULL, orientation = NULL, digest = NULL,
        dhash = NULL, brightness = NULL, prediction = NULL, confidence = NULL, loss = NULL,
        judged_class = NULL, problem = NULL WHERE id = new.id;
    DELETE FROM findings WHERE image = new.id;
END;
"""


def _itself_and_folders(path: str) -> Iterator[str]:
    """``a/b/c.jpg`` -> itself, ``a/b``, ``a``."""
    while path:
        yield path
        path = path.rpartition("/")[0]


class Catalog:
    """An open catalog. Use one per thread and close it.

    Args:
        path: of the file; made when missing.
        read_only: for whoever only looks.
        any_thread: its owner sees to it that only one thread at a time uses it.
        patience: seconds to wait for others who write; then `sqlite3.OperationalError`, and nothing was done.

    Raises:
        CatalogError: the file is of another version or not a catalog.
    """

    def __init__(self, path: Path, read_only: bool = False, any_thread: bool = False, patience: float = 30.0) -> None:
        self.path = path
        self._all_new = False
        """The scan that goes on is the first."""
        uri = f"{path.resolve().as_uri()}{'?mode=ro' if read_only else ''}"
        try:
            self._db = sqlite3.connect(
                uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=not any_thread
            )
        except sqlite3.Error as error:
            raise as_catalog_error(error) from error
        try:
            self._prepare(read_only)
        except BaseException as error:
            self._db.close()  # or the file could not be moved or deleted on Windows while the error is shown
            if isinstance(error, sqlite3.Error | UnicodeDecodeError):
                raise as_catalog_error(error) from error
            raise
        self._finder = Finder(self._db)

    def _prepare(self, read_only: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA cache_size = -32000")
        if version == 0 and not read_only:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {CATALOG_VERSION}; COMMIT;")
        elif version == 1 and not read_only:
            self._upgrade()
        elif version != CATALOG_VERSION:
            raise CatalogError(f"The catalog has version {version}; this ftgui reads version {CATALOG_VERSION}.")

    def only_look(self) -> None:
        """From now on nothing is written through this connection; who tries gets `sqlite3.OperationalError`."""
        self._db.execute("PRAGMA query_only = ON")

    def _upgrade(self) -> None:
        """Version 1 held nothing that a scan does not find again, except which split an image had."""
        self._db.executescript(
            f"""BEGIN;
            DROP INDEX IF EXISTS images_by_class;
            ALTER TABLE images RENAME TO old;
            ALTER TABLE meta RENAME TO old_meta;
            DROP TABLE problems;
            {_SCHEMA}
            INSERT INTO images (path, found_class, class_name, found_split, split, size, mtime, excluded)
                SELECT path, class_name, class_name, '', split, size, mtime, excluded FROM old;
            INSERT INTO meta SELECT * FROM old_meta;
            DROP TABLE old;
            DROP TABLE old_meta;
            PRAGMA user_version = {CATALOG_VERSION};
            COMMIT;"""
        )

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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

    # --- a scan -----------------------------------------------------------------------------------------------------

    def begin_scan(self, root: Path) -> None:
        """From now on `take` gets what is found; until `finish_scan` the catalog counts as incomplete."""
        with self.transaction() as db:
            self._all_new = db.execute("SELECT NOT EXISTS (SELECT 1 FROM images)").fetchone()[0] == 1
            if self._all_new:
                db.execute("DROP INDEX IF EXISTS images_by_class")  # made at the end, in a tenth of the time
            db.execute("CREATE TEMP TABLE IF NOT EXISTS present (path TEXT PRIMARY KEY) WITHOUT ROWID")
            db.execute("DELETE FROM present")
            self._set("root", str(root))
            self._set("complete", "0")

    def take(self, images: Sequence[FoundImage]) -> None:
        """Images that a scan found. What is known about those that did not change stays."""
        # One statement for all: executemany lets go of the interpreter for every row, and waits for it again.
        batch = json.dumps(images)
        with self.transaction() as db:
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

    def finish_scan(self, found: Found, splitting_: Splitting) -> None:
        """Forget what vanished, store the problems, split what has no split yet (see `split`)."""
        with self.transaction() as db:
            if not self._all_new:
                self._forget_vanished(found)
                self._look_at_added(found.root)
            db.execute("DELETE FROM problems")
            db.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?, ?)",
                ((p.severity, p.kind, p.message, p.path, p.fix) for p in found.problems),
            )
            self._set("problem_counts", json.dumps(found.problem_counts))
            self._set("complete", "1")
        self.split(splitting_)
        self._db.execute(_INDEX)

    def _forget_vanished(self, found: Found) -> None:
        """Not what could not be looked at this time, nor what was added by hand from elsewhere."""
        if "" in found.not_seen:
            return
        absent = self._db.execute(
            "SELECT id, path FROM images WHERE path NOT IN (SELECT path FROM present) AND found_class != ''"
        ).fetchall()
        gone = [(id_,) for id_, path in absent if found.not_seen.isdisjoint(_itself_and_folders(path))]
        self._db.executemany("DELETE FROM images WHERE id = ?", gone)

    def _look_at_added(self, root: Path) -> None:
        """Images from elsewhere are in no folder that is scanned: have they changed, or gone?"""
        for id_, path in self._db.execute("SELECT id, path FROM images WHERE found_class = ''").fetchall():
            try:
                status = (root / path).stat()
            except OSError:  # decoding says why
                self._db.execute("UPDATE images SET digest = NULL WHERE id = ?", (id_,))
            else:
                values = (status.st_size, status.st_mtime, id_)
                self._db.execute("UPDATE images SET size = ?, mtime = ? WHERE id = ?", values)

    def split(self, splitting_: Splitting) -> None:
        """Decide which images are for training, validation and test, where neither folders nor the person say.

        The same `Splitting` as before decides for new images only; another one for all. One by which nothing can be drawn (a
        pattern that is none) is a problem of the dataset, in `contents`, and never in the way of opening it: who is decided
        stays, all others are for training until it is put right.
        """
        with self.transaction():
            self.split_within(splitting_)

    def split_within(self, splitting_: Splitting) -> None:
        """As `split`, as part of a transaction that goes on."""
        db = self._db
        # Images of classes that nothing is learned of check nothing.
        has = {
            split
            for (split,) in db.execute(
                """SELECT DISTINCT found_split FROM images WHERE found_split = '' OR class_name IN
                (SELECT class_name FROM images WHERE found_split IN ('', 'train'))"""
            )
        }
        drawn = [split for split, share in splitting_.shares.items() if share and split not in has]
        # Where the folders name all splits, only images without one (added by hand, say) are drawn, among themselves.
        pool = ["", "train"] if drawn else [""]
        shares = {split: share for split, share in splitting_.shares.items() if split in drawn or not drawn}
        identity = json.dumps([asdict(splitting_), drawn])
        stored = self._get("split")
        usable = not splitting_.why_not()
        if usable and stored is not None and stored != identity:
            db.execute("UPDATE images SET split = '' WHERE NOT pinned")
        db.execute(
            "UPDATE images SET split = found_split WHERE split = '' AND found_split NOT IN (SELECT value FROM json_each(?))",
            (json.dumps(pool),),
        )
        if usable:
            self._assign(pool, splitting_, shares)
        db.execute("UPDATE images SET split = 'train' WHERE split = ''")
        self._set("split", identity)
        self._set("split_from_folders", str(int("val" in has)))

    def _assign(self, pool: list[str], splitting_: Splitting, shares: dict[str, float]) -> None:
        db = self._db
        rows = db.execute(
            "SELECT path, class_name, split, id FROM images WHERE found_split IN (SELECT value FROM json_each(?))",
            (json.dumps(pool),),
        ).fetchall()
        members = [splitting.Member(path, class_name, split) for path, class_name, split, _ in rows]
        if any(not member.split for member in members):
            outcome = splitting.assign(members, splitting_, shares)
            ids = {path: id_ for path, _, _, id_ in rows}
            held_out = [(split, ids[path]) for path, split in outcome.items() if split != "train"]
            db.executemany("UPDATE images SET split = ? WHERE id = ?", held_out)

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
                SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM images WHERE id = ?1)""",
                found,
            )

    def forget_answers(self, by: str = "") -> None:
        """What a model said of the images no longer counts; what comes next is said by that run's."""
        with self.transaction() as db:
            db.execute(
                """UPDATE images SET prediction = NULL, confidence = NULL, loss = NULL, judged_class = NULL
                WHERE prediction IS NOT NULL"""
            )
            self._set("judged_by", by)

    def record_answers(self, said: Iterable[ImageAnswer]) -> None:
        """What a model says: path, class, its probability, and how much the label surprises it."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE images SET prediction = ?2, confidence = ?3, loss = ?4, judged_class = class_name WHERE path = ?1",
                said,
            )

    # --- reading ----------------------------------------------------------------------------------------------------

    def _get(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    @staticmethod
    def _decode(kept: str, kind: Any) -> Any:
        """What `_get` gave, of a type that msgspec knows.

        Raises:
            CatalogDamaged: it is something else.
        """
        try:
            return msgspec.convert(json.loads(kept), kind)  # Python's: it may hold a NaN, from a recipe
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            raise CatalogDamaged(f"what it keeps of the dataset can't be understood ({error})") from error

    def _set(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @property
    def has_dataset(self) -> bool:
        """A dataset was opened in this project, so that there is a `root`."""
        return self._get("root") is not None

    @property
    def root(self) -> Path:
        """The dataset folder that paths are relative to; images added from elsewhere have absolute ones."""
        root = self._get("root")
        if root is None:
            raise CatalogError("The catalog is empty: no dataset was opened in this project.")
        if "\0" in root:
            raise CatalogDamaged("its folder has no name that a folder can have")
        return Path(root)

    @property
    def complete(self) -> bool:
        """Whether the last scan came to its end."""
        return self._get("complete") != "0"

    @property
    def split_from_folders(self) -> bool:
        """Whether the folders' names gave the validation images."""
        return self._get("split_from_folders") == "1"

    @property
    def splitting(self) -> Splitting:
        """How the images were split."""
        stored = self._get("split")
        return self._decode(stored, tuple[Splitting, list[str]])[0] if stored else Splitting()

    @property
    def evaluated_by(self) -> str:
        """Name of the folder of the run whose model said what the images are; empty: nobody knows."""
        return self._get("judged_by") or ""

    def class_names(self) -> list[str]:
        """Classes with a usable training image, sorted: what the model's outputs mean."""
        rows = self._db.execute("SELECT DISTINCT class_name FROM images WHERE split = 'train' AND usable")
        return sorted(row[0] for row in rows)

    def counts(self) -> dict[str, Counter[str]]:
        """class name -> split -> images that can be used."""
        counts: dict[str, Counter[str]] = {name: Counter() for (name,) in self._db.execute("SELECT * FROM created")}
        rows = self._db.execute("SELECT class_name, split, sum(usable) FROM images GROUP BY class_name, split")
        for class_name, split, count in rows:
            counts.setdefault(class_name, Counter())[split] = count
        return dict(sorted(counts.items()))

    def contents(self) -> Contents:
        """Everything the window shows beside the images themselves."""
        counts = self.counts()
        problems = class_problems(counts, self.complete, self._looks())
        if why := self.splitting.why_not():
            problems.insert(0, Problem("error", "split", why, fix=KINDS["split"].fix, field="dataset"))
        excluded = self._db.execute("SELECT count(*) FROM images WHERE excluded").fetchone()[0]
        return Contents(
            self.root,
            sorted(name for name, splits in counts.items() if splits["train"]),
            counts,
            problems,
            self._groups(problems),
            self.split_from_folders,
            self.splitting,
            excluded,
            self.complete,
            self.evaluated_by,
            self.intensity_survey(),
        )

    def find(self, query: Query) -> array[int]:
        """Ids of the images that a query asks for, in its order."""
        return self._finder.find(query)

    def rows(self, ids: Sequence[int]) -> list[ImageRow]:
        """These images, in this order; without those that are gone."""
        rows = self._db.execute(
            """SELECT id, path, class_name, split, excluded, problem, prediction, mtime FROM images
            WHERE id IN (SELECT value FROM json_each(?))""",
            (json.dumps(list(ids)),),
        )
        known = {row[0]: ImageRow(row[0], row[1], row[2], row[3], bool(row[4]), *row[5:]) for row in rows}
        return [known[id_] for id_ in ids if id_ in known]

    def found_images(self) -> int:
        """How many images a scan has found, usable or not; those added by hand from elsewhere are not among them."""
        return int(self._db.execute("SELECT count(*) FROM images WHERE found_class != ''").fetchone()[0])

    def sample_files(self, count: int) -> list[tuple[str, int, bytes | None]]:
        """Path, size and digest of so many images that a scan has found, from all parts of the dataset."""
        step = max(1, self.found_images() // count)
        rows = self._db.execute(
            """SELECT path, size, digest FROM (SELECT row_number() OVER (ORDER BY path) AS place, path, size, digest
            FROM images WHERE found_class != '') WHERE (place - 1) % ? = 0 LIMIT ?""",
            (step, count),
        )
        return rows.fetchall()

    def move_to(self, root: Path) -> None:
        """The same images lie in another folder now."""
        with self.transaction():
            self._set("root", str(root))

    def id_of(self, path: str) -> int | None:
        """The image with this path."""
        row = self._db.execute("SELECT id FROM images WHERE path = ?", (path,)).fetchone()
        return None if row is None else int(row[0])

    def copies(self, kind: str) -> array[int]:
        """Images of a kind of likeness that are not the first of their like: leaving them out leaves one of each."""
        rows = self._db.execute(
            """SELECT image FROM findings JOIN images ON id = image WHERE kind = ? AND usable AND other < image
            AND other IN (SELECT id FROM images WHERE usable) ORDER BY image""",
            (kind,),
        )
        return array("q", (row[0] for row in rows))

    def detail(self, id_: int) -> ImageDetail | None:
        """All that is known about one image."""
        row = self._db.execute(
            """SELECT found_class, pinned, size, width, height, mode, format, orientation, digest, brightness,
            confidence, iif(judged_class = class_name, loss, NULL) FROM images WHERE id = ?""",
            (id_,),
        ).fetchone()
        if row is None:
            return None
        found = self._db.execute(
            """SELECT kind, detail, o.path FROM findings LEFT JOIN images o ON o.id = other WHERE image = ?""", (id_,)
        )
        names = (field.name for field in fields(ImageDetail) if field.name not in ("row", "findings"))
        figures: dict[str, Any] = dict(zip(names, row, strict=True))
        return ImageDetail(row=self.rows([id_])[0], findings=tuple(found), **figures | {"pinned": bool(row[1])})

    def entries(self) -> Iterator[tuple[str, str, str]]:
        """Path, class and split of every image, usable or not."""
        return iter(self._db.execute("SELECT path, class_name, split FROM images"))

    def unchecked(self) -> list[tuple[str, int, float]]:
        """Path, size and time of images that nobody has tried to decode yet, or that may be readable by now."""
        rows = self._db.execute(
            """SELECT path, size, mtime FROM images WHERE digest IS NULL AND (problem IS NULL OR id IN
            (SELECT image FROM findings
            WHERE kind IN ('missing', 'no-access', 'io-error', 'too-large', 'needs-extra'))) ORDER BY id"""
        )
        return rows.fetchall()

    # --- images of more than 8 bits -----------------------------------------------------------------------------------

    def content_identity(self) -> str:
        """Another one when files came, went or changed."""
        count, size, time = self._db.execute("SELECT count(*), total(size), total(mtime) FROM images").fetchone()
        return f"{count} {size:.0f} {time:.3f}"

    def deep_candidates(self) -> list[tuple[str, str | None]]:
        """Path and mode of images that have more than 8 bits a channel, or, not decoded yet (mode None), may have."""
        rows = self._db.execute(f"SELECT path, mode FROM images WHERE mode IS NULL OR {_DEEP} ORDER BY path")
        return rows.fetchall()

    def intensity_survey(self) -> IntensitySurvey | None:
        """What was seen of them."""
        kept = self._get("intensity")
        return None if kept is None else self._decode(kept, IntensitySurvey | None)

    def keep_intensity_survey(self, seen: IntensitySurvey | None) -> None:
        """For `intensity_survey`."""
        with self.transaction():
            self._set("intensity", msgspec.json.encode(seen).decode())

    @property
    def read_with(self) -> IntensityRange | None:
        """The intensity range with which images were checked."""
        kept = self._get("read_with")
        return None if kept is None else self._decode(kept, IntensityRange | None)

    def read_from_now_with(self, intensity: IntensityRange | None) -> None:
        """What was seen of images with more than 8 bits in another range no longer counts: `unchecked` names them again."""
        if intensity != self.read_with:
            with self.transaction() as db:
                db.execute(f"UPDATE images SET digest = NULL, dhash = NULL, brightness = NULL WHERE {_DEEP}")
                self._set("read_with", msgspec.json.encode(intensity).decode())

    def hashes(self) -> list[Hashed]:
        """Id, class, split, digest, difference hash and path of every usable image that was decoded."""
        rows = self._db.execute(
            "SELECT id, class_name, split, digest, dhash, path FROM images WHERE usable AND dhash IS NOT NULL ORDER BY id"
        )
        return rows.fetchall()

    def usable(self, splits: Sequence[str] = ()) -> list[tuple[str, str, str]]:
        """Path, class and split of every image that can be used, ordered by path; of these splits only, if any are given."""
        rows = self._db.execute(
            """SELECT path, class_name, split FROM images WHERE usable
            AND (?2 = 0 OR split IN (SELECT value FROM json_each(?1))) ORDER BY path""",
            (json.dumps(list(splits)), len(splits)),
        )
        return rows.fetchall()

    def answers(self, split: str = "") -> Answers:
        """What the model said of the images that can be used; of one split, or all."""
        where = "usable AND (?1 = '' OR split = ?1)"
        said = self._db.execute(
            f"SELECT class_name, prediction, confidence FROM images WHERE {where} AND prediction IS NOT NULL", (split,)
        ).fetchall()
        count = self._db.execute(
            f"SELECT count(*) FROM images WHERE {where} AND prediction IS NULL", (split,)
        ).fetchone()[0]
        return answers_from(said, count)

    def samples(self) -> list[Sample]:
        """Every usable image of a class that can be learned, ordered by path."""
        root = self.root
        target = {name: index for index, name in enumerate(self.class_names())}
        rows = self._db.execute("SELECT path, class_name, split FROM images WHERE usable AND split != '' ORDER BY path")
        return [Sample(root / path, name, target[name], split) for path, name, split in rows if name in target]

    def example(self) -> Path | None:
        """An image the model will not learn from, to watch it by: the first usable validation image."""
        row = self._db.execute(
            "SELECT path FROM images WHERE split = 'val' AND usable ORDER BY path LIMIT 1"
        ).fetchone()
        return self.root / row[0] if row else None

    # --- problems ---------------------------------------------------------------------------------------------------

    def _groups(self, about_all: list[Problem]) -> list[Group]:
        """Every problem by kind, worst first."""
        by_kind: dict[str, list[Problem]] = {}
        for problem in about_all:
            by_kind.setdefault(problem.kind, []).append(problem)
        groups = [Group(kind, len(found), tuple(found[:MOST_EXAMPLES]), False) for kind, found in by_kind.items()]
        counts = self._decode(self._get("problem_counts") or "{}", dict[str, int])
        for kind, count in counts.items():
            if kind not in KINDS:
                raise CatalogDamaged(f"it has a problem of an unknown kind, “{kind}”")
            rows = self._db.execute(
                "SELECT severity, kind, message, path, fix FROM problems WHERE kind = ? ORDER BY path LIMIT ?",
                (kind, MOST_EXAMPLES),
            )
            groups.append(Group(kind, count, tuple(Problem(*row) for row in rows), False))
        for kind, count in self._db.execute("SELECT kind, count(*) FROM findings GROUP BY kind").fetchall():
            if kind not in KINDS:
                raise CatalogDamaged(f"it has a finding of an unknown kind, “{kind}”")
            groups.append(Group(kind, count, tuple(self._examples(kind)), True))
        suspects = self._suspects()
        if suspects:
            count = self._db.execute(f"SELECT count(*) FROM images WHERE {SUSPECT}").fetchone()[0]
            groups.append(Group(LIKELY_WRONG, count, tuple(suspects), True))
        return sorted(groups, key=lambda group: ORDER[group.kind])

    def _examples(self, kind: str) -> list[Problem]:
        rows = self._db.execute(
            """SELECT i.path, f.detail FROM findings f JOIN images i ON i.id = f.image
            WHERE f.kind = ? ORDER BY f.image LIMIT ?""",
            (kind, MOST_EXAMPLES),
        )
        return [Problem(KINDS[kind].severity, kind, detail, path, KINDS[kind].fix) for path, detail in rows]

    def _suspects(self) -> list[Problem]:
        """Images whose label the model contradicts with confidence, worst first."""
        rows = self._db.execute(
            f"SELECT path, class_name, prediction, confidence FROM images WHERE {SUSPECT} ORDER BY loss DESC LIMIT ?",
            (MOST_EXAMPLES,),
        )
        kind = KINDS[LIKELY_WRONG]
        return [
            Problem(
                kind.severity, LIKELY_WRONG, f"Labelled “{name}”; the model says “{said}”, {sure:.0%}.", path, kind.fix
            )
            for path, name, said, sure in rows
        ]

    def _looks(self) -> dict[str, Look]:
        rows = self._db.execute(
            """SELECT class_name, count(*), avg(brightness), avg(brightness * brightness), avg(min(width, height))
            FROM images WHERE usable AND brightness IS NOT NULL GROUP BY class_name"""
        )
        return {name: Look(*figures) for name, *figures in rows}
