"""What a killed process left in a run's folder, half written or needed no more, up to a model's size, is removed."""

from __future__ import annotations

import logging
from pathlib import Path

from ftgui.base.files import sweep
from ftgui.runs.model_folder import BEST_FOLDER
from ftgui.runs.run_folders import CHECKPOINT_FILE, read_result

log = logging.getLogger(__name__)


def sweep_run(folder: Path) -> None:
    """Remove it; what a living process writes there stays.

    A checkpoint goes last when a run is over, after its result is written: a process that was killed between the two has
    left one that nobody will go on from.
    """
    sweep(folder, folder / BEST_FOLDER, folder / CHECKPOINT_FILE.parent)
    checkpoint = folder / CHECKPOINT_FILE
    if not checkpoint.exists():
        return
    result = read_result(folder) or {}
    if result.get("reason") in ("done", "exploded") and not result.get("unsaved"):
        try:
            checkpoint.unlink(missing_ok=True)
        except OSError as error:
            log.info("the checkpoint of %s stays: %s", folder, error)  # read-only, for instance
