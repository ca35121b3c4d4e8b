"""Putting tensors into a model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def fill(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give a model's parameters and buffers of these names these values; the others stay.

    By way of the model's own dictionary, which says the version of each module: MNASNet takes none without.

    Raises:
        RuntimeError: a name that the model does not have, or another shape.
    """
    state = model.state_dict()
    state.update(tensors)
    model.load_state_dict(state)
