"""The best weights of a run: remembered, put back, and brought to disk."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ftgui.engine.model.filling import fill
from ftgui.engine.model.model_folder_writer import Description, write_model
from ftgui.engine.training.calibration import Calibration
from ftgui.engine.training.ema import ParameterEMA
from ftgui.engine.training.metrics import Metrics, figures_for
from ftgui.runs.model_folder import WEIGHTS_FILE

BEST_SECONDS = 10.0
"""Between two writings of ``best/`` within a phase; the checkpoint keeps the best weights meanwhile."""


@dataclass
class BestSnapshot:
    """The best weights so far: of all tensors that could have changed by then."""

    epoch: int
    figures: Metrics
    weights: dict[str, torch.Tensor]

    @property
    def score(self) -> tuple[float, float]:
        """To be compared: accuracy, then lower loss."""
        return self.figures.accuracy, -self.figures.loss


class BestWeights:
    """Keeps copies of what learns: as it was in the beginning, and at its best.

    Args:
        model: being trained.
        folder: where the finished model goes, ``best/`` of the run.
        description: of that model.
    """

    def __init__(self, model: nn.Module, folder: Path, description: Description) -> None:
        self.best: BestSnapshot | None = None
        self.evaluated = False
        """The figures of `best` are of validation images."""
        self._model = model
        self._folder = folder
        self._description = description
        self._initial: dict[str, torch.Tensor] = {}
        self._unwritten = False
        self._written_at = 0.0

    @property
    def touched(self) -> list[str]:
        """Names of the tensors that could have changed so far."""
        return list(self._initial)

    @property
    def temperature(self) -> float:
        """Of the best weights; 1 where no validation images say another."""
        return self.best.figures.calibration.temperature if self.best is not None and self.evaluated else 1.0

    def touch(self, names: list[str]) -> None:
        """These tensors may change from now on: keep them as they are."""
        state = self._model.state_dict()
        for name in names:
            if name not in self._initial:
                self._initial[name] = state[name].detach().to("cpu", copy=True)

    def offer(self, epoch: int, figures: Metrics, average: ParameterEMA | None) -> bool:
        """The model after an epoch, averaged where there is an average.

        Returns:
            whether it is the best so far, and thereby kept.
        """
        if self.best is not None and (figures.accuracy, -figures.loss) <= self.best.score:
            return False
        state: dict[str, torch.Tensor] = dict(self._model.state_dict())
        if average is not None:
            state |= average.values
        weights = {name: state[name].detach().to("cpu", copy=True) for name in self._initial}
        self.best = BestSnapshot(epoch, figures, weights)
        self._unwritten = True
        return True

    def load(self) -> None:
        """Put the best weights into the model; what was touched later is as it was in the beginning."""
        if self.best is not None:
            fill(self._model, self._state())

    def load_initial(self) -> None:
        """Put the weights of the beginning into the model."""
        fill(self._model, self._initial)

    def write_to(self, folder: Path) -> None:
        """Write the best weights to any folder, whatever was written before.

        Raises:
            OSError: they can't be written.
        """
        assert self.best is not None, "nothing was offered"
        state = {**self._model.state_dict(), **self._state()}
        about = figures_for(self.best.epoch, self.evaluated, self.best.figures)
        write_model(folder, self._model, self._description, about, state, self.temperature)

    def write(self, at_once: bool) -> None:
        """Bring ``best/`` up to date, not more often than every few seconds unless ``at_once``.

        Raises:
            OSError: the disk is full, for instance.
        """
        if self.best is None or not (self._unwritten or self._is_gone()):
            return
        if at_once or time.monotonic() - self._written_at >= BEST_SECONDS:
            self.write_to(self._folder)
            self._unwritten = False
            self._written_at = time.monotonic()

    def _is_gone(self) -> bool:
        """What was written is not there any more: somebody deleted it, or its drive is away."""
        return not (self._folder / WEIGHTS_FILE).is_file()

    def _state(self) -> dict[str, torch.Tensor]:
        return {**self._initial, **(self.best.weights if self.best else {})}

    # --- checkpoints ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The best weights and their figures, for a checkpoint; empty while there are none. Nothing is copied."""
        if self.best is None:
            return {}
        figures = self.best.figures
        return {
            "epoch": self.best.epoch,
            "loss": figures.loss,
            "calibration": asdict(figures.calibration),
            "confusion": figures.confusion,
            "weights": self.best.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave; what may have changed by then must be known (see `touch`)."""
        if state:
            calibration = Calibration(**state["calibration"])
            figures = Metrics(state["confusion"], state["loss"], known_calibration=calibration)
            self.best = BestSnapshot(state["epoch"], figures, state["weights"])
            self._unwritten = True
