"""The projects that were open last, so that the next day begins where this one ended."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftgui.base import paths
from ftgui.base.files import write_atomically
from ftgui.base.json_files import decode_object, number, text, texts

log = logging.getLogger(__name__)

MOST = 12
"""Projects that are remembered; what was open longer ago is still found when its folder is opened again."""


@dataclass(frozen=True)
class RecentProject:
    """One of them."""

    folder: Path
    """Of the project."""
    dataset: Path
    """The folder of its images."""
    only: tuple[str, ...] = ()
    """Names of the class folders in it that count; empty: all."""
    opened: float = 0.0
    """When, in seconds since 1970."""


def _file() -> Path:
    return paths.data_dir() / "recent.json"


def _read() -> dict[str, Any]:
    try:
        return decode_object(_file().read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("the list of recent projects can't be read: %s", error)
        return {}


def read_recent() -> list[RecentProject]:
    """The newest first; none where nothing was open yet, or the list can't be read."""
    listed = _read().get("projects")
    found = [_entry(each) for each in listed] if isinstance(listed, list) else []
    return sorted((each for each in found if each is not None), key=lambda each: -each.opened)[:MOST]


def _entry(plain: object) -> RecentProject | None:
    try:
        if not isinstance(plain, dict):
            raise ValueError("an entry is not an object")
        folder, dataset = Path(text(plain.get("project"))), Path(text(plain.get("dataset")))
        return RecentProject(folder, dataset, tuple(texts(plain.get("only", []))), number(plain.get("opened"), 0.0))
    except ValueError as error:
        log.warning("a recent project is left out: %s", error)
        return None


def read_open() -> RecentProject | None:
    """The one that is open, or was when the program ended; None: there was none, or the person closed it."""
    folder = _read().get("open")
    return next((each for each in read_recent() if str(each.folder) == folder), None)


def remember(folder: Path, dataset: Path, only: Sequence[str] = ()) -> None:
    """A project is open now.

    Args:
        folder: of the project.
        dataset: the folder of its images.
        only: names of the class folders in it that count; empty: all.

    Raises:
        OSError: it can't be written down.
    """
    newest = RecentProject(folder, dataset, tuple(only), time.time())
    _write([newest, *(each for each in read_recent() if each.folder != folder)], str(folder))


def remember_none() -> None:
    """No project is open now.

    Raises:
        OSError: it can't be written down.
    """
    _write(read_recent(), "")


def forget(folder: Path) -> None:
    """Leave a project out of the list; nothing of it is deleted.

    Raises:
        OSError: it can't be written down.
    """
    still_open = read_open()
    open_now = str(still_open.folder) if still_open is not None and still_open.folder != folder else ""
    _write([each for each in read_recent() if each.folder != folder], open_now)


def _write(projects: Sequence[RecentProject], open_now: str) -> None:
    plain = [
        {"project": str(each.folder), "dataset": str(each.dataset), "only": list(each.only), "opened": each.opened}
        for each in projects[:MOST]
    ]
    # Names that are no text are written as JSON's escapes of what they are in memory, and read back as that.
    write_atomically(_file(), json.dumps({"open": open_now, "projects": plain}, indent=1).encode("ascii"))
