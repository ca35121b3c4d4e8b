"""The engine's log on disk: grows by what it writes to stderr, and never beyond twice its limit."""

from __future__ import annotations

from pathlib import Path

LOG_BYTES = 5_000_000
"""The log is begun anew above this size, at a start and in between; the one before is kept as ``engine.log.1``."""


class EngineLog:
    """One file.

    Args:
        path: made when needed, with its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._bytes = 0

    def begin(self) -> None:
        """The engine starts.

        Raises:
            OSError: there can be no file.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._bytes = self.path.stat().st_size if self.path.exists() else 0
        self._rotate_if_large()

    def write(self, data: bytes) -> None:
        """Add what it said.

        Raises:
            OSError: it can't be written.
        """
        with self.path.open("ab") as file:
            file.write(data)
        self._bytes += len(data)
        self._rotate_if_large()

    def _rotate_if_large(self) -> None:
        if self._bytes > LOG_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
            self._bytes = 0
