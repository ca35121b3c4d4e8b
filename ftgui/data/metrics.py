"""How good a model's answers are: the one place where the figures of the window, the terminal and the report come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """What a model said of N labelled images."""

    class_names: list[str]
    """Of labels and answers, sorted."""
    labels: Counts
    """(N,) indices into `class_names`."""
    predictions: Counts
    """(N,) likewise: the most probable class."""
    confidences: Floats
    """(N,) its probability, 0 to 1."""
    unanswered: int = 0
    """Images that the model was not asked about."""

    @property
    def right(self) -> Bools:
        """(N,)."""
        return np.equal(self.labels, self.predictions)

    def confusion(self) -> Counts:
        """(K, K). Rows: what it is; columns: what the model said."""
        count = len(self.class_names)
        return np.bincount(self.labels * count + self.predictions, minlength=count * count).reshape(count, count)


def answers_from(said: Sequence[tuple[str, str, float]], unanswered: int = 0) -> Answers:
    """From label, answer and its probability of each image."""
    names = sorted({name for label, answer, _ in said for name in (label, answer)})
    index = {name: number for number, name in enumerate(names)}
    return Answers(
        names,
        np.array([index[label] for label, _, _ in said], np.int64),
        np.array([index[answer] for _, answer, _ in said], np.int64),
        np.array([confidence for _, _, confidence in said], np.float64),
        unanswered,
    )


@dataclass(frozen=True)
class ClassFigures:
    """(K,) each. NaN where nothing can be said: precision of a class never answered, recall of one without images."""

    precision: Floats
    """Of the images called so, the share that are."""
    recall: Floats
    """Of the images that are, the share called so."""
    f1: Floats
    """Harmonic mean of the two; 0 where one is 0."""
    support: Counts
    """Images that are of the class."""


def class_figures(confusion: Counts) -> ClassFigures:
    """Args: confusion (K, K), rows true."""
    return class_figures_from(np.diag(confusion), confusion.sum(1), confusion.sum(0))


def class_figures_from(right: Counts, support: Counts, called: Counts) -> ClassFigures:
    """What `class_figures` needs of a confusion table, (K,) each: images recognised, images that are of the class, images
    called so."""
    hits = right.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(called > 0, hits / called, np.nan)
        recall = np.where(support > 0, hits / support, np.nan)
        # Written so that a class that was never answered, but has images, has an F1 of 0 and not of NaN.
        f1 = np.where(support + called > 0, 2 * hits / (support + called), np.nan)
    return ClassFigures(precision, recall, f1, support)


def accuracy(confusion: Counts) -> float:
    """Share on the diagonal; NaN without images."""
    total = int(confusion.sum())
    return int(np.trace(confusion)) / total if total else math.nan


def interval(right: int, total: int) -> tuple[float, float]:
    """95 % confidence interval of a share, 0 to 1 (Wilson 1927): what a test with other images of the kind could give.

    Unlike the normal approximation it is right for few images and never leaves 0 to 1.
    """
    if not total:
        return 0.0, 1.0
    z = 1.959964
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def confused_pairs(confusion: Counts, most: int) -> list[tuple[int, int, int]]:
    """Count, true class, answered class of the most frequent mistakes, most frequent first."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    flat = wrong.ravel()
    order = np.argsort(-flat, kind="stable")[:most]
    return [(int(flat[at]), *divmod(int(at), len(wrong))) for at in order if flat[at]]


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean; NaN when empty."""
    accuracy: float
    """NaN when empty."""


def reliability(confidences: Floats, right: Bools, bins: int = 10) -> list[Bin]:
    """Is the model right as often as it says? Equal widths (Guo et al. 2017, arXiv 1706.04599).

    Args:
        confidences: (N,), 0 to 1.
        right: (N,).
        bins: each from above its low to its high; 0 belongs to the first.
    """
    place = np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sure = np.bincount(place, confidences, minlength=bins)
    hits = np.bincount(place, right.astype(np.float64), minlength=bins)
    return [
        Bin(
            at / bins,
            (at + 1) / bins,
            int(counts[at]),
            float(sure[at] / counts[at]) if counts[at] else math.nan,
            float(hits[at] / counts[at]) if counts[at] else math.nan,
        )
        for at in range(bins)
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over all answers; NaN without any."""
    total = sum(one.count for one in bins)
    if not total:
        return math.nan
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins if one.count) / total


@dataclass(frozen=True)
class Coverage:
    """What comes of answering only when sure enough."""

    thresholds: Floats
    """(T,) rising; "don't know" below."""
    coverage: Floats
    """(T,) share of images that are answered."""
    accuracy: Floats
    """(T,) share of those that are right; NaN where none is."""

    def at(self, threshold: float) -> tuple[float, float]:
        """Coverage and accuracy at a threshold."""
        place = int(np.searchsorted(self.thresholds, threshold - 1e-9))
        place = min(place, len(self.thresholds) - 1)
        return float(self.coverage[place]), float(self.accuracy[place])


def coverage(confidences: Floats, right: Bools, steps: int = 100) -> Coverage:
    """For thresholds 0, 1/steps … 1.

    Args:
        confidences: (N,).
        right: (N,).
        steps: between 0 and 1.
    """
    thresholds = np.arange(steps + 1) / steps
    order = np.argsort(confidences, kind="stable")
    hits_above = np.concatenate([np.cumsum(right[order][::-1])[::-1], [0]]).astype(np.float64)
    first = np.searchsorted(confidences[order], thresholds - 1e-9)
    answered = len(confidences) - first
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(answered > 0, hits_above[first] / answered, np.nan)
        covered = answered / len(confidences) if len(confidences) else np.zeros_like(thresholds)
    return Coverage(thresholds, covered, share)
