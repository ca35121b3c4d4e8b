"""A file that says which process uses a folder, and whether that process still lives. Portable: no lock of any file system.

A lock of the operating system would end with its process, but network drives, where labs keep their projects, often have
none that works; so the file names the process, and whoever finds it looks whether it lives.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

log = logging.getLogger(__name__)

_HIDDEN = "of another user"
"""In place of an identity: the process is there, that much is known."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ProcessMark(msgspec.Struct, frozen=True, kw_only=True):
    """Who uses a folder."""

    pid: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
    identity: str
    """Tells the process from another that gets its number later."""
    host: str
    """Name of the computer."""
    doing: str
    """A sentence part for the person, e.g. ``"window"``."""
    since: Annotated[float, msgspec.Meta(ge=0, le=1e11)]
    """Seconds since 1970."""
    token: str
    """Of this mark alone."""

    @property
    def here(self) -> bool:
        """It is a process of this computer, so that it can be asked whether it lives."""
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """The process goes on. Of one on another computer nothing is known; it counts as alive."""
        return not self.here or process_identity(self.pid) in (self.identity, _HIDDEN)


def process_identity(pid: int) -> str:
    """A text that no other process of this computer has, whatever numbers are used again; empty: there is no such process.

    On Linux the boot and the kernel's ticks from it to the start of the process, which no change of the clock moves; elsewhere
    the time the process started, which the system keeps.
    """
    import psutil  # not needed for the window's first paint

    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return ""
        if _BOOT_ID.is_file():
            # The name, in parentheses, may hold blanks; the start time is the 20th field after it.
            ticks = (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
            )
            return f"{_BOOT_ID.read_text(encoding='ascii').strip()} {ticks}"
        return f"{psutil.Process(pid).create_time():.1f}"
    except psutil.AccessDenied:
        return _HIDDEN
    except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError, OverflowError):  # a number that none can have
        return ""


@cache
def _own_identity(pid: int) -> str:
    return process_identity(pid)


def own_mark(doing: str) -> ProcessMark:
    """Of this process."""
    pid = os.getpid()
    return ProcessMark(
        pid=pid,
        identity=_own_identity(pid),
        host=platform.node(),
        doing=doing,
        since=time.time(),
        token=uuid.uuid4().hex,
    )


def read_mark(path: Path) -> ProcessMark | None:
    """None: there is none, or none that can be understood (half written when the power went)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProcessMark)
    except (FileNotFoundError, NotADirectoryError):  # beside the runs lies their index
        return None
    except (OSError, ValueError, RecursionError):
        log.info("%s can't be read", path, exc_info=True)
        return None


def live_mark(path: Path) -> ProcessMark | None:
    """Whoever uses the folder now; None: nobody does, or its process is gone."""
    mark = read_mark(path)
    return mark if mark is not None and mark.alive else None


def encode(mark: ProcessMark) -> bytes:
    """As the file has it: JSON that a person can read."""
    return (json.dumps(msgspec.to_builtins(mark), indent=1) + "\n").encode("utf-8")
