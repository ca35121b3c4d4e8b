"""Every problem of a dataset by kind, for the list of problems: counted in full, the first few by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from ftgui.data.catalog.class_problems import Look
from ftgui.data.catalog.errors import CatalogDamaged
from ftgui.data.catalog.problem_kinds import KINDS, ORDER, Group
from ftgui.data.catalog.query import LIKELY_WRONG, SUSPECT
from ftgui.protocol.problem import Problem

MOST_EXAMPLES = 200
"""Files listed under one kind of problem; the rest are counted."""


def problem_groups(db: sqlite3.Connection, about_all: Sequence[Problem], counts: Mapping[str, int]) -> list[Group]:
    """Every problem by kind, worst first.

    Args:
        db: of the catalog.
        about_all: problems of the dataset and its classes.
        counts: kind -> how many problems of it the last scan found.

    Raises:
        CatalogDamaged: it holds a problem of a kind that there is not.
    """
    by_kind: dict[str, list[Problem]] = {}
    for problem in about_all:
        by_kind.setdefault(problem.kind, []).append(problem)
    groups = [Group(kind, len(found), tuple(found[:MOST_EXAMPLES]), False) for kind, found in by_kind.items()]
    for kind, count in counts.items():
        if kind not in KINDS:
            raise CatalogDamaged(f"it has a problem of an unknown kind, “{kind}”")
        rows = db.execute(
            "SELECT severity, kind, message, path, fix FROM problems WHERE kind = ? ORDER BY path LIMIT ?",
            (kind, MOST_EXAMPLES),
        )
        groups.append(Group(kind, count, tuple(Problem(*row) for row in rows), False))
    for kind, count in db.execute("SELECT kind, count(*) FROM findings GROUP BY kind").fetchall():
        if kind not in KINDS:
            raise CatalogDamaged(f"it has a finding of an unknown kind, “{kind}”")
        groups.append(Group(kind, count, tuple(_examples(db, kind)), True))
    suspects = _suspects(db)
    if suspects:
        count = db.execute(f"SELECT count(*) FROM images WHERE {SUSPECT}").fetchone()[0]
        groups.append(Group(LIKELY_WRONG, count, tuple(suspects), True))
    return sorted(groups, key=lambda group: ORDER[group.kind])


def _examples(db: sqlite3.Connection, kind: str) -> list[Problem]:
    rows = db.execute(
        """SELECT i.path, f.detail FROM findings f JOIN images i ON i.id = f.image
        WHERE f.kind = ? ORDER BY f.image LIMIT ?""",
        (kind, MOST_EXAMPLES),
    )
    return [Problem(KINDS[kind].severity, kind, detail, path, KINDS[kind].fix) for path, detail in rows]


def _suspects(db: sqlite3.Connection) -> list[Problem]:
    """Images whose label the model contradicts with confidence, worst first."""
    rows = db.execute(
        f"SELECT path, class_name, prediction, confidence FROM images WHERE {SUSPECT} ORDER BY loss DESC LIMIT ?",
        (MOST_EXAMPLES,),
    )
    kind = KINDS[LIKELY_WRONG]
    return [
        Problem(kind.severity, LIKELY_WRONG, f"Labelled “{name}”; the model says “{said}”, {sure:.0%}.", path, kind.fix)
        for path, name, said, sure in rows
    ]


def looks(db: sqlite3.Connection) -> dict[str, Look]:
    """What the decoded images of each class look like, in figures."""
    rows = db.execute(
        """SELECT class_name, count(*), avg(brightness), avg(brightness * brightness), avg(min(width, height))
        FROM images WHERE usable AND brightness IS NOT NULL GROUP BY class_name"""
    )
    return {name: Look(*figures) for name, *figures in rows}
