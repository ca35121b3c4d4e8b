"""Which training images come when: drawn per (seed, epoch), so that nothing has to be remembered to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

_STREAM = 1 << 62
"""Keeps these draws apart from those of views, which use the same seed (see `ftgui.engine.input_pipeline.augmentation`)."""


def epoch_order(targets: Sequence[int], seed: int, epoch: int, balanced: bool = False) -> list[int]:
    """Positions of training images in the order of an epoch.

    Args:
        targets: class of each training image.
        seed: of the run.
        epoch: from 1.
        balanced: draw with replacement so that every class comes equally often; else each image comes once.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, _STREAM | epoch]))
    if not balanced:
        return random.permutation(len(targets)).tolist()  # type: ignore[no-any-return]
    counts = Counter(targets)
    weights = np.array([1 / (counts[target] * len(counts)) for target in targets])
    return random.choice(len(targets), size=len(targets), p=weights / weights.sum()).tolist()  # type: ignore[no-any-return]


def class_weights(targets: Sequence[int], classes: int) -> torch.Tensor:
    """(K,) factors of the loss: inverse to how many training images a class has, 1 on average over the images."""
    counts = Counter(targets)
    total, present = len(targets), len(counts)
    return torch.tensor([total / (present * counts[c]) if counts[c] else 0.0 for c in range(classes)])
