"""What a person says of a run: its name, a note, a star. It lies in the run's own folder, so no database can lose it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftgui.base.files import write_atomically
from ftgui.base.json_files import decode_object

ABOUT_FILE = "about.json"
"""In a run's folder."""

_DAMAGED = "about.json.damaged"


@dataclass(frozen=True)
class AboutRun:
    """Words of a person about a run."""

    name: str = ""
    """Empty: the folder's."""
    note: str = ""
    starred: bool = False


def read_words(run_folder: Path) -> AboutRun:
    """What was said of a run; nothing if nothing was.

    Raises:
        OSError: it can't be read.
        ValueError: the file is damaged.
    """
    raw = _read(run_folder)
    name, note, starred = raw.get("name", ""), raw.get("note", ""), raw.get("starred", False)
    if not (isinstance(name, str) and isinstance(note, str) and isinstance(starred, bool)):
        raise ValueError("a field has another type than it should")
    return AboutRun(name, note, starred)


def write_words(run_folder: Path, **changes: str | bool) -> None:
    """Say something else of a run; what is not named stays, also what a later version wrote.

    A damaged file is kept under another name.

    Args:
        run_folder: must exist: what was deleted meanwhile does not come back as an empty folder.
        changes: fields of `AboutRun`.

    Raises:
        OSError: it can't be written.
    """
    if not run_folder.is_dir():
        raise FileNotFoundError(f"{run_folder} no longer exists")
    try:
        before = _read(run_folder)
        read_words(run_folder)
    except ValueError:
        (run_folder / ABOUT_FILE).replace(run_folder / _DAMAGED)
        before = {}
    text = json.dumps(before | changes, ensure_ascii=False, indent=1)
    write_atomically(run_folder / ABOUT_FILE, text.encode("utf-8", "surrogateescape"))


def _read(run_folder: Path) -> dict[str, Any]:
    try:
        return decode_object((run_folder / ABOUT_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
