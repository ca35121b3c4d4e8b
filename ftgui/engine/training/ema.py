"""The exponential moving average of the parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


class ParameterEMA:
    """An exponential moving average of the parameters that learn (Polyak averaging): evaluated and kept in their place.

    Args:
        decay: per step; the first steps use a smaller one, so that the random start is soon forgotten.
        device: of the parameters.
    """

    def __init__(self, decay: float, device: torch.device) -> None:
        self.decay = decay
        self._device = device
        self.values: dict[str, torch.Tensor] = {}
        self._updates = 0

    def update(self, named: Iterable[tuple[str, nn.Parameter]]) -> None:
        """After an optimizer step."""
        self._updates += 1
        weight = 1 - min(self.decay, (1 + self._updates) / (10 + self._updates))
        for name, parameter in named:
            value = self.values.get(name)
            if value is None or value.shape != parameter.shape:
                self.values[name] = parameter.detach().clone()
            else:
                value.lerp_(parameter.detach(), weight)

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget what no longer learns: a frozen layer is what it is, not what it was on average."""
        learning = set(names)
        self.values = {name: value for name, value in self.values.items() if name in learning}

    def swap(self, model: nn.Module) -> None:
        """Exchange the model's values with the averages; a second call puts them back."""
        with torch.no_grad():
            for name, value in self.values.items():
                parameter = model.get_parameter(name)
                kept = parameter.detach().clone()
                parameter.copy_(value)
                value.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """The averages by name of parameter, and after how many updates, for a checkpoint. Nothing is copied."""
        return {"updates": self._updates, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._updates = state["updates"]
        self.values = {name: value.to(self._device) for name, value in state["values"].items()}
