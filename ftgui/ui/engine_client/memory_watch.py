"""How much memory there was when the engine was killed, so that want of memory is named where it was the reason, only.

Linux counts the processes that it ended for want of memory, of the whole computer and of a container. Elsewhere, and of
programs that do the same before the system must, only what was free shortly before tells.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_REMEMBERED = 10.0
"""Seconds: what was free before says nothing of the end."""
_SHORT = 0.1
"""Share of the memory that is free when it begins to run out."""
_CONTAINER = Path("/sys/fs/cgroup")
_COUNTERS = (
    _CONTAINER / "memory.events",
    _CONTAINER / "memory" / "memory.oom_control",
    Path("/proc/vmstat"),
)
_LIMITS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of the two kinds of containers there are: folder, files, and a line of ``memory.stat``."""


@dataclass(frozen=True)
class MemoryLeft:
    """At the end of a process."""

    killed: bool | None = None
    """The system ended a process for want of memory in its time; None: it counts none."""
    free: int = 0
    """Bytes, the least of the last seconds."""
    total: int = 0
    """Bytes; 0: not known."""

    @property
    def was_short(self) -> bool:
        """It was running out."""
        return bool(self.total) and self.free < _SHORT * self.total


class MemoryWatch:
    """Of one process at a time."""

    def __init__(self) -> None:
        self._kills: int | None = None
        self._seen: deque[tuple[float, int, int]] = deque()

    def begin(self) -> None:
        """The process starts."""
        self._kills = _kills()
        self._seen.clear()

    def look(self) -> None:
        """To be called every few seconds."""
        now = time.monotonic()
        try:
            self._seen.append((now, *_memory()))
        except (OSError, ValueError) as error:
            log.info("how much memory is free is not known: %s", error)
        while self._seen and self._seen[0][0] < now - _REMEMBERED:
            self._seen.popleft()

    def at_the_end(self) -> MemoryLeft:
        """The process has ended just now."""
        kills = _kills()
        killed = None if kills is None or self._kills is None else kills > self._kills
        recent = [seen for seen in self._seen if seen[0] >= time.monotonic() - _REMEMBERED]
        if not recent:
            return MemoryLeft(killed)
        _, free, total = min(recent, key=lambda seen: seen[1] / seen[2])
        return MemoryLeft(killed, free, total)


def _kills() -> int | None:
    """Processes that the system ended for want of memory so far; None: it does not say."""
    counted = [count for path in _COUNTERS if (count := _value(path, "oom_kill")) is not None]
    return sum(counted) if counted else None


def _memory() -> tuple[int, int]:
    """Bytes that are free, and all, for this process: those of the computer, or of its container if that has fewer.

    Raises:
        OSError: they can't be read.
    """
    import psutil  # not needed for the window's first paint

    computer = psutil.virtual_memory()
    free, total = int(computer.available), int(computer.total)
    for folder, most, now, idle in _LIMITS:
        limit, used = _number(_CONTAINER / folder / most), _number(_CONTAINER / folder / now)
        if limit and used is not None and limit < total:
            used -= _value(_CONTAINER / folder / "memory.stat", idle) or 0  # given back at once where it is wanted
            return min(free, max(limit - used, 0)), limit
    return free, total


def _value(path: Path, key: str) -> int | None:
    """Of a file with a key and a number on each line."""
    try:
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == key and words[1].isdigit():
                return int(words[1])
    except OSError:
        return None  # another system, or another kind of container
    return None


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max" where there is no limit
