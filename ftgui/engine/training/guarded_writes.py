"""A disk that does not take something is no reason to throw away what was learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftgui.base.files import reason
from ftgui.engine.events import Emit
from ftgui.protocol import messages as m


class GuardedWrites:
    """Writes into a run's folder; where that fails, says so once, and the training goes on.

    What could not be written is still in memory, and is tried again by whoever writes it next. When everything that failed
    could be written, that is said too.

    Args:
        folder: of the run.
        emit: takes the warnings.
    """

    def __init__(self, folder: Path, emit: Emit) -> None:
        self._folder = folder
        self._emit = emit
        self._not_written: set[str] = set()
        """What the disk did not take the last time."""

    def __call__(self, what: str, write: Callable[[], object]) -> None:
        """Write something.

        Args:
            what: its name, to tell it from others.
            write: does it, and may raise `OSError`.
        """
        try:
            write()
        except OSError as error:
            if not self._not_written:
                gone = "" if self._folder.is_dir() else " The run's folder is gone; it will not be created again."
                text = f"{self._folder} can't be written; training continues: {reason(error)}.{gone}"
                self._emit(m.Log("warning", text))
            self._not_written.add(what)
        else:
            if self._not_written == {what}:
                self._emit(m.Log("info", f"{self._folder} can be written again."))
            self._not_written.discard(what)
