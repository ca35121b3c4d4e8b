"""The learning rate over a phase: one function, for the engine that trains by it and the window that draws it."""

from __future__ import annotations

import math


def learning_rate(peak: float, step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine to zero (Loshchilov & Hutter 2017, arXiv 1608.03983).

    Args:
        peak: the phase's rate.
        step: optimizer steps of the phase already done.
        steps: of the whole phase.
        warmup: share of them that warms up.
    """
    rising = round(steps * warmup)
    if step < rising:
        return peak * (step + 1) / (rising + 1)
    progress = (step - rising) / max(steps - rising, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
