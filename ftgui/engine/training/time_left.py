"""How long a run will still take: measured where something was measured, estimated where somebody can, else not said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from ftgui.protocol.messages import CostEstimate
from ftgui.protocol.recipe import Phase

Estimate = Callable[[Phase, int, int], CostEstimate | None]
"""What a phase is expected to cost, for so many training and validation images; None where nobody knows."""


class TimeLeft:
    """Follows a run.

    Args:
        phases: of the run.
        estimate: for what was not measured yet.
    """

    def __init__(self, phases: Sequence[Phase], estimate: Estimate) -> None:
        self._phases = phases
        self._estimate = estimate
        self._epoch: float | None = None
        """Seconds of an epoch with the present layers, as measured or, before the first one is over, as estimated."""
        self._later: float | None = None
        """Seconds of all phases that follow."""
        self._aside = 0.0

    def layers_changed(self, phase: int, layers: list[str], train: int, val: int) -> None:
        """Nothing that was measured holds any more.

        Args:
            phase: index of the one that runs.
            layers: that learn now.
            train: number of training images.
            val: number of validation images.
        """
        now = self._estimate(msgspec.structs.replace(self._phases[phase], train=layers), train, val)
        self._epoch = now.epoch_seconds if now else None
        costs = [(later, self._estimate(later, train, val)) for later in self._phases[phase + 1 :]]
        known = [cost.prefix_seconds + later.epochs * cost.epoch_seconds for later, cost in costs if cost]
        self._later = sum(known) if len(known) == len(costs) else None

    def seconds_left(self, epochs: float) -> float:
        """Of the run, if no phase ends early; -1 while there is nothing to go by.

        Args:
            epochs: that are left of the present phase.
        """
        if self._epoch is None or self._later is None:
            return -1.0
        return max(0.0, epochs) * self._epoch + self._later

    # --- what is measured -------------------------------------------------------------------------------------------

    def set_aside(self, seconds: float) -> None:
        """These were no part of what an epoch takes: the person paused."""
        self._aside += seconds

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Nor is what happens here, pauses in it counted once."""
        started, before = time.monotonic(), self._aside
        try:
            yield
        finally:
            self._aside = before + time.monotonic() - started

    def stopwatch(self) -> Callable[[], float]:
        """Starts now; gives the seconds since then that belong to an epoch."""
        started, aside = time.monotonic(), self._aside
        return lambda: time.monotonic() - started - (self._aside - aside)

    def epoch_took(self, seconds: float) -> None:
        """A whole one, with the present layers."""
        self._epoch = seconds
