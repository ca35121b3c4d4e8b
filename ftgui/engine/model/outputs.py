"""What a model's forward returns."""

from __future__ import annotations

import torch


def as_logits(output: object) -> torch.Tensor:
    """(N, K) from a model's output; models with auxiliary heads return several in training, the first is the main one."""
    if isinstance(output, torch.Tensor):
        return output
    first = output[0]  # type: ignore[index]
    assert isinstance(first, torch.Tensor)
    return first
