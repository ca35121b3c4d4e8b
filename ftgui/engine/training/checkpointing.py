"""When a run's checkpoint is written, what it is made of, and how a run goes on from one."""

from __future__ import annotations

import math
import time

import torch

from ftgui.engine.errors import EngineError
from ftgui.engine.model.filling import fill
from ftgui.engine.training import checkpoint as checkpoints
from ftgui.engine.training.checkpoint import Checkpoint, restoring
from ftgui.engine.training.guarded_writes import GuardedWrites
from ftgui.engine.training.run_state import PhaseState, RunState
from ftgui.engine.training.run_writer import RunFolder

CHECKPOINT_SECONDS = 5.0
"""Between two checkpoints at least; more where writing one takes long (`CHECKPOINT_SHARE`)."""

CHECKPOINT_SHARE = 0.02
"""Of the time, checkpoints may take."""


class Checkpointer:
    """Writes checkpoints, often enough to lose little and seldom enough to cost little.

    Args:
        log: of the run; a checkpoint keeps its length, so that what is written later can be cut off.
        guarded: takes care of a disk that does not take a checkpoint.
        device: of the model.
    """

    def __init__(self, log: RunFolder, guarded: GuardedWrites, device: torch.device) -> None:
        self._log = log
        self._guarded = guarded
        self._device = device
        self._due = math.inf
        """The first one is written when a phase begins."""

    @property
    def is_due(self) -> bool:
        """The last one is old enough."""
        return time.monotonic() >= self._due

    def save(self, phase: PhaseState) -> None:
        """Replace the run's checkpoint by one of this moment."""
        started = time.monotonic()
        self._guarded("checkpoint", lambda: self._write(phase))
        cost = time.monotonic() - started
        self._due = time.monotonic() + max(CHECKPOINT_SECONDS, cost / CHECKPOINT_SHARE)

    def _write(self, phase: PhaseState) -> None:
        random = checkpoints.random_states(self._device)
        checkpoints.save(self._log.folder, checkpoint_of(phase, random, self._log.metrics_bytes()))


def checkpoint_of(phase: PhaseState, random: dict[str, torch.Tensor], metrics_bytes: int) -> Checkpoint:
    """A run as it is now. Nothing is copied: it is to be written before the next step.

    Args:
        phase: the present one, with its run.
        random: see `checkpoint.random_states`.
        metrics_bytes: how long the run's log is.
    """
    run = phase.run
    model = run.freezer.model.state_dict()
    return Checkpoint(
        at=run.at,
        trainable=sorted(run.freezer.trainable),
        part=run.accumulation.part,
        seconds=run.seconds,
        early_stopping=run.early_stopping.state_dict(),
        divergence=run.divergence.state_dict(),
        best=run.best.state_dict(),
        model={name: model[name] for name in run.best.touched},
        ended=phase.ended,
        views=phase.views,
        frozen_hash=phase.frozen_hash,
        optimizer=phase.optimizer.state_dict(),
        average=phase.average.state_dict() if phase.average is not None else {},
        train_metrics=phase.train_metrics.state_dict(),
        random=random,
        metrics_bytes=metrics_bytes,
    )


@restoring()
def restore_run(run: RunState, checkpoint: Checkpoint, phases: int) -> None:
    """Put back what holds over all phases; the phase's part follows when there is one.

    Args:
        run: at its beginning, with the weights its recipe starts from.
        checkpoint: of the same run.
        phases: of the recipe.

    Raises:
        EngineError: it does not fit the recipe or the model.
    """
    if checkpoint.at.phase >= phases:
        raise EngineError("The checkpoint belongs to a recipe with more phases than this one.")
    run.at = checkpoint.at
    run.seconds_before = checkpoint.seconds
    run.accumulation.part = checkpoint.part
    run.early_stopping.load_state_dict(checkpoint.early_stopping)
    run.divergence.load_state_dict(checkpoint.divergence)
    freezer = run.freezer
    state, kept = freezer.model.state_dict(), checkpoint.model
    if any(name not in state or state[name].shape != value.shape for name, value in kept.items()):
        raise EngineError("The checkpoint belongs to a different model from the recipe's.")
    run.best.touch(list(kept))  # while the model is what it was in the beginning
    run.best.load_state_dict(checkpoint.best)
    fill(freezer.model, kept)
    if not set(checkpoint.trainable) <= set(freezer.tree.names.units):
        raise EngineError("The checkpoint belongs to a different model from the recipe's: it has other layers.")
    freezer.set_trainable(set(checkpoint.trainable))


@restoring()
def restore_phase(phase: PhaseState, checkpoint: Checkpoint, device: torch.device) -> None:
    """Put back what began with the phase, and the state of the random generators.

    Raises:
        EngineError: the run began from other weights.
    """
    if phase.frozen_hash != checkpoint.frozen_hash:
        raise EngineError(
            "The run can't be continued: the pretrained weights are not the ones it began with. Train again."
        )
    phase.ended = checkpoint.ended
    phase.views = checkpoint.views
    phase.optimizer.load_state_dict(checkpoint.optimizer)
    if phase.average is not None:
        phase.average.load_state_dict(checkpoint.average)
    phase.train_metrics.load_state_dict(checkpoint.train_metrics)
    checkpoints.restore_random_states(checkpoint.random, device)
