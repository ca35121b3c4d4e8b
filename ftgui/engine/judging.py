"""What the present model says of every image of a dataset: right or wrong, how sure, and how much its class surprises it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import nn

from ftgui.data.formats import ImageError
from ftgui.data.records import Sample
from ftgui.engine.outputs import as_logits
from ftgui.engine.preprocess import Pixels, Preprocessing, center_view, decode, to_batch

BATCH = 32


@dataclass
class Portion:
    """Some judged images, in order."""

    samples: list[Sample] = field(default_factory=list)
    predictions: list[int] = field(default_factory=list)
    """Index of the most probable class."""
    confidences: list[float] = field(default_factory=list)
    """Its probability."""
    losses: list[float] = field(default_factory=list)
    """Minus the logarithm of the probability of the sample's own class."""


def judge(
    model: nn.Module,
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    device: torch.device,
    poll: Callable[[], object],
) -> Iterator[Portion]:
    """Look at every sample once, as prediction does; what can't be read is left out.

    Args:
        model: in any mode; left in eval mode.
        samples: their targets count the model's outputs.
        preprocessing: of the model.
        device: of the model.
        poll: called between batches; what it raises ends the judging.
    """
    model.eval()
    with ThreadPoolExecutor(2, thread_name_prefix="judge") as pool:
        try:
            for batch, views in _batches(pool, samples, preprocessing):
                poll()
                if views:
                    yield _judged(model, batch, views, preprocessing, device)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _batches(
    pool: ThreadPoolExecutor, samples: Sequence[Sample], preprocessing: Preprocessing
) -> Iterator[tuple[list[Sample], list[Pixels]]]:
    waiting: deque[tuple[Sample, Future[Pixels]]] = deque()
    upcoming = iter(samples)
    while True:
        while len(waiting) < 2 * BATCH and (sample := next(upcoming, None)) is not None:
            waiting.append((sample, pool.submit(_view, sample, preprocessing)))
        if not waiting:
            return
        read: list[Sample] = []
        views: list[Pixels] = []
        for _ in range(min(BATCH, len(waiting))):
            sample, future = waiting.popleft()
            try:
                views.append(future.result())
                read.append(sample)
            except ImageError:  # the check names it
                continue
        yield read, views


def _view(sample: Sample, preprocessing: Preprocessing) -> Pixels:
    return center_view(decode(sample.path, preprocessing), preprocessing.size)


def _judged(
    model: nn.Module, samples: list[Sample], views: list[Pixels], preprocessing: Preprocessing, device: torch.device
) -> Portion:
    with torch.inference_mode():
        logits = as_logits(model(to_batch(views, preprocessing, device))).float()
        confidences, predictions = logits.softmax(1).max(1)
        targets = torch.tensor([sample.target for sample in samples], device=logits.device)
        losses = nn.functional.cross_entropy(logits, targets, reduction="none")
    finite = [loss if math.isfinite(loss) else 1e9 for loss in losses.tolist()]
    return Portion(samples, predictions.tolist(), confidences.tolist(), finite)
