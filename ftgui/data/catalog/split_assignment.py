"""Who is for training, validation and test, decided in the catalog where neither folders nor the person say."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict

from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.split import Member, Splitting, assign


def assign_splits(catalog: Catalog, db: sqlite3.Connection, splitting: Splitting) -> None:
    """Decide which images are for training, validation and test, where neither folders nor the person say.

    The same `Splitting` as before decides for new images only; another one for all. One by which nothing can be drawn (a
    pattern that is none) is a problem of the dataset, in `contents`, and never in the way of opening it: who is decided
    stays, all others are for training until it is put right.

    Args:
        catalog: whose images are split.
        db: what its `transaction` gives; this is a part of that.
        splitting: how.
    """
    # Images of classes that nothing is learned of check nothing.
    has = {
        split
        for (split,) in db.execute(
            """SELECT DISTINCT found_split FROM images WHERE found_split = '' OR class_name IN
            (SELECT class_name FROM images WHERE found_split IN ('', 'train'))"""
        )
    }
    drawn = [split for split, share in splitting.shares.items() if share and split not in has]
    # Where the folders name all splits, only images without one (added by hand, say) are drawn, among themselves.
    pool = ["", "train"] if drawn else [""]
    shares = {split: share for split, share in splitting.shares.items() if split in drawn or not drawn}
    identity = json.dumps([asdict(splitting), drawn])
    stored = catalog.kept("split")
    usable = not splitting.why_not()
    if usable and stored is not None and stored != identity:
        db.execute("UPDATE images SET split = '' WHERE NOT pinned")
    db.execute(
        "UPDATE images SET split = found_split WHERE split = '' AND found_split NOT IN (SELECT value FROM json_each(?))",
        (json.dumps(pool),),
    )
    if usable:
        _draw(db, pool, splitting, shares)
    db.execute("UPDATE images SET split = 'train' WHERE split = ''")
    catalog.keep("split", identity)
    catalog.keep("split_from_folders", str(int("val" in has)))


def _draw(db: sqlite3.Connection, pool: list[str], splitting: Splitting, shares: dict[str, float]) -> None:
    """Hold out images for validation and test among those whose folder says one of the splits in `pool`."""
    rows = db.execute(
        "SELECT path, class_name, split, id FROM images WHERE found_split IN (SELECT value FROM json_each(?))",
        (json.dumps(pool),),
    ).fetchall()
    members = [Member(path, class_name, split) for path, class_name, split, _ in rows]
    if any(not member.split for member in members):
        outcome = assign(members, splitting, shares)
        ids = {path: id_ for path, _, _, id_ in rows}
        held_out = [(split, ids[path]) for path, split in outcome.items() if split != "train"]
        db.executemany("UPDATE images SET split = ? WHERE id = ?", held_out)
