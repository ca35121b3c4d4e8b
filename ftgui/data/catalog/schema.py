"""What the catalog's file holds, and how a connection to it is opened: made when missing, upgraded when old."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ftgui.data.catalog.errors import CatalogError, as_catalog_error

CATALOG_VERSION = 2

DEEP = "(mode GLOB 'I*' OR mode = 'F' OR mode GLOB '*;16')"
"""Rows of images of more than 8 bits a channel."""
INDEX_BY_CLASS = "CREATE INDEX IF NOT EXISTS images_by_class ON images (class_name, split, usable)"
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
{INDEX_BY_CLASS};
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


def open_database(path: Path, read_only: bool, any_thread: bool, patience: float) -> sqlite3.Connection:
    """A connection in autocommit mode to a catalog of this version.

    Args:
        path: of the file; made when missing, unless `read_only`.
        read_only: nothing is written through it, not even an upgrade.
        any_thread: its owner sees to it that only one thread at a time uses it.
        patience: seconds to wait for others who write; then `sqlite3.OperationalError`, and nothing was done.

    Raises:
        CatalogError: the file is of another version or not a catalog.
    """
    uri = f"{path.resolve().as_uri()}{'?mode=ro' if read_only else ''}"
    try:
        db = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=not any_thread)
    except sqlite3.Error as error:
        raise as_catalog_error(error) from error
    try:
        _prepare(db, read_only)
    except BaseException as error:
        db.close()  # or the file could not be moved or deleted on Windows while the error is shown
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            raise as_catalog_error(error) from error
        raise
    return db


def _prepare(db: sqlite3.Connection, read_only: bool) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -32000")
    if version == 0 and not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {CATALOG_VERSION}; COMMIT;")
    elif version == 1 and not read_only:
        _upgrade(db)
    elif version != CATALOG_VERSION:
        raise CatalogError(f"The catalog has version {version}; this ftgui reads version {CATALOG_VERSION}.")


def _upgrade(db: sqlite3.Connection) -> None:
    """Version 1 held nothing that a scan does not find again, except which split an image had."""
    db.executescript(
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
