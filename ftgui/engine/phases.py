"""Optimizer and learning rate of a phase."""

from __future__ import annotations

import math

import torch
from torch import nn

from ftgui.protocol.recipe import Phase, Training


def make_optimizer(model: nn.Module, phase: Phase, training: Training, device: torch.device) -> torch.optim.AdamW:
    """AdamW over the parameters that learn, each in exactly one group; frozen ones are in none.

    Norm parameters and biases (one dimension or none) get no weight decay: shrinking them only takes scale away
    from layers that have no other (as in timm's and nanoGPT's parameter groups).
    """
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=phase.lr, fused=True if device.type == "cuda" else None
    )


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


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """For all groups."""
    for group in optimizer.param_groups:
        group["lr"] = lr
