"""Figures over many batches, gathered on the device and read once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch.nn import functional

from ftgui.engine.training.calibration import Calibration, calibrate


@dataclass(frozen=True)
class Metrics:
    """The outcome of an evaluation."""

    confusion: torch.Tensor
    """(K, K) int64 on the CPU; rows: true class, columns: predicted."""
    loss: float
    """Mean cross-entropy without label smoothing; NaN without samples."""
    logits: torch.Tensor | None = None
    """(N, K), where they were kept."""
    targets: torch.Tensor | None = None
    """(N,) likewise."""
    known_calibration: Calibration | None = None
    """Of figures that come from a checkpoint."""

    @cached_property
    def calibration(self) -> Calibration:
        """How to calibrate the model; computed when somebody asks."""
        if self.known_calibration is not None:
            return self.known_calibration
        if self.logits is None or self.targets is None:
            return Calibration()
        return calibrate(self.logits, self.targets)

    @property
    def accuracy(self) -> float:
        """Share of samples on the diagonal; NaN without samples."""
        total = int(self.confusion.sum())
        return int(self.confusion.diag().sum()) / total if total else float("nan")

    @property
    def recall(self) -> list[float]:
        """Per class, the share of its samples that were recognised; NaN for a class without samples."""
        totals = self.confusion.sum(1).tolist()
        right = self.confusion.diag().tolist()
        return [hit / total if total else float("nan") for hit, total in zip(right, totals, strict=True)]


class MetricAccumulator:
    """Adds up batches; `figures` is the only device-to-host copy.

    Args:
        classes: K.
        device: of the batches.
        keep: the logits too, which a calibration takes.
    """

    def __init__(self, classes: int, device: torch.device, keep: bool = False) -> None:
        self._classes = classes
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] | None = [] if keep else None
        self._counts = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self._loss = torch.zeros((), device=device)
        self._samples = 0

    def reset(self) -> None:
        """Begin anew. What `figures` gave stays as it is."""
        self._kept = [] if self._kept is not None else None
        self._counts = torch.zeros_like(self._counts)
        self._loss = torch.zeros_like(self._loss)
        self._samples = 0

    def add(self, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Args: logits (N, K), targets (N,)."""
        cells = targets * self._classes + logits.argmax(1)
        self._counts += torch.bincount(cells, minlength=self._classes**2)
        self._loss += functional.cross_entropy(logits.float(), targets, reduction="sum")
        self._samples += len(targets)
        if self._kept is not None:
            self._kept.append((logits.detach().float(), targets))

    def figures(self) -> Metrics:
        """Of all batches so far."""
        confusion = self._counts.cpu().view(self._classes, self._classes)
        loss = float(self._loss) / self._samples if self._samples else float("nan")
        if not self._kept:
            return Metrics(confusion, loss)
        logits, targets = (torch.cat(parts) for parts in zip(*self._kept, strict=True))
        return Metrics(confusion, loss, logits, targets)

    def state_dict(self) -> dict[str, Any]:
        """All that was added up, without logits that were kept; for a checkpoint."""
        return {"samples": self._samples, "counts": self._counts, "loss": self._loss}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._samples = state["samples"]
        self._counts.copy_(state["counts"])
        self._loss.copy_(state["loss"])


def figures_for(epoch: int, validated: bool, figures: Metrics) -> dict[str, Any]:
    """What a finished model says of how good it is.

    Args:
        epoch: its weights are of.
        validated: the figures are of validation images.
        figures: with the confusion (K, K); of which three numbers a class are kept, because K may be thousands.
    """
    if not validated or not math.isfinite(figures.accuracy):
        return {"val_accuracy": None, "epoch": epoch}
    confusion, calibration = figures.confusion, figures.calibration
    errors = (calibration.error_before, calibration.error_after)
    before, after = (error if math.isfinite(error) else None for error in errors)
    return {
        "val_accuracy": figures.accuracy,
        "epoch": epoch,
        "right": confusion.diag().tolist(),
        "support": confusion.sum(1).tolist(),
        "called": confusion.sum(0).tolist(),
        "calibration_error_before": before,
        "calibration_error": after,
    }
