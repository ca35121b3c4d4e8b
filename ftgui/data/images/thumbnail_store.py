"""Thumbnails on disk, so that a collection of large photographs is decoded once and not at every start."""

from __future__ import annotations

import contextlib
import io
import logging
import sqlite3
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from ftgui.data.images.intensity import IntensityRange

log = logging.getLogger(__name__)

MOST_BYTES = 500 * 2**20
"""Of all thumbnails together; the oldest go first."""
WORTH_BYTES = 60_000
"""Files smaller than this are decoded as fast as they would be looked up."""
_TRIM_EVERY = 500


class ThumbnailStore:
    """One SQLite file; each thread opens its own. Whatever goes wrong with it, thumbnails are only slower.

    Args:
        path: of the file; made when missing, thrown away when damaged.
        most_bytes: that all thumbnails may take.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._puts = 0
        self._db: sqlite3.Connection | None = None
        try:
            self._db = self._open(path)
        except sqlite3.DatabaseError:
            try:
                path.unlink(missing_ok=True)
                self._db = self._open(path)
            except (OSError, sqlite3.Error):
                log.info("thumbnails can't be kept in %s", path, exc_info=True)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=5, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")  # what a power cut destroys is made again
        db.execute("CREATE TABLE IF NOT EXISTS thumbnails (key BLOB PRIMARY KEY, png BLOB NOT NULL) STRICT")
        return db

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def get(self, file: Path, side: int, intensity: IntensityRange | None = None) -> bytes | None:
        """The thumbnail as PNG, or None if there is none of the file as it is now, read with this intensity range."""
        key = self._key(file, side, intensity)
        if self._db is None or key is None:
            return None
        with contextlib.suppress(sqlite3.Error):  # locked or damaged: it is decoded anew
            row = self._db.execute("SELECT png FROM thumbnails WHERE key = ?", (key,)).fetchone()
            return None if row is None else bytes(row[0])
        return None

    def put(self, file: Path, side: int, picture: Image.Image, intensity: IntensityRange | None = None) -> None:
        """Keep a thumbnail, if it is worth it."""
        key = self._key(file, side, intensity)
        if self._db is None or key is None:
            return
        data = io.BytesIO()
        picture.save(data, "PNG", compress_level=1)
        with contextlib.suppress(sqlite3.Error):  # a full disk: it is decoded again next time
            self._db.execute("INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", (key, data.getvalue()))
            self._puts += 1
            if self._puts % _TRIM_EVERY == 0:
                self.trim()

    def trim(self) -> None:
        """Delete the oldest beyond the limit."""
        assert self._db is not None
        self._db.execute(
            """DELETE FROM thumbnails WHERE rowid <= (SELECT max(rowid) FROM
                (SELECT rowid, sum(length(png)) OVER (ORDER BY rowid DESC) AS size FROM thumbnails) WHERE size > ?)""",
            (self._most_bytes,),
        )

    @staticmethod
    def _key(file: Path, side: int, intensity: IntensityRange | None) -> bytes | None:
        """Of the file as it is now; None if it is gone, or too small to be worth it."""
        try:
            status = file.stat()
        except OSError:
            return None
        if status.st_size < WORTH_BYTES:
            return None
        identity = f"{file}\n{status.st_size} {status.st_mtime_ns} {side} {intensity}"
        return blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=16).digest()
