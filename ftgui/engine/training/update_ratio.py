"""How much each layer moves: the size of its update beside the size of its weights."""

from __future__ import annotations

import time

import torch
from torch import nn

from ftgui.engine.events import Emit
from ftgui.engine.model.freezing import Freezer
from ftgui.protocol import messages as m

LEARNING_SECONDS = 0.25
"""Between two looks at how much each layer moves."""


LEARNING_SHARE = 0.02
"""Of the time spent training, looking may take."""


_SMOOTHING = 0.6
"""Weight of what was seen before."""


class UpdateRatioMeter:
    """How much each layer learns: the norm of a step's update divided by the norm of the weights.

    It looks at single steps, at most 4 a second and never for more than 2 % of the time.

    Args:
        freezer: says what learns.
        emit: takes `UpdateRatios`.
    """

    def __init__(self, freezer: Freezer, emit: Emit) -> None:
        self._freezer = freezer
        self._emit = emit
        self._smoothed: dict[int, float] = {}
        self._rows: list[int] = []
        self._parameters: list[nn.Parameter] = []
        self._lengths: list[int] = []
        self._before: list[torch.Tensor] = []
        self._next = 0.0
        self._cost = 0.0
        self.layers_changed()

    def layers_changed(self) -> None:
        """Other layers learn from now on."""
        by_row = self._freezer.learning_by_row()
        self._rows = list(by_row)
        self._lengths = [len(parameters) for parameters in by_row.values()]
        self._parameters = [parameter for parameters in by_row.values() for parameter in parameters]
        self._before = []
        self._smoothed = {row: value for row, value in self._smoothed.items() if row in by_row}

    def before_step(self) -> None:
        """Copy the weights if it is time to look."""
        now = time.monotonic()
        if now < self._next or not self._parameters:
            return
        self._before = [parameter.detach().clone() for parameter in self._parameters]
        self._cost = time.monotonic() - now

    def after_step(self, step: int) -> None:
        """Compare and tell, if they were copied."""
        if not self._before:
            return
        started = time.monotonic()
        present = [parameter.detach() for parameter in self._parameters]
        with torch.no_grad():
            changes = torch._foreach_norm(torch._foreach_sub(present, self._before))
            norms = torch.stack([*changes, *torch._foreach_norm(present)]).float().square().tolist()
        self._before = []
        count, at = len(changes), 0
        for row, length in zip(self._rows, self._lengths, strict=True):
            moved = sum(norms[at : at + length]) ** 0.5
            size = sum(norms[count + at : count + at + length]) ** 0.5
            at += length
            relative = moved / size if size else 0.0
            old = self._smoothed.get(row, relative)
            self._smoothed[row] = _SMOOTHING * old + (1 - _SMOOTHING) * relative
        self._emit(m.UpdateRatios(step, list(self._rows), [self._smoothed[row] for row in self._rows]))
        now = time.monotonic()
        self._cost += now - started
        self._next = now + max(LEARNING_SECONDS, self._cost / LEARNING_SHARE)
