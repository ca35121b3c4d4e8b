"""Why a run ended, in a sentence, and what it leaves in the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from ftgui.engine.memory_limits import sentence as out_of_memory_sentence
from ftgui.engine.training.best_weights import BestWeights
from ftgui.engine.training.run_state import PhaseState, RunState
from ftgui.protocol import messages as m
from ftgui.protocol.rates import rate, rate_after_divergence


@dataclass(frozen=True)
class Ending:
    """Why a run ended."""

    reason: str
    """As `TrainingFinished` has it."""
    message: str
    """A sentence."""
    suggested_lr: float = 0.0
    """To try after the loss diverged."""


DONE = Ending("done", "Training is done.")


def stopped(run: RunState, continued: bool) -> Ending:
    """A person stopped it; says what is kept."""
    if not run.begun and continued:
        message = "Stopped before it continued; nothing has changed."
    elif run.best.best is not None:
        message = "Stopped; the best weights so far are kept."
    elif run.at.step:
        message = "Stopped before the first epoch was over; the weights of this moment are kept."
    else:
        message = "Stopped before the first step."
    return Ending("stopped", message)


def diverged(phase: PhaseState, from_scratch: bool) -> Ending:
    """The loss diverged; says at which rate, and which to try.

    Args:
        phase: in which it did.
        from_scratch: the run began with random weights.
    """
    run, settings, peak = phase.run, phase.settings, phase.optimizer.peak
    lower = rate_after_divergence(settings.train, peak, settings.lr, from_scratch)
    kept = "The best weights from before are kept." if run.best.best else "The weights are what they were at the start."
    message = (
        f"The loss diverged at step {run.at.step:,}: a learning rate of {rate(peak)} is too high for the "
        f"phase “{settings.name}”. {kept} Try {rate(lower)}."
    )
    return Ending("exploded", message, lower)


def out_of_memory(run: RunState) -> Ending:
    """Memory was not enough, even with few images at a time."""
    if run.at.phase < 0:
        message = (
            "There was not enough memory to read the images. Close other programs, or choose a model with a smaller "
            "input size."
        )
    else:
        message = out_of_memory_sentence(run.accumulation.part)
    return Ending("failed", message)


def last_weights(run: RunState) -> dict[str, torch.Tensor]:
    """The weights of the last epoch; those that the best weights will take the place of are copied."""
    last: dict[str, torch.Tensor] = dict(run.freezer.model.state_dict())
    if run.best.best is not None:
        last |= {name: last[name].detach().to("cpu", copy=True) for name in run.best.touched}
    return last


def settle_weights(run: RunState, reason: str) -> bool:
    """Put into the model what is to be kept of the run, and leave it in eval mode.

    Returns:
        whether those weights learned something.
    """
    usable = False
    if run.best.best is not None:
        run.best.load()
        usable = True
    elif reason == "exploded":
        run.best.load_initial()
    elif reason == "stopped":
        # Stopped before the first epoch was over: what was learned so far is all there is.
        usable = run.at.step > 0
    run.freezer.model.eval()
    return usable


def finished_event(
    run: RunState, ending: Ending, run_folder: Path, class_names: list[str], usable: bool, validation: str
) -> m.TrainingFinished:
    """What is told of a run that ended.

    Args:
        run: with its best weights.
        ending: why it ended.
        run_folder: of the run.
        class_names: of the model.
        usable: see `settle_weights`.
        validation: see `validation_key`.
    """
    best, evaluation = run.best.best, _evaluation(run.best, class_names)
    return m.TrainingFinished(
        run_folder=str(run_folder),
        reason=ending.reason,
        message=ending.message,
        best_epoch=best.epoch if best else 0,
        best_accuracy=evaluation.accuracy if evaluation else math.nan,
        steps=run.at.step,
        seconds=run.seconds,
        evaluation=evaluation,
        phase=max(run.at.phase, 0),
        suggested_lr=ending.suggested_lr,
        usable=usable,
        validation=validation,
    )


def _evaluation(weights: BestWeights, class_names: list[str]) -> m.Evaluation | None:
    """How good the best weights are on the validation images; None without weights or images."""
    best = weights.best
    if best is None or not weights.evaluated:
        return None
    calibration = best.figures.calibration
    return m.Evaluation(
        class_names,
        best.figures.confusion.tolist(),
        best.figures.loss,
        best.figures.accuracy,
        calibration.temperature,
        calibration.error_before,
        calibration.error_after,
    )
