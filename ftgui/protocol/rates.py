"""What is to be thought of a learning rate: one check and one cure, for form, terminal, engine and advice alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = "head"
"""Name of the layers that are new, as a phase has it."""


def rate(lr: float) -> str:
    """A learning rate: ``1e-3``, ``3.2e-4``."""
    if lr <= 0 or not math.isfinite(lr):
        return f"{lr:g}"
    exponent = math.floor(math.log10(lr) + 1e-9)
    mantissa = lr / 10**exponent
    return f"{mantissa:.4g}e{exponent}"


def suitable_rates(train: Sequence[str], scratch: bool) -> tuple[float, float]:
    """The range in which AdamW's peak rate usually works for what a phase lets learn.

    A new head, or a model without pretrained weights, has nothing to lose; pretrained layers have.

    Args:
        train: the phase's layers.
        scratch: the model has no pretrained weights.
    """
    return (1e-4, 3e-2) if scratch or list(train) == [HEAD] else (3e-6, 2e-3)


@dataclass(frozen=True)
class RateCheck:
    """On a rate, for what a phase lets learn."""

    kind: str
    """``"lr-high"``, ``"lr-low"``, or empty: it suits."""
    sentence: str
    """E.g. ``"a learning rate of 5e-1 is far above what suits a new head: training may never converge"``."""
    cure: float
    """The rate to try in its place; where it suits, itself."""


def check_rate(train: Sequence[str], lr: float, scratch: bool) -> RateCheck:
    """Whether a rate above 0 suits what a phase lets learn; see `suitable_rates`."""
    low, high = suitable_rates(train, scratch)
    what = "a model from scratch" if scratch else "a new head" if list(train) == [HEAD] else "pretrained layers"
    said = f"a learning rate of {rate(lr)}"
    if lr > high:
        harm = "training may never converge" if what != "pretrained layers" else "it will destroy what they know"
        return RateCheck("lr-high", f"{said} is far above what suits {what}: {harm}", _middle(low, high))
    if lr < low:
        text = f"{said} is far below what suits {what}: next to nothing would be learned"
        return RateCheck("lr-low", text, _middle(low, high))
    return RateCheck("", f"{said} suits {what}", lr)


def rate_after_divergence(train: Sequence[str], lr: float, planned: float, scratch: bool) -> float:
    """What to try after a loss diverged: the cure of a rate that is far too high, else a tenth of one that should have been
    fine; never more than the recipe planned.

    Args:
        train: the phase's layers.
        lr: the peak rate at which it diverged; may have been set by hand while it trained.
        planned: the recipe's.
        scratch: see `suitable_rates`.
    """
    check = check_rate(train, lr, scratch)
    cure = check.cure if check.kind == "lr-high" else lr / 10
    return min(float(f"{cure:.3g}"), planned)


def _middle(low: float, high: float) -> float:
    """Of a range of rates, in one figure."""
    return float(f"{math.sqrt(low * high):.0e}")
