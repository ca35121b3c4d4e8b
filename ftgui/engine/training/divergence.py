"""Noticing that training diverges, within a few steps."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

DIVERGED = 4.0
"""A mean loss of this many times guessing's is divergence, and no hard stretch."""

STEPS = 8
"""The mean is of so many steps: one bad batch is no divergence."""


class TrainingDiverged(Exception):
    """The loss is not a number any more, or far above what guessing would give."""


class DivergenceMonitor:
    """Sees every loss of a run.

    Args:
        classes: of the data set; guessing has a cross-entropy of their logarithm.
    """

    def __init__(self, classes: int) -> None:
        self._guessing = max(math.log(classes), 0.7)
        self._losses: deque[float] = deque(maxlen=STEPS)

    def see(self, losses: list[float]) -> None:
        """The losses of the next steps.

        Raises:
            TrainingDiverged: it did.
        """
        self._losses.extend(losses)
        if not all(map(math.isfinite, losses)):
            raise TrainingDiverged
        if len(self._losses) == STEPS and sum(self._losses) / STEPS > DIVERGED * self._guessing:
            raise TrainingDiverged

    def check(self, train: float, validation: float) -> None:
        """The mean losses of an epoch. Validation's may be large for reasons of its own (norm statistics that lag behind
        in a model from scratch), but it is a number.

        Raises:
            TrainingDiverged: it did.
        """
        if not (math.isfinite(train) and math.isfinite(validation)) or train > DIVERGED * self._guessing:
            raise TrainingDiverged

    def forget(self) -> None:
        """What was before a change of the rate says nothing about what comes."""
        self._losses.clear()

    def state_dict(self) -> dict[str, Any]:
        """The losses of the latest steps, for a checkpoint."""
        return {"losses": list(self._losses)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._losses = deque(state["losses"], maxlen=STEPS)
