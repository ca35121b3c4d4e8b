"""A run that goes on: the process that trains says so in the run's folder, and takes it back at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftgui.base.files import reason
from ftgui.base.process_identity import ProcessMark, encode, live_mark, own_mark

log = logging.getLogger(__name__)

RUNNING_FILE = "running.json"
"""In a run's folder, while it trains; left behind by a process that was killed."""


@contextmanager
def marked_as_running(run_folder: Path) -> Iterator[None]:
    """Say for as long as this lasts that the run goes on. A disk that does not take it is no reason not to train."""
    path = run_folder / RUNNING_FILE
    try:
        path.write_bytes(encode(own_mark("training")))
    except OSError as error:
        log.warning("%s can't be written: %s", path, reason(error))
    try:
        yield
    finally:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s can't be removed: %s", path, reason(error))


def running_process(run_folder: Path) -> ProcessMark | None:
    """Who trains the run at this moment; None: nobody."""
    return live_mark(run_folder / RUNNING_FILE)
