"""Watches which thread touches the disk: the window's must not, below the folders of a project and its dataset."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import ftgui

_SOURCE = str(Path(ftgui.__file__).parent)
_AUDITED = {
    *("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link"),
    *("os.utime", "os.chmod", "os.truncate", "shutil.rmtree", "shutil.copyfile", "shutil.move", "sqlite3.connect"),
}
"""Of Python's audit events; looking at a file (`os.stat`) and asking an open database are none, so these are wrapped."""
_STATUS = ("stat", "lstat", "access")
_SQL = ("execute", "executemany", "executescript", "commit", "rollback", "close")


@dataclass(eq=False)
class DiskGuard:
    """What the main thread did on the disk that it should not have done."""

    folders: Sequence[Path]
    permitted: dict[str, str]
    """Function of ftgui, as ``"ui/data/data_page.py:_names"`` → why it may."""
    met: list[str] = field(default_factory=list)
    """What was done, and by which functions of ftgui, the innermost first."""
    used: set[str] = field(default_factory=set)
    """Of `permitted`."""

    def saw(self, event: str, path: object) -> None:
        """On any thread."""
        if threading.current_thread() is not threading.main_thread() or not self._below(path):
            return
        chain = _functions()
        allowed = next((name for name in chain if name in self.permitted), None)
        if allowed is not None:
            self.used.add(allowed)
        elif any(name.startswith("ui/") for name in chain):  # else it is the test itself that looks
            self.met.append(f"{event} {Path(str(path)).name}: {' < '.join(chain[:5])}")

    def _below(self, path: object) -> bool:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str | os.PathLike):
            return False
        text = unquote(str(path).removeprefix("file://")).partition("?")[0]
        return any(text.startswith(str(folder)) for folder in self.folders)


def _functions() -> list[str]:
    return [
        f"{frame.filename[len(_SOURCE) + 1 :]}:{frame.name}".replace("\\", "/")
        for frame in reversed(traceback.extract_stack(limit=60))
        if frame.filename.startswith(_SOURCE)
    ]


_watching: list[DiskGuard] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _watching and event in _AUDITED and args:
        _watching[-1].saw(event, args[0])


@cache
def _install() -> None:
    """An audit hook can't be taken out again, so there is one for all tests."""
    sys.addaudithook(_audit)


@contextmanager
def watch(folders: Sequence[Path], permitted: dict[str, str], patch: pytest.MonkeyPatch) -> Iterator[DiskGuard]:
    """Watch all that happens below these folders; connections are watched if they are opened while this lasts."""
    _install()
    guard = DiskGuard([folder.resolve() for folder in folders], permitted)
    with patch.context() as patched:
        for name in _STATUS:
            patched.setattr(os, name, _told(getattr(os, name), f"os.{name}", guard))
        patched.setattr(sqlite3, "connect", _connect(sqlite3.connect, guard))
        _watching.append(guard)
        try:
            yield guard
        finally:
            _watching.remove(guard)


def _told(function: Any, name: str, guard: DiskGuard) -> Any:
    def wrapped(path: Any, *args: Any, **more: Any) -> Any:
        guard.saw(name, path)
        return function(path, *args, **more)

    return wrapped


def _connect(connect: Any, guard: DiskGuard) -> Any:
    def wrapped(database: Any, *args: Any, **more: Any) -> Any:
        class Watched(sqlite3.Connection):
            """Tells of each statement."""

        for name in _SQL:
            setattr(Watched, name, _method(name, database, guard))
        return connect(database, *args, factory=Watched, **more)

    return wrapped


def _method(name: str, database: Any, guard: DiskGuard) -> Any:
    original = getattr(sqlite3.Connection, name)

    def wrapped(self: sqlite3.Connection, *args: Any) -> Any:
        guard.saw(f"sqlite3 {name}", database)
        return original(self, *args)

    return wrapped
