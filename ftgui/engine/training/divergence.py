"""Noticing a loss that explodes, within a few steps."""

from __future__ import annotations

import math
from collections import deque

EXPLODED = 4.0
"""A mean loss of this many times guessing's is an explosion, and no hard stretch."""

STEPS = 8
"""The mean is of so many steps: one bad batch is no explosion."""


class LossExploded(Exception):
    """The loss is no number any more, or far above what guessing would give."""


class ExplosionWatch:
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
            LossExploded: it did.
        """
        self._losses.extend(losses)
        if not all(map(math.isfinite, losses)):
            raise LossExploded
        if len(self._losses) == STEPS and sum(self._losses) / STEPS > EXPLODED * self._guessing:
            raise LossExploded

    def judge(self, train: float, validation: float) -> None:
        """The mean losses of an epoch. Validation's may be large for reasons of its own (norm statistics that lag behind
        in a model from scratch), but it is a number.

        Raises:
            LossExploded: it did.
        """
        if not (math.isfinite(train) and math.isfinite(validation)) or train > EXPLODED * self._guessing:
            raise LossExploded

    def forget(self) -> None:
        """What was before a change of the rate says nothing about what comes."""
        self._losses.clear()

    def plain(self) -> list[float]:
        """For a checkpoint."""
        return list(self._losses)

    def restore(self, plain: list[float]) -> None:
        """See `plain`."""
        self._losses = deque(plain, maxlen=STEPS)
