"""What keeps a catalog from being used, in sentences; and how to begin with a new one without throwing the old away."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_PASSING = frozenset(
    {
        *(
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_FULL,
        ),
        *(
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_NOMEM,
            sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_AUTH,
            sqlite3.SQLITE_PROTOCOL,
        ),
        *(sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_TOOBIG),
    }
)
"""What says nothing of what is in the file."""


class CatalogError(Exception):
    """The catalog file can't be used; the text says why."""


class CatalogDamaged(CatalogError):
    """What is in it can't be understood, today or later.

    Args:
        why: a part of a sentence.
    """

    def __init__(self, why: object) -> None:
        super().__init__(
            f"The project's catalog is damaged: {why}. Move the file catalog.sqlite away and open the folder again: its images "
            "are scanned again. What was relabelled or excluded in it is lost; a run's samples.csv records how "
            "it was at that time."
        )
        self.why = str(why)


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether a database's refusal, or what came of reading it, is because of what is in it."""
    if isinstance(error, UnicodeDecodeError):
        return True
    if isinstance(error, sqlite3.ProgrammingError):  # closed already, or used wrongly: a fault of this program
        return False
    code = getattr(error, "sqlite_errorcode", None)  # none where Python could not make sense of a value
    return code is None or code & 0xFF not in _PASSING


def as_catalog_error(error: sqlite3.Error | UnicodeDecodeError) -> CatalogError:
    """What an open catalog's refusal means, in sentences that say what to do."""
    if is_damage(error):
        return CatalogDamaged(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_READONLY:
        return CatalogError(f"The project's catalog can't be written: {error}. Its folder or its drive is read-only.")
    return CatalogError(
        f"The project's catalog can't be used just now: {error}. Close other programs that use it, or make room."
    )


def set_aside(catalog: Path) -> Path:
    """Give a catalog another name, so that a new one can be made.

    Returns:
        where it is now.

    Raises:
        OSError: it can't be renamed.
    """
    number = 1
    while (aside := catalog.with_name(f"{catalog.stem}-damaged-{number}{catalog.suffix}")).exists():
        number += 1
    # What was not yet taken over into the file goes with it: a new one must not get it.
    for ending in ("-wal", "-shm"):
        if (beside := catalog.with_name(catalog.name + ending)).exists():
            beside.replace(aside.with_name(aside.name + ending))
    catalog.replace(aside)
    return aside
