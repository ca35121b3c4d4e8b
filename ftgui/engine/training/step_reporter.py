"""What a training says while it runs: bundles of steps, learning per layer, lines of ``metrics.jsonl``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

from ftgui.engine.events import Emit
from ftgui.engine.training.run_writer import RunFolder
from ftgui.protocol import messages as m

MESSAGES_PER_SECOND = 15

STEPS_PER_MESSAGE = 10
"""At most: divergence is seen within so many steps also where steps are fast and watching is slow."""


@dataclass
class _Waiting:
    """Steps to be told. Losses stay on the device until then: one copy a message, not one a step."""

    steps: list[int] = field(default_factory=list)
    losses: list[torch.Tensor] = field(default_factory=list)
    correct: list[torch.Tensor] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    since: float = 0.0


class StepReporter:
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
            m.StepMetrics(
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
