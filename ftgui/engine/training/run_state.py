"""What a run has come to: all that steps, epochs and steering change, and all that a checkpoint keeps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.input_pipeline.feeds import Source
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.training.best_weights import BestWeights
from ftgui.engine.training.divergence import DivergenceMonitor
from ftgui.engine.training.early_stopping import EarlyStopping
from ftgui.engine.training.ema import ParameterEMA
from ftgui.engine.training.gradient_accumulation import Accumulation
from ftgui.engine.training.metrics import MetricAccumulator
from ftgui.engine.training.optimizer import PhaseOptimizer
from ftgui.engine.training.position import Position
from ftgui.engine.training.update_ratio import UpdateRatioMeter
from ftgui.protocol.recipe import Recipe
from ftgui.protocol.views import views_for


@dataclass
class RunState:
    """What holds over all phases."""

    freezer: Freezer
    """Of the model that is trained; says what learns."""
    best: BestWeights
    early_stopping: EarlyStopping
    divergence: DivergenceMonitor
    accumulation: Accumulation
    at: Position = field(default_factory=Position)
    begun: bool = False
    """A step may have been taken. Until then, the folder of a run that is continued stays as it is."""
    seconds_before: float = 0.0
    """Spent before the checkpoint that the run was continued from."""
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Spent so far, pauses included."""
        return self.seconds_before + time.monotonic() - self.started

    def begin_phase(self, index: int) -> None:
        """Go to the beginning of a phase."""
        self.at = Position(phase=index, epoch=self.at.epoch, step=self.at.step, phase_began=self.at.step)
        self.early_stopping.begin_phase()

    def set_trainable(self, units: set[int]) -> None:
        """Let exactly these units of the layer tree learn; what may change for the first time is kept as it is."""
        self.freezer.set_trainable(units)
        self.best.touch(self.freezer.learning_tensors())


class PhaseState:
    """What begins anew with every phase.

    Args:
        run: in the phase, with the phase's layers learning.
        recipe: of the run.
        source: of the images, which are read.
        classes: that the model tells apart.
        emit: takes `UpdateRatios`.
    """

    def __init__(self, run: RunState, recipe: Recipe, source: Source, classes: int, emit: Emit) -> None:
        training, device = recipe.training, source.device
        self.run = run
        self.settings = recipe.active_phases[run.at.phase]
        """Of the recipe."""
        self.steps_per_epoch = source.steps_per_epoch
        planned = self.settings.epochs * self.steps_per_epoch
        self.optimizer = PhaseOptimizer(run.freezer, self.settings, training, device, planned)
        self.average = ParameterEMA(training.ema, device) if training.ema else None
        """None where the recipe wants none."""
        self.update_ratios = UpdateRatioMeter(run.freezer, emit)
        self.train_metrics = MetricAccumulator(classes, device)
        """Of the running epoch."""
        self.frozen_hash = run.freezer.frozen_hash()
        """What `check_frozen` expects."""
        self.ended = False
        """A person ended the phase."""
        self._wanted_views = views_for(recipe, len(source.train_indices))
        self.views = self._views_left()
        """Augmented views of each image that are cached, if any are."""

    def _views_left(self) -> int:
        """As many as the recipe says, but no more than there are epochs to show them in."""
        return min(self._wanted_views, self.settings.epochs - self.run.at.epoch_in_phase)

    @property
    def step(self) -> int:
        """Steps of the phase that are done."""
        return self.run.at.epoch_in_phase * self.steps_per_epoch + self.run.at.batch

    @property
    def epochs_left(self) -> float:
        """With the rest of the running one."""
        return self.settings.epochs - self.run.at.epoch_in_phase - self.run.at.batch / self.steps_per_epoch

    @property
    def stops_early(self) -> bool:
        """Decided between epochs only, from what a checkpoint keeps."""
        return self.run.at.batch == 0 and self.run.early_stopping.is_due

    @property
    def is_over(self) -> bool:
        """All epochs are over, or the phase ends before."""
        return self.run.at.epoch_in_phase >= self.settings.epochs or self.ended or self.stops_early

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within this the model has the averages of its weights, where the recipe wants them."""
        if self.average is None:
            yield
            return
        model = self.run.freezer.model
        self.average.swap(model)
        try:
            yield
        finally:
            self.average.swap(model)

    def layers_changed(self) -> None:
        """Take over what the freezer says now."""
        self.frozen_hash = self.run.freezer.frozen_hash()
        self.optimizer.layers_changed(self.step)
        self.update_ratios.layers_changed()
        if self.average is not None:
            self.average.keep_only(name for name, _ in self.optimizer.named)
        self.views = self._views_left()

    def check_frozen(self, present: str) -> None:
        """Refuse to go on where something changed that was frozen.

        Args:
            present: what `Freezer.frozen_hash` says now.

        Raises:
            EngineError: it did.
        """
        if present != self.frozen_hash:
            raise EngineError("Frozen layers changed during the phase; this is a fault in ftgui. Please report it.")
