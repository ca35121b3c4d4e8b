"""What the person changes about images: class, split, exclusion, names of classes. Each edit is one transaction.

An edit returns what it replaced, and putting that back returns what *it* replaced: undo and redo are the same thing.
Nothing here touches a file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftgui.base.files import is_text
from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.records import reference
from ftgui.data.catalog.split import Splitting
from ftgui.data.catalog.split_assignment import assign_splits
from ftgui.data.images.decoding import is_image_name

Ids = Sequence[int]


@dataclass(frozen=True)
class Values:
    """Some values of some images, compact: ten thousand images of one class are one entry."""

    classes: dict[str, Ids] = field(default_factory=dict)
    splits: dict[tuple[str, int], Ids] = field(default_factory=dict)
    """(Split, set by hand) -> images."""
    excluded: dict[int, Ids] = field(default_factory=dict)
    predictions: dict[str, Ids] = field(default_factory=dict)
    judged: dict[str, Ids] = field(default_factory=dict)
    """Class that the loss is of -> images."""
    renamed: dict[str, str] | None = None
    """What the folders call a class -> what it is called here, all of it."""
    created: tuple[str, ...] | None = None
    """Classes made by hand, all of them."""

    @property
    def images(self) -> int:
        """How many of them have another class, split or exclusion by these values."""
        return sum(len(ids) for part in (self.classes, self.splits, self.excluded) for ids in part.values())


def relabel(catalog: Catalog, ids: Ids, class_name: str) -> Values:
    """Images belong to this class; a class of that name comes into being if there is none."""
    with catalog.transaction() as db:
        return _write(db, Values(classes={class_name: _others(db, ids, "class_name != ?", class_name)}))


def exclude(catalog: Catalog, ids: Ids, excluded: bool) -> Values:
    """Leave images out of training and checking, or take them in again."""
    with catalog.transaction() as db:
        return _write(db, Values(excluded={int(excluded): _others(db, ids, "excluded != ?", int(excluded))}))


def move(catalog: Catalog, ids: Ids, split: str) -> Values:
    """Put images into ``"train"``, ``"val"`` or ``"test"``, where they stay whatever the split says."""
    with catalog.transaction() as db:
        return _write(db, Values(splits={(split, 1): _others(db, ids, "(split != ? OR NOT pinned)", split)}))


def create_class(catalog: Catalog, class_name: str) -> Values:
    """An empty class, for images to be dragged onto."""
    with catalog.transaction() as db:
        created = _created(db)
        return _write(db, Values(created=(*created, class_name) if class_name not in created else created))


def rename_class(catalog: Catalog, old: str, new: str) -> Values:
    """All images of a class, and those that its folder gets later, belong to `new`; if there is one, the two are merged."""
    with catalog.transaction() as db:
        ids = array("q", (row[0] for row in db.execute("SELECT id FROM images WHERE class_name = ?", (old,))))
        renamed = _renamed(db)
        # Folders that led to the old name lead to the new one; so does a folder of that name itself.
        renamed = {found: new if name == old else name for found, name in renamed.items()}
        renamed.setdefault(old, new)
        created = tuple(dict.fromkeys(new if name == old else name for name in _created(db)))
        # What the model said of the class, it said of what is called so now.
        said = array("q", (row[0] for row in db.execute("SELECT id FROM images WHERE prediction = ?", (old,))))
        judged = array("q", (row[0] for row in db.execute("SELECT id FROM images WHERE judged_class = ?", (old,))))
        return _write(
            db,
            Values(classes={new: ids}, predictions={new: said}, judged={new: judged}, renamed=renamed, created=created),
        )


def add_images(
    catalog: Catalog, files: Sequence[Path], class_name: str, job: Job | None = None
) -> tuple[array[int], list[Path]]:
    """Take in images from elsewhere, by reference: they stay where they are.

    Args:
        catalog: to change.
        files: of the images.
        class_name: that they belong to.
        job: progress in files.

    Returns:
        ids of the images that are new, and files that are none or were there already.

    Raises:
        Cancelled: through `job`; nothing was taken in then.
    """
    job = job or Job()
    root = catalog.root
    known: list[tuple[Path, str, os.stat_result | None]] = []
    # All of them before the transaction: a slow disk must not keep others from writing.
    for done, file in enumerate(files):
        job.progress(done, len(files))
        path = reference(file.absolute(), root)
        try:
            status = file.stat() if is_image_name(file) and is_text(path) else None
        except OSError:
            status = None
        known.append((file, path, status))
    refused: list[Path] = []
    added: array[int] = array("q")
    with catalog.transaction() as db:
        for file, path, status in known:
            row = None
            if status is not None:
                row = db.execute(
                    """INSERT INTO images (path, found_class, class_name, found_split, split, size, mtime)
                    VALUES (?, '', ?, '', '', ?, ?) ON CONFLICT DO NOTHING RETURNING id""",
                    (path, class_name, status.st_size, status.st_mtime),
                ).fetchone()
            if row is None:
                refused.append(file)
            else:
                added.append(row[0])
        assign_splits(catalog, db, catalog.splitting)
    return added, refused


_OWN = "id, path, found_class, class_name, found_split, split, pinned, size, mtime, excluded"

Removed = list[tuple[object, ...]]


def remove_images(catalog: Catalog, ids: Ids) -> Removed:
    """Forget images, e.g. added ones when adding is undone. Files stay.

    Returns:
        what `put_back` takes.
    """
    these = "FROM images WHERE id IN (SELECT value FROM json_each(?))"
    with catalog.transaction() as db:
        removed = db.execute(f"SELECT {_OWN} {these}", (_json(ids),)).fetchall()
        db.execute(f"DELETE {these}", (_json(ids),))
    return removed


def put_back(catalog: Catalog, removed: Removed) -> None:
    """Know removed images again, under the same ids; those that have come back by themselves stay as they are."""
    with catalog.transaction() as db:
        db.executemany(f"INSERT OR IGNORE INTO images ({_OWN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", removed)


def split_again(catalog: Catalog, splitting: Splitting, back: Values | None = None) -> Values:
    """Divide the images another way.

    Args:
        splitting: the way.
        back: what this returned when that way was left: images are then where they were, unless moved by hand since.

    Returns:
        in which splits the images were, but for those set by hand.
    """
    with catalog.transaction() as db:
        free = [row[0] for row in db.execute("SELECT id FROM images WHERE NOT pinned")]
        before = Values(splits=_grouped(db, "split, pinned", free))
        assign_splits(catalog, db, splitting)
        if back is not None:
            free_ids = set(free)
            _write(db, Values(splits={key: [i for i in ids if i in free_ids] for key, ids in back.splits.items()}))
    return before


def write(catalog: Catalog, values: Values) -> Values:
    """Set values.

    Returns:
        what they replaced; writing that undoes it.
    """
    with catalog.transaction() as db:
        return _write(db, values)


def _write(db: sqlite3.Connection, values: Values) -> Values:
    before = Values(
        classes=_grouped(db, "class_name", [i for ids in values.classes.values() for i in ids]),
        splits=_grouped(db, "split, pinned", [i for ids in values.splits.values() for i in ids]),
        excluded=_grouped(db, "excluded", [i for ids in values.excluded.values() for i in ids]),
        predictions=_grouped(db, "prediction", [i for ids in values.predictions.values() for i in ids]),
        judged=_grouped(db, "judged_class", [i for ids in values.judged.values() for i in ids]),
        renamed=None if values.renamed is None else _renamed(db),
        created=None if values.created is None else _created(db),
    )
    these = "WHERE id IN (SELECT value FROM json_each(?))"
    for name, ids in values.classes.items():
        db.execute(f"UPDATE images SET class_name = ? {these}", (name, _json(ids)))
    for (split, pinned), ids in values.splits.items():
        db.execute(f"UPDATE images SET split = ?, pinned = ? {these}", (split, pinned, _json(ids)))
    for excluded, ids in values.excluded.items():
        db.execute(f"UPDATE images SET excluded = ? {these}", (excluded, _json(ids)))
    for name, ids in values.predictions.items():
        db.execute(f"UPDATE images SET prediction = ? {these}", (name, _json(ids)))
    for name, ids in values.judged.items():
        db.execute(f"UPDATE images SET judged_class = ? {these}", (name, _json(ids)))
    if values.renamed is not None:
        db.execute("DELETE FROM renamed")
        db.executemany("INSERT INTO renamed VALUES (?, ?)", values.renamed.items())
    if values.created is not None:
        db.execute("DELETE FROM created")
        db.executemany("INSERT INTO created VALUES (?)", [(name,) for name in values.created])
    return before


def _others(db: sqlite3.Connection, ids: Ids, differ: str, value: object) -> Ids:
    """Those that an edit changes: what it did, and to how many, is said."""
    rows = db.execute(
        f"SELECT id FROM images WHERE id IN (SELECT value FROM json_each(?)) AND {differ}", (_json(ids), value)
    )
    return array("q", (row[0] for row in rows))


def _grouped(db: sqlite3.Connection, columns: str, ids: list[int]) -> dict:  # type: ignore[type-arg]
    """Value (or tuple of them) -> the images that have it."""
    groups: dict[object, array[int]] = {}
    if ids:
        rows = db.execute(
            f"SELECT id, {columns} FROM images WHERE id IN (SELECT value FROM json_each(?))", (_json(ids),)
        )
        for id_, *value in rows:
            groups.setdefault(value[0] if len(value) == 1 else tuple(value), array("q")).append(id_)
    return groups


def _renamed(db: sqlite3.Connection) -> dict[str, str]:
    return dict(db.execute("SELECT found, class_name FROM renamed"))


def _created(db: sqlite3.Connection) -> tuple[str, ...]:
    return tuple(row[0] for row in db.execute("SELECT class_name FROM created ORDER BY rowid"))


def _json(ids: Ids) -> str:
    return json.dumps(list(ids))
