"""The catalog as it is read, by whoever only looks: images, classes, figures, samples for training."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec

from ftgui.data.catalog.class_problems import class_problems
from ftgui.data.catalog.errors import CatalogDamaged, CatalogError
from ftgui.data.catalog.problem_groups import looks, problem_groups
from ftgui.data.catalog.problem_kinds import KINDS
from ftgui.data.catalog.query import Finder, Query
from ftgui.data.catalog.records import Contents, Hashed, ImageDetail, ImageRow, Sample
from ftgui.data.catalog.schema import DEEP, open_database
from ftgui.data.catalog.split import Splitting
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.intensity_survey import IntensitySurvey
from ftgui.data.metrics import Answers, answers_from
from ftgui.protocol.problem import Problem


class CatalogReader:
    """An open catalog, for looking only. Use one per thread and close it.

    Args:
        path: of the file.
        any_thread: its owner sees to it that only one thread at a time uses it.
        patience: seconds to wait for others who write; then `sqlite3.OperationalError`, and nothing was done.

    Raises:
        CatalogError: the file is missing, of another version or not a catalog.
    """

    read_only: ClassVar[bool] = True

    def __init__(self, path: Path, any_thread: bool = False, patience: float = 30.0) -> None:
        self.path = path
        self.patience = patience
        """Seconds it waits for others who write."""
        self._db = open_database(path, self.read_only, any_thread, patience)
        self._finder = Finder(self._db)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kept(self, key: str) -> str | None:
        """A value kept under a name beside the images, as text; None: none is."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    @staticmethod
    def _decode(kept: str, kind: Any) -> Any:
        """What `kept` gave, of a type that msgspec knows.

        Raises:
            CatalogDamaged: it is something else.
        """
        try:
            return msgspec.convert(json.loads(kept), kind)  # Python's: it may hold a NaN, from a recipe
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            raise CatalogDamaged(f"what it keeps of the dataset can't be understood ({error})") from error

    @property
    def has_dataset(self) -> bool:
        """A dataset was opened in this project, so that there is a `root`."""
        return self.kept("root") is not None

    @property
    def root(self) -> Path:
        """The dataset folder that paths are relative to; images added from elsewhere have absolute ones."""
        root = self.kept("root")
        if root is None:
            raise CatalogError("The catalog is empty: no dataset was opened in this project.")
        if "\0" in root:
            raise CatalogDamaged("its folder has no name that a folder can have")
        return Path(root)

    @property
    def complete(self) -> bool:
        """Whether the last scan came to its end."""
        return self.kept("complete") != "0"

    @property
    def split_from_folders(self) -> bool:
        """Whether the folders' names gave the validation images."""
        return self.kept("split_from_folders") == "1"

    @property
    def splitting(self) -> Splitting:
        """How the images were split."""
        stored = self.kept("split")
        return self._decode(stored, tuple[Splitting, list[str]])[0] if stored else Splitting()

    @property
    def evaluated_by(self) -> str:
        """Name of the folder of the run whose model said what the images are; empty: nobody knows."""
        return self.kept("judged_by") or ""

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
        problems = class_problems(counts, self.complete, looks(self._db))
        if why := self.splitting.why_not():
            problems.insert(0, Problem("error", "split", why, fix=KINDS["split"].fix, field="dataset"))
        problem_counts = self._decode(self.kept("problem_counts") or "{}", dict[str, int])
        excluded = self._db.execute("SELECT count(*) FROM images WHERE excluded").fetchone()[0]
        return Contents(
            self.root,
            sorted(name for name, splits in counts.items() if splits["train"]),
            counts,
            problems,
            problem_groups(self._db, problems, problem_counts),
            self.split_from_folders,
            self.splitting,
            excluded,
            self.complete,
            self.evaluated_by,
            self.intensity_survey(),
            self.example(),
        )

    def content_identity(self) -> str:
        """Another one when files came, went or changed."""
        count, size, time = self._db.execute("SELECT count(*), total(size), total(mtime) FROM images").fetchone()
        return f"{count} {size:.0f} {time:.3f}"

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

    def some_of(self, class_name: str, count: int) -> list[str]:
        """Paths of so many usable images of a class."""
        rows = self._db.execute("SELECT path FROM images WHERE class_name = ? AND usable LIMIT ?", (class_name, count))
        return [path for (path,) in rows]

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
            AND (:all OR split IN (SELECT value FROM json_each(:splits))) ORDER BY path""",
            {"splits": json.dumps(list(splits)), "all": not splits},
        )
        return rows.fetchall()

    def answers(self, split: str = "") -> Answers:
        """What the model said of the images that can be used; of one split, or all."""
        where = "usable AND (:split = '' OR split = :split)"
        said = self._db.execute(
            f"SELECT class_name, prediction, confidence FROM images WHERE {where} AND prediction IS NOT NULL",
            {"split": split},
        ).fetchall()
        count = self._db.execute(
            f"SELECT count(*) FROM images WHERE {where} AND prediction IS NULL", {"split": split}
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

    def deep_candidates(self) -> list[tuple[str, str | None]]:
        """Path and mode of images that have more than 8 bits a channel, or, not decoded yet (mode None), may have."""
        rows = self._db.execute(f"SELECT path, mode FROM images WHERE mode IS NULL OR {DEEP} ORDER BY path")
        return rows.fetchall()

    def intensity_survey(self) -> IntensitySurvey | None:
        """What was seen of them."""
        kept = self.kept("intensity")
        return None if kept is None else self._decode(kept, IntensitySurvey | None)

    @property
    def read_with(self) -> IntensityRange | None:
        """The intensity range with which images were checked."""
        kept = self.kept("read_with")
        return None if kept is None else self._decode(kept, IntensityRange | None)
