"""Temperature scaling: one number that calibrates a model (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ftgui.data.metrics import calibration_error, reliability

COLDEST, WARMEST = 0.05, 20.0
_MOST_IMAGES, _MOST_LOGITS = 20_000, 1_000_000
"""That the fit looks at: one number needs no more, and it takes a fifth of a second then."""


@dataclass(frozen=True)
class Calibration:
    """Of a model on its validation images."""

    temperature: float = 1.0
    """Logits are divided by it before the softmax."""
    error_before: float = float("nan")
    """Expected calibration error of the plain softmax, 0 to 1."""
    error_after: float = float("nan")


def calibrate(logits: torch.Tensor, targets: torch.Tensor) -> Calibration:
    """Fit a temperature.

    Args:
        logits: (N, K) of the validation images.
        targets: (N,) int64.
    """
    stride = max(1, -(-len(logits) // _MOST_IMAGES), -(-logits.numel() // _MOST_LOGITS))
    logits, targets = logits[::stride].double().cpu(), targets[::stride].cpu()
    if not len(logits) or not torch.isfinite(logits).all():
        return Calibration()
    temperature = fit_temperature(logits, targets)
    return Calibration(temperature, _error(logits, targets), _error(logits / temperature, targets))


def fit_temperature(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """The temperature that makes the targets likeliest.

    With a handful of images that are all right, that would be 0: as sure as can be. So the targets are softened by two
    imagined images, one right and one wrong, as Platt does it (1999, "Probabilistic outputs for support vector machines",
    2.2). One for each class would be too much where there are as many classes as images.
    """
    count, classes = logits.shape
    soft = torch.full_like(logits, 1 / (count + 2) / max(classes - 1, 1))
    soft[torch.arange(count), targets] = (count + 1) / (count + 2)

    def loss(temperature: float) -> float:
        return float(-(soft * (logits / temperature).log_softmax(1)).sum())

    # In 1/T the loss is convex, so it has one valley, and a golden-section search in log T cannot miss it.
    low, high = math.log(COLDEST), math.log(WARMEST)
    ratio = (5**0.5 - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(math.exp(left)), loss(math.exp(right))
    while high - low > 1e-3:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(math.exp(right))
    return round(math.exp((low + high) / 2), 4)


def _error(logits: torch.Tensor, targets: torch.Tensor) -> float:
    confidences, predictions = logits.softmax(1).max(1)
    return calibration_error(reliability(confidences.numpy(), (predictions == targets).numpy()))
