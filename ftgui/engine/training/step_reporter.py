"""What a training says while it runs: bundles of steps, learning per layer, lines of ``metrics.jsonl``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from ftgui.engine.model.freezing import Freezer
from ftgui.engine.training.run_writer import RunFolder
from ftgui.protocol import messages as m

Emit = Callable[[m.Event], None]

MESSAGES_PER_SECOND = 15

STEPS_PER_MESSAGE = 10
"""At most: a loss that explodes is seen within so many steps also where steps are fast and watching is slow."""

LEARNING_SECONDS = 0.25
"""Between two looks at how much each layer moves."""

LEARNING_SHARE = 0.02
"""Of the time spent training, looking may take."""

_SMOOTHING = 0.6
"""Weight of what was seen before."""


@dataclass
class _Waiting:
    """Steps to be told. Losses stay on the device until then: one copy a message, not one a step."""

    steps: list[int] = field(default_factory=list)
    losses: list[torch.Tensor] = field(default_factory=list)
    correct: list[torch.Tensor] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    since: float = 0.0


class StepTeller:
    """Gathers steps and tells them at most 15 times a second.

    Args:
        emit: takes the events.
        run: gets a line for every step.
    """

    def __init__(self, emit: Emit, run: RunFolder) -> None:
        self._emit = emit
        self._run = run
        self._waiting = _Waiting()
        self._busy_seconds = 0.0
        self._images = 0

    def note(
        self, step: int, loss: torch.Tensor, accuracy: torch.Tensor, rate: float, images: int, took: float
    ) -> bool:
        """Remember a step.

        Args:
            step: from 1.
            loss: of the batch, on the device.
            accuracy: share that was right, on the device.
            rate: applied learning rate.
            images: in the batch.
            took: seconds.

        Returns:
            whether it is time to `tell`.
        """
        waiting = self._waiting
        waiting.steps.append(step)
        waiting.losses.append(loss)
        waiting.correct.append(accuracy)
        waiting.rates.append(rate)
        self._busy_seconds += took
        self._images += images
        due = time.monotonic() - waiting.since >= 1 / MESSAGES_PER_SECOND
        return due or (self._busy_seconds > 1 and len(waiting.steps) >= STEPS_PER_MESSAGE)

    def tell(self, phase: int, epoch: int, seconds_left: float, groups: list[m.GroupRate]) -> list[float]:
        """Send what waits. The one place where a device-to-host copy is paid for during an epoch.

        Returns:
            the losses told.
        """
        waiting = self._waiting
        if not waiting.steps:
            return []
        losses = torch.stack(waiting.losses).float().tolist()
        accuracies = torch.stack(waiting.correct).float().tolist()
        self._emit(
            m.Steps(
                step=waiting.steps,
                loss=losses,
                accuracy=accuracies,
                lr=waiting.rates,
                phase=phase,
                epoch=epoch,
                images_per_second=self._images / self._busy_seconds if self._busy_seconds else 0.0,
                seconds_left=seconds_left,
                groups=groups,
            )
        )
        told = zip(waiting.steps, losses, accuracies, waiting.rates, strict=True)
        self._run.log_all("step", ({"step": s, "loss": lo, "accuracy": a, "lr": lr} for s, lo, a, lr in told))
        self._waiting = _Waiting(since=time.monotonic())
        # Decay, so that the rate is that of the last seconds.
        self._busy_seconds *= 0.9
        self._images = int(self._images * 0.9)
        return losses


class LearningMeter:
    """How much each layer learns: the norm of a step's update divided by the norm of the weights.

    It looks at single steps, at most 4 a second and never for more than 2 % of the time.

    Args:
        freezer: says what learns.
        emit: takes `LayerLearning`.
    """

    def __init__(self, freezer: Freezer, emit: Emit) -> None:
        self._freezer = freezer
        self._emit = emit
        self._smoothed: dict[int, float] = {}
        self._rows: list[int] = []
        self._parameters: list[nn.Parameter] = []
        self._lengths: list[int] = []
        self._before: list[torch.Tensor] = []
        self._next = 0.0
        self._cost = 0.0
        self.layers_changed()

    def layers_changed(self) -> None:
        """Other layers learn from now on."""
        by_row = self._freezer.learning_by_row()
        self._rows = list(by_row)
        self._lengths = [len(parameters) for parameters in by_row.values()]
        self._parameters = [parameter for parameters in by_row.values() for parameter in parameters]
        self._before = []
        self._smoothed = {row: value for row, value in self._smoothed.items() if row in by_row}

    def before_step(self) -> None:
        """Copy the weights if it is time to look."""
        now = time.monotonic()
        if now < self._next or not self._parameters:
            return
        self._before = [parameter.detach().clone() for parameter in self._parameters]
        self._cost = time.monotonic() - now

    def after_step(self, step: int) -> None:
        """Compare and tell, if they were copied."""
        if not self._before:
            return
        started = time.monotonic()
        present = [parameter.detach() for parameter in self._parameters]
        with torch.no_grad():
            changes = torch._foreach_norm(torch._foreach_sub(present, self._before))
            norms = torch.stack([*changes, *torch._foreach_norm(present)]).float().square().tolist()
        self._before = []
        count, at = len(changes), 0
        for row, length in zip(self._rows, self._lengths, strict=True):
            moved = sum(norms[at : at + length]) ** 0.5
            size = sum(norms[count + at : count + at + length]) ** 0.5
            at += length
            relative = moved / size if size else 0.0
            old = self._smoothed.get(row, relative)
            self._smoothed[row] = _SMOOTHING * old + (1 - _SMOOTHING) * relative
        self._emit(m.LayerLearning(step, list(self._rows), [self._smoothed[row] for row in self._rows]))
        now = time.monotonic()
        self._cost += now - started
        self._next = now + max(LEARNING_SECONDS, self._cost / LEARNING_SHARE)
