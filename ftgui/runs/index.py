"""All runs of a project, quickly: ``runs/index.sqlite`` keeps what their folders said when they were last read.

The folders are the truth. The database only spares reading them again: whatever is wrong with it, it is made anew.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ftgui.base.files import sweep
from ftgui.base.job import Job
from ftgui.data.catalog.added_images import ADDED_FOLDER
from ftgui.data.catalog.errors import is_damage
from ftgui.runs.dataset_diff import SAMPLES_FILE
from ftgui.runs.metrics_log import METRICS_FILE
from ftgui.runs.model_folder import BEST_FOLDER, WEIGHTS_FILE
from ftgui.runs.notes import ABOUT_FILE
from ftgui.runs.record import RECIPE_FILE, RESULT_FILE, RunRecord, read_record
from ftgui.runs.run_folders import CHECKPOINT_FILE, run_number
from ftgui.runs.running import running_process
from ftgui.runs.sweep import sweep_run

log = logging.getLogger(__name__)

INDEX_FILE = "index.sqlite"
"""In the folder of all runs."""

INDEX_VERSION = 2
"""Another one in the file: it is made anew. Raised whenever `RunRecord`, or what is read into it, changes."""

_READ = (ABOUT_FILE, RECIPE_FILE, RESULT_FILE, SAMPLES_FILE, METRICS_FILE)
_THERE = (f"{BEST_FOLDER}/{WEIGHTS_FILE}", CHECKPOINT_FILE.as_posix())

_Known = dict[str, tuple[str, bytes]]
"""Folder name -> state, record as msgpack."""


def list_runs(runs_folder: Path, job: Job | None = None) -> list[RunRecord]:
    """Every run, oldest first. Only folders that changed since the last time are read.

    What killed processes left half written in the project is removed.

    Args:
        runs_folder: of a project; need not exist.
        job: progress in runs.

    Raises:
        Cancelled: through `job`.
        OSError: the folder can't be listed.
    """
    job = job or Job()
    if not runs_folder.is_dir():
        return []
    with os.scandir(runs_folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    folders = sorted(
        (f for f in map(runs_folder.joinpath, names) if run_number(f)), key=lambda f: (run_number(f), f.name)
    )
    sweep(runs_folder.parent, runs_folder.parent / ADDED_FOLDER)
    known = _load(runs_folder)
    records: list[RunRecord] = []
    fresh: _Known = {}
    for done, folder in enumerate(folders):
        job.progress(done, len(folders))
        state = _state(folder)
        record = _decode(known.get(folder.name), state, folder)
        sweep(folder)  # also of runs that are over: what is said of them is written later
        if record is None or not record.reason:
            sweep_run(folder)  # a process that was killed in it has left no end
        if record is None:
            try:
                record = read_record(folder)
            except OSError:  # deleted this moment
                continue
            fresh[folder.name] = (state, msgspec.msgpack.encode(record))
        records.append(record)
    gone = known.keys() - {folder.name for folder in folders}
    if fresh or gone:
        _keep(runs_folder, fresh, gone)
    return records


def _state(folder: Path) -> str:
    """Changes whenever a record read from the folder could."""
    # Plain strings: with a thousand runs, making a Path of each name takes longer than asking the disk.
    base, parts = os.fspath(folder), []
    for name in _READ:
        try:
            status = os.stat(f"{base}/{name}")  # noqa: PTH116
            parts.append(f"{status.st_size}.{status.st_mtime_ns}")
        except OSError:
            parts.append("-")
    parts.append("running" if running_process(folder) is not None else "-")
    return " ".join([*parts, *("+" if os.path.exists(f"{base}/{name}") else "-" for name in _THERE)])  # noqa: PTH110


def _decode(row: tuple[str, bytes] | None, state: str, folder: Path) -> RunRecord | None:
    if row is None or row[0] != state:
        return None
    try:
        record = msgspec.msgpack.decode(row[1], type=RunRecord)
    except ValueError:
        return None
    return msgspec.structs.replace(record, folder=str(folder))  # the whole project may have been moved


# --- the database ---------------------------------------------------------------------------------------------------


def _load(runs_folder: Path) -> _Known:
    try:
        with _database(runs_folder) as db:
            return {name: (state, record) for name, state, record in db.execute("SELECT * FROM runs")}
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not is_damage(error):  # locked, read-only, a full disk: the folders are read instead
            log.info("the index of %s can't be used", runs_folder, exc_info=True)
            return {}
        log.info("the index of %s is damaged and made again", runs_folder, exc_info=True)
        try:
            (runs_folder / INDEX_FILE).unlink(missing_ok=True)
        except OSError:  # another program has it open, where that matters
            log.info("it can't be removed", exc_info=True)
    return {}


def _keep(runs_folder: Path, fresh: _Known, gone: set[str]) -> None:
    try:
        with _database(runs_folder) as db:
            db.executemany("DELETE FROM runs WHERE name = ?", [(name,) for name in gone])
            rows = [(name, state, record) for name, (state, record) in fresh.items()]
            db.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", rows)
    except sqlite3.Error:  # nothing is lost: the folders are read again next time
        log.info("the index of %s can't be written", runs_folder, exc_info=True)


@contextmanager
def _database(runs_folder: Path) -> Iterator[sqlite3.Connection]:
    """One transaction; window and terminal may come at the same time, then one waits."""
    db = sqlite3.connect(runs_folder / INDEX_FILE, timeout=5, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = OFF")  # what a power cut destroys is made again
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] != INDEX_VERSION:
            db.execute("DROP TABLE IF EXISTS runs")
            db.execute(f"PRAGMA user_version = {INDEX_VERSION}")
        db.execute(
            "CREATE TABLE IF NOT EXISTS runs (name TEXT PRIMARY KEY, state TEXT NOT NULL, record BLOB NOT NULL) STRICT"
        )
        yield db
        db.execute("COMMIT")
    finally:
        db.close()
