"""What a long job is handed: a place to report progress and to learn that it is no longer wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Cancelled(Exception):
    """The person, or a newer job, no longer wants the result."""


class Job:
    """Throttled progress and cancelling; every long function takes one.

    Args:
        on_progress: called as ``on_progress(done, total)`` at most every `interval` seconds, on the job's thread;
            `total` is 0 while unknown.
        interval: seconds.
    """

    def __init__(self, on_progress: Callable[[int, int], None] | None = None, interval: float = 0.1) -> None:
        self._on_progress = on_progress
        self._interval = interval
        self._last = 0.0
        self._cancelled = threading.Event()
        self._held_until = 0.0

    def cancel(self) -> None:
        """From any thread: the next `progress` raises `Cancelled`."""
        self._cancelled.set()

    def hold(self, seconds: float) -> None:
        """From any thread: the next `progress` waits so long, because something else is more urgent."""
        self._held_until = time.monotonic() + seconds

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def progress(self, done: int, total: int = 0) -> None:
        """Tell how far it is.

        Raises:
            Cancelled: `cancel` was called.
        """
        now = time.monotonic()
        while now < self._held_until and not self._cancelled.wait(self._held_until - now):
            now = time.monotonic()
        if self.cancelled:
            raise Cancelled
        if self._on_progress and (now - self._last >= self._interval or (total and done == total)):
            self._last = now
            self._on_progress(done, total)
