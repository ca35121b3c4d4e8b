"""The end of a run: its model is written and read back before anything says that it is done."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from ftgui.base.files import sweep
from ftgui.engine.model.model_folder_writer import Description, complete_card, write_model, write_weights
from ftgui.engine.training import checkpoint as checkpoints
from ftgui.engine.training.best_weights import BestWeights
from ftgui.engine.training.run_writer import RunFolder
from ftgui.protocol import messages as m
from ftgui.runs.model_folder import BEST_FOLDER, WEIGHTS_FILE

LAST_FOLDER = "last"
"""In a run's folder: the weights of the last epoch, and while it runs the checkpoint."""

TRIES = 2


@dataclass
class Outcome:
    """What a run leaves, kept in memory until it is on the disk.

    Args:
        run: its folder, which is never made anew.
        model: with the best weights, if there are any.
        description: of that model.
        best: weights and figures; without any, the model as it is counts.
        step: optimizer steps done.
        last: weights of the last epoch; None: there are none to keep.
        finished: what is to be told if the disk takes everything.
    """

    run: RunFolder
    model: nn.Module
    description: Description
    best: BestWeights
    step: int
    last: dict[str, torch.Tensor] | None
    finished: m.TrainingFinished

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.run.folder

    def write(self) -> m.TrainingFinished:
        """Write all there is, and once more where that fails.

        Returns:
            what is to be told.
        """
        problem = ""
        for _ in range(TRIES):
            try:
                self.write_again()
                return self.finished
            except OSError as error:
                problem = str(error)
                sweep(self.folder, self.folder / BEST_FOLDER, self.folder / LAST_FOLDER)
        told = self._failed(problem)
        # Where it can't be written either, the run has no end and is offered to be continued, as after a crash.
        with contextlib.suppress(OSError):
            self.run.write_result(_as_result(told))
        return told

    def _failed(self, problem: str) -> m.TrainingFinished:
        where = f"{self.folder} can't be written: {problem}"
        if not self.folder.is_dir():
            where = f"the run's folder {self.folder} is gone. It will not be created again"
        what = "its model could not be written" if self.finished.usable else "its result could not be written"
        text = f"Training ended, but {what}: {where}."
        reason = self.finished.reason
        return msgspec.structs.replace(
            self.finished,
            reason="failed" if reason in ("done", "stopped") else reason,
            message=text if reason in ("done", "stopped") else f"{self.finished.message} {text}",
            unsaved=self.finished.usable,
        )

    def write_again(self) -> None:
        """Write model, card and result where they belong; only then the checkpoint goes.

        Raises:
            OSError: something can't be written; the checkpoint is still there.
        """
        self.run.complete()
        if self.best.best is not None:
            self.best.write(at_once=True)  # where it was not at the end of the last phase
        elif self.finished.usable:
            self.write_model_to(self.folder / BEST_FOLDER)
        if self.last is not None:
            write_weights(self.folder / LAST_FOLDER / WEIGHTS_FILE, self.last)
        self.run.metrics_bytes()
        complete_card(self.folder, self.description)
        self.run.write_result(_as_result(self.finished))
        if self.finished.reason in ("done", "exploded"):
            checkpoints.remove(self.folder)

    def write_model_to(self, folder: Path) -> None:
        """Write the model to any folder, which is made if it does not exist.

        Raises:
            OSError: it can't be written.
        """
        if self.best.best is not None:
            self.best.write_to(folder)
        else:
            write_model(folder, self.model, self.description, {"step": self.step})


def _as_result(finished: m.TrainingFinished) -> dict[str, Any]:
    """As ``result.json`` has it."""
    result = msgspec.structs.asdict(finished)
    if finished.evaluation is not None:
        result["evaluation"] = msgspec.structs.asdict(finished.evaluation)
    return result
