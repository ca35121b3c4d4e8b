"""One window, or one training in a terminal, at a time writes to a project; everybody else may look."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

import msgspec

from ftgui.base.process_identity import ProcessMark, encode, own_mark, read_mark

log = logging.getLogger(__name__)

LOCK_FILE = "in-use.json"
"""In a project's folder."""

WINDOW, TERMINAL = "window", "training in a terminal"
"""What uses it."""

_TRIES = 5


class ProjectHeld(Exception):
    """Another process uses the project; the text says which, in a sentence."""

    def __init__(self, folder: Path, by: ProcessMark) -> None:
        super().__init__(f"This project is open in {who(by)}.")
        self.folder = folder
        self.by = by


def who(mark: ProcessMark) -> str:
    """In words, e.g. ``"another window (process 71, since 12:04 on 26 Nov)"``."""
    where = f"process {mark.pid}" + ("" if mark.here else f" on {mark.host}")
    since = time.strftime("%H:%M on %d %b", time.localtime(mark.since))
    return f"{'a training run in a terminal' if mark.doing == TERMINAL else 'another window'} ({where}, since {since})"


class ProjectLocks:
    """The projects that this process writes to. May be used from several threads.

    Args:
        doing: `WINDOW` or `TERMINAL`.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._held: dict[Path, ProcessMark] = {}
        self._lock = threading.Lock()

    def take(self, folder: Path, by_force: bool = False) -> ProcessMark | None:
        """From now on this process may write to the project; again is no harm.

        Args:
            folder: of the project; exists.
            by_force: also where a living process holds it, which then may only look.

        Returns:
            of two trainings in terminals, the other one, which holds it: each has a run folder of its own, so both may
            train, as long as neither changes what the other learns from. Else None.

        Raises:
            ProjectHeld: another process does, and it lives.
            OSError: the folder can't be written to.
        """
        path, mark = folder / LOCK_FILE, own_mark(self._doing)
        with self._lock:
            for _ in range(_TRIES):
                if _write_new(path, mark):
                    self._held[folder] = mark
                    return None
                found = read_mark(path)
                mine = found is not None and found.token == self._token(folder)
                if mine:
                    self._held[folder] = msgspec.structs.replace(self._held[folder])  # see `give_back`
                    return None
                if found is not None and found.alive and not by_force:
                    if self._doing == TERMINAL == found.doing:
                        return found
                    raise ProjectHeld(folder, found)
                _clear(path, found)
            raise OSError(f"{path} keeps changing; another program is using this project too.")

    def holds(self, folder: Path) -> bool:
        """This process took it, and no other has taken it over since. Reads a small file."""
        with self._lock:
            token = self._token(folder)
        found = read_mark(folder / LOCK_FILE)
        return bool(token) and found is not None and found.token == token

    def others(self, folder: Path | None) -> dict[Path, ProcessMark]:
        """All that are held but this one, for `give_back`. Waits for no disk, so not for the lock either."""
        return {held: mark for held, mark in self._held.copy().items() if held != folder}

    def give_back(self, held: dict[Path, ProcessMark]) -> None:
        """Others may write to these, unless they were taken again since `others` named them."""
        with self._lock:
            for folder, mark in held.items():
                if self._held.get(folder) is not mark:
                    continue
                del self._held[folder]
                path = folder / LOCK_FILE
                found = read_mark(path)
                if found is not None and found.token == mark.token:
                    _remove(path)

    def keep_only(self, folder: Path | None) -> None:
        """Give all others back."""
        self.give_back(self.others(folder))

    def _token(self, folder: Path) -> str:
        held = self._held.get(folder)
        return held.token if held is not None else ""


def _write_new(path: Path, mark: ProcessMark) -> bool:
    """Whether there was none; whole at once, so that nobody reads half of it."""
    whole = path.with_name(f".{path.name}.{mark.token}")
    try:
        whole.write_bytes(encode(mark))
        try:
            os.link(whole, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with path.open("xb") as file:
                    file.write(encode(mark))
            except FileExistsError:
                return False
        return True
    finally:
        _remove(whole)


def _clear(path: Path, found: ProcessMark | None) -> None:
    """Take a mark away that no longer counts, and only that one: of two processes that do so, one succeeds."""
    aside = path.with_name(f".{path.name}.{own_mark('').token}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return  # somebody else was quicker
    moved = read_mark(aside)
    if moved is not None and (found is None or moved.token != found.token):
        # Between reading and renaming somebody took it in use: it is put back.
        try:
            aside.rename(path)
        except OSError:
            log.warning("%s could not be put back", path, exc_info=True)
        return
    _remove(aside)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # stale from now on, which whoever finds it notices
        log.info("%s can't be removed", path, exc_info=True)
